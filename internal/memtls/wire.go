package memtls

import (
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// wire is the net.Conn that crypto/tls reads from and writes to. Until it is
// settled it is shared: the handshake's goroutine reads and writes, the loop
// feeds and takes. From then on it is the loop's alone.
type wire struct {
	notify func() // fixed; called by the handshake's goroutine without mu

	// settled is set by the loop when it has seen the handshake succeed. The
	// handshake's goroutine reads it only before that.
	settled bool

	mu     sync.Mutex // protects what follows until settled
	fed    sync.Cond  // Read waits on it: bytes, eof or closed
	in     []byte     // received, not yet read
	out    []byte     // written, not yet taken
	eof    bool       // nothing comes after in
	closed bool       // reads and writes fail
	cause  error      // why it was closed; nil if by the context of the handshake
	done   bool       // the handshake's goroutine is past its last use of the wire
	result error      // of the handshake, once done
}

// errMore is what a settled wire returns when it has no bytes. crypto/tls
// keeps every error of a read but a temporary one.
var errMore net.Error = moreError{}

type moreError struct{}

func (moreError) Error() string   { return "more ciphertext is needed" }
func (moreError) Timeout() bool   { return false }
func (moreError) Temporary() bool { return true }

// errTruncated is not io.ErrUnexpectedEOF itself: crypto/tls would turn that
// into io.EOF between two records, where a cut off stream and one that was
// closed in order could not be told apart.
var errTruncated = fmt.Errorf("the peer ended the connection without closing TLS: %w", io.ErrUnexpectedEOF)

// Read waits for bytes during the handshake, and returns errMore after it.
func (w *wire) Read(p []byte) (int, error) {
	if w.settled {
		return w.take(p)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.in) == 0 && !w.eof && !w.closed {
		w.fed.Wait()
	}
	if w.closed {
		return 0, net.ErrClosed
	}
	return w.take(p)
}

// take reads without waiting. An empty buffer is let go.
func (w *wire) take(p []byte) (int, error) {
	if len(w.in) == 0 {
		if w.eof {
			return 0, errTruncated
		}
		return 0, errMore
	}
	n := copy(p, w.in)
	w.in = w.in[n:]
	if len(w.in) == 0 {
		w.in = nil
	}
	return n, nil
}

// Write appends to what the loop takes by Output, or has just given to Seal.
func (w *wire) Write(p []byte) (int, error) {
	if w.settled {
		w.out = append(w.out, p...)
		return len(p), nil
	}
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return 0, net.ErrClosed
	}
	w.out = append(w.out, p...)
	w.mu.Unlock()
	w.notify()
	return len(p), nil
}

// feed copies bytes for the handshake's goroutine. Past maxUnread it closes
// the wire and fails.
func (w *wire) feed(p []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return w.cause // or nil: the handshake's result is to come, and says more
	}
	if len(w.in)+len(p) > maxUnread {
		w.closeLocked(ErrFlood)
		return ErrFlood
	}
	w.in = append(w.in, p...)
	w.fed.Signal()
	return nil
}

// end tells that nothing comes after what was fed.
func (w *wire) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.eof = true
	w.fed.Signal()
}

// finish records how the handshake ended. Why the loop ended it goes before
// what crypto/tls made of that.
func (w *wire) finish(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cause != nil {
		err = w.cause
	}
	w.done, w.result = true, err
}

// Close is called by crypto/tls when the context of the handshake ends, on a
// goroutine of the context's.
func (w *wire) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closeLocked(nil)
	return nil
}

// closeLocked wakes and fails who reads. What is to be sent stays.
func (w *wire) closeLocked(cause error) {
	if w.cause == nil {
		w.cause = cause
	}
	w.closed, w.in = true, nil
	w.fed.Signal()
}

// The rest of net.Conn. Nothing here can block for want of a deadline: the
// loop keeps the time.

func (w *wire) SetDeadline(time.Time) error      { return nil }
func (w *wire) SetReadDeadline(time.Time) error  { return nil }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }
func (w *wire) LocalAddr() net.Addr              { return addr{} }
func (w *wire) RemoteAddr() net.Addr             { return addr{} }

// addr is empty, not a name: crypto/tls files the sessions of a client without
// a ServerName under the peer's address, and keeps none for an empty one.
type addr struct{}

func (addr) Network() string { return "memory" }
func (addr) String() string  { return "" }
