package interop

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/roostws/roost/server"
)

// The scripts in testdata do the same, each in the words of its library: echoes of all kinds, a ping both ways, fragments, the
// subprotocol, an Origin that is not welcome, and the closing handshake from either side.

func TestPythonWebsockets(t *testing.T) { clients(t, python(t), "testdata/client.py") }

// python finds one that has the module websockets, or skips the test.
func python(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"python3", "/usr/bin/python3"} { // another one may come first in the PATH
		if exec.Command(name, "-c", "import websockets").Run() == nil {
			return name
		}
	}
	t.Skip("no Python with the module websockets here: install Debian's python3-websockets")
	return ""
}

func TestNodeWs(t *testing.T) {
	node, env := nodeWs(t)
	clients(t, node, "testdata/client.js", env...)
}

// nodeWs finds node, with the environment in which it has the module ws, or skips the test.
func nodeWs(t *testing.T) (node string, env []string) {
	t.Helper()
	node = command(t, "Debian's nodejs", "node", "nodejs")
	if dir := os.Getenv("ROOST_NPM"); dir != "" {
		env = append(env, "NODE_PATH="+filepath.Join(dir, "node_modules"))
	}
	look := exec.Command(node, "-e", "require('ws')")
	look.Env = append(os.Environ(), env...)
	if look.Run() != nil {
		t.Skip("node has no module ws here: npm install --prefix DIR ws@8, and set ROOST_NPM=DIR")
	}
	return node, env
}

// clients runs a script that plays several clients one after the other, and checks what the server has seen of them.
func clients(t *testing.T, program, script string, env ...string) {
	modes(t, func(t *testing.T, c server.Config) {
		c.PingAfter, c.PingGrace = 200*time.Millisecond, patience
		r := start(t, c)
		t.Logf("%s", runWith(t, env, program, script, r.addr))
		r.wantClose(server.ReasonPeer, 4001, "going", true)
		r.wantClose(server.ReasonLocal, 4000, "enough", true)
		r.wantClose(server.ReasonTooBig, 1009, "message too big", false)
		r.await("the counters", func(s server.Stats) bool {
			return s.Open == 0 && s.Opened == 3 && s.Reasons[server.ReasonRefusedOrigin] == 1 && s.PingsIn >= 1 && s.PongsIn >= 1
		})
	})
}
