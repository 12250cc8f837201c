// Package peers tests that every server of the comparison keeps the contract that they
// share, so that what is measured is the same work.
package peers

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything may take on a machine that does something else, too.
const patience = 30 * time.Second

// servers are all servers, by name.
var servers = []struct {
	name    string
	command []string // the first is a Go program of this folder, or node or bun
}{
	{"gorilla", []string{"gorilla"}},
	{"coder", []string{"coder"}},
	{"gws", []string{"gws"}},
	{"nbio-nonblocking", []string{"nbio", "--io", "nonblocking"}},
	{"nbio-mixed", []string{"nbio", "--io", "mixed"}},
	{"gobwas", []string{"gobwas"}},
	{"netpoll", []string{"netpoll"}},
	{"melody", []string{"melody"}},
	{"roost-inline", []string{"roost", "--inline"}},
	{"roost-pool", []string{"roost"}},
	{"roost-inline-netpoll", []string{"roost", "--inline", "--engine", "netpoll"}},
	{"roost-pool-netpoll", []string{"roost", "--engine", "netpoll"}},
	{"ws", []string{"node", "ws.mjs"}},
	{"bun", []string{"bun", "server.ts"}},
}

// limits are points of the contract that a library does not keep and a program that
// uses it cannot mend. The checks expect what it does instead, so that this table is
// wrong, and the test fails, as soon as that changes.
type limits struct {
	ignoresEmpty bool // an empty message is not handed to the handler
	plain        bool // the program does not speak TLS, and says so
	closesNormal bool // a Close frame of a code below 1016 is answered with 1000
}

// known are the limits of programs that have some.
var known = map[string]limits{
	"gws":     {closesNormal: true},              // v1.8.9, Conn.emitClose
	"nbio":    {ignoresEmpty: true, plain: true}, // v1.6.8, Conn.Parse: a message of no bytes is taken for none; TLS by a fork of crypto/tls only
	"netpoll": {plain: true},                     // a bare descriptor is what its poller has
}

// checks are the points of the contract.
var checks = []struct {
	name  string
	mode  string
	check func(t *testing.T, s *server)
}{
	{"echo", "echo", checkEcho},
	{"ping", "echo", checkPing},
	{"close", "echo", checkClose},
	{"crowd", "echo", checkCrowd},
	{"end", "echo", checkEnd},
	{"broadcast", "broadcast", checkBroadcast},
	{"stalled", "broadcast", checkStalled},
	{"slow", "slow", checkSlow},
}

func TestContract(t *testing.T) {
	bin := build(t)
	for _, s := range servers {
		t.Run(s.name, func(t *testing.T) {
			command := resolve(t, bin, s.command)
			for _, c := range checks {
				t.Run(c.name, func(t *testing.T) { c.check(t, start(t, command, c.mode)) })
			}
			t.Run("taken", func(t *testing.T) { checkTaken(t, command) })
			t.Run("tls", func(t *testing.T) { checkTLS(t, command) })
		})
	}
}

// build builds the Go programs into a folder and returns it.
func build(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", dir+string(filepath.Separator), "./...").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return dir
}

// resolve makes a command that can be run of one of the table. It skips the test if
// what runs it is not installed.
func resolve(t *testing.T, bin string, command []string) []string {
	t.Helper()
	var program string
	switch command[0] {
	case "node":
		modules := modules(t)
		program = look(t, "node")
		return []string{program, script(t, modules, filepath.Join("node", command[1]))}
	case "bun":
		modules := modules(t)
		program = look(t, filepath.Join(modules, ".bin", "bun"))
		return []string{program, script(t, modules, filepath.Join("bun", command[1]))}
	}
	return append([]string{filepath.Join(bin, command[0])}, command[1:]...)
}

// modules is the folder node_modules that the environment names.
func modules(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("COMPARE_NPM")
	if dir == "" {
		t.Skip("COMPARE_NPM is not set to a folder in which package.json was installed (npm install)")
	}
	return filepath.Join(dir, "node_modules")
}

func look(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skip("not installed: ", err)
	}
	return path
}

// script copies a script to where node_modules is beside it, as Node.js looks for
// modules beside the script.
func script(t *testing.T, modules, file string) string {
	t.Helper()
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, filepath.Base(file))
	if err := os.WriteFile(path, source, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// server is one that runs.
type server struct {
	addr   string
	limits limits
	cmd    *exec.Cmd
	output bytes.Buffer // what it printed, to be read after its end
	ended  chan struct{}
	err    error // of Wait, after the end
}

// start runs a server until the test ends, which it must do with status 0 and without
// having printed anything.
func start(t *testing.T, command []string, mode string) *server {
	t.Helper()
	s := launch(t, command, freeAddr(t), mode)
	t.Cleanup(func() { s.end(t) })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for tick := time.Tick(5 * time.Millisecond); ; {
		conn, err := net.Dial("tcp", s.addr)
		if err == nil {
			conn.Close()
			return s
		}
		select {
		case <-tick:
		case <-s.ended:
			t.Fatalf("ended at once: %v\n%s", s.err, &s.output)
		case <-ctx.Done():
			t.Fatal("does not listen: ", err)
		}
	}
}

// launch starts a server without waiting for anything.
func launch(t *testing.T, command []string, addr, mode string) *server {
	t.Helper()
	args := append(command[1:len(command):len(command)], "--addr", addr, "--mode", mode)
	s := &server{addr: addr, limits: known[filepath.Base(command[0])], cmd: exec.Command(command[0], args...), ended: make(chan struct{})}
	s.cmd.Stdout, s.cmd.Stderr = &s.output, &s.output
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(s.ended)
		s.err = s.cmd.Wait()
	}()
	return s
}

// end ends a server by SIGTERM.
func (s *server) end(t *testing.T) {
	t.Helper()
	s.cmd.Process.Signal(syscall.SIGTERM)
	s.wait(t)
	if s.err != nil {
		t.Errorf("after SIGTERM: %v, want status 0", s.err)
	}
	if s.output.Len() > 0 {
		t.Errorf("printed %q, want nothing", &s.output)
	}
}

// wait waits for a server's end.
func (s *server) wait(t *testing.T) {
	t.Helper()
	select {
	case <-s.ended:
	case <-time.After(patience):
		s.cmd.Process.Kill()
		<-s.ended
		t.Error("did not end")
	}
}

// freeAddr is an address at which nobody listens.
func freeAddr(t *testing.T) string {
	t.Helper()
	l := listen(t)
	defer l.Close()
	return l.Addr().String()
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// checkEnd ends a server that has a connection.
func checkEnd(t *testing.T, s *server) {
	c := dial(t, s)
	c.send(text("x"))
	c.expect(text("x"))
	before := time.Now()
	s.end(t)
	if took := time.Since(before); took > patience/6 {
		t.Errorf("took %v to end", took)
	}
	if m, err := c.receive(); err == nil {
		t.Errorf("received %v after the end", m)
	}
}

// checkTaken starts a server at an address that is in use.
func checkTaken(t *testing.T, command []string) {
	l := listen(t)
	defer l.Close()
	s := launch(t, command, l.Addr().String(), "echo")
	s.wait(t)
	if code := s.cmd.ProcessState.ExitCode(); code != 1 {
		t.Errorf("status %d, want 1", code)
	}
	if said := s.output.String(); strings.Count(said, "\n") != 1 || len(said) < len("in use\n") {
		t.Errorf("said %q, want one line", said)
	}
}
