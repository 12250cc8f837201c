package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

func TestWhichKey(t *testing.T) {
	other := []byte("another secret that is long enough")
	for _, c := range []struct {
		name   string
		keys   map[string]any
		kid    any // of the token; nil: none
		signed []byte
		id     string
		reason string
	}{
		{"named", map[string]any{"a": secret, "b": other}, "b", other, "b", ""},
		{"the wrong one named", map[string]any{"a": secret, "b": other}, "a", other, "", "signature"},
		{"none named, one there", map[string]any{"a": secret}, nil, secret, "a", ""},
		{"none named, two there", map[string]any{"a": secret, "b": other}, nil, secret, "", "not known"},
		{"none named, one of two has no name", map[string]any{"": secret, "b": other}, nil, secret, "", ""},
		{"another named, one there", map[string]any{"a": secret}, "b", secret, "", "not known"},
		{"any named, one without a name", map[string]any{"": secret}, "b", secret, "", ""},
		{"any named, one of two without a name", map[string]any{"": secret, "a": other}, "b", secret, "", "not known"},
		{"a path", map[string]any{"a": secret}, "../../dev/null", secret, "", "not known"},
	} {
		header := claims{"alg": "HS256"}
		if c.kid != nil {
			header["kid"] = c.kid
		}
		g, err := verifier(t, Config{Keys: keySet(t, c.keys)}).Verify([]byte(token(header, good(), c.signed)))
		if c.reason != "" {
			wantRefusal(t, err, 401, c.reason)
		} else if err != nil || g.KeyID != c.id {
			t.Errorf("%s: %+v, %v", c.name, g, err)
		}
	}
}

func TestKeysThatAreWrong(t *testing.T) {
	p224 := must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader))
	for _, c := range []struct {
		key  any
		what string
	}{
		{secret[:31], "a secret has to have 32 bytes or more (RFC 7518 3.2): this one has 31"},
		{[]byte(nil), "a secret has to have 32 bytes"},
		{[]byte("-----BEGIN PUBLIC KEY-----\nMIIB"), "the secret is a PEM file"},
		{string(secret), "string is no key to verify with"},
		{nil, "<nil> is no key"},
		{rsaKey, "*rsa.PrivateKey is no key"},
		{(*rsa.PublicKey)(nil), "2048 bits"},
		{&rsa.PublicKey{}, "2048 bits"},
		{&rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 2046), E: 65537}, "2048 bits"},
		{&rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 16384), E: 65537}, "at most 16384"},
		{(*ecdsa.PublicKey)(nil), "no curve"},
		{&p224.PublicKey, "its curve is P-224"},
		{ed25519.PublicKey(secret[:31]), "32 bytes"},
	} {
		_, err := NewKeySet(map[string]any{"name": c.key})
		wantError(t, err, `auth: key "name": `)
		wantError(t, err, c.what)
	}
	_, err := NewKeySet(nil)
	wantError(t, err, "has to have one")
}

