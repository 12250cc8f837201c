package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/gobwas/ws"
)

// SessionConfig is everything that a Session can be told. Its zero value works.
type SessionConfig struct {
	Dial Config // of each connection

	// OnConnect is called with each new connection before Read returns messages of it and before Write sends on it: to log in and to
	// subscribe. It may read and write. An error closes the connection (1000), and the session tries again unless GiveUp says no.
	// The context ends after ConnectTimeout.
	OnConnect func(ctx context.Context, c *Conn) error

	// OnDisconnect is called when a connection is lost, and when a try failed: err says why, and wait is how long until the next
	// try. Between the first call after a connection and the next OnConnect messages may have been missed.
	OnDisconnect func(err error, wait time.Duration)

	// GiveUp reports whether there is no sense in trying again after err, which Read then returns. nil: Hopeless.
	GiveUp func(err error) bool

	// The wait before a try is random between 0 and BackoffBase, which doubles with each try that fails, up to BackoffLimit, and
	// counts anew after a connection that lasted for StableAfter. 0: 500 ms, 30 s, 30 s. What a server asks for with Retry-After (429
	// and 503, an hour at most) comes on top, and half a minute after a Close frame with 4429.
	BackoffBase, BackoffLimit, StableAfter time.Duration

	ConnectTimeout time.Duration // of OnConnect; 0: 10 s
}

func (c SessionConfig) withDefaults() (SessionConfig, error) {
	for _, f := range []struct {
		name  string
		value *time.Duration
		def   time.Duration
	}{
		{"BackoffBase", &c.BackoffBase, 500 * time.Millisecond},
		{"BackoffLimit", &c.BackoffLimit, 30 * time.Second},
		{"StableAfter", &c.StableAfter, 30 * time.Second},
		{"ConnectTimeout", &c.ConnectTimeout, 10 * time.Second},
	} {
		if *f.value < 0 {
			return c, fmt.Errorf("client: SessionConfig.%s is %v: it must not be negative", f.name, *f.value)
		}
		if *f.value == 0 {
			*f.value = f.def
		}
	}
	if c.GiveUp == nil {
		c.GiveUp = Hopeless
	}
	return c, nil
}

// Session is one stream of messages over connections that come and go: Read dials when there is none, and again when one is lost.
// One goroutine at a time may call Read, which calls all hooks; the other methods may be called from any goroutine. Nothing happens
// outside of Read: there is no goroutine, and a session that nobody reads neither answers pings nor comes back.
type Session struct {
	url    string
	config SessionConfig

	reading   sync.Mutex
	backoff   backoff
	connected time.Time // when the connection was ready
	nextTry   time.Time // not before
	over      error     // why the session is; guarded by reading

	closed context.Context // ends with Close
	close  context.CancelFunc

	mu   sync.Mutex
	conn *Conn // ready for Read and Write, or nil
}

var (
	// ErrNotConnected is what Write returns between two connections. Nothing was sent.
	ErrNotConnected = errors.New("client: the session has no connection at the moment")

	errSessionClosed = fmt.Errorf("client: the session is closed: %w", net.ErrClosed)
)

// NewSession returns a session with a server. It dials at the first Read. The error is about the configuration.
func NewSession(url string, config SessionConfig) (*Session, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Session{url: url, config: config, backoff: newBackoff(config.BackoffBase, config.BackoffLimit)}
	s.closed, s.close = context.WithCancel(context.Background())
	return s, nil
}

// Read returns the next message, as Conn.Read does, however many connections that takes. The error is for good after Close, which it
// tells by net.ErrClosed, and when GiveUp says so. A context that ends has its error returned and costs the connection; a later Read
// dials again, but not before the wait that is under way has passed.
func (s *Session) Read(ctx context.Context) (op ws.OpCode, payload []byte, err error) {
	if !s.reading.TryLock() {
		return 0, nil, errTwoReaders
	}
	defer s.reading.Unlock()
	for s.over == nil && s.closed.Err() == nil && ctx.Err() == nil {
		c := s.Conn()
		if c == nil {
			c, err = s.connect(ctx)
		}
		if err == nil {
			op, payload, err = c.Read(ctx)
		}
		if err == nil {
			return op, payload, nil
		}
		s.lost(ctx, err)
	}
	switch {
	case s.over != nil:
		return 0, nil, s.over
	case s.closed.Err() != nil:
		return 0, nil, errSessionClosed
	}
	return 0, nil, fmt.Errorf("client: %w", contextError(ctx))
}

// connect waits until it is time for the next try, and makes it.
func (s *Session) connect(ctx context.Context) (*Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.closed, cancel)()
	if err := sleep(ctx, time.Until(s.nextTry)); err != nil {
		return nil, err
	}
	c, err := Dial(ctx, s.url, s.config.Dial)
	if err != nil {
		return nil, err
	}
	if err := s.greet(ctx, c); err != nil {
		c.CloseNow()
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Err() != nil { // Close has not seen this one
		c.CloseNow()
		return nil, errSessionClosed
	}
	s.conn, s.connected = c, time.Now()
	return c, nil
}

// greet has the application log in and subscribe.
func (s *Session) greet(ctx context.Context, c *Conn) error {
	if s.config.OnConnect == nil {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, s.config.ConnectTimeout)
	defer cancel()
	err := s.config.OnConnect(limited, c)
	if err != nil && ctx.Err() == nil {
		c.Close(ws.StatusNormalClosure, "")
	}
	return err
}

// lost forgets the connection and says when to try again, or that there is no sense in it.
func (s *Session) lost(ctx context.Context, err error) {
	s.mu.Lock()
	had := s.conn != nil
	s.conn = nil
	s.mu.Unlock()
	if s.closed.Err() != nil || ctx.Err() != nil {
		return
	}
	if s.config.GiveUp(err) {
		s.over = fmt.Errorf("client: the session gave up: %w", err)
		return
	}
	if had && time.Since(s.connected) >= s.config.StableAfter {
		s.backoff.reset()
	}
	wait := s.backoff.next(err)
	s.nextTry = time.Now().Add(wait)
	if s.config.OnDisconnect != nil {
		s.config.OnDisconnect(err, wait)
	}
}

// Write sends a message on the connection of the moment, as Conn.Write does. Where there is none it returns ErrNotConnected at once:
// what is worth sending later, OnConnect knows.
func (s *Session) Write(ctx context.Context, op ws.OpCode, payload []byte) error {
	c := s.Conn()
	switch {
	case s.closed.Err() != nil:
		return errSessionClosed
	case c == nil:
		return ErrNotConnected
	}
	return c.Write(ctx, op, payload)
}

// Conn returns the connection of the moment, or nil: to ping, or for its subprotocol. It must not be read or closed.
func (s *Session) Conn() *Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conn
}

// Close ends the session for good, and its connection as Conn.Close does. A Read under way, whatever it waits for, returns an error
// that unwraps to net.ErrClosed. The error says that the connection could not be closed with a handshake.
func (s *Session) Close(code ws.StatusCode, reason string) error {
	s.mu.Lock()
	s.close()
	c := s.conn
	s.mu.Unlock()
	if c == nil {
		return nil
	}
	return c.Close(code, reason)
}
