package wsproto

import (
	"bytes"
	"strings"
)

// Limits bounds a request's head, beside the caller's own bound on its size.
// The zero value has the defaults.
type Limits struct {
	// Line is the length in bytes of the longest line, its CR LF not counted.
	// Zero means DefaultMaxLine. A longer request line is refused with 414, a
	// longer header line with 431.
	Line int
	// Headers is the number of header lines. Zero means DefaultMaxHeaders.
	// More are refused with 431.
	Headers int
}

const (
	// DefaultMaxLine is the longest line in bytes when Limits.Line is zero.
	DefaultMaxLine = 4 << 10
	// DefaultMaxHeaders is the number of headers when Limits.Headers is zero.
	DefaultMaxHeaders = 64
	// MaxHead is the size in bytes of the largest head that can be parsed at
	// all: offsets into it take two bytes.
	MaxHead = 1<<16 - 1
)

func (l Limits) line() int {
	if l.Line == 0 {
		return DefaultMaxLine
	}
	return l.Line
}

func (l Limits) headers() int {
	if l.Headers == 0 {
		return DefaultMaxHeaders
	}
	return l.Headers
}

// HeaderField is a header to send, or one of a [Response].
type HeaderField struct{ Name, Value string }

// Classes of bytes in a head.
const (
	isToken byte = 1 << iota // RFC 9110, section 5.6.2
	isValue                  // RFC 9110, section 5.5: VCHAR, obs-text, SP, HTAB
	isPath                   // RFC 3986 pchar and "/", and what WHATWG URL leaves bare
	isQuery                  // the same for a query
	isHost                   // RFC 3986, section 3.2.2: reg-name, "%" apart
	isHex
	isBase64
)

var classes = classTable()

func classTable() (t [256]byte) {
	mark := func(class byte, chars string) {
		for i := range len(chars) {
			t[chars[i]] |= class
		}
	}
	const (
		digits   = "0123456789"
		letters  = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		unres    = digits + letters + "-._~"
		subDelim = "!$&'()*+,;="
	)
	mark(isToken, digits+letters+"!#$%&'*+-.^_`|~")
	mark(isHost, unres+subDelim)
	// Browsers send | ^ [ ] bare in a path, and { } ` \ too in a query.
	mark(isPath, unres+subDelim+":@/%|^[]")
	mark(isQuery, unres+subDelim+":@/%|^[]?{}`\\")
	mark(isHex, digits+"abcdefABCDEF")
	mark(isBase64, digits+letters+"+/")
	for c := range t {
		if c == '\t' || c >= ' ' && c != 0x7F {
			t[c] |= isValue
		}
	}
	return t
}

// all reports whether every byte of s is of the class.
func all[S []byte | string](s S, class byte) bool {
	for i := range len(s) {
		if classes[s[i]]&class == 0 {
			return false
		}
	}
	return true
}

func validToken[S []byte | string](s S) bool { return len(s) > 0 && all(s, isToken) }

// span is a piece of a head.
type span struct{ from, to uint16 }

func (s span) empty() bool { return s.from == s.to }

func spanOf(from, to int) span { return span{uint16(from), uint16(to)} }

// field is one header line.
type field struct{ name, value span }

// Headers that the handshake looks at.
const (
	unknown = iota
	hostField
	originField
	upgradeField
	connectionField
	lengthField
	transferField
	keyField
	acceptField
	versionField
	protocolField
	extensionsField
	knownFields
)

var knownNames = [knownFields]string{
	hostField:       "host",
	originField:     "origin",
	upgradeField:    "upgrade",
	connectionField: "connection",
	lengthField:     "content-length",
	transferField:   "transfer-encoding",
	keyField:        "sec-websocket-key",
	acceptField:     "sec-websocket-accept",
	versionField:    "sec-websocket-version",
	protocolField:   "sec-websocket-protocol",
	extensionsField: "sec-websocket-extensions",
}

func knownField(name []byte) int {
	for id := hostField; id < knownFields; id++ {
		if len(name) == len(knownNames[id]) && equalFold(name, knownNames[id]) {
			return id
		}
	}
	return unknown
}

// equalFold compares without regard to the case of ASCII letters.
// (bytes.EqualFold folds beyond them: U+212A would be a k.)
func equalFold[A, B []byte | string](a A, b B) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		c, d := a[i], b[i]
		if c != d && (c|0x20 != d|0x20 || c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return true
}

// fields is a parsed list of header lines.
type fields struct {
	head  []byte
	lines []field
	known [knownFields]struct{ first, count uint16 }
}

func (f *fields) bytes(s span) []byte { return f.head[s.from:s.to] }

