package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
)

// longest makes every wait as long as it can be.
func longest(n int64) int64 { return n - 1 }

// play is a session whose connections go to scripts, one after the other; beyond the last, dialing fails. It runs in a bubble.
func play(t *testing.T, config SessionConfig, scripts ...func(*peer)) *Session {
	t.Helper()
	n := &network{t: t, scripts: make(chan func(*peer), len(scripts))}
	for _, script := range scripts {
		n.scripts <- func(p *peer) {
			defer p.Close()
			script(p)
		}
	}
	if config.Dial.DialContext == nil {
		config.Dial.DialContext = n.dial
	}
	s, err := NewSession("ws://test/", config)
	if err != nil {
		t.Fatal(err)
	}
	s.backoff.random = longest
	t.Cleanup(func() {
		if c := s.Conn(); c != nil {
			c.CloseNow()
		}
	})
	return s
}

// says accepts a connection, sends texts, and closes with code.
func says(code ws.StatusCode, texts ...string) func(*peer) {
	return func(p *peer) {
		p.accept()
		for _, text := range texts {
			p.send(ws.OpText, text)
		}
		if _, err := io.WriteString(p, closeFrame(code, "")); err == nil { // the test may be over
			p.wantClose(code)
		}
	}
}

func refuses(response string) func(*peer) {
	return func(p *peer) {
		p.request()
		p.write("HTTP/1.1 " + response + "\r\nContent-Length: 0\r\n\r\n")
	}
}

func silent(p *peer) {
	p.accept()
	p.drain()
}

func wantNext(t *testing.T, s *Session, want string) {
	t.Helper()
	op, payload, err := s.Read(t.Context())
	if err != nil || op != ws.OpText || string(payload) != want {
		t.Fatalf("read opcode %#x %q, %v; want %q", byte(op), payload, err, want)
	}
}

func sessionError(t *testing.T, s *Session) error {
	t.Helper()
	_, payload, err := s.Read(t.Context())
	if err == nil {
		t.Fatalf("read %q", payload)
	}
	return err
}

// TestASessionTellsItsGaps has the hooks called between the messages, and waits longer and longer.
func TestASessionTellsItsGaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events []string
		begin := time.Now()
		event := func(format string, args ...any) {
			events = append(events, fmt.Sprintf("%v ", time.Since(begin))+fmt.Sprintf(format, args...))
		}
		s := play(t, SessionConfig{
			Dial:         Config{HandshakeTimeout: time.Second},
			OnConnect:    func(_ context.Context, c *Conn) error { event("connected"); return nil },
			OnDisconnect: func(err error, wait time.Duration) { event("waits %v", wait) },
		},
			says(1001, "a", "b"),
			refuses("503 Service Unavailable\r\nRetry-After: 7"),
			func(p *peer) { p.request(); p.drain() }, // says nothing
			says(1012, "c"),
			silent,
		)
		for _, want := range []string{"a", "b", "c"} {
			wantNext(t, s, want)
			event("%s", want)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, _, err := s.Read(ctx)
		wantError(t, err, context.DeadlineExceeded)
		want := []string{
			"0s connected", "0s a", "0s b", "0s waits 500ms", "500ms waits 8s", "9.5s waits 2s", "11.5s connected", "11.5s c",
			"11.5s waits 4s", "15.5s connected",
		}
		if !slices.Equal(events, want) {
			t.Errorf("events\n%q, want\n%q", events, want)
		}
	})
}

func TestAConnectionThatLastedBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lasts := func(d time.Duration) func(*peer) {
			return func(p *peer) {
				p.accept()
				time.Sleep(d)
				p.write(closeFrame(1001, ""))
				p.wantClose(1001)
			}
		}
		var waits []time.Duration
		s := play(t, SessionConfig{
			StableAfter: 10 * time.Second,
			OnDisconnect: func(err error, wait time.Duration) {
				if !errors.Is(err, errUnreachable) {
					waits = append(waits, wait)
				}
			},
			GiveUp: func(err error) bool { return errors.Is(err, errUnreachable) },
		}, lasts(0), lasts(9999*time.Millisecond), lasts(10*time.Second), lasts(0))
		wantError(t, sessionError(t, s), errUnreachable, "gave up")
		want := []time.Duration{500 * time.Millisecond, time.Second, 500 * time.Millisecond, time.Second}
		if !slices.Equal(waits, want) {
			t.Errorf("waits %v, want %v", waits, want)
		}
		wantError(t, sessionError(t, s), errUnreachable, "gave up") // for good
		wantError(t, s.Write(t.Context(), ws.OpText, nil), ErrNotConnected)
	})
}

