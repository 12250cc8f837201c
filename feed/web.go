package feed

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/roostws/roost/client/js"
	"github.com/roostws/roost/wsproto"
)

// socketPath is where the WebSocket is.
const socketPath = "/ws"

var errPath = &wsproto.Refusal{Status: http.StatusNotFound, Reason: "path", Body: "there is no WebSocket here; it is at " + socketPath + "\n"}

//go:embed web
var web embed.FS

// policy lets the page load what lies beside it, talk to its own server, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// pages answers the requests that are no WebSocket handshakes.
func (f *Feed) pages() (http.Handler, error) {
	mux := http.NewServeMux()
	files, err := fs.Sub(web, "web")
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(files, "*")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		at := "/" + strings.TrimSuffix(name, "index.html")
		if at == "/" {
			at = "/{$}"
		}
		mux.Handle("GET "+at, asset(name, content))
	}
	mux.Handle("GET /roost.js", asset("roost.js", []byte(js.Source)))
	mux.HandleFunc("GET /healthz", f.health)
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		promhttp.HandlerFor(f.metrics.registry, promhttp.HandlerOpts{}).ServeHTTP(w, r)
	})
	mux.HandleFunc(socketPath, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Upgrade", "websocket")
		http.Error(w, "this is a WebSocket: connect with ws:// or wss://", http.StatusUpgradeRequired)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		mux.ServeHTTP(w, r)
	}), nil
}

// contentTypes are those of the page's files. The system's table, which package mime asks, may have others.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// asset serves one file of the page. Browsers keep it, and ask each time whether it is still the one.
func asset(name string, content []byte) http.Handler {
	sum := sha256.Sum256(content)
	tag := `"` + hex.EncodeToString(sum[:12]) + `"`
	kind := contentTypes[path.Ext(name)]
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-cache")
		h.Set("ETag", tag)
		h.Set("Content-Type", kind)
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		h.Set("Content-Length", strconv.Itoa(len(content)))
		_, _ = w.Write(content)
	})
}

// health says that the feed lives, for who restarts it if it does not.
func (f *Feed) health(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(struct {
		Status      string `json:"status"`
		Symbols     int    `json:"symbols"`
		Connections int    `json:"connections"`
	}{"ok", len(f.board.listed()), f.server.Stats().Open})
}
