package live

import (
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"

	"github.com/roostws/roost/bench/report"
)

var escapes = regexp.MustCompile("\x1b\\[[0-9;]*m")

func plain(s string) string { return escapes.ReplaceAllString(s, "") }

// update feeds msgs to m.
func update(m tea.Model, msgs ...tea.Msg) tea.Model {
	for _, msg := range msgs {
		m, _ = m.Update(msg)
	}
	return m
}

// shown is what the view has after updates, without colours.
func shown(width, height int, updates ...report.Progress) string {
	m := update(newModel(Options{}, false), tea.WindowSizeMsg{Width: width, Height: height})
	for _, u := range updates {
		m = update(m, u)
	}
	return plain(m.View().Content)
}

var scenarios = []string{idle, echo, fanout, feeds, churn, storm, slow, halfopen}

// TestTheViewFits has no line longer than the screen, and none more than it, in
// any phase of any scenario; and what matters most is there in 15 lines.
func TestTheViewFits(t *testing.T) {
	for _, scenario := range scenarios {
		t.Run(scenario, func(t *testing.T) {
			var m tea.Model = newModel(Options{}, false)
			for _, u := range simulate(scenario, 5) {
				m = update(m, u)
				for _, width := range []int{60, 80, 120, 200} {
					for _, height := range []int{15, 24, 50} {
						m = update(m, tea.WindowSizeMsg{Width: width, Height: height})
						checkFits(t, plain(m.View().Content), width, height)
					}
				}
			}
		})
	}
}

func checkFits(t *testing.T, text string, width, height int) {
	t.Helper()
	lines := strings.Split(text, "\n")
	if len(lines) > height {
		t.Errorf("%d lines on %d", len(lines), height)
	}
	for _, l := range lines {
		if n := utf8.RuneCountInString(l); n >= width {
			t.Errorf("%d columns on %d: %q", n, width, l)
		}
	}
	for _, want := range []string{"ws://127.0.0.1:9001/", "░", " open ", "failed", "lost", "Ctrl-C ends the run"} {
		if !strings.Contains(text, want) && (want != "░" || !strings.Contains(text, "█")) {
			t.Errorf("there is no %q in\n%s", want, text)
		}
	}
}

func TestTheViewOfEachScenario(t *testing.T) {
	tests := map[string][]string{
		idle:     {"idle      pings 0"},
		echo:     {"echo      mismatched 0", "unsent 0", "unanswered 0", "service   1s ", "slip p99 "},
		fanout:   {"fanout    deliveries 100,", "published 100/s", "duplicates 0", "subscribers 1,000"},
		feeds:    {"feed      updates 30,", "gaps 1", "repeats 0"},
		churn:    {"churn     opened 100/s", "left 100/s", "connect   1s ", " opened   "},
		storm:    {"storm     wave 3/3", "opened 1,000/s"},
		slow:     {"slow on feed ws://", "feed      updates 30,", "slow      slow 100", "read 20/s", "dropped 18"},
		halfopen: {"halfopen on fanout ws://", "fanout    deliveries 10", "halfopen  vanished 100", "noticed 36", "notice    all "},
	}
	for scenario, wants := range tests {
		t.Run(scenario, func(t *testing.T) {
			updates := simulate(scenario, 20)
			text := shown(110, 40, updates[:21]...)
			wants = append(wants, "measure   ███████████████████████████████████████████████████░░░░░░░░░  3s left", "3s left", " and 1 more", " 21s\n", "1,000   of 1,000",
				"failed 9", "lost 3", "messages  out ", "tool      cpu ", "% of 2 cores", "rss 115 MiB", "loop lag ",
				"server    cpu 130% of a core  rss 1.21 GiB", "failures  9       connect: connection refused  dial tcp",
				"          3       close 1006")
			for _, want := range wants {
				if !strings.Contains(text, want) {
					t.Errorf("there is no %q in\n%s", want, text)
				}
			}
		})
	}
}

// known is a run of which every value is told; the view of it is below.
func known() report.Progress {
	h := report.NewHistogram()
	for n := range 100 {
		h.Record(time.Duration(n+1) * 10 * time.Microsecond)
	}
	i := &report.Interval{Second: 4, Phase: report.Measure, Length: time.Second,
		Counters: report.Counters{Sent: 52_310, Received: 52_308, SentBytes: 6 << 20, ReceivedBytes: 6 << 20},
		Gauges:   report.Gauges{Open: 997, Connecting: 2, RSS: 120 << 20, Cores: 2},
		Latency:  h, Service: h, Slip: h, CPU: 860 * time.Millisecond, Lag: 1200 * time.Microsecond,
		Server: &report.Server{CPU: time.Hour, RSS: 1 << 30}}
	return report.Progress{Run: report.Run{Scenario: echo, Targets: []string{"ws://127.0.0.1:9001/"}, Asked: 1000},
		Elapsed: 5 * time.Second, Phase: report.Measure, Left: 5 * time.Second, Last: i, Total: i}
}

