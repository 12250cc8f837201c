package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/roostws/roost/internal/leak"
	"github.com/roostws/roost/wsproto"
)

func TestMain(m *testing.M) { leak.Main(m) }

// now is the time of these tests.
var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

var secret = []byte("0123456789abcdef0123456789abcdef")

// Keys of these tests, of the kinds that there are.
var (
	rsaKey, otherRSAKey = mustRSA(2048), mustRSA(2048)
	ecKey               = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	ec384Key            = must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	edKey               = ed25519.NewKeyFromSeed(secret)
)

func mustRSA(bits int) *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, bits)) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func publicKeys() map[string]any {
	return map[string]any{
		"rsa": &rsaKey.PublicKey, "ec": &ecKey.PublicKey, "ec384": &ec384Key.PublicKey, "ed": edKey.Public().(ed25519.PublicKey), "secret": secret,
	}
}

// claims are members of a JSON object.
type claims = map[string]any

// good are claims that a verifier of these tests takes, and what is changed in them; nil takes one away.
func good(changes ...claims) claims {
	c := claims{"sub": "alice", "exp": now.Add(time.Hour).Unix(), "iss": "issuer", "aud": "us"}
	for _, change := range changes {
		for name, v := range change {
			if c[name] = v; v == nil {
				delete(c, name)
			}
		}
	}
	return c
}

func segment(v any) string {
	if s, ok := v.(string); ok {
		return base64.RawURLEncoding.EncodeToString([]byte(s))
	}
	return base64.RawURLEncoding.EncodeToString(must(json.Marshal(v)))
}

// token signs with the standard library only: golang-jwt is what is tested. header and payload are claims or JSON.
func token(header, payload any, k any) string {
	signed := segment(header) + "." + segment(payload)
	sum := sha256.Sum256([]byte(signed))
	var sig []byte
	switch k := k.(type) {
	case []byte:
		h := hmac.New(sha256.New, k)
		h.Write([]byte(signed))
		sig = h.Sum(nil)
	case *rsa.PrivateKey:
		sig = must(rsa.SignPKCS1v15(rand.Reader, k, crypto.SHA256, sum[:]))
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, k, sum[:])
		must(0, err)
		n := (k.Params().BitSize + 7) / 8
		sig = append(r.FillBytes(make([]byte, n)), s.FillBytes(make([]byte, n))...)
	case ed25519.PrivateKey:
		sig = ed25519.Sign(k, []byte(signed))
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(sig)
}

// goodToken is a token that a verifier of these tests takes.
func goodToken(changes ...claims) string {
	return token(claims{"alg": "HS256", "kid": "secret"}, good(changes...), secret)
}

func keySet(t testing.TB, keys map[string]any) *KeySet {
	t.Helper()
	s, err := NewKeySet(keys)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// verifier is one of c, with what is missing in it.
func verifier(t testing.TB, c Config) *Verifier {
	t.Helper()
	if c.Algorithms == nil {
		c.Algorithms = []string{"HS256", "RS256", "ES256", "EdDSA"}
	}
	if c.Keys == nil {
		c.Keys = keySet(t, publicKeys())
	}
	if c.Now == nil {
		c.Now = func() time.Time { return now }
	}
	v, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// request is a handshake with more header lines; one that begins with "/" is its target.
func request(t testing.TB, lines ...string) *wsproto.Request {
	t.Helper()
	target := "/ws"
	head := []string{"Host: example.com", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}
	for _, l := range lines {
		if strings.HasPrefix(l, "/") {
			target = l
			continue
		}
		head = append(head, l)
	}
	r := new(wsproto.Request)
	if err := r.Parse([]byte("GET "+target+" HTTP/1.1\r\n"+strings.Join(head, "\r\n")+"\r\n\r\n"), wsproto.Limits{}); err != nil {
		t.Fatal(err)
	}
	if err := r.CheckUpgrade(); err != nil {
		t.Fatal(err)
	}
	return r
}

// wantRefusal checks that err is a refusal of that status and reason, whose answer is as RFC 6750 wants and quotes no secret.
func wantRefusal(t *testing.T, err error, status int, reason string, secrets ...string) {
	t.Helper()
	var r *wsproto.Refusal
	if !errors.As(err, &r) || r.Status != status || !strings.Contains(r.Reason, reason) {
		t.Errorf("refused with %v, want %d %q", err, status, reason)
		return
	}
	response := string(wsproto.AppendRefusal(nil, r))
	challenge := `WWW-Authenticate: Bearer realm="`
	switch {
	case status == 400:
		challenge = `", error="invalid_request", error_description="` + r.Reason + "\"\r\n"
	case reason != "no token":
		challenge = `", error="invalid_token", error_description="` + r.Reason + "\"\r\n"
	case strings.Contains(response, "error="):
		t.Errorf("who sends no token is told an error code: %q", response)
	}
	if !strings.Contains(response, challenge) {
		t.Errorf("the answer is %q, want %q in it", response, challenge)
	}
	for _, s := range secrets {
		if len(s) > 8 && strings.Contains(response+err.Error(), s) {
			t.Errorf("the answer quotes %q: %q", s, response)
		}
	}
}

func wantError(t *testing.T, err error, what string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), what) {
		t.Errorf("the error is %v, want one with %q", err, what)
	}
}
