package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/roostws/roost/internal/memtls"
	"github.com/roostws/roost/poller"
	"github.com/roostws/roost/pool"
	"github.com/roostws/roost/wsproto"
)

// Server accepts, upgrades and serves WebSocket connections on its loops. All its methods may be called from any goroutine.
type Server struct {
	config   Config
	root     route // of connections of no Route
	routes   routes
	deflater wsproto.Deflater
	shared   [maxWindowBits - minWindowBits + 1]extra // of those of them that keep nothing, by window bits
	loops    []*loop
	pool     *pool.Pool
	plain    *plainHTTP
	crew     *memtls.Crew // nil without Config.TLS
	gates    gates
	log      rarely

	conns   atomic.Int64
	adopted atomic.Uint64          // connections that came by Upgrade
	refused [reasons]atomic.Uint64 // requests that Upgrade has refused
	panics  atomic.Uint64

	compressing atomic.Int64 // connections with permessage-deflate
	windows     atomic.Int64 // bytes reserved for their windows

	mu      sync.Mutex
	started bool
	stopped bool
	running sync.WaitGroup // loops and the plain server
	done    chan struct{}  // closed when Shutdown has returned
	failure error          // of a loop's engine; guarded by mu
}

var errNoTLS = errors.New("server: TLS needs a Config.TLS with a certificate")

// ErrServerClosed is what Listen, Serve and ListenAndServe return after Shutdown.
var ErrServerClosed = errors.New("server: closed")

// New checks the configuration and returns a server that holds no resources yet.
func New(c Config) (*Server, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	g, err := newGates(&c)
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	s := &Server{config: c, gates: g, done: make(chan struct{}), log: rarely{logger: c.Logger}}
	if err := s.root.init(&c, Route{}); err != nil {
		return nil, fmt.Errorf("server: Config: %w", err)
	}
	s.deflater.Level = c.CompressionLevel
	for i := range s.shared {
		s.shared[i].deflate = &deflated{from: c.CompressFrom, bits: minWindowBits + i}
	}
	if err := s.routes.init(s); err != nil {
		return nil, err
	}
	if len(c.Routes) > 0 {
		s.config.Handler = s.dispatcher()
	}
	if c.TLS != nil {
		s.crew = memtls.NewCrew(memtls.CrewConfig{MaxUnderWay: c.MaxTLSHandshakes, Timeout: c.HandshakeTimeout})
	}
	return s, nil
}

// Listen accepts connections at a TCP address such as "127.0.0.1:8080" or ":8080" from now on, with one socket per loop between
// which the kernel spreads them (SO_REUSEPORT). Port 0 takes a free one: the result tells which. It may be called for several
// addresses.
func (s *Server) Listen(address string) (net.Addr, error) { return s.listen(address, false) }

// ListenTLS is Listen for connections that begin with TLS, by Config.TLS. Both can be called.
func (s *Server) ListenTLS(address string) (net.Addr, error) {
	if s.config.TLS == nil {
		return nil, errNoTLS
	}
	return s.listen(address, true)
}

func (s *Server) listen(address string, secure bool) (net.Addr, error) {
	var addr netip.AddrPort
	err := s.accept(secure, func(loops int) (fds []int, err error) {
		fds, addr, err = poller.Listen(address, loops)
		return fds, err
	})
	if err != nil {
		return nil, err
	}
	return net.TCPAddrFromAddrPort(addr), nil
}

// ListenAndServe is Listen, and then waits for Shutdown to have ended. The error is never nil: ErrServerClosed after a Shutdown.
// Where it could not listen, the loops stay ready for another try until Shutdown.
func (s *Server) ListenAndServe(address string) error {
	if _, err := s.Listen(address); err != nil {
		return err
	}
	return s.wait()
}

// ListenAndServeTLS is ListenAndServe for connections that begin with TLS, by Config.TLS.
func (s *Server) ListenAndServeTLS(address string) error {
	if _, err := s.ListenTLS(address); err != nil {
		return err
	}
	return s.wait()
}

// Serve accepts connections from a TCP listener that exists, such as one that was inherited: its socket is duplicated for each
// loop, and l is closed. Then it waits like ListenAndServe.
func (s *Server) Serve(l net.Listener) error { return s.serve(l, false) }

// ServeTLS is Serve for connections that begin with TLS, by Config.TLS. l is the TCP listener.
func (s *Server) ServeTLS(l net.Listener) error {
	if s.config.TLS == nil {
		l.Close()
		return errNoTLS
	}
	return s.serve(l, true)
}

func (s *Server) serve(l net.Listener, secure bool) error {
	defer l.Close()
	sc, ok := l.(syscall.Conn)
	if !ok {
		return fmt.Errorf("server: Serve needs a listener with a socket, such as a *net.TCPListener, not a %T", l)
	}
	if err := s.accept(secure, func(loops int) ([]int, error) { return poller.Duplicate(sc, loops) }); err != nil {
		return err
	}
	l.Close()
	return s.wait()
}

func (s *Server) wait() error {
	<-s.done
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure != nil {
		return s.failure
	}
	return ErrServerClosed
}

