package memtls

import (
	"crypto/tls"
	"errors"
	"net"
	"time"
)

// ErrNotOurs is the error of Adopt for a connection whose socket cannot be
// taken from under TLS.
var ErrNotOurs = errors.New("the TLS connection does not stand on a memtls.Socket: wrap the listener by memtls.Listener before TLS does")

// ErrAdopted is the error of adopting a connection twice.
var ErrAdopted = errors.New("the TLS connection was adopted already")

// Listener is a listener whose connections are Sockets. It goes under TLS, and
// over whatever else there is:
//
//	server.ServeTLS(memtls.Listener{Listener: tcp}, "", "")
type Listener struct{ net.Listener }

// Accept waits for the next connection.
func (l Listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return NewSocket(conn), nil
}

// Socket is a net.Conn under TLS that a loop can take away: at first it is the
// net.Conn that it was made of; since Adopt the TLS over it works in memory.
type Socket struct {
	conn net.Conn // nil since Adopt
	wire *wire    // since Adopt: the Conn's
	at   records  // until Adopt: how far conn was read
}

// NewSocket wraps a connection that nothing was read from.
func NewSocket(conn net.Conn) *Socket { return &Socket{conn: conn} }

// Adopt takes a connection away from who spoke TLS over its socket, such as
// net/http after Hijack. It returns the socket as it was given to NewSocket, for
// the loop to take the descriptor from. The Conn has shaken hands; what crypto/tls
// had read from the socket and not given out comes by the first Feed(dst, nil),
// in front of which belongs the plaintext that was read and not used, such as
// that in Hijack's bufio.Reader.
//
// Nobody may use the tls.Conn any more, nor be in a call of it, and what was
// written to it must be flushed. Its deadlines have no effect any more. Errors
// are ErrNotOurs, ErrAdopted and ErrHandshaking; the connection is then as it was.
func Adopt(conn *tls.Conn) (*Conn, net.Conn, error) {
	s, ok := conn.NetConn().(*Socket)
	switch {
	case !ok:
		return nil, nil, ErrNotOurs
	case s.conn == nil:
		return nil, nil, ErrAdopted
	case !conn.ConnectionState().HandshakeComplete:
		return nil, nil, ErrHandshaking
	}
	socket, c := s.conn, &Conn{wire: wire{at: s.at}, tls: conn, fresh: true}
	s.conn, s.wire = nil, &c.wire
	return c, socket, nil
}

// Unwrap returns the net.Conn that the Socket was made of, nil since Adopt.
func (s *Socket) Unwrap() net.Conn { return s.conn }

// Read reads from the socket, or from memory.
func (s *Socket) Read(p []byte) (int, error) {
	if s.conn == nil {
		return s.wire.Read(p)
	}
	n, err := s.conn.Read(p)
	s.at.pass(p[:n])
	return n, err
}

// Write writes to the socket, or to memory.
func (s *Socket) Write(p []byte) (int, error) {
	if s.conn == nil {
		return s.wire.Write(p)
	}
	return s.conn.Write(p)
}

// over is what the rest of net.Conn is asked of.
func (s *Socket) over() net.Conn {
	if s.conn == nil {
		return s.wire
	}
	return s.conn
}

// Close closes the socket. Since Adopt it has no effect: the socket is the
// loop's.
func (s *Socket) Close() error { return s.over().Close() }

// LocalAddr is the socket's address, and empty since Adopt.
func (s *Socket) LocalAddr() net.Addr { return s.over().LocalAddr() }

// RemoteAddr is the peer's address, and empty since Adopt.
func (s *Socket) RemoteAddr() net.Addr { return s.over().RemoteAddr() }

// SetDeadline sets the socket's. Since Adopt it has no effect.
func (s *Socket) SetDeadline(t time.Time) error { return s.over().SetDeadline(t) }

// SetReadDeadline sets the socket's. Since Adopt it has no effect.
func (s *Socket) SetReadDeadline(t time.Time) error { return s.over().SetReadDeadline(t) }

// SetWriteDeadline sets the socket's. Since Adopt it has no effect.
func (s *Socket) SetWriteDeadline(t time.Time) error { return s.over().SetWriteDeadline(t) }
