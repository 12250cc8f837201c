package tlscheck

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roostws/roost/client"
	"github.com/roostws/roost/internal/certs"
	"github.com/roostws/roost/server"
)

// eachVersion runs a test with a client's configuration for a version.
func eachVersion(t *testing.T, test func(t *testing.T, config *tls.Config)) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			config := trusting(ecdsaPair())
			config.MinVersion, config.MaxVersion = version, version
			test(t, config)
		})
	}
}

// shown is the certificate that a client is shown, which must be served then.
func (h *host) shown(config *tls.Config) *x509.Certificate {
	h.t.Helper()
	config = config.Clone()
	var leaf *x509.Certificate
	config.InsecureSkipVerify = true // what was chosen counts
	config.VerifyConnection = func(s tls.ConnectionState) error {
		leaf = s.PeerCertificates[0]
		return nil
	}
	h.wantService(client.Config{TLS: config})
	return leaf
}

// TestTheNamePicksTheCertificate (RFC 6066 3), by files as a server has them. A name that nobody has, or none, gets the first.
func TestTheNamePicksTheCertificate(t *testing.T) {
	pairs := []tls.Certificate{selfSigned("first.test"), selfSigned("second.test", "*.wild.test"), rsaPair()}
	var files []certs.Files
	for i, pair := range pairs {
		dir := filepath.Join(t.TempDir(), string(rune('a'+i)))
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		files = append(files, writePair(t, dir, pair))
	}
	store, err := certs.Load(nil, files...)
	if err != nil {
		t.Fatal(err)
	}
	h := serve(t, certs.Config(store.Certificate))
	eachVersion(t, func(t *testing.T, config *tls.Config) {
		for name, want := range map[string]int{
			"first.test": 0, "second.test": 1, "SECOND.test": 1, "a.wild.test": 1, "a.b.wild.test": 0, "example.com": 2, "nobody.test": 0,
			"127.0.0.1": 0, // an address is not sent
		} {
			config.ServerName = name
			if got := h.shown(config); !got.Equal(pairs[want].Leaf) {
				t.Errorf("who asks for %s is shown that of %v", name, got.DNSNames)
			}
		}
	})
}

// writePair writes a certificate and its key to a directory.
func writePair(t *testing.T, dir string, pair tls.Certificate) certs.Files {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	files := certs.Files{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	for name, block := range map[string]*pem.Block{
		files.Cert: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, files.Key: {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// spoilt is a cache whose tickets are not as the server wrote them.
type spoilt struct{ tls.ClientSessionCache }

func (c spoilt) Get(key string) (*tls.ClientSessionState, bool) {
	session, ok := c.ClientSessionCache.Get(key)
	if !ok {
		return nil, false
	}
	ticket, state, err := session.ResumptionState()
	check(err)
	ticket[len(ticket)/2] ^= 1
	session, err = tls.NewResumptionState(ticket, state)
	check(err)
	return session, true
}

// TestSessionsAreResumed by tickets, on whichever loop the connection comes to. One that the server did not write, or another one did,
// costs a whole handshake and no more.
func TestSessionsAreResumed(t *testing.T) {
	eachVersion(t, func(t *testing.T, config *tls.Config) {
		h := serveWith(t, server.Config{TLS: flagged(ecdsaPair()), Loops: 2})
		cache := tls.NewLRUClientSessionCache(8)
		resumed := func(h *host, cache tls.ClientSessionCache) (did bool) {
			t.Helper()
			c := config.Clone()
			c.ClientSessionCache = cache
			c.VerifyConnection = func(s tls.ConnectionState) error {
				did = s.DidResume
				return nil
			}
			h.wantService(client.Config{TLS: c})
			return did
		}
		if resumed(h, cache) {
			t.Error("the first connection was resumed from nothing")
		}
		for range 8 { // a ticket is for one connection, which brings the next
			if !resumed(h, cache) {
				t.Error("it was not resumed")
			}
		}
		if resumed(h, spoilt{cache}) {
			t.Error("it was resumed by a ticket with a wrong bit")
		}
		if resumed(serve(t, flagged(ecdsaPair())), cache) {
			t.Error("another server resumed it")
		}
		off := flagged(ecdsaPair())
		off.SessionTicketsDisabled = true
		silent, empty := serve(t, off), tls.NewLRUClientSessionCache(8)
		for range 2 {
			if resumed(silent, empty) {
				t.Error("it was resumed by a server without tickets")
			}
		}
	})
}

// forClients makes a certificate for a client, which signs itself.
func forClients() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	form := &x509.Certificate{
		Subject: pkix.Name{CommonName: "a client"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	check(err)
	leaf, err := x509.ParseCertificate(der)
	check(err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// TestClientCertificates: who has none, or one that the server does not trust, is told so by an alert. Its request, which in TLS
// 1.3 comes before the server has seen the certificate, is not answered.
func TestClientCertificates(t *testing.T) {
	known, stranger, ofServer := forClients(), forClients(), ecdsaPair()
	required := flagged(ecdsaPair())
	required.ClientAuth, required.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
	required.ClientCAs.AddCert(known.Leaf)
	required.ClientCAs.AddCert(ofServer.Leaf)
	eachVersion(t, func(t *testing.T, config *tls.Config) {
		for name, tt := range map[string]struct {
			pair   *tls.Certificate
			told12 string
			told13 string // RFC 8446 has a word of its own for no certificate
		}{
			"the right one":            {&known, "", ""},
			"none":                     {nil, "handshake failure", "certificate required"},
			"a stranger's":             {&stranger, "unknown certificate authority", "unknown certificate authority"},
			"one for servers, trusted": {&ofServer, "bad certificate", "bad certificate"},
		} {
			t.Run(name, func(t *testing.T) {
				h := serve(t, required)
				config := config.Clone()
				config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
					if tt.pair == nil {
						return new(tls.Certificate), nil
					}
					return tt.pair, nil // also one that the server's list does not have
				}
				if tt.told12 == "" {
					h.wantService(client.Config{TLS: config})
					return
				}
				line := h.tcp()
				c := tls.Client(line, config)
				_, err := io.WriteString(c, upgrade)
				if err == nil {
					var resp *http.Response
					if resp, err = http.ReadResponse(bufio.NewReader(c), nil); err == nil {
						t.Fatalf("it got %s", resp.Status)
					}
				}
				told := tt.told12
				if config.MaxVersion == tls.VersionTLS13 {
					told = tt.told13
				}
				if !strings.Contains(err.Error(), told) {
					t.Errorf("it is told %v, want %q", err, told)
				}
				line.Close()
				h.await("it is counted and gone", func(s server.Stats) bool { return s.Reasons[server.ReasonHandshakeTLS] == 1 })
				if len(h.opens) > 0 {
					t.Error("it was opened")
				}
			})
		}
	})
}
