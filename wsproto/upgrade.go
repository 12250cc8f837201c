package wsproto

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"iter"
)

// keyLen is the length of 16 bytes in base64.
const keyLen = 24

// acceptSuffix is appended to the key (RFC 6455, section 1.3).
const acceptSuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// IsUpgrade reports whether the request asks for a WebSocket at all: by an
// Upgrade header that lists websocket, or, when a proxy dropped that, by a
// Sec-WebSocket-Key. A request that does not is plain HTTP; one that does is
// for [Request.CheckUpgrade] to judge.
func (r *Request) IsUpgrade() bool {
	return r.known[keyField].count > 0 || r.lists(upgradeField, "websocket")
}

// CheckUpgrade checks the opening handshake (RFC 6455, section 4.2.1). Nil
// says that 101 may be answered; otherwise it is a *Refusal: 405 for a method
// that is not GET, 505 for HTTP/1.0, 426 with Sec-WebSocket-Version: 13 for
// another version, 426 where Upgrade: websocket is missing, and 400 for
// anything wrong: no host, Connection without upgrade, a key that is not 16
// bytes in base64, a header that must not come twice and does, a malformed
// list of tokens, subprotocols or extensions, or a body announced
// (Content-Length: 0 is none). Origin is for the caller to judge.
func (r *Request) CheckUpgrade() error {
	switch {
	case string(r.bytes(r.method)) != "GET":
		return errMethod
	case r.minor == 0:
		return errHTTP10
	case r.host.empty():
		return errNoHost
	}
	for _, id := range [...]int{keyField, versionField, originField, lengthField} {
		if r.known[id].count > 1 {
			return errRepeated
		}
	}
	if !r.listOf(upgradeField, validProtocol) || !r.listOf(connectionField, validToken[[]byte]) {
		return errListSyntax
	}
	switch {
	case !r.lists(upgradeField, "websocket"):
		return errNotUpgrade
	case !r.lists(connectionField, "upgrade"):
		return errConnection
	}
	if v := r.value(versionField); string(v) != "13" {
		if len(v) == 0 || len(v) > 3 || !allDigits(v) || v[0] == '0' && len(v) > 1 {
			return errNoVersion
		}
		return errVersion
	}
	switch {
	case !validKey(r.value(keyField)):
		return errKey
	case r.known[transferField].count > 0:
		return errBody
	case r.known[lengthField].count > 0 && string(r.value(lengthField)) != "0":
		return errBody
	case !r.listOf(protocolField, validToken[[]byte]) || r.emptyList(protocolField):
		return errSubprotocol
	}
	if r.emptyList(extensionsField) {
		return errExtensions
	}
	if !r.eachExtension(nil, func([]byte) bool { return true }) {
		return errExtensions
	}
	return nil
}

// validProtocol checks an element of Upgrade: name[/version] (RFC 9110,
// section 7.8).
func validProtocol(e []byte) bool {
	name, version, has := bytes.Cut(e, []byte("/"))
	return validToken(name) && (!has || validToken(version))
}

// validKey checks that key decodes to 16 bytes. Bits beyond them in the last
// letter may be set: they mean nothing (RFC 4648, section 3.5).
func validKey(key []byte) bool {
	return len(key) == keyLen && all(key[:keyLen-2], isBase64) && string(key[keyLen-2:]) == "=="
}

// Subprotocols yields the subprotocols that the client offers, the one it
// likes best first (RFC 6455, section 11.3.4).
func (r *Request) Subprotocols() iter.Seq[string] {
	return func(yield func(string) bool) {
		r.listOf(protocolField, func(e []byte) bool { return yield(string(e)) })
	}
}

// SameOrigin reports whether a page may open this connection without more
// being known of it: there is no Origin header, as from clients that are no
// browsers, or it names the host and port that the request is for, in any
// case, with or without its scheme's default port. The scheme itself is not
// compared, since a proxy may have ended TLS (RFC 6454; RFC 6455, section
// 10.2). An opaque origin, "null", is never the same.
func (r *Request) SameOrigin() bool {
	origin := r.value(originField)
	if n := r.known[originField].count; n != 1 {
		return n == 0
	}
	n := schemeLen(origin)
	if n == 0 || !validHost(origin[n:], false) || r.host.empty() {
		return false
	}
	defaultPort := "80"
	if n == len("https://") || n == len("wss://") {
		defaultPort = "443"
	}
	name, port := splitPort(origin[n:])
	ownName, ownPort := splitPort(r.bytes(r.host))
	if len(port) == 0 {
		port = []byte(defaultPort)
	}
	if len(ownPort) == 0 {
		ownPort = []byte(defaultPort)
	}
	return bytes.Equal(port, ownPort) && equalFold(name, ownName)
}

// Accept is the answer to a handshake that is granted.
type Accept struct {
	// Subprotocol is one of the request's, or empty for none.
	Subprotocol string
	// Deflate is what Request.NegotiateDeflate returned. Zero accepts no
	// extension.
	Deflate Deflate
	// Header goes into the response. Names must be tokens, values free of
	// control characters and of space around them, and none may be the
	// handshake's own or about a body.
	Header []HeaderField
}

// AppendAccept appends the 101 that answers r, which must have passed
// CheckUpgrade (RFC 6455, section 4.2.2). It returns dst unchanged and an
// error when a may not be sent: that is the caller's mistake, and the client
// should get a 500.
func AppendAccept(dst []byte, r *Request, a Accept) ([]byte, error) {
	key := r.value(keyField)
	if !validKey(key) {
		return dst, fmt.Errorf("wsproto: accepting a request without a valid key: call CheckUpgrade first")
	}
	if a.Subprotocol != "" && !r.offers(a.Subprotocol) {
		return dst, fmt.Errorf("wsproto: subprotocol %q was not offered by the client", a.Subprotocol)
	}
	for _, h := range a.Header {
		if !validHeaderToSend(h) {
			return dst, fmt.Errorf("wsproto: header %q: %q may not be in a handshake's answer", h.Name, h.Value)
		}
	}
	start := len(dst)
	dst = append(dst, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	dst = appendAcceptKey(dst, key)
	dst = append(dst, "\r\n"...)
	if a.Subprotocol != "" {
		dst = appendField(dst, "Sec-WebSocket-Protocol", a.Subprotocol)
	}
	if a.Deflate.negotiated() {
		var offered bool
		if dst, offered = r.appendAnswer(dst, a.Deflate); !offered {
			return dst[:start], fmt.Errorf("wsproto: %+v was not offered by the client: use what NegotiateDeflate returned", a.Deflate)
		}
	}
	for _, h := range a.Header {
		dst = appendField(dst, h.Name, h.Value)
	}
	return append(dst, "\r\n"...), nil
}

func (r *Request) offers(subprotocol string) bool {
	return !r.listOf(protocolField, func(e []byte) bool { return string(e) != subprotocol })
}

// appendAcceptKey appends what proves that the handshake was understood
// (RFC 6455, section 4.2.2, item 5.4). key has keyLen bytes.
func appendAcceptKey(dst, key []byte) []byte {
	var whole [keyLen + len(acceptSuffix)]byte
	copy(whole[copy(whole[:], key):], acceptSuffix)
	sum := sha1.Sum(whole[:])
	return base64.StdEncoding.AppendEncode(dst, sum[:])
}
