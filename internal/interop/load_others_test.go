//go:build unix

package interop

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roostws/roost/bench/report"
)

// foreign is how to start a server that others wrote.
type foreign struct {
	env  []string
	argv []string
	post bool // it publishes what is posted to it
}

// start starts it. It echoes or broadcasts, and pings each connection with so many milliseconds between, or with "0" never. Files
// hold the certificate and the key of a server with TLS.
func (f *foreign) start(t *testing.T, mode, pause string, files ...string) *process {
	t.Helper()
	argv := append(append([]string{}, f.argv...), mode, pause)
	return launch(t, f.env, append(argv, files...)...)
}

// foreigners finds or builds the servers; it skips what lacks its program.
var foreigners = []struct {
	name string
	find func(t *testing.T) foreign
}{
	{"ws", func(t *testing.T) foreign {
		node, env := nodeWs(t)
		return foreign{env: env, argv: []string{node, "testdata/load-node.js"}, post: true}
	}},
	{"websockets", func(t *testing.T) foreign {
		return foreign{argv: []string{python(t), "testdata/load-python.py"}}
	}},
	{"gorilla", func(t *testing.T) foreign {
		dir := "testdata/gorilla" // a module of its own
		if exec.Command(command(t, "Go", "go"), "-C", dir, "mod", "download").Run() != nil {
			t.Skip("cannot get gorilla/websocket: go -C internal/interop/testdata/gorilla mod download")
		}
		return foreign{argv: []string{build(t, dir, ".")}}
	}},
}

// testLoadOthers has roost load and a server count the same messages.
func testLoadOthers(t *testing.T, roost string) {
	for _, f := range foreigners {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			server := f.find(t)
			t.Run("echo", func(t *testing.T) { loadEcho(t, roost, server) })
			t.Run("idle", func(t *testing.T) { loadIdle(t, roost, server) })
			t.Run("fanout", func(t *testing.T) { loadFanout(t, roost, server) })
			t.Run("post", func(t *testing.T) { loadPost(t, roost, server) })
			t.Run("interrupted", func(t *testing.T) { loadInterrupted(t, roost, server) })
			t.Run("tls", func(t *testing.T) { loadTLS(t, roost, server) })
		})
	}
}

// sameCounts compares what both sides have counted.
func sameCounts(t *testing.T, r *report.Report, s served, conns int64) {
	t.Helper()
	c, m := r.Connections, r.Exchange
	agree(t,
		figure{"connections opened, by roost", c.Opened, conns},
		figure{"connections opened, by the server", s.Opened, conns},
		figure{"attempts", c.Attempts, conns},
		figure{"connections alive at the end", c.AliveAtEnd, conns},
		figure{"connections left", c.Left, conns},
		figure{"connections closed with 1000, by the server", s.Clean, conns},
		figure{"connections failed", c.Failed, 0},
		figure{"connections lost", c.Lost, 0},
		figure{"kinds of failure", int64(len(r.Failures)), 0},
		figure{"messages sent", m.Sent, s.Received},
		figure{"bytes sent", m.SentBytes, s.ReceivedBytes},
		figure{"messages received", m.Received, s.Sent},
		figure{"bytes received", m.ReceivedBytes, s.SentBytes},
		figure{"pings", m.Pings, s.Pongs},
		figure{"messages unsent", m.Unsent, 0})
}

func loadEcho(t *testing.T, roost string, server foreign) {
	lines := filepath.Join(t.TempDir(), "lines")
	if err := os.WriteFile(lines, []byte(`{"seq":{{seq}},"id":{{id}},"at":{{now}},"rand":{{rand}}}`+"\nh\u00e9llo \U0001f600\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		args []string
		sent int64 // 0: as many as come back
	}{
		{"closed loop", []string{"--size", "0:1,64:80%,1024:15%,65536:4%"}, 0},
		{"eight in flight, text", []string{"--in-flight", "8", "--warmup", "100ms", "--text", "--size", "1-300"}, 0},
		{"template, two processes", []string{"--procs", "2", "--template", lines}, 0},
		{"open loop", []string{"--rate", "1000", "--warmup", "100ms", "--text", "--size", "125-126"}, 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := server.start(t, "echo", "0")
			args := append([]string{"echo", "-n", "50", "-d", "300ms"}, c.args...)
			r := measured(t, roost, append(args, "ws://"+p.addr+"/")...)
			s := p.served()
			sameCounts(t, r, s, 50)
			echoed(t, r)
			if c.sent != 0 {
				agree(t, figure{"messages of the schedule", r.Exchange.Sent, c.sent})
			}
		})
	}
}

