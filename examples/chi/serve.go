package main

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/roostws/roost/gate"
	"github.com/roostws/roost/server"
)

// settings are what a deployment would change.
type settings struct {
	tls        *tls.Config // nil: http and ws
	log        io.Writer   // one line a request
	maxConns   int         // in all rooms, more get 503
	perAddress gate.LimiterConfig
}

// goodbye is how long pages that are being loaded, and then the closing handshakes of the chat, may take at the end.
const goodbye = 10 * time.Second

// serve runs the chat on l until ctx ends, and then ends both servers in order.
func serve(ctx context.Context, l net.Listener, s settings) error {
	c, err := newChat(s)
	if err != nil {
		l.Close()
		return err
	}
	web := &http.Server{Handler: c.router(s.log), TLSConfig: s.tls, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 20 * time.Second}
	web.Protocols = new(http.Protocols)
	web.Protocols.SetHTTP1(true) // a connection of HTTP/2 cannot be taken over
	failed := make(chan error, 1)
	go func() {
		if s.tls != nil {
			failed <- web.ServeTLS(server.NewListener(l), "", "")
		} else {
			failed <- web.Serve(l)
		}
	}()
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	// The pages first: a request that is under way may still become a connection.
	if late := within(goodbye, web.Shutdown); late != nil {
		err = errors.Join(err, late, web.Close())
	}
	return errors.Join(err, within(goodbye, func(ctx context.Context) error {
		_, err := c.server.Shutdown(ctx)
		return err
	}))
}

// within gives do a time of its own: a page that somebody loads slowly takes none from the chat's closing handshakes.
func within(d time.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	return do(ctx)
}
