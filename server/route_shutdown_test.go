package server

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/wsproto"
)

// TestAnUpgradeThatMeetsAShutdown gives its place back: it gets 503 while the loops drain, and the end of the stream after that.
func TestAnUpgradeThatMeetsAShutdown(t *testing.T) {
	for _, over := range []bool{false, true} {
		entered, proceed := make(chan struct{}), make(chan struct{})
		r := start(t, Config{Loops: 1, Routes: []Route{{Pattern: "/"}, {Pattern: "/slow", MaxConns: 1, Authorize: func(*wsproto.Request) (Accept, error) {
			close(entered)
			<-proceed
			return Accept{}, nil
		}}}})
		errs := make(chan error, 1)
		front := &rig{Server: r.Server, t: t, addr: serveMux(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { errs <- r.Upgrade(w, req) }))}
		silent := r.dial() // it answers no Close frame, so that the loop goes on draining
		p := front.tcp()
		p.write([]byte("GET /slow" + handshakeTo(r.addr)[len("GET /"):]))
		receive(t, "Authorize", entered)

		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		ended := make(chan error, 1)
		go func() { _, err := r.Shutdown(ctx); ended <- err }()
		silent.wantClose(ws.StatusGoingAway)
		if over {
			silent.Close()
			if err := receive(t, "Shutdown", ended); err != nil {
				t.Error(err)
			}
		}
		close(proceed)
		if err := receive(t, "Upgrade", errs); err != nil {
			t.Error(err)
		}
		if over {
			p.wantEnd()
		} else if resp, err := http.ReadResponse(p.br, nil); err != nil || resp.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("while it drains: %v, %v", resp, err)
		}
		silent.Close()
		r.await("the place is given back", func(s Stats) bool { return s.Routes[1].Open == 0 })
	}
}

// TestAnUpgradeThatAuthorizeRefusesTooLate is one of a client that has left: nothing of it stays.
func TestAnUpgradeThatAuthorizeRefusesTooLate(t *testing.T) {
	entered, proceed := make(chan struct{}), make(chan struct{})
	r := start(t, Config{HandshakeTimeout: time.Minute, Routes: []Route{{Pattern: "/", MaxConns: 1, Authorize: func(*wsproto.Request) (Accept, error) {
		close(entered)
		<-proceed
		return Accept{}, errors.New("no")
	}}}})
	errs := make(chan error, 1)
	front := &rig{Server: r.Server, t: t, addr: serveMux(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { errs <- r.Upgrade(w, req) }))}
	p := front.tcp()
	p.write([]byte(handshakeTo(r.addr)))
	receive(t, "Authorize", entered)
	p.Close()
	close(proceed)
	if err := receive(t, "Upgrade", errs); err == nil {
		t.Error("Upgrade returned no error")
	}
	if st := r.Stats(); st.Routes[0].Open != 0 || st.Reasons[ReasonRefusedByApp] != 1 {
		t.Errorf("%+v", st)
	}
}
