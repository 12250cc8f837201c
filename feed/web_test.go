package feed

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/roostws/roost/client/js"
)

// get asks for a path and returns the answer with its body.
func get(t *testing.T, method, url string, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestWebServesThePageWithAStrictPolicy(t *testing.T) {
	_, addr := serve(t, Config{Source: newScript("A")})
	for path, kind := range map[string]string{
		"/":          "text/html; charset=utf-8",
		"/app.js":    "text/javascript; charset=utf-8",
		"/client.js": "text/javascript; charset=utf-8",
		"/roost.js":  "text/javascript; charset=utf-8",
		"/chart.js":  "text/javascript; charset=utf-8",
		"/style.css": "text/css; charset=utf-8",
		"/icon.svg":  "image/svg+xml",
	} {
		resp, body := get(t, "GET", "http://"+addr+path)
		h := resp.Header
		if resp.StatusCode != 200 || h.Get("Content-Type") != kind || body == "" {
			t.Errorf("%s: %s, %s, %d bytes", path, resp.Status, h.Get("Content-Type"), len(body))
		}
		if h.Get("Content-Security-Policy") != policy || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s has no policy", path)
		}
		tag := h.Get("ETag")
		if resp, body := get(t, "GET", "http://"+addr+path, "If-None-Match", tag); resp.StatusCode != 304 || body != "" || tag == "" {
			t.Errorf("%s again: %s", path, resp.Status)
		}
		if resp, body := get(t, "HEAD", "http://"+addr+path); resp.StatusCode != 200 || body != "" {
			t.Errorf("%s with HEAD: %s", path, resp.Status)
		}
	}
}

func TestWebPageKeepsToItsPolicy(t *testing.T) {
	files, err := web.ReadDir("web")
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{"roost.js": js.Source}
	for _, file := range files {
		text, err := web.ReadFile("web/" + file.Name())
		if err != nil {
			t.Fatal(err)
		}
		texts[file.Name()] = string(text)
	}
	foreign := regexp.MustCompile(`(src|href|from|url|import)[ =('"]+(https?:)?//`)
	inline := regexp.MustCompile(`<script>|<style|\son[a-z]+="|\sstyle="|javascript:`)
	for name, text := range texts {
		if bad := foreign.FindString(text); bad != "" {
			t.Errorf("%s loads from elsewhere: %s", name, bad)
		}
		if bad := inline.FindString(text); strings.HasSuffix(name, ".html") && bad != "" {
			t.Errorf("%s has inline code or style, which the policy forbids: %s", name, bad)
		}
	}
}

func TestWebRefuses(t *testing.T) {
	_, addr := serve(t, Config{Source: newScript("A")})
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/nothing", 404},
		{"GET", "/index.html", 404},
		{"GET", "/web/app.js", 404},
		{"GET", "/../feed.go", 404},
		{"POST", "/", 405},
		{"DELETE", "/metrics", 405},
		{"GET", "/ws", 426},
	} {
		if resp, _ := get(t, c.method, "http://"+addr+c.path); resp.StatusCode != c.status {
			t.Errorf("%s %s: %s, want %d", c.method, c.path, resp.Status, c.status)
		}
	}
}

func TestWebAdmitsItsOrigins(t *testing.T) {
	_, own := serve(t, Config{Source: newScript("A")})
	_, listed := serve(t, Config{Source: newScript("A"), Origins: []string{"https://app.example.com"}})
	_, all := serve(t, Config{Source: newScript("A"), Origins: []string{"*"}})
	for _, c := range []struct {
		addr, path, origin string
		status             int
	}{
		{own, "/ws", "", 101},
		{own, "/ws", "http://" + own, 101},
		{own, "/ws", "https://app.example.com", 403},
		{own, "/ws", "null", 403},
		{own, "/", "", 404},
		{own, "/ws/", "", 404},
		{listed, "/ws", "", 101},
		{listed, "/ws", "http://" + listed, 101},
		{listed, "/ws", "https://app.example.com", 101},
		{listed, "/ws", "https://app.example.com.evil.example", 403},
		{listed, "/ws", "http://app.example.com", 403},
		{all, "/ws", "https://anything.example", 101},
		{all, "/else", "https://anything.example", 404},
	} {
		header := http.Header{}
		if c.origin != "" {
			header.Set("Origin", c.origin)
		}
		conn, resp, err := websocket.Dial(t.Context(), "ws://"+c.addr+c.path, &websocket.DialOptions{HTTPHeader: header})
		if err == nil {
			_ = conn.CloseNow()
		}
		if resp == nil || resp.StatusCode != c.status {
			t.Errorf("%s from %q: %v, %v", c.path, c.origin, resp, err)
		}
	}
}

func TestWebTellsHealthAndMetrics(t *testing.T) {
	source := newScript("A")
	_, addr := serve(t, Config{Source: source})
	source.quote("A", 1)
	source.trade("A", 1)
	source.quote("A B", 1)
	source.flush()
	p := dial(t, addr)
	p.subscribe("ticker:A")
	p.send(`{"op":"subscribe","channels":["ticker:B"]}`)
	p.reply()
	p.send(`{"op":"buy"}`)
	p.reply()

	if resp, body := get(t, "GET", "http://"+addr+"/healthz"); resp.StatusCode != 200 || body != `{"status":"ok","symbols":1,"connections":1}`+"\n" {
		t.Errorf("health: %s %s", resp.Status, body)
	}
	_, body := get(t, "GET", "http://"+addr+"/metrics")
	for _, line := range []string{
		`roost_feed_updates_total{kind="quote"} 1`,
		`roost_feed_updates_total{kind="trade"} 1`,
		`roost_feed_updates_dropped_total 2`, // of the symbol that is none, and of flush
		`roost_feed_requests_total{op="subscribe"} 2`,
		`roost_feed_requests_total{op="invalid"} 1`,
		`roost_feed_errors_total{code="unknown_channel"} 1`,
		`roost_feed_errors_total{code="unknown_op"} 1`,
		`roost_feed_symbols 1`,
		`roost_connections 1`,
		`roost_opened_total 1`,
		`roost_connections_ended_total{reason="slow"} 0`,
		`roost_handshakes_refused_total{reason="refused_origin"} 0`,
	} {
		if !strings.Contains(body, "\n"+line+"\n") {
			t.Errorf("the metrics have no %s", line)
		}
	}
	if strings.Contains(body, "malformed") {
		t.Error("a source without lines has malformed ones")
	}

	replay := newReplay(t, ReplayConfig{File: write(t, "a.csv", "x\n"+isoTicks+"x\n")})
	_, addr = serve(t, Config{Source: replay})
	p = dial(t, addr)
	p.subscribe("ticker:A")
	for replay.Malformed() < 1 || p.seqs["ticker:A"] < 1 {
		p.next()
	}
	if _, body := get(t, "GET", "http://"+addr+"/metrics"); !strings.Contains(body, "\nroost_feed_malformed_lines_total 1\n") {
		t.Error("the malformed line is not counted")
	}
}
