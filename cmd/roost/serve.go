package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"github.com/roostws/roost/internal/doctor"
	"github.com/roostws/roost/poller"
	"github.com/roostws/roost/server"
)

// serveFlags are those of every command that serves.
type serveFlags struct {
	MaxConns int    `placeholder:"N" help:"Connections at most; refused at once if this process cannot have so many. Default: as many as it can."`
	Loops    int    `help:"Event loops; 0 means one per processor."`
	Engine   string `default:"auto" help:"What waits for the sockets: epoll, netpoll or auto (${default})."`

	HandshakeTimeout time.Duration `default:"10s" help:"From the accepted connection to the answer to its handshake (${default})."`

	PingAfter time.Duration `default:"30s" help:"A connection that sent nothing for so long gets a ping (${default}; below 0: never)."`
	PingGrace time.Duration `default:"10s" help:"One that sends nothing for so long after the ping is ended (${default})."`

	DrainWindow  time.Duration `default:"1s" help:"When it ends, it says goodbye to its clients over so long, in random order (${default}; 0s: to all at once)."`
	DrainTimeout time.Duration `default:"10s" help:"And it takes so long at most: whoever is left by then is cut off (${default})."`

	tlsFlags
	gateFlags
	tokenFlags
}

// heapGrowth is how much of the heap may be garbage, in percent. Most of it are connections,
// which stay, and a message makes none: so a tight heap costs nothing that could be measured, and Go's
// default of 100 would let every connection take up to twice its memory. The environment's GOGC goes first.
const heapGrowth = 25

// prepare sets the garbage collector, lets the process have as many descriptors as it
// may, and fails if that is less than what was asked for.
func (s *serveFlags) prepare() error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(heapGrowth)
	}
	if s.MaxConns > 0 {
		if err := doctor.Fits(s.MaxConns, doctor.Server); err != nil {
			return usageError{err}
		}
		return nil
	}
	if _, err := poller.RaiseFileLimit(); err != nil {
		fmt.Fprintln(os.Stderr, "roost: the limit of open files stays as it is:", err)
	}
	return nil
}

// config is the server's, but for what a command sets itself. What follows keys ends with ctx.
func (s *serveFlags) config(ctx context.Context) (server.Config, error) {
	c := server.Config{
		MaxConns: s.MaxConns, Loops: s.Loops, Engine: s.Engine,
		HandshakeTimeout: s.HandshakeTimeout, PingAfter: s.PingAfter, PingGrace: s.PingGrace,
		DrainWindow: s.DrainWindow,
	}
	if c.DrainWindow == 0 {
		c.DrainWindow = -1 // 0 would be the default
	}
	if s.DrainTimeout <= max(0, s.DrainWindow) {
		return c, usageError{fmt.Errorf("--drain-timeout is %v, and --drain-window %v: it must be longer, as clients need time to answer the last goodbyes", s.DrainTimeout, s.DrainWindow)}
	}
	for _, apply := range []func(context.Context, *server.Config) error{s.tlsFlags.apply, s.gateFlags.apply, s.tokenFlags.apply} {
		if err := apply(ctx, &c); err != nil {
			return c, usageError{err}
		}
	}
	return c, nil
}
