package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/wsproto"
)

const (
	// largestKept is the size in bytes of the largest output buffer that a connection keeps for its next message.
	largestKept = 64 << 10
	// writeAtOnce is how many bytes the transport is given at once, so that a server that takes something is told from one that
	// takes nothing.
	writeAtOnce = 64 << 10
)

var (
	errOp   = errors.New("client: Write sends ws.OpText and ws.OpBinary: for the others there are Ping and Close")
	errUTF8 = errors.New("client: a text message must be UTF-8: send it as ws.OpBinary")
)

// Write sends a message, ws.OpText or ws.OpBinary, in one frame. It blocks while the transport takes no more, but for a server that
// takes nothing at all see Config.PingAfter. payload is not changed, and not kept. That Write returned nil does not mean that the
// server has the message.
//
// A context that ends while the message is being sent closes the connection. An error that does not unwrap to net.ErrClosed leaves
// it as it was: the context ended before, or the message may not be sent.
func (c *Conn) Write(ctx context.Context, op ws.OpCode, payload []byte) error {
	switch {
	case op != ws.OpText && op != ws.OpBinary:
		return errOp
	case op == ws.OpText && !utf8.Valid(payload):
		return errUTF8
	}
	if err := c.lock(ctx); err != nil {
		return err
	}
	defer c.watch(ctx)()
	defer c.unlock()
	return c.frame(op, payload)
}

// compressFrom is how many bytes a message must have to be compressed.
const compressFrom = 128

// deflater is shared by all connections: it remembers nothing of them.
var deflater wsproto.Deflater

// frame sends one message or control frame. The caller is the writer.
func (c *Conn) frame(op ws.OpCode, payload []byte) error {
	var mask [4]byte
	rand.Read(mask[:]) // from a strong source (RFC 6455, section 5.3)
	if c.deflate > 0 && len(payload) >= compressFrom {
		c.out = deflater.AppendMaskedFrame(c.out[:0], op, payload, mask, c.deflate, c.sent)
	} else {
		c.out = wsproto.AppendMaskedFrame(c.out[:0], op, payload, mask)
	}
	err := c.write(c.out)
	if cap(c.out) > largestKept {
		c.out = nil
	}
	return err
}

func (c *Conn) write(b []byte) error {
	for len(b) > 0 {
		if c.pingAfter > 0 {
			c.conn.SetWriteDeadline(time.Now().Add(c.pingAfter + c.pingGrace))
		}
		n, err := c.conn.Write(b[:min(len(b), writeAtOnce)])
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = ErrSilent
		}
		if err != nil {
			return c.end(err)
		}
		b = b[n:]
	}
	return nil
}

// lock makes the caller the writer.
func (c *Conn) lock(ctx context.Context) error {
	if ctx.Err() != nil {
		return notSent(ctx)
	}
	select {
	case c.writing <- struct{}{}:
	case <-c.gone:
		return c.err()
	case <-ctx.Done():
		return notSent(ctx)
	}
	err := c.err()
	if err == nil && c.closeSent {
		err = &goneError{errLocal} // not gone yet, but for those who write it is
	}
	if err != nil {
		<-c.writing
	}
	return err
}

// unlock sends what became urgent meanwhile, and lets the next one write.
func (c *Conn) unlock() {
	for {
		c.flushUrgent()
		<-c.writing
		if !c.isUrgent() || !c.tryLock() {
			return
		}
	}
}

// tryLock makes the caller the writer if nobody else is; who is then flushes what is urgent.
func (c *Conn) tryLock() bool {
	select {
	case c.writing <- struct{}{}:
		return true
	default:
		return false
	}
}

// sendClose sends the Close frame of Close.
func (c *Conn) sendClose(ctx context.Context, code ws.StatusCode, reason string) error {
	if err := c.lock(ctx); err != nil {
		return err
	}
	defer c.unlock()
	c.closeSent = true
	return c.frame(ws.OpClose, wsproto.AppendCloseBody(nil, code, reason))
}

// sayClose sends a Close frame on a connection that is gone for everybody else, unless there was one.
func (c *Conn) sayClose(ctx context.Context, code ws.StatusCode, reason string) error {
	select {
	case c.writing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-c.writing }()
	if c.closeSent {
		return nil
	}
	c.closeSent = true
	return c.frame(ws.OpClose, wsproto.AppendCloseBody(nil, code, reason))
}

func notSent(ctx context.Context) error {
	return fmt.Errorf("client: nothing was sent: %w", contextError(ctx))
}
