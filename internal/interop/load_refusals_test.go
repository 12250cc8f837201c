//go:build unix

package interop

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gobwas/ws"
)

// testLoadRefusals tries what cannot be measured. One line says why, and the exit status is 2.
func testLoadRefusals(t *testing.T, roost string) {
	t.Run("command line", func(t *testing.T) { t.Parallel(); refuseLines(t, roost) })
	t.Run("servers", func(t *testing.T) { t.Parallel(); refuseServers(t, roost) })
}

// progress is a line that says how a run goes.
var progress = regexp.MustCompile(`(?m)^[0-9]+s .*\n`)

// refuse checks that roost load says in one line why it cannot run. If it could begin, lines about that come before.
func refuse(t *testing.T, roost string, begins bool, names []string, args ...string) {
	t.Helper()
	o := roostLoad(t, roost, args...)
	if begins {
		o.stderr = progress.ReplaceAllString(o.stderr, "")
	}
	if o.status != 2 {
		t.Errorf("roost load %q: exit status %d, want 2", args, o.status)
	}
	if o.stdout != "" {
		t.Errorf("roost load %q prints %q", args, o.stdout)
	}
	line, rest, _ := strings.Cut(o.stderr, "\n")
	if !strings.HasPrefix(line, "roost: ") || rest != "" || len(line) > 400 {
		t.Errorf("roost load %q: want one line that begins with \"roost: \", got\n%s", args, o.stderr)
	}
	for _, name := range names {
		if !strings.Contains(line, name) {
			t.Errorf("roost load %q does not name %q: %s", args, name, line)
		}
	}
}

// refuseLines tries command lines that are wrong in themselves. Nothing listens at their address.
func refuseLines(t *testing.T, roost string) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	url := "ws://" + closedPort(t) + "/"
	for _, c := range []struct {
		name  string
		args  []string
		names []string
	}{
		{"no scenario", nil, []string{"echo", "fanout"}},
		{"unknown scenario", []string{"ecco", url}, []string{"ecco"}},
		{"unknown flag", []string{"echo", "--colour", url}, []string{"--colour"}},
		{"no URL", []string{"echo"}, []string{"url"}},
		{"a URL of HTTP", []string{"echo", "http://127.0.0.1:1/"}, []string{"write ws://127.0.0.1:1/"}},
		{"another scheme", []string{"echo", "ftp://127.0.0.1/"}, []string{`"ftp://127.0.0.1/"`, "ws://"}},
		{"no scheme", []string{"echo", "127.0.0.1:8080"}, []string{`"127.0.0.1:8080"`, "ws://"}},
		{"no host", []string{"echo", "ws:///path"}, []string{`"ws:///path"`, "no host"}},
		{"a port that is none", []string{"echo", "ws://127.0.0.1:65536/"}, []string{"65536", "port"}},
		{"a fragment", []string{"echo", url + "#top"}, []string{"fragment"}},
		{"a control character", []string{"echo", "ws://127.0.0.1:1/\x7f"}, []string{"no URL"}},
		{"too many connections", []string{"idle", "-n", "10000001", url}, []string{"10000001"}},
		{"connections that are no number", []string{"idle", "-n", "many", url}, []string{"many"}},
		{"a duration without a unit", []string{"idle", "-d", "10", url}, []string{"duration", `"10"`}},
		{"a negative rate", []string{"echo", "--rate", "-1", url}, []string{"rate", "-1"}},
		{"a size that is none", []string{"echo", "--size", "big", url}, []string{`size "big"`}},
		{"a range backwards", []string{"echo", "--size", "9-3", url}, []string{`size "9-3"`}},
		{"a share of nothing", []string{"echo", "--size", "64:0%", url}, []string{`size "64:0%"`}},
		{"no room for the mark", []string{"fanout", "--size", "45", url}, []string{"46 bytes", "--size"}},
		{"a hole that is none", []string{"echo", "--template", file("hole", "{{when}}\n"), url}, []string{"{{when}}"}},
		{"a hole without an end", []string{"echo", "--template", file("open", "{{seq\n"), url}, []string{"{{seq"}},
		{"a hello with such a hole", []string{"idle", "--hello", "{{when}}", url}, []string{"{{when}}"}},
		{"no mark in a template", []string{"fanout", "--template", file("unmarked", "{{seq}}\n"), url}, []string{"{{mark}}"}},
		{"an empty template", []string{"echo", "--template", file("empty", "\n"), url}, []string{"no line"}},
		{"no template", []string{"echo", "--template", filepath.Join(dir, "none"), url}, []string{"none"}},
		{"no certificate in the authorities", []string{"echo", "--ca", file("ca", "text"), "wss://127.0.0.1:1/"}, []string{"PEM"}},
		{"a header that is none", []string{"echo", "-H", "Cookie", url}, []string{`"Cookie"`}},
		{"a header that would be two", []string{"echo", "-H", "A: b\r\nC: d", url}, []string{"request"}},
		{"a query that is none", []string{"echo", "--query", "token", url}, []string{`"token"`}},
		{"an engine that is none", []string{"echo", "--engine", "steam", url}, []string{`"steam"`}},
		{"a source that is none", []string{"echo", "--source", "here", url}, []string{`"here"`}},
		{"a source of the other family", []string{"echo", "--source", "::1", url}, []string{"::1", "IPv6"}},
		{"ports that are none", []string{"echo", "--ports", "9-1", url}, []string{`"9-1"`}},
		{"a share of more than all", []string{"slow", "--share", "1.1", url}, []string{"share", "1.1"}},
		{"a stamp that is none", []string{"fanout", "--stamp", "xml:a", url}, []string{`"xml:a"`}},
		{"a stamp and a post", []string{"fanout", "--stamp", "json:a", "--post", "http://127.0.0.1:1/", url}, []string{"stamp"}},
		{"a post to no URL", []string{"fanout", "--post", "127.0.0.1:1", url}, []string{"127.0.0.1:1"}},
		{"an assertion that is none", []string{"echo", "--assert", "p99", url}, []string{"p99"}},
		{"a report that cannot be written", []string{"echo", "--json", filepath.Join(dir, "none", "r.json"), url}, []string{"r.json"}},
		{"a server's process that is none", []string{"echo", "--server-pid", "999999999", url}, []string{"999999999"}},
		{"nothing listens", []string{"echo", url}, []string{url, "refused"}},
		{"no such host", []string{"echo", "ws://no-such-host.invalid/"}, []string{"no-such-host.invalid"}},
	} {
		t.Run(c.name, func(t *testing.T) { refuse(t, roost, false, c.names, c.args...) })
	}
}

