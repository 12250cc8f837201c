package wsproto

import (
	"iter"
	"net/http"
	"strconv"
)

// Refusal is the answer to a request that gets no 101. It is an error.
// Those of this package are shared values: do not change them, make your own.
type Refusal struct {
	// Status is the HTTP status, 300 to 599; anything else is sent as 500.
	Status int
	// Reason is a short phrase in lower case, for logs and counters. This
	// package's are constant: they never hold what a peer sent.
	Reason string
	// Header goes into the response. A field that is malformed, or one of
	// Connection, Content-Length, Transfer-Encoding, Upgrade, Host and
	// Trailer, is left out.
	Header []HeaderField
	// Body is the response's text. Empty means status and reason.
	Body string
}

// Error returns status and reason.
func (r *Refusal) Error() string {
	return "wsproto: refused with " + strconv.Itoa(r.Status) + ": " + r.Reason
}

func refusal(status int, reason, body string, header ...HeaderField) error {
	return &Refusal{Status: status, Reason: reason, Body: body, Header: header}
}

var offerVersion = HeaderField{"Sec-WebSocket-Version", "13"}

// All that a request can be refused for, built once: a flood of bad requests
// costs no allocation.
var (
	errTLS = refusal(400, "TLS on a plain port", "This port speaks plain HTTP and ws://, not TLS: connect with ws://, or put a proxy that ends TLS in front.\n")
	// The PROXY protocol is a proxy's setting that the operator must see named.
	errProxyProtocol = refusal(400, "PROXY protocol on a plain port", "This port does not take the PROXY protocol: switch it off in the proxy.\n")

	errNotHTTP        = refusal(400, "not HTTP", "")
	errEndOfHead      = refusal(400, "head does not end in one empty line", "")
	errBareLF         = refusal(400, "line feed without carriage return", "")
	errRequestLine    = refusal(400, "malformed request line", "")
	errHTTPVersion    = refusal(505, "HTTP version is not 1.x", "")
	errTarget         = refusal(400, "malformed request target", "")
	errLineTooLong    = refusal(414, "request line too long", "")
	errHeaderTooLong  = refusal(431, "header line too long", "")
	errTooManyHeaders = refusal(431, "too many headers", "")
	errHeadTooLarge   = refusal(431, "head too large", "")
	errFolded         = refusal(400, "folded header line", "")
	errHeaderName     = refusal(400, "malformed header name", "")
	errHeaderValue    = refusal(400, "control character in a header", "")
	errNoHost         = refusal(400, "Host header missing", "")
	errHosts          = refusal(400, "more than one Host header", "")
	errHost           = refusal(400, "malformed host", "")

	errMethod      = refusal(405, "method is not GET", "", HeaderField{"Allow", "GET"})
	errHTTP10      = refusal(505, "websocket over HTTP/1.0", "A WebSocket needs HTTP/1.1 or later: in nginx, set proxy_http_version 1.1.\n")
	errNotUpgrade  = refusal(426, "no upgrade to websocket", "This address wants a WebSocket: Upgrade: websocket is missing. Does a proxy in between drop it?\n")
	errConnection  = refusal(400, "Connection header without upgrade", "Connection: Upgrade is missing. Does a proxy in between drop it?\n")
	errRepeated    = refusal(400, "repeated handshake header", "")
	errListSyntax  = refusal(400, "malformed list in a handshake header", "")
	errNoVersion   = refusal(400, "no valid Sec-WebSocket-Version", "", offerVersion)
	errVersion     = refusal(426, "websocket version is not 13", "", offerVersion)
	errKey         = refusal(400, "Sec-WebSocket-Key is not 16 bytes in base64", "")
	errBody        = refusal(400, "upgrade request with a body", "")
	errSubprotocol = refusal(400, "malformed Sec-WebSocket-Protocol", "")
	errExtensions  = refusal(400, "malformed Sec-WebSocket-Extensions", "")
)

// Fields yields those of Header that go into the response. Any goroutine.
func (r *Refusal) Fields() iter.Seq[HeaderField] {
	return func(yield func(HeaderField) bool) {
		for _, h := range r.Header {
			if (validHeaderToSend(h) || h == offerVersion) && !yield(h) {
				return
			}
		}
	}
}

// AppendRefusal appends the response that tells a client r. The connection
// closes after it. It may be called from any goroutine.
func AppendRefusal(dst []byte, r *Refusal) []byte {
	status := r.Status
	if status < 300 || status > 599 {
		status = http.StatusInternalServerError
	}
	text := http.StatusText(status)
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(status), 10)
	dst = append(append(append(dst, ' '), text...), "\r\n"...)
	typed := false
	for h := range r.Fields() {
		typed = typed || equalFold(h.Name, "content-type")
		dst = appendField(dst, h.Name, h.Value)
	}
	if !typed {
		dst = append(dst, "Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n"...)
	}
	if status == http.StatusUpgradeRequired { // RFC 9110, sections 15.5.22 and 7.8
		dst = append(dst, "Upgrade: websocket\r\nConnection: close, Upgrade\r\n"...)
	} else {
		dst = append(dst, "Connection: close\r\n"...)
	}
	n := len(r.Body)
	if n == 0 {
		n = len("000 : \n") + len(text) + len(r.Reason)
	}
	dst = append(dst, "Content-Length: "...)
	dst = strconv.AppendInt(dst, int64(n), 10)
	dst = append(dst, "\r\n\r\n"...)
	if r.Body != "" {
		return append(dst, r.Body...)
	}
	dst = strconv.AppendInt(dst, int64(status), 10)
	dst = append(append(dst, ' '), text...)
	dst = append(append(dst, ": "...), r.Reason...)
	return append(dst, '\n')
}

func appendField(dst []byte, name, value string) []byte {
	dst = append(append(dst, name...), ": "...)
	return append(append(dst, value...), "\r\n"...)
}