// TestASecretFitsItsHash: RFC 7518 3.2 wants a secret as long as the hash.
func TestASecretFitsItsHash(t *testing.T) {
	for size, fits := range map[int][]string{32: {"HS256"}, 47: {"HS256"}, 48: {"HS256", "HS384"}, 64: {"HS256", "HS384", "HS512"}} {
		v := verifier(t, Config{Algorithms: []string{"HS256", "HS384", "HS512"}, Keys: keySet(t, map[string]any{"": make([]byte, size)})})
		for _, a := range []string{"HS256", "HS384", "HS512"} {
			signed, err := jwt.NewWithClaims(jwt.GetSigningMethod(a), jwt.MapClaims(good())).SignedString(make([]byte, size))
			if err != nil {
				t.Fatal(err)
			}
			_, err = v.Verify([]byte(signed))
			if good := strings.Contains(strings.Join(fits, " "), a); good != (err == nil) {
				t.Errorf("%s with %d bytes: %v", a, size, err)
			}
		}
	}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// jwks is a set of keys in JSON.
func jwks(keys ...claims) []byte { return must(json.Marshal(claims{"keys": keys})) }

func rsaJWK(kid string, k *rsa.PrivateKey) claims {
	return claims{"kty": "RSA", "kid": kid, "n": b64(k.N.Bytes()), "e": "AQAB"}
}

func ecJWK(kid, crv string, k *ecdsa.PrivateKey) claims {
	point := must(k.PublicKey.Bytes())[1:]
	return claims{"kty": "EC", "kid": kid, "crv": crv, "x": b64(point[:len(point)/2]), "y": b64(point[len(point)/2:])}
}

// with is c with one member more, or another.
func with(c claims, name string, v any) claims {
	d := claims{name: v}
	for n, v := range c {
		if n != name {
			d[n] = v
		}
	}
	return d
}

func TestJWKS(t *testing.T) {
	set, err := parseJWKS(jwks(
		with(rsaJWK("rsa", rsaKey), "use", "sig"),
		with(ecJWK("ec", "P-256", ecKey), "alg", "ES256"),
		ecJWK("ec384", "P-384", ec384Key),
		claims{"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": b64(edKey.Public().(ed25519.PublicKey)), "key_ops": []string{"sign", "verify"}},
		with(claims{"kty": "oct", "kid": "secret", "k": b64(secret)}, "alg", "HS256"),
		// These are passed over.
		with(rsaJWK("encrypts", rsaKey), "use", "enc"),
		with(rsaJWK("signs", rsaKey), "key_ops", []string{"sign"}),
		with(rsaJWK("other", rsaKey), "alg", "ES256"),
		claims{"kty": "OKP", "crv": "X25519", "kid": "x", "x": "AAAA"},
		claims{"kty": "EC", "crv": "secp256k1", "kid": "k1", "x": "AAAA", "y": "AAAA"},
		claims{"kty": "new", "kid": "new"},
	))
	if err != nil {
		t.Fatal(err)
	}
	if len(set) != 5 {
		t.Errorf("%d keys", len(set))
	}
	keys := new(KeySet)
	keys.keys.Store(&set)
	v := verifier(t, Config{Keys: keys})
	for _, tok := range []string{
		goodToken(), token(claims{"alg": "RS256", "kid": "rsa"}, good(), rsaKey),
		token(claims{"alg": "ES256", "kid": "ec"}, good(), ecKey), token(claims{"alg": "EdDSA", "kid": "ed"}, good(), edKey),
	} {
		if _, err := v.Verify([]byte(tok)); err != nil {
			t.Error(err)
		}
	}
	one, err := parseJWKS(jwks(with(rsaJWK("rsa", rsaKey), "alg", "RS512")))
	if err != nil {
		t.Fatal(err)
	}
	keys.keys.Store(&one)
	_, err = v.Verify([]byte(token(claims{"alg": "RS256", "kid": "rsa"}, good(), rsaKey)))
	wantRefusal(t, err, 401, "algorithm")
}

func TestJWKSThatAreWrong(t *testing.T) {
	many := make([]claims, maxKeys+1)
	for i := range many {
		many[i] = claims{"kty": "new"}
	}
	ec := ecJWK("ec", "P-256", ecKey)
	for _, c := range []struct {
		json []byte
		what string
	}{
		{[]byte("no"), "this is no JWKS"},
		{[]byte("[]"), "this is no JWKS"},
		{[]byte("{}"), "no key to verify signatures with"},
		{jwks(), "no key to verify"},
		{jwks(claims{"kty": "new"}), "no key to verify"},
		{jwks(many...), "the JWKS has 1001 keys: 1000 are the most"},
		{jwks(rsaJWK("a", rsaKey), rsaJWK("a", otherRSAKey)), `two keys with the id "a"`},
		{jwks(with(rsaJWK("a", rsaKey), "n", "!")), `key "a": "n" is missing, or not base64url`},
		{jwks(with(rsaJWK("a", rsaKey), "n", "AQAB")), "2048 bits"},
		{jwks(with(rsaJWK("a", rsaKey), "e", "")), `"e" is missing`},
		{jwks(with(rsaJWK("a", rsaKey), "e", "AQ")), "the exponent"},
		{jwks(with(rsaJWK("a", rsaKey), "e", "BA")), "the exponent"},
		{jwks(with(rsaJWK("a", rsaKey), "e", "gAAAAQ")), "the exponent"},
		{jwks(with(ec, "x", ec["y"])), "not on P-256"},
		{jwks(with(ec, "x", "AAAA")), "the coordinates of P-256 have 32 bytes"},
		{jwks(with(ec, "x", "=")), `"x" is missing`},
		{jwks(with(ec, "y", "")), `"y" is missing`},
		{jwks(claims{"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}), "32 bytes"},
		{jwks(claims{"kty": "OKP", "crv": "Ed25519"}), `"x" is missing`},
		{jwks(claims{"kty": "oct", "k": "AAAA"}), "32 bytes or more"},
		{jwks(claims{"kty": "oct"}), `"k" is missing`},
	} {
		_, err := parseJWKS(c.json)
		wantError(t, err, c.what)
	}
	if _, err := parseJWKS(jwks(append(many[:maxKeys-1], rsaJWK("a", rsaKey))...)); err != nil {
		t.Error(err)
	}
}
