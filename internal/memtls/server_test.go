package memtls

import (
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// certificateFor signs one for a name with a key of its own. The authority is the
// certificate itself.
func certificateFor(name string) (tls.Certificate, *x509.CertPool) {
	public, key, err := ed25519.GenerateKey(nil)
	check(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(3), DNSNames: []string{name},
		NotBefore: time.Unix(0, 0), NotAfter: time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	leaf := sign(template, template, public, key)
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}, pool
}

// eachVersion runs a test in a bubble, with a client's config for a version.
func eachVersion(t *testing.T, test func(t *testing.T, client *tls.Config)) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, clientConfig(version)) })
		})
	}
}

func TestTheCertificateIsThatOfTheName(t *testing.T) {
	eachVersion(t, func(t *testing.T, client *tls.Config) {
		other, roots := certificateFor("other.test")
		server := serverConfig()
		server.Certificates = append(server.Certificates, other)
		mustTalk(t, shaken(t, client, server))

		client.ServerName, client.RootCAs = "other.test", roots
		p := shaken(t, client, server)
		mustTalk(t, p)
		if name := p.server.State().ServerName; name != "other.test" {
			t.Errorf("the server was asked for %q", name)
		}
	})
}

// shaken is a pair that has shaken hands.
func shaken(t *testing.T, client, server *tls.Config) *pair {
	t.Helper()
	p := newPair(t, client, server)
	p.shake()
	p.mustBeOpen(t)
	return p
}

func TestALPN(t *testing.T) {
	tests := map[string]struct {
		offers []string
		want   string // "" and the alert below if fails
		fails  bool
	}{
		"nothing":     {nil, "", false},
		"HTTP/1.1":    {[]string{"http/1.1"}, "http/1.1", false},
		"both":        {[]string{"h2", "http/1.1"}, "http/1.1", false},
		"HTTP/2 only": {[]string{"h2"}, "", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			eachVersion(t, func(t *testing.T, client *tls.Config) {
				client.NextProtos = tt.offers
				server := serverConfig()
				server.NextProtos = []string{"http/1.1"}
				p := newPair(t, client, server)
				p.shake()
				if tt.fails {
					mustFail(t, p, "unsupported application protocols", "no application protocol")
					return
				}
				mustTalk(t, p)
				if got := p.server.State().NegotiatedProtocol; got != tt.want {
					t.Errorf("%q was agreed on, want %q", got, tt.want)
				}
			})
		})
	}
}

// mustFail checks what the server found, and what the client was told by an alert.
// A client of TLS 1.3 may have shaken hands before it is told.
func mustFail(t *testing.T, p *pair, server, client string) {
	t.Helper()
	if done, err := p.server.Handshaken(); !done || err == nil || !strings.Contains(err.Error(), server) {
		t.Errorf("server: %v, %v, want %q", done, err, server)
	}
	_, err := p.client.Handshaken()
	if err == nil {
		err = p.clientErr
	}
	if err == nil || !strings.Contains(err.Error(), client) {
		t.Errorf("client: %v, want %q", err, client)
	}
	mustStayFailed(t, p.server)
}

func TestClientCertificates(t *testing.T) {
	good, pool := certificateFor("client")
	stranger, _ := certificateFor("client")
	tests := map[string]struct {
		certs          []tls.Certificate
		server, client string // errors
	}{
		"a known one":   {[]tls.Certificate{good}, "", ""},
		"none":          {nil, "client didn't provide a certificate", "remote error: tls: "},
		"a stranger's":  {[]tls.Certificate{stranger}, "failed to verify certificate", "certificate"},
		"an empty list": {[]tls.Certificate{}, "client didn't provide a certificate", "remote error: tls: "},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			eachVersion(t, func(t *testing.T, client *tls.Config) {
				certs := tt.certs
				client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
					if len(certs) == 0 {
						return &tls.Certificate{}, nil
					}
					return &certs[0], nil // also one that the server's list of authorities has not
				}
				server := serverConfig()
				server.ClientAuth, server.ClientCAs = tls.RequireAndVerifyClientCert, pool
				p := newPair(t, client, server)
				p.shake()
				if tt.server != "" {
					mustFail(t, p, tt.server, tt.client)
					return
				}
				mustTalk(t, p)
				if peers := p.server.State().PeerCertificates; len(peers) != 1 || !peers[0].Equal(good.Leaf) {
					t.Errorf("the server knows %d certificates of the client", len(peers))
				}
			})
		})
	}
}

func TestOldVersionsAreRefused(t *testing.T) {
	for name, version := range map[string]uint16{"TLS 1.0": tls.VersionTLS10, "TLS 1.1": tls.VersionTLS11} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPair(t, clientConfig(version), serverConfig())
				p.shake()
				mustFail(t, p, "unsupported versions", "protocol version not supported")
			})
		})
	}
}

// TestTicketsGoOutWithTheHandshake: in TLS 1.3 they come behind it, and no call
// of the loop's may be needed to get them.
func TestTicketsGoOutWithTheHandshake(t *testing.T) {
	eachVersion(t, func(t *testing.T, client *tls.Config) {
		client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		server := serverConfig()
		shaken(t, client, server)
		if _, ok := client.ClientSessionCache.Get(serverName); !ok {
			t.Fatal("no ticket has come")
		}
		if p := shaken(t, client, server); !p.server.State().DidResume {
			t.Error("the session was not resumed")
		}
		if p := shaken(t, client, serverConfig()); p.server.State().DidResume {
			t.Error("a session of another server's was resumed")
		}
	})
}

// TestAnAlertComesWithItsReason: the loop that sends an alert must know what for, or a peer that is quick to go is counted
// as one that went by itself.
func TestAnAlertComesWithItsReason(t *testing.T) {
	eachVersion(t, func(t *testing.T, client *tls.Config) {
		client.NextProtos = []string{"h2"}
		server := serverConfig()
		server.NextProtos = []string{"http/1.1"}
		var c *Conn
		told := 0
		c = Server(server, func() {
			told++
			if done, err := c.Handshaken(); !done || err == nil { // no method but for a test: it fails, so nothing is let go of
				t.Errorf("told of output while it is not known how the handshake ends: %v, %v", done, err)
			}
		})
		c.Start(t.Context())
		if _, err := c.Feed(nil, realHello(t, client)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if alert := c.Output(nil); told != 1 || len(alert) != headerLen+2 || alert[0] != recordAlert {
			t.Errorf("told %d times, of % x", told, alert)
		}
	})
}
