package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/golang-jwt/jwt/v5"
)

// KeySet is the keys that tokens are verified with, by their ids ("kid"). Any goroutine may use it.
type KeySet struct {
	keys   atomic.Pointer[map[string]key]
	source keySource // nil for keys that stay as they are
	wake   chan struct{}
}

// keySource is where a set of keys comes from.
type keySource interface {
	// read returns a JWKS, or nil if it has not changed since the last call that returned one.
	read(ctx context.Context) ([]byte, error)
	// forget makes the next read return what there is: the last was not good.
	forget()
}

// key is a key for signatures.
type key struct {
	id         string
	algorithms []string // that it may be used with: so a public key is never taken for a secret
	verify     any      // as golang-jwt wants it
}

// Why no key is chosen.
var (
	errNoKey        = errors.New("no such key")
	errKeyAlgorithm = errors.New("the key is not for this algorithm")
	errHeader       = errors.New("the token has a header that is not understood")
)

// NewKeySet is a set that stays as it is: by id, a *rsa.PublicKey of at least 2,048 bits, *ecdsa.PublicKey, ed25519.PublicKey, or
// []byte, a secret of 32 bytes or more for the HS algorithms. A single key with the id "" is for every token; otherwise a token
// that names no key is verified with the only one there is, or with none.
func NewKeySet(keys map[string]any) (*KeySet, error) {
	if len(keys) == 0 {
		return nil, errors.New("auth: a set of keys has to have one")
	}
	set := make(map[string]key)
	for id, k := range keys {
		checked, err := newKey(id, k)
		if err != nil {
			return nil, err
		}
		set[id] = checked
	}
	s := new(KeySet)
	s.keys.Store(&set)
	return s, nil
}

// newKey finds out what a key may be used with.
func newKey(id string, k any) (key, error) {
	bad := func(format string, args ...any) (key, error) {
		return key{}, fmt.Errorf("auth: key %q: %s", id, fmt.Sprintf(format, args...))
	}
	switch k := k.(type) {
	case *rsa.PublicKey:
		if k == nil || k.N == nil || k.N.BitLen() < 2048 || k.N.BitLen() > 16384 {
			return bad("an RSA key has to have 2048 bits or more (RFC 7518 3.3), and at most 16384")
		}
		return key{id, []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}, k}, nil
	case *ecdsa.PublicKey:
		if k == nil || k.Curve == nil {
			return bad("it has no curve")
		}
		algorithm, ok := curveAlgorithms[k.Curve.Params().Name]
		if !ok {
			return bad("its curve is %s: want P-256, P-384 or P-521", k.Curve.Params().Name)
		}
		return key{id, []string{algorithm}, k}, nil
	case ed25519.PublicKey:
		if len(k) != ed25519.PublicKeySize {
			return bad("an Ed25519 key has 32 bytes")
		}
		return key{id, []string{"EdDSA"}, k}, nil
	case []byte:
		return newSecret(id, k)
	}
	return bad("%T is no key to verify with: want *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey or []byte", k)
}

var curveAlgorithms = map[string]string{"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}

// newSecret takes a secret for the HS algorithms whose hash is no longer than it (RFC 7518 3.2).
func newSecret(id string, k []byte) (key, error) {
	if strings.HasPrefix(string(k), "-----BEGIN") {
		return key{}, fmt.Errorf("auth: key %q: the secret is a PEM file: parse it, or its text would be what signs", id)
	}
	var fits []string
	for name, n := range algorithms {
		if n > 0 && n <= len(k) {
			fits = append(fits, name)
		}
	}
	if len(fits) == 0 {
		return key{}, fmt.Errorf("auth: key %q: a secret has to have 32 bytes or more (RFC 7518 3.2): this one has %d", id, len(k))
	}
	return key{id, fits, slices.Clone(k)}, nil
}

// key chooses the key for a token whose signature is not verified yet.
func (s *KeySet) key(t *jwt.Token) (key, error) {
	if _, critical := t.Header["crit"]; critical { // RFC 7515 4.1.11: none is understood here
		return key{}, errHeader
	}
	named, has := t.Header["kid"]
	id, ok := named.(string)
	if has && !ok {
		return key{}, errHeader
	}
	set := *s.keys.Load()
	k, found := set[id]
	if !found {
		k, found = only(set, has)
	}
	if !found {
		select {
		case s.wake <- struct{}{}: // it may be new: Watch looks
		default:
		}
		return key{}, errNoKey
	}
	if !slices.Contains(k.algorithms, t.Method.Alg()) {
		return key{}, errKeyAlgorithm
	}
	return k, nil
}

// only is the only key of a set, for a token that names none, or if it has no name.
func only(set map[string]key, named bool) (key, bool) {
	if len(set) == 1 {
		for _, k := range set {
			return k, !named || k.id == ""
		}
	}
	return key{}, false
}
