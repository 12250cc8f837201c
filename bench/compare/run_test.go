package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roostws/roost/bench/compare/results"
	"github.com/roostws/roost/bench/report"
)

// needs skips a test that cannot run here.
func needs(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("cc"); err != nil {
		t.Skip("there is no C compiler")
	}
	if len(allowed(t)) < 2 {
		t.Skip("there are not two processors")
	}
}

// TestEndToEnd compares two servers in every work, in its shortest form.
func TestEndToEnd(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	needs(t)
	temp, out := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", temp)
	cpus := allowed(t)
	c := &runCommand{Quick: true, Seconds: 0.2, Warmup: 0.1, Pings: time.Second, Out: out, ServerCPU: cpus[0], ClientCPU: cpus[1]}
	entries, err := choose([]string{floorName, "roost-inline"})
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	c.progress, c.summary = &said, io.Discard
	if err := c.check(); err != nil {
		t.Fatal(err)
	}
	if err := c.compare(t.Context(), entries, temp); err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	text, err := os.ReadFile(filepath.Join(out, "compare.json"))
	if err != nil {
		t.Fatal(err)
	}
	found, err := results.ReadJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	checkRun(t, found)
	if page, err := os.ReadFile(filepath.Join(out, "compare.md")); err != nil || !bytes.Contains(page, []byte("roost-inline")) {
		t.Errorf("the page: %v", err)
	}
}

// checkRun looks for every figure of the quick form.
func checkRun(t *testing.T, found *results.Run) {
	t.Helper()
	wants := map[string][]string{
		"idle echoed": {"rss_bytes", "kernel_bytes"}, "idle pinged": {"rss_bytes"},
		"echo 1000x512":   {"cpu_us", "rate", "p50_at_50", "server_cores", "client_cores"},
		"echo 200x20":     {"cpu_us", "rate", "cross_cpu_us", "cross_rate", "server_cores", "client_cores"},
		"fanout 1000x128": {"cpu_us", "rate", "p99_us", "server_cores", "client_cores"},
		"connect churn":   {"cpu_us", "rate", "server_cores", "client_cores"},
		"slow 1in100":     {"p50_us", "p99_us", "base_p50_us", "base_p99_us"},
	}
	order := map[string][]string{}
	for _, s := range found.Samples {
		name := s.Work + " " + s.Case
		order[name] = append(order[name], s.Server)
		if s.Error != "" {
			t.Errorf("%s of %s: %s", name, s.Server, s.Error)
		}
		for _, metric := range wants[name] {
			if v, ok := s.Values[metric]; !ok || v <= 0 && metric != "kernel_bytes" && metric != "rss_bytes" {
				t.Errorf("%s of %s has a %s of %v", name, s.Server, metric, v)
			}
		}
	}
	for name := range wants {
		want := "floor roost-inline floor"
		if name == "idle pinged" {
			want = "floor roost-inline"
		}
		if got := strings.Join(order[name], " "); got != want {
			t.Errorf("%s was measured with %q, want %q", name, got, want)
		}
	}
}

// canceller ends a run when it sees a word in the progress.
type canceller struct {
	word   string
	cancel func()
	bytes.Buffer
}

func (c *canceller) Write(b []byte) (int, error) {
	if strings.Contains(string(b), c.word) {
		c.cancel()
	}
	return c.Buffer.Write(b)
}

