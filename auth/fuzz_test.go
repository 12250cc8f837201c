package auth

import (
	"errors"
	"strings"
	"testing"

	"github.com/roostws/roost/wsproto"
)

// FuzzVerify: no bytes but the good token are taken, and none bring it down.
func FuzzVerify(f *testing.F) {
	v := verifier(f, Config{})
	fine := goodToken()
	f.Add([]byte(fine))
	for _, s := range []string{
		"", ".", "..", fine[1:], fine + ".", token(claims{"alg": "none"}, good(), nil), token(claims{"alg": 1, "kid": []int{1}, "crit": nil}, "{", nil),
		token(claims{"alg": "ES256", "kid": "ec"}, good(), nil), token(claims{"alg": "EdDSA", "kid": "ed"}, good(), nil), token("null", "null", nil),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := v.Verify(b)
		if err == nil {
			if string(b) != fine {
				t.Fatalf("%q is taken for %+v", b, g)
			}
			return
		}
		checkRefusal(t, err, string(b))
	})
}

func checkRefusal(t *testing.T, err error, secret string) {
	t.Helper()
	var r *wsproto.Refusal
	if !errors.As(err, &r) || r.Status != 401 && r.Status != 400 {
		t.Fatalf("%v", err)
	}
	if answer := string(wsproto.AppendRefusal(nil, r)); len(secret) > 16 && strings.Contains(answer, secret) {
		t.Fatalf("%q quotes the token", answer)
	}
}

// FuzzHandshake: wherever a client puts a token, the answer never chooses it as the subprotocol, and the log never has it.
func FuzzHandshake(f *testing.F) {
	fine := goodToken()
	f.Add("/ws?access_token="+fine, "access_token, "+fine, "session="+fine, "Bearer "+fine)
	f.Add("/ws?%61ccess_token=x&&=&access_token", "bearer."+fine+", chat", `session="`, "Bearer")
	f.Add("/", "chat", "", "")
	v := verifier(f, Config{
		Sources:      []Source{{ProtocolPair, "access_token"}, {ProtocolPrefix, "bearer."}, {Query, "access_token"}, {Cookie, "session"}, {Kind: Header}},
		Subprotocols: []string{"chat"},
	})
	f.Fuzz(func(t *testing.T, target, protocols, cookie, authorization string) {
		head := "GET " + target + " HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nCookie: " + cookie + "\r\nAuthorization: " + authorization + "\r\n"
		if protocols != "" {
			head += "Sec-WebSocket-Protocol: " + protocols + "\r\n"
		}
		var r wsproto.Request
		if r.Parse([]byte(head+"\r\n"), wsproto.Limits{}) != nil || r.CheckUpgrade() != nil {
			return
		}
		g, err := v.Handshake(&r)
		if err != nil {
			checkRefusal(t, err, strings.TrimPrefix(authorization, "Bearer "))
		} else if g.Subject != "alice" || g.Subprotocol != "" && g.Subprotocol != "chat" && g.Subprotocol != "access_token" {
			t.Fatalf("%+v", g)
		}
		if token, err := queryToken(r.RawQuery(), "access_token"); err == nil && len(token) > 16 && !strings.Contains(target, token+token) &&
			strings.Count(target, token) == 1 && strings.Contains(v.Redact(r.Target()), token) {
			t.Fatalf("%q becomes %q", r.Target(), v.Redact(r.Target()))
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	v := verifier(b, Config{})
	for name, tok := range map[string]string{
		"HS256": goodToken(), "RS256": token(claims{"alg": "RS256", "kid": "rsa"}, good(), rsaKey),
		"ES256": token(claims{"alg": "ES256", "kid": "ec"}, good(), ecKey), "EdDSA": token(claims{"alg": "EdDSA", "kid": "ed"}, good(), edKey),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify([]byte(tok)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
