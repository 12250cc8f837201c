package server

import (
	"net/http"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/wsproto"
)

// Reason says why a connection ended or was never opened. It is one vocabulary for all who ask: the close code and its text on
// the wire, the field "reason" in the log (of ends at a bound), the label in Stats, and what OnClose gets.
type Reason uint8

// The reasons for which an open connection ends. A field without a type in front is the Route's or the Config's.
const (
	ReasonNone           Reason = iota
	ReasonPeer                  // the peer closed; Close.Code is the peer's
	ReasonLocal                 // the application called Conn.Close
	ReasonEOF                   // the peer ended its stream without a Close frame (1006)
	ReasonReset                 // the transport broke: a reset or a failed write (1006)
	ReasonProtocol              // the peer broke RFC 6455 (1002)
	ReasonInvalidText           // a text message or a close reason was not UTF-8 (1007)
	ReasonTooBig                // a message over MaxMessage (1009)
	ReasonFragments             // a message of too many frames (1008)
	ReasonMessageTimeout        // a message was not complete within Config.MessageTimeout (1008)
	ReasonPingTimeout           // nothing was heard within Config.PingGrace of a ping (1006)
	ReasonSlow                  // more unsent bytes than Config.MaxOutbound, under the policy SlowClose (1013)
	ReasonPanic                 // a handler panicked (1011)
	ReasonShutdown              // the server is going away (1001)
	ReasonRate                  // the peer sent more than Rates allow (4429)
	ReasonExpired               // the authentication has expired, or did not come within AuthTimeout (4401)
)

// The reasons for which a connection was refused before it was open.
const (
	ReasonRefusedRequest   Reason = iota + ReasonExpired + 1 // not an acceptable WebSocket handshake (400, 404, 405, 426, …)
	ReasonRefusedHead                                        // a request head over its bounds (414, 431)
	ReasonRefusedOrigin                                      // an Origin that is not this host's (403)
	ReasonRefusedByApp                                       // Authorize said no
	ReasonRefusedFull                                        // Config.MaxConns, Route.MaxConns or Config.MaxHTTP is reached, or the server is shutting down (503)
	ReasonHandshakeTimeout                                   // no complete request within Config.HandshakeTimeout (408)
	ReasonHandshakeGone                                      // the peer left before its handshake was answered
	ReasonHandshakeTLS                                       // TLS could not be agreed on
	ReasonRefusedProxy                                       // no PROXY header where one must be, a malformed one, or a peer that is no proxy (400, 403)
	ReasonRefusedAddress                                     // more from one address than Config.PerAddress allows (429)
	reasons                                                  // how many there are
)

var reasonTable = [reasons]struct {
	name  string
	code  ws.StatusCode // what goes on the wire, or what RFC 6455 7.1.5 has the end reported as; 0 where it depends
	text  string
	bound bool // one of Config's bounds was met: logged, once a second
}{
	ReasonNone:             {name: "none"},
	ReasonPeer:             {name: "peer"},
	ReasonLocal:            {name: "local"},
	ReasonEOF:              {name: "eof", code: ws.StatusAbnormalClosure},
	ReasonReset:            {name: "reset", code: ws.StatusAbnormalClosure},
	ReasonProtocol:         {name: "protocol", code: ws.StatusProtocolError},
	ReasonInvalidText:      {name: "invalid_text", code: ws.StatusInvalidFramePayloadData},
	ReasonTooBig:           {name: "too_big", code: ws.StatusMessageTooBig, bound: true},
	ReasonFragments:        {name: "fragments", code: ws.StatusPolicyViolation, bound: true},
	ReasonMessageTimeout:   {name: "message_timeout", code: ws.StatusPolicyViolation, text: "message timeout", bound: true},
	ReasonPingTimeout:      {name: "ping_timeout", code: ws.StatusAbnormalClosure, text: "ping timeout", bound: true},
	ReasonSlow:             {name: "slow", code: StatusTryAgainLater, text: "reading too slowly", bound: true},
	ReasonPanic:            {name: "panic", code: ws.StatusInternalServerError, text: "internal error"},
	ReasonShutdown:         {name: "shutdown", code: ws.StatusGoingAway, text: "server is shutting down"},
	ReasonRate:             {name: "rate", code: StatusTooManyMessages, text: "too many messages", bound: true},
	ReasonExpired:          {name: "expired", code: StatusUnauthorized, text: "authentication expired"},
	ReasonRefusedRequest:   {name: "refused_request"},
	ReasonRefusedHead:      {name: "refused_head", bound: true},
	ReasonRefusedOrigin:    {name: "refused_origin"},
	ReasonRefusedByApp:     {name: "refused_by_app"},
	ReasonRefusedFull:      {name: "refused_full", bound: true},
	ReasonHandshakeTimeout: {name: "handshake_timeout", bound: true},
	ReasonHandshakeGone:    {name: "handshake_gone"},
	ReasonHandshakeTLS:     {name: "handshake_tls"},
	ReasonRefusedProxy:     {name: "refused_proxy"},
	ReasonRefusedAddress:   {name: "refused_address", bound: true},
}

// StatusTryAgainLater is the close code 1013, registered with IANA after RFC 6455: the condition is temporary.
const StatusTryAgainLater ws.StatusCode = 1013

// Close codes of the range for applications (RFC 6455 7.4.2), each 4000 and the HTTP status that says the same.
const (
	StatusUnauthorized    ws.StatusCode = 4401
	StatusTooManyMessages ws.StatusCode = 4429
)

// String is the reason's name in logs and metrics: lower case, stable.
func (r Reason) String() string {
	if r >= reasons {
		return "unknown"
	}
	return reasonTable[r].name
}

// Code is the close code of the reason; 0 for ReasonPeer and ReasonLocal, whose code comes with the Close, and for refusals.
func (r Reason) Code() ws.StatusCode {
	if r >= reasons {
		return 0
	}
	return reasonTable[r].code
}

// Reasons returns all reasons but ReasonNone, in a fixed order: for who labels metrics.
func Reasons() []Reason {
	all := make([]Reason, 0, reasons-1)
	for r := ReasonNone + 1; r < reasons; r++ {
		all = append(all, r)
	}
	return all
}

// Refused says whether the reason is one for which a connection was never opened.
func (r Reason) Refused() bool { return r > ReasonExpired && r < reasons }

// reasonOfCode names the reason of a protocol error by its close code.
func reasonOfCode(code ws.StatusCode) Reason {
	switch code {
	case ws.StatusInvalidFramePayloadData:
		return ReasonInvalidText
	case ws.StatusMessageTooBig:
		return ReasonTooBig
	case ws.StatusPolicyViolation:
		return ReasonFragments
	}
	return ReasonProtocol
}

// reasonOfRefusal names the reason for which a handshake was refused before Authorize was asked.
func reasonOfRefusal(r *wsproto.Refusal) Reason {
	if r == errOrigin {
		return ReasonRefusedOrigin
	}
	switch r.Status {
	case http.StatusRequestURITooLong, http.StatusRequestHeaderFieldsTooLarge:
		return ReasonRefusedHead
	case http.StatusServiceUnavailable:
		return ReasonRefusedFull
	case http.StatusRequestTimeout:
		return ReasonHandshakeTimeout
	}
	return ReasonRefusedRequest
}
