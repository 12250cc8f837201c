package memtls

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
)

func TestHandshakeAndRecordsCutIntoSingleBytes(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPair(t, clientConfig(version), serverConfig())
				p.cut = bytewise
				p.shake()
				p.mustBeOpen(t)
				mustTalk(t, p)
				if got := p.client.State(); got.Version != version || !got.HandshakeComplete || got.ServerName != serverName {
					t.Errorf("State: version %x, complete %v, name %q", got.Version, got.HandshakeComplete, got.ServerName)
				}
			})
		})
	}
}

// mustTalk sends a message in each direction.
func mustTalk(t *testing.T, p *pair) {
	t.Helper()
	p.toServer, p.toClient = nil, nil
	p.feedServer(seal(t, p.client, "to the server"), func() {})
	p.feedClient(seal(t, p.server, "to the client"), func() {})
	if string(p.toServer) != "to the server" || string(p.toClient) != "to the client" {
		t.Fatalf("the server got %q, the client %q", p.toServer, p.toClient)
	}
	p.mustBeOpen(t)
}

// TestHandshakeCutOnceAtEveryByte differs from single bytes in that the piece
// behind the cut holds the rest of one record and the next ones.
func TestHandshakeCutOnceAtEveryByte(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			last, step := 1, 1
			if raceEnabled {
				step = 7 // more would take ten seconds, and tell nothing about races
			}
			for at := 1; at <= last; at += step {
				synctest.Test(t, func(t *testing.T) {
					p := newPair(t, clientConfig(version), serverConfig())
					p.cut = func(b []byte) [][]byte {
						last = max(last, len(b)-1)
						if at >= len(b) {
							return [][]byte{b}
						}
						return [][]byte{b[:at], b[at:]}
					}
					p.shake()
					p.mustBeOpen(t)
					mustTalk(t, p)
				})
			}
			if last < 400 {
				t.Errorf("the longest flight had %d bytes: that is no handshake", last)
			}
		})
	}
}

func TestWhatComesRightBehindTheHandshakeIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, clientConfig(tls.VersionTLS13), serverConfig())
		synctest.Wait()
		p.feedServer(p.client.Output(nil), synctest.Wait)
		p.feedClient(p.server.Output(nil), synctest.Wait)
		if done, err := p.client.Handshaken(); !done || err != nil {
			t.Fatalf("client: %v, %v", done, err)
		}
		// The client's Finished and its first message, in one read.
		// It is more than crypto/tls reads ahead.
		first := strings.Repeat("first ", 1000)
		p.feedServer(seal(t, p.client, first), synctest.Wait)
		if len(p.toServer) > 0 {
			t.Fatalf("plaintext %q before the handshake was done", p.toServer)
		}
		if plain, err := p.server.Feed(nil, nil); err != nil || string(plain) != first {
			t.Fatalf("the server got %q, %v", plain, err)
		}
		mustTalk(t, p)
	})
}

func TestHandshakeFailures(t *testing.T) {
	isUnknownAuthority := func(err error) bool {
		var verify *tls.CertificateVerificationError
		return errors.As(err, &verify) && errors.As(err, new(x509.UnknownAuthorityError))
	}
	isWrongHost := func(err error) bool {
		var verify *tls.CertificateVerificationError
		return errors.As(err, &verify) && errors.As(err, new(x509.HostnameError))
	}
	tests := []struct {
		name       string
		client     func(*tls.Config)
		is         func(error) bool
		serverSays string
	}{
		{"unknown authority", func(c *tls.Config) { c.RootCAs = newIdentity().roots }, isUnknownAuthority, "bad certificate"},
		{"certificate of another host", func(c *tls.Config) { c.ServerName = "other.test" }, isWrongHost, "bad certificate"},
		{"no version in common", func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS11, tls.VersionTLS11 },
			func(err error) bool { return strings.Contains(err.Error(), "protocol version") }, "unsupported versions"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				config := clientConfig(tls.VersionTLS13)
				tt.client(config)
				p := newPair(t, config, serverConfig())
				p.shake()
				if done, err := p.client.Handshaken(); !done || err == nil || !tt.is(err) {
					t.Errorf("client: %v, %v", done, err)
				}
				// It hears so by an alert, which Output still had.
				if done, err := p.server.Handshaken(); !done || err == nil || !strings.Contains(err.Error(), tt.serverSays) {
					t.Errorf("server: %v, %v, want %q", done, err, tt.serverSays)
				}
				mustStayFailed(t, p.client)
			})
		})
	}
}

