package leak

import (
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"testing"
)

func TestMain(m *testing.M) {
	switch os.Getenv(scenario) {
	case "goroutine", "fd":
		patience = 0 // what they leave does not end by itself
	}
	Main(m)
}

// scenario names, in a child process, what TestScenario leaves behind.
const scenario = "ROOST_LEAK_SCENARIO"

var kept net.Listener // keeps the collector from closing what is left

// TestScenario is the body of the child processes that TestMainTells starts.
func TestScenario(t *testing.T) {
	switch os.Getenv(scenario) {
	case "goroutine":
		go func() { select {} }()
	case "fd":
		var err error
		if kept, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	case "signal":
		c := make(chan os.Signal, 1)
		signal.Notify(c, os.Interrupt)
		signal.Stop(c)
	case "clean":
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() { l.Close(); close(done) }()
		<-done
	case "failing":
		t.Fatal("a failing test")
	default:
		t.Skip("runs only as a child of TestMainTells")
	}
}

func TestMainTells(t *testing.T) {
	tests := []struct {
		scenario string
		fails    bool
		says     string
	}{
		{"clean", false, ""},
		{"signal", false, ""},
		{"failing", true, "a failing test"},
		{"goroutine", true, "leak: left after the tests: goroutine "},
		{"fd", true, "leak: left after the tests: fd "},
	}
	for _, tt := range tests {
		t.Run(tt.scenario, func(t *testing.T) {
			t.Parallel() // a process under the race detector takes a second to exit
			if tt.scenario == "fd" && !canCountFDs {
				t.Skip("file descriptors are not counted on this platform")
			}
			cmd := exec.Command(os.Args[0], "-test.run=^TestScenario$")
			cmd.Env = append(os.Environ(), scenario+"="+tt.scenario)
			out, err := cmd.CombinedOutput()
			if failed := err != nil; failed != tt.fails {
				t.Errorf("exit: %v, want failure %v\n%s", err, tt.fails, out)
			}
			if !strings.Contains(string(out), tt.says) {
				t.Errorf("output does not say %q:\n%s", tt.says, out)
			}
			if tt.says == "" && canCountFDs && strings.Contains(string(out), "leak:") {
				t.Errorf("a clean run speaks of leaks:\n%s", out)
			}
		})
	}
}
