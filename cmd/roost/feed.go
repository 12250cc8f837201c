package main

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/roostws/roost/feed"
	"github.com/roostws/roost/server"
)

// feedCommand serves market data.
type feedCommand struct {
	Addr   string `default:"127.0.0.1:8080" help:"Address to listen on (${default}); port 0 takes a free one."`
	Source string `default:"sim" enum:"sim,replay" help:"Where prices come from: sim invents them, replay plays a file (${default})."`

	Symbols []string `group:"sim" help:"What to trade, such as EURUSD,XAUUSD; or a number of symbols. Default: 24 well-known ones."`
	Rate    float64  `group:"sim" default:"250" help:"Updates a second over all symbols (${default})."`
	Seed    uint64   `group:"sim" help:"The same seed gives the same market."`

	File   string `group:"replay" type:"existingfile" help:"The quote file: HistData's lines, or columns named by a header, with ISO times."`
	Symbol string `group:"replay" help:"The symbol of a file that names none. Default: from the file's name, eurusd-quotes.csv being EURUSD."`
	Speed  speed  `group:"replay" default:"1x" help:"How fast: 1x, 10x, 2.5x…, or max (${default})."`
	Loop   bool   `group:"replay" help:"Begin again at the end."`
	Strict bool   `group:"replay" help:"End at the first malformed line; otherwise it is logged, counted and skipped."`
	Now    bool   `group:"replay" help:"Start at once. Otherwise a replay that does not loop waits for its first subscriber, who so gets every quote."`

	serveFlags
}

// speed is how many times as fast as it happened; infinite for max.
type speed float64

// UnmarshalText reads "10x", "10" or "max".
func (s *speed) UnmarshalText(text []byte) error {
	if string(text) == "max" {
		*s = speed(math.Inf(1))
		return nil
	}
	f, err := strconv.ParseFloat(strings.TrimSuffix(string(text), "x"), 64)
	if err != nil || !(f > 0) || math.IsInf(f, 0) {
		return fmt.Errorf("%q is no speed: want 1x, 10x, 2.5x…, or max", text)
	}
	*s = speed(f)
	return nil
}

// Run serves until ctx ends.
func (f *feedCommand) Run(ctx context.Context) error {
	if err := f.prepare(); err != nil {
		return err
	}
	source, err := f.source()
	if err != nil {
		return err
	}
	config, err := f.config(ctx)
	if err != nil {
		return err
	}
	served, err := feed.New(f.feed(source, config))
	if err != nil {
		return err
	}
	if err := f.listen(served, f.Addr, "live prices at http%[2]s://%[1]s/ (WebSocket: ws%[2]s://%[1]s/ws, metrics: http%[2]s://%[1]s/metrics); Ctrl-C ends\n"); err != nil {
		return err
	}
	return served.Run(ctx)
}

// feed is what is served.
func (f *feedCommand) feed(source feed.Source, config server.Config) feed.Config {
	return feed.Config{
		Source:            source,
		WaitForSubscriber: f.Source == "replay" && !f.Loop && !f.Now,
		Origins:           f.AllowOrigin,
		Drain:             f.DrainTimeout,
		Server:            config,
		Logger:            slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}
}

// source makes the source that the flags describe.
func (f *feedCommand) source() (feed.Source, error) {
	if f.Source == "sim" {
		if f.File != "" {
			return nil, fmt.Errorf("--file is given, but the source is sim: add --source replay")
		}
		c := feed.SimConfig{Symbols: f.Symbols, Rate: f.Rate, Seed: f.Seed}
		if len(f.Symbols) == 1 {
			if n, err := strconv.Atoi(f.Symbols[0]); err == nil {
				c.Symbols, c.Count = nil, n
			}
		}
		return feed.NewSim(c)
	}
	if f.File == "" {
		return nil, fmt.Errorf("--source replay needs a quote file: add --file quotes.csv")
	}
	return feed.NewReplay(feed.ReplayConfig{File: f.File, Symbol: f.Symbol, Speed: float64(f.Speed), Loop: f.Loop, Strict: f.Strict})
}
