package memtls

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// idleKinds is what a server's connections can agree on. TLS 1.3 has ChaCha20 with
// clients that prefer it, because their processors have no AES.
var idleKinds = map[string]struct{ version, suite uint16 }{
	"TLS 1.2 AES-128-GCM": {tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
	"TLS 1.2 ChaCha20":    {tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256},
	"TLS 1.3 AES-128-GCM": {tls.VersionTLS13, tls.TLS_AES_128_GCM_SHA256},
	"TLS 1.3 ChaCha20":    {tls.VersionTLS13, tls.TLS_CHACHA20_POLY1305_SHA256},
	"TLS 1.3 AES, no PQC": {tls.VersionTLS13, 0},
}

// idleServer is a server's side that has shaken hands, answered an upgrade, and
// echoed 512 bytes once. Its client has a ClientHello as large as a browser's.
func idleServer(tb testing.TB, version, suite uint16, server *tls.Config) *Conn {
	tb.Helper()
	client := clientConfig(version)
	client.NextProtos = []string{"http/1.1"}
	switch suite {
	case 0:
	case tls.TLS_CHACHA20_POLY1305_SHA256:
		client.MinVersion = tls.VersionTLS12
		client.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256}
		client.CurvePreferences = nil
	case tls.TLS_AES_128_GCM_SHA256:
		client.CurvePreferences = nil
	default:
		client.CipherSuites = []uint16{suite}
		client.CurvePreferences = nil
	}
	p := handshakeOf(tb, client, server, whole)
	if got := p.server.State().CipherSuite; suite != 0 && got != suite {
		tb.Skipf("%s was agreed on", tls.CipherSuiteName(got))
	}
	request := "GET / HTTP/1.1\r\n" + strings.Repeat("Field: value of a field\r\n", 20) + "\r\n"
	p.feedServer(seal(tb, p.client, request), noWait)
	p.feedClient(seal(tb, p.server, "HTTP/1.1 101 "+http.StatusText(http.StatusSwitchingProtocols)), noWait)
	roundTrip(tb, p)()
	return p.server
}

// BenchmarkIdleServer tells what a server's side keeps in memory when nothing goes
// on.
func BenchmarkIdleServer(b *testing.B) {
	for name, kind := range idleKinds {
		b.Run(name, func(b *testing.B) {
			server := serverConfig()
			idleServer(b, kind.version, kind.suite, server) // what the config keeps
			var conns []*Conn
			before := heap()
			for b.Loop() {
				conns = append(conns, idleServer(b, kind.version, kind.suite, server))
			}
			b.ReportMetric(float64(heap()-before)/float64(len(conns)), "heap-B/conn")
			runtime.KeepAlive(conns)
		})
	}
}

// TestAnIdleConnectionIsSmall holds the bound that is promised, with what a wide
// margin leaves of 8 KiB for what is around a Conn.
func TestAnIdleConnectionIsSmall(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector takes memory")
	}
	const conns, most = 200, 6 << 10
	for name, kind := range idleKinds {
		t.Run(name, func(t *testing.T) {
			server := serverConfig()
			idleServer(t, kind.version, kind.suite, server)
			before := heap()
			var kept [conns]*Conn
			for i := range kept {
				kept[i] = idleServer(t, kind.version, kind.suite, server)
			}
			if n := (heap() - before) / conns; n > most {
				t.Errorf("%d bytes a connection, want %d at most", n, most)
			}
			runtime.KeepAlive(&kept)
		})
	}
}

// BenchmarkHalfOpen tells what a handshake costs whose peer has sent a ClientHello
// and then nothing, as long as it is under way, and as long as it waits.
func BenchmarkHalfOpen(b *testing.B) {
	config := clientConfig(tls.VersionTLS13)
	config.CurvePreferences = nil
	hello := realHello(b, config)
	for name, waits := range map[string]bool{"under way": false, "waiting": true} {
		b.Run(name, func(b *testing.B) {
			crew := NewCrew(CrewConfig{MaxUnderWay: 1 << 20, MaxWaiting: 1 << 20, Timeout: time.Hour})
			if waits {
				crew.config.MaxUnderWay = 0
			}
			server := serverConfig()
			var conns []*Conn
			before := heap() + stacks()
			for b.Loop() {
				told := make(chan struct{}, 2)
				c := Server(server, func() { told <- struct{}{} })
				if _, err := c.Feed(nil, hello); err != nil {
					b.Fatal(err)
				}
				if err := crew.Start(b.Context(), c); err != nil {
					b.Fatal(err)
				}
				if conns = append(conns, c); !waits {
					<-told
					c.Output(nil)
				}
			}
			b.ReportMetric(float64(heap()+stacks()-before)/float64(len(conns)), "B/handshake")
			for _, c := range conns {
				c.Close()
			}
			for u, w := crew.Load(); u+w > 0; u, w = crew.Load() {
				runtime.Gosched()
			}
		})
	}
}

func stacks() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.StackInuse
}

// BenchmarkIdleAdopted is BenchmarkIdleServer for connections that crypto/tls had
// before, on a socket.
func BenchmarkIdleAdopted(b *testing.B) {
	config := clientConfig(tls.VersionTLS13)
	config.CurvePreferences = nil
	server := serverConfig()
	var conns []*Conn
	before := heap()
	for b.Loop() {
		conns = append(conns, idleAdopted(b, config, server))
	}
	b.ReportMetric(float64(heap()-before)/float64(len(conns)), "heap-B/conn")
	runtime.KeepAlive(conns)
}

func idleAdopted(b *testing.B, client, server *tls.Config) *Conn {
	b.Helper()
	here, there := net.Pipe()
	defer here.Close()
	defer there.Close()
	go func() {
		if c := tls.Client(there, client); c.Handshake() == nil {
			_, _ = c.Write(make([]byte, 512)) // the other side tells
		}
	}()
	conn := tls.Server(NewSocket(here), server)
	if _, err := io.ReadFull(conn, make([]byte, 512)); err != nil {
		b.Fatal(err)
	}
	c, _, err := Adopt(conn)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := c.Feed(nil, nil); err != nil {
		b.Fatal(err)
	}
	return c
}
