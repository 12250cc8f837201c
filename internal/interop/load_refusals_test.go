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

// testLoadRefusals tries what cannot be measured: one line says why, and the exit status is 2.
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

// wrongLines are command lines that are wrong in themselves.
var wrongLines = []struct {
	name  string
	file  string   // the text of a file
	args  []string // $FILE stands for its path, and $URL for that of a server that is not there
	names []string // what the line names
}{
	{"no scenario", "", nil, []string{"echo", "fanout"}},
	{"unknown scenario", "", []string{"ecco", "$URL"}, []string{"ecco"}},
	{"unknown flag", "", []string{"echo", "--colour", "$URL"}, []string{"--colour"}},
	{"no URL", "", []string{"echo"}, []string{"url"}},
	{"a URL of HTTP", "", []string{"echo", "http://127.0.0.1:1/"}, []string{"write ws://127.0.0.1:1/"}},
	{"another scheme", "", []string{"echo", "ftp://127.0.0.1/"}, []string{`"ftp://127.0.0.1/"`, "ws://"}},
	{"no scheme", "", []string{"echo", "127.0.0.1:8080"}, []string{`"127.0.0.1:8080"`, "ws://"}},
	{"no host", "", []string{"echo", "ws:///path"}, []string{`"ws:///path"`, "no host"}},
	{"a port that is none", "", []string{"echo", "ws://127.0.0.1:65536/"}, []string{"65536", "port"}},
	{"a fragment", "", []string{"echo", "$URL#top"}, []string{"fragment"}},
	{"a control character", "", []string{"echo", "ws://127.0.0.1:1/\x7f"}, []string{"no URL"}},
	{"too many connections", "", []string{"idle", "-n", "10000001", "$URL"}, []string{"10000001"}},
	{"no connections", "", []string{"idle", "-n", "0", "$URL"}, []string{`"0"`}},
	{"connections that are no number", "", []string{"idle", "-n", "many", "$URL"}, []string{"many"}},
	{"a duration without a unit", "", []string{"idle", "-d", "10", "$URL"}, []string{"duration", `"10"`}},
	{"no time", "", []string{"idle", "-d", "0s", "$URL"}, []string{"duration: 0s"}},
	{"no publications", "", []string{"fanout", "-r", "0", "$URL"}, []string{"rate", `"0"`}},
	{"a negative rate", "", []string{"echo", "--rate", "-1", "$URL"}, []string{"rate", "-1"}},
	{"a size that is none", "", []string{"echo", "--size", "big", "$URL"}, []string{`size "big"`}},
	{"a range backwards", "", []string{"echo", "--size", "9-3", "$URL"}, []string{`size "9-3"`}},
	{"a share of nothing", "", []string{"echo", "--size", "64:0%", "$URL"}, []string{`size "64:0%"`}},
	{"no room for the mark", "", []string{"fanout", "--size", "45", "$URL"}, []string{"46 bytes", "--size"}},
	{"a hole that is none", "{{when}}\n", []string{"echo", "--template", "$FILE", "$URL"}, []string{"{{when}}"}},
	{"a hole without an end", "{{seq\n", []string{"echo", "--template", "$FILE", "$URL"}, []string{"{{seq"}},
	{"a hello with such a hole", "", []string{"idle", "--hello", "{{when}}", "$URL"}, []string{"{{when}}"}},
	{"no mark in a template", "{{seq}}\n", []string{"fanout", "--template", "$FILE", "$URL"}, []string{"{{mark}}"}},
	{"an empty template", "\n", []string{"echo", "--template", "$FILE", "$URL"}, []string{"no line"}},
	{"no template", "", []string{"echo", "--template", "/none", "$URL"}, []string{"none"}},
	{"no certificate in the authorities", "text", []string{"echo", "--ca", "$FILE", "wss://127.0.0.1:1/"}, []string{"PEM"}},
	{"a header that is none", "", []string{"echo", "-H", "Cookie", "$URL"}, []string{`"Cookie"`}},
	{"a header that would be two", "", []string{"echo", "-H", "A: b\r\nC: d", "$URL"}, []string{"request"}},
	{"a query that is none", "", []string{"echo", "--query", "token", "$URL"}, []string{`"token"`}},
	{"an engine that is none", "", []string{"echo", "--engine", "steam", "$URL"}, []string{`"steam"`}},
	{"a source that is none", "", []string{"echo", "--source", "here", "$URL"}, []string{`"here"`}},
	{"a source of the other family", "", []string{"echo", "--source", "::1", "$URL"}, []string{"::1", "IPv6"}},
	{"ports that are none", "", []string{"echo", "--ports", "9-1", "$URL"}, []string{`"9-1"`}},
	{"a share of more than all", "", []string{"slow", "--share", "1.1", "$URL"}, []string{"share", "1.1"}},
	{"a stamp that is none", "", []string{"fanout", "--stamp", "xml:a", "$URL"}, []string{`"xml:a"`}},
	{"a stamp and a post", "", []string{"fanout", "--stamp", "json:a", "--post", "http://127.0.0.1:1/", "$URL"}, []string{"stamp"}},
	{"a post to no URL", "", []string{"fanout", "--post", "127.0.0.1:1", "$URL"}, []string{"127.0.0.1:1"}},
	{"an assertion that is none", "", []string{"echo", "--assert", "p99", "$URL"}, []string{"p99"}},
	{"a report that cannot be written", "", []string{"echo", "--json", "/none/r.json", "$URL"}, []string{"r.json"}},
	{"a server's process that is none", "", []string{"echo", "--server-pid", "999999999", "$URL"}, []string{"999999999"}},
	{"nothing listens", "", []string{"echo", "$URL"}, []string{"$URL", "refused"}},
	{"no such host", "", []string{"echo", "ws://no-such-host.invalid/"}, []string{"no-such-host.invalid"}},
}

