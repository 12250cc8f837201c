package auth

import (
	"encoding/base64"
	"maps"
	"strings"
	"testing"
	"time"
)

func TestGoodTokens(t *testing.T) {
	v := verifier(t, Config{Issuer: "issuer", Audiences: []string{"them", "us"}, Leeway: time.Minute})
	for _, c := range []struct {
		name, kid, token string
	}{
		{"HS256", "secret", goodToken()},
		{"RS256", "rsa", token(claims{"alg": "RS256", "kid": "rsa"}, good(), rsaKey)},
		{"ES256", "ec", token(claims{"alg": "ES256", "kid": "ec"}, good(), ecKey)},
		{"EdDSA", "ed", token(claims{"alg": "EdDSA", "kid": "ed", "typ": "JWT"}, good(), edKey)},
		{"several audiences", "secret", goodToken(claims{"aud": []string{"x", "us"}})},
		{"not before, just now", "secret", goodToken(claims{"nbf": now.Unix()})},
		{"not before, by other clocks", "secret", goodToken(claims{"nbf": now.Add(time.Minute).Unix()})},
		{"not before the epoch", "secret", goodToken(claims{"nbf": 0})},
		{"issued later", "secret", goodToken(claims{"iat": now.Add(time.Hour).Unix()})},
	} {
		g, err := v.Verify([]byte(c.token))
		if err != nil || g.Subject != "alice" || g.KeyID != c.kid || g.Claims["iss"] != "issuer" || !g.Expires.Equal(now.Add(time.Hour+time.Minute)) || g.Subprotocol != "" {
			t.Errorf("%s: %+v, %v", c.name, g, err)
		}
	}
}

