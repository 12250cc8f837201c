//go:build linux || darwin || freebsd || dragonfly

package poller

import (
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long a test waits for what must come. It is spent only by a test
// that fails.
const patience = 20 * time.Second

// each runs a test of the conformance suite on every engine of the platform.
func each(t *testing.T, test func(t *testing.T, r *rig)) {
	for _, name := range Engines() {
		t.Run(name, func(t *testing.T) { test(t, newRig(t, name, Config{})) })
	}
}

// script is a Handler of functions. Its fields are plain: that the race detector is
// silent shows that the engine puts each callback after the one before.
type script struct {
	accepted func(l, t Token, peer netip.AddrPort, err error)
	data     func(t Token, b *Buffer)
	writable func(t Token)
	closed   func(t Token, err error)
	turn     func() time.Duration

	inside bool
}

func (s *script) enter() func() {
	if s.inside {
		panic("a callback within a callback")
	}
	s.inside = true
	return func() { s.inside = false }
}

func (s *script) Accepted(l, t Token, peer netip.AddrPort, err error) {
	defer s.enter()()
	s.accepted(l, t, peer, err)
}

func (s *script) Data(t Token, b *Buffer) {
	defer s.enter()()
	s.data(t, b)
}

func (s *script) Writable(t Token, gone int) {
	defer s.enter()()
	if gone != 0 {
		panic("a readiness engine has no bytes under way")
	}
	s.writable(t)
}

func (s *script) Closed(t Token, err error) {
	defer s.enter()()
	s.closed(t, err)
}

func (s *script) Turn() time.Duration {
	defer s.enter()()
	return s.turn()
}

// A rig is an engine with a script. What a test posts runs on the loop, in Turn.
type rig struct {
	*testing.T
	engine Engine
	script *script
	ended  chan error // what Run returned; nil before start

	peers   []io.Closer // closed after the engine's end
	relieve func()      // set by exhaust

	turns int // of the loop
	reads int // counted by gathers
	wait  time.Duration

	mu    sync.Mutex
	posts []func()
}

// newRig opens an engine. Callbacks that a test does not set fail it.
func newRig(t *testing.T, name string, c Config) *rig {
	e, err := Open(name, c)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{T: t, engine: e, wait: -1}
	r.script = &script{
		accepted: func(_, _ Token, _ netip.AddrPort, err error) { t.Errorf("accepted, error %v", err) },
		data:     func(_ Token, b *Buffer) { t.Errorf("data %.20q", b.Bytes()) },
		writable: func(Token) { t.Error("writable") },
		closed:   func(_ Token, err error) { t.Errorf("closed: %v", err) },
		turn:     r.turn,
	}
	t.Cleanup(func() {
		r.stop()
		for _, c := range r.peers {
			c.Close()
		}
	})
	return r
}

func (r *rig) turn() time.Duration {
	r.turns++
	r.mu.Lock()
	posts := r.posts
	r.posts = nil
	r.mu.Unlock()
	for _, f := range posts {
		f()
	}
	return r.wait
}

// start runs the engine.
func (r *rig) start() {
	r.ended = make(chan error, 1)
	go func() { r.ended <- r.engine.Run(r.script) }()
}

// stop ends the engine, also one that was never started.
func (r *rig) stop() {
	r.engine.Stop()
	if r.ended == nil {
		r.start()
	}
	if err := wait(r, r.ended); err != nil {
		r.Errorf("Run: %v", err)
	}
	r.ended <- nil // for the next stop
}

// post makes f run on the loop.
func (r *rig) post(f func()) {
	r.mu.Lock()
	r.posts = append(r.posts, f)
	r.mu.Unlock()
	r.engine.Wake()
}

// do runs f on the loop and waits for it.
func (r *rig) do(f func()) {
	r.Helper()
	done := make(chan struct{})
	r.post(func() {
		defer close(done)
		f()
	})
	wait(r, done)
}

// wait receives from c.
func wait[V any](t testing.TB, c <-chan V) (v V) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatal("it does not come")
	}
	return v
}

// must fails the test at an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// pair makes a TCP connection: a descriptor for an engine, and the peer's end. Both are
// the caller's to close.
func pair(t testing.TB) (fd int, peer *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	must(t, err)
	s, err := l.Accept()
	must(t, err)
	defer s.Close()
	raw, err := s.(*net.TCPConn).SyscallConn()
	must(t, err)
	raw.Control(func(s uintptr) { fd, err = duplicate(s) })
	must(t, err)
	c.SetDeadline(time.Now().Add(patience))
	return fd, c.(*net.TCPConn)
}

// add gives one end of a new connection to a running engine.
func (r *rig) add() (Token, *net.TCPConn) {
	r.Helper()
	t, _, c := r.addFD()
	return t, c
}

func (r *rig) addFD() (t Token, fd int, c *net.TCPConn) {
	r.Helper()
	fd, c = pair(r)
	r.peers = append(r.peers, c)
	var err error
	if r.ended == nil {
		t, err = r.engine.Add(fd)
	} else {
		r.do(func() { t, err = r.engine.Add(fd) })
	}
	must(r, err)
	return t, fd, c
}

// await waits until fd has one of the events, as poll(2) sees it.
func await(t testing.TB, fd int, events int16) {
	t.Helper()
	p := []unix.PollFd{{Fd: int32(fd), Events: events}}
	for {
		n, err := unix.Poll(p, int(patience/time.Millisecond))
		if err == unix.EINTR {
			continue
		}
		if n != 1 || p[0].Revents&events == 0 {
			t.Fatalf("poll of %d: %d events, %#x, error %v", fd, n, p[0].Revents, err)
		}
		return
	}
}

// rests fails the test if the loop does not sleep: with at most 5 ms between them,
// ten turns must take 25 ms. No event or a late timer can make this fail, only turns
// without a cause.
func (r *rig) rests() {
	r.Helper()
	done := make(chan time.Duration)
	r.do(func() {
		begun, left := time.Now(), 10
		r.wait = 5 * time.Millisecond
		r.script.turn = func() time.Duration {
			if left--; left == 0 {
				took := time.Since(begun)
				go func() { done <- took }()
				r.wait = -1
				r.script.turn = r.turn
			}
			return r.turn()
		}
	})
	if took := wait(r, done); took < 25*time.Millisecond {
		r.Errorf("the loop spins: ten turns of 5 ms took %v", took)
	}
}

// reset makes c's close a RST.
func reset(t testing.TB, c *net.TCPConn) {
	t.Helper()
	must(t, c.SetLinger(0))
	must(t, c.Close())
}

// pattern fills n bytes so that any loss, doubling or disorder shows.
func pattern(n int) []byte {
	p := make([]byte, n)
	x := uint32(1)
	for i := range p {
		x = x*1664525 + 1013904223
		p[i] = byte(x >> 24)
	}
	return p
}

// readAll reads n bytes and gives them to a channel.
func readAll(c io.Reader, n int) <-chan []byte {
	all := make(chan []byte, 1)
	go func() {
		p := make([]byte, n)
		m, _ := io.ReadFull(c, p)
		all <- p[:m]
	}()
	return all
}
