package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/roostws/roost/auth"
	"github.com/roostws/roost/server"
	"github.com/roostws/roost/wsproto"
)

// tokenFlags are how clients show who they are.
type tokenFlags struct {
	JWTKeys      string        `group:"token" name:"jwt-keys" placeholder:"FILE|URL" help:"Who connects must have a token signed by one of these keys, a JWKS. They are read again every minute. A connection ends with 4401 when its token does."`
	JWTAlgorithm []string      `group:"token" name:"jwt-algorithm" placeholder:"NAME" help:"What tokens may be signed with, such as RS256, ES256 or EdDSA."`
	JWTIssuer    string        `group:"token" name:"jwt-issuer" placeholder:"ISS" help:"Who must have made them."`
	JWTAudience  []string      `group:"token" name:"jwt-audience" placeholder:"AUD" help:"Whom they must be for: one of these."`
	JWTSource    []auth.Source `group:"token" name:"jwt-source" placeholder:"SOURCE" help:"Where tokens are: header (the default), cookie:NAME, query:NAME or protocol:NAME. The first that has one decides."`
}

// keysEvery is how often keys are read again.
const keysEvery = time.Minute

// apply sets Config.Authorize.
func (f *tokenFlags) apply(ctx context.Context, c *server.Config) error {
	if f.JWTKeys == "" {
		if len(f.JWTAlgorithm)+len(f.JWTAudience)+len(f.JWTSource) > 0 || f.JWTIssuer != "" {
			return errors.New("--jwt-algorithm, --jwt-issuer, --jwt-audience and --jwt-source need --jwt-keys")
		}
		return nil
	}
	var keys *auth.KeySet
	var err error
	if strings.Contains(f.JWTKeys, "://") {
		keys, err = auth.FetchKeySet(ctx, f.JWTKeys, nil)
	} else {
		keys, err = auth.OpenKeySet(f.JWTKeys)
	}
	if err != nil {
		return fmt.Errorf("--jwt-keys: %w", err)
	}
	v, err := auth.New(auth.Config{Algorithms: f.JWTAlgorithm, Keys: keys, Issuer: f.JWTIssuer, Audiences: f.JWTAudience, Sources: f.JWTSource})
	if err != nil {
		return err
	}
	go keys.Watch(ctx, keysEvery, func(err error) { slog.Warn("the keys of tokens could not be read again", "err", err) })
	c.Authorize = func(r *wsproto.Request) (server.Accept, error) {
		grant, err := v.Handshake(r)
		if err != nil {
			return server.Accept{}, err
		}
		return server.Accept{Subprotocol: grant.Subprotocol, Expires: grant.Expires, Value: grant}, nil
	}
	return nil
}
