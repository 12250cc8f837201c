package interop

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"github.com/roostws/roost/internal/certs"
	"github.com/roostws/roost/server"
)

// tlsVersions is what every test over TLS runs with, as programs call it.
var tlsVersions = map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}

// secure is a rig whose addr speaks TLS, as roost's flags have it.
type secure struct {
	*rig
	ca   string // the file of a certificate to trust
	leaf *x509.Certificate
}

// startTLS starts a server that speaks no TLS after max. 0: the newest.
func startTLS(t *testing.T, c server.Config, max uint16) *secure {
	t.Helper()
	cert, err := certs.SelfSigned()
	if err != nil {
		t.Fatal(err)
	}
	c.TLS = certs.Config(certs.Fixed(cert))
	c.TLS.MaxVersion = max
	s := &secure{start(t, c), filepath.Join(t.TempDir(), "ca.pem"), cert.Leaf}
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})
	if err := os.WriteFile(s.ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	addr, err := s.ListenTLS("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = addr.String()
	return s
}
