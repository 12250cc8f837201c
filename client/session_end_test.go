package client

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
)

// TestAContextEndsTheReadAndNotTheSession in each state; the wait goes on meanwhile.
func TestAContextEndsTheReadAndNotTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, SessionConfig{BackoffBase: time.Minute, BackoffLimit: time.Minute},
			func(p *peer) { p.request(); p.drain() }, // ends while dialing
			silent,                                   // while reading
			says(1001),                               // while waiting
			says(1001, "on time"),
		)
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, _, err := s.Read(ctx)
			cancel()
			wantError(t, err, context.DeadlineExceeded, "client: the context ended")
			if errors.Is(err, net.ErrClosed) || s.Conn() != nil {
				t.Errorf("the session is said to be closed (%v), or keeps its connection", err)
			}
		}
		begin := time.Now()
		wantNext(t, s, "on time")
		if took := time.Since(begin); took != 59*time.Second {
			t.Errorf("the next try came after %v, and one minute is the wait", took)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, _, err := s.Read(ctx)
		wantError(t, err, context.Canceled)
		if s.Conn() == nil {
			t.Error("a context that had ended before cost the connection")
		}
	})
}

func TestASessionIsClosed(t *testing.T) {
	states := map[string]func(p *peer){
		"dialing": func(p *peer) { p.request(); p.drain() },
		"waiting": says(1001),
		"reading": func(p *peer) {
			p.accept()
			p.wantClose(4000)
			p.write(closeFrame(4000, ""))
		},
		"logging in": func(p *peer) {
			p.accept()
			p.want(ws.OpText, "token")
			p.drain()
		},
	}
	for state, script := range states {
		t.Run(state, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var config SessionConfig
				after := false // Close was called
				config.OnDisconnect = func(err error, _ time.Duration) {
					if after {
						t.Errorf("OnDisconnect tells of a next try after %v", err)
					}
				}
				if state == "logging in" {
					config.OnConnect = func(ctx context.Context, c *Conn) error {
						c.Write(ctx, ws.OpText, []byte("token"))
						_, _, err := c.Read(ctx)
						return err
					}
				}
				s := play(t, config, script)
				read := make(chan error)
				go func() { read <- sessionError(t, s) }()
				synctest.Wait()
				begin := time.Now()
				after = true
				if err := s.Close(4000, "enough"); err != nil {
					t.Error(err)
				}
				wantError(t, <-read, net.ErrClosed, "client: the session is closed")
				if took := time.Since(begin); took != 0 {
					t.Errorf("it took %v", took)
				}
				wantError(t, sessionError(t, s), net.ErrClosed)
				wantError(t, s.Write(t.Context(), ws.OpText, nil), net.ErrClosed)
				if err := s.Close(4000, ""); err != nil {
					t.Errorf("a second Close: %v", err)
				}
			})
		})
	}
}

// TestASessionIsClosedByItsOnConnect: the connection that Close has not seen does not stay.
func TestASessionIsClosedByItsOnConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s *Session
		ended := make(chan struct{})
		s = play(t, SessionConfig{OnConnect: func(context.Context, *Conn) error { return s.Close(1000, "") }}, func(p *peer) {
			p.accept()
			p.drain()
			close(ended)
		})
		wantError(t, sessionError(t, s), net.ErrClosed)
		<-ended
	})
}

func TestTwoReadersOfASession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, SessionConfig{}, silent)
		read := make(chan error)
		go func() { read <- sessionError(t, s) }()
		synctest.Wait()
		wantError(t, sessionError(t, s), errTwoReaders)
		s.Conn().CloseNow()
		s.Close(1000, "")
		<-read
	})
}

// TestAContextEndsDuringOnConnect, which does not use the connection: it is closed all the same, and without a wait for the server.
func TestAContextEndsDuringOnConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan struct{})
		s := play(t, SessionConfig{OnConnect: func(ctx context.Context, _ *Conn) error {
			<-ctx.Done()
			return ctx.Err()
		}}, func(p *peer) {
			p.accept()
			p.drain()
			close(ended)
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		_, _, err := s.Read(ctx)
		wantError(t, err, context.DeadlineExceeded)
		<-ended
		if took := time.Since(begin); took != time.Second {
			t.Errorf("it took %v", took)
		}
	})
}