// closedPort is an address at which nothing listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// keptNone is what is said of a server that ends every connection before anything could be measured.
const keptNone = "and kept none"

// refuseServers tries servers that no WebSocket can be opened or kept at.
func refuseServers(t *testing.T, roost string) {
	// The server of a test, without what it logs of its clients.
	quiet := func(status int, secure bool) func(t *testing.T) string {
		return func(t *testing.T) string {
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
			s.Config.ErrorLog = log.New(io.Discard, "", 0)
			if secure {
				s.StartTLS()
			} else {
				s.Start()
			}
			t.Cleanup(s.Close)
			return s.Listener.Addr().String()
		}
	}
	// What a connection is treated with.
	says := func(text string) func(t *testing.T) string {
		return func(t *testing.T) string {
			return peer(t, func(c net.Conn) { readRequest(c); io.WriteString(c, text) })
		}
	}
	upgrades := func(after string) func(t *testing.T) string {
		return func(t *testing.T) string {
			return peer(t, func(c net.Conn) {
				if _, err := ws.Upgrade(c); err == nil {
					io.WriteString(c, after)
					if after != "" {
						c.Read(make([]byte, 4096)) // the client's Close
					}
				}
			})
		}
	}
	onlyTLS := func(t *testing.T) string {
		s := httptest.NewTLSServer(http.NotFoundHandler())
		s.Close()
		config := &tls.Config{Certificates: s.TLS.Certificates}
		return peer(t, func(c net.Conn) { tls.Server(c, config).Handshake() })
	}
	for _, c := range []struct {
		name   string
		server func(t *testing.T) string
		scheme string
		args   []string
		names  []string
	}{
		{"answers 200", quiet(200, false), "ws", nil, []string{"HTTP 200", "Check the URL"}},
		{"answers 404", quiet(404, false), "ws", nil, []string{"HTTP 404"}},
		{"answers 503", quiet(503, false), "ws", nil, []string{"HTTP 503"}},
		{"closes without a word", says(""), "ws", nil, []string{"handshake: closed"}},
		{"closes in the middle of its answer", says("HTTP/1.1 101 Switching"), "ws", nil, []string{"handshake: closed", "22 bytes"}},
		{"speaks something else", says("SSH-2.0-OpenSSH_9.2\r\n"), "ws", nil, []string{"malformed", "SSH-2.0"}},
		{"says 101 to nobody in particular", says("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
			"Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n"), "ws", nil, []string{"wrong upgrade"}},
		{"closes right after the handshake", upgrades(""), "ws", nil, []string{keptNone, "without a close frame"}},
		{"closes in order right after the handshake", upgrades("\x88\x02\x03\xf0"), "ws", nil, []string{keptNone, "closed 1008"}},
		{"sends no frames", upgrades("\xff\xff\xff\xff\xff\xff\xff\xff"), "ws", nil, []string{keptNone, "protocol error"}},
		{"has a certificate that nobody knows", quiet(200, true), "wss", nil, []string{"TLS: certificate", "--ca"}},
		{"has a certificate for another name", quiet(200, true), "wss", []string{"--ca", "", "--server-name", "roost.test"}, []string{"TLS: certificate", "roost.test"}},
		{"has no TLS", quiet(200, false), "wss", nil, []string{"TLS: not TLS", "ws://"}},
		{"has TLS, and says so", quiet(200, true), "ws", nil, []string{"HTTP 400"}},
		{"has TLS only", onlyTLS, "ws", nil, []string{"handshake: closed", "wss://"}},
		{"ends in the TLS handshake", says(""), "wss", nil, []string{"TLS"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := append([]string{"echo", "-n", "20", "-d", "200ms"}, c.args...)
			for i := range args {
				if i > 0 && args[i-1] == "--ca" {
					args[i], _ = certificate(t)
				}
			}
			url := c.scheme + "://" + c.server(t) + "/"
			refuse(t, roost, slices.Contains(c.names, keptNone), append(c.names, url), append(args, url)...)
		})
	}
}

// peer accepts connections until the test ends, and closes each when serve returns.
func peer(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer c.Close()
				serve(c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		serving.Wait()
	})
	return l.Addr().String()
}

// readRequest reads what a client says first, so that closing the connection does not reset it.
func readRequest(c net.Conn) { c.Read(make([]byte, 4096)) }
