//go:build unix

package interop

import (
	_ "embed"
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

// TestChromium has a browser load a page from the server. Its script plays the same clients as those of client_test.go, and posts
// what it has seen to the server it came from: page, report and WebSockets share one port.
func TestChromium(t *testing.T) {
	t.Parallel()
	path := command(t, "Debian's chromium", "chromium", "chromium-browser", "google-chrome")
	reports := make(chan seen, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
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
	r := start(t, server.Config{HTTP: mux, PingAfter: 200 * time.Millisecond, PingGrace: patience})
	dir, err := os.MkdirTemp("", "roost-chromium-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) }) // t.TempDir would fail the test for what a late child process writes
	daemon(t, dir, nil, nil, path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
		"--remote-debugging-port=0", "--user-data-dir="+dir, "http://"+r.addr+"/")

	want := seen{
		States:    [4]int{0, 1, 2, 3},
		Protocol:  subprotocol,
		Echoes:    13,
		Buffered:  true,
		Own:       ended{4001, "going", true},
		Server:    ended{4000, "enough", true},
		TooBig:    ended{1009, "message too big", true},
		Elsewhere: ended{1006, "", false},
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