func TestBadTokens(t *testing.T) {
	v := verifier(t, Config{Issuer: "issuer", Audiences: []string{"us"}, Leeway: time.Minute})
	hs := claims{"alg": "HS256", "kid": "secret"}
	rs := claims{"alg": "RS256", "kid": "rsa"}
	with := func(base claims, name string, value any) claims {
		c := maps.Clone(base)
		c[name] = value
		return c
	}
	fine := goodToken()
	pem := "-----BEGIN PUBLIC KEY-----"
	for _, c := range []struct {
		name, token, reason string
	}{
		{"no signature", token(claims{"alg": "none"}, good(), nil), "algorithm is not accepted"},
		{"no signature, in other letters", token(claims{"alg": "nOnE"}, good(), nil), "algorithm is not accepted"},
		{"no signature, with a key", token(claims{"alg": "none", "kid": "secret"}, good(), nil), "algorithm is not accepted"},
		{"an algorithm that is not listed", token(with(hs, "alg", "HS512"), good(), secret), "algorithm is not accepted"},
		{"an algorithm that nobody knows", token(with(hs, "alg", "XX"), good(), secret), "algorithm is not accepted"},
		{"no algorithm", token(claims{"kid": "secret"}, good(), secret), "algorithm is not accepted"},
		{"an algorithm that is no string", token(with(hs, "alg", 5), good(), secret), "algorithm is not accepted"},
		{"the public key as a secret", token(claims{"alg": "HS256", "kid": "rsa"}, good(), rsaKey.N.Bytes()), "algorithm is not accepted"},
		{"the public key's text as a secret", token(claims{"alg": "HS256", "kid": "rsa"}, good(), []byte(pem)), "algorithm is not accepted"},
		{"the secret for a public key's algorithm", token(claims{"alg": "RS256", "kid": "secret"}, good(), rsaKey), "algorithm is not accepted"},
		{"another curve's key", token(claims{"alg": "ES256", "kid": "ec384"}, good(), ec384Key), "algorithm is not accepted"},
		{"another key", token(rs, good(), otherRSAKey), "signature is not valid"},
		{"another secret", token(hs, good(), []byte("another secret that is long enough")), "signature is not valid"},
		{"a changed claim", fine[:strings.Index(fine, ".")] + "." + segment(good(claims{"sub": "eve"})) + fine[strings.LastIndex(fine, "."):], "signature is not valid"},
		{"a changed signature", fine[:len(fine)-2] + "AA", "signature is not valid"},
		{"an empty signature", fine[:strings.LastIndex(fine, ".")+1], "signature is not valid"},
		{"a key that is not known", token(with(hs, "kid", "other"), good(), secret), "key is not known"},
		{"no key named, of several", token(claims{"alg": "HS256"}, good(), secret), "key is not known"},
		{"a key's name that is none", token(with(hs, "kid", 5), good(), secret), "malformed"},
		{"critical extensions", token(with(hs, "crit", []string{"b64"}), good(), secret), "malformed"},

		{"expired", goodToken(claims{"exp": now.Add(-time.Minute).Unix()}), "expired"},
		{"expired for ever", goodToken(claims{"exp": 1}), "expired"},
		{"no expiry", goodToken(claims{"exp": nil}), "lacks a claim"},
		{"an expiry of 0", goodToken(claims{"exp": 0}), "lacks a claim"},
		{"an expiry that is text", goodToken(claims{"exp": "2030-01-01"}), "lacks a claim"},
		{"an expiry beyond all times", token(hs, `{"sub":"alice","iss":"issuer","aud":"us","exp":1e18}`, secret), "a claim"},
		{"an expiry after the year 9999", goodToken(claims{"exp": int64(maxDate)}), "a claim"},
		{"not valid yet", goodToken(claims{"nbf": now.Add(time.Minute + time.Second).Unix()}), "not valid yet"},
		{"not valid before all times", token(hs, `{"sub":"alice","iss":"issuer","aud":"us","exp":1767323100,"nbf":-1}`, secret), "a claim"},
		{"not valid yet, beyond all times", token(hs, `{"sub":"alice","iss":"issuer","aud":"us","exp":1767323100,"nbf":1e300}`, secret), ""},
		{"another issuer", goodToken(claims{"iss": "other"}), "from somebody else"},
		{"no issuer", goodToken(claims{"iss": nil}), "lacks a claim"},
		{"an issuer that is none", goodToken(claims{"iss": 5}), "lacks a claim"},
		{"another audience", goodToken(claims{"aud": "them"}), "for somebody else"},
		{"no audience", goodToken(claims{"aud": nil}), "lacks a claim"},
		{"an audience that is none", goodToken(claims{"aud": []any{"us", 5}}), "lacks a claim"},
		{"a subject that is none", goodToken(claims{"sub": 5}), "a claim"},

		{"one part", "abc", "malformed"},
		{"two parts", "abc.def", "malformed"},
		{"four parts", fine + ".x", "malformed"},
		{"only dots", "..", "malformed"},
		{"not base64", "!" + fine, "malformed"},
		{"padded", strings.Replace(fine, ".", "=.", 1), "malformed"},
		{"a header that is no object", token(`[]`, good(), secret), "malformed"},
		{"claims that are no object", token(hs, `"x"`, secret), "malformed"},
		{"claims that are null", token(hs, `null`, secret), "lacks a claim"},
		{"a newline", fine + "\n", "malformed"},
		{"a newline within", fine[:10] + "\r\n" + fine[10:], "malformed"},
		{"bits behind the signature's end", fine[:len(fine)-1] + nextLetter(fine[len(fine)-1]), ""},
	} {
		g, err := v.Verify([]byte(c.token))
		if err == nil {
			t.Errorf("%s: taken for %+v", c.name, g)
			continue
		}
		secrets := strings.Split(c.token, ".")
		wantRefusal(t, err, 401, c.reason, secrets[len(secrets)-1], c.token)
		if g.Claims != nil || g.Subject != "" {
			t.Errorf("%s: refused, but %+v", c.name, g)
		}
	}
	_, err := v.Verify(nil)
	wantRefusal(t, err, 401, "no token")
}

// TestOnlyListedAlgorithms: a key that fits does not make an algorithm welcome.
func TestOnlyListedAlgorithms(t *testing.T) {
	tokens := map[string]string{
		"HS256": goodToken(), "RS256": token(claims{"alg": "RS256", "kid": "rsa"}, good(), rsaKey),
		"ES256": token(claims{"alg": "ES256", "kid": "ec"}, good(), ecKey), "EdDSA": token(claims{"alg": "EdDSA", "kid": "ed"}, good(), edKey),
	}
	for listed := range tokens {
		v := verifier(t, Config{Algorithms: []string{listed}})
		for used, tok := range tokens {
			_, err := v.Verify([]byte(tok))
			if used == listed {
				if err != nil {
					t.Errorf("%s: %v", used, err)
				}
				continue
			}
			wantRefusal(t, err, 401, "algorithm is not accepted")
		}
	}
}

// nextLetter is the letter behind c in base64url: 32 bytes end in one whose last two bits are nobody's.
func nextLetter(c byte) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return letters[strings.IndexByte(letters, c)+1:][:1]
}

