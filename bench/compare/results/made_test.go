package results_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/roostws/roost/bench/compare/results"
)

// values of a sample.
type values = map[string]float64

// made is a small run with two rounds, whose figures are easy to do by hand.
func made() *results.Run {
	started := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	r := &results.Run{
		Schema: results.Schema,
		Settings: []results.Settings{{
			Works:   []string{results.Idle, results.Echo, results.Fanout, results.Connect, results.Slow, results.WSS},
			Started: started, Finished: started.Add(73*time.Minute + 20*time.Second),
			Command: "go run . --rounds 2", Rounds: 2, Seconds: 5, Warmup: 1.5, Pings: 600, Every: 60, ClientCPU: 1,
		}},
		Machine: results.Machine{
			CPU: "Some CPU @ 2.5 GHz", Processors: 2, Memory: 8 << 30, Kernel: "6.18.1", System: "Debian GNU/Linux 13",
			Go: "go1.26.8", CC: "gcc 14.2", Notes: []string{"The machine is virtual and shared with others."},
		},
		Servers: []results.Server{
			{Name: "floor", Version: "1", About: "a minimal server in C", Kind: results.Floor},
			{Name: "roost-inline", Version: "this tree", About: "handlers on the loop", Kind: results.Ours},
			{Name: "roost-pool", Version: "this tree", About: "handlers on the pool", Kind: results.Ours},
			{Name: "gws", Version: "v1.8.9", About: "a goroutine for each connection", Kind: results.Peer},
			{Name: "gorilla", Version: "v1.5.3", About: "a goroutine | two", Kind: results.Peer},
			{Name: "bun", Version: "", About: "uWebSockets", Kind: results.Peer, NotRun: "bun is not installed"},
		},
	}
	echo(r)
	others(r)
	return r
}

func echo(r *results.Run) {
	add := func(round int, server string, cpu, rate float64, marks ...results.Mark) {
		r.Samples = append(r.Samples, results.Sample{
			Round: round, Work: results.Echo, Case: "1000x512", Server: server,
			Values: values{"cpu_us": cpu, "rate": rate, "p99_at_80": 10 * cpu}, Marks: marksOf("rate", marks...),
		})
	}
	add(1, "floor", 8, 120e3)
	add(1, "roost-inline", 11, 90e3)
	add(1, "roost-pool", 30, 33e3)
	add(1, "gws", 10.8, 95e3, results.ClientBound)
	add(1, "gorilla", 40, 25e3)
	add(1, "floor", 12, 110e3)
	add(2, "floor", 19, 100e3)
	add(2, "roost-inline", 24, 80e3)
	r.Samples = append(r.Samples, results.Sample{
		Round: 2, Work: results.Echo, Case: "1000x512", Server: "roost-pool", Error: "12 connections were reset\nby `peer`",
	})
	add(2, "gws", 21.6, 90e3)
	add(2, "gorilla", 60, 16e3)
	add(2, "floor", 21, 90e3)
}

// marksOf are marks of one value.
func marksOf(name string, marks ...results.Mark) map[string][]results.Mark {
	if len(marks) == 0 {
		return nil
	}
	return map[string][]results.Mark{name: marks}
}

// others has an idle case with a slope of nothing, a fan-out without a floor, a connect of one round, and
// slow handlers.
func others(r *results.Run) {
	for round := 1; round <= 2; round++ {
		add := func(work, of, server string, v values) {
			r.Samples = append(r.Samples, results.Sample{Round: round, Work: work, Case: of, Server: server, Values: v})
		}
		n := float64(round)
		add(results.Idle, "echoed", "floor", values{"rss_bytes": 0, "kernel_bytes": 3600})
		add(results.Idle, "echoed", "roost-inline", values{"rss_bytes": 200 + 9*n, "kernel_bytes": 3600})
		add(results.Idle, "echoed", "gorilla", values{"rss_bytes": 12345, "kernel_bytes": 3600})
		add(results.Fanout, "1000x128", "roost-inline", values{"cpu_us": 5, "rate": 2e5})
		add(results.Fanout, "1000x128", "gws", values{"cpu_us": 7 + n, "rate": 1e5})
		add(results.WSS, "1000x512", "floor", values{"cpu_us": 10})
		add(results.WSS, "1000x512", "roost-pool", values{"cpu_us": 15})
		add(results.WSS, "1000x512", "floor", values{"cpu_us": 10})
		add(results.WSS, "1000x512", "gorilla", values{"cpu_us": 20})
		add(results.WSS, "1000x512", "floor", values{"cpu_us": 10})
		add(results.Slow, "1in100", "roost-pool", values{"p99_us": 400 * n, "base_p99_us": 300})
		add(results.Slow, "1in100", "gorilla", values{"p99_us": 500 * n, "base_p99_us": 280})
		if round == 1 {
			add(results.Connect, "churn", "floor", values{"cpu_us": 40})
			add(results.Connect, "churn", "roost-inline", values{"cpu_us": 50})
			add(results.Connect, "churn", "floor", values{"cpu_us": 40})
			add(results.Connect, "storm", "roost-inline", values{"full_s": 0.75})
		}
	}
}

// only returns a run of one case, in which round n of a server has the n-th value.
func only(work, of, metric string, kinds map[string]results.Kind, order []string, rounds int, of2 map[string][]float64) *results.Run {
	r := &results.Run{Schema: results.Schema, Settings: []results.Settings{{Works: []string{work}, Rounds: rounds}}}
	for _, name := range order {
		r.Servers = append(r.Servers, results.Server{Name: name, Kind: kinds[name]})
		for n, v := range of2[name] {
			r.Samples = append(r.Samples, results.Sample{Round: n + 1, Work: work, Case: of, Server: name, Values: values{metric: v}})
		}
	}
	return r
}

func page(t *testing.T, r *results.Run) string {
	t.Helper()
	var b strings.Builder
	if err := r.WriteMarkdown(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func summary(t *testing.T, r *results.Run) string {
	t.Helper()
	var b strings.Builder
	if err := r.WriteSummary(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// tableOf returns the rows of the table below a heading, the headings first, and the text under it.
func tableOf(t *testing.T, page, heading string) (rows [][]string, text string) {
	t.Helper()
	_, rest, found := strings.Cut(page, heading+"\n\n|")
	if !found {
		t.Fatalf("there is no table below %q in\n%s", heading, page)
	}
	grid, rest, _ := strings.Cut("|"+rest, "\n\n")
	for n, line := range strings.Split(grid, "\n") {
		if n == 1 { // the alignment
			continue
		}
		var cells []string
		for _, c := range strings.Split(strings.Trim(line, "|"), " | ") {
			cells = append(cells, strings.TrimSpace(c))
		}
		rows = append(rows, cells)
	}
	text, _, _ = strings.Cut(rest, "\n")
	return rows, text
}

// failing refuses to write and to read.
type failing struct{}

var errFull = errors.New("the disk is full")

func (failing) Write([]byte) (int, error) { return 0, errFull }
func (failing) Read([]byte) (int, error)  { return 0, errFull }
