package auth

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Config is what a Verifier accepts. Algorithms and Keys have no default.
type Config struct {
	// Algorithms are those that are accepted, such as "RS256", "ES256", "EdDSA" or "HS256". "none" cannot be listed.
	Algorithms []string
	Keys       *KeySet

	Issuer    string        // what "iss" must be; "": anything
	Audiences []string      // one of which "aud" must have; none: anything
	Leeway    time.Duration // by which clocks may differ, for "exp" and "nbf"

	// NoExpiry takes tokens without "exp" too: their connections are never closed for it.
	NoExpiry bool

	// Sources are where a token may be, in order: the first that has one decides. None: Header.
	Sources []Source

	// Subprotocols are those that the application speaks. The client's first choice of them is Grant.Subprotocol. A ProtocolPrefix
	// needs one: a browser that offers subprotocols wants one of them in the answer, and it must not be the token.
	Subprotocols []string

	MaxToken int              // bytes of a token at most; 0: 4,096; 65,536 at most
	Realm    string           // of WWW-Authenticate; ASCII; "": websocket
	Now      func() time.Time // nil: time.Now
}

const (
	defaultMaxToken = 4096
	maxMaxToken     = 1 << 16
	// maxLeeway is far more than clocks differ, and keeps sums of times in range.
	maxLeeway = 24 * time.Hour
)

// algorithms are those of RFC 7518 3.1 and RFC 8037 that sign, with the hash's size in bytes for those whose key must be as long.
var algorithms = map[string]int{
	"HS256": 32, "HS384": 48, "HS512": 64,
	"RS256": 0, "RS384": 0, "RS512": 0, "PS256": 0, "PS384": 0, "PS512": 0,
	"ES256": 0, "ES384": 0, "ES512": 0, "EdDSA": 0,
}

// withDefaults returns c with its zeros replaced, or says what is wrong.
func (c Config) withDefaults() (Config, error) {
	if len(c.Algorithms) == 0 {
		return c, errors.New("auth: Config.Algorithms is empty: list those that tokens may be signed with, such as RS256")
	}
	for _, a := range c.Algorithms {
		if _, ok := algorithms[a]; !ok {
			return c, fmt.Errorf("auth: Config.Algorithms has %q: want some of RS256, PS256, ES256, EdDSA, HS256 and their longer kin", a)
		}
	}
	if c.Keys == nil {
		return c, errors.New("auth: Config.Keys is nil: give the keys that tokens are verified with")
	}
	if c.Leeway < 0 || c.Leeway > maxLeeway {
		return c, fmt.Errorf("auth: Config.Leeway is %v: want 0 to %v", c.Leeway, maxLeeway)
	}
	if c.MaxToken < 0 || c.MaxToken > maxMaxToken {
		return c, fmt.Errorf("auth: Config.MaxToken is %d: want 0 to %d", c.MaxToken, maxMaxToken)
	}
	for i := range len(c.Realm) {
		if c.Realm[i] < ' ' || c.Realm[i] > '~' {
			return c, fmt.Errorf("auth: Config.Realm is %q: want printable ASCII", c.Realm)
		}
	}
	if err := c.checkSources(); err != nil {
		return c, err
	}
	if c.Realm == "" {
		c.Realm = "websocket" // RFC 6750 3: Bearer is not to stand alone
	}
	if c.MaxToken == 0 {
		c.MaxToken = defaultMaxToken
	}
	if len(c.Sources) == 0 {
		c.Sources = []Source{{Kind: Header}}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Algorithms, c.Audiences = slices.Clone(c.Algorithms), slices.Clone(c.Audiences)
	c.Sources, c.Subprotocols = slices.Clone(c.Sources), slices.Clone(c.Subprotocols)
	return c, nil
}

func (c *Config) checkSources() error {
	for _, s := range c.Sources {
		if err := s.check(); err != nil {
			return err
		}
		if s.Kind == ProtocolPrefix && len(c.Subprotocols) == 0 {
			return fmt.Errorf("auth: the source %q needs another subprotocol to answer with: list those that you speak in Config.Subprotocols", s)
		}
	}
	for _, p := range c.Subprotocols {
		if !isToken(p) {
			return fmt.Errorf("auth: Config.Subprotocols has %q, which cannot be sent", p)
		}
		for _, s := range c.Sources {
			if s.isSecret("", p) {
				return fmt.Errorf("auth: Config.Subprotocols has %q, which the source %q takes for a token's", p, s)
			}
		}
	}
	return nil
}

// parser is golang-jwt's, set up. Its options are all stricter than its defaults.
func (c *Config) parser() *jwt.Parser {
	options := []jwt.ParserOption{jwt.WithValidMethods(c.Algorithms), jwt.WithStrictDecoding(), jwt.WithLeeway(c.Leeway), jwt.WithTimeFunc(c.Now)}
	if c.Issuer != "" {
		options = append(options, jwt.WithIssuer(c.Issuer))
	}
	if len(c.Audiences) > 0 {
		options = append(options, jwt.WithAudience(c.Audiences...))
	}
	if !c.NoExpiry {
		options = append(options, jwt.WithExpirationRequired())
	}
	return jwt.NewParser(options...)
}