func TestExpiry(t *testing.T) {
	clock := now
	v := verifier(t, Config{Leeway: time.Second, Now: func() time.Time { return clock }})
	tok := []byte(goodToken(claims{"exp": float64(now.Unix()) + 10.75}))
	g, err := v.Verify(tok)
	if err != nil || !g.Expires.Equal(now.Add(11*time.Second)) {
		t.Fatalf("%+v, %v", g, err)
	}
	clock = g.Expires.Add(-1)
	if again, err := v.Verify(tok); err != nil || !again.Expires.Equal(g.Expires) {
		t.Errorf("a moment before its end: %v, %v", again, err)
	}
	clock = g.Expires
	_, err = v.Verify(tok)
	wantRefusal(t, err, 401, "expired")

	v = verifier(t, Config{NoExpiry: true})
	if g, err := v.Verify([]byte(goodToken(claims{"exp": nil}))); err != nil || !g.Expires.IsZero() {
		t.Errorf("without expiry: %+v, %v", g, err)
	}
	if g, err := v.Verify([]byte(goodToken(claims{"sub": nil}))); err != nil || g.Expires.IsZero() || g.Subject != "" {
		t.Errorf("with expiry, and no subject: %+v, %v", g, err)
	}
	_, err = v.Verify([]byte(goodToken(claims{"exp": 0})))
	wantRefusal(t, err, 401, "a claim")
	_, err = v.Verify([]byte(goodToken(claims{"exp": now.Unix()})))
	wantRefusal(t, err, 401, "expired")
}

func TestTokensAreBounded(t *testing.T) {
	small := goodToken()
	for _, c := range []struct {
		max  int
		good bool
	}{{len(small), true}, {len(small) - 1, false}, {0, true}} {
		_, err := verifier(t, Config{MaxToken: c.max}).Verify([]byte(small))
		if (err == nil) != c.good {
			t.Errorf("%d bytes with MaxToken %d: %v", len(small), c.max, err)
		}
		if err != nil {
			wantRefusal(t, err, 400, "too large")
		}
	}
	large := goodToken(claims{"x": strings.Repeat("x", 3200)})
	for n := len(large); n <= defaultMaxToken; n = len(large) {
		large = goodToken(claims{"x": strings.Repeat("x", 3200+defaultMaxToken-n+1)})
	}
	_, err := verifier(t, Config{}).Verify([]byte(large))
	wantRefusal(t, err, 400, "too large")
}

