package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/wsproto"
)

// readBuffer is the size in bytes of the buffer that a connection reads into. Longer messages are gathered.
const readBuffer = 16 << 10

// Read returns the next message: ws.OpText, whose payload is valid UTF-8, or ws.OpBinary. The payload is the caller's. Pings are
// answered, and the heartbeat runs, while it waits.
//
// A context that ends meanwhile closes the connection. So does all else that makes Read fail: an error other than for a context that
// had ended before, or for a second reader, is for good. A server that breaks the protocol is sent the code that says so first.
func (c *Conn) Read(ctx context.Context) (op ws.OpCode, payload []byte, err error) {
	if ctx.Err() != nil {
		return 0, nil, fmt.Errorf("client: nothing was read: %w", contextError(ctx))
	}
	if err := c.beginRead(ctx); err != nil {
		return 0, nil, err
	}
	defer func() { <-c.reading }()
	defer c.watch(ctx)()
	c.heard() // silence is what a Read waits for, not what is between two
	for {
		m, err := c.next()
		if err != nil {
			return 0, nil, err
		}
		if c.closing.Load() {
			continue
		}
		if m.Buffer == nil {
			m.Payload = slices.Clone(m.Payload) // it lies in c.buf
		}
		return m.Op, m.Payload, nil
	}
}

// beginRead makes the caller the reader.
func (c *Conn) beginRead(ctx context.Context) error {
	select {
	case c.reading <- struct{}{}:
		if err := c.err(); err != nil {
			<-c.reading
			return err
		}
		return nil
	default:
	}
	if !c.closing.Load() {
		return errTwoReaders
	}
	select { // Close reads
	case <-c.gone:
		return c.err()
	case <-ctx.Done():
		return fmt.Errorf("client: nothing was read: %w", contextError(ctx))
	}
}

// next returns the next data message, and does on the way what control frames ask for. After an error the connection is gone and the socket closed.
func (c *Conn) next() (wsproto.Message, error) {
	for {
		m, n, err := c.codec.Next(&c.decoder, c.unread)
		if err != nil {
			return m, c.broken(err)
		}
		c.unread = c.unread[n:]
		if m, err = c.codec.Inflate(m, c.received); err != nil {
			return m, c.broken(err)
		}
		switch m.Op {
		case ws.OpText, ws.OpBinary:
			return m, nil
		case ws.OpPing:
			c.pong(m.Payload)
		case ws.OpPong:
			c.ponged(m.Payload)
		case ws.OpClose:
			return m, c.closed(m.Payload)
		default:
			if err := c.fill(); err != nil {
				return m, err
			}
		}
	}
}

// fill reads from the transport.
func (c *Conn) fill() error {
	if c.buf == nil {
		c.buf = make([]byte, readBuffer)
	}
	for {
		if c.pingAfter > 0 {
			c.conn.SetReadDeadline(c.silentAt)
		}
		n, err := c.conn.Read(c.buf)
		switch {
		case n > 0:
			c.unread = c.buf[:n]
			c.heard()
			return nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			err = c.silent()
		case errors.Is(err, io.EOF):
			err = fmt.Errorf("the server ended the stream without a Close frame: %w", io.ErrUnexpectedEOF)
		}
		if err != nil {
			c.decoder.Release()
			return c.end(err)
		}
	}
}

// heard begins the wait for the heartbeat's ping anew.
func (c *Conn) heard() {
	if c.pingAfter > 0 {
		c.silentAt, c.pinged = time.Now().Add(c.pingAfter), false
	}
}

// silent is called when nothing came until silentAt.
func (c *Conn) silent() error {
	now := time.Now()
	if !c.pinged {
		c.pinged = true
		c.beat()
		c.silentAt = now.Add(c.pingGrace)
		return nil
	}
	// A ping that waits behind a message on a slow line is not yet unanswered: that the server takes something is the writer's to watch.
	sent := c.beaten()
	if sent.IsZero() {
		sent = now
	}
	if c.silentAt = sent.Add(c.pingGrace); c.silentAt.After(now) {
		return nil
	}
	return ErrSilent
}

// broken tells the server how it broke the protocol, and ends the connection (RFC 6455, section 7.1.7).
func (c *Conn) broken(err error) error {
	var violation *wsproto.ProtocolError
	errors.As(err, &violation)
	gone := c.fail(err)
	c.finish(violation.Code, violation.Text)
	return gone
}

// closed does what the server's Close frame asks for: an answer with its code, unless the frame is the answer to ours.
func (c *Conn) closed(payload []byte) error {
	code, reason := wsproto.ParseClose(payload)
	var gone error
	if c.closing.Load() {
		gone = c.fail(errLocal)
	} else {
		gone = c.fail(&CloseError{code, reason})
	}
	c.finish(code, "")
	return gone
}

// finish sends a Close frame, unless one was sent, waits for the end of the stream and closes the transport.
func (c *Conn) finish(code ws.StatusCode, text string) {
	ctx, cancel := context.WithTimeout(context.Background(), linger)
	defer cancel()
	defer context.AfterFunc(ctx, c.abort)()
	c.decoder.Release()
	if c.sayClose(ctx, code, text) == nil {
		c.conn.SetReadDeadline(time.Time{}) // ctx bounds it
		io.Copy(io.Discard, c.conn)
	}
	c.conn.Close()
}
