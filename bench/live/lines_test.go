package live

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roostws/roost/bench/report"
)

// written is what a log has of updates.
func written(t *testing.T, updates ...report.Progress) string {
	t.Helper()
	var b bytes.Buffer
	if err := writeLines(context.Background(), closed(updates...), &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// closed has updates and is then closed.
func closed(updates ...report.Progress) <-chan report.Progress {
	c := make(chan report.Progress, len(updates))
	for _, u := range updates {
		c <- u
	}
	close(c)
	return c
}

// seconds is an echo run with a second of ramp, and n of measure.
func seconds(n int) []report.Progress {
	run := report.Run{Scenario: echo, Asked: 1000}
	ramp := &report.Interval{Phase: report.Ramp, Length: time.Second,
		Counters: report.Counters{Opened: 1000}, Gauges: report.Gauges{Open: 1000}}
	total := *ramp
	out := []report.Progress{
		{Run: run, Phase: report.Ramp, Left: -1, Elapsed: time.Millisecond},
		{Run: run, Phase: report.Ramp, Left: -1, Elapsed: time.Second, Last: ramp, Total: ramp}}
	for second := 1; second <= n; second++ {
		h := report.NewHistogram()
		for us := range 100 {
			h.Record(time.Duration(us+1) * time.Duration(second) * time.Microsecond)
		}
		i := &report.Interval{Second: second, Phase: report.Measure, Length: time.Second,
			Counters: report.Counters{Sent: 52_000 + int64(second), Received: 52_000},
			Gauges:   report.Gauges{Open: 1000, Cores: 2}, CPU: time.Second, Latency: h}
		total.MergeLater(i)
		sum := total
		out = append(out, report.Progress{Run: run, Phase: report.Measure, Elapsed: time.Duration(second+1)*time.Second + time.Millisecond,
			Left: time.Duration(n-second) * time.Second, Last: i, Total: &sum})
	}
	return out
}

func TestLinesOfARun(t *testing.T) {
	const rest = " lost 0 failed 0 cpu 50% mismatched 0 unsent 0 unanswered 0\n"
	want := "0s ramp begins, open 0 of 1,000\n" +
		"1s ramp open 1,000 out 0/s in 0/s p50 - p99 - max - lost 0 failed 0 cpu - mismatched 0 unsent 0 unanswered 0\n" +
		"2s measure begins, open 1,000 of 1,000, for 20s\n" +
		"2s measure open 1,000 out 52,001/s in 52,000/s p50 50.2µs p99 99.3µs max 100µs" + rest +
		"3s measure open 1,000 out 52,002/s in 52,000/s p50 100µs p99 198µs max 200µs" + rest +
		"4s measure open 1,000 out 52,003/s in 52,000/s p50 150µs p99 297µs max 300µs" + rest +
		"5s measure open 1,000 out 52,004/s in 52,000/s p50 200µs p99 396µs max 400µs" + rest +
		"6s measure open 1,000 out 52,005/s in 52,000/s p50 250µs p99 495µs max 500µs" + rest +
		"7s measure open 1,000 out 52,006/s in 52,000/s p50 300µs p99 594µs max 600µs" + rest +
		"8s measure open 1,000 out 52,007/s in 52,000/s p50 350µs p99 693µs max 700µs" + rest +
		"9s measure open 1,000 out 52,008/s in 52,000/s p50 400µs p99 792µs max 800µs" + rest +
		"10s measure open 1,000 out 52,009/s in 52,000/s p50 450µs p99 891µs max 900µs" + rest +
		// From here on of five seconds: the rate is their mean, the quantiles those of all.
		"15s measure open 1,000 out 52,012/s in 52,000/s p50 598µs p99 1.33ms max 1.4ms" + rest +
		"20s measure open 1,000 out 52,017/s in 52,000/s p50 850µs p99 1.81ms max 1.9ms" + rest
	if got := written(t, seconds(21)...); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestLinesCountASecondOnce(t *testing.T) {
	once := seconds(21)
	var often []report.Progress
	for n, u := range once {
		often = append(often, slices.Repeat([]report.Progress{u}, n%3+1)...)
	}
	if got, want := written(t, often...), written(t, once...); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestLinesTellNewFailuresAtOnce(t *testing.T) {
	u := seconds(1)[2]
	u.Total.Failures = map[string]int64{"refused": 2, "close 1006": 1}
	u.Total.Examples = map[string]string{"refused": "dial\x1b[2J\ntcp"}
	later := u
	later.Elapsed += 10 * time.Millisecond
	again := later
	total := *u.Total
	total.Failures = map[string]int64{"refused": 9, "close 1006": 1, "reset": 1}
	again.Total = &total
	got := written(t, u, later, again)
	want := "2s measure begins, open 1,000 of 1,000\n2s new failure close 1006\n2s new failure refused: dial [2J tcp\n"
	if !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "\n2s new failure reset\n") || strings.Count(got, "\n") != 5 {
		t.Errorf("got\n%s", got)
	}
}

// TestLinesOfEachScenario holds the fields and their order.
func TestLinesOfEachScenario(t *testing.T) {
	tests := map[string]string{
		idle:     " connect p50 - p99 - max - lost 3 failed 9 cpu 35% pings 0\n",
		churn:    " lost 3 failed 9 cpu 50% opened 100/s left 100/s\n",
		storm:    " max 2.5ms lost 3 failed 9 cpu 49% wave 3/3 opened 1,000/s\n",
		fanout:   " duplicates 0 unmarked 0 subscribers 1,000\n",
		feeds:    " gaps 1 repeats 0 snapshots 0 unmarked 0\n",
		slow:     " gaps 1 repeats 0 snapshots 0 unmarked 0 slow 100 read 20/s dropped 18\n",
		halfopen: " unmarked 0 subscribers 1,000 vanished 100 noticed 36\n",
	}
	for scenario, want := range tests {
		t.Run(scenario, func(t *testing.T) {
			// A fresh log, so that the line is of this second alone.
			if got := written(t, simulate(scenario, 20)[20]); !strings.HasSuffix(got, want) {
				t.Errorf("no %q at the end of\n%s", want, got)
			}
		})
	}
}

func TestStormsWaves(t *testing.T) {
	total := &report.Interval{Waves: []report.Wave{
		{Began: 0, Full: int64(1200 * time.Millisecond), Clients: 10, Back: 10},
		{Began: 5, Full: 9, Clients: 10, Back: 9}}}
	tests := []struct {
		left, asked, waves int64
		want               string
	}{
		{0, 10, 2, "0/2"},
		{1, 10, 2, "1/2"},
		{10, 10, 2, "1/2"},
		{11, 10, 2, "2/2"},
		{30, 10, 2, "2/2"}, // the end of the run
		{30, 10, 0, "3"},
		{30, 0, 0, "0"},
	}
	for _, tt := range tests {
		total.Left = tt.left
		got := plan{scenario: storm, waves: tt.waves}.fields(storm, total, total, int(tt.asked))
		if got[0].value != tt.want || got[2] != (field{name: "took", value: "1.2s,-"}) {
			t.Errorf("%d of %d left: %v, want wave %s", tt.left, tt.asked, got, tt.want)
		}
	}
}

func TestThePlan(t *testing.T) {
	tests := []struct {
		scenario, config string
		want             plan
	}{
		{echo, `{"on":"feed"}`, plan{scenario: echo}},
		{slow, ``, plan{scenario: slow, on: echo}},
		{slow, `{"on":"feed"}`, plan{scenario: slow, on: feeds}},
		{halfopen, `{"on":"fanout"}`, plan{scenario: halfopen, on: fanout}},
		{halfopen, `no JSON`, plan{scenario: halfopen, on: echo}},
		{storm, `{"storm":{"waves":4}}`, plan{scenario: storm, waves: 4}},
		{fanout, `{"storm":{"waves":4}}`, plan{scenario: fanout}},
	}
	for _, tt := range tests {
		if got := planOf(report.Run{Scenario: tt.scenario, Config: []byte(tt.config)}); got != tt.want {
			t.Errorf("%s %s: %+v, want %+v", tt.scenario, tt.config, got, tt.want)
		}
	}
}

func TestStepOf(t *testing.T) {
	for elapsed, want := range map[time.Duration]int{
		999 * time.Millisecond: 0, time.Second: 1, 10 * time.Second: 10, 11 * time.Second: 10,
		15*time.Second - 1: 10, 15 * time.Second: 11, 20 * time.Second: 12} {
		if got := stepOf(elapsed); got != want {
			t.Errorf("%v: step %d, want %d", elapsed, got, want)
		}
	}
}

type failing struct{ writes int }

func (f *failing) Write([]byte) (int, error) {
	f.writes++
	return 0, io.ErrClosedPipe
}

// TestABrokenLogDoesNotHoldUpTheRun takes all updates, and tells at the end.
func TestABrokenLogDoesNotHoldUpTheRun(t *testing.T) {
	updates := make(chan report.Progress)
	go func() {
		defer close(updates)
		for _, u := range seconds(5) {
			updates <- u
		}
	}()
	var f failing
	err := Show(context.Background(), updates, Options{Out: &f})
	if !errors.Is(err, io.ErrClosedPipe) || err.Error() != "cannot show the progress: io: read/write on closed pipe" {
		t.Errorf("error %v", err)
	}
	if f.writes != 1 {
		t.Errorf("%d writes to what is broken", f.writes)
	}
}

func TestLinesEndWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Show(ctx, make(chan report.Progress), Options{Out: io.Discard}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
