package gate

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/roostws/roost/wsproto"
)

// Origins is a list of the web origins whose pages may connect (RFC 6454; RFC 6455 10.2). It never changes, so any goroutine may
// use it. The zero value allows none.
type Origins struct {
	any  bool
	same bool
	null bool
	// listed has "https://example.com:443" for an origin, and "https://.example.com:443" for all origins below it. Everything is in
	// lower case and has its port.
	listed map[string]struct{}
}

// SameOrigin is the entry of a list for pages of the host that the request is for.
const SameOrigin = "same-origin"

// ParseOrigins reads a list of:
//
//   - an origin, "https://app.example.com" or "http://localhost:8080": scheme, host and port have to be the same; no port means the
//     scheme's own, and letters may be of either case
//   - "https://*.example.com": any name below example.com, however deep, but not example.com itself
//   - "same-origin": pages of the host that the request is for
//   - "null": pages whose origin is opaque: files, sandboxed frames. Anybody can make one
//   - "*": all
//
// Names that are not ASCII are to be given as browsers send them: "https://xn--bcher-kva.example".
func ParseOrigins(patterns ...string) (*Origins, error) {
	o := &Origins{listed: make(map[string]struct{})}
	for _, p := range patterns {
		switch p {
		case "*":
			o.any = true
		case SameOrigin:
			o.same = true
		case "null":
			o.null = true
		default:
			key, err := patternKey(p)
			if err != nil {
				return nil, fmt.Errorf("gate: %q is no origin: %w", p, err)
			}
			o.listed[key] = struct{}{}
		}
	}
	return o, nil
}

// Allows says whether the page that made r may connect. A request without an Origin is from no browser, and so from no page that
// could abuse its visitor: it may.
func (o *Origins) Allows(r *wsproto.Request) bool {
	count := 0
	origin := ""
	for v := range r.Values("origin") {
		origin = v
		count++
	}
	switch {
	case count == 0 || o.any:
		return true
	case count > 1:
		return false
	}
	return o.AllowsOrigin(origin) || o.same && r.SameOrigin()
}

// AllowsOrigin says whether the value of an Origin header is on the list; "same-origin" is not looked at. A list of several
// origins, which RFC 6454 7.1 knows and no browser sends, is not.
func (o *Origins) AllowsOrigin(origin string) bool {
	if o.any {
		return true
	}
	if origin == "null" {
		return o.null
	}
	if len(o.listed) == 0 || len(origin) > maxOrigin || strings.Contains(origin, "*") {
		return false
	}
	at, err := splitOrigin(origin)
	if err != nil {
		return false
	}
	var room [128]byte
	key := at.key(room[:0])
	if _, ok := o.listed[string(key)]; ok {
		return true
	}
	// For a.b.example.com: .b.example.com, .example.com, .com.
	from := len(at.scheme) + len("://")
	for i := from; i < len(key); i++ {
		if key[i] != '.' || i == from {
			continue
		}
		copy(key[i-from:], key[:from])
		key = key[i-from:]
		i = from
		if _, ok := o.listed[string(key)]; ok {
			return true
		}
	}
	return false
}

// maxOrigin is how long an origin can be in bytes: a scheme, a name of 253 (RFC 1035 2.3.4), and a port.
const maxOrigin = 300

// patternKey is the key of a pattern.
func patternKey(p string) (string, error) {
	at, err := splitOrigin(p)
	if err != nil {
		return "", err
	}
	if name, wild := strings.CutPrefix(at.host, "*."); wild {
		if name == "" {
			return "", errors.New("a name has to follow \"*.\"")
		}
		at.host = "." + name
	}
	if strings.Contains(at.host, "*") {
		return "", errors.New("\"*\" may only stand for whole names in front, as in https://*.example.com")
	}
	if at.host[0] == '[' {
		a, err := netip.ParseAddr(strings.Trim(at.host, "[]"))
		if err != nil || a.Zone() != "" {
			return "", fmt.Errorf("%s is no IPv6 address", at.host)
		}
		at.host = "[" + a.String() + "]" // as browsers write it (RFC 5952)
	}
	return string(at.key(nil)), nil
}

// originParts is an origin taken apart: pieces of it as they are, so letters may be of either case.
type originParts struct {
	scheme, host string
	port         uint16
}

// key appends the origin in lower case, with its port.
func (p originParts) key(dst []byte) []byte {
	dst = appendLower(dst, p.scheme)
	dst = append(dst, "://"...)
	dst = appendLower(dst, p.host)
	return strconv.AppendUint(append(dst, ':'), uint64(p.port), 10)
}

func appendLower(dst []byte, s string) []byte {
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		dst = append(dst, c)
	}
	return dst
}

// splitOrigin takes scheme "://" host [":" port] apart (RFC 6454 6.1). The error says what is wrong with a pattern.
func splitOrigin(s string) (p originParts, err error) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || !validScheme(scheme) {
		return p, errors.New("it has to begin with a scheme, as in https://example.com")
	}
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		return p, fmt.Errorf("it ends before %q: an origin has no path", rest[i:])
	}
	host, port := rest, ""
	if i := strings.LastIndexByte(rest, ':'); i >= 0 && strings.IndexByte(rest[i:], ']') < 0 {
		host, port = rest[:i], rest[i+1:]
		if port == "" {
			return p, errors.New("no port follows the colon")
		}
	}
	if err := checkOriginHost(host); err != nil {
		return p, err
	}
	p = originParts{scheme: scheme, host: host, port: defaultPort(scheme)}
	if port != "" {
		n, ok := parsePort(":" + port)
		if !ok || port[0] == '_' || port[0] == '0' {
			return p, fmt.Errorf("%q is no port: want 1 to 65535; it has to be exact", port)
		}
		p.port = n
	}
	return p, nil
}

// validScheme checks a scheme (RFC 3986 3.1).
func validScheme(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (i == 0 || (c < '0' || c > '9') && strings.IndexByte("+-.", c) < 0) {
			return false
		}
	}
	return s != ""
}

// checkOriginHost checks a name or address; "*" may be in it, for patterns.
func checkOriginHost(h string) error {
	if h == "" {
		return errors.New("it has no host")
	}
	for i := range len(h) {
		c := h[i]
		alnum := '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
		switch {
		case c >= 0x80:
			return errors.New("give the host's name as browsers send it, in ASCII (xn--…)")
		case c == '@':
			return errors.New("an origin has no user")
		case h[0] == '[':
			if !alnum && strings.IndexByte("[]:.", c) < 0 || (c == '[') != (i == 0) || (c == ']') != (i == len(h)-1) {
				return fmt.Errorf("%q is no IPv6 address", h)
			}
		case !alnum && strings.IndexByte("-._*", c) < 0:
			return fmt.Errorf("%q may not be in a host's name", string(rune(c)))
		}
	}
	if h[0] == '.' || strings.Contains(h, "..") {
		return errors.New("an empty name is between two dots, or before the first")
	}
	return nil
}

// defaultPort is that of a scheme, 0 if it has none that is known (an extension's, an app's).
func defaultPort(scheme string) uint16 {
	switch strings.ToLower(scheme) {
	case "http", "ws":
		return 80
	case "https", "wss":
		return 443
	}
	return 0
}
