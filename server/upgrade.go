package server

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"github.com/roostws/roost/gate"
	"github.com/roostws/roost/internal/memtls"
	"github.com/roostws/roost/poller"
	"github.com/roostws/roost/wsproto"
)

// Upgrade answers the opening handshake of a connection of any net/http server and takes the connection over: the handler then
// returns, its goroutine and the server's buffers are gone, and the socket lives on a loop like any other. What the client has sent
// early is kept. The Route's or Config's Authorize (or SameOrigin) is called with the request as it came, on this goroutine. A request that is no
// acceptable handshake is answered here, and an error says why: return in both cases without writing anything. The error is a
// *wsproto.Refusal where the client was told.
//
// It works with HTTP/1.1 over TCP, and through middleware whose ResponseWriter can be unwrapped (http.ResponseController). Over TLS
// the listener must come from NewListener, because crypto/tls does not give its socket away.
//
// A request's body, and deadlines that net/http has set, have no effect any more. The server need not listen.
//
// With Config.Routes, the connection is of the Route that matches the request's path as the client has sent it, whatever prefix a router
// has taken off. See UpgradeTo for a router that shall choose itself.
func (s *Server) Upgrade(w http.ResponseWriter, r *http.Request) error {
	return (&adoption{server: s}).upgrade(w, r)
}

// UpgradeTo is Upgrade for an application whose router has chosen the path, and whose middleware knows who asks. The connection is of the
// Route with that Pattern; "" is for none: the Config's handler and limits. accept is what an Authorize would have returned, and none is
// asked. Origins are: those of the Route, or of the Config, or else SameOrigin.
func (s *Server) UpgradeTo(w http.ResponseWriter, r *http.Request, pattern string, accept Accept) error {
	rt := s.routeNamed(pattern)
	if rt == nil {
		(&adoption{server: s}).refuse(w, errBroken)
		return fmt.Errorf("server: UpgradeTo: no Route of Config.Routes has the Pattern %q", pattern)
	}
	a := &adoption{server: s, chosen: true}
	a.route, a.accept = rt, accept
	return a.upgrade(w, r)
}

// start opens the loops, if nobody has.
func (s *Server) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return ErrServerClosed
	}
	return s.startLocked()
}

// NewListener wraps a TCP listener that a net/http server is to speak TLS on (http.Server.ServeTLS), so that Upgrade can take
// connections from it. Without TLS it is not needed, and does no harm.
func NewListener(l net.Listener) net.Listener { return memtls.Listener{Listener: l} }

var (
	errNoTCP    = &wsproto.Refusal{Status: http.StatusInternalServerError, Reason: "no TCP", Body: "a WebSocket is served over TCP only\n"}
	errNoHijack = &wsproto.Refusal{Status: http.StatusInternalServerError, Reason: "hijack", Body: "this server cannot be upgraded from\n"}
)

// adoption is a connection on its way from net/http to a loop.
type adoption struct {
	opening
	server  *Server
	chosen  bool   // the caller has chosen the route, and decided
	counted bool   // by the limiter
	reason  Reason // why it was refused, where the refusal does not tell
	fd      int
	peer    netip.AddrPort
	secure  *memtls.Conn // nil without TLS
	early   []byte       // what the client sent behind its request, decrypted
}

// upgrade takes the connection of a request, or refuses it.
func (a *adoption) upgrade(w http.ResponseWriter, r *http.Request) error {
	s := a.server
	a.peer = peerOf(r)
	if err := s.start(); err != nil {
		a.refuse(w, errFull)
		return errors.Join(errFull, err)
	}
	if err := a.admit(r); err != nil {
		return a.refuse(w, err)
	}
	if err := a.open(r); err != nil {
		a.giveUp()
		return a.refuse(w, err)
	}
	if err := a.take(w); err != nil {
		a.route.leave()
		a.giveUp()
		s.refusedUpgrade(cmp.Or(a.reason, ReasonHandshakeGone), a.peer)
		return err
	}
	l := s.loops[s.adopted.Add(1)%uint64(len(s.loops))]
	l.call(func() { l.adopt(a) })
	return nil
}

