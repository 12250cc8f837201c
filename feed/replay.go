package feed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// ReplayConfig configures a Replay. File is all it needs.
type ReplayConfig struct {
	File   string       // a quote file; see Replay for its forms
	Symbol string       // of a file without a symbol column; "" = from its name: eurusd-quotes.csv is EURUSD
	Speed  float64      // how many times as fast as it happened; 0 = 1, infinite = as fast as it can be read
	Loop   bool         // begin again at the end
	Strict bool         // end at the first malformed line, with a *LineError; otherwise such lines are counted, logged and skipped
	Logger *slog.Logger // nil = slog.Default()
}

// Replay plays a quote file in two forms, told apart by the first line:
//
//	20200101 170000065,1.121200,1.121720,0               HistData: time in EST (UTC-5, never summer time), bid, ask, volume
//	timestamp,bid,ask                                    a header names the columns, in any order and case;
//	2013-01-01 22:00:00.295000+00:00,86.655,86.728       times are ISO 8601 (UTC where no offset is given)
//
// With a header there may be the columns symbol and volume; others are ignored. Empty lines are too. The file is read as it
// is played: memory does not grow with it.
type Replay struct {
	config    ReplayConfig
	symbols   []string
	malformed atomic.Uint64
	logging   rate.Sometimes
}

const (
	// peek is how much of a file NewReplay reads to learn its symbols, in bytes.
	peek = 1 << 20
	// leastPass keeps a looped file of a line or two from being opened a hundred thousand times a second.
	leastPass = 10 * time.Millisecond
)

// NewReplay opens the file, and reads its first megabyte to learn the symbols and that there is any quote in it.
func NewReplay(c ReplayConfig) (*Replay, error) {
	switch {
	case c.Speed == 0:
		c.Speed = 1
	case !(c.Speed > 0):
		return nil, fmt.Errorf("replay: a speed of %v: want more than 0", c.Speed)
	}
	if c.Symbol == "" {
		c.Symbol = symbolOf(c.File)
	} else if err := CheckSymbol(c.Symbol); err != nil {
		return nil, fmt.Errorf("replay: %q %w", c.Symbol, err)
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	f, err := os.Open(c.File)
	if err != nil {
		return nil, fmt.Errorf("replay: %w", err)
	}
	defer f.Close()

	r := &Replay{config: c, logging: rate.Sometimes{First: 10, Interval: time.Second}}
	quotes := newQuoteReader(c.File, c.Symbol, io.LimitReader(f, peek))
	seen := make(map[string]bool)
	var u Update
	var firstErr error
	for {
		err := quotes.next(&u)
		if line := (*LineError)(nil); errors.As(err, &line) {
			if firstErr == nil {
				firstErr = err
			}
			continue
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("replay: %w", err)
		}
		if !seen[u.Symbol] {
			seen[u.Symbol] = true
			r.symbols = append(r.symbols, u.Symbol)
		}
	}
	if len(r.symbols) == 0 {
		if firstErr == nil {
			firstErr = errors.New("it is empty")
		}
		return nil, fmt.Errorf("replay: %s has no quote at its beginning: %w", c.File, firstErr)
	}
	return r, nil
}

// Symbols lists what the first megabyte of the file holds.
func (r *Replay) Symbols() []string { return r.symbols }

// Malformed is how many lines were skipped so far. Any goroutine may call it.
func (r *Replay) Malformed() uint64 { return r.malformed.Load() }

// Run plays the file; every quote is delivered, late rather than never.
func (r *Replay) Run(ctx context.Context, deliver func(*Update)) error {
	for {
		begin := time.Now()
		count, err := r.play(ctx, deliver)
		if err != nil {
			return err
		}
		if !r.config.Loop {
			r.config.Logger.Info("replay ended", "file", r.config.File, "quotes", count, "malformed", r.Malformed())
			return nil
		}
		if count == 0 { // it had some when it was opened, and must not be read in circles
			return fmt.Errorf("replay: %s has no quote any more", r.config.File)
		}
		if err := sleep(ctx, leastPass-time.Since(begin)); err != nil {
			return err
		}
	}
}

// play goes through the file once.
func (r *Replay) play(ctx context.Context, deliver func(*Update)) (count uint64, err error) {
	f, err := os.Open(r.config.File)
	if err != nil {
		return 0, fmt.Errorf("replay: %w", err)
	}
	defer f.Close()
	quotes := newQuoteReader(r.config.File, r.config.Symbol, f)
	var u Update
	var origin time.Time // when the first quote was made
	begin := time.Now()  // when it was played
	for {
		switch err := quotes.next(&u); {
		case err == io.EOF:
			return count, nil
		case errors.As(err, new(*LineError)):
			if r.config.Strict {
				return count, err
			}
			r.malformed.Add(1)
			r.logging.Do(func() { r.config.Logger.Warn("line skipped", "err", err, "malformed", r.Malformed()) })
			continue
		case err != nil:
			return count, fmt.Errorf("replay: %w", err)
		}
		if count == 0 {
			origin = u.Time
		}
		due := time.Duration(float64(u.Time.Sub(origin)) / r.config.Speed)
		if err := sleep(ctx, due-time.Since(begin)); err != nil {
			return count, err
		}
		deliver(&u)
		count++
	}
}
