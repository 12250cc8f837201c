package server

import (
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/roostws/roost/internal/memtls"
)

// plainTimeout bounds the reading of a plain request and the writing of its response. A handler that needs longer can move its
// deadlines with http.ResponseController.
const plainTimeout = time.Minute

// plainHTTP serves requests that ask for no WebSocket with net/http: a goroutine and a net.Conn each, for as long as one request
// takes. It is the net.Listener of its http.Server.
type plainHTTP struct {
	server *http.Server
	conns  chan net.Conn
	log    *rarely
	closed chan struct{}
	once   sync.Once
	active atomic.Int64 // connections not closed yet
	max    int64

	adopting sync.WaitGroup // calls of adopt
}

func newPlainHTTP(c *Config, log *rarely) *plainHTTP {
	p := &plainHTTP{log: log, conns: make(chan net.Conn), closed: make(chan struct{}), max: int64(c.MaxHTTP)}
	p.server = &http.Server{
		Handler:           c.HTTP,
		ReadHeaderTimeout: c.HandshakeTimeout,
		ReadTimeout:       plainTimeout,
		WriteTimeout:      plainTimeout,
		MaxHeaderBytes:    c.MaxHead,
		ErrorLog:          slog.NewLogLogger(c.Logger.Handler(), slog.LevelDebug),
	}
	// One request a connection: the next on it could be an upgrade, which only a loop can answer.
	p.server.SetKeepAlivesEnabled(false)
	return p
}

// plain hands a connection whose request b, complete or not, is no handshake to net/http, or refuses it.
func (l *loop) plain(c *Conn, b []byte) {
	p := l.srv.plain
	if p == nil {
		l.refuse(c, errUpgrade)
		return
	}
	if p.active.Add(1) > p.max {
		p.active.Add(-1)
		l.refuse(c, errFull)
		return
	}
	read := append([]byte(nil), b...)
	var secure *memtls.Conn
	if c.flags&flagSecure != 0 {
		l.output(c) // net/http will not send it
		if c.State() == Closed {
			p.active.Add(-1)
			return
		}
		if c.out != nil { // its tickets are stuck: the peer does not read
			p.active.Add(-1)
			l.refuse(c, errFull)
			return
		}
		secure = c.extra.secure.tls
		c.flags &^= flagSecure // forget does not end it
	}
	fd, err := l.engine.Detach(c.token)
	if err != nil {
		p.active.Add(-1)
		l.end(c, Close{Reason: ReasonHandshakeGone, Err: err})
		return
	}
	l.count.Plain++
	l.forget(c)
	p.adopting.Go(func() { p.adopt(fd, secure, read) })
}

// adopt makes a net.Conn of a descriptor, the TLS on it, if any, and the bytes that were read from it. FileConn duplicates the
// descriptor.
func (p *plainHTTP) adopt(fd int, secure *memtls.Conn, read []byte) {
	file := os.NewFile(uintptr(fd), "tcp")
	conn, err := net.FileConn(file)
	file.Close()
	if err != nil { // no descriptor is left
		p.log.warn("plain", "a plain request cannot be served: raise the limit of open files (ulimit -n)", "err", err)
		p.active.Add(-1)
		return
	}
	if secure != nil {
		conn = secure.HandOver(conn)
	}
	select {
	case p.conns <- p.wrap(conn, read):
	case <-p.closed:
		p.active.Add(-1)
		conn.Close()
	}
}

// wrap puts what was read in front of a connection.
func (p *plainHTTP) wrap(conn net.Conn, read []byte) net.Conn {
	c := &plainConn{Conn: conn, read: read, owner: p}
	if secure, ok := conn.(*tls.Conn); ok {
		return &secureConn{c, secure}
	}
	return c
}

// secureConn is a plainConn whose requests have their http.Request.TLS.
type secureConn struct {
	*plainConn
	tls *tls.Conn
}

// ConnectionState is what net/http looks for.
func (c *secureConn) ConnectionState() tls.ConnectionState { return c.tls.ConnectionState() }

// Accept implements net.Listener.
func (p *plainHTTP) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (p *plainHTTP) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

// Addr implements net.Listener; the connections know their own.
func (p *plainHTTP) Addr() net.Addr { return &net.TCPAddr{} }

// plainConn is a connection whose first bytes were read before it was one.
type plainConn struct {
	net.Conn
	read  []byte
	owner *plainHTTP
	once  sync.Once
}

func (c *plainConn) Read(b []byte) (int, error) {
	if len(c.read) > 0 {
		n := copy(b, c.read)
		if c.read = c.read[n:]; len(c.read) == 0 {
			c.read = nil
		}
		return n, nil
	}
	return c.Conn.Read(b)
}

// CloseWrite lets net/http end its side first, so that an answer is not lost to a reset.
func (c *plainConn) CloseWrite() error {
	return c.Conn.(interface{ CloseWrite() error }).CloseWrite()
}

func (c *plainConn) Close() error {
	c.once.Do(func() { c.owner.active.Add(-1) })
	return c.Conn.Close()
}
