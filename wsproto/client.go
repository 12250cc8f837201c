package wsproto

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// ClientRequest is a client's opening handshake (RFC 6455, section 4.1).
type ClientRequest struct {
	// Target is path and query as they go to the wire. Empty means "/".
	Target string
	// Host is host[:port]. It must be given.
	Host string
	// Origin is sent when not empty; only browsers must.
	Origin string
	// Subprotocols are offered in this order: tokens, each once.
	Subprotocols []string
	// Deflate is offered when not nil: permessage-deflate (RFC 7692).
	Deflate *DeflateConfig
	// Header goes into the request, under the rules of Accept.Header.
	Header []HeaderField
}

// AppendRequest appends the request of r with key, 16 fresh random bytes. It
// returns dst unchanged and an error when r is malformed.
func AppendRequest(dst []byte, r ClientRequest, key [16]byte) ([]byte, error) {
	target := r.Target
	if target == "" {
		target = "/"
	}
	// Our own server side judges the target and the host.
	var check Request
	if target[0] != '/' || check.parseTarget([]byte("GET "+target), len("GET ")) != nil {
		return dst, fmt.Errorf("wsproto: %q is no path and query", r.Target)
	}
	if !validHost([]byte(r.Host), false) {
		return dst, fmt.Errorf("wsproto: %q is no host[:port]", r.Host)
	}
	if !all(r.Origin, isValue) {
		return dst, fmt.Errorf("wsproto: origin %q has a control character", r.Origin)
	}
	for i, s := range r.Subprotocols {
		if !validToken(s) || slices.Contains(r.Subprotocols[:i], s) {
			return dst, fmt.Errorf("wsproto: subprotocol %q is no token or comes twice", s)
		}
	}
	for _, h := range r.Header {
		if !validHeaderToSend(h) {
			return dst, fmt.Errorf("wsproto: header %q: %q may not be in a handshake", h.Name, h.Value)
		}
	}
	var offer deflateParams
	if r.Deflate != nil {
		var err error
		if offer, err = r.Deflate.offer(); err != nil {
			return dst, err
		}
	}
	dst = append(append(dst, "GET "...), target...)
	dst = appendField(append(dst, " HTTP/1.1\r\n"...), "Host", r.Host)
	dst = append(dst, "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "...)
	dst = append(base64.StdEncoding.AppendEncode(dst, key[:]), "\r\n"...)
	if r.Origin != "" {
		dst = appendField(dst, "Origin", r.Origin)
	}
	for i, s := range r.Subprotocols {
		if i == 0 {
			dst = append(dst, "Sec-WebSocket-Protocol: "...)
		} else {
			dst = append(dst, ", "...)
		}
		dst = append(dst, s...)
	}
	if len(r.Subprotocols) > 0 {
		dst = append(dst, "\r\n"...)
	}
	if r.Deflate != nil {
		dst = offer.appendTo(dst)
	}
	for _, h := range r.Header {
		dst = appendField(dst, h.Name, h.Value)
	}
	return append(dst, "\r\n"...), nil
}

// Response is a server's answer to a handshake.
type Response struct {
	// Status is 101 where ParseResponse returned no error.
	Status int
	// Subprotocol is the one that the server chose, empty for none.
	Subprotocol string
	// Deflate is what was agreed on, zero for no compression.
	Deflate Deflate
	// Header has all headers as sent.
	Header []HeaderField
}

