package auth

import (
	"errors"
	"testing"
	"time"

	"github.com/roostws/roost/wsproto"
)

// challengeOf is the WWW-Authenticate of a refusal.
func challengeOf(err error) string {
	var r *wsproto.Refusal
	if errors.As(err, &r) {
		for _, h := range r.Header {
			if h.Name == "WWW-Authenticate" {
				return h.Value
			}
		}
	}
	return ""
}

func TestConfigsThatAreWrong(t *testing.T) {
	keys := keySet(t, map[string]any{"": secret})
	for _, c := range []struct {
		change func(*Config)
		what   string
	}{
		{func(c *Config) { c.Algorithms = nil }, "Config.Algorithms is empty"},
		{func(c *Config) { c.Algorithms = []string{"HS256", "none"} }, `Config.Algorithms has "none"`},
		{func(c *Config) { c.Algorithms = []string{"hs256"} }, `Config.Algorithms has "hs256"`},
		{func(c *Config) { c.Keys = nil }, "Config.Keys is nil"},
		{func(c *Config) { c.Leeway = -1 }, "Config.Leeway is -1ns"},
		{func(c *Config) { c.Leeway = 24*time.Hour + 1 }, "Config.Leeway is 24h"},
		{func(c *Config) { c.MaxToken = -1 }, "Config.MaxToken is -1"},
		{func(c *Config) { c.MaxToken = 65537 }, "Config.MaxToken is 65537: want 0 to 65536"},
		{func(c *Config) { c.Realm = "a\r\nb" }, "Config.Realm is"},
		{func(c *Config) { c.Realm = "\u00e4" }, "Config.Realm is"},
		{func(c *Config) { c.Sources = []Source{{Kind: 9}} }, "Source.Kind is 9"},
		{func(c *Config) { c.Sources = []Source{{Header, "x"}} }, `the source "header:x" has a name`},
		{func(c *Config) { c.Sources = []Source{{Cookie, ""}} }, `the source "cookie" has no name: want one as in cookie:access_token`},
		{func(c *Config) { c.Sources = []Source{{Cookie, "a b"}} }, "cannot be sent"},
		{func(c *Config) { c.Sources = []Source{{ProtocolPair, "a,b"}} }, "cannot be sent"},
		{func(c *Config) { c.Sources = []Source{{ProtocolPrefix, "a."}} }, "needs another subprotocol"},
		{func(c *Config) { c.Subprotocols = []string{"a b"} }, `Config.Subprotocols has "a b"`},
		{func(c *Config) { c.Sources = []Source{{ProtocolPair, "a"}}; c.Subprotocols = []string{"a"} }, `takes for a token's`},
		{func(c *Config) { c.Sources = []Source{{ProtocolPrefix, "a."}}; c.Subprotocols = []string{"a.b"} }, `takes for a token's`},
	} {
		config := Config{Algorithms: []string{"HS256"}, Keys: keys}
		c.change(&config)
		_, err := New(config)
		wantError(t, err, c.what)
	}
	if _, err := New(Config{Algorithms: []string{"HS256"}, Keys: keys, MaxToken: 65536, Leeway: 24 * time.Hour, Sources: []Source{{Query, "any name"}}}); err != nil {
		t.Error(err)
	}
}

func TestSourcesAsText(t *testing.T) {
	for text, want := range map[string]Source{
		"header": {Kind: Header}, "cookie:session": {Cookie, "session"}, "query:access_token": {Query, "access_token"},
		"protocol:access_token": {ProtocolPair, "access_token"}, "protocol-prefix:bearer.": {ProtocolPrefix, "bearer."}, "query:a:b": {Query, "a:b"},
	} {
		var s Source
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want || s.String() != text {
			t.Errorf("%s: %+v, %v", text, s, err)
		}
	}
	for text, what := range map[string]string{
		"": "is no place of a token", "body:x": "is no place of a token", "Header": "is no place of a token",
		"header:x": "has a name", "cookie": "has no name", "query:": "has no name",
	} {
		var s Source
		wantError(t, s.UnmarshalText([]byte(text)), what)
	}
	if (Source{Kind: 9}).String() != "unknown" {
		t.Error("a kind that there is not has a name")
	}
}
