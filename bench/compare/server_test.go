package main

import (
	"context"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/roostws/roost/bench"
)

func TestServersThatFail(t *testing.T) {
	for _, tt := range []struct {
		name     string
		program  *program
		patience time.Duration
		want     string
	}{
		{"dies at start", script("echo first >&2; echo no luck today >&2; exit 3"), patience, "the server ended: no luck today"},
		{"dies without a word", script("exit 3"), patience, "the server ended: exit status 3"},
		{"ends as if all were well", script("exit 0"), patience, "the server ended: it ended without a word"},
		{"never listens", script("exec sleep 60"), 100 * time.Millisecond, "does not listen at 127.0.0.1:"},
		{"is not there", &program{command: []string{"/nonexistent/server"}}, patience, "cannot be started: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := testRig(t)
			r.patience = tt.patience
			o := echoCase{conns: 10, size: 10}.measure(t.Context(), r, tt.program)
			if o.err == nil || !strings.HasPrefix(o.err.Error(), tt.want) || len(o.values) > 0 {
				t.Errorf("%v with values %v, want %q", o.err, o.values, tt.want)
			}
		})
	}
}

// TestServersThatFailLater: whichever work it is, the sample says what the server said.
func TestServersThatFailLater(t *testing.T) {
	echo := echoCase{conns: 10, size: 10}
	for name, measure := range map[string]func(context.Context, *rig, *program) outcome{
		"echo": echo.measure, "slow": slow,
		"echoed": idleCase{"hello"}.measure,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := measure(t.Context(), testRig(t), own(t, "mortal"))
			if o.err == nil || o.err.Error() != "the server ended: out of luck" {
				t.Errorf("%v", o.err)
			}
		})
	}
}

func TestServersThatRefuse(t *testing.T) {
	echo := echoCase{conns: 10, size: 10}
	for name, measure := range map[string]func(context.Context, *rig, *program) outcome{
		"echo": echo.measure, "slow": slow,
		"plain": idleCase{""}.measure, "storm": stormCase{10, time.Second}.measure,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := measure(t.Context(), testRig(t), own(t, "refusing"))
			if o.err == nil || len(o.values) > 0 {
				t.Errorf("%v with values %v", o.err, o.values)
			}
		})
	}
}

// TestServersThatAreDeaf: without a rate there is no share of it.
func TestServersThatAreDeaf(t *testing.T) {
	r := testRig(t)
	r.quick = false
	echo := echoCase{conns: 10, size: 10, open: openShares}
	for name, measure := range map[string]func(context.Context, *rig, *program) outcome{"echo": echo.measure, "slow": slow} {
		o := measure(t.Context(), r, own(t, "deaf"))
		if o.err == nil || len(o.values) > 0 {
			t.Errorf("%s: %v with values %v", name, o.err, o.values)
		}
	}
}

func TestPingedServersThatFail(t *testing.T) {
	var said strings.Builder
	samples := pinged(t.Context(), testRig(t), []*program{own(t, "mortal"), own(t, "refusing"), own(t, "dropping")}, &said)
	if len(samples) != 3 {
		t.Fatalf("%d samples: %s", len(samples), said.String())
	}
	for _, s := range samples {
		if s.Error == "" || s.Case != "pinged" || len(s.Values) > 0 {
			t.Errorf("%+v", s)
		}
	}
}

// TestServersOfTheUsualKind: nothing of the caller's environment tunes a server.
func TestServersOfTheUsualKind(t *testing.T) {
	for _, name := range tuning {
		t.Setenv(name, "1")
	}
	t.Setenv("COMPARE_TEST", "here")
	_, err := testRig(t).serve(t.Context(), script(`echo "tuned by $GOMAXPROCS$GOGC$GOMEMLIMIT$GODEBUG$NODE_OPTIONS, $COMPARE_TEST" >&2; exit 1`), echoMode)
	if errorText(err) != "the server ended: tuned by , here" {
		t.Errorf("%v", err)
	}
}

func TestCountEstablished(t *testing.T) {
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2EE1 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 0100007F:2EE1 0100007F:8001 01 00000000:00000000 00:00000000 00000000     0        0 2 1 0 20 4 0 10 -1
   2: 0100007F:8001 0100007F:2EE1 01 00000000:00000000 00:00000000 00000000     0        0 3 1 0 20 4 0 10 -1
   3: 0100007F:2EE1 0100007F:8002 04 00000000:00000000 00:00000000 00000000     0        0 0 1 0 20 4 0 10 -1
   4: 0100007F:2EE1 0200007F:8002 01 00000000:00000000 00:00000000 00000000     0        0 5 1 0 20 4 0 10 -1
`
	for port, want := range map[int]int{12001: 2, 32769: 1, 80: 0} {
		if got := countEstablished(table, port); got != want {
			t.Errorf("port %d has %d, want %d", port, got, want)
		}
	}
}

func TestPorts(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, text, _ := net.SplitHostPort(taken.Addr().String())
	port, _ := strconv.Atoi(text)
	l := &portList{next: port - 1, end: min(port+200, 65535)}
	seen := map[int]bool{port: true}
	for n := 0; ; n++ {
		p, err := l.take()
		if err != nil {
			if n == 0 {
				t.Fatal(err)
			}
			return // the end of the list
		}
		if seen[p] {
			t.Fatalf("port %d again, or while somebody listens there", p)
		}
		seen[p] = true
	}
}

func TestRuns(t *testing.T) {
	r := testRig(t)
	s, err := r.serve(t.Context(), own(t, "mortal"), echoMode)
	if err != nil {
		t.Fatal(err)
	}
	defer s.end()
	c := config(s, bench.Echo, 5, time.Millisecond, 100*time.Millisecond)
	c.Echo.Rate = 100
	l, err := r.drive(t.Context(), s, c, nil)
	if err != nil || !l.whole() || l.Latency == nil || l.Latency.Count != 10 {
		t.Fatalf("%+v, %v", l, err)
	}
	if l.seconds < 0.05 || l.serverCores() > 2 {
		t.Errorf("the usage is %+v", l.usage)
	}
	c.Duration = bench.Duration(time.Hour)
	c.Echo.Rate = 1
	l, err = r.drive(t.Context(), s, c, func(news) bool { return true })
	if l.Report == nil || !l.Report.Interrupted || l.whole() || err != errCut {
		t.Errorf("a run that was stopped has %+v, %v", l, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.drive(ctx, s, c, nil); err != context.Canceled {
		t.Errorf("a run that was cancelled: %v", err)
	}
	c.Scenario = "nonsense"
	if _, err := r.drive(t.Context(), s, c, nil); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("a wrong configuration: %v", err)
	}
}