// echoed checks that every message came back as it was.
func echoed(t *testing.T, r *report.Report) {
	t.Helper()
	m := r.Exchange
	if m.Sent < 50 {
		t.Errorf("%d messages sent in all, by 50 connections", m.Sent)
	}
	agree(t,
		figure{"messages received", m.Received, m.Sent},
		figure{"bytes received", m.ReceivedBytes, m.SentBytes},
		figure{"replies", m.Replies, m.Sent},
		figure{"replies mismatched", m.Mismatched, 0},
		figure{"messages unanswered", m.Unanswered, 0})
}

func loadIdle(t *testing.T, roost string, server foreign) {
	p := server.start(t, "echo", "10")
	r := measured(t, roost, "idle", "-n", "50", "-d", "400ms", "--hello", "I am {{id}}", "ws://"+p.addr+"/")
	s := p.served()
	sameCounts(t, r, s, 50)
	if s.Pongs < 50 {
		t.Errorf("%d pongs of 50 connections", s.Pongs)
	}
	agree(t,
		figure{"messages sent", r.Exchange.Sent, 50},
		figure{"bytes sent", r.Exchange.SentBytes, 10*int64(len("I am 0")) + 40*int64(len("I am 10"))},
		figure{"messages received", r.Exchange.Received, 50})
}

// loadInterrupted ends a run by Ctrl-C: what was under way comes home, and the counts agree as ever.
func loadInterrupted(t *testing.T, roost string, server foreign) {
	p := server.start(t, "echo", "0")
	file := filepath.Join(t.TempDir(), "report.json")
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, roost, "load", "echo", "-n", "50", "--in-flight", "4", "-d", "1h", "--json", file, "ws://"+p.addr+"/")
	said, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(said); lines.Scan(); {
		if strings.Contains(lines.Text(), "measure begins") {
			cmd.Process.Signal(os.Interrupt)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("an interrupted run: %v, want exit status 0", err)
	}
	r := reported(t, file)
	if !r.Interrupted {
		t.Error("the report does not say that the run was interrupted")
	}
	sameCounts(t, r, p.served(), 50)
	echoed(t, r)
}

func loadFanout(t *testing.T, roost string, server foreign) {
	p := server.start(t, "broadcast", "0")
	r := measured(t, roost, "fanout", "-n", "50", "-r", "50", "--publishers", "3", "--procs", "2", "--text",
		"--size", "46-2000", "--warmup", "400ms", "-d", "600ms", "ws://"+p.addr+"/")
	sameCounts(t, r, p.served(), 50+3)
	spread(t, r, 30, 50)
	agree(t, figure{"messages sent", r.Exchange.Sent, 20 + 30})
}

// loadPost publishes by HTTP: what is posted is no message of a WebSocket.
func loadPost(t *testing.T, roost string, server foreign) {
	if !server.post {
		t.Skip("this server takes no posts")
	}
	p := server.start(t, "broadcast", "0")
	r := measured(t, roost, "fanout", "-n", "50", "-r", "50", "--warmup", "100ms", "-d", "500ms", "--post", "http://"+p.addr+"/",
		"ws://"+p.addr+"/")
	sameCounts(t, r, p.served(), 50)
	spread(t, r, 25, 50)
	agree(t, figure{"messages sent", r.Exchange.Sent, 0})
}

// spread checks that every publication reached every subscriber, once.
func spread(t *testing.T, r *report.Report, published, subscribers int64) {
	t.Helper()
	f := r.Fanout
	if f == nil {
		t.Fatal("the report has no fanout")
	}
	agree(t,
		figure{"published", f.Published, published},
		figure{"subscribers", f.Subscribers, subscribers},
		figure{"deliveries expected", f.Expected, published * subscribers},
		figure{"deliveries", f.Deliveries, published * subscribers},
		figure{"duplicates", f.Duplicates, 0},
		figure{"unmarked", f.Unmarked, 0})
	if f.Reach != 1 {
		t.Errorf("reach: %v, want 1", f.Reach)
	}
}

// loadTLS has a server use the certificate of httptest, which is for 127.0.0.1 and signed by itself.
func loadTLS(t *testing.T, roost string, server foreign) {
	cert, key := certificate(t)
	for _, trust := range [][]string{{"--insecure"}, {"--ca", cert}} {
		t.Run(trust[0], func(t *testing.T) {
			p := server.start(t, "echo", "0", cert, key)
			args := append([]string{"echo", "-n", "50", "-d", "200ms", "--size", "1-40000"}, trust...)
			r := measured(t, roost, append(args, "wss://"+p.addr+"/")...)
			sameCounts(t, r, p.served(), 50)
			echoed(t, r)
		})
	}
}

// certificate writes httptest's certificate and its key to files.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	s := httptest.NewTLSServer(http.NotFoundHandler())
	s.Close()
	c := s.TLS.Certificates[0]
	private, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]pem.Block{
		cert: {Type: "CERTIFICATE", Bytes: c.Certificate[0]},
		key:  {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(&block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}
