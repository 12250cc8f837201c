package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/roostws/roost/bench/report"
)

// childMode says what TestChild, the processes of these tests, does.
const childMode = "ROOST_BENCH_CHILD"

func TestChild(t *testing.T) {
	switch os.Getenv(childMode) {
	case "agent":
		agent := &Agent{Token: os.Getenv("ROOST_TOKEN")}
		if err := agent.ServeParent(t.Context(), os.Stdin, os.Stdout); err != nil {
			t.Error(err)
		}
	case "fail":
		fmt.Fprintln(os.Stderr, "usage: something\nroost: no such flag")
		os.Exit(3)
	case "panic":
		go panic("a bug") // a test that panics says so on the wrong stream
		<-t.Context().Done()
	case "chatter":
		fmt.Println("PASS")
		_, _ = io.Copy(io.Discard, os.Stdin)
	case "second": // the first to make the file is an agent
		f, err := os.OpenFile(os.Getenv(childMode+"_FILE"), os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			os.Exit(4)
		}
		f.Close()
		_ = (&Agent{}).ServeParent(t.Context(), os.Stdin, os.Stdout)
	default:
		t.Skip("is for the processes of other tests")
	}
}

func children(t *testing.T, mode string) Options {
	t.Setenv(childMode, mode)
	return Options{Procs: 2, Worker: []string{os.Args[0], "-test.run=^TestChild$"}}
}

func TestProcesses(t *testing.T) {
	d := (&double{}).start(t)
	c := short(d, Echo)
	c.Echo.Rate = 200 // a loop that is late sends what was due
	r, sum := mustRun(t, c, children(t, "agent"))
	expect(t, "opened", sum.Opened, 2)
	if len(r.Report.Run.Workers) != 2 || !strings.HasPrefix(r.Report.Run.Workers[0], "process ") {
		t.Errorf("workers %v", r.Report.Run.Workers)
	}
	if sum.Replies == 0 || sum.Replies != sum.Sent {
		t.Errorf("%d replies, %d sent", sum.Replies, sum.Sent)
	}
	expectNoChildren(t)
}

// expectNoChildren fails when a process that this one has started was not waited for.
func expectNoChildren(t testing.TB) {
	t.Helper()
	if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); !errors.Is(err, syscall.ECHILD) {
		t.Errorf("process %d is left: %v", pid, err)
	}
}

func TestProcessesThatDoNotStart(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	tests := []struct {
		mode, says string
	}{
		{"fail", "exit status 3, roost: no such flag"},
		{"panic", "exit status 2, panic: a bug"},
		{"chatter", `is no agent: it says "PASS"`},
		{"second", "exit status 4"},
	}
	for _, tt := range tests {
		t.Run(tt.mode, func(t *testing.T) {
			d := (&double{}).start(t)
			t.Setenv(childMode+"_FILE", missing)
			_, err := Run(t.Context(), short(d, Echo), children(t, tt.mode))
			var config *ConfigError
			if !errors.As(err, &config) || !strings.HasPrefix(err.Error(), "worker process ") || !strings.HasSuffix(err.Error(), tt.says) {
				t.Errorf("error %T %v, want %s", err, err, tt.says)
			}
			expect(t, "connections", d.accepted.Load(), 0)
			expectNoChildren(t)
		})
	}
	d := (&double{}).start(t)
	_, err := Run(t.Context(), short(d, Echo), Options{Procs: 2, Worker: []string{missing}})
	if err == nil || !strings.HasPrefix(err.Error(), "cannot start a worker process: ") {
		t.Errorf("error %v", err)
	}
	c := short(d, Echo)
	c.Conns = 1000
	if _, err = Run(t.Context(), c, Options{Procs: maxProcs + 1, Worker: []string{missing}}); err == nil || err.Error() != "257 processes are more than 256" {
		t.Errorf("error %v", err)
	}
}

func TestProcessesWhoseStartIsBrokenOff(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := startedSites(ctx, 2, children(t, "agent").Worker); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	expectNoChildren(t)
}

