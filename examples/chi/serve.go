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

// goodbye is how long pages that are being loaded, and the closing handshakes of the chat, may take at the end.
const goodbye = 10 * time.Second

// serve runs the chat on l until ctx ends, and then ends both servers in order.
func serve(ctx context.Context, l net.Listener, s settings) error {
	c, err := newChat(s)
	if err != nil {
		l.Close()
		return err
	}
	web := &http.Server{Handler: c.router(s.log), TLSConfig: s.tls, ReadHeaderTimeout: 10 * time.Second}
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
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
	defer cancel()
	err = errors.Join(err, web.Shutdown(ctx)) // first: a request that is under way may still become a connection
	_, closing := c.server.Shutdown(ctx)
	return errors.Join(err, closing)
}