// peerOf is the address that the application says the request comes from, not valid if it is none. Middleware that takes it from a
// proxy's header leaves out the port.
func peerOf(r *http.Request) netip.AddrPort {
	if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		return peer
	}
	ip, _ := netip.ParseAddr(r.RemoteAddr)
	return netip.AddrPortFrom(ip, 0)
}

// refuse answers a request that is not welcome, and counts it.
func (a *adoption) refuse(w http.ResponseWriter, err error) error {
	refusal := refuseHTTP(w, err)
	a.server.refusedUpgrade(cmp.Or(a.reason, reasonOfRefusal(refusal)), a.peer)
	return refusal
}

func (s *Server) refusedUpgrade(reason Reason, peer netip.AddrPort) {
	s.refused[reason].Add(1)
	if reasonTable[reason].bound {
		s.log.warn(reason.String(), "an upgrade was refused at a bound", "reason", reason, "peer", peer)
	}
}

// admit reads the request, finds out whose the connection is, and applies the limits that all routes share.
func (a *adoption) admit(r *http.Request) error {
	s := a.server
	var err error
	if a.request, err = parseRequest(r, s.config.MaxHead); err != nil {
		return err
	}
	if err = a.request.CheckUpgrade(); err != nil {
		return err
	}
	if !a.peer.IsValid() {
		return errNoTCP
	}
	if f := &s.gates.forwarding; f.Expects(a.peer.Addr()) {
		a.peer = f.Client(a.peer, a.request)
	}
	if s.conns.Add(1) > int64(s.config.MaxConns) {
		s.conns.Add(-1)
		return errFull
	}
	verdict, wait := s.gates.limiter.Admit(a.peer.Addr(), time.Since(s.gates.epoch))
	if verdict.Refused() {
		s.conns.Add(-1)
		a.reason = ReasonRefusedAddress
		return verdict.Refusal(wait)
	}
	a.counted = verdict == gate.Counted
	return nil
}

// giveUp gives back what admit has counted.
func (a *adoption) giveUp() {
	a.server.conns.Add(-1)
	if a.counted {
		a.server.gates.limiter.Release(a.peer.Addr())
	}
}

// open asks the route whether the handshake is welcome, and its Authorize.
func (a *adoption) open(r *http.Request) (err error) {
	if a.chosen {
		for _, name := range a.route.names {
			a.request.SetPathValue(name, r.PathValue(name))
		}
	} else if a.route, err = a.server.routeOf(a.request); err != nil {
		return err
	}
	asked := !a.chosen && a.route.Authorize != nil
	if err := a.route.enter(a.request, asked); err != nil || !asked {
		return err
	}
	if a.authorize(a.server, r.TLS); a.err != nil {
		a.route.leave()
		var refusal *wsproto.Refusal
		refusal, a.reason = a.verdict()
		return refusal
	}
	return nil
}

// take hijacks the connection and takes its socket.
func (a *adoption) take(w http.ResponseWriter) error {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		a.reason = ReasonRefusedRequest
		return refuseHTTP(w, errNoHijack)
	}
	socket := conn
	defer func() { socket.Close() }() // what is left of it is a duplicate
	if n := rw.Reader.Buffered(); n > 0 {
		a.early = make([]byte, n)
		if _, err := io.ReadFull(rw.Reader, a.early); err != nil {
			return fmt.Errorf("server: Upgrade: %w", err)
		}
	}
	if secure, ok := conn.(*tls.Conn); ok {
		adopted, under, err := memtls.Adopt(secure)
		if err != nil {
			a.reason = ReasonRefusedRequest
			return fmt.Errorf("server: Upgrade: wrap the listener by server.NewListener: %w", err)
		}
		a.secure, socket = adopted, under
	} else if s, ok := conn.(*memtls.Socket); ok {
		socket = s.Unwrap()
	}
	sc, ok := socket.(syscall.Conn)
	if !ok {
		a.reason = ReasonRefusedRequest
		return fmt.Errorf("server: Upgrade needs a connection with a socket, such as a *net.TCPConn, not a %T", socket)
	}
	fds, err := poller.Duplicate(sc, 1)
	if err != nil {
		return fmt.Errorf("server: Upgrade: %w", err)
	}
	a.fd = fds[0]
	return nil
}

