package auth

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/roostws/roost/wsproto"
)

// SourceKind is where in a handshake a token may be.
type SourceKind uint8

// The kinds of sources.
const (
	// Header is "Authorization: Bearer TOKEN" (RFC 6750 2.1). Browsers cannot send it with a WebSocket.
	Header SourceKind = iota
	// Cookie is the cookie called Name. Every page makes a browser send it, so the origin has to be checked too.
	Cookie
	// Query is the parameter Name of the target (RFC 6750 2.3). Proxies log it: see Verifier.Redact.
	Query
	// ProtocolPair is the subprotocol behind the one called Name: new WebSocket(url, ["access_token", TOKEN]).
	ProtocolPair
	// ProtocolPrefix is a subprotocol that begins with Name, such as "base64url.bearer.authorization.k8s.io." or "bearer.". If Name
	// begins with "base64url.", what follows is the token in base64url without padding; otherwise it is the token.
	ProtocolPrefix
)

var sourceKinds = [...]string{"header", "cookie", "query", "protocol", "protocol-prefix"}

// Source is a place where a token may be.
type Source struct {
	Kind SourceKind
	Name string // "" for Header; for the others, what Kind says
}

// String is the source as UnmarshalText reads it.
func (s Source) String() string {
	if int(s.Kind) >= len(sourceKinds) {
		return "unknown"
	}
	if s.Name == "" {
		return sourceKinds[s.Kind]
	}
	return sourceKinds[s.Kind] + ":" + s.Name
}

// UnmarshalText reads header, cookie:NAME, query:NAME, protocol:NAME or protocol-prefix:NAME.
func (s *Source) UnmarshalText(text []byte) error {
	kind, name, _ := strings.Cut(string(text), ":")
	for i, k := range sourceKinds {
		if k == kind {
			*s = Source{SourceKind(i), name}
			return s.check()
		}
	}
	return fmt.Errorf("%q is no place of a token: want header, cookie:NAME, query:NAME, protocol:NAME or protocol-prefix:NAME", text)
}

// check says what of s cannot be meant.
func (s Source) check() error {
	switch {
	case int(s.Kind) >= len(sourceKinds):
		return fmt.Errorf("auth: Source.Kind is %d: no such kind", s.Kind)
	case s.Kind == Header && s.Name != "":
		return fmt.Errorf("auth: the source %q has a name: the header is always Authorization", s)
	case s.Kind != Header && s.Name == "":
		return fmt.Errorf("auth: the source %q has no name: want one as in %[1]s:access_token", s)
	case s.Kind >= ProtocolPair && !isToken(s.Name), s.Kind == Cookie && !isToken(s.Name):
		return fmt.Errorf("auth: the source %q has a name that cannot be sent", s)
	}
	return nil
}

// Why a source's token cannot be read.
var (
	errTwice = errors.New("more than one")
	errEmpty = errors.New("empty, or not encoded as it should be")
)

// token is the token that r has in the source; "" without an error if it has none there.
func (s Source) token(r *wsproto.Request) (string, error) {
	switch s.Kind {
	case Header:
		return headerToken(r)
	case Cookie:
		return cookieToken(r, s.Name)
	case Query:
		return queryToken(r.RawQuery(), s.Name)
	}
	found := ""
	behind := false // the pair's first half
	for p := range r.Subprotocols() {
		offered := ""
		switch {
		case s.Kind == ProtocolPrefix:
			offered, _ = strings.CutPrefix(p, s.Name)
			if offered == p {
				continue
			}
			if offered == "" {
				return "", errEmpty
			}
		case behind:
			offered = p
		}
		behind = s.Kind == ProtocolPair && !behind && p == s.Name
		if offered == "" {
			continue
		}
		if found != "" {
			return "", errTwice
		}
		found = offered
	}
	if behind {
		return "", errEmpty
	}
	if s.Kind == ProtocolPrefix && strings.HasPrefix(s.Name, "base64url.") && found != "" {
		b, err := base64.RawURLEncoding.DecodeString(found)
		if err != nil || len(b) == 0 {
			return "", errEmpty
		}
		return string(b), nil
	}
	return found, nil
}

// isSecret says whether a subprotocol that a client offers is the token or its mark, so none to answer with. before is the one
// before it.
func (s Source) isSecret(before, p string) bool {
	switch s.Kind {
	case ProtocolPair:
		return p == s.Name || before == s.Name
	case ProtocolPrefix:
		return strings.HasPrefix(p, s.Name)
	}
	return false
}

func headerToken(r *wsproto.Request) (string, error) {
	found, count := "", 0
	for v := range r.Values("authorization") {
		count++
		scheme, rest, _ := strings.Cut(v, " ")
		if !strings.EqualFold(scheme, "bearer") {
			continue // another scheme's, perhaps a proxy's
		}
		if found = strings.TrimLeft(rest, " "); found == "" {
			return "", errEmpty
		}
	}
	if count > 1 {
		return "", errTwice
	}
	return found, nil
}

// cookieToken is the value of the first cookie of that name: the one with the most specific path (RFC 6265 5.4).
func cookieToken(r *wsproto.Request, name string) (string, error) {
	for line := range r.Values("cookie") {
		for pair := range strings.SplitSeq(line, ";") {
			n, value, ok := strings.Cut(strings.Trim(pair, " \t"), "=")
			if !ok || n != name {
				continue
			}
			if len(value) > 1 && value[0] == '"' && value[len(value)-1] == '"' {
				value = value[1 : len(value)-1]
			}
			if value == "" {
				return "", errEmpty
			}
			return value, nil
		}
	}
	return "", nil
}

func queryToken(query, name string) (string, error) {
	found, count := "", 0
	for pair := range strings.SplitSeq(query, "&") {
		n, value, _ := strings.Cut(pair, "=")
		if !isParameter(n, name) {
			continue
		}
		var err error
		if found, err = url.QueryUnescape(value); err != nil || found == "" {
			return "", errEmpty
		}
		count++
	}
	if count > 1 {
		return "", errTwice
	}
	return found, nil
}

// isParameter compares the name of a parameter as it is in a query.
func isParameter(raw, name string) bool {
	n, err := url.QueryUnescape(raw)
	return err == nil && n == name
}

// isToken checks a token (RFC 9110 5.6.2), which a subprotocol and the name of a cookie are.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		alnum := '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
		if !alnum && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

// redacted stands for a token.
const redacted = "REDACTED"

// redact replaces the values of the query's parameters with these names in a request target. It reads the query as queryToken does.
func redact(target string, names []string) string {
	path, query, ok := strings.Cut(target, "?")
	if !ok || len(names) == 0 {
		return target
	}
	var b strings.Builder
	b.WriteString(path)
	between := byte('?')
	for pair := range strings.SplitSeq(query, "&") {
		b.WriteByte(between)
		between = '&'
		n, _, has := strings.Cut(pair, "=")
		secret := false
		for _, name := range names {
			secret = secret || has && isParameter(n, name)
		}
		if secret {
			pair = n + "=" + redacted
		}
		b.WriteString(pair)
	}
	return b.String()
}