func TestSources(t *testing.T) {
	tok, other := goodToken(), goodToken(claims{"sub": "bob"})
	b64 := base64.RawURLEncoding.EncodeToString([]byte(tok))
	const k8s = "base64url.bearer.authorization.k8s.io."
	from := func(s ...Source) []Source { return s }
	header, cookie, query := Source{Kind: Header}, Source{Cookie, "session"}, Source{Query, "access_token"}
	pair, prefix, plain := Source{ProtocolPair, "access_token"}, Source{ProtocolPrefix, k8s}, Source{ProtocolPrefix, "bearer."}
	for _, c := range []struct {
		name    string
		sources []Source
		lines   []string
		status  int    // 0: granted
		reason  string // or the subject
	}{
		{"the header, by default", nil, []string{"Authorization: Bearer " + tok}, 0, "alice"},
		{"the header, its case", nil, []string{"authorization: bEARER   " + tok}, 0, "alice"},
		{"the header, another scheme", nil, []string{"Authorization: Basic YTpi"}, 401, "no token"},
		{"the header, another scheme's prefix", nil, []string{"Authorization: BearerX " + tok}, 401, "no token"},
		{"the header, empty", nil, []string{"Authorization: Bearer"}, 400, "empty"},
		{"the header, twice", nil, []string{"Authorization: Bearer " + tok, "Authorization: Bearer " + tok}, 400, "more than one"},
		{"the header, another scheme too", nil, []string{"Authorization: Basic YTpi", "Authorization: Bearer " + tok}, 400, "more than one"},
		{"the header, and more", nil, []string{"Authorization: Bearer " + tok + " x"}, 401, "malformed"},
		{"no header", nil, nil, 401, "no token"},
		{"where it is not looked for", nil, []string{"/?access_token=" + tok, "Cookie: session=" + tok}, 401, "no token"},

		{"a cookie", from(cookie), []string{"Cookie: a=b; session=" + tok + "; c=d"}, 0, "alice"},
		{"a quoted cookie", from(cookie), []string{`Cookie: session="` + tok + `"`}, 0, "alice"},
		{"cookies without spaces", from(cookie), []string{"Cookie: a=b;session=" + tok}, 0, "alice"},
		{"cookies in two lines", from(cookie), []string{"Cookie: a=b", "Cookie: session=" + tok}, 0, "alice"},
		{"the first of two cookies", from(cookie), []string{"Cookie: session=" + tok + "; session=" + other}, 0, "alice"},
		{"another cookie", from(cookie), []string{"Cookie: xsession=" + tok + "; Session=" + tok + "; session"}, 401, "no token"},
		{"an empty cookie", from(cookie), []string{"Cookie: session="}, 400, "empty"},

		{"the query", from(query), []string{"/ws?a=b&access_token=" + tok + "&c"}, 0, "alice"},
		{"the query, escaped", from(query), []string{"/ws?%61ccess%5ftoken=" + strings.ReplaceAll(tok, ".", "%2E")}, 0, "alice"},
		{"the query, twice", from(query), []string{"/ws?access_token=" + tok + "&access_token=" + tok}, 400, "more than one"},
		{"the query, empty", from(query), []string{"/ws?access_token="}, 400, "empty"},
		{"the query, without a value", from(query), []string{"/ws?access_token"}, 400, "empty"},
		{"the query, a broken escape", from(query), []string{"/ws?access_token=%zz"}, 400, "empty"},
		{"the query, another name", from(query), []string{"/ws?token=" + tok + "&%zz=1"}, 401, "no token"},
		{"no query", from(query), []string{"/ws"}, 401, "no token"},

		{"a pair", from(pair), []string{"Sec-WebSocket-Protocol: access_token, " + tok}, 0, "alice"},
		{"a pair among others", from(pair), []string{"Sec-WebSocket-Protocol: chat, access_token, " + tok + ", other"}, 0, "alice"},
		{"a pair in two lines", from(pair), []string{"Sec-WebSocket-Protocol: access_token", "Sec-WebSocket-Protocol: " + tok}, 0, "alice"},
		{"half a pair", from(pair), []string{"Sec-WebSocket-Protocol: chat, access_token"}, 400, "empty"},
		{"two pairs", from(pair), []string{"Sec-WebSocket-Protocol: access_token, " + tok + ", access_token, " + tok}, 400, "more than one"},
		{"no pair", from(pair), []string{"Sec-WebSocket-Protocol: chat, Access_token, " + tok}, 401, "no token"},

		{"a prefix", from(prefix), []string{"Sec-WebSocket-Protocol: " + k8s + b64 + ", chat"}, 0, "alice"},
		{"a plain prefix", from(plain), []string{"Sec-WebSocket-Protocol: chat, bearer." + tok}, 0, "alice"},
		{"a prefix alone", from(prefix), []string{"Sec-WebSocket-Protocol: " + k8s}, 400, "empty"},
		{"a prefix, not encoded", from(prefix), []string{"Sec-WebSocket-Protocol: " + k8s + tok}, 400, "not encoded"},
		{"a prefix twice", from(prefix), []string{"Sec-WebSocket-Protocol: " + k8s + b64 + ", " + k8s + b64}, 400, "more than one"},
		{"no prefix", from(prefix), []string{"Sec-WebSocket-Protocol: chat"}, 401, "no token"},

		{"in order: the first", from(header, query), []string{"/?access_token=" + other, "Authorization: Bearer " + tok}, 0, "alice"},
		{"in order: the other first", from(query, header), []string{"/?access_token=" + other, "Authorization: Bearer " + tok}, 0, "bob"},
		{"in order: the second", from(header, cookie, query), []string{"/?access_token=" + other}, 0, "bob"},
		{"in order: a bad first", from(header, query), []string{"/?access_token=" + tok, "Authorization: Bearer bad"}, 401, "malformed"},
		{"in order: an empty first", from(header, query), []string{"/?access_token=" + tok, "Authorization: Bearer "}, 400, "empty"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := verifier(t, Config{Sources: c.sources, Subprotocols: []string{"chat"}})
			g, err := v.Handshake(request(t, c.lines...))
			if c.status != 0 {
				wantRefusal(t, err, c.status, c.reason, tok, b64)
				return
			}
			if err != nil || g.Subject != c.reason {
				t.Errorf("%+v, %v", g, err)
			}
		})
	}
}

