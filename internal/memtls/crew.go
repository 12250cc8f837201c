package memtls

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// ErrBusy is the error of a handshake that a Crew has no room for.
var ErrBusy = errors.New("too many TLS handshakes wait: raise the bound, or slow down new connections")

// ErrSlow is what the error of a handshake wraps that was not done in time.
var ErrSlow = errors.New("the TLS handshake took too long")

// CrewConfig is the bounds of a Crew.
type CrewConfig struct {
	MaxUnderWay  int           // handshakes that have a goroutine at most, because they compute or wait for their peer; 0: 1,024
	MaxWaiting   int           // handshakes at most that wait to start, more get ErrBusy; 0: 4,096; < 0: none
	MaxComputing int           // handshakes that compute at once at most; 0: half of GOMAXPROCS, at least 1
	PerSecond    float64       // handshakes that start per second at most, a tenth of that at once; 0: no limit
	Timeout      time.Duration // from Start to the handshake's end, waiting included; 0: 10 s
}

// Crew runs the handshakes of a server's connections, so that a storm of them
// leaves processors to those that are open, and costs bounded memory.
//
// Who comes too fast waits, first come first served, instead of being refused:
// a storm is mostly clients who come back all at once after a restart. They
// would try again, and each try costs more than waiting does: a connection, and
// the client's hello. Who waits costs no goroutine, only his hello and the
// context of his deadline. Refused is who finds MaxWaiting in front of him.
//
// A handshake gives its right to compute to another one while it waits for its
// peer. Callbacks of the tls.Config count as computing: they must not wait.
//
// Its methods can be called from any goroutine, and do not block. It needs no
// Close: it is nothing but its handshakes.
type Crew struct {
	config  CrewConfig
	slots   chan struct{} // one for each that computes
	limiter *rate.Limiter // nil: no limit

	mu       sync.Mutex // protects what follows
	waiting  list.List  // of *waiter
	underWay int
	refused  uint64
	reserved bool // the next start's time has not come
	ready    bool // it has
}

// waiter is a handshake that has not started.
type waiter struct {
	conn *Conn
	stop func() bool // the deadline's effect; false: it had it
}

// NewCrew makes a Crew.
func NewCrew(config CrewConfig) *Crew {
	config.MaxUnderWay = orDefault(config.MaxUnderWay, 1024)
	config.MaxWaiting = max(0, orDefault(config.MaxWaiting, 4096))
	config.MaxComputing = orDefault(config.MaxComputing, max(1, runtime.GOMAXPROCS(0)/2))
	config.Timeout = orDefault(config.Timeout, 10*time.Second)
	c := &Crew{config: config, slots: make(chan struct{}, config.MaxComputing)}
	if config.PerSecond > 0 {
		c.limiter = rate.NewLimiter(rate.Limit(config.PerSecond), int(math.Ceil(config.PerSecond/10)))
	}
	return c
}

func orDefault[T comparable](v, d T) T {
	if v == *new(T) {
		return d
	}
	return v
}

// Start starts the handshake of a Conn now or later, in place of Conn.Start.
// The loop that owns the Conn calls it, best when Hello has found a ClientHello
// and Conn.Feed has got it. How the handshake went, the Conn tells, also when
// its time was over before it started. When ctx ends before the handshake does,
// it fails with the cause of that. The error is ErrBusy; the Conn is then of no
// use any more.
func (c *Crew) Start(ctx context.Context, conn *Conn) error {
	h := conn.wire.handshake
	h.slots = c.slots
	h.ctx, h.cancel = context.WithTimeoutCause(ctx, c.config.Timeout,
		fmt.Errorf("%w: more than %v", ErrSlow, c.config.Timeout))
	c.mu.Lock()
	defer c.mu.Unlock()
	w := &waiter{conn: conn}
	place := c.waiting.PushBack(w)
	w.stop = context.AfterFunc(h.ctx, func() { c.expire(place) })
	c.dispatch()
	if c.waiting.Len() > c.config.MaxWaiting {
		c.waiting.Remove(place)
		w.stop()
		h.cancel()
		c.refused++
		return ErrBusy
	}
	return nil
}

// Load tells how many handshakes have a goroutine, and how many wait for one.
func (c *Crew) Load() (underWay, waiting int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.underWay, c.waiting.Len()
}

// Refused tells how many handshakes got ErrBusy.
func (c *Crew) Refused() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refused
}

// dispatch starts who may start. c.mu is held.
func (c *Crew) dispatch() {
	for c.waiting.Len() > 0 && c.underWay < c.config.MaxUnderWay && c.mayStart() {
		w := c.waiting.Remove(c.waiting.Front()).(*waiter)
		if !w.stop() {
			continue // expire is on its way
		}
		c.underWay++
		go w.conn.run(c.leave)
	}
}

// mayStart takes a start from the rate limit, or has dispatch called when there
// is one. c.mu is held.
func (c *Crew) mayStart() bool {
	switch {
	case c.limiter == nil:
		return true
	case c.ready:
		c.ready = false
		return true
	case c.reserved:
		return false
	}
	delay := c.limiter.Reserve().Delay()
	if delay == 0 {
		return true
	}
	c.reserved = true
	time.AfterFunc(delay, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.reserved, c.ready = false, true
		c.dispatch()
	})
	return false
}

// leave is called by a handshake that is over.
func (c *Crew) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.underWay--
	c.dispatch()
}

// expire ends a handshake that waited until its context ended.
func (c *Crew) expire(place *list.Element) {
	c.mu.Lock()
	c.waiting.Remove(place) // has no effect if dispatch did
	c.mu.Unlock()
	conn := place.Value.(*waiter).conn
	h := conn.wire.handshake
	h.finish(context.Cause(h.ctx))
	h.cancel()
	h.notify()
}