// value returns the value of the first line of a known header.
func (f *fields) value(id int) []byte {
	if f.known[id].count == 0 {
		return nil
	}
	return f.bytes(f.lines[f.known[id].first].value)
}

// next returns the index of the line of known header id after i, or -1.
// Start with -1.
func (f *fields) next(id, i int) int {
	if f.known[id].count == 0 {
		return -1
	}
	if i++; i <= int(f.known[id].first) {
		return int(f.known[id].first)
	}
	if f.known[id].count == 1 {
		return -1
	}
	for ; i < len(f.lines); i++ {
		if equalFold(f.bytes(f.lines[i].name), knownNames[id]) {
			return i
		}
	}
	return -1
}

// parse reads the header lines of head from pos up to the empty line that
// must end it (RFC 9112, section 5). It guesses nothing: see Request.Parse.
func (f *fields) parse(head []byte, pos int, l Limits) error {
	f.head, f.lines = head, f.lines[:0]
	clear(f.known[:])
	maxLine, maxHeaders := l.line(), l.headers()
	for {
		line, err := cutLine(head, pos, maxLine, errHeaderTooLong)
		if err != nil {
			return err
		}
		if len(line) == 0 {
			if pos+2 != len(head) {
				return errEndOfHead
			}
			return nil
		}
		if line[0] == ' ' || line[0] == '\t' {
			return errFolded
		}
		colon := bytes.IndexByte(line, ':')
		if colon < 0 || !validToken(line[:colon]) {
			return errHeaderName
		}
		from, to := colon+1, len(line)
		for from < to && (line[from] == ' ' || line[from] == '\t') {
			from++
		}
		for from < to && (line[to-1] == ' ' || line[to-1] == '\t') {
			to--
		}
		if !all(line[from:to], isValue) {
			return errHeaderValue
		}
		if len(f.lines) == maxHeaders {
			return errTooManyHeaders
		}
		if id := knownField(line[:colon]); id != unknown {
			k := &f.known[id]
			if k.count == 0 {
				k.first = uint16(len(f.lines))
			}
			k.count++
		}
		f.lines = append(f.lines, field{spanOf(pos, pos+colon), spanOf(pos+from, pos+to)})
		pos += len(line) + 2
	}
}

// cutLine returns the line of head at pos without its CR LF.
func cutLine(head []byte, pos, longest int, tooLong error) ([]byte, error) {
	line := head[pos:]
	n := bytes.IndexByte(line[:min(len(line), longest+2)], '\n')
	switch {
	case n < 0 && len(line) >= longest+2:
		return nil, tooLong
	case n < 0:
		return nil, errEndOfHead
	case n == 0 || line[n-1] != '\r':
		return nil, errBareLF
	}
	return line[:n-1], nil
}

// elements calls yield with each element of a comma-separated list, without
// the space around it. Empty ones are passed over (RFC 9110, section 5.6.1.2).
func elements(list []byte, yield func([]byte) bool) bool {
	for len(list) > 0 {
		element := list
		if comma := bytes.IndexByte(list, ','); comma >= 0 {
			element, list = list[:comma], list[comma+1:]
		} else {
			list = nil
		}
		if element = bytes.Trim(element, " \t"); len(element) > 0 && !yield(element) {
			return false
		}
	}
	return true
}

// listOf reports whether valid holds for each element of a header's lines,
// which are one list.
func (f *fields) listOf(id int, valid func([]byte) bool) bool {
	for i := f.next(id, -1); i >= 0; i = f.next(id, i) {
		if !elements(f.bytes(f.lines[i].value), valid) {
			return false
		}
	}
	return true
}

// lists reports whether a header lists the element, in any case.
func (f *fields) lists(id int, element string) bool {
	return !f.listOf(id, func(e []byte) bool { return !equalFold(e, element) })
}

// emptyList reports whether a header is there but lists nothing.
func (f *fields) emptyList(id int) bool {
	return f.known[id].count > 0 && f.listOf(id, func([]byte) bool { return false })
}

// validHeaderToSend checks a header that a caller adds to a handshake
// message: CR, LF and the like would let its value write headers of its own.
// Those that frame the message or are the handshake's are not the caller's.
func validHeaderToSend(h HeaderField) bool {
	const handshake = "sec-websocket-"
	if !validToken(h.Name) || !all(h.Value, isValue) || strings.Trim(h.Value, " \t") != h.Value {
		return false
	}
	if len(h.Name) >= len(handshake) && equalFold(h.Name[:len(handshake)], handshake) {
		return false
	}
	for _, own := range []string{"upgrade", "connection", "content-length", "transfer-encoding", "host", "trailer"} {
		if equalFold(h.Name, own) {
			return false
		}
	}
	return true
}
