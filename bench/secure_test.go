package bench

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/bench/report"
)

// certificate makes one for names and addresses that signs itself, and its PEM.
func certificate(t testing.TB, ips []net.IP, names ...string) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: names, IPAddresses: ips, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestEchoOverTLS(t *testing.T) {
	t.Parallel()
	cert, ca := certificate(t, []net.IP{net.IPv4(127, 0, 0, 1)}, "server.test")
	for name, tt := range map[string]struct {
		version uint16
		set     func(c *Config)
	}{
		"CA, TLS 1.3":    {tls.VersionTLS13, func(c *Config) { c.Connect.CA = ca }},
		"CA, TLS 1.2":    {tls.VersionTLS12, func(c *Config) { c.Connect.CA = ca }},
		"insecure":       {tls.VersionTLS13, func(c *Config) { c.Connect.Insecure = true }},
		"name":           {tls.VersionTLS13, func(c *Config) { c.Connect.CA, c.Connect.ServerName = ca, "server.test" }},
		"large messages": {tls.VersionTLS13, func(c *Config) { c.Connect.CA, c.Messages.Size = ca, "50000" }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := (&double{secure: &tls.Config{Certificates: []tls.Certificate{cert}, MaxVersion: tt.version}}).start(t)
			c := short(d, Echo)
			c.Echo.Rate = 200
			tt.set(&c)
			_, sum := mustRun(t, c, Options{})
			expect(t, "measured", sum.Latency.Count(), 20)
			expect(t, "sent", sum.Sent, d.messages.Load())
			expect(t, "replies", sum.Replies, sum.Sent)
			expect(t, "lost, mismatched or unsent", sum.Lost+sum.Mismatched+sum.Unsent, 0)
			expect(t, "said goodbye", int64(d.closed(ws.StatusNormalClosure)), 2)
		})
	}
}

func TestCertificatesAreChecked(t *testing.T) {
	t.Parallel()
	cert, ca := certificate(t, []net.IP{net.IPv4(127, 0, 0, 1)}, "server.test")
	_, otherCA := certificate(t, nil, "server.test")
	for name, tt := range map[string]struct {
		set  func(c *Config)
		kind string
	}{
		"the system's authorities": {func(*Config) {}, report.BadCertificate},
		"another authority":        {func(c *Config) { c.Connect.CA = otherCA }, report.BadCertificate},
		"another name":             {func(c *Config) { c.Connect.CA, c.Connect.ServerName = ca, "other.test" }, report.BadCertificate},
		"ws to a TLS port":         {func(c *Config) { c.Targets[0] = "ws" + c.Targets[0][3:] }, report.HandshakeClosed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := (&double{secure: &tls.Config{Certificates: []tls.Certificate{cert}}}).start(t)
			c := short(d, Idle)
			tt.set(&c)
			_, err := Run(t.Context(), c, Options{})
			checkUnusable(t, err, tt.kind)
		})
	}
}

func TestAServerWithoutTLS(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		text string
		kind string
	}{
		"HTTP":   {"HTTP/1.1 400 Bad Request\r\n\r\n", report.NotTLS},
		"closed": {"", report.TLSFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			done := make(chan struct{})
			go func() {
				defer close(done)
				c, err := l.Accept()
				if err != nil {
					return
				}
				defer c.Close()
				hello := make([]byte, 16<<10)
				_, _ = c.Read(hello)
				_, _ = c.Write([]byte(tt.text))
			}()
			_, err = Run(t.Context(), Config{Scenario: Idle, Targets: []string{"wss://" + l.Addr().String() + "/"}}, Options{})
			checkUnusable(t, err, tt.kind)
			<-done
		})
	}
}

// TestLossesOverTLS: the end of TLS, the end of TCP, and a Close frame.
func TestLossesOverTLS(t *testing.T) {
	t.Parallel()
	cert, ca := certificate(t, []net.IP{net.IPv4(127, 0, 0, 1)})
	for name, tt := range map[string]struct {
		end  func(p *peer)
		kind string
	}{
		"close notify": {func(p *peer) { p.conn.Close() }, report.NoCloseFrame},
		"end of TCP":   {func(p *peer) { p.conn.(*tls.Conn).NetConn().Close() }, report.NoCloseFrame},
		"Close frame":  {func(p *peer) { p.close(1001) }, report.ClosedWith(1001)},
		"reset": {func(p *peer) {
			raw := p.conn.(*tls.Conn).NetConn().(*net.TCPConn)
			_ = raw.SetLinger(0)
			raw.Close()
		}, report.Reset},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &double{secure: &tls.Config{Certificates: []tls.Certificate{cert}}}
			d.opened = func(p *peer) {
				if p.number%2 == 0 {
					return
				}
				for len(p.d.stayers()) < 1 {
					<-time.After(time.Millisecond)
				}
				tt.end(p)
				p.conn.Close()
			}
			d.start(t)
			c := short(d, Idle)
			c.Connect.CA = ca
			o := until(&c, func(sum *report.Interval) bool { return sum.Lost >= 1 })
			_, sum := mustRun(t, c, o)
			expect(t, "lost", sum.Lost, 1)
			expectFailures(t, sum, map[string]int64{tt.kind: 1})
		})
	}
}