func TestASessionGivesUp(t *testing.T) {
	tests := map[string]struct {
		script func(*peer)
		says   string
	}{
		"status": {refuses("401 Unauthorized"), "401"},
		"code":   {says(4401), "4401"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				called := false
				s := play(t, SessionConfig{OnDisconnect: func(error, time.Duration) { called = true }}, tt.script, says(1000, "not reached"))
				wantError(t, sessionError(t, s), "client: the session gave up: ", tt.says)
				if called {
					t.Error("OnDisconnect tells of a next try")
				}
			})
		})
	}
}

func TestASessionDoesNotGiveUpWhenToldSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, SessionConfig{GiveUp: func(error) bool { return false }}, refuses("401 Unauthorized"), says(4401, "a"), says(1000, "b"))
		wantNext(t, s, "a")
		wantNext(t, s, "b")
	})
}

// TestOnConnectLogsIn reads and writes before the application does.
func TestOnConnectLogsIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		login := func(answer string) func(*peer) {
			return func(p *peer) {
				p.accept()
				p.want(ws.OpText, "token")
				p.send(ws.OpText, answer)
				if answer == "welcome" {
					p.send(ws.OpText, "data")
					p.want(ws.OpText, "of the application")
					p.drain()
					return
				}
				p.wantClose(1000)
				p.write(closeFrame(1000, ""))
			}
		}
		var s *Session
		var failures []error
		no := errors.New("not welcome")
		s = play(t, SessionConfig{
			OnConnect: func(ctx context.Context, c *Conn) error {
				wantError(t, s.Write(ctx, ws.OpText, []byte("not yet")), ErrNotConnected)
				if err := c.Write(ctx, ws.OpText, []byte("token")); err != nil {
					return err
				}
				if _, payload, err := c.Read(ctx); err != nil || string(payload) != "welcome" {
					return errors.Join(no, err)
				}
				return nil
			},
			OnDisconnect: func(err error, _ time.Duration) { failures = append(failures, err) },
		}, login("go away"), login("welcome"))
		wantNext(t, s, "data")
		if len(failures) != 1 || !errors.Is(failures[0], no) {
			t.Errorf("failures %v", failures)
		}
		if err := s.Write(t.Context(), ws.OpText, []byte("of the application")); err != nil {
			t.Error(err)
		}
		if err := s.Conn().Write(t.Context(), ws.OpText, nil); err != nil {
			t.Error(err)
		}
	})
}

func TestOnConnectIsLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		tries := 0
		s := play(t, SessionConfig{OnConnect: func(ctx context.Context, c *Conn) error {
			tries++
			_, _, err := c.Read(ctx)
			return err
		}, GiveUp: func(err error) bool { return tries == 2 }}, silent, silent)
		wantError(t, sessionError(t, s), context.DeadlineExceeded)
		if took := time.Since(begin); took != 20*time.Second+500*time.Millisecond {
			t.Errorf("it took %v", took)
		}
	})
}

func TestAServerThatFallsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lost []error
		s := play(t, SessionConfig{OnDisconnect: func(err error, _ time.Duration) { lost = append(lost, err) }}, silent, says(1000, "back"))
		wantNext(t, s, "back")
		if len(lost) != 1 || !errors.Is(lost[0], ErrSilent) {
			t.Errorf("lost by %v", lost)
		}
	})
}

func TestASessionThatCannotBe(t *testing.T) {
	for field, config := range map[string]SessionConfig{
		"BackoffBase":    {BackoffBase: -1},
		"BackoffLimit":   {BackoffLimit: -1},
		"StableAfter":    {StableAfter: -1},
		"ConnectTimeout": {ConnectTimeout: -1},
	} {
		_, err := NewSession("ws://test/", config)
		wantError(t, err, "SessionConfig."+field)
	}
	s, err := NewSession("http://test/", SessionConfig{})
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, sessionError(t, s), "gave up", "must be ws or wss")
}

// TestASessionOverTCP has a server go away and come back.
func TestASessionOverTCP(t *testing.T) {
	connections := make(chan int, 3)
	for i := range 3 {
		connections <- i
	}
	address := listen(t, func(p *peer) {
		p.accept()
		n := <-connections
		p.send(ws.OpText, fmt.Sprint(n))
		if n == 0 {
			io.WriteString(p, "\xff") // what no server sends
		}
	})
	s, err := NewSession("ws://"+address, SessionConfig{BackoffBase: 1})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		wantNext(t, s, fmt.Sprint(n))
	}
	s.Close(1000, "")
}