// startLocked opens the loops, once.
func (s *Server) startLocked() error {
	if s.started {
		return nil
	}
	var err error
	if s.pool, err = pool.New(pool.Config{
		Workers:      s.config.Workers,
		MailboxBytes: s.config.MailboxBytes,
		Panicked:     func(_ pool.Task, v any, _ []byte) { s.panicked("task", v) },
	}); err != nil {
		return err
	}
	for id := range s.config.Loops {
		engine, err := poller.Open(s.config.Engine, poller.Config{})
		if err != nil {
			s.abandon()
			return err
		}
		s.loops = append(s.loops, newLoop(s, id, engine))
	}
	s.started = true
	for _, l := range s.loops {
		s.running.Go(func() { s.run(l) })
	}
	if s.config.HTTP != nil {
		s.plain = newPlainHTTP(&s.config, &s.log)
		s.running.Go(func() { s.plain.server.Serve(s.plain) })
	}
	return nil
}

// abandon gives back what a failed start has taken.
func (s *Server) abandon() {
	for _, l := range s.loops {
		l.engine.Stop()
		l.engine.Run(l)
	}
	s.loops = nil
	s.pool.Close()
}

// run runs a loop. An engine that fails, which the kernel's promises rule out, takes the server down instead of leaving a share
// of the connections unserved.
func (s *Server) run(l *loop) {
	if err := l.run(); err != nil {
		s.config.Logger.Error("an event loop failed", "engine", l.engine.Name(), "err", err)
		s.mu.Lock()
		s.failure = err
		s.mu.Unlock()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		go s.Shutdown(ctx)
	}
}

// accept gives each loop one of the listening descriptors that open returns. It holds the lock until the loops were told, so that
// a Shutdown comes before it or after it.
func (s *Server) accept(secure bool, open func(loops int) (fds []int, err error)) error {
	s.mu.Lock()
	if s.stopped {
		s.mu.Unlock()
		return ErrServerClosed
	}
	if err := s.startLocked(); err != nil {
		s.mu.Unlock()
		return err
	}
	fds, err := open(len(s.loops))
	if err != nil {
		s.mu.Unlock()
		return err
	}
	errs := make(chan error, len(fds))
	for i, fd := range fds {
		l := s.loops[i]
		l.call(func() {
			t, err := l.engine.Listen(fd)
			switch {
			case err == nil && l.drain.on:
				l.engine.Close(t)
				err = ErrServerClosed
			case err == nil:
				l.accepting.listeners = append(l.accepting.listeners, t)
				if secure {
					l.accepting.secure = append(l.accepting.secure, t)
				}
			}
			errs <- err
		})
	}
	s.mu.Unlock()
	for range fds {
		err = errors.Join(err, <-errs)
	}
	return err
}

// Report is what a Shutdown has done.
type Report struct {
	Closed int // connections that were open and have ended by themselves in time
	Forced int // connections that were cut off at the context's end
}

// Shutdown ends the server in order: it stops accepting, sends every connection a Close frame with 1001, spread over
// Config.DrainWindow in random order, flushes what is queued, and waits for the peers to answer and for all handlers to return.
// At the context's end it cuts off what is left and returns the context's error. Only the first call does this; later ones
// wait for it. It waits for inline handlers even longer than the context, as a loop cannot be interrupted, and so must not be called
// from one.
func (s *Server) Shutdown(ctx context.Context) (Report, error) {
	s.mu.Lock()
	if s.stopped {
		s.mu.Unlock()
		return Report{}, until(ctx, func() { <-s.done })
	}
	s.stopped = true
	started := s.started
	s.mu.Unlock()
	defer close(s.done)
	if !started {
		return Report{}, nil
	}

	plainDone := make(chan struct{})
	go func() {
		defer close(plainDone)
		if s.plain != nil && s.plain.server.Shutdown(ctx) != nil {
			s.plain.server.Close()
		}
	}()

	window := uint32(0)
	if s.config.DrainWindow > 0 {
		window = ticks(s.config.DrainWindow)
	}
	open := s.Stats().Open
	var left sync.WaitGroup
	for _, l := range s.loops {
		left.Add(1)
		l.call(func() { l.startDrain(window, left.Done) })
	}
	var report Report
	err := until(ctx, left.Wait)
	if err != nil {
		forced := make(chan int, len(s.loops))
		for _, l := range s.loops {
			l.call(func() { forced <- l.force() })
		}
		for range s.loops {
			report.Forced += <-forced
		}
	}
	report.Closed = max(0, open-report.Forced)

	<-plainDone
	for _, l := range s.loops {
		l.engine.Stop()
	}
	s.running.Wait()
	if s.plain != nil {
		s.plain.adopting.Wait()
	}
	if e := until(ctx, s.pool.Close); e != nil && err == nil {
		err = e
	}
	return report, err
}

// until waits for f to return or for ctx to end, whichever is first.
func until(ctx context.Context, f func()) error {
	done := make(chan struct{})
	go func() {
		f()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