// TestProcessDiesMidway kills a worker while traffic flows.
func TestProcessDiesMidway(t *testing.T) {
	d := (&double{}).start(t)
	c, err := short(d, Echo).complete()
	if err != nil {
		t.Fatal(err)
	}
	c.Duration = Duration(time.Hour)
	sites, err := startedSites(t.Context(), 2, children(t, "agent").Worker)
	if err != nil {
		t.Fatal(err)
	}
	victim := sites[1].(*processSite).process
	var once sync.Once
	r, err := newRun(c, Options{Progress: func(p report.Progress) {
		if p.Phase == report.Measure {
			once.Do(func() { _ = victim.command.Process.Kill() })
		}
	}}, sites)
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.carryOut(t.Context())
	var lost *AgentError
	if !errors.As(err, &lost) || !strings.HasPrefix(err.Error(), victim.name()+" went away after ") || !strings.HasSuffix(err.Error(), "s: signal: killed") {
		t.Errorf("error %T %v", err, err)
	}
	closeSites(sites)
	expectNoPeers(t, d)
	expectNoChildren(t)
}

// TestProcessesDoNotOutliveTheCoordinator kills a coordinator, which is a process too.
func TestProcessesDoNotOutliveTheCoordinator(t *testing.T) {
	if url := os.Getenv(childMode + "_URL"); url != "" {
		o := children(t, "agent")
		c := Config{Scenario: Idle, Targets: []string{url}, Conns: 4, Loops: 1, Duration: Duration(time.Hour)}
		_, err := Run(t.Context(), c, o)
		t.Error("the run ended:", err)
		return
	}
	four := make(chan struct{})
	var once sync.Once
	d := &double{}
	d.opened = func(*peer) {
		if d.upgraded.Load() == 4 {
			once.Do(func() { close(four) })
		}
	}
	d.start(t)
	coordinator := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	coordinator.Env = append(os.Environ(), childMode+"_URL="+d.url())
	if err := coordinator.Start(); err != nil {
		t.Fatal(err)
	}
	<-four
	_ = coordinator.Process.Kill()
	_ = coordinator.Wait()
	expectNoPeers(t, d)
}

func TestFirstLine(t *testing.T) {
	tests := []struct {
		writes []string
		want   string
		whole  bool
	}{
		{[]string{"127.0.0.1:1\n"}, "127.0.0.1:1", true},
		{[]string{"127.0.", "0.1:1\nmore", "\nmore"}, "127.0.0.1:1", true},
		{[]string{"half"}, "half", false},
		{[]string{strings.Repeat("x", maxFirstLine-1), "x"}, strings.Repeat("x", maxFirstLine), true},
		{[]string{strings.Repeat("x", maxFirstLine+1), "x\n"}, strings.Repeat("x", maxFirstLine), true},
		{[]string{"\x1b[2J\n"}, "[2J", true},
	}
	for _, tt := range tests {
		f := &firstLine{read: make(chan struct{})}
		for _, w := range tt.writes {
			if n, err := f.Write([]byte(w)); n != len(w) || err != nil {
				t.Errorf("wrote %d of %d, %v", n, len(w), err)
			}
		}
		whole := false
		select {
		case <-f.read:
			whole = true
		default:
		}
		if f.line() != tt.want || whole != tt.whole {
			t.Errorf("%q: %q, %v", tt.writes, f.line(), whole)
		}
	}
}

func TestGist(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", ""},
		{"one\ntwo\n\n", "two"},
		{"one\npanic: two\n\ngoroutine 1\n", "panic: two"},
		{"fatal error: stack overflow\nmore", "fatal error: stack overflow"},
		{strings.Repeat("x", maxLastWords-1) + "yz", strings.Repeat("x", maxLastWords-1) + "y"},
	}
	for _, tt := range tests {
		h := &head{}
		if n, err := h.Write([]byte(tt.text)); n != len(tt.text) || err != nil {
			t.Errorf("wrote %d of %d, %v", n, len(tt.text), err)
		}
		if h.gist() != tt.want {
			t.Errorf("%.20q: %.20q, want %.20q", tt.text, h.gist(), tt.want)
		}
	}
}
