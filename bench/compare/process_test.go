package main

import (
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// allowed lists the processors that this thread may use.
func allowed(t *testing.T) []int {
	t.Helper()
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		t.Fatal(err)
	}
	var cpus []int
	for cpu := range 1024 {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus
}

func TestPinned(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := allowed(t)
	for _, cpu := range before {
		p, err := launch(exec.Command("sleep", "60"), cpu)
		if err != nil {
			t.Fatal(err)
		}
		list := infoLine("/proc/"+strconv.Itoa(p.pid())+"/status", "Cpus_allowed_list")
		p.kill()
		if list != strconv.Itoa(cpu) {
			t.Errorf("pinned to %d, and may use %s", cpu, list)
		}
		if got := allowed(t); !slices.Equal(got, before) {
			t.Fatalf("the driver's thread may use %v afterwards, and before %v", got, before)
		}
	}
}

func TestPinnedToNoProcessor(t *testing.T) {
	started := false
	err := pinned(1000, func() error { started = true; return nil })
	if err == nil || started || !strings.Contains(err.Error(), "processor 1000") {
		t.Errorf("%v, started: %v", err, started)
	}
}

func TestEnd(t *testing.T) {
	for _, tt := range []struct{ name, text string }{
		{"obeys", "exec sleep 60"},
		{"is deaf", "trap '' TERM; echo ready >&2; while :; do sleep 0.05; done"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, err := launch(exec.Command("sh", "-c", tt.text), allowed(t)[0])
			if err != nil {
				t.Fatal(err)
			}
			if tt.name == "is deaf" {
				for p.stderr.String() != "ready" {
					runtime.Gosched()
				}
			}
			before, err := p.cpuTime()
			if err != nil {
				t.Errorf("what it used: %v", err)
			}
			p.end()
			if !p.ended() {
				t.Error("it goes on")
			}
			if after, err := p.cpuTime(); err != nil || before <= 0 || after < before-time.Millisecond {
				t.Errorf("it used %v, and when it had ended %v, %v", before, after, err)
			}
		})
	}
}

func TestCPUTime(t *testing.T) {
	// A shell that computes in a child, whose time counts while it runs.
	p, err := launch(exec.Command("sh", "-c", "(while :; do :; done) & wait"), allowed(t)[0])
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		own := children(p.pid())
		p.kill()
		for _, child := range own {
			for deadline := time.Now().Add(20 * time.Second); runs(child); runtime.Gosched() {
				if time.Now().After(deadline) {
					t.Fatal("what it started goes on")
				}
			}
		}
	}()
	deadline := time.Now().Add(20 * time.Second)
	for {
		used, err := p.cpuTime()
		if err != nil {
			t.Fatal(err)
		}
		if used >= 50*time.Millisecond {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("it used %v in 20 s", used)
		}
		runtime.Gosched()
	}
}

// runs tells whether a process does; a zombie does not.
func runs(pid int) bool {
	state := infoLine("/proc/"+strconv.Itoa(pid)+"/status", "State")
	return state != "" && state[0] != 'Z' && state[0] != 'X'
}

func TestLastLine(t *testing.T) {
	long := strings.Repeat("x", 3*longest)
	for _, tt := range []struct {
		name   string
		writes []string
		want   string
	}{
		{"nothing", nil, ""},
		{"the last one", []string{"a\nb\n"}, "b"},
		{"in pieces", []string{"a\nb", "c", "d\n"}, "bcd"},
		{"empty lines", []string{"a\n\n \n"}, "a"},
		{"without an end", []string{"a\nb"}, "b"},
		{"too long", []string{long + "\n"}, long[:longest]},
		{"too long without an end", []string{long}, long[:longest]},
	} {
		var l lastLine
		for _, w := range tt.writes {
			if n, err := l.Write([]byte(w)); n != len(w) || err != nil {
				t.Errorf("%s: %d, %v", tt.name, n, err)
			}
		}
		if got := l.String(); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestMemory(t *testing.T) {
	p, err := launch(exec.Command("sleep", "60"), allowed(t)[0])
	if err != nil {
		t.Fatal(err)
	}
	m, err := p.memory()
	peak, peakErr := p.peak()
	if err != nil || peakErr != nil || m.resident < 1<<10 || m.kernel < 1<<20 || peak < m.resident/2 {
		t.Errorf("%+v, peak %d, %v, %v", m, peak, err, peakErr)
	}
	p.kill()
	if _, err := p.memory(); !os.IsNotExist(err) {
		t.Errorf("the memory of one that has ended: %v", err)
	}
}
