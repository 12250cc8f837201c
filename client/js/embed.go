// Package js has roost.js, a WebSocket for browsers that comes back by itself, for servers in Go that serve it with their pages:
//
//	mux.HandleFunc("GET /roost.js", func(w http.ResponseWriter, r *http.Request) {
//		http.ServeContent(w, r, "roost.js", time.Time{}, strings.NewReader(js.Source))
//	})
//
// The head of roost.js says how it differs from the browser's own WebSocket.
package js

import _ "embed" // puts roost.js into Source

// Source is roost.js, an ES module without dependencies.
//
//go:embed roost.js
var Source string
