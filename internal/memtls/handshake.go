package memtls

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"sync"
)

// MaxHandshake is how many bytes of the peer's a handshake needs at most: its longest
// message, but for chains of certificates that nobody has, is 64 KiB. Who has read more
// should read no further until the handshake is done: what follows is not for it.
const MaxHandshake = 64 << 10

// maxFed is how many bytes a handshake takes: one large read past MaxHandshake.
const maxFed = MaxHandshake + 256<<10

// handshake is what a connection has only until it has shaken hands. The
// goroutine of the handshake and the loop share it, and the wire with it.
type handshake struct {
	// Fixed once the goroutine runs.
	notify func() // called without mu
	config *tls.Config
	server bool
	cancel context.CancelFunc // nil before Start
	ctx    context.Context
	slots  chan struct{} // a place in it is the right to compute; nil: everybody may

	holds bool // a place in slots; the goroutine's own

	mu     sync.Mutex // protects what follows, and the wire until done
	fed    sync.Cond  // Read waits on it: bytes, eof or closed
	total  int        // bytes that were fed
	unsaid bool       // something was written and notify not called since
	closed bool       // reads and writes fail
	cause  error      // why it was closed; nil if by the context of the handshake
	done   bool       // the goroutine is past its last use of the wire
	result error      // once done
}

// run is the goroutine of the handshake. left is called when it is over, before
// the loop is told; it may be nil.
func (c *Conn) run(left func()) {
	h := c.wire.handshake
	err := errGoexit
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
		h.rest()
		h.finish(err)
		h.cancel() // or the parent context would keep this one
		if left != nil {
			left()
		}
		h.notify()
	}()
	if err = h.compute(); err != nil {
		return
	}
	side := tls.Client
	if h.server {
		side = tls.Server
	}
	err = errGoexit
	c.tls = side(&c.wire, h.config)
	err = c.tls.HandshakeContext(h.ctx)
}

// PanicError is the error of a handshake in which a function of the tls.Config panicked.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("a function of the TLS settings panicked: %v", e.Value)
}

var errGoexit = errors.New("a function of the TLS settings ended the handshake's goroutine")

// compute waits for the right to compute. The error is that the handshake was
// ended first.
func (h *handshake) compute() error {
	if h.slots == nil || h.holds {
		return nil
	}
	if h.ctx.Err() != nil {
		return net.ErrClosed // both may be ready below
	}
	select {
	case h.slots <- struct{}{}:
		h.holds = true
		return nil
	case <-h.ctx.Done():
		return net.ErrClosed // finish knows better why
	}
}

// rest gives the right to compute to somebody else. It does not block.
func (h *handshake) rest() {
	if h.holds {
		h.holds = false
		<-h.slots
	}
}

// finish records how the handshake ended. Why the loop or the context ended it
// goes before what crypto/tls made of that.
func (h *handshake) finish(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil && h.ctx.Err() != nil {
		err = context.Cause(h.ctx)
	}
	if h.cause != nil {
		err = h.cause
	}
	h.done, h.result = true, err
}

// close ends the handshake: who reads wakes and fails.
func (h *handshake) close(w *wire, cause error) {
	h.mu.Lock()
	h.closeLocked(w, cause)
	h.mu.Unlock()
	if h.cancel != nil {
		h.cancel()
	}
}

func (h *handshake) closeLocked(w *wire, cause error) {
	if h.cause == nil {
		h.cause = cause
	}
	h.closed, w.in = true, nil // what is to be sent stays
	h.fed.Signal()
}

// feed copies bytes for the goroutine. Past maxFed it ends the handshake and
// fails.
func (h *handshake) feed(w *wire, p []byte) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return h.cause // or nil: the result is to come, and says more
	}
	first := h.total == 0
	if h.total += len(p); h.total > maxFed {
		h.closeLocked(w, ErrFlood)
		return ErrFlood
	}
	if h.server && first {
		if n, _ := Hello(p); n > 0 {
			w.in, p = appendHello(w.in, p[:n]), p[n:]
		}
	}
	w.in = append(w.in, p...)
	h.fed.Signal()
	return nil
}

// read waits for bytes. Meanwhile somebody else may compute. Before it waits the loop is
// told of what was written, and no earlier: an alert is the last thing that a handshake writes,
// and the loop must not hear of it before it can hear what it is for.
func (h *handshake) read(w *wire, p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(w.in) == 0 && !w.eof && !h.closed {
		h.rest()
		if !h.unsaid {
			h.fed.Wait()
			continue
		}
		h.unsaid = false
		h.mu.Unlock()
		h.notify()
		h.mu.Lock()
	}
	h.mu.Unlock()
	err := h.compute()
	h.mu.Lock()
	if err != nil || h.closed {
		return 0, net.ErrClosed
	}
	return w.take(p)
}

// write keeps bytes until the loop takes them.
func (h *handshake) write(w *wire, p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return 0, net.ErrClosed
	}
	w.out = append(w.out, p...)
	h.unsaid = true
	return len(p), nil
}
