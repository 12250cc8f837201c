package memtls

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
)

// minRead is the room that Feed makes for plaintext when there is none.
const minRead = 512

var (
	// ErrFlood is the error of a peer that sent more than MaxHandshake and 256
	// KiB during the handshake.
	ErrFlood = errors.New("the peer sent too much during the TLS handshake")

	// ErrHandshaking is the error of sending before the handshake is done.
	ErrHandshaking = errors.New("the TLS handshake is not done")

	// ErrRenegotiation is the error of a client's config that allows
	// renegotiation: a second handshake would block the loop.
	ErrRenegotiation = errors.New("TLS renegotiation is not supported")
)

// Conn is one side of a TLS connection. Its methods belong to one goroutine,
// and none of them blocks.
//
// What a server's side keeps when nothing goes on (BenchmarkIdleServer, Go 1.26;
// TLS 1.3 with a ClientHello of 1,500 bytes): 5.2 KiB with AES-GCM, 3.5 KiB with
// ChaCha20; in TLS 1.2 4.1 and 2.4. Of the 5,234 bytes are 1,792 the two keys of
// AES-GCM with their tables, 1,536 the buffer in which crypto/tls gathered the
// ClientHello, 912 the tls.Conn, 576 the buffer for records, 300 secrets, names
// and the like, 112 the Conn. Both buffers never shrink. That for records grows
// with the longest record received, to 18 KiB at most; that for messages to 64
// KiB, if a peer sends one so long. Client certificates come on top.
//
// Memory was 7,153 bytes before what is handed to crypto/tls was cut at records
// (see records.portion) and the ClientHello into small ones (see appendHello).
type Conn struct {
	wire   wire
	tls    *tls.Conn // the handshake's goroutine makes it
	ended  error     // what Feed returns from now on, or nil
	closed bool      // by Close
	fresh  bool      // Feed has not yet read what crypto/tls had before the loop had it
	barren uint8     // Feeds since the last plaintext that ended between records; maxBarren+1 is more
}

// maxBarren is how many records in a row crypto/tls takes that bring nothing.
const maxBarren = 16

// Client makes the client's side of a connection. The config is not copied and
// must not be changed; it needs a ServerName, or InsecureSkipVerify (and no
// session is resumed without a ServerName). The error is ErrRenegotiation.
//
// notify is called on the handshake's goroutine, each time it waits for the peer
// with something for Output, and when the handshake is over: an alert comes
// with that. It must not block and must not
// call methods of the Conn, but post to the loop. It may still be called after
// Close.
func Client(config *tls.Config, notify func()) (*Conn, error) {
	if config.Renegotiation != tls.RenegotiateNever {
		return nil, ErrRenegotiation
	}
	return newConn(&handshake{config: config, notify: notify}), nil
}

// Server makes the server's side of a connection. The config is not copied and
// must not be changed; it needs a certificate, or a way to get one. notify is
// as for Client.
func Server(config *tls.Config, notify func()) *Conn {
	return newConn(&handshake{config: config, notify: notify, server: true})
}

func newConn(h *handshake) *Conn {
	h.fed.L = &h.mu
	return &Conn{wire: wire{handshake: h}, fresh: true}
}

// Start starts the handshake, without any of the bounds of a Crew; call it
// once. When ctx ends before the handshake does, the handshake fails with the
// cause of that.
func (c *Conn) Start(ctx context.Context) {
	h := c.wire.handshake
	h.ctx, h.cancel = context.WithCancel(ctx)
	go c.run(nil)
}