func TestTheAnswerHasNoToken(t *testing.T) {
	tok := goodToken()
	sources := []Source{{ProtocolPair, "access_token"}, {ProtocolPrefix, "bearer."}, {Kind: Header}}
	for _, c := range []struct{ speaks, offers, want string }{
		{"", "access_token, " + tok, "access_token"},
		{"chat", "access_token, " + tok, "access_token"},
		{"chat", "chat, access_token, " + tok, "chat"},
		{"chat", "access_token, " + tok + ", chat", "chat"},
		{"chat v2", "v2, access_token, " + tok + ", chat", "v2"},
		{"chat v2", "x, access_token, " + tok + ", chat", "chat"},
		{"chat", "access_token, chat", ""}, // chat is the token here, and a bad one
		{"chat", "bearer." + tok + ", chat", "chat"},
		{"chat", "bearer." + tok + ", other", ""},
		{"chat", "bearer." + tok, ""},
	} {
		c2 := Config{Sources: sources, Subprotocols: strings.Fields(c.speaks)}
		if c.speaks == "" {
			c2.Sources = sources[:1]
		}
		v := verifier(t, c2)
		r := request(t, "Sec-WebSocket-Protocol: "+c.offers)
		if got := v.subprotocol(r); c.offers == "access_token, chat" {
			if got == "chat" {
				t.Errorf("%q: the answer is the token", c.offers)
			}
			continue
		}
		g, err := v.Handshake(r)
		if err != nil || g.Subprotocol != c.want {
			t.Errorf("speaks %q, is offered %.60q: %q, %v; want %q", c.speaks, c.offers, g.Subprotocol, err, c.want)
		}
	}
	v := verifier(t, Config{Sources: sources, Subprotocols: []string{"chat"}})
	g, err := v.Handshake(request(t, "Authorization: Bearer "+tok, "Sec-WebSocket-Protocol: other, chat"))
	if err != nil || g.Subprotocol != "chat" {
		t.Errorf("with the token in the header: %q, %v", g.Subprotocol, err)
	}
}

func TestRedact(t *testing.T) {
	v := verifier(t, Config{Sources: []Source{{Query, "access_token"}, {Query, "t"}, {Cookie, "c"}}})
	for target, want := range map[string]string{
		"/ws":                                    "/ws",
		"/ws?":                                   "/ws?",
		"/ws?a=b":                                "/ws?a=b",
		"/ws?access_token=SECRET":                "/ws?access_token=REDACTED",
		"/ws?a=b&access_token=SECRET&c":          "/ws?a=b&access_token=REDACTED&c",
		"/ws?access_token=S&access_token=S&t=S":  "/ws?access_token=REDACTED&access_token=REDACTED&t=REDACTED",
		"/ws?%61ccess_token=SECRET":              "/ws?%61ccess_token=REDACTED",
		"/ws?access_token=SECRET=SECRET?SECRET":  "/ws?access_token=REDACTED",
		"/ws?access_token=&access_token":         "/ws?access_token=REDACTED&access_token",
		"/ws?xaccess_token=x&Access_token=x&c=x": "/ws?xaccess_token=x&Access_token=x&c=x",
		"ws://example.com/ws?x&t=SECRET":         "ws://example.com/ws?x&t=REDACTED",
		"/ws?a=access_token=SECRET&%zz=1&t=%zz":  "/ws?a=access_token=SECRET&%zz=1&t=REDACTED",
	} {
		if got := v.Redact(target); got != want {
			t.Errorf("%q: %q, want %q", target, got, want)
		}
	}
	if v := verifier(t, Config{}); v.Redact("/ws?access_token=x") != "/ws?access_token=x" {
		t.Error("a parameter that is no token is redacted")
	}
}

func TestChallenges(t *testing.T) {
	for realm, want := range map[string]string{"": `Bearer realm="websocket"`, `a "b" \c`: `Bearer realm="a \"b\" \\c"`} {
		_, err := verifier(t, Config{Realm: realm}).Handshake(request(t))
		wantRefusal(t, err, 401, "no token")
		if got := challengeOf(err); got != want {
			t.Errorf("realm %q: %s, want %s", realm, got, want)
		}
	}
	_, err := verifier(t, Config{}).Verify([]byte("x"))
	if got, want := challengeOf(err), `Bearer realm="websocket", error="invalid_token", error_description="the token is malformed"`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
