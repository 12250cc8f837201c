package server

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/wsproto"
)

// TestUpgradeFindsTheRoute by the path as the client has sent it.
func TestUpgradeFindsTheRoute(t *testing.T) {
	modes(t, func(t *testing.T, c Config) {
		c.Routes = []Route{
			{Pattern: "/api/rooms/{room}", Handler: says("room"), Authorize: value("room"), MaxConns: 1},
			{Pattern: "/api/denied", MaxConns: 1, Authorize: func(*wsproto.Request) (Accept, error) {
				return Accept{}, &wsproto.Refusal{Status: 418, Reason: "teapot"}
			}},
		}
		w := serveWeb(t, c, func(next http.Handler) http.Handler { return http.StripPrefix("/api", next) })
		p := w.at("/api/rooms/1")
		<-w.errs
		p.send(ws.OpText, "who are you?")
		p.want(ws.OpText, "room /api/rooms/{room} 1")
		for path, want := range map[string]int{"/api/rooms/2": 503, "/api/other": 404, "/api/denied": 418} {
			if status, _ := w.status(path); status != want {
				t.Errorf("%s got %d", path, status)
			}
			<-w.errs
		}
		p.Close()
		w.await("the place is free", func(s Stats) bool { return s.Routes[0].Open == 0 && s.Routes[1].Open == 0 })
		w.at("/api/rooms/2")
		<-w.errs
	})
}

// TestUpgradeToARoute that a router has chosen, for whom its middleware knows: no Authorize is asked, but origins are.
func TestUpgradeToARoute(t *testing.T) {
	never := func(*wsproto.Request) (Accept, error) { panic("Authorize was asked") }
	c := Config{Handler: says("config"), KeepRequest: true, Authorize: never, Routes: []Route{
		{Pattern: "/{room}/chat", MaxConns: 1, Authorize: never, Handler: Handler{OnMessage: func(c *Conn, m Message) {
			c.Send(ws.OpText, fmt.Appendf(nil, "%v in %s", c.Value(), c.Request().PathValue("room")))
		}}},
	}}
	r := start(t, c)
	errs := make(chan error, 10)
	mux := http.NewServeMux()
	mux.HandleFunc("/rooms/{room}", func(w http.ResponseWriter, req *http.Request) {
		errs <- r.UpgradeTo(w, req, "/{room}/chat", Accept{Value: req.URL.Query().Get("user"), Subprotocol: req.Header.Get("Sec-WebSocket-Protocol")})
	})
	mux.HandleFunc("/none", func(w http.ResponseWriter, req *http.Request) {
		errs <- r.UpgradeTo(w, req, "", Accept{Value: "nobody"})
	})
	mux.HandleFunc("/wrong", func(w http.ResponseWriter, req *http.Request) { errs <- r.UpgradeTo(w, req, "/wrong", Accept{}) })
	front := &rig{Server: r.Server, t: t, addr: serveMux(t, mux)}

	p := front.at("/rooms/lobby?user=ada")
	if err := receive(t, "UpgradeTo", errs); err != nil {
		t.Fatal(err)
	}
	p.send(ws.OpText, "who?")
	p.want(ws.OpText, "ada in lobby")
	none := front.at("/none")
	none.send(ws.OpText, "who?")
	none.want(ws.OpText, "config  nobody")
	receive(t, "UpgradeTo", errs)
	for _, tt := range []struct {
		path, header string
		status       int
		says         string
	}{
		{"/rooms/lobby", "X: y", 503, "full"},
		{"/rooms/lobby", "Origin: https://evil.example", 403, "origin"},
		{"/none", "Origin: https://evil.example", 403, "origin"},
		{"/wrong", "X: y", 500, `"/wrong"`},
	} {
		status, _ := front.status(tt.path, tt.header)
		if err := receive(t, "UpgradeTo", errs); status != tt.status || err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s with %s: %d, %v", tt.path, tt.header, status, err)
		}
	}
	if st := r.Stats(); st.UpgradesRefused != 4 || st.Reasons[ReasonRefusedOrigin] != 2 || st.Reasons[ReasonRefusedFull] != 1 {
		t.Errorf("%d were refused, %v", st.UpgradesRefused, st.Reasons)
	}
}

// serveMux serves with net/http until the test ends.
func serveMux(t *testing.T, h http.Handler) (addr string) {
	t.Helper()
	l := listenTCP(t)
	srv := &http.Server{Handler: h}
	served := make(chan struct{})
	go func() { defer close(served); srv.Serve(l) }()
	t.Cleanup(func() { srv.Close(); <-served })
	return l.Addr().String()
}
