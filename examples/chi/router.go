package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"io"
	"log"
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/roostws/roost/server"
)

//go:embed page.html
var page []byte

// router is an ordinary chi application. Upgrades go through the same middleware as pages do.
func (c *chat) router(logTo io.Writer) http.Handler {
	r := chi.NewRouter()
	r.Use(middleware.RequestID)
	r.Use(middleware.RequestLogger(&middleware.DefaultLogFormatter{Logger: log.New(logTo, "", log.LstdFlags), NoColor: true}))
	r.Use(middleware.Recoverer)
	r.Get("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Write(page)
	})
	r.Get("/api/rooms", c.list)
	r.With(signedIn).Get("/ws/{room:[a-z0-9-]{1,32}}", c.upgrade)
	return r
}

type nameKey struct{}

// maxName is how many bytes a name has at most.
const maxName = 32

// signedIn stands for an application's own authentication: it puts who asks into the request's context.
func signedIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := r.URL.Query().Get("name")
		if name == "" || len(name) > maxName {
			http.Error(w, "say who you are: ?name=NAME, of 32 bytes at most", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), nameKey{}, name)))
	})
}

// upgrade hands the connection over. What the router and the middleware know goes along as the connection's value; a request that
// is refused was answered.
func (c *chat) upgrade(w http.ResponseWriter, r *http.Request) {
	m := &member{name: r.Context().Value(nameKey{}).(string), room: chi.URLParam(r, "room")}
	_ = c.server.UpgradeTo(w, r, roomRoute, server.Accept{Value: m})
}

// list answers with the rooms that somebody is in.
func (c *chat) list(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(c.occupied())
}
