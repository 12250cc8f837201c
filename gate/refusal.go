package gate

import (
	"net/http"
	"strconv"

	"github.com/roostws/roost/wsproto"
)

// errManyConns answers ManyConns. It is 429, not 503, because the client is at its bound, not the server: a proxy that saw 503
// would send the client on to the next server, or take this one for broken. When a connection will end nobody knows, so there is
// no Retry-After.
var errManyConns = &wsproto.Refusal{Status: http.StatusTooManyRequests, Reason: "too many connections from this address",
	Body: "too many connections from this address; close one first\n"}

// manyHandshakes are the answers to ManyHandshakes, by the seconds to wait less one: built once, so that a flood costs nothing.
var manyHandshakes = func() (all [maxWait]*wsproto.Refusal) {
	for i := range all {
		all[i] = &wsproto.Refusal{Status: http.StatusTooManyRequests, Reason: "too many handshakes from this address",
			Header: []wsproto.HeaderField{{Name: "Retry-After", Value: strconv.Itoa(i + 1)}},
			Body:   "too many handshakes from this address; try again later\n"}
	}
	return all
}()

// maxWait is the longest Retry-After in seconds.
const maxWait = int(maxInterval / 1e9)

// Refusal is the answer to a handshake that Admit refused: 429, for ManyHandshakes with Retry-After (RFC 6585 4; RFC 9110 10.2.3).
// The Refusals are shared: do not change them. It is nil for a verdict that refuses nothing.
func (v Verdict) Refusal(wait int) error {
	switch v {
	case ManyConns:
		return errManyConns
	case ManyHandshakes:
		return manyHandshakes[min(max(wait, 1), maxWait)-1]
	}
	return nil
}
