//go:build unix

package interop

import (
	"syscall"
	"testing"

	"github.com/roostws/roost/bench/report"
)

// testLoadOwn runs the scenarios that need a server of a certain kind against roost's own.
func testLoadOwn(t *testing.T, roost string) {
	for _, c := range []struct {
		name   string
		server []string
		path   string
		args   []string
		check  func(t *testing.T, r *report.Report)
	}{
		{"feed", []string{"feed", "--source", "sim"}, "/ws", []string{"feed"}, checkFeed},
		{"feed, two channels", []string{"feed", "--source", "sim", "--rate", "1000"}, "/ws",
			[]string{"feed", "--channels", "ticker:EURUSD,ticker:XAUUSD"}, checkFeed},
		{"slow, never", []string{"echo", "--broadcast"}, "/", []string{"slow", "--share", "0.2", "-r", "50"}, checkSlow},
		{"slow, at a rate", []string{"echo", "--broadcast"}, "/", []string{"slow", "--share", "0.2", "-r", "50", "--read", "1000000"}, checkSlow},
		{"halfopen, silent", []string{"echo"}, "/", []string{"halfopen", "--share", "0.2", "-r", "200"}, checkHalfOpen},
		{"halfopen, reset", []string{"echo"}, "/", []string{"halfopen", "--share", "0.2", "-r", "200", "--how", "reset"}, checkHalfOpen},
		{"storm", []string{"echo"}, "/", []string{"storm", "--waves", "2", "--every", "500ms"}, checkStorm},
		{"storm, by a handshake", []string{"echo"}, "/", []string{"storm", "--waves", "2", "--every", "500ms", "--close"}, checkStorm},
		{"churn", []string{"echo"}, "/", []string{"churn", "-r", "200", "--hold", "50ms", "-n", "100"}, checkChurn},
		{"churn, by a reset", []string{"echo"}, "/", []string{"churn", "-r", "200", "--hold", "50ms", "-n", "100", "--abort"}, checkChurn},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // most of it is waiting
			addr := ownServer(t, roost, c.server...)
			args := []string{c.args[0], "-n", "50"} // a number of its own comes later and counts
			if c.args[0] != "storm" {               // which lasts as long as its waves
				args = append(args, "-d", "500ms")
			}
			args = append(args, c.args[1:]...)
			r := measured(t, roost, append(args, "ws://"+addr+c.path)...)
			kept(t, r)
			c.check(t, r)
		})
	}
}

// ownServer runs roost until the test ends.
func ownServer(t *testing.T, roost string, args ...string) (addr string) {
	t.Helper()
	p := launch(t, nil, append([]string{roost, args[0], "--addr", "127.0.0.1:0"}, args[1:]...)...)
	t.Cleanup(func() {
		p.cmd.Process.Signal(syscall.SIGTERM)
		p.end()
	})
	return p.addr
}

// kept checks that nothing went wrong.
func kept(t *testing.T, r *report.Report) {
	t.Helper()
	c := r.Connections
	agree(t,
		figure{"connections failed", c.Failed, 0},
		figure{"connections lost", c.Lost, 0},
		figure{"kinds of failure", int64(len(r.Failures)), 0},
		figure{"connections opened", c.Opened, c.Attempts},
		figure{"messages unsent", r.Exchange.Unsent, 0})
}

func checkFeed(t *testing.T, r *report.Report) {
	f := r.Feed
	if f == nil {
		t.Fatal("the report has no feed")
	}
	if f.Updates == 0 || f.Snapshots < 50 || r.Latency == nil {
		t.Errorf("%d updates and %d snapshots for 50 clients, latency %v", f.Updates, f.Snapshots, r.Latency)
	}
	agree(t,
		figure{"subscribers", f.Subscribers, 50},
		figure{"gaps", f.Gaps, 0},
		figure{"repeats", f.Repeats, 0},
		figure{"unmarked", f.Unmarked, 0},
		figure{"connections left", r.Connections.Left, 50},
		figure{"messages sent", r.Exchange.Sent, 50})
}

func checkSlow(t *testing.T, r *report.Report) {
	if r.Slow == nil {
		t.Fatal("the report has no slow clients")
	}
	agree(t,
		figure{"slow clients", r.Slow.Clients, 10},
		figure{"slow clients lost", r.Slow.Lost, 0})
	spread(t, r, 25, 40)
}

func checkHalfOpen(t *testing.T, r *report.Report) {
	if r.HalfOpen == nil {
		t.Fatal("the report has no clients that vanished")
	}
	m := r.Exchange
	agree(t,
		figure{"clients vanished", r.HalfOpen.Vanished, 10},
		figure{"connections left", r.Connections.Left, 40},
		figure{"messages sent", m.Sent, 100},
		figure{"replies", m.Replies, 100},
		figure{"replies mismatched", m.Mismatched, 0},
		figure{"messages unanswered", m.Unanswered, 0})
}

func checkStorm(t *testing.T, r *report.Report) {
	if r.Storm == nil || len(r.Storm.Waves) != 2 {
		t.Fatalf("the report has not two waves: %+v", r.Storm)
	}
	for i, w := range r.Storm.Waves {
		if w.Clients != 50 || w.Back != 50 || w.Full == nil || *w.Full <= 0 {
			t.Errorf("wave %d: %d clients, %d back, full service after %v", i+1, w.Clients, w.Back, w.Full)
		}
	}
	agree(t,
		figure{"connections opened", r.Connections.Opened, 3 * 50},
		figure{"connections left", r.Connections.Left, 3 * 50},
		figure{"connections alive at the end", r.Connections.AliveAtEnd, 50})
}

func checkChurn(t *testing.T, r *report.Report) {
	agree(t,
		figure{"connections opened", r.Connections.Opened, 1 + 100}, // the first finds out whether the others can
		figure{"connections left", r.Connections.Left, 1 + 100},
		figure{"connections alive at the end", r.Connections.AliveAtEnd, 0})
	if r.Latency == nil {
		t.Error("no latency")
	}
}
