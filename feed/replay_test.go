package feed

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const histData = `20200101 170000065,1.121200,1.121720,0
20200101 170010447,1.121200,1.121920,0
20200101 170010498,1.121170,1.121610,150
20200101 170110498,1.121180,1.121600,0
`

const isoTicks = `timestamp,bid,ask
2013-01-01 22:00:00.295000+00:00,86.655,86.728
2013-01-01 22:00:01.295000+00:00,86.657,86.728
`

// write puts text into a file of that name and returns its path.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func newReplay(t *testing.T, c ReplayConfig) *Replay {
	t.Helper()
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	r, err := NewReplay(c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// quote is an update in short: symbol bid ask size.
func brief(u *Update) string {
	return strings.TrimSpace(u.Symbol + " " + u.Bid.String() + " " + u.Ask.String() + " " + u.Size.String())
}

// play runs r to its end at most and returns what it delivered.
func play(t *testing.T, r *Replay) (quotes []string, err error) {
	t.Helper()
	err = r.Run(t.Context(), func(u *Update) { quotes = append(quotes, brief(u)) })
	return quotes, err
}

func TestReplayReadsBothForms(t *testing.T) {
	for _, c := range []struct {
		name, file, symbol, text string
		want                     []string
		first                    string
	}{
		{"HistData", "eurusd-quotes.csv", "", histData,
			[]string{"EURUSD 1.121200 1.121720 0", "EURUSD 1.121200 1.121920 0", "EURUSD 1.121170 1.121610 150", "EURUSD 1.121180 1.121600 0"}, "2020-01-01T22:00:00.065Z"},
		{"HistData without volume", "x.csv", "EUR/USD", "20200701 170000065,1.1,1.2\n", []string{"EUR/USD 1.1 1.2"}, "2020-07-01T22:00:00.065Z"},
		{"header and ISO times", "usdjpy-ticks.csv", "", isoTicks, []string{"USDJPY 86.655 86.728", "USDJPY 86.657 86.728"}, "2013-01-01T22:00:00.295Z"},
		{"symbol column, other order, other columns", "mixed.csv", "", "Symbol,x,Ask,Bid,Volume,Timestamp\nAAPL,,2.10,2.00,,2024-05-01T10:00:00Z\nBRK.B,y,3,2,7,2024-05-01T12:00:00+02:00\n",
			[]string{"AAPL 2.00 2.10", "BRK.B 2 3 7"}, "2024-05-01T10:00:00Z"},
		{"times without an offset are UTC", "a.csv", "", "time,bid,ask\n2024-05-01 10:00:00,1,2\n", []string{"A 1 2"}, "2024-05-01T10:00:00Z"},
		{"CRLF, a byte order mark, empty lines, blanks, no newline at the end", "a.csv", "", "\ufefftimestamp, bid, ask\r\n\r\n2024-05-01T10:00:00Z, 1 ,2\r\n\n2024-05-01T10:00:00Z,3,4",
			[]string{"A 1 2", "A 3 4"}, "2024-05-01T10:00:00Z"},
		{"a byte order mark before HistData", "a.csv", "", "\ufeff" + histData[:39], []string{"A 1.121200 1.121720 0"}, "2020-01-01T22:00:00.065Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newReplay(t, ReplayConfig{File: write(t, c.file, c.text), Symbol: c.symbol, Strict: true})
				var got []string
				var first time.Time
				if err := r.Run(t.Context(), func(u *Update) {
					if got == nil {
						first = u.Time
					}
					if u.Kind != Quote {
						t.Errorf("kind %d", u.Kind)
					}
					got = append(got, brief(u))
				}); err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(got, c.want) {
					t.Errorf("got %q, want %q", got, c.want)
				}
				if s := first.UTC().Format(time.RFC3339Nano); s != c.first {
					t.Errorf("the first quote is of %s, want %s", s, c.first)
				}
			})
		})
	}
}

func TestReplayKeepsThePace(t *testing.T) {
	for speed, want := range map[float64][]time.Duration{
		1:           {0, 10382 * time.Millisecond, 10433 * time.Millisecond, 70433 * time.Millisecond},
		10:          {0, 1038200 * time.Microsecond, 1043300 * time.Microsecond, 7043300 * time.Microsecond},
		0.5:         {0, 20764 * time.Millisecond, 20866 * time.Millisecond, 140866 * time.Millisecond},
		math.Inf(1): {0, 0, 0, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newReplay(t, ReplayConfig{File: write(t, "a.csv", histData), Speed: speed})
			begin := time.Now()
			var at []time.Duration
			if err := r.Run(t.Context(), func(*Update) { at = append(at, time.Since(begin)) }); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(at, want) {
				t.Errorf("at speed %v the quotes came after %v, want %v", speed, at, want)
			}
		})
	}
}

func TestReplayCatchesUpAndDeliversAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReplay(t, ReplayConfig{File: write(t, "a.csv", histData)})
		begin, n := time.Now(), 0
		if err := r.Run(t.Context(), func(*Update) {
			if n++; n == 1 {
				time.Sleep(time.Minute) // held up over the next two
			}
		}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); n != 4 || took != 70433*time.Millisecond {
			t.Errorf("%d quotes in %v", n, took)
		}
	})
}

func TestReplayGoesOnWhenFileTimesGoBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := "20200101 170010000,1,2,0\n20200101 170000000,3,4,0\n20200101 170011000,5,6,0\n"
		r := newReplay(t, ReplayConfig{File: write(t, "a.csv", text)})
		begin := time.Now()
		quotes, err := play(t, r)
		if took := time.Since(begin); err != nil || len(quotes) != 3 || took != time.Second {
			t.Errorf("%q, %v after %v", quotes, err, took)
		}
	})
}

func TestReplayLoops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReplay(t, ReplayConfig{File: write(t, "a.csv", isoTicks), Loop: true})
		if n := len(record(t, r, 10500*time.Millisecond)); n != 2*10+1 {
			t.Errorf("%d quotes in 10.5 loops of a second", n)
		}
		r = newReplay(t, ReplayConfig{File: write(t, "a.csv", isoTicks), Loop: true, Speed: math.Inf(1)})
		if n := len(record(t, r, time.Second)); n > 2*101 {
			t.Errorf("%d quotes: two lines were read in circles", n)
		}
	})
}

func TestReplayEndsWhenTheFileWasEmptiedBetweenLoops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := write(t, "a.csv", isoTicks)
		r := newReplay(t, ReplayConfig{File: file, Loop: true})
		if err := os.Truncate(file, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := play(t, r); err == nil || !strings.Contains(err.Error(), "has no quote any more") {
			t.Errorf("it ended with %v", err)
		}
	})
}

func TestReplayStopsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReplay(t, ReplayConfig{File: write(t, "a.csv", histData)})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		if err := r.Run(ctx, func(*Update) {}); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Second {
			t.Errorf("it ended with %v after %v", err, time.Since(begin))
		}
	})
}

func TestReplaySkipsMalformedLinesAndSaysWhy(t *testing.T) {
	good := "20200101 170000065,1.1,1.2,0"
	for _, c := range []struct{ name, line, why string }{
		{"too few fields", "20200101 170000065,1.1", "has 2 fields: want 3"},
		{"a time of another form", "2020-01-01 17:00:00,1.1,1.2", `time "2020-01-01 17:00:00" is not of the form`},
		{"a day that is none", "20200230 170000065,1.1,1.2,0", "is not of the form"},
		{"an hour that is none", "20200101 240000065,1.1,1.2,0", "is not of the form"},
		{"a letter in the time", "20200101 17000006x,1.1,1.2,0", "is not of the form"},
		{"no bid", "20200101 170000065,,1.2,0", `bid "" is no decimal number`},
		{"an exponent", "20200101 170000065,1.1,1e3,0", `ask "1e3" is no decimal number`},
		{"no volume", "20200101 170000065,1.1,1.2,lots", `volume "lots" is no decimal number`},
		{"garbage", "\x00\xff\x00", "has 1 fields: want 3"},
		{"a line without end", strings.Repeat("x", 3*maxLine), "is longer than 4096 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				file := write(t, "a.csv", good+"\n"+good+"\n"+c.line+"\n"+good+"\n")
				var log bytes.Buffer
				r := newReplay(t, ReplayConfig{File: file, Logger: slog.New(slog.NewTextHandler(&log, nil))})
				quotes, err := play(t, r)
				if err != nil || len(quotes) != 3 || r.Malformed() != 1 {
					t.Errorf("%q, %v, %d malformed", quotes, err, r.Malformed())
				}
				if where := file + ":3: "; !strings.Contains(log.String(), where) {
					t.Errorf("the log does not say %s: %s", where, &log)
				}

				r = newReplay(t, ReplayConfig{File: file, Strict: true})
				quotes, err = play(t, r)
				var line *LineError
				if !errors.As(err, &line) || line.Line != 3 || line.File != file || len(quotes) != 2 {
					t.Fatalf("strict: %v after %q", err, quotes)
				}
				if !strings.HasPrefix(err.Error(), file+":3: ") || !strings.Contains(err.Error(), c.why) {
					t.Errorf("strict: %v: want %s", err, c.why)
				}
			})
		})
	}
}

