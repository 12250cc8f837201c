package c

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long a test waits for what has to happen. It is longer than the
// five seconds of silence that load allows.
const patience = 60 * time.Second

// build is a way to compile the programs.
type build struct {
	name  string
	flags []string
}

var builds = []build{
	{"plain", []string{"-O3", "-march=native"}},
	{"sanitized", []string{"-O1", "-g", "-march=native", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"}},
}

// programs is where the compiled ones are.
type programs struct{ floor, load string }

var (
	compiled = map[string]func() (programs, error){}
	outputs  string // a directory
)

func TestMain(m *testing.M) {
	var err error
	if outputs, err = os.MkdirTemp("", "compare-c"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, b := range builds {
		compiled[b.name] = sync.OnceValues(b.compile)
	}
	status := m.Run()
	os.RemoveAll(outputs)
	os.Exit(status)
}

func (b build) compile() (programs, error) {
	made := map[string]string{}
	for _, name := range []string{"floor", "load"} {
		made[name] = filepath.Join(outputs, name+"-"+b.name)
		args := append([]string{"-Wall", "-Wextra", "-Werror", "-o", made[name], name + ".c"}, b.flags...)
		if out, err := exec.Command("cc", args...).CombinedOutput(); err != nil {
			return programs{}, fmt.Errorf("cc %s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}
	return programs{made["floor"], made["load"]}, nil
}

// each runs a test with every build.
func each(t *testing.T, test func(t *testing.T, p programs)) {
	t.Helper()
	if _, err := exec.LookPath("cc"); err != nil {
		t.Skip("there is no cc here to compile the programs with")
	}
	for _, b := range builds {
		t.Run(b.name, func(t *testing.T) {
			if b.name == "sanitized" && !sanitizes() {
				t.Skip("this cc has no -fsanitize=address,undefined")
			}
			p, err := compiled[b.name]()
			must(t, err)
			test(t, p)
		})
	}
}

var sanitizes = sync.OnceValue(func() bool {
	cc := exec.Command("cc", "-fsanitize=address,undefined", "-x", "c", "-", "-o", filepath.Join(outputs, "probe"))
	cc.Stdin = strings.NewReader("int main(void) { return 0; }")
	return cc.Run() == nil && exec.Command(filepath.Join(outputs, "probe")).Run() == nil
})

// process is a program that runs.
type process struct {
	cmd    *exec.Cmd
	stdout bytes.Buffer
	stderr bytes.Buffer
	done   chan struct{}
}

// start runs a program until the test's end.
func start(t *testing.T, name string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(name, args...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	must(t, p.cmd.Start())
	go func() {
		p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.done
	})
	return p
}

// status waits for the program's end.
func (p *process) status(t *testing.T) int {
	t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		t.Fatalf("%v does not end", p.cmd.Args)
		return -1
	}
}

// ends expects a status, and part of what is on standard error: one line, or none.
func (p *process) ends(t *testing.T, status int, part string) {
	t.Helper()
	got := p.status(t)
	text := p.stderr.String()
	if got != status || !strings.Contains(text, part) || (part == "") != (text == "") || strings.Count(text, "\n") > 1 {
		t.Errorf("%v ends with status %d and says %q, expected status %d and a line with %q",
			p.cmd.Args[1:], got, text, status, part)
	}
}

// serve starts the floor and returns its address. It ends it at the test's end, and
// finds out then whether it still ran, and had nothing to say.
func (p programs) serve(t *testing.T, mode string) (string, *process) {
	t.Helper()
	addr := freeAddr(t)
	server := start(t, p.floor, "--addr", addr, "--mode", mode)
	await(t, "the floor to listen", func() bool {
		select {
		case <-server.done:
			t.Fatalf("the floor ended: %s", &server.stderr)
		default:
		}
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return false
		}
		conn.Close()
		return true
	})
	t.Cleanup(func() {
		server.cmd.Process.Signal(os.Interrupt)
		server.ends(t, 0, "")
		if server.stdout.Len() > 0 {
			t.Errorf("the floor printed %q", &server.stdout)
		}
	})
	return addr, server
}

// freeAddr is one that nobody listens on.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}

// await asks again and again for what no event tells of.
func await(t *testing.T, what string, happened func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for !happened() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// timedOut says whether an error is of a deadline.
func timedOut(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
