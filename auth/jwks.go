package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
)

// jwk is a key of a JSON Web Key Set (RFC 7517 4; RFC 7518 6; RFC 8037 2).
type jwk struct {
	Kty string   `json:"kty"`
	Kid string   `json:"kid"`
	Use string   `json:"use"`
	Ops []string `json:"key_ops"`
	Alg string   `json:"alg"`
	Crv string   `json:"crv"`
	N   string   `json:"n"`
	E   string   `json:"e"`
	X   string   `json:"x"`
	Y   string   `json:"y"`
	K   string   `json:"k"`
}

// maxKeys is how many keys a set may have.
const maxKeys = 1000

// parseJWKS reads a set. Keys of a type or curve that is not known, and those that are not for signatures, are passed over (RFC
// 7517 5); a malformed one makes the set wrong, and so does a set in which no key is left.
func parseJWKS(b []byte) (map[string]key, error) {
	var doc struct {
		Keys []jwk `json:"keys"`
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		return nil, errors.New("auth: this is no JWKS: it has to be JSON as in {\"keys\": [...]}")
	}
	if len(doc.Keys) > maxKeys {
		return nil, fmt.Errorf("auth: the JWKS has %d keys: %d are the most", len(doc.Keys), maxKeys)
	}
	set := make(map[string]key)
	for _, j := range doc.Keys {
		if j.Use != "" && j.Use != "sig" || len(j.Ops) > 0 && !slices.Contains(j.Ops, "verify") {
			continue
		}
		material, err := j.material()
		if err != nil {
			return nil, fmt.Errorf("auth: key %q: %w", j.Kid, err)
		}
		if material == nil {
			continue
		}
		k, err := newKey(j.Kid, material)
		if err != nil {
			return nil, err
		}
		if j.Alg != "" {
			if k.algorithms = restrict(k.algorithms, j.Alg); k.algorithms == nil {
				continue
			}
		}
		if _, twice := set[j.Kid]; twice {
			return nil, fmt.Errorf("auth: the JWKS has two keys with the id %q", j.Kid)
		}
		set[j.Kid] = k
	}
	if len(set) == 0 {
		return nil, errors.New("auth: the JWKS has no key to verify signatures with")
	}
	return set, nil
}

// restrict leaves one of the algorithms that a key fits, nil if it does not fit that.
func restrict(all []string, one string) []string {
	if !slices.Contains(all, one) {
		return nil
	}
	return []string{one}
}

// material is the key itself, nil if its type or curve is not known.
func (j *jwk) material() (any, error) {
	switch {
	case j.Kty == "RSA":
		return j.rsa()
	case j.Kty == "EC":
		return j.ec()
	case j.Kty == "OKP" && j.Crv == "Ed25519":
		x, err := decode("x", j.X)
		return ed25519.PublicKey(x), err
	case j.Kty == "oct":
		return decode("k", j.K)
	}
	return nil, nil
}

func (j *jwk) rsa() (any, error) {
	n, err := decode("n", j.N)
	if err != nil {
		return nil, err
	}
	e, err := decode("e", j.E)
	if err != nil {
		return nil, err
	}
	exponent := new(big.Int).SetBytes(e)
	if exponent.BitLen() > 31 || exponent.Int64() < 3 || exponent.Bit(0) == 0 {
		return nil, errors.New("the exponent of an RSA key has to be odd, at least 3, and below 2^31")
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(exponent.Int64())}, nil
}

func (j *jwk) ec() (any, error) {
	curves := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}
	curve, ok := curves[j.Crv]
	if !ok {
		return nil, nil
	}
	x, err := decode("x", j.X)
	if err != nil {
		return nil, err
	}
	y, err := decode("y", j.Y)
	if err != nil {
		return nil, err
	}
	size := (curve.Params().BitSize + 7) / 8
	if len(x) != size || len(y) != size {
		return nil, fmt.Errorf("the coordinates of %s have %d bytes", j.Crv, size)
	}
	k, err := ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{4}, x, y))
	if err != nil {
		return nil, fmt.Errorf("its point is not on %s", j.Crv)
	}
	return k, nil
}

// decode reads base64url without padding (RFC 7515 2).
func decode(name, s string) ([]byte, error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) == 0 {
		return nil, fmt.Errorf("%q is missing, or not base64url without padding", name)
	}
	return b, nil
}
