package client

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/wsproto"
)

// linger is how long the server is given, after the Close frames, to end TCP first (RFC 6455, section 7.1.1). It also keeps what we
// sent last from being lost: a socket that is closed with unread bytes resets the connection.
const linger = time.Second

// Conn is a WebSocket connection that Dial opened. One goroutine at a time may call Read; the other methods may be called from any
// goroutine at any time. It holds a socket until a Read, a Write or a Ping has failed on it, or Close or CloseNow has been called.
type Conn struct {
	conn        net.Conn // TLS, or raw
	raw         net.Conn // what to close where nothing may be waited for
	subprotocol string
	header      http.Header

	closeTimeout, pingAfter, pingGrace time.Duration

	// The reader's: of who has put its token into reading.
	reading  chan struct{}
	codec    wsproto.Codec
	decoder  wsproto.Decoder
	buf      []byte // nil until the first read
	unread   []byte // of buf, not decoded yet
	received *wsproto.Window
	silentAt time.Time
	pinged   bool // the heartbeat has asked for its ping

	// The writer's: of who has put its token into writing.
	writing   chan struct{}
	out       []byte
	deflate   int // window bits of what is compressed; 0: nothing is
	sent      *wsproto.Window
	pings     uint64 // sent by Ping
	closeSent bool   // no frame may follow

	closing atomic.Bool // Close was called: what arrives is dropped

	mu      sync.Mutex
	urgent  urgent // control frames to be sent by who can
	waiting []ping // for their pongs, in the order in which they were sent
	failure error  // why it is gone
	gone    chan struct{}
}

func newConn(conn, raw net.Conn, config Config, response wsproto.Response, rest []byte) *Conn {
	c := &Conn{
		conn:         conn,
		raw:          raw,
		subprotocol:  response.Subprotocol,
		header:       header(response),
		closeTimeout: config.CloseTimeout,
		pingAfter:    config.PingAfter,
		pingGrace:    config.PingGrace,
		reading:      make(chan struct{}, 1),
		codec:        wsproto.Codec{Role: wsproto.Client, MaxMessage: config.MaxMessage},
		unread:       rest,
		writing:      make(chan struct{}, 1),
		gone:         make(chan struct{}),
	}
	if d := response.Deflate; d != (wsproto.Deflate{}) {
		c.codec.Deflate, c.deflate = true, d.SendBits(wsproto.Client)
		c.received, c.sent = d.Windows(wsproto.Client)
	}
	return c
}

// Compressed tells whether permessage-deflate was agreed on.
func (c *Conn) Compressed() bool { return c.codec.Deflate }

// Subprotocol returns the subprotocol that the server chose, "" for none.
func (c *Conn) Subprotocol() string { return c.subprotocol }

// Header returns the header of the server's answer to the handshake. Do not change it.
func (c *Conn) Header() http.Header { return c.header }

// NetConn returns the transport, a *tls.Conn for wss: for its addresses and its state. Who reads, writes or sets deadlines breaks
// the connection.
func (c *Conn) NetConn() net.Conn { return c.conn }

// Close closes the connection with the closing handshake (RFC 6455, section 7.1.2): it sends a Close frame with code and reason,
// drops messages that still arrive, and waits for the server's Close frame for Config.CloseTimeout, then for the end of the stream
// for a second. A Read under way ends with an error that unwraps to net.ErrClosed.
//
// A code of 0 sends none, and codes that may not be sent become none (1005, 1006, 1015) or 1011; a reason is cut to 123 bytes. The
// error is nil if the server answered, also for a Close after that. If the connection was gone before, it says why.
func (c *Conn) Close(code ws.StatusCode, reason string) error {
	if c.closing.Swap(true) { // the first Close is at work, and its timeout ends this one too
		<-c.gone
		return c.verdict()
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), c.closeTimeout, errCloseTimeout)
	defer cancel()
	defer c.watch(ctx)()
	if c.sendClose(ctx, code, reason) != nil {
		if ctx.Err() != nil {
			return c.end(contextError(ctx))
		}
		return c.verdict()
	}
	// Where a Read is under way it sees the server's answer. Otherwise that is for us to read.
	c.reading <- struct{}{}
	defer func() { <-c.reading }()
	for c.err() == nil {
		c.next()
	}
	return c.verdict()
}

// verdict is what Close returns for a connection that is gone: nothing if it ended as Close wants it to.
func (c *Conn) verdict() error {
	err := c.err()
	if errors.Is(err, errLocal) {
		return nil
	}
	return err
}

// CloseNow closes the transport at once, without a Close frame. All that is under way fails with an error that unwraps to
// net.ErrClosed. It may follow Close: deferred, it makes sure that nothing is left open.
func (c *Conn) CloseNow() {
	c.end(errNow)
}

// err returns why the connection is gone, or nil.
func (c *Conn) err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failure
}

// fail notes the first cause for which the connection is gone, and returns the error for it. The socket is not closed yet.
func (c *Conn) fail(cause error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failure == nil {
		c.failure = &goneError{cause}
		close(c.gone)
	}
	return c.failure
}

// end is fail, and closes the socket at once.
func (c *Conn) end(cause error) error {
	err := c.fail(cause)
	c.abort()
	return err
}

// abort closes the socket under TLS too, whose own close would wait for a server that does not read.
func (c *Conn) abort() { c.raw.Close() }

// watch ends the connection when ctx ends. The function that it returns ends the watch.
func (c *Conn) watch(ctx context.Context) (stop func() bool) {
	if ctx.Done() == nil {
		return func() bool { return true }
	}
	return context.AfterFunc(ctx, func() { c.end(contextError(ctx)) })
}
