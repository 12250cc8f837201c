package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

func TestLoadWithoutAScenario(t *testing.T) {
	t.Setenv("ROOST_TOKEN", "")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	const there = "idle, echo, fanout, feed, churn, storm, slow, halfopen"
	tests := []struct{ args, says string }{
		{"load", "which scenario? There are " + there},
		{"load foo", `there is no scenario "foo": there are ` + there},
		{"load foo --conns 5 ws://127.0.0.1:1/", `there is no scenario "foo"`},
		{"load --agent 127.0.0.1:0 echo", "flag --agent applies to the default command"},
		{"load --agent 127.0.0.1:0 foo", `an agent gets its scenario from the coordinator: leave "foo" out`},
		{"load --agent 7000", `"7000" is no address to listen on`},
		{"load --agent 0.0.0.0:0", "set a token (--token or ROOST_TOKEN), or allow everybody by --insecure-no-token"},
		{"load --agent " + taken.Addr().String(), "address already in use"},
	}
	for _, tt := range tests {
		err := run(t.Context(), strings.Fields(tt.args))
		if err == nil || !strings.Contains(err.Error(), tt.says) || status(err) != exitUsage {
			t.Errorf("roost %s: %v, want %q", tt.args, err, tt.says)
		}
	}
}

func TestAgentCommandServesUntilTheSignal(t *testing.T) {
	for _, args := range []string{"--agent :0", "--agent 0.0.0.0:0 --token x", "--agent 0.0.0.0:0 --insecure-no-token"} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := run(ctx, append([]string{"load"}, strings.Fields(args)...)); err != nil {
			t.Errorf("%s: %v", args, err)
		}
	}
}

// echoServer is somebody else's WebSocket server.
func echoServer(t *testing.T) string {
	t.Helper()
	return webSocketServer(t, true)
}

// webSocketServer reads messages, and sends them back or not.
func webSocketServer(t *testing.T, echoes bool) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		for {
			kind, p, err := c.Read(r.Context())
			if err != nil || echoes && c.Write(r.Context(), kind, p) != nil {
				return
			}
		}
	})}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(l) }()
	t.Cleanup(func() {
		srv.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return "ws://" + l.Addr().String() + "/"
}

// TestProcessesAndAgentsOfTheBinary runs the program as users do: three processes on
// its own, and an agent with a coordinator.
func TestProcessesAndAgentsOfTheBinary(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "roost")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	url := echoServer(t)
	load := func(flags ...string) {
		t.Helper()
		cmd := exec.Command(binary, append(append([]string{"load", "echo", "-n", "6", "-d", "300ms", "-q", "--assert", "replies>0", "--assert", "lost==0"}, flags...), url)...)
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "6 connections, "+flags[1]+" workers") {
			t.Errorf("%v: %v\n%s", flags, err, out)
		}
	}
	load("--procs", "3")

	agent := exec.Command(binary, "load", "--agent", "127.0.0.1:0")
	agent.Env = append(os.Environ(), "ROOST_TOKEN=secret")
	out, err := agent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	address, rest, ok := strings.Cut(strings.TrimPrefix(line, "agent at "), ", ")
	if err != nil || !ok || rest != "waiting for a coordinator; Ctrl-C ends\n" {
		t.Fatalf("the agent says %q, %v", line, err)
	}
	cmd := exec.Command(binary, "load", "echo", "-n", "6", "-d", "300ms", "-q", "--agents", address, "--token", "secret", "--assert", "replies>0", url)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
	if err := agent.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, lines)
	if err := agent.Wait(); err != nil {
		t.Errorf("the agent ends with %v", err)
	}
}
