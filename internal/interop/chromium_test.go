//go:build unix

package interop

import (
	"crypto/sha256"
	"crypto/tls"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/roostws/roost/server"
)

//go:embed testdata/page.html
var browserPage []byte

// seen is what the script of the page reports.
type seen struct {
	Error      string
	States     [4]int // readyState when made, opened, closing, closed
	Protocol   string
	Extensions string
	Echoes     int
	Buffered   bool  // bufferedAmount went up and came back to 0
	Own        ended // we closed
	Server     ended // the server closed
	TooBig     ended
	Elsewhere  ended // another origin
}

type ended struct {
	Code   int
	Reason string
	Clean  bool
}

// TestChromium has a browser load a page from the server, over TLS too. Its script plays the same clients as those of
// client_test.go, and posts what it has seen to the server it came from: page, report and WebSockets share one port.
func TestChromium(t *testing.T) {
	t.Parallel()
	path := command(t, "Debian's chromium", "chromium", "chromium-browser", "google-chrome")
	for name, tt := range map[string]struct {
		tls         uint16 // 0: none
		compression server.Compression
		extensions  string
	}{
		"plain":               {0, server.CompressionOff, ""},
		"TLS 1.2, shared":     {tls.VersionTLS12, server.CompressionShared, "permessage-deflate; server_no_context_takeover; client_no_context_takeover"},
		"TLS 1.3, dedicated":  {tls.VersionTLS13, server.CompressionDedicated, "permessage-deflate"},
		"TLS 1.3, as it came": {tls.VersionTLS13, server.CompressionOff, ""},
	} {
		t.Run(name, func(t *testing.T) {
			pages := make(chan uint16, 100)
			reports := make(chan seen, 1)
			config := server.Config{
				HTTP: browserMux(pages, reports), PingAfter: 200 * time.Millisecond, PingGrace: patience, Compression: tt.compression,
			}
			var r *rig
			var url string
			var flags []string
			if tt.tls == 0 {
				r = start(t, config)
				url = "http://" + r.addr + "/"
			} else {
				s := startTLS(t, config, tt.tls)
				r, url = s.rig, "https://"+s.addr+"/"
				key := sha256.Sum256(s.leaf.RawSubjectPublicKeyInfo) // trusted by itself, and nothing else is
				flags = []string{"--ignore-certificate-errors-spki-list=" + base64.StdEncoding.EncodeToString(key[:])}
			}
			browse(t, path, url, flags...)
			browsed(t, r, reports, tt.extensions)
			if got := <-pages; got != tt.tls {
				t.Errorf("the page went over %s, want %s", tls.VersionName(got), tls.VersionName(tt.tls))
			}
		})
	}
}

// browserMux has the page, and takes the report of its script.
func browserMux(pages chan<- uint16, reports chan<- seen) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, q *http.Request) {
		version := uint16(0)
		if q.TLS != nil {
			version = q.TLS.Version
		}
		pages <- version
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Write(browserPage)
	})
	mux.HandleFunc("POST /report", func(_ http.ResponseWriter, q *http.Request) {
		b, err := io.ReadAll(q.Body)
		var report seen
		if err == nil {
			err = json.Unmarshal(b, &report)
		}
		if err != nil {
			report.Error = err.Error()
		}
		reports <- report
	})
	return mux
}

// browse starts the browser.
func browse(t *testing.T, path, url string, flags ...string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "roost-chromium-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) }) // t.TempDir would fail the test for what a late child process writes
	args := append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
		"--remote-debugging-port=0", "--user-data-dir=" + dir}, flags...)
	daemon(t, dir, nil, nil, path, append(args, url)...)
}

// browsed waits for the report, and checks what both sides have seen.
func browsed(t *testing.T, r *rig, reports <-chan seen, extensions string) {
	t.Helper()
	want := seen{
		States:     [4]int{0, 1, 2, 3},
		Protocol:   subprotocol,
		Extensions: extensions,
		Echoes:     13,
		Buffered:   true,
		Own:        ended{4001, "going", true},
		Server:     ended{4000, "enough", true},
		TooBig:     ended{1009, "message too big", true},
		Elsewhere:  ended{1006, "", false},
	}
	select {
	case got := <-reports:
		if got.TooBig.Reason != "" {
			want.TooBig.Reason = got.TooBig.Reason // whatever it is, it came through
		}
		if got != want {
			t.Errorf("the browser has seen\n%+v, want\n%+v", got, want)
		}
	case <-time.After(2 * patience): // it may be the first start of a large program on a busy machine
		t.Fatal("the browser has reported nothing")
	}
	r.wantClose(server.ReasonPeer, 4001, "going", true)
	r.wantClose(server.ReasonLocal, 4000, "enough", true)
	r.await("the counters", func(s server.Stats) bool {
		return s.Reasons[server.ReasonTooBig] == 1 && s.Reasons[server.ReasonRefusedOrigin] == 1 && s.Plain >= 2 && s.PongsIn >= 1 && s.Open == 0
	})
}
