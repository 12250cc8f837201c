// Compare measures roost beside other WebSocket servers, in the same works, on the same
// machine, and writes a page, charts and all figures. It needs Linux and two
// processors.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

// cli is the command line.
type cli struct {
	Run    runCommand    `cmd:"" default:"withargs" help:"Compare servers (what is done without a command)."`
	Client clientCommand `cmd:"" hidden:""`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	// A second signal ends the process at once, if it is not the first one's twin: some
	// programs send theirs to a process and to its group.
	context.AfterFunc(ctx, func() { time.AfterFunc(time.Second, stop) })
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

// errInterrupted says that what was measured until then was written.
var errInterrupted = errors.New("interrupted: what was measured so far is written")

func run(ctx context.Context, args []string) error {
	var c cli
	parser, err := kong.New(&c,
		kong.Name("compare"),
		kong.Description("Compare WebSocket servers on this machine: memory, processor time, rates and latencies."),
		kong.BindTo(ctx, (*context.Context)(nil)))
	if err != nil {
		return err
	}
	command, err := parser.Parse(args)
	if err != nil {
		return err
	}
	return command.Run()
}
