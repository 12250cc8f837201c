package memtls

import (
	"fmt"
	"io"
	"net"
	"time"
)

// wire is the net.Conn that crypto/tls reads from and writes to. While there is
// a handshake it is shared, under the lock of that: its goroutine reads and
// writes, the loop feeds and takes. From then on it is the loop's alone.
type wire struct {
	handshake *handshake // nil when the loop has seen it succeed
	socket    net.Conn   // since HandOver: what everything goes to

	at  records // where in begins
	in  []byte  // received, not yet read
	out []byte  // written, not yet taken
	eof bool    // nothing comes after in
}

// errMore is what a wire returns after the handshake when it has no bytes.
// crypto/tls keeps every error of a read but a temporary one.
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
	if h := w.handshake; h != nil {
		return h.read(w, p)
	}
	if w.socket != nil && len(w.in) == 0 {
		return w.socket.Read(p)
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
	n := copy(p, w.in[:w.at.portion(w.in, len(p))])
	w.at.pass(w.in[:n])
	w.in = w.in[n:]
	if len(w.in) == 0 {
		w.in = nil
	}
	return n, nil
}

// Write appends to what the loop takes by Output, or has just given to Seal.
func (w *wire) Write(p []byte) (int, error) {
	if h := w.handshake; h != nil {
		return h.write(w, p)
	}
	if w.socket != nil {
		return w.socket.Write(p)
	}
	w.out = append(w.out, p...)
	return len(p), nil
}

// end tells that nothing comes after what was fed.
func (w *wire) end() {
	h := w.handshake
	if h == nil {
		w.eof = true
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	w.eof = true
	h.fed.Signal()
}

// Close is called by crypto/tls when the context of the handshake ends, on a
// goroutine of the context's.
func (w *wire) Close() error {
	if h := w.handshake; h != nil {
		h.close(w, nil)
		return nil
	}
	return w.over().Close()
}

// over is the socket, or stands for it: nothing in memory can block for want of a
// deadline, and the loop keeps the time.
func (w *wire) over() net.Conn {
	if w.socket == nil {
		return nowhere{}
	}
	return w.socket
}

func (w *wire) SetDeadline(t time.Time) error      { return w.over().SetDeadline(t) }
func (w *wire) SetReadDeadline(t time.Time) error  { return w.over().SetReadDeadline(t) }
func (w *wire) SetWriteDeadline(t time.Time) error { return w.over().SetWriteDeadline(t) }
func (w *wire) LocalAddr() net.Addr                { return w.over().LocalAddr() }
func (w *wire) RemoteAddr() net.Addr               { return w.over().RemoteAddr() }

// nowhere is the net.Conn of who has none.
type nowhere struct{}

func (nowhere) Read([]byte) (int, error)         { return 0, net.ErrClosed }
func (nowhere) Write([]byte) (int, error)        { return 0, net.ErrClosed }
func (nowhere) Close() error                     { return nil }
func (nowhere) SetDeadline(time.Time) error      { return nil }
func (nowhere) SetReadDeadline(time.Time) error  { return nil }
func (nowhere) SetWriteDeadline(time.Time) error { return nil }
func (nowhere) LocalAddr() net.Addr              { return addr{} }
func (nowhere) RemoteAddr() net.Addr             { return addr{} }

// addr is empty, not a name: crypto/tls files the sessions of a client without
// a ServerName under the peer's address, and keeps none for an empty one.
type addr struct{}

func (addr) Network() string { return "memory" }
func (addr) String() string  { return "" }
