//go:build unix

package interop

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/roostws/roost/bench/report"
)

// TestLoad runs roost load as a user would, against servers that others wrote, against roost's own, and against what is no
// server at all. The program is built once for all of it.
func TestLoad(t *testing.T) {
	t.Parallel()
	roost := build(t, ".", "../../cmd/roost")
	for _, c := range []struct {
		name string
		test func(t *testing.T, roost string)
	}{
		{"others", testLoadOthers},
		{"own", testLoadOwn},
		{"refusals", testLoadRefusals},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, roost)
		})
	}
}

// build builds a program of the module in a directory, and returns its path.
func build(t *testing.T, dir, pkg string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "program")
	run(t, command(t, "Go", "go"), "build", "-C", dir, "-o", name, pkg)
	return name
}

// outcome is how a run of roost ended.
type outcome struct {
	status         int
	stdout, stderr string
}

// roostLoad runs roost load to its end.
func roostLoad(t *testing.T, roost string, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	var stdout, stderr strings.Builder
	cmd := exec.CommandContext(ctx, roost, append([]string{"load"}, args...)...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() < 0) {
		t.Fatalf("roost load %q: %v\n%s", args, err, stderr.String())
	}
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// measured runs roost load, which must go well, and returns its report.
func measured(t *testing.T, roost string, args ...string) *report.Report {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.json")
	args = append(args, "--json", file)
	if o := roostLoad(t, roost, args...); o.status != 0 {
		t.Fatalf("roost load %q: exit status %d\n%s", args, o.status, o.stderr)
	}
	return reported(t, file)
}

// reported reads the report of a run, and shows it if the test fails.
func reported(t *testing.T, file string) *report.Report {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := report.ReadJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			var b bytes.Buffer
			r.Table(&b, false)
			t.Log(b.String())
		}
	})
	return r
}

// figure is a number of a report that is known exactly.
type figure struct {
	name      string
	got, want int64
}

// agree compares figures.
func agree(t *testing.T, figures ...figure) {
	t.Helper()
	for _, f := range figures {
		if f.got != f.want {
			t.Errorf("%s: %d, want %d", f.name, f.got, f.want)
		}
	}
}

// served is what a server in testdata says that happened. Clean counts the connections that a Close frame with code 1000 has
// ended; bytes are those of payloads.
type served struct {
	Opened        int64 `json:"opened"`
	Clean         int64 `json:"clean"`
	Received      int64 `json:"received"`
	ReceivedBytes int64 `json:"received_bytes"`
	Sent          int64 `json:"sent"`
	SentBytes     int64 `json:"sent_bytes"`
	Pongs         int64 `json:"pongs"`
}

// process is a server that runs as a process of its own.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	addr   string
	in     io.Closer
	output *bufio.Reader
}

// address is how a server says where it listens.
var address = regexp.MustCompile(`127\.0\.0\.1:[0-9]+`)

// launch starts a server, and waits until it says where it listens.
func launch(t *testing.T, env []string, argv ...string) *process {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 4*patience)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), env...)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = w, w
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	w.Close()
	t.Cleanup(func() {
		cancel()
		if cmd.ProcessState == nil && cmd.Process != nil {
			cmd.Wait()
		}
		r.Close()
	})
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: cmd, in: in, output: bufio.NewReader(r)}
	line, err := p.output.ReadString('\n')
	if p.addr = address.FindString(line); p.addr == "" {
		t.Fatalf("%q does not say where it listens: %q, %v", argv, line, err)
	}
	return p
}

// end closes the server's standard input, waits until it has ended, and returns what else it has printed.
func (p *process) end() string {
	p.t.Helper()
	p.in.Close()
	output, err := io.ReadAll(p.output)
	if err := errors.Join(err, p.cmd.Wait()); err != nil {
		p.t.Errorf("%s: %v\n%s", p.cmd, err, output)
	}
	return string(output)
}

// served has a server in testdata end when its last connection has gone, and returns what it has counted, which is its last line.
func (p *process) served() served {
	p.t.Helper()
	output := strings.TrimSpace(p.end())
	line := output[strings.LastIndexByte(output, '\n')+1:]
	var s served
	if err := json.Unmarshal([]byte(line), &s); err != nil {
		p.t.Fatalf("%v in %q", err, output)
	}
	return s
}