// refuseLines tries wrong command lines.
func refuseLines(t *testing.T, roost string) {
	url := "ws://" + closedPort(t) + "/"
	for _, c := range wrongLines {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(file, []byte(c.file), 0o600); err != nil {
				t.Fatal(err)
			}
			stand := strings.NewReplacer("$FILE", file, "$URL", url)
			refuse(t, roost, false, replaced(stand, c.names), replaced(stand, c.args)...)
		})
	}
}

func replaced(stand *strings.Replacer, texts []string) []string {
	var all []string
	for _, text := range texts {
		all = append(all, stand.Replace(text))
	}
	return all
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

// badServers are servers that no WebSocket can be opened or kept at.
var badServers = []struct {
	name   string
	start  func(t *testing.T) string // returns its address
	scheme string
	args   []string // $CA stands for a file with the certificate of httptest
	names  []string // what the line names, beside the URL
}{
	{"answers 200", web(200, false), "ws", nil, []string{"HTTP 200", "Check the URL"}},
	{"answers 404", web(404, false), "ws", nil, []string{"HTTP 404"}},
	{"answers 503", web(503, false), "ws", nil, []string{"HTTP 503"}},
	{"closes without a word", says(""), "ws", nil, []string{"handshake: closed"}},
	{"closes in the middle of its answer", says("HTTP/1.1 101 Switching"), "ws", nil, []string{"handshake: closed", "22 bytes"}},
	{"speaks something else", says("SSH-2.0-OpenSSH_9.2\r\n"), "ws", nil, []string{"malformed", "SSH-2.0"}},
	{"says 101 to nobody in particular", says("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n"), "ws", nil, []string{"wrong upgrade"}},
	{"closes right after the handshake", upgrades(""), "ws", nil, []string{keptNone, "without a close frame"}},
	{"closes in order right after the handshake", upgrades("\x88\x02\x03\xf0"), "ws", nil, []string{keptNone, "closed 1008"}},
	{"sends no frames", upgrades("\xff\xff\xff\xff\xff\xff\xff\xff"), "ws", nil, []string{keptNone, "protocol error"}},
	{"has a certificate that nobody knows", web(200, true), "wss", nil, []string{"TLS: certificate", "--ca"}},
	{"has a certificate for another name", web(200, true), "wss", []string{"--ca", "$CA", "--server-name", "roost.test"}, []string{"TLS: certificate", "roost.test"}},
	{"never answers", mute, "ws", []string{"--connect-timeout", "200ms"}, []string{"handshake timed out", "200ms"}},
	{"never answers by TLS", mute, "wss", []string{"--connect-timeout", "200ms"}, []string{"timed out", "200ms"}},
	{"has no TLS", web(200, false), "wss", nil, []string{"TLS: not TLS", "ws://"}},
	{"has TLS, and says so", web(200, true), "ws", nil, []string{"HTTP 400"}},
	{"has TLS only", onlyTLS, "ws", nil, []string{"handshake: closed", "wss://"}},
	{"ends in the TLS handshake", says(""), "wss", nil, []string{"TLS"}},
}

// refuseServers tries bad servers.
func refuseServers(t *testing.T, roost string) {
	cert, _ := certificate(t)
	for _, c := range badServers {
		t.Run(c.name, func(t *testing.T) {
			url := c.scheme + "://" + c.start(t) + "/"
			args := replaced(strings.NewReplacer("$CA", cert), c.args)
			args = append([]string{"echo", "-n", "20", "-d", "200ms", url}, args...)
			refuse(t, roost, slices.Contains(c.names, keptNone), append([]string{url}, c.names...), args...)
		})
	}
}

// web answers every request with a status.
func web(status int, secure bool) func(t *testing.T) string {
	return func(t *testing.T) string {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		s.Config.ErrorLog = log.New(io.Discard, "", 0) // of what its clients do to it
		if secure {
			s.StartTLS()
		} else {
			s.Start()
		}
		t.Cleanup(s.Close)
		return s.Listener.Addr().String()
	}
}

// says takes what a client says first, says something itself, and ends.
func says(text string) func(t *testing.T) string {
	return func(t *testing.T) string {
		return peer(t, func(c net.Conn) {
			c.Read(make([]byte, 4096)) // or closing the connection would reset it
			io.WriteString(c, text)
		})
	}
}

// mute says nothing, ever.
func mute(t *testing.T) string { return peer(t, func(c net.Conn) { io.Copy(io.Discard, c) }) }

// upgrades opens a WebSocket, writes some bytes, and ends when they are answered.
func upgrades(after string) func(t *testing.T) string {
	return func(t *testing.T) string {
		return peer(t, func(c net.Conn) {
			if _, err := ws.Upgrade(c); err != nil || after == "" {
				return
			}
			io.WriteString(c, after)
			c.Read(make([]byte, 4096)) // the client's Close
		})
	}
}

// onlyTLS speaks TLS, and nothing to who does not.
func onlyTLS(t *testing.T) string {
	s := httptest.NewTLSServer(http.NotFoundHandler())
	s.Close()
	config := &tls.Config{Certificates: s.TLS.Certificates}
	return peer(t, func(c net.Conn) { tls.Server(c, config).Handshake() })
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
