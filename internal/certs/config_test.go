package certs

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// sockets is the two ends of a connection.
func sockets(t *testing.T) (client, server net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if client, err = net.Dial("tcp", listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if server, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		server.Close()
	})
	return client, server
}

// meet shakes hands between a server's config and a client's.
func meet(t *testing.T, server, client *tls.Config) (state tls.ConnectionState, serverErr, clientErr error) {
	t.Helper()
	a, b := sockets(t)
	done := make(chan error)
	go func() {
		err := tls.Server(b, server).Handshake()
		b.Close()
		done <- err
	}()
	conn := tls.Client(a, client)
	clientErr = conn.Handshake()
	if clientErr == nil {
		_, clientErr = conn.Read(make([]byte, 1)) // the server's end, or an alert
	}
	return conn.ConnectionState(), <-done, clientErr
}

func selfSigned(t *testing.T, hosts ...string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	cert, err := SelfSigned(hosts...)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert.Leaf)
	return cert, pool
}

func TestSelfSigned(t *testing.T) {
	cert, pool := selfSigned(t, "other.test", "192.0.2.1", "2001:db8::1")
	server := Config(Fixed(cert))
	for _, name := range []string{"localhost", "127.0.0.1", "::1", "other.test", "192.0.2.1", "2001:db8::1"} {
		if _, err, _ := meet(t, server, &tls.Config{ServerName: name, RootCAs: pool}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"unknown.test", "127.0.0.2"} {
		if _, err, _ := meet(t, server, &tls.Config{ServerName: name, RootCAs: pool}); err == nil {
			t.Errorf("a client that asks for %s trusts it", name)
		}
	}
	if _, err, _ := meet(t, server, &tls.Config{ServerName: "localhost"}); err == nil {
		t.Error("a client that knows nothing of it trusts it")
	}
	if valid := time.Until(cert.Leaf.NotAfter); valid < 6*24*time.Hour || valid > 8*24*time.Hour {
		t.Errorf("it is valid for %v", valid)
	}
	if other, _ := selfSigned(t); other.Leaf.SerialNumber.Cmp(cert.Leaf.SerialNumber) == 0 {
		t.Error("two have one serial number")
	}
}

func TestSelfSignedFails(t *testing.T) {
	if _, err := SelfSigned("a\xffb"); err == nil || !strings.Contains(err.Error(), `a\xffb`) {
		t.Errorf("SelfSigned: %v", err)
	}
}

// TestOldAndWeakIsRefused: with a certificate of RSA too, so that suites without
// forward secrecy could be chosen.
func TestOldAndWeakIsRefused(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	strong := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	ec, _ := selfSigned(t)
	for name, cert := range map[string]tls.Certificate{"RSA": strong, "ECDSA": ec} {
		server := Config(Fixed(cert))
		for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
			client := &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version}
			if _, err, told := meet(t, server, client); err == nil || !strings.Contains(told.Error(), "protocol version") {
				t.Errorf("%s, %s: %v, the client is told %v", name, tls.VersionName(version), err, told)
			}
		}
		for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
			if !slices.Contains(suite.SupportedVersions, tls.VersionTLS12) {
				continue // those of TLS 1.3 are all good
			}
			client := &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite.ID}}
			state, err, _ := meet(t, server, client)
			good := strings.Contains(suite.Name, "ECDHE_"+name) && (strings.Contains(suite.Name, "GCM") || strings.Contains(suite.Name, "CHACHA20"))
			if (err == nil) != good || good && state.CipherSuite != suite.ID {
				t.Errorf("%s, %s: %v", name, suite.Name, err)
			}
		}
	}
}

func TestHTTP11Only(t *testing.T) {
	cert, _ := selfSigned(t)
	tests := map[string]struct {
		offers []string
		want   string
		told   string // the error of who is refused
	}{
		"nothing":     {nil, "", ""},
		"HTTP/1.1":    {[]string{"http/1.1"}, "http/1.1", ""},
		"both":        {[]string{"h2", "http/1.1"}, "http/1.1", ""},
		"HTTP/2 only": {[]string{"h2"}, "", "no application protocol"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			state, err, told := meet(t, Config(Fixed(cert)), &tls.Config{InsecureSkipVerify: true, NextProtos: tt.offers})
			if tt.told != "" {
				if err == nil || !strings.Contains(told.Error(), tt.told) {
					t.Errorf("%v, the client is told %v", err, told)
				}
				return
			}
			if err != nil || state.NegotiatedProtocol != tt.want {
				t.Errorf("%q, %v, want %q", state.NegotiatedProtocol, err, tt.want)
			}
		})
	}
}

// counted is a net.Conn that counts writes: crypto/tls makes one for each record.
type counted struct {
	net.Conn
	writes int
}

func (c *counted) Write(p []byte) (int, error) {
	c.writes++
	return c.Conn.Write(p)
}

func TestWhatIsWrittenAtOnceIsOneRecord(t *testing.T) {
	cert, _ := selfSigned(t)
	a, b := sockets(t)
	read := make(chan error)
	go func() {
		_, err := io.ReadFull(tls.Client(a, &tls.Config{InsecureSkipVerify: true}), make([]byte, 16<<10))
		read <- err
	}()
	conn := &counted{Conn: b}
	server := tls.Server(conn, Config(Fixed(cert)))
	if err := server.Handshake(); err != nil {
		t.Fatal(err)
	}
	conn.writes = 0
	if _, err := server.Write(make([]byte, 16<<10)); err != nil || conn.writes != 1 {
		t.Errorf("%d records, %v, want 1", conn.writes, err)
	}
	if err := <-read; err != nil {
		t.Error(err)
	}
}