// adopt opens a connection that comes from net/http.
func (l *loop) adopt(a *adoption) {
	t, err := l.engine.Add(a.fd)
	if err != nil { // the loop has ended, or there is no memory: the client sees the end of the stream
		a.route.leave()
		a.giveUp()
		l.srv.refusedUpgrade(ReasonRefusedFull, a.peer)
		return
	}
	c := l.newConn(t, a.peer)
	if a.counted {
		c.flags |= flagCounted
	}
	if a.secure != nil {
		c.extras().secure = &secure{tls: a.secure}
		c.flags |= flagSecure
	}
	if l.drain.on {
		a.route.leave()
		l.refuse(c, errFull)
		return
	}
	l.answer(c, &a.opening, a.early)
	if a.secure != nil && c.State() != Closed {
		l.ciphertext(c, nil)
	}
}

// parseRequest reads a request of net/http with the eyes of package wsproto, whose rules are stricter.
func parseRequest(r *http.Request, maxHead int) (*wsproto.Request, error) {
	if r.ProtoMajor != 1 {
		return nil, &wsproto.Refusal{Status: http.StatusHTTPVersionNotSupported, Reason: "version", Body: "a WebSocket takes HTTP/1.1 here\n"}
	}
	h := head{}
	h.line(r.Method, " ", r.RequestURI, " ", r.Proto)
	h.line("Host: ", r.Host)
	for name, values := range r.Header {
		for _, v := range values {
			h.line(name, ": ", v)
		}
	}
	if len(r.TransferEncoding) > 0 { // net/http keeps it apart
		h.line("Transfer-Encoding: ", strings.Join(r.TransferEncoding, ", "))
	}
	h.line()
	if h.broken {
		return nil, errLineBreak
	}
	if len(h.b) > maxHead {
		return nil, errHead
	}
	req := new(wsproto.Request)
	if err := req.Parse(h.b, wsproto.Limits{}); err != nil {
		return nil, err
	}
	return req, nil
}

// head is a request's head being written down.
type head struct {
	b      []byte
	broken bool // a line has a line break in it, which middleware has put there: net/http lets in none
}

func (h *head) line(parts ...string) {
	for _, p := range parts {
		h.broken = h.broken || strings.ContainsAny(p, "\r\n")
		h.b = append(h.b, p...)
	}
	h.b = append(h.b, "\r\n"...)
}

var errLineBreak = &wsproto.Refusal{Status: http.StatusBadRequest, Reason: "line break in a header"}

// refuseHTTP writes a refusal as a response, as wsproto.AppendRefusal would, and returns it.
func refuseHTTP(w http.ResponseWriter, err error) *wsproto.Refusal {
	var refusal *wsproto.Refusal
	if !errors.As(err, &refusal) {
		refusal = errBroken
	}
	status, body := refusal.Status, refusal.Body
	if status < 300 || status > 599 {
		status = http.StatusInternalServerError
	}
	if body == "" {
		body = fmt.Sprintf("%d %s: %s\n", status, http.StatusText(status), refusal.Reason)
	}
	h := w.Header()
	h.Del("Content-Type")
	for f := range refusal.Fields() {
		h.Add(f.Name, f.Value)
	}
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("X-Content-Type-Options", "nosniff")
	}
	if status == http.StatusUpgradeRequired { // RFC 9110, sections 15.5.22 and 7.8
		h.Set("Upgrade", "websocket")
		h.Set("Connection", "Upgrade")
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
	return refusal
}
