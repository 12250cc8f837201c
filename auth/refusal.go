package auth

import (
	"net/http"
	"strings"

	"github.com/roostws/roost/wsproto"
)

// refusals are a verifier's answers, built once. Each is a *wsproto.Refusal, whose Reason is constant, and may go into a log or a
// close frame. RFC 6750 3.1 has 401 for a token that is no good, and 400 for a request that is not made well.
type refusals struct {
	missing, malformed, signature, key, algorithm, expired, early, claim, audience, issuer error // 401
	twice, large, empty                                                                    error // 400
}

func newRefusals(realm string) refusals {
	bad := func(reason string) error {
		return challenge(http.StatusUnauthorized, realm, "invalid_token", reason)
	}
	wrong := func(reason string) error {
		return challenge(http.StatusBadRequest, realm, "invalid_request", reason)
	}
	return refusals{
		missing:   challenge(http.StatusUnauthorized, realm, "", "no token"),
		malformed: bad("the token is malformed"),
		signature: bad("the token's signature is not valid"),
		key:       bad("the token's key is not known"),
		algorithm: bad("the token's algorithm is not accepted"),
		expired:   bad("the token has expired"),
		early:     bad("the token is not valid yet"),
		claim:     bad("the token lacks a claim, or has a malformed one"),
		audience:  bad("the token is for somebody else"),
		issuer:    bad("the token is from somebody else"),
		twice:     wrong("more than one token of a kind"),
		large:     wrong("the token is too large"),
		empty:     wrong("the token is empty or not encoded as it should be"),
	}
}

// challenge is a refusal with WWW-Authenticate (RFC 6750 3). A request without a token is told no error code.
func challenge(status int, realm, code, reason string) error {
	value := `Bearer realm="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(realm) + `"`
	if code != "" {
		value += `, error="` + code + `", error_description="` + reason + `"`
	}
	return &wsproto.Refusal{Status: status, Reason: reason, Body: reason + "\n", Header: []wsproto.HeaderField{
		{Name: "WWW-Authenticate", Value: value}, {Name: "Cache-Control", Value: "no-store"},
	}}
}