// Handshaken tells whether the handshake is over, and its error if it failed;
// what Output still has then is an alert for the peer. Errors are those of
// crypto/tls (such as *tls.CertificateVerificationError and
// tls.RecordHeaderError), ErrFlood, the cause of the context's end, ErrSlow,
// net.ErrClosed if Close came before the end, and io.ErrUnexpectedEOF (wrapped)
// if the stream ended.
func (c *Conn) Handshaken() (done bool, err error) {
	h := c.wire.handshake
	if h == nil {
		return true, nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.done && h.result == nil {
		c.wire.handshake = nil // its goroutine does not look at the wire any more
	}
	return h.done, h.result
}

// Feed takes ciphertext that came from the peer, all of it, and appends the
// plaintext that it completes to dst. During the handshake there is no
// plaintext: the bytes are copied, and the first Feed after it gives what came
// behind the handshake. Ciphertext is not kept.
//
// The plaintext is longer than the ciphertext by about a record at most, 16
// KiB, and the first time also by the 320 KiB that the handshake may have left.
// It is valid also with an error. Errors are final: io.EOF when
// the peer closed TLS in order (Seal still works), io.ErrUnexpectedEOF
// (wrapped) when the stream ended without that, ErrFlood, net.ErrClosed after
// Close, that of the handshake, and those of crypto/tls, for which Output has
// an alert. What is wrong with a record that is not whole may be found only by
// the next Feed.
func (c *Conn) Feed(dst, ciphertext []byte) (plaintext []byte, err error) {
	if c.ended != nil {
		return dst, c.ended
	}
	done, err := c.Handshaken()
	if err == nil && !done {
		err = c.wire.handshake.feed(&c.wire, ciphertext)
	}
	if err == nil && done {
		before := len(dst)
		dst, err = c.open(dst, ciphertext)
		c.judge(len(ciphertext), len(dst)-before)
	}
	c.ended = err
	return dst, err
}

// judge counts Feeds that brought no plaintext.
func (c *Conn) judge(ciphertext, plaintext int) {
	switch {
	case plaintext > 0:
		c.barren = 0
	case ciphertext > 0 && c.wire.at.have == 0:
		c.barren = min(c.barren+1, maxBarren+1)
	}
}

// open decrypts what was left by the handshake, then ciphertext.
func (c *Conn) open(dst, ciphertext []byte) ([]byte, error) {
	if c.fresh {
		var err error
		if dst, err = c.drain(dst); err != nil {
			return dst, err
		}
		c.fresh = false
		if len(ciphertext) == 0 {
			return dst, nil
		}
	}
	c.wire.in = ciphertext
	return c.drain(dst)
}

// drain decrypts until crypto/tls has no more. It would say so, but each time
// that it asks the wire it allocates; so it is not asked when the last whole
// record went to it alone, and gave plaintext that it has no rest of.
func (c *Conn) drain(dst []byte) ([]byte, error) {
	for {
		if len(dst) == cap(dst) {
			dst = slices.Grow(dst, max(minRead, len(c.wire.in)))
		}
		room := cap(dst) - len(dst)
		n, err := c.tls.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		switch {
		case err == errMore:
			return dst, nil
		case err != nil: // also together with bytes
			c.wire.in = nil
			return dst, err
		case n < room && len(c.wire.in) == 0 && !c.fresh:
			return dst, nil
		}
	}
}

// Partial tells, after the handshake, whether the last Feed ended within a
// record; or within a message of the handshake, for all one can know: since the
// last plaintext more than 16 Feeds have ended between records, and crypto/tls
// takes no more key updates in a row. It keeps up to 18 KiB of the one and 64 KiB
// of the other, for as long as it takes, so that a deadline is the caller's.
func (c *Conn) Partial() bool { return c.wire.at.have > 0 || c.barren > maxBarren }

// FeedEOF tells that the socket's stream ended. During the handshake that
// fails it; after it, the next Feed(dst, nil) returns how the stream ended.
func (c *Conn) FeedEOF() { c.wire.end() }

// CloseNotify appends to dst what Output would, and the alert that closes TLS
// in order. It appends the alert once, and only after a handshake.
func (c *Conn) CloseNotify(dst []byte) []byte {
	if done, err := c.Handshaken(); !done || err != nil || c.closed {
		return c.Output(dst)
	}
	c.wire.out = c.Output(dst)
	_ = c.tls.CloseWrite() // fails only if the wire does, which takes everything
	dst, c.wire.out = c.wire.out, nil
	return dst
}

// Output appends to dst the ciphertext that is to be sent, and forgets it.
// After the handshake that is what reading caused: an alert, or the answers to
// at most 17 key updates, of less than 64 bytes each.
func (c *Conn) Output(dst []byte) []byte {
	if h := c.wire.handshake; h != nil {
		h.mu.Lock()
		defer h.mu.Unlock()
	}
	dst = append(dst, c.wire.out...)
	c.wire.out = nil
	return dst
}

// State tells what was agreed on. It is zero until the handshake succeeded.
// Look at it and let it go: it holds the keys' exporter and the peer's
// certificates.
func (c *Conn) State() tls.ConnectionState {
	if done, err := c.Handshaken(); !done || err != nil {
		return tls.ConnectionState{} // that of crypto/tls waits for the handshake
	}
	return c.tls.ConnectionState()
}

// Close ends a handshake that is in progress; its goroutine goes away without
// anything more from the peer. It sends nothing: see CloseNotify. What is to
// be sent can still be taken by Output.
func (c *Conn) Close() {
	c.closed, c.ended = true, net.ErrClosed
	if h := c.wire.handshake; h != nil {
		h.close(&c.wire, net.ErrClosed)
	}
}