func TestTheViewExactly(t *testing.T) {
	began := known()
	began.Elapsed, began.Last = 0, nil
	want := `
 echo      ws://127.0.0.1:9001/                                              5s

 measure   ██████████████████░░░░░░░░░░░░░░░░░░  5s left

 open      997     of 1,000    failed 0    lost 0  connecting 2
 messages  out 52,310/s    in 52,308/s     out 6 MiB/s     in 6 MiB/s
 echo      mismatched 0    unsent 0    unanswered 0

                    p50     p90     p99   p99.9     max
 latency   1s     500µs   900µs   990µs     1ms     1ms
           all    500µs   900µs   990µs     1ms     1ms
 service   1s     500µs   900µs   990µs     1ms     1ms
           all    500µs   900µs   990µs     1ms     1ms
 p99       █  to 990µs
 in        █  to 52,308/s

 tool      cpu 43% of 2 cores  rss 120 MiB     loop lag 1.2ms  slip p99 990µs
 server    cpu -   rss 1 GiB

 Ctrl-C ends the run`
	got := trimmed(shown(80, 24, began, known()))
	if want = want[1:]; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	// The least important lines go first.
	want = `
 echo      ws://127.0.0.1:9001/                          5s
 measure   ████████░░░░░░░░  5s left
 open      997     of 1,000    failed 0    lost 0
 messages  out 52,310/s    in 52,308/s     out 6 MiB/s
                    p50     p90     p99   p99.9     max
 latency   1s     500µs   900µs   990µs     1ms     1ms
 tool      cpu 43% of 2 cores  rss 120 MiB
 Ctrl-C ends the run`
	got = trimmed(shown(60, 8, began, known()))
	if want = want[1:]; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// trimmed is text without blanks at the ends of lines.
func trimmed(text string) string {
	lines := strings.Split(text, "\n")
	for n, l := range lines {
		lines[n] = strings.TrimRight(l, " ")
	}
	return strings.Join(lines, "\n")
}

func TestTheViewBeforeTheFirstSecond(t *testing.T) {
	if got := shown(80, 24); !strings.HasPrefix(got, " the run begins\n") {
		t.Errorf("before the first update: %q", got)
	}
	u := report.Progress{Run: report.Run{Scenario: echo, Asked: 10, Workers: []string{"a:1", "b:1"}}, Phase: report.Ramp, Left: -1}
	got := shown(80, 24, u)
	for _, want := range []string{"2 agents  0s", "0 of 10", "open      0 ", "out -"} {
		if !strings.Contains(got, want) {
			t.Errorf("there is no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "left") {
		t.Errorf("nobody knows what is left, but\n%s", got)
	}
}

func TestTheRampsBarIsWhatIsOpen(t *testing.T) {
	u := report.Progress{Run: report.Run{Asked: 10}, Phase: report.Ramp, Left: time.Second, Total: &report.Interval{}}
	for opened, want := range map[int64]string{0: "░░░░░░░░░░░░░░░░  0 of 10", 5: "████████░░░░░░░░  5 of 10", 11: "████████████████  11 of 10"} {
		u.Total.Opened = opened
		if got := shown(60, 24, u); !strings.Contains(got, want+"  1s left") {
			t.Errorf("%d opened: no %q in\n%s", opened, want, got)
		}
	}
	u.Run.Asked, u.Total.Opened = 0, 11
	if got := shown(60, 24, u); !strings.Contains(got, "░░░░░░░░░░░░░░░░  11 of 0") {
		t.Errorf("nothing asked:\n%s", got)
	}
}

// TestABusyToolIsRed is at the edge and past it.
func TestABusyToolIsRed(t *testing.T) {
	for cpu, want := range map[time.Duration]bool{1700 * time.Millisecond: false, 1701 * time.Millisecond: true} {
		u := known()
		u.Last.CPU = cpu
		text := update(newModel(Options{}, false), u).View().Content
		red := strings.Contains(text, alarm.Render("85% of 2 cores: too busy to measure well"))
		if red != want || red == strings.Contains(text, "\x1b[m 85% of 2 cores") {
			t.Errorf("cpu %v: red %v, want %v\n%q", cpu, red, want, text)
		}
	}
}

func TestAPhaseOfUnknownLengthHasAnEmptyBar(t *testing.T) {
	began := report.Progress{Phase: report.Drain, Left: -1}
	later := began
	later.Elapsed = time.Minute
	if got := shown(60, 24, began, later); !strings.Contains(got, " drain     ░░░░░░░░░░░░░░░░  \n") {
		t.Errorf("got\n%s", got)
	}
}

func TestTheServersLoad(t *testing.T) {
	second := func(n int, s *report.Server) report.Progress {
		i := &report.Interval{Second: n, Phase: report.Measure, Length: time.Second, Server: s}
		return report.Progress{Phase: report.Measure, Last: i, Total: i}
	}
	told := &report.Server{CPU: 10 * time.Second}
	tests := []struct {
		name        string
		first, then *report.Server // two seconds apart
		want        string
	}{
		{"share", told, &report.Server{CPU: 13 * time.Second, RSS: 1 << 20}, "cpu 150% of a core  rss 1 MiB"},
		{"not told", told, &report.Server{CPU: -1, RSS: -1}, "cpu -   rss -"},
		{"told late", &report.Server{CPU: -1}, &report.Server{CPU: time.Second, RSS: 1 << 20}, "cpu -   rss 1 MiB"},
		{"another process", told, &report.Server{CPU: time.Second, RSS: 1 << 20}, "cpu -   rss 1 MiB"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := shown(80, 24, second(1, tt.first), second(2, nil), second(3, tt.then))
			if !strings.Contains(got, "server    "+tt.want) {
				t.Errorf("there is no %q in\n%s", tt.want, got)
			}
		})
	}
}

func TestTheMostFrequentFailures(t *testing.T) {
	u := known()
	u.Total.Failures = map[string]int64{"a": 1, "b": 7, "c": 3, "d": 2, "e": 5}
	u.Total.Examples = map[string]string{"b": "reset\x1b[2J\nby peer"}
	got := shown(80, 50, u)
	if want := " failures  7       b  reset [2J by peer\n           5       e\n           3       c\n           2       d\n           1       a\n"; !strings.Contains(got, want) {
		t.Errorf("there is no %q in\n%s", want, got)
	}
	if strings.Contains(got, "more kind") {
		t.Errorf("five are all, but\n%s", got)
	}
	u.Total.Failures["f"] = 9
	if got := shown(80, 50, u); !strings.Contains(got, "failures  9       f\n") || !strings.Contains(got, "and 1 more kind\n") {
		t.Errorf("six kinds:\n%s", got)
	}
}

func TestOneSecondCountsOnce(t *testing.T) {
	u := known()
	got := shown(80, 24, u, u, u)
	if !strings.Contains(got, "in        █  to 52,308/s") {
		t.Errorf("the same second thrice:\n%s", got)
	}
}

func TestKeys(t *testing.T) {
	key := func(k string) tea.Msg {
		if k == "ctrl+c" {
			return tea.KeyPressMsg{Code: 'c', Mod: tea.ModCtrl}
		}
		return tea.KeyPressMsg{Code: rune(k[0]), Text: k}
	}
	const waits, atOnce = "ending: waiting for replies; Ctrl-C again ends at once", "ending at once"
	tests := []struct {
		keys string
		want string // what was called
		hint string
	}{
		{"", "", "q or Ctrl-C ends the run"},
		{"x c", "", "q or Ctrl-C ends the run"},
		{"ctrl+c", "interrupt", waits},
		{"q", "interrupt", waits},
		{"q q q", "interrupt", waits},
		{"ctrl+c q", "interrupt", waits},
		{"ctrl+c ctrl+c", "interrupt abort", atOnce},
		{"q ctrl+c", "interrupt abort", atOnce},
		{"ctrl+c ctrl+c q ctrl+c", "interrupt abort abort", atOnce},
	}
	for _, tt := range tests {
		t.Run(tt.keys, func(t *testing.T) {
			var called []string
			m := newModel(Options{Interrupt: func() { called = append(called, "interrupt") },
				Abort: func() { called = append(called, "abort") }}, true)
			silent := newModel(Options{}, true) // nobody wants to know
			for _, with := range []tea.Model{m, silent} {
				for _, k := range strings.Fields(tt.keys) {
					with = update(with, key(k))
				}
				if got := plain(with.View().Content); !strings.HasSuffix(got, " "+tt.hint) {
					t.Errorf("the view ends with %q", got)
				}
			}
			if got := strings.Join(called, " "); got != tt.want {
				t.Errorf("called %q, want %q", got, tt.want)
			}
		})
	}
}
