//go:build linux || darwin || freebsd || dragonfly

package poller

import (
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// netpoll is the engine on easygo's netpoll, whose own goroutine waits, without
// bound, and calls a function per event. Callbacks run on that goroutine; Run's own
// only waits for its end. What the library has no place for is made of one pipe that
// always holds a byte, the gate: watching it for one event brings that event with the
// batch after the current one. That gives turns (the first event of a batch arms the
// gate), wake-ups, timeouts and the stop, at the price of one system call a turn.
type netpoll struct {
	sockets
	backend backend
	gate    [2]int // a pipe; reading end first

	entered chan struct{} // the library's goroutine has reached the gate
	begin   chan struct{} // Run was called
	ended   chan struct{} // the last callback has returned
	begun   bool
	started bool // of the goroutine that waits
	failure error

	stopped atomic.Bool
	armed   atomic.Bool // a turn is due
	mu      sync.Mutex  // guards what arm does from being done after the end
	gone    bool
	timer   *time.Timer
	due     time.Time // when timer fires; zero if it has, or never was set
}

func openNetpoll(c Config) (Engine, error) {
	e := &netpoll{entered: make(chan struct{}), begin: make(chan struct{}), ended: make(chan struct{})}
	if err := openGate(&e.gate); err != nil {
		return nil, err
	}
	if err := e.backend.open(e.fail); err != nil {
		e.closeGate()
		return nil, err
	}
	e.init(&e.backend, c)
	e.backend.event = e.event
	e.armed.Store(true)
	if err := e.backend.watchGate(e.gate[0], e.turn); err != nil {
		e.backend.close()
		e.closeGate()
		return nil, err
	}
	// The library's goroutine is held at the gate until Run, so that sockets which
	// are added before wait in the kernel.
	<-e.entered
	return e, nil
}

// openGate makes a pipe that is readable for ever.
func openGate(gate *[2]int) error {
	r, w, err := os.Pipe() // close-on-exec on every platform
	if err != nil {
		return err
	}
	defer r.Close()
	defer w.Close()
	if _, err := w.Write([]byte{0}); err != nil {
		return err
	}
	if gate[0], err = duplicate(r.Fd()); err != nil {
		return err
	}
	// The writing end stays open, as its end would be another event.
	if gate[1], err = duplicate(w.Fd()); err != nil {
		closeSocket(gate[0])
	}
	return err
}

func (e *netpoll) closeGate() {
	closeSocket(e.gate[0])
	closeSocket(e.gate[1])
}

func (e *netpoll) Name() string { return "netpoll" }

func (e *netpoll) Run(h Handler) error {
	if e.begun {
		return errRunTwice
	}
	e.begun = true
	e.handler = h
	close(e.begin)
	<-e.ended
	e.mu.Lock()
	e.gone = true
	e.mu.Unlock()
	e.backend.forget(e.gate[0])
	err := e.backend.close()
	e.closeGate()
	if e.failure != nil {
		return e.failure
	}
	return err
}

// event is called for every event of the socket that was registered as t.
func (e *netpoll) event(t Token, readable, writable bool) {
	s := e.table.get(t)
	if s == nil {
		return // closed earlier in this batch
	}
	if !e.armed.Load() {
		e.Wake()
	}
	e.ready(t, s, readable, writable)
}

// turn is called for the gate's event.
func (e *netpoll) turn() {
	if !e.started {
		e.started = true
		close(e.entered)
		<-e.begin
	}
	if e.over {
		return
	}
	e.armed.Swap(false) // before Turn, so that a Wake from now on makes another one
	if e.stopped.Load() {
		e.finish()
		return
	}
	wait := e.handler.Turn()
	switch {
	case e.stopped.Load():
		e.finish()
	case wait == 0:
		e.Wake()
	case wait > 0:
		e.sleep(wait)
		e.yield()
	default:
		e.yield()
	}
}

// sleep sets the timer, as the library's wait has no timeout. A timer that is set to
// an earlier time is left alone: a turn too many costs less than setting it each turn.
func (e *netpoll) sleep(wait time.Duration) {
	now := time.Now()
	if due := now.Add(wait); e.timer == nil {
		e.timer, e.due = time.AfterFunc(wait, e.Wake), due
	} else if !e.due.After(now) || due.Before(e.due) {
		e.timer.Reset(wait)
		e.due = due
	}
}

func (e *netpoll) Wake() {
	if e.armed.Swap(true) {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.gone {
		e.backend.rearmGate(e.gate[0])
	}
}

func (e *netpoll) Stop() {
	e.stopped.Store(true)
	e.Wake()
}

// finish ends the callbacks.
func (e *netpoll) finish() {
	e.closeAll()
	if e.timer != nil {
		e.timer.Stop()
	}
	close(e.ended)
}

// fail is called by the library when its goroutine ends because waiting failed.
func (e *netpoll) fail(err error) {
	if !e.over {
		e.failure = os.NewSyscallError("wait", err)
		e.finish()
	}
}