// Get returns the first header called name, in any case, or "".
func (r *Response) Get(name string) string {
	for _, h := range r.Header {
		if equalFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

// ResponseError is a well-formed answer that opens no WebSocket.
type ResponseError struct {
	// Response has the status and headers: of a refusal (401 and
	// WWW-Authenticate, 429 and Retry-After...), or of a 101 that is wrong.
	Response Response
	// Reason says what is wrong.
	Reason string
}

// Error returns the status and Reason.
func (e *ResponseError) Error() string {
	return "wsproto: the server answered " + strconv.Itoa(e.Response.Status) + ": " + e.Reason
}

// ErrMalformedResponse is what ParseResponse's error wraps when the head is
// no HTTP/1.1 response.
var ErrMalformedResponse = errors.New("malformed HTTP response")

// ParseResponse is ClientRequest.ParseResponse for a request with nothing but
// these subprotocols.
func ParseResponse(head []byte, key [16]byte, offered []string) (Response, error) {
	return ClientRequest{Subprotocols: offered}.ParseResponse(head, key)
}

// ParseResponse reads head, all of it up to and including the empty line
// ([HeadEnd]), and checks it against the request and its key (RFC 6455, section
// 4.1): status, Upgrade, Connection, Sec-WebSocket-Accept, a subprotocol among
// those offered, and no extension but the permessage-deflate that was offered,
// with no parameters but those that answer the offer (RFC 7692, section 7.1).
// Whatever follows head are frames.
//
// The error is a *ResponseError when the head could be read but opens no
// WebSocket, and otherwise wraps [ErrMalformedResponse]; lines are bounded as
// a request's by default.
func (q ClientRequest) ParseResponse(head []byte, key [16]byte) (Response, error) {
	var (
		f fields
		r Response
	)
	if len(head) > MaxHead {
		return r, malformed("head too large")
	}
	line, err := cutLine(head, 0, DefaultMaxLine, errLineTooLong)
	if err == nil {
		if r.Status = parseStatusLine(line); r.Status == 0 {
			return r, malformed("status line")
		}
		err = f.parse(head, len(line)+2, Limits{})
	}
	if err != nil {
		return Response{}, malformed(err.(*Refusal).Reason)
	}
	text := string(head)
	r.Header = make([]HeaderField, len(f.lines))
	for i, l := range f.lines {
		r.Header[i] = HeaderField{text[l.name.from:l.name.to], text[l.value.from:l.value.to]}
	}
	reason := f.checkAccepted(r.Status, key)
	if reason == "" {
		r.Subprotocol = string(f.value(protocolField))
		if n := f.known[protocolField].count; n > 1 || n == 1 && !slices.Contains(q.Subprotocols, r.Subprotocol) {
			reason = "a subprotocol that was not offered"
		}
	}
	if reason == "" {
		r.Deflate, reason = f.checkExtensions(q.Deflate)
	}
	if reason != "" {
		return r, &ResponseError{Response: r, Reason: reason}
	}
	return r, nil
}

func malformed(what string) error { return fmt.Errorf("wsproto: %w: %s", ErrMalformedResponse, what) }

// parseStatusLine returns the status of "HTTP/1.1 101 reason" (RFC 9112,
// section 4), or 0. The reason may be empty, the space before it not.
func parseStatusLine(line []byte) int {
	const form = "HTTP/1.1 101 "
	if len(line) < len(form) || string(line[:7]) != form[:7] || !digit(line[7]) || line[8] != ' ' ||
		line[12] != ' ' || !allDigits(line[9:12]) || !all(line[len(form):], isValue) {
		return 0
	}
	status := int(line[9]-'0')*100 + int(line[10]-'0')*10 + int(line[11]-'0')
	if status < 100 || status == 101 && line[7] == '0' {
		return 0
	}
	return status
}

// checkAccepted returns what is wrong with an answer, or "".
func (f *fields) checkAccepted(status int, key [16]byte) string {
	if status != 101 {
		return "it does not open a WebSocket"
	}
	var encoded [keyLen]byte
	base64.StdEncoding.Encode(encoded[:], key[:])
	switch {
	case f.known[upgradeField].count != 1 || !equalFold(f.value(upgradeField), "websocket"):
		return "Upgrade is not websocket"
	case !f.listOf(connectionField, validToken[[]byte]) || !f.lists(connectionField, "upgrade"):
		return "Connection is not Upgrade"
	case f.known[acceptField].count != 1 || !bytes.Equal(f.value(acceptField), appendAcceptKey(nil, encoded[:])):
		return "Sec-WebSocket-Accept does not match the key"
	case f.known[transferField].count > 0 || f.known[lengthField].count > 0 && string(f.value(lengthField)) != "0":
		return "a body"
	}
	return ""
}
