package auth

import (
	"errors"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/roostws/roost/wsproto"
)

// Verifier checks tokens. Any goroutine may use it; it does no I/O.
type Verifier struct {
	config  Config
	parser  *jwt.Parser
	refuse  refusals
	queries []string // the names of the parameters that have tokens
}

// Grant is what a good token says.
type Grant struct {
	Subject string         // "sub", "" if there is none
	Claims  map[string]any // all claims, as encoding/json decodes them: numbers are float64. The caller's own
	KeyID   string         // of the key that has verified it, "" if that has none

	// Expires is when the verifier would begin to refuse the token: "exp" and Config.Leeway. The connection is to be closed then,
	// with CodeExpired. Zero: never.
	Expires time.Time

	// Subprotocol is the one to answer a handshake with: of Config.Subprotocols, or the mark of a ProtocolPair, or "". It is never
	// the token.
	Subprotocol string
}

// CodeExpired is the close code for a connection whose token has expired, or whose first message had no good one: 401 among the
// codes that are an application's own (RFC 6455 7.4.2).
const CodeExpired = 4401

// New checks c.
func New(c Config) (*Verifier, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	v := &Verifier{config: c, parser: c.parser(), refuse: newRefusals(c.Realm)}
	for _, s := range c.Sources {
		if s.Kind == Query {
			v.queries = append(v.queries, s.Name)
		}
	}
	return v, nil
}

// Handshake looks for a token in r, which has passed CheckUpgrade, and verifies it. An error is a *wsproto.Refusal: 401 with
// WWW-Authenticate, for a token that is no good with error="invalid_token"; 400 with error="invalid_request" for one that is there
// twice in one source, too large, or empty (RFC 6750 3).
func (v *Verifier) Handshake(r *wsproto.Request) (Grant, error) {
	for _, s := range v.config.Sources {
		token, err := s.token(r)
		switch {
		case err == errTwice:
			return Grant{}, v.refuse.twice
		case err != nil:
			return Grant{}, v.refuse.empty
		case token == "":
			continue
		}
		g, err := v.verify(token)
		if err != nil {
			return Grant{}, err
		}
		g.Subprotocol = v.subprotocol(r)
		return g, nil
	}
	return Grant{}, v.refuse.missing
}

// Verify checks a token that has come by itself, such as in a first message. The error is a *wsproto.Refusal too: its Reason is a
// text for the Close frame. token is not kept.
func (v *Verifier) Verify(token []byte) (Grant, error) {
	if len(token) == 0 {
		return Grant{}, v.refuse.missing
	}
	return v.verify(string(token))
}

// Redact replaces the tokens in a request's target, for logs. The header Sec-WebSocket-Protocol may have one too: do not log it.
func (v *Verifier) Redact(target string) string { return redact(target, v.queries) }

// subprotocol chooses one that the client offers, but not its token.
func (v *Verifier) subprotocol(r *wsproto.Request) string {
	mark, before := "", ""
	for p := range r.Subprotocols() {
		secret := false
		for _, s := range v.config.Sources {
			secret = secret || s.isSecret(before, p)
			if s.Kind == ProtocolPair && p == s.Name && before != s.Name {
				mark = p
			}
		}
		if !secret && slices.Contains(v.config.Subprotocols, p) {
			return p
		}
		before = p
	}
	return mark
}

func (v *Verifier) verify(token string) (Grant, error) {
	if len(token) > v.config.MaxToken {
		return Grant{}, v.refuse.large
	}
	if !isCompact(token) {
		return Grant{}, v.refuse.malformed
	}
	claims := jwt.MapClaims{}
	keyID := ""
	parsed, err := v.parser.ParseWithClaims(token, claims, func(t *jwt.Token) (any, error) {
		key, err := v.config.Keys.key(t)
		if err != nil {
			return nil, err
		}
		keyID = key.id
		return key.verify, nil
	})
	if err != nil {
		if parsed != nil && parsed.Method != nil && !slices.Contains(v.config.Algorithms, parsed.Method.Alg()) {
			return Grant{}, v.refuse.algorithm // golang-jwt calls it a bad signature
		}
		return Grant{}, v.refusal(err)
	}
	g := Grant{Claims: claims, KeyID: keyID}
	var ok bool
	if g.Subject, ok = stringClaim(claims, "sub"); !ok {
		return Grant{}, v.refuse.claim
	}
	for _, name := range []string{"nbf", "exp"} {
		at, has, ok := timeClaim(claims, name)
		if !ok {
			return Grant{}, v.refuse.claim
		}
		if has && name == "exp" {
			g.Expires = at.Add(v.config.Leeway)
		}
	}
	return g, nil
}

// isCompact checks the letters of the compact form (RFC 7515 7.1): encoding/base64 passes over line ends.
func isCompact(token string) bool {
	for i := range len(token) {
		c := token[i]
		alnum := '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
		if !alnum && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// refusal is our answer to an error of golang-jwt's.
func (v *Verifier) refusal(err error) error {
	for _, c := range []struct {
		cause  error
		answer error
	}{
		{errNoKey, v.refuse.key},
		{errHeader, v.refuse.malformed},
		{jwt.ErrTokenMalformed, v.refuse.malformed},
		{jwt.ErrTokenExpired, v.refuse.expired},
		{jwt.ErrTokenNotValidYet, v.refuse.early},
		{jwt.ErrTokenInvalidAudience, v.refuse.audience},
		{jwt.ErrTokenInvalidIssuer, v.refuse.issuer},
		{jwt.ErrTokenInvalidClaims, v.refuse.claim},
		{jwt.ErrTokenUnverifiable, v.refuse.algorithm}, // errKeyAlgorithm too
	} {
		if errors.Is(err, c.cause) {
			return c.answer
		}
	}
	return v.refuse.signature
}

func stringClaim(claims map[string]any, name string) (string, bool) {
	c, has := claims[name]
	s, ok := c.(string)
	return s, ok || !has
}

// timeClaim reads a NumericDate (RFC 7519 2) more strictly than golang-jwt, which takes an "exp" of 0 for none and lets what is
// beyond its range wrap.
func timeClaim(claims map[string]any, name string) (at time.Time, has, ok bool) {
	c, has := claims[name]
	if !has {
		return at, false, true
	}
	f, ok := c.(float64)
	if !ok || f < 0 || f >= maxDate || f == 0 && name == "exp" {
		return at, true, false
	}
	return time.Unix(int64(f), 0), true, true
}

// maxDate is the end of the year 9999 in seconds.
const maxDate = 253402300800
