package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/roostws/roost/internal/certs"
	"github.com/roostws/roost/poller"
)

// patience is how long a test waits for an event before it calls it missing. It is no measurement: nothing passes by being late.
const patience = time.Minute

func neverLate() time.Time { return time.Now().Add(patience) }

// rig is a server under test.
type rig struct {
	*Server
	t    *testing.T
	addr string
	log  *logLines
	tls  *tls.Config // what its clients speak, nil without TLS

	deflate bool // its clients offer permessage-deflate
}

// certificate is the one of all servers under test.
var certificate = sync.OnceValue(func() tls.Certificate {
	c, err := certs.SelfSigned("127.0.0.1")
	if err != nil {
		panic(err)
	}
	return c
})

// serverTLS and clientTLS are settings of two sides that trust each other.
func serverTLS() *tls.Config { return &tls.Config{Certificates: []tls.Certificate{certificate()}} }

func clientTLS() *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(certificate().Leaf)
	return &tls.Config{RootCAs: roots, ServerName: "127.0.0.1", CurvePreferences: []tls.CurveID{tls.X25519}} // ML-KEM takes long under the race detector
}

// start serves c on a free port until the test ends, and fails the test if something is left then. prepare is called before the
// first connection: to make the topics that handlers use.
func start(t *testing.T, c Config, prepare ...func(*Server)) *rig {
	t.Helper()
	r := &rig{t: t, log: &logLines{}}
	if c.Logger == nil {
		c.Logger = slog.New(slog.NewTextHandler(r.log, nil))
	}
	if c.DrainWindow == 0 {
		c.DrainWindow = -1
	}
	r.deflate = c.Compression != CompressionOff
	var err error
	if r.Server, err = New(c); err != nil {
		t.Fatal(err)
	}
	for _, f := range prepare {
		f(r.Server)
	}
	listen := r.Listen
	if c.TLS != nil {
		listen, r.tls = r.ListenTLS, clientTLS()
		r.tls.ClientSessionCache = tls.NewLRUClientSessionCache(1) // half the cost of a handshake is the certificate
	}
	addr, err := listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.addr = addr.String()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		r.Shutdown(ctx)
		<-r.done
		r.pool.Close()
		if n := r.Stats().Open; n != 0 {
			t.Errorf("%d connections are open after the shutdown", n)
		}
		for _, l := range r.loops {
			if l.open != 0 || l.unsent.Load() != 0 {
				t.Errorf("loop %d is left with %d connections and %d unsent bytes", l.id, l.open, l.unsent.Load())
			}
		}
		if n := r.conns.Load(); n != 0 {
			t.Errorf("the server counts %d connections after the shutdown", n)
		}
		if n, bytes := r.compressing.Load(), r.windows.Load(); n != 0 || bytes != 0 {
			t.Errorf("%d connections are compressed after the shutdown, and have %d bytes for it", n, bytes)
		}
	})
	return r
}

// logLines is what a server under test has logged.
type logLines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logLines) contains(s string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Contains(l.b.Bytes(), []byte(s))
}

// await waits until the server's counters are as ok wants them.
func (r *rig) await(what string, ok func(Stats) bool) {
	r.t.Helper()
	await(r.t, what, func() bool { return ok(r.Stats()) })
}

// await looks again and again whether ok holds: for what sends no event of its own.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 1000 {
		if ok() {
			return
		}
		runtime.Gosched()
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	end := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// receive takes the next value of a channel.
func receive[T any](t *testing.T, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain: %s", what)
		panic("unreachable")
	}
}

// on runs f on the connection's loop.
func on(c *Conn, f func()) {
	done := make(chan struct{})
	c.loop.call(func() {
		defer close(done)
		f()
	})
	<-done
}

// settle waits until the connection's loop has done all that it was asked for before, writes included.
func settle(c *Conn) {
	on(c, func() {})
	on(c, func() {})
}

// hold keeps a loop busy until release is called: what it is asked for in between, it does in one turn.
func hold(t *testing.T, l *loop) (release func()) {
	held, free := make(chan struct{}), make(chan struct{})
	l.call(func() { close(held); <-free })
	<-held
	release = sync.OnceFunc(func() { close(free) })
	t.Cleanup(release)
	return release
}

// modes runs a test on every engine, with the handlers inline and on the pool.
func modes(t *testing.T, f func(t *testing.T, c Config)) {
	for _, engine := range poller.Engines() {
		t.Run(engine, func(t *testing.T) {
			handlers(t, func(t *testing.T, c Config) {
				c.Engine = engine
				f(t, c)
			})
		})
	}
}

// handlers runs a test with the handlers inline and on the pool, for what the engine makes no difference to.
func handlers(t *testing.T, f func(t *testing.T, c Config)) {
	t.Run("inline", func(t *testing.T) { f(t, Config{Inline: true}) })
	t.Run("pool", func(t *testing.T) { f(t, Config{}) })
}

// echo is the handler of most tests.
func echo(c *Conn, m Message) { c.Send(m.Op, m.Payload) }
