// Package interop has the server talk to clients and proxies that others wrote. Each test skips, with one line that says what to
// install, where its program is missing.
package interop

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/internal/leak"
	"github.com/roostws/roost/server"
	"github.com/roostws/roost/wsproto"
)

func TestMain(m *testing.M) { leak.Main(m) }

// patience is how long a test waits for an event before it calls it missing.
const patience = 30 * time.Second

// rig is a server that echoes, closes when it is told to ("close 4000 text"), speaks one subprotocol, and welcomes its own
// origin only.
type rig struct {
	*server.Server
	t      *testing.T
	addr   string
	closes chan server.Close
}

// maxMessage is the largest message that a rig takes.
const maxMessage = 2 << 20

// subprotocol is the one that a rig speaks.
const subprotocol = "v2.roost"

func start(t *testing.T, c server.Config) *rig {
	t.Helper()
	r := &rig{t: t, closes: make(chan server.Close, 100)}
	c.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	c.MaxMessage, c.MaxOutbound = maxMessage, 2*maxMessage
	c.DrainWindow = -1
	c.Authorize = func(q *wsproto.Request) (server.Accept, error) {
		a, err := server.SameOrigin(q)
		if slices.Contains(slices.Collect(q.Subprotocols()), subprotocol) {
			a.Subprotocol = subprotocol
		}
		return a, err
	}
	c.Handler.OnMessage = func(c *server.Conn, m server.Message) {
		if order, ok := strings.CutPrefix(string(m.Payload), "close "); ok {
			var code ws.StatusCode
			var text string
			fmt.Sscan(order, &code, &text)
			c.Close(code, text)
			return
		}
		c.Send(m.Op, m.Payload)
	}
	c.Handler.OnClose = func(_ *server.Conn, how server.Close) { r.closes <- how }
	var err error
	if r.Server, err = server.New(c); err != nil {
		t.Fatal(err)
	}
	addr, err := r.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.addr = addr.String()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		r.Shutdown(ctx)
	})
	return r
}

// wantClose takes the next end of a connection.
func (r *rig) wantClose(reason server.Reason, code ws.StatusCode, text string, clean bool) {
	r.t.Helper()
	select {
	case how := <-r.closes:
		if how.Reason != reason || how.Code != code || how.Text != text || how.Clean != clean {
			r.t.Errorf("OnClose got %v %d %q clean=%v (%v), want %v %d %q clean=%v",
				how.Reason, how.Code, how.Text, how.Clean, how.Err, reason, code, text, clean)
		}
	case <-time.After(patience):
		r.t.Fatal("waited in vain: OnClose")
	}
}

// await looks again and again whether the server's counters are as ok wants them.
func (r *rig) await(what string, ok func(server.Stats) bool) {
	r.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	end := time.After(patience)
	for !ok(r.Stats()) {
		select {
		case <-tick.C:
		case <-end:
			r.t.Fatalf("waited in vain: %s; %+v", what, r.Stats())
		}
	}
}

// modes runs a test with the handlers inline and on the pool.
func modes(t *testing.T, f func(t *testing.T, c server.Config)) {
	t.Run("inline", func(t *testing.T) { f(t, server.Config{Inline: true}) })
	t.Run("pool", func(t *testing.T) { f(t, server.Config{}) })
}

// page is what a server of these tests answers to plain requests.
func page(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "a page\n") }

// command finds the first of some programs, or skips the test.
func command(t *testing.T, install string, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skipf("no %s here: install %s", names[0], install)
	return ""
}

// run runs a client to its end, which must be a good one, and returns what it has printed.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	return runWith(t, nil, name, args...)
}

// runWith is run with more in the environment.
func runWith(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}
