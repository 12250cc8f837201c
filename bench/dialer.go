package bench

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/roostws/roost/bench/report"
	"github.com/roostws/roost/poller"
	"github.com/roostws/roost/wsproto"
)

// dialer opens the connections of one loop: socket, TLS, handshake.
type dialer struct {
	targets  []*target
	publish  *target    // of the publishers
	sources  []*sources // by target
	from     *sources   // of the publishers
	openings deadlines
	free     []*opening
	underway int
}

// maxHead is the longest response to a handshake in bytes.
const maxHead = 16 << 10

func newDialer(l *loop) (dialer, error) {
	c := &l.config.Connect
	d := dialer{targets: l.worker.targets, publish: l.worker.publish, openings: deadlines{after: time.Duration(c.Timeout)}}
	// URLs of one address and port share the sources: the port of one is taken for all.
	conns := map[netip.AddrPort]int{}
	for i, t := range d.targets {
		conns[t.addr] += share{i, len(d.targets)}.part(l.config.Conns)
	}
	shared := map[netip.AddrPort]*sources{}
	for _, t := range d.targets {
		if shared[t.addr] == nil {
			s, err := newSources(c, t.addr.Addr(), conns[t.addr], l.share)
			if err != nil {
				return d, &ConfigError{err}
			}
			shared[t.addr] = s
		}
		d.sources = append(d.sources, shared[t.addr])
	}
	if n := l.config.publishers(); n > 0 {
		if d.from = shared[d.publish.addr]; d.from == nil {
			var err error
			if d.from, err = newSources(c, d.publish.addr.Addr(), n, l.share); err != nil {
				return d, &ConfigError{err}
			}
		}
	}
	return d, nil
}

// dial begins a connection. It was due at a time, from which it is measured. Whatever
// becomes of it, the scenario is told by opened or by refused.
func (d *dialer) dial(l *loop, number uint32, r role, due int64) {
	l.rec.Attempts++
	which := int(number) % len(d.targets)
	to, from := d.targets[which], d.sources[which]
	if r == publisher {
		to, from = d.publish, d.from
	}
	fd, err := from.connect(to.addr, r)
	var t poller.Token
	if err == nil {
		t, err = l.engine.Add(fd)
	}
	if err != nil {
		l.refused(number, r, kindOf(err), err.Error())
		return
	}
	o := d.newOpening()
	o.began, o.target = due, to
	c := l.conns.at(t)
	*c = conn{token: t, number: number, role: r, opening: o}
	l.alive++
	d.underway++
	// Handshakes end in about the order in which they began: what is done would
	// otherwise stay in the queue for the whole timeout, for nothing.
	d.openings.trim(func(t poller.Token) bool {
		c := l.conns.live(t)
		return c == nil || c.opening == nil
	})
	d.openings.add(t, l.now)
	if to.tls != nil {
		l.startTLS(c, to)
		return
	}
	l.request(c)
}

// connect opens a socket from the next source that is free.
func (s *sources) connect(to netip.AddrPort, r role) (fd int, err error) {
	for range s.tries() {
		addr, port := s.take()
		if port == int(to.Port()) && addr == to.Addr() {
			continue // it would connect to itself
		}
		fd, err = connectSocket(to, addr, port, r == sluggish)
		// Taken: bind says so, or with REUSEADDR connect.
		if taken := errors.Is(err, unix.EADDRINUSE) || errors.Is(err, unix.EADDRNOTAVAIL); !taken || port == 0 {
			return fd, err
		}
	}
	return -1, fmt.Errorf("no source address and port is free: %w", unix.EADDRNOTAVAIL)
}

// request sends the opening handshake.
func (l *loop) request(c *conn) {
	o := c.opening
	_, _ = l.rng.Read(o.key[:]) // never fails
	t := c.token
	l.cork()
	// resolve has tried: the request can be made.
	l.batch, _ = wsproto.AppendRequest(l.batch, o.target.request, o.key)
	l.uncork(c, t)
}

