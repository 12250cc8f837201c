// Roost is one binary for all that the project does: serve a market-data feed, serve an
// echo to measure against, put any WebSocket server under load, and examine a machine.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// cli is the command line.
type cli struct {
	Feed   feedCommand   `cmd:"" help:"Serve a live market-data feed, and a page that shows it."`
	Echo   echoCommand   `cmd:"" help:"Serve an echo: what the measurements run against."`
	Load   loadCommand   `cmd:"" help:"Put any WebSocket server under load and measure it."`
	Doctor doctorCommand `cmd:"" help:"Examine whether this machine can hold a number of connections, and say what to change."`
}

// The exit statuses.
const (
	exitFailed = 1 // what was asked for did not work out, or an assertion does not hold
	exitUsage  = 2 // it could not be begun: the command line, or a server that cannot be tested
)

// usageError is an error that ends the process with exitUsage.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the second signal ends the process at once
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "roost:", err)
		os.Exit(status(err))
	}
}

func status(err error) int {
	var usage usageError
	if errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailed
}

// run runs the command that args are.
func run(ctx context.Context, args []string) error {
	var c cli
	parser, err := kong.New(&c,
		kong.Name("roost"),
		kong.Description("A WebSocket server that holds idle connections for almost nothing, and the tools to prove it."),
		kong.ExplicitGroups([]kong.Group{
			{Key: "connect", Title: "How to connect:"},
			{Key: "messages", Title: "What to send:"},
			{Key: "work", Title: "Who works:"},
			{Key: "output", Title: "Results:"},
			{Key: "tls", Title: "TLS:"},
			{Key: "gate", Title: "Who may come in, and how much:"},
			{Key: "token", Title: "Tokens (JWT):"},
			{Key: "sim", Title: "With --source sim:"},
			{Key: "replay", Title: "With --source replay:"},
		}),
		kong.BindTo(ctx, (*context.Context)(nil)))
	if err != nil {
		return err
	}
	command, err := parser.Parse(args)
	if err != nil {
		return usageError{err}
	}
	return command.Run()
}
