package memtls

import (
	"crypto"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const serverName = "roost.test"

var past = time.Unix(1, 0)

// versions is what every test of records runs with.
var versions = map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13}

// identity is a certificate for serverName and the authority that signed it.
// It is valid in the year 2000 too, where the clocks of synctest start.
type identity struct {
	cert  tls.Certificate
	roots *x509.CertPool
}

var theIdentity = sync.OnceValue(newIdentity)

func newIdentity() identity {
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of a test"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: []string{serverName}, NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
	}
	caPublic, caKey, err := ed25519.GenerateKey(nil)
	check(err)
	leafPublic, leafKey, err := ed25519.GenerateKey(nil)
	check(err)
	ca = sign(ca, ca, caPublic, caKey)
	leaf = sign(leaf, ca, leafPublic, caKey)
	id := identity{cert: tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: leafKey}, roots: x509.NewCertPool()}
	id.roots.AddCert(ca)
	return id
}

func sign(cert, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) *x509.Certificate {
	der, err := x509.CreateCertificate(nil, cert, parent, public, key)
	check(err)
	cert, err = x509.ParseCertificate(der)
	check(err)
	return cert
}

// check is for what cannot fail.
func check(err error) {
	if err != nil {
		panic(err)
	}
}

// clientConfig trusts theIdentity. The key exchange is a classic one, whose
// messages are short enough to be cut everywhere.
func clientConfig(version uint16) *tls.Config {
	return &tls.Config{
		ServerName: serverName, RootCAs: theIdentity().roots, MinVersion: version, MaxVersion: version,
		CurvePreferences: []tls.CurveID{tls.X25519},
	}
}

func serverConfig() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{theIdentity().cert}}
}

func newClient(tb testing.TB, config *tls.Config, notify func()) *Conn {
	tb.Helper()
	c, err := Client(config, notify)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// pair is two connections that talk to each other, and what each of them got.
// Their handshakes must have been started, in the bubble of a synctest.
type pair struct {
	client, server       *Conn
	toClient, toServer   []byte // plaintext
	clientErr, serverErr error  // of Feed
	cut                  func([]byte) [][]byte
}

// newPair starts two handshakes.
func newPair(t *testing.T, client, server *tls.Config) *pair {
	p := &pair{
		client: newClient(t, client, func() {}), server: Server(server, func() {}),
		cut: whole,
	}
	p.client.Start(t.Context())
	p.server.Start(t.Context())
	return p
}

// openPair is a pair that has shaken hands.
func openPair(t *testing.T, version uint16) *pair {
	t.Helper()
	p := newPair(t, clientConfig(version), serverConfig())
	p.shake()
	p.mustBeOpen(t)
	return p
}

func (p *pair) mustBeOpen(t *testing.T) {
	t.Helper()
	for name, c := range map[string]*Conn{"client": p.client, "server": p.server} {
		if done, err := c.Handshaken(); !done || err != nil {
			t.Fatalf("%s: Handshaken: %v, %v", name, done, err)
		}
	}
	if p.clientErr != nil || p.serverErr != nil {
		t.Fatalf("Feed: client: %v, server: %v", p.clientErr, p.serverErr)
	}
}

// shake carries bytes until neither side has any, waiting after each piece for
// the handshakes to have read it and to want more.
func (p *pair) shake() {
	for {
		synctest.Wait()
		if p.carry(synctest.Wait) == 0 {
			return
		}
	}
}

// carry takes what both sides have to send to the other one, and returns how
// many bytes that was.
func (p *pair) carry(wait func()) int {
	up, down := p.client.Output(nil), p.server.Output(nil)
	p.feedServer(up, wait)
	p.feedClient(down, wait)
	return len(up) + len(down)
}

func (p *pair) feedServer(b []byte, wait func()) {
	for _, piece := range p.cut(b) {
		p.toServer, p.serverErr = p.server.Feed(p.toServer, piece)
		clear(piece) // nothing may refer to it any more
		wait()
	}
}

func (p *pair) feedClient(b []byte, wait func()) {
	for _, piece := range p.cut(b) {
		p.toClient, p.clientErr = p.client.Feed(p.toClient, piece)
		clear(piece)
		wait()
	}
}

// handshakeByNotify shakes hands without a synctest: it carries bytes whenever
// notify was called.
func handshakeByNotify(tb testing.TB, version uint16) *pair {
	tb.Helper()
	return handshakeCut(tb, version, whole)
}

// handshakeCut is handshakeByNotify with streams that are cut.
func handshakeCut(tb testing.TB, version uint16, cut func([]byte) [][]byte) *pair {
	tb.Helper()
	return handshakeOf(tb, clientConfig(version), serverConfig(), cut)
}

// handshakeOf is handshakeCut with any configs.
func handshakeOf(tb testing.TB, client, server *tls.Config, cut func([]byte) [][]byte) *pair {
	tb.Helper()
	wake := make(chan struct{}, 1)
	notify := func() {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
	p := &pair{
		client: newClient(tb, client, notify), server: Server(server, notify),
		cut: cut,
	}
	p.client.Start(tb.Context())
	p.server.Start(tb.Context())
	for open := 0; open < 2; {
		<-wake
		p.carry(noWait)
		open = 0
		for _, c := range []*Conn{p.client, p.server} {
			done, err := c.Handshaken()
			if err != nil {
				tb.Fatal(err)
			}
			if done {
				open++
			}
		}
	}
	p.carry(noWait)
	return p
}

func seal(tb testing.TB, c *Conn, plaintext string) []byte {
	tb.Helper()
	b, err := c.Seal(nil, []byte(plaintext))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// whole does not cut b.
func whole(b []byte) [][]byte { return [][]byte{b} }

// bytewise cuts b into single bytes.
func bytewise(b []byte) (pieces [][]byte) {
	for i := range b {
		pieces = append(pieces, b[i:i+1])
	}
	return pieces
}