// answer gathers the response and returns what follows it. c may be gone then.
func (d *dialer) answer(l *loop, c *conn, p []byte) []byte {
	o := c.opening
	from := len(o.head)
	o.head = append(o.head, p...)
	end := wsproto.HeadEnd(o.head, from)
	if end == 0 {
		if len(o.head) > maxHead {
			d.fail(l, c, report.MalformedResponse, fmt.Sprintf("no end of the header after %d bytes", len(o.head)))
		} else if want := []byte("HTTP/"); !bytes.HasPrefix(o.head, want[:min(len(want), len(o.head))]) {
			d.fail(l, c, report.MalformedResponse, fmt.Sprintf("it begins with %q", o.head[:min(40, len(o.head))]))
		}
		return nil
	}
	response, err := o.target.request.ParseResponse(o.head[:end], o.key)
	if err != nil {
		kind, example := kindOfResponse(err)
		if kind == report.MalformedResponse {
			example = fmt.Sprintf("it begins with %q", o.head[:min(40, len(o.head))])
		}
		d.fail(l, c, kind, example)
		return nil
	}
	rest := p[end-from:]
	l.rec.Opened++
	took := time.Duration(l.now - o.began)
	l.rec.connect.Record(took)
	d.done(c)
	c.state = open
	l.agreed(c, response.Deflate)
	c.place = uint32(len(l.open))
	l.open = append(l.open, c.token)
	l.hasOpened(c, took)
	return rest
}

func kindOfResponse(err error) (kind, example string) {
	var r *wsproto.ResponseError
	switch {
	case !errors.As(err, &r):
		return report.MalformedResponse, ""
	case r.Response.Status != 101:
		return report.HandshakeStatus(r.Response.Status), plain(err)
	}
	return report.WrongUpgrade, plain(err)
}

// plain is the text of an error of wsproto for a user, who need not know of wsproto.
func plain(err error) string { return strings.TrimPrefix(err.Error(), "wsproto: ") }

// fail ends an attempt.
func (d *dialer) fail(l *loop, c *conn, kind, example string) {
	number, r := c.number, c.role
	d.done(c)
	l.forget(c)
	l.refused(number, r, kind, example)
}

// failed ends an attempt that the kernel says is over.
func (d *dialer) failed(l *loop, c *conn, err error) {
	if errors.Is(err, io.EOF) {
		text := "the server closed the connection without an answer"
		if n := len(c.opening.head); n > 0 {
			text = fmt.Sprintf("the server closed the connection after %d bytes of an answer", n)
		}
		d.fail(l, c, report.HandshakeClosed, text)
		return
	}
	d.fail(l, c, kindOf(err), err.Error())
}

// timeouts ends the attempts that take too long.
func (d *dialer) timeouts(l *loop) {
	for t := d.openings.due(l.now); t != 0; t = d.openings.due(l.now) {
		c := l.conns.live(t)
		switch {
		case c == nil || c.opening == nil:
		case c.opening.connected:
			d.fail(l, c, report.HandshakeTimeout, fmt.Sprintf("connected, and no answer in %v", d.openings.after))
		default:
			d.fail(l, c, report.ConnectTimeout, fmt.Sprintf("no connection in %v", d.openings.after))
		}
	}
}

// giveUp ends all attempts: the run ends.
func (d *dialer) giveUp(l *loop) {
	for i := d.openings.head; i < len(d.openings.entries); i++ {
		if c := l.conns.live(d.openings.entries[i].token); c != nil && c.opening != nil {
			d.fail(l, c, report.Unfinished, "")
		}
	}
}

func (d *dialer) newOpening() *opening {
	if n := len(d.free); n > 0 {
		o := d.free[n-1]
		d.free = d.free[:n-1]
		return o
	}
	return &opening{}
}

// done takes the opening of a connection back.
func (d *dialer) done(c *conn) {
	o := c.opening
	*o = opening{head: o.head[:0]}
	d.free = append(d.free, o)
	c.opening = nil
	d.underway--
}

// kindOf sorts the error of a system call.
func kindOf(err error) string {
	var errno unix.Errno
	if !errors.As(err, &errno) {
		return report.Other
	}
	switch errno {
	case unix.ECONNREFUSED:
		return report.Refused
	case unix.EADDRNOTAVAIL, unix.EADDRINUSE:
		return report.NoPort
	case unix.EMFILE, unix.ENFILE:
		return report.NoDescriptors
	case unix.EHOSTUNREACH, unix.ENETUNREACH:
		return report.NoRoute
	case unix.ECONNRESET, unix.EPIPE:
		return report.Reset
	case unix.ETIMEDOUT:
		return report.ConnectTimeout
	}
	return report.Other
}
