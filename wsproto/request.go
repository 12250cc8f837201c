package wsproto

import (
	"bytes"
	"crypto/tls"
	"iter"
	"slices"
	"unsafe"
)

// HeadEnd returns the position just past the empty line that ends a head, or
// 0 when b has none yet. from is where the last call's b ended: only what is
// new gets scanned, so that a peer that sends byte by byte costs no more.
func HeadEnd(b []byte, from int) int {
	from = max(from-3, 0)
	if from >= len(b) {
		return 0
	}
	if i := bytes.Index(b[from:], []byte("\r\n\r\n")); i >= 0 {
		return from + i + 4
	}
	return 0
}

// maxMethod is the length in bytes of the longest method. The longest
// registered one has 17.
const maxMethod = 32

// CheckPrefix says early what b, the first bytes of a connection, can no
// longer become: it returns a *Refusal when they are no HTTP request line, so
// that such a peer need not be waited for, and nil while they may be one. A
// TLS ClientHello and the PROXY protocol are told apart, because it is an
// operator who will read that. [Request.Parse] judges for good.
func CheckPrefix(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	if b[0] == 0x16 { // a TLS record of type handshake (RFC 8446, section 5.1)
		return errTLS
	}
	if bytes.HasPrefix(b, []byte("PROXY ")) || len(b) >= 5 && string(b[:5]) == "\r\n\r\n\x00" {
		return errProxyProtocol
	}
	if b[0] == '\r' && len(b) < 5 && string(b) == "\r\n\r\n\x00"[:len(b)] {
		return nil
	}
	space := bytes.IndexByte(b[:min(len(b), maxMethod+1)], ' ')
	if space < 0 {
		if len(b) > maxMethod || !all(b, isToken) {
			return errNotHTTP
		}
		return nil
	}
	if space == 0 || !all(b[:space], isToken) {
		return errNotHTTP
	}
	line := b[space+1:]
	if end := bytes.IndexByte(line, '\n'); end >= 0 {
		if end == 0 || line[end-1] != '\r' {
			return errBareLF
		}
		line = line[:end-1]
		// The line that an SSH client starts with has a method and a target, too,
		// and nothing follows it before the server has spoken.
		if n := len(line) - len(" HTTP/1.1"); n < 0 || string(line[n:n+6]) != " HTTP/" {
			return errNotHTTP
		}
	}
	if !all(bytes.TrimSuffix(line[:min(len(line), 64)], []byte("\r")), isValue) {
		return errNotHTTP
	}
	return nil
}

// Request is a parsed head of an HTTP/1.x request: offsets into the bytes
// given to Parse, which must stay and stay unchanged as long as the Request is
// used. [Request.Clone] makes one that stands alone. The strings that methods
// return are copies. The zero value is ready for Parse, and Parse may be
// called again for the next request; it belongs to one goroutine at a time.
type Request struct {
	fields
	method, target, path, query, host span

	minor byte // of HTTP/1.minor
	owned bool // head is a clone's own, and immutable

	// TLS is the connection's, set by a server for who decides about the
	// request, such as by the client's certificates (PeerCertificates,
	// VerifiedChains). It is nil without TLS, after Parse,
	// and in a Clone.
	TLS *tls.ConnectionState

	values []pathValue
}

// Parse reads head, which must be all up to and including the empty line
// ([HeadEnd]). It takes any well-formed HTTP/1.x request, so that one which
// asks for no upgrade can be handed on, and returns a *Refusal for anything
// else; it corrects nothing and guesses nothing. Refused are, with 400 where
// nothing else is said (RFC 9112, sections 2.2, 3, 5 and 6):
//
//   - bare CR, bare LF, NUL or another control character anywhere, an empty
//     line at the start, bytes behind the end
//   - a method or header name that is not a token, so also an empty name and
//     space before the colon; folded lines
//   - a target that is none of the four forms, has a fragment, or bytes that
//     no URL has; user information in a host
//   - a version other than HTTP/1.x (505)
//   - no Host in HTTP/1.1, more than one, or one that is no host
//   - a line, number of lines, or head over its limit (414, 431)
//
// A target in absolute form is taken apart, as section 3.2.2 wants: Path,
// RawQuery and Host are its own, the Host header does not count. Lengths and
// encodings of a body are not looked at: who reads the body judges them, and
// for an upgrade [Request.CheckUpgrade] does.
//
// Parse allocates nothing once the Request has seen as many headers. After an
// error the Request is empty.
func (r *Request) Parse(head []byte, l Limits) error {
	*r = Request{fields: fields{lines: r.lines[:0]}}
	err := r.parse(head, l)
	if err != nil {
		*r = Request{fields: fields{lines: r.lines[:0]}}
	}
	return err
}