func TestReplaySymbolColumn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		head := "timestamp,symbol,bid,ask\n"
		text := head + "2024-05-01T10:00:00Z,A B,1,2\n2024-05-01T10:00:00Z,OK,1,2\n"
		r := newReplay(t, ReplayConfig{File: write(t, "mixed.csv", text), Strict: true})
		if !slices.Equal(r.Symbols(), []string{"OK"}) {
			t.Errorf("symbols %q", r.Symbols())
		}
		if _, err := play(t, r); err == nil || !strings.Contains(err.Error(), `symbol "A B" is no symbol`) {
			t.Errorf("it ended with %v", err)
		}

		var many strings.Builder
		many.WriteString(head)
		for _, name := range simSymbols(maxInstruments + 5) {
			many.WriteString("2024-05-01T10:00:00Z," + name + ",1,2\n")
		}
		r = newReplay(t, ReplayConfig{File: write(t, "mixed.csv", many.String())})
		quotes, err := play(t, r)
		if err != nil || len(quotes) != maxInstruments || r.Malformed() != 5 {
			t.Errorf("%d quotes, %d malformed, %v", len(quotes), r.Malformed(), err)
		}
	})
}

func TestReplayNamesItsSymbolAfterTheFile(t *testing.T) {
	for name, want := range map[string]string{
		"eurusd-quotes.csv": "EURUSD", "usdjpy-ticks.csv": "USDJPY", "DAT_ASCII.csv": "DAT", "btcusd.csv": "BTCUSD", "plain": "PLAIN",
	} {
		if got := symbolOf("/some/where/" + name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for _, name := range []string{"-x.csv", ".csv", "a b.csv", strings.Repeat("x", 40) + ".csv"} {
		if got := symbolOf(name); got != "" {
			t.Errorf("%s is %q", name, got)
		}
	}
}

func TestReplayRefuses(t *testing.T) {
	good := write(t, "a.csv", isoTicks)
	for _, c := range []struct {
		name, why string
		config    ReplayConfig
	}{
		{"a file that is not there", "no such file", ReplayConfig{File: good + "x"}},
		{"a directory", "is a directory", ReplayConfig{File: t.TempDir()}},
		{"an empty file", "is empty", ReplayConfig{File: write(t, "a.csv", "")}},
		{"a header and nothing else", "is empty", ReplayConfig{File: write(t, "a.csv", "timestamp,bid,ask\n")}},
		{"another file", ":1: is a header without the columns timestamp, bid and ask", ReplayConfig{File: write(t, "a.csv", "a,b,c\n1,2,3\n")}},
		{"a file that is named badly", "names no symbol", ReplayConfig{File: write(t, "a b.csv", isoTicks)}},
		{"a symbol with a blank", "is no symbol", ReplayConfig{File: good, Symbol: "A B"}},
		{"a negative speed", "want more than 0", ReplayConfig{File: good, Speed: -1}},
		{"a speed that is none", "want more than 0", ReplayConfig{File: good, Speed: math.NaN()}},
	} {
		if _, err := NewReplay(c.config); err == nil || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s: %v: want %q", c.name, err, c.why)
		}
	}
}

// FuzzQuotes: no file makes the reader fail, loop, or deliver what is no quote; and what it delivers does not depend on how
// the reads are cut.
func FuzzQuotes(f *testing.F) {
	f.Add([]byte(histData), uint8(1))
	f.Add([]byte(isoTicks), uint8(7))
	f.Add([]byte("timestamp,symbol,bid,ask\n2024-05-01T10:00:00Z,A,1,2\nx\n"), uint8(3))
	f.Add([]byte(strings.Repeat("x", maxLine)+"\n"+histData), uint8(200))
	f.Fuzz(func(t *testing.T, data []byte, cut uint8) {
		read := func(r io.Reader) (out []string) {
			quotes := newQuoteReader("f", "F", r)
			var u Update
			for {
				err := quotes.next(&u)
				switch line := (*LineError)(nil); {
				case err == nil:
					if CheckSymbol(u.Symbol) != nil || !u.Bid.Valid() || !u.Ask.Valid() || u.Time.IsZero() && u.Time.Year() != 1 {
						t.Fatalf("no quote: %+v", u)
					}
					out = append(out, brief(&u)+u.Time.String())
				case errors.As(err, &line):
					out = append(out, err.Error())
				case err == io.EOF:
					return out
				default:
					t.Fatal(err)
				}
				if len(out) > bytes.Count(data, []byte("\n"))+1 {
					t.Fatalf("%d results of %d bytes", len(out), len(data))
				}
			}
		}
		whole := read(bytes.NewReader(data))
		if split := read(&splitReader{data, int(cut) + 1}); !slices.Equal(split, whole) {
			t.Fatalf("in pieces of %d: %q, whole: %q", cut+1, split, whole)
		}
	})
}

// splitReader gives n bytes at most a read.
type splitReader struct {
	rest []byte
	n    int
}

func (r *splitReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), r.n)], r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func BenchmarkReplayLine(b *testing.B) {
	text := strings.Repeat(histData, 1000)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		quotes := newQuoteReader("f", "F", strings.NewReader(text))
		var u Update
		for quotes.next(&u) == nil {
		}
	}
}
