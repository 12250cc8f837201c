package conformance

import (
	"crypto/tls"
	"crypto/x509"
	"sync"

	"github.com/roostws/roost/internal/certs"
)

var certificate = sync.OnceValue(func() tls.Certificate {
	c, err := certs.SelfSigned("127.0.0.1")
	if err != nil {
		panic(err)
	}
	return c
})

// serverTLS and clientTLS are the settings of two sides that trust each other.
func serverTLS() *tls.Config { return &tls.Config{Certificates: []tls.Certificate{certificate()}} }

func clientTLS() *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(certificate().Leaf)
	return &tls.Config{RootCAs: roots, ServerName: "127.0.0.1", CurvePreferences: []tls.CurveID{tls.X25519}} // the fastest
}