func TestInterrupted(t *testing.T) {
	needs(t)
	for _, tt := range []struct {
		word  string
		works []string
		least int // samples
	}{
		{"round 1/1 connect churn roost-inline", []string{results.Connect}, 2},
		{"servers hold", []string{results.Idle}, 3},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		out, temp := t.TempDir(), t.TempDir()
		cpus := allowed(t)
		watch := &canceller{word: tt.word, cancel: cancel}
		c := &runCommand{Quick: true, Works: tt.works, Seconds: 0.2, Warmup: 0.1, Pings: time.Hour, Out: out, ServerCPU: cpus[0], ClientCPU: cpus[1], progress: watch, summary: io.Discard}
		if err := c.check(); err != nil {
			t.Fatal(err)
		}
		entries, err := choose([]string{floorName, "roost-inline"})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.compare(ctx, entries, temp); err != errInterrupted {
			t.Fatalf("%v\n%s", err, watch.String())
		}
		var found results.Run
		text, err := os.ReadFile(filepath.Join(out, "compare.json"))
		if err != nil || json.Unmarshal(text, &found) != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if len(found.Samples) < tt.least || !strings.Contains(strings.Join(found.Settings[0].Notes, "\n"), "interrupted") {
			t.Errorf("%d samples, want %d at least; notes %q", len(found.Samples), tt.least, found.Settings[0].Notes)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, tt := range []struct {
		change func(*runCommand)
		want   string
	}{
		{func(c *runCommand) { c.ClientCPU = c.ServerCPU }, "a processor each"},
		{func(c *runCommand) { c.ClientCPU = 1000 }, "two processors are needed"},
		{func(c *runCommand) { c.Rounds = -1 }, "--rounds -1"},
		{func(c *runCommand) { c.Seconds = 0.01 }, "--seconds 0.01"},
		{func(c *runCommand) { c.Warmup = -1 }, "--warmup -1"},
		{func(c *runCommand) { c.Pings = time.Millisecond }, "--pings 1ms"},
		{func(c *runCommand) { c.Cases = []string{"storm", "tempest"} }, `no case "tempest": there are plain, echoed`},
		{func(c *runCommand) { c.Works, c.Cases = []string{"echo"}, []string{"storm"} }, `no case "storm": there are 200x20`},
	} {
		cpu := allowed(t)[0]
		c := &runCommand{ServerCPU: cpu, ClientCPU: cpu + 1}
		tt.change(c)
		if err := c.check(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v, want %q", err, tt.want)
		}
	}
	needs(t)
	t.Chdir(t.TempDir())
	c := &runCommand{ServerCPU: allowed(t)[0], ClientCPU: allowed(t)[1]}
	if err := c.check(); err == nil || !strings.Contains(err.Error(), "bench/compare") {
		t.Errorf("elsewhere: %v", err)
	}
}

func TestTheCommandNamesNoDirectory(t *testing.T) {
	got := command([]string{"--works", "echo", "--npm", "/here", "--rounds=2", "--out=/there", "--add"})
	if want := "go run . --works echo --rounds=2 --add"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := command([]string{"--npm"}); got != "go run ." {
		t.Errorf("%q", got)
	}
}

func TestVerdict(t *testing.T) {
	sound := &results.Run{Samples: []results.Sample{{}}, Servers: []results.Server{{}}}
	broken := &results.Run{Samples: []results.Sample{{Error: "x"}}, Servers: []results.Server{{NotRun: "y"}}}
	c := &runCommand{}
	if err := c.verdict(t.Context(), sound); err != nil {
		t.Error(err)
	}
	c.broken = 1
	if err := c.verdict(t.Context(), broken); err == nil || !strings.HasPrefix(err.Error(), "2 servers or measurements failed") {
		t.Error(err)
	}
	c.KeepGoing = true
	if err := c.verdict(t.Context(), broken); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.verdict(ctx, sound); err != errInterrupted {
		t.Error(err)
	}
}

func TestTrouble(t *testing.T) {
	for _, tt := range []struct {
		change func(*report.Report)
		want   string
	}{
		{func(*report.Report) {}, ""},
		{func(r *report.Report) { r.Connections.Lost = 3 }, "3 connections were lost"},
		{func(r *report.Report) {
			r.Connections.Failed, r.Failures = 2, []report.Failure{{Kind: "connection refused"}}
		}, "2 connections failed: connection refused"},
		{func(r *report.Report) { r.Exchange.Mismatched = 1 }, "1 messages were not those that were asked for"},
		{func(r *report.Report) { r.Exchange.Unanswered = 1 }, "1 messages had no answer in time"},
		{func(r *report.Report) { r.Exchange.Unsent = 1 }, "1 messages could not be sent in time"},
	} {
		r := &report.Report{}
		tt.change(r)
		if got := errorText(trouble(r)); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
	now := moment{at: time.Now()}
	for _, m := range [][2]moment{{}, {now}, {{}, now}} {
		if l, err := concluded(m[0], m[1], &report.Report{}); l.whole() || !errors.Is(err, errCut) {
			t.Errorf("%+v is whole, or %v", m, err)
		}
	}
}

func TestBatches(t *testing.T) {
	r := &rig{}
	each := int64(r.stages().first+r.stages().all()) * roomPerConn * 10 / 8
	for _, tt := range []struct {
		free int64
		want string
	}{{0, "1 1 1 1 1"}, {4*each + 10, "4 1"}, {100 * each, "5"}} {
		var got []string
		for _, b := range batches(r, programsNamed("a", "b", "c", "d", "e"), tt.free) {
			got = append(got, string(rune('0'+len(b))))
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%d bytes: %s, want %s", tt.free, s, tt.want)
		}
	}
}

func TestMachine(t *testing.T) {
	m := machine("a compiler", 0, 1)
	if m.Processors < 1 || m.Memory < 1<<20 || !strings.HasPrefix(m.Kernel, "Linux ") || m.Go == "" || m.CC != "a compiler" {
		t.Errorf("%+v", m)
	}
	for text, want := range map[string]bool{"0,4\n": true, "0-3\n": false, "2-5\n": true, "0\n": false, "": false, "x-9": false} {
		dir := tree(t, map[string]string{"list": text})
		if got := siblings(filepath.Join(dir, "list"), 4); got != want {
			t.Errorf("4 is among %q: %v", text, got)
		}
	}
	if siblings("/nonexistent", 4) {
		t.Error("4 is among what is not there")
	}
	dir := tree(t, map[string]string{"a": "Mitigation: PTI\n", "b": "Not affected\n", "c": "Mitigation: x\n"})
	if got := mitigations(dir); got != "a, c" {
		t.Errorf("mitigations of %q", got)
	}
	if got := mitigations(filepath.Join(dir, "none")); got != "" {
		t.Errorf("mitigations of %q", got)
	}
}
