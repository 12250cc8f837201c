// Roost is one binary for all that the project does: serve a market-data feed, serve an echo to measure against.
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
	Feed feedCommand `cmd:"" help:"Serve a live market-data feed, and a page that shows it."`
	Echo echoCommand `cmd:"" help:"Serve an echo: what the measurements run against."`
	Load loadCommand `cmd:"" help:"Measure any WebSocket server under load."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the second signal ends the process at once

	var c cli
	k := kong.Parse(&c,
		kong.Name("roost"),
		kong.Description("A WebSocket server that holds idle connections for almost nothing."),
		kong.ShortUsageOnError(),
		kong.ExplicitGroups([]kong.Group{
			{Key: "connect", Title: "How to connect:"},
			{Key: "messages", Title: "What to send:"},
			{Key: "work", Title: "Who works:"},
			{Key: "output", Title: "Results:"},
			{Key: "sim", Title: "With --source sim:"},
			{Key: "replay", Title: "With --source replay:"},
		}),
		kong.BindTo(ctx, (*context.Context)(nil)))
	if err := k.Run(); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "roost:", err)
		os.Exit(1)
	}
}