func (r *Request) parse(head []byte, l Limits) error {
	if len(head) > MaxHead {
		return errHeadTooLarge
	}
	line, err := cutLine(head, 0, l.line(), errLineTooLong)
	if err != nil {
		return err
	}
	r.head = head
	if err := r.parseLine(line); err != nil {
		return err
	}
	if err := r.fields.parse(head, len(line)+2, l); err != nil {
		return err
	}
	switch hosts := r.known[hostField].count; {
	case hosts > 1:
		return errHosts
	case hosts == 0 && r.minor > 0:
		return errNoHost
	case hosts == 1:
		if !validHost(r.value(hostField), true) {
			return errHost
		}
		if r.host.empty() {
			r.host = r.lines[r.known[hostField].first].value
		}
	}
	return nil
}

// parseLine reads the request line (RFC 9112, section 3).
func (r *Request) parseLine(line []byte) error {
	first, last := bytes.IndexByte(line, ' '), bytes.LastIndexByte(line, ' ')
	if first < 0 || first == last || first > maxMethod || !validToken(line[:first]) {
		return errRequestLine
	}
	version := line[last+1:]
	if len(version) != 8 || string(version[:5]) != "HTTP/" || !digit(version[5]) || version[6] != '.' || !digit(version[7]) {
		return errRequestLine
	}
	r.method, r.target = spanOf(0, first), spanOf(first+1, last)
	if version[5] != '1' {
		return errHTTPVersion
	}
	r.minor = version[7] - '0'
	return r.parseTarget(line[:last], first+1)
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// parseTarget reads the request target, line[at:] (RFC 9112, section 3.2).
func (r *Request) parseTarget(line []byte, at int) error {
	target := line[at:]
	connect := string(line[:at-1]) == "CONNECT"
	switch {
	case len(target) == 0:
		return errTarget
	case connect:
		if colon := bytes.LastIndexByte(target, ':'); colon <= 0 || colon == len(target)-1 || !validHost(target, false) {
			return errTarget
		}
		r.host = r.target
		return nil
	case target[0] == '*':
		if len(target) > 1 || string(line[:at-1]) != "OPTIONS" {
			return errTarget
		}
		r.path = r.target
		return nil
	case target[0] != '/':
		n := schemeLen(target)
		if n == 0 {
			return errTarget
		}
		end := len(line)
		if i := bytes.IndexAny(target[n:], "/?"); i >= 0 {
			end = at + n + i
		}
		r.host = spanOf(at+n, end)
		if !validHost(line[at+n:end], false) {
			return errTarget
		}
		at = end
	}
	end := len(line)
	r.query = spanOf(end, end)
	if q := bytes.IndexByte(line[at:], '?'); q >= 0 {
		r.query = spanOf(at+q+1, end)
		if !all(line[at+q+1:], isQuery) {
			return errTarget
		}
		end = at + q
	}
	r.path = spanOf(at, end)
	if path := line[at:end]; !all(path, isPath) || !validEscapes(path) {
		return errTarget
	}
	return nil
}

// schemeLen returns the length of an HTTP or WebSocket URL's "scheme://".
func schemeLen(url []byte) int {
	for _, s := range [...]string{"http://", "https://", "ws://", "wss://"} {
		if len(url) >= len(s) && equalFold(url[:len(s)], s) {
			return len(s)
		}
	}
	return 0
}

func validEscapes(s []byte) bool {
	for {
		i := bytes.IndexByte(s, '%')
		if i < 0 {
			return true
		}
		if len(s) < i+3 || !all(s[i+1:i+3], isHex) {
			return false
		}
		s = s[i+3:]
	}
}

// validHost checks host[:port] (RFC 3986, section 3.2).
func validHost(h []byte, mayBeEmpty bool) bool {
	if len(h) == 0 {
		return mayBeEmpty
	}
	name, port := splitPort(h)
	if len(port) > 5 || !allDigits(port) || len(port) == 5 && string(port) > "65535" {
		return false
	}
	if name[0] != '[' {
		for _, c := range name {
			if c != '%' && classes[c]&isHost == 0 {
				return false
			}
		}
		return validEscapes(name)
	}
	if len(name) < 4 || name[len(name)-1] != ']' {
		return false
	}
	for _, c := range name[1 : len(name)-1] {
		if c != ':' && c != '.' && classes[c]&isHex == 0 {
			return false
		}
	}
	return true
}

func allDigits(s []byte) bool {
	for _, c := range s {
		if !digit(c) {
			return false
		}
	}
	return true
}

// splitPort splits host[:port]. A name that is empty comes back as "[" so
// that it is no valid host.
func splitPort(h []byte) (name, port []byte) {
	if i := bytes.LastIndexByte(h, ':'); i >= 0 && bytes.IndexByte(h[i:], ']') < 0 {
		h, port = h[:i], h[i+1:]
	}
	if len(h) == 0 {
		h = []byte("[")
	}
	return h, port
}

// string returns s as a string: a copy, or a piece of a clone's own head.
func (r *Request) string(s span) string {
	b := r.bytes(s)
	if r.owned && len(b) > 0 {
		return unsafe.String(&b[0], len(b)) // nobody writes to a clone's head
	}
	return string(b)
}

// Method returns the method as sent.
func (r *Request) Method() string { return r.string(r.method) }

// Target returns the request target as sent.
func (r *Request) Target() string { return r.string(r.target) }

// Path returns the target's path as sent, so still percent-encoded and with
// its dot segments: "/" at least, "*" for OPTIONS *, "" for CONNECT.
func (r *Request) Path() string {
	if r.path.empty() && !r.target.empty() && !r.isConnect() {
		return "/"
	}
	return r.string(r.path)
}

func (r *Request) isConnect() bool { return string(r.bytes(r.method)) == "CONNECT" }

// RawQuery returns what follows the target's "?", as sent.
func (r *Request) RawQuery() string { return r.string(r.query) }

// Host returns the host[:port] that the request is for: of an absolute
// target, or of the Host header. It may be empty in a request that is no
// upgrade.
func (r *Request) Host() string { return r.string(r.host) }

// Origin returns the Origin header, or "".
func (r *Request) Origin() string { return string(r.value(originField)) }

// Header returns the value of the first header called name, in any case, or
// "".
func (r *Request) Header(name string) string {
	for value := range r.Values(name) {
		return value
	}
	return ""
}

// Values yields the values of all headers called name, in any case.
func (r *Request) Values(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, line := range r.lines {
			if equalFold(r.bytes(line.name), name) && !yield(r.string(line.value)) {
				return
			}
		}
	}
}

// Headers yields all headers as sent, names in the peer's spelling.
func (r *Request) Headers() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, line := range r.lines {
			if !yield(r.string(line.name), r.string(line.value)) {
				return
			}
		}
	}
}

// Clone returns a copy that stands alone and may be kept; it costs the head's
// size and eight bytes a header. Any number of goroutines may read a clone,
// and the strings it returns are pieces of it, not copies.
func (r *Request) Clone() *Request {
	c := *r
	c.head = bytes.Clone(r.head)
	c.lines = append(make([]field, 0, len(r.lines)), r.lines...)
	c.values = slices.Clone(r.values)
	c.owned, c.TLS = true, nil // several KiB, of the connection and not of the request
	return &c
}
