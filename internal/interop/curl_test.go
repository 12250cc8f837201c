package interop

import (
	"bufio"
	"bytes"
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/roostws/roost/server"
)

// TestCurl sends the handshake as headers and frames as a body without length: that it offers HTTP/2 too does no harm.
func TestCurl(t *testing.T) {
	t.Parallel()
	curl := command(t, "Debian's curl", "curl")
	eachTool(t, func(t *testing.T, s *secure, version string, deflate bool) {
		args := []string{"-sSv", "-i", "-N", "--http1.1", "--cacert", s.ca, "--tlsv" + version, "--tls-max", version, "--max-time", "30",
			"-X", "GET", "-T", "-", "-H", "Expect:", "-H", "Transfer-Encoding:", "-H", "Connection: Upgrade", "-H", "Upgrade: websocket",
			"-H", "Sec-WebSocket-Version: 13", "-H", "Sec-WebSocket-Key: " + sampleKey, "-H", "Sec-WebSocket-Extensions: permessage-deflate"}
		cmd := exec.CommandContext(t.Context(), curl, append(args, "https://"+s.addr+"/path")...)
		var said bytes.Buffer
		cmd.Stdin, cmd.Stderr = bytes.NewReader(append(typed(deflate), typedClose()...)), &said
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v\n%s", err, said.String())
		}
		if !strings.Contains(said.String(), "SSL connection using TLSv"+version) {
			t.Errorf("no TLS %s: %s", version, said.String())
		}
		r := bufio.NewReader(bytes.NewReader(out))
		wantSwitch(t, r, deflate)
		wantTyped(t, r, deflate)
		wantTypedClose(t, r)
	})
}

// TestCurlAtTheWrongPort: a user sees what is wrong.
func TestCurlAtTheWrongPort(t *testing.T) {
	t.Parallel()
	curl := command(t, "Debian's curl", "curl")
	s := startTLS(t, server.Config{}, 0)
	if out := run(t, curl, "-sS", "http://"+s.addr+"/"); !strings.Contains(out, "this port speaks TLS: use https or wss") {
		t.Errorf("http to a TLS port: %q", out)
	}
	plain, err := s.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), curl, "-sS", "https://"+plain.String()+"/").CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 35 || !strings.Contains(string(out), "wrong version number") {
		t.Errorf("https to a plain port: %v %q", err, out)
	}
}
