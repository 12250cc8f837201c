package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/roostws/roost/gate"
	"github.com/roostws/roost/server"
)

// echoCommand serves an echo.
type echoCommand struct {
	Addr      string `default:"127.0.0.1:8080" help:"Address to listen on (${default}); port 0 takes a free one."`
	Inline    bool   `help:"Echo on the event loop instead of the goroutine pool."`
	Broadcast bool   `help:"Send every message to all connections, as one prepared frame."`

	serveFlags
}

// Run serves until ctx ends.
func (e *echoCommand) Run(ctx context.Context) error {
	if err := e.prepare(); err != nil {
		return err
	}
	var srv *server.Server
	h := server.Handler{OnMessage: func(c *server.Conn, m server.Message) { c.Send(m.Op, m.Payload) }}
	if e.Broadcast {
		h = server.Handler{OnMessage: func(_ *server.Conn, m server.Message) { srv.Broadcast(m.Op, m.Payload) }}
	}
	config, err := e.config(ctx)
	if err != nil {
		return err
	}
	config.Handler, config.Inline = h, e.Inline
	// Also with tokens, which a cookie may hold: else any page could use its visitor's.
	if config.Origins, err = gate.ParseOrigins(append([]string{gate.SameOrigin}, e.AllowOrigin...)...); err != nil {
		return usageError{fmt.Errorf("--allow-origin: %w", err)}
	}
	if srv, err = server.New(config); err != nil {
		return err
	}
	if err := e.listen(srv, e.Addr, "echoing at ws%[2]s://%[1]s/; Ctrl-C ends\n"); err != nil {
		return err
	}
	return serve(ctx, srv, e.DrainTimeout)
}

// serve waits until ctx ends, and then shuts srv down in order, within the timeout.
func serve(ctx context.Context, srv *server.Server, timeout time.Duration) error {
	<-ctx.Done()
	end, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	report, err := srv.Shutdown(end)
	fmt.Fprintf(os.Stderr, "roost: %d connections closed, %d cut off\n", report.Closed, report.Forced)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}
