package gate

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/roostws/roost/wsproto"
)

// ForwardingHeader is the header in which proxies tell whose request they hand on.
type ForwardingHeader uint8

// The headers.
const (
	// ForwardingOff believes none.
	ForwardingOff ForwardingHeader = iota
	// XForwardedFor is the list of addresses that most proxies write.
	XForwardedFor
	// Forwarded is the standard one (RFC 7239).
	Forwarded
)

var forwardingHeaders = [...]string{"off", "x-forwarded-for", "forwarded"}

// String is the header's name in lower case, as UnmarshalText reads it.
func (h ForwardingHeader) String() string {
	if int(h) >= len(forwardingHeaders) {
		return "unknown"
	}
	return forwardingHeaders[h]
}

// UnmarshalText reads off, x-forwarded-for or forwarded.
func (h *ForwardingHeader) UnmarshalText(text []byte) error {
	for i, name := range forwardingHeaders {
		if strings.EqualFold(name, string(text)) {
			*h = ForwardingHeader(i)
			return nil
		}
	}
	return fmt.Errorf("%q is no header to believe: want off, x-forwarded-for or forwarded", text)
}

// Forwarding finds a client's address behind proxies that hand on HTTP requests. Only one header is believed, because a proxy that
// writes the one leaves the other as the client sent it. The zero value believes none. Any goroutine may use it.
type Forwarding struct {
	Header  ForwardingHeader
	Trusted Prefixes // the proxies

	// MaxHops is how many entries are looked at; 0: 16. A chain of trusted proxies that is longer ends at the last one looked at.
	MaxHops int
}

const defaultMaxHops = 16

// Check says what of f cannot be meant.
func (f *Forwarding) Check() error {
	switch {
	case int(f.Header) >= len(forwardingHeaders):
		return fmt.Errorf("gate: Forwarding.Header is %d: no such header", f.Header)
	case f.Header != ForwardingOff && f.Trusted.Empty():
		return errors.New("gate: Forwarding.Trusted is empty: say from which addresses the proxies come")
	case f.MaxHops < 0:
		return fmt.Errorf("gate: Forwarding.MaxHops is %d: it must not be negative", f.MaxHops)
	}
	return nil
}

// Expects says whether the address of a connection from peer depends on its request. Limits have to wait for that, then.
func (f *Forwarding) Expects(peer netip.Addr) bool {
	return f.Header != ForwardingOff && f.Trusted.Contains(peer)
}

// Client is the address of the client whose request r came from peer; the port is 0 if it is not known.
//
// Each proxy appends whom it got the request from. So the list is walked from its right end, through the trusted proxies, to the
// first address that is none: that is the client, as told by the last proxy that can be believed. What stands further left may be
// the client's invention and is not even parsed. If an entry is empty, malformed, "unknown" or hidden ("_x"), the walk ends at the
// proxy that wrote it; nothing to its left counts.
func (f *Forwarding) Client(peer netip.AddrPort, r *wsproto.Request) netip.AddrPort {
	if !f.Expects(peer.Addr()) {
		return peer
	}
	var room [8]string
	lines := room[:0]
	for v := range r.Values(f.Header.String()) {
		lines = append(lines, v)
	}
	client := peer
	hops := f.MaxHops
	if hops == 0 {
		hops = defaultMaxHops
	}
	for ; hops > 0 && len(lines) > 0; hops-- {
		last := len(lines) - 1
		entry, rest, more := lastEntry(lines[last], ',', f.Header == Forwarded)
		if lines[last] = rest; !more {
			lines = lines[:last]
		}
		node := entry
		if f.Header == Forwarded {
			node = forNode(entry)
		}
		hop, ok := parseNode(node)
		if !ok {
			break
		}
		client = hop
		if !f.Trusted.Contains(hop.Addr()) {
			break
		}
	}
	return client
}

// lastEntry cuts the last entry off a list; more says whether there are others. With quoted, a comma within quotes separates
// nothing. The scan runs from the right: so an opening quote that a client sent cannot swallow what a proxy appended.
func lastEntry(list string, separator byte, quoted bool) (entry, rest string, more bool) {
	inside := false
	for i := len(list) - 1; i >= 0; i-- {
		switch {
		case quoted && list[i] == '"' && !escaped(list, i):
			inside = !inside
		case list[i] == separator && !inside:
			return strings.Trim(list[i+1:], " \t"), list[:i], true
		}
	}
	return strings.Trim(list, " \t"), "", false
}

// escaped says whether an odd number of backslashes is before s[i].
func escaped(s string, i int) bool {
	n := 0
	for i-n > 0 && s[i-n-1] == '\\' {
		n++
	}
	return n%2 == 1
}

// forNode is the value of the one parameter "for" of a forwarded-element (RFC 7239 4), "" if it is malformed or has none.
func forNode(element string) string {
	node, found := "", false
	for more := true; more; {
		var pair string
		pair, element, more = lastEntry(element, ';', true)
		if pair == "" {
			continue
		}
		name, value, ok := strings.Cut(pair, "=")
		if !ok || !isToken(name) {
			return ""
		}
		if value, ok = unquote(value); !ok {
			return ""
		}
		if strings.EqualFold(name, "for") {
			if found {
				return ""
			}
			node, found = value, true
		}
	}
	return node
}

// unquote reads a token or a quoted-string (RFC 9110 5.6.4).
func unquote(s string) (string, bool) {
	if len(s) < 2 || s[0] != '"' {
		return s, isToken(s)
	}
	if s[len(s)-1] != '"' || escaped(s, len(s)-1) {
		return "", false
	}
	s = s[1 : len(s)-1]
	if strings.IndexByte(s, '\\') < 0 {
		return s, strings.IndexByte(s, '"') < 0
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return "", false
		case s[i] == '\\':
			i++ // there is a byte behind it: the closing quote is not escaped
		}
		b = append(b, s[i])
	}
	return string(b), true
}

// isToken checks a token (RFC 9110 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		alnum := '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
		if !alnum && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

// parseNode reads an address with or without a port: 192.0.2.1, 192.0.2.1:80, 2001:db8::1, [2001:db8::1], [2001:db8::1]:80. A port
// that is hidden (RFC 7239 6.3) is no port. An address with a zone means something to its sender only, and is none.
func parseNode(s string) (netip.AddrPort, bool) {
	host, port := s, ""
	switch colon := strings.LastIndexByte(s, ':'); {
	case strings.HasPrefix(s, "["):
		end := strings.IndexByte(s, ']')
		if end < 0 || strings.IndexByte(s[:end], ':') < 0 {
			return netip.AddrPort{}, false
		}
		host, port = s[1:end], s[end+1:]
	case colon >= 0 && strings.IndexByte(s, ':') == colon:
		host, port = s[:colon], s[colon:]
	}
	a, err := netip.ParseAddr(host)
	if err != nil || a.Zone() != "" {
		return netip.AddrPort{}, false
	}
	n, ok := parsePort(port)
	return netip.AddrPortFrom(a.Unmap(), n), ok
}

// parsePort reads nothing, ":" and a number, or ":" and an obfuscated port.
func parsePort(s string) (uint16, bool) {
	if s == "" {
		return 0, true
	}
	if s[0] != ':' {
		return 0, false
	}
	s = s[1:]
	if strings.HasPrefix(s, "_") {
		return 0, len(s) > 1 && isToken(s)
	}
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' || i == 5 {
			return 0, false
		}
		n = 10*n + int(s[i]-'0')
	}
	return uint16(n), s != "" && n <= 65535
}