// mustStayFailed uses a connection whose handshake failed.
func mustStayFailed(t *testing.T, c *Conn) {
	t.Helper()
	_, want := c.Handshaken()
	if plain, err := c.Feed(nil, []byte("more")); len(plain) > 0 || err != want {
		t.Errorf("Feed: %q, %v, want %v", plain, err, want)
	}
	if b, err := c.Seal(nil, []byte("more")); len(b) > 0 || err != want {
		t.Errorf("Seal: %d bytes, %v, want %v", len(b), err, want)
	}
	if b := c.CloseNotify(nil); len(b) > 0 {
		t.Errorf("CloseNotify wrote %x", b)
	}
	if c.State().HandshakeComplete {
		t.Error("State says that the handshake is complete")
	}
}

func TestPlainHTTP(t *testing.T) {
	tests := map[string]struct {
		make func(t *testing.T) *Conn
		says string
	}{
		"answers a client": {func(t *testing.T) *Conn { return newClient(t, clientConfig(tls.VersionTLS13), func() {}) },
			"HTTP/1.1 400 Bad Request\r\n\r\n"},
		"asks a server": {func(*testing.T) *Conn { return Server(serverConfig(), func() {}) },
			"GET / HTTP/1.1\r\nHost: x\r\n\r\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := tt.make(t)
				c.Start(t.Context())
				synctest.Wait()
				if _, err := c.Feed(nil, []byte(tt.says)); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				done, err := c.Handshaken()
				var header tls.RecordHeaderError
				if !done || !errors.As(err, &header) || string(header.RecordHeader[:]) != tt.says[:5] {
					t.Errorf("Handshaken: %v, %v", done, err)
				}
			})
		})
	}
}

func TestRenegotiationIsRefused(t *testing.T) {
	config := clientConfig(tls.VersionTLS12)
	config.Renegotiation = tls.RenegotiateOnceAsClient
	if _, err := Client(config, func() {}); err != ErrRenegotiation {
		t.Errorf("Client: %v", err)
	}
}

func TestNothingIsSentBeforeTheHandshakeIsDone(t *testing.T) {
	c := newClient(t, clientConfig(tls.VersionTLS13), func() {})
	if b, err := c.Seal(nil, []byte("early")); err != ErrHandshaking || len(b) > 0 {
		t.Errorf("Seal: %d bytes, %v", len(b), err)
	}
	if b := c.CloseNotify(nil); len(b) > 0 {
		t.Errorf("CloseNotify wrote %x", b)
	}
	if c.State().HandshakeComplete {
		t.Error("State says that the handshake is complete")
	}
}

func TestSessionsAreResumed(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, server := clientConfig(version), serverConfig()
				client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
				for _, want := range []bool{false, true} {
					p := newPair(t, client, server)
					p.shake()
					p.mustBeOpen(t)
					if got := p.client.State().DidResume; got != want {
						t.Errorf("DidResume: %v, want %v", got, want)
					}
					mustTalk(t, p)
				}
			})
		})
	}
}

func TestNoSessionIsKeptWithoutAName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := clientConfig(tls.VersionTLS13)
		client.ServerName, client.InsecureSkipVerify = "", true
		client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		for range 2 {
			p := newPair(t, client, serverConfig())
			p.shake()
			p.mustBeOpen(t)
			if p.client.State().DidResume {
				t.Error("a session was resumed, perhaps another server's")
			}
		}
		if _, ok := client.ClientSessionCache.Get(""); ok {
			t.Error("a session is filed under no name")
		}
	})
}
