package memtls

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
)

// maxUnread is how many bytes may wait for the handshake's goroutine. The
// longest message of a handshake, but for chains of certificates that nobody
// has, is 64 KiB; and the goroutine reads all the time.
const maxUnread = 64 << 10

// minRead is the room that Feed makes for plaintext when there is none.
const minRead = 512

var (
	// ErrFlood is the error of a peer that sent more than 64 KiB during the
	// handshake, faster than they were read. A client that sends that much
	// right behind its last message of the handshake is a flood too; one that
	// wants a WebSocket first waits for the answer to its upgrade.
	ErrFlood = errors.New("the peer sent too much during the TLS handshake")

	// ErrHandshaking is the error of sending before the handshake is done.
	ErrHandshaking = errors.New("the TLS handshake is not done")

	// ErrRenegotiation is the error of a client's config that allows
	// renegotiation: a second handshake would block the loop.
	ErrRenegotiation = errors.New("TLS renegotiation is not supported")
)

// Conn is one side of a TLS connection. Its methods belong to one goroutine,
// and none of them blocks.
type Conn struct {
	wire   wire
	tls    *tls.Conn
	cancel context.CancelFunc // of the handshake; nil before Start
	ended  error              // what Feed returns from now on, or nil
	closed bool               // by Close
}

// Client makes the client's side of a connection. The config is not copied and
// must not be changed; it needs a ServerName, or InsecureSkipVerify (and no
// session is resumed without a ServerName). The error is ErrRenegotiation.
//
// notify is called on the handshake's goroutine, each time there is something
// for Output, and when the handshake is over. It must not block and must not
// call methods of the Conn, but post to the loop. It may still be called after
// Close.
func Client(config *tls.Config, notify func()) (*Conn, error) {
	if config.Renegotiation != tls.RenegotiateNever {
		return nil, ErrRenegotiation
	}
	c := newConn(notify)
	c.tls = tls.Client(&c.wire, config)
	return c, nil
}

// Server makes the server's side of a connection. The config is not copied and
// must not be changed; it needs a certificate, or a way to get one. notify is
// as for Client.
func Server(config *tls.Config, notify func()) *Conn {
	c := newConn(notify)
	c.tls = tls.Server(&c.wire, config)
	return c
}

func newConn(notify func()) *Conn {
	c := &Conn{wire: wire{notify: notify}}
	c.wire.fed.L = &c.wire.mu
	return c
}

// Start starts the handshake; call it once. When ctx ends before the handshake
// does, the handshake fails with the context's error.
func (c *Conn) Start(ctx context.Context) {
	ctx, c.cancel = context.WithCancel(ctx)
	go c.handshake(ctx)
}

// handshake is the goroutine of the handshake.
func (c *Conn) handshake(ctx context.Context) {
	defer c.cancel() // or the parent context would keep this one
	c.wire.finish(c.tls.HandshakeContext(ctx))
	c.wire.notify()
}

// Handshaken tells whether the handshake is over, and its error if it failed;
// what Output still has then is an alert for the peer. Errors are those of
// crypto/tls (such as *tls.CertificateVerificationError and
// tls.RecordHeaderError), ErrFlood, the context's, net.ErrClosed if Close came
// before the end, and io.ErrUnexpectedEOF (wrapped) if the stream ended.
func (c *Conn) Handshaken() (done bool, err error) {
	w := &c.wire
	if w.settled {
		return true, nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.done && w.result == nil {
		w.settled = true // written only now: until done, the other goroutine reads it without the lock
	}
	return w.done, w.result
}

// Feed takes ciphertext that came from the peer, all of it, and appends the
// plaintext that it completes to dst. During the handshake there is no
// plaintext: the bytes are copied, and the first Feed after it gives what came
// behind the handshake. Ciphertext is not kept.
//
// The plaintext is longer than the ciphertext by about a record at most, 16
// KiB, and the first time also by the 64 KiB that the handshake may have left.
// It is valid also with an error. Errors are final: io.EOF when
// the peer closed TLS in order (Seal still works), io.ErrUnexpectedEOF
// (wrapped) when the stream ended without that, ErrFlood, net.ErrClosed after
// Close, that of the handshake, and those of crypto/tls, for which Output has
// an alert.
func (c *Conn) Feed(dst, ciphertext []byte) (plaintext []byte, err error) {
	if c.ended != nil {
		return dst, c.ended
	}
	done, err := c.Handshaken()
	if err == nil && !done {
		err = c.wire.feed(ciphertext)
	}
	if err == nil && done {
		dst, err = c.open(dst, ciphertext)
	}
	c.ended = err
	return dst, err
}

// open decrypts what was left by the handshake, then ciphertext.
func (c *Conn) open(dst, ciphertext []byte) ([]byte, error) {
	if len(c.wire.in) > 0 {
		var err error
		if dst, err = c.drain(dst); err != nil {
			return dst, err
		}
	}
	c.wire.in = ciphertext
	return c.drain(dst)
}

// drain decrypts until the wire has no more bytes.
func (c *Conn) drain(dst []byte) ([]byte, error) {
	for {
		if len(dst) == cap(dst) {
			dst = slices.Grow(dst, max(minRead, len(c.wire.in)))
		}
		n, err := c.tls.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		switch {
		case n > 0: // an error that came with bytes comes again without
		case err == errMore:
			return dst, nil
		case err != nil:
			c.wire.in = nil
			return dst, err
		}
	}
}

// FeedEOF tells that the socket's stream ended. During the handshake that
// fails it; after it, the next Feed(dst, nil) returns how the stream ended.
func (c *Conn) FeedEOF() { c.wire.end() }

// Seal appends to dst what Output would, and then plaintext, encrypted. Errors
// are ErrHandshaking, net.ErrClosed after Close, and those of crypto/tls, such
// as after CloseNotify; with an error nothing of plaintext is sent.
func (c *Conn) Seal(dst, plaintext []byte) ([]byte, error) {
	if c.closed {
		return dst, net.ErrClosed
	}
	if done, err := c.Handshaken(); err != nil {
		return dst, err
	} else if !done {
		return dst, ErrHandshaking
	}
	return c.write(dst, func() error {
		_, err := c.tls.Write(plaintext)
		return err
	})
}

// CloseNotify appends to dst what Output would, and the alert that closes TLS
// in order. It appends the alert once, and only after a handshake.
func (c *Conn) CloseNotify(dst []byte) []byte {
	if done, err := c.Handshaken(); !done || err != nil || c.closed {
		return c.Output(dst)
	}
	dst, _ = c.write(dst, c.tls.CloseWrite) // fails only if the wire does, which takes everything
	return dst
}

// write lets crypto/tls append to dst instead of to a buffer of the wire's.
func (c *Conn) write(dst []byte, write func() error) ([]byte, error) {
	c.wire.out = c.Output(dst)
	err := write()
	dst, c.wire.out = c.wire.out, nil
	return dst, err
}

// Output appends to dst the ciphertext that is to be sent, and forgets it.
func (c *Conn) Output(dst []byte) []byte {
	if !c.wire.settled {
		c.wire.mu.Lock()
		defer c.wire.mu.Unlock()
	}
	dst = append(dst, c.wire.out...)
	c.wire.out = nil
	return dst
}

// State tells what was agreed on. It is zero until the handshake succeeded.
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
	c.wire.mu.Lock()
	c.wire.closeLocked(net.ErrClosed)
	c.wire.mu.Unlock()
	if c.cancel != nil {
		c.cancel()
	}
}
