package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/wsproto"
)

// clientCertificate is one for a name, signed by itself.
func clientCertificate(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// byCertificate lets in whose certificate was verified, and calls the connection by its name. states counts the TLS states that it
// was shown and that are still in memory.
func byCertificate(states *atomic.Int64) func(*wsproto.Request) (Accept, error) {
	return func(r *wsproto.Request) (Accept, error) {
		if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
			return Accept{}, &wsproto.Refusal{Status: http.StatusUnauthorized, Reason: "certificate"}
		}
		states.Add(1)
		runtime.AddCleanup(r.TLS, func(int) { states.Add(-1) }, 0)
		return Accept{Value: r.TLS.PeerCertificates[0].Subject.CommonName}, nil
	}
}

// TestAuthorizeSeesTheClientsCertificate on native listeners and with Upgrade, and nothing keeps the state of TLS that it was shown.
func TestAuthorizeSeesTheClientsCertificate(t *testing.T) {
	cert := clientCertificate(t, "ada")
	trusted := x509.NewCertPool()
	trusted.AddCert(cert.Leaf)
	for _, upgrade := range []bool{false, true} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(fmt.Sprintf("upgrade=%v/%s", upgrade, tls.VersionName(version)), func(t *testing.T) {
				modes(t, func(t *testing.T, c Config) {
					var states atomic.Int64
					opened := make(chan *Conn, 2)
					c.Authorize, c.KeepRequest = byCertificate(&states), true
					c.Handler = Handler{OnOpen: func(c *Conn) { opened <- c }, OnMessage: echo}
					c.TLS = serverTLS()
					c.TLS.ClientAuth, c.TLS.ClientCAs, c.TLS.MaxVersion = tls.VerifyClientCertIfGiven, trusted, version
					r := start(t, c)
					if upgrade {
						r = upgradeTLS(t, r, c.TLS)
					}
					if status, _ := r.status("/"); status != http.StatusUnauthorized {
						t.Errorf("without a certificate: %d", status)
					}
					r.tls = r.tls.Clone()
					r.tls.Certificates, r.tls.ClientSessionCache = []tls.Certificate{cert}, nil // a session would be that without one
					p := r.dial()
					conn := receive(t, "OnOpen", opened)
					if conn.Value() != "ada" || conn.Request().TLS != nil {
						t.Errorf("it is %v's, and its request has the TLS %v", conn.Value(), conn.Request().TLS)
					}
					await(t, "the state of TLS is forgotten", func() bool { runtime.GC(); return states.Load() == 0 })
					p.send(ws.OpText, "hello")
					p.want(ws.OpText, "hello")
				})
			})
		}
	}
}

// upgradeTLS is a net/http server over TLS whose connections go to r's.
func upgradeTLS(t *testing.T, r *rig, c *tls.Config) *rig {
	t.Helper()
	l := listenTCP(t)
	c = c.Clone()
	c.NextProtos = []string{"http/1.1"}
	srv := &http.Server{TLSConfig: c, Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { r.Upgrade(w, req) })}
	served := make(chan struct{})
	go func() { defer close(served); srv.ServeTLS(NewListener(l), "", "") }()
	t.Cleanup(func() { srv.Close(); <-served })
	return &rig{Server: r.Server, t: t, addr: l.Addr().(*net.TCPAddr).String(), tls: clientTLS()}
}

// TestWithoutTLSThereIsNoState.
func TestWithoutTLSThereIsNoState(t *testing.T) {
	var states atomic.Int64
	c := Config{Authorize: byCertificate(&states)}
	for _, r := range []*rig{start(t, c), serveWeb(t, c, nil).rig} {
		if status, _ := r.status("/"); status != http.StatusUnauthorized {
			t.Errorf("got %d", status)
		}
	}
}
