package server

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

func TestShutdownSaysGoodbyeAndWaits(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		c.CloseTimeout = time.Hour
		ch := closes(&c)
		opened := make(chan *Conn, 10)
		c.Handler.OnOpen = func(c *Conn) { opened <- c }
		r := start(t, c)
		var peers []*peer
		for range 10 {
			peers = append(peers, r.dial())
			receive(t, "OnOpen", opened).Send(ws.OpText, []byte("before"))
		}
		connecting := r.tcp()
		connecting.write([]byte("GET"))
		awaitHandshake(r)
		type result struct {
			Report
			err error
		}
		done := make(chan result, 1)
		go func() {
			report, err := r.Shutdown(t.Context())
			done <- result{report, err}
		}()
		for _, p := range peers {
			p.want(ws.OpText, "before")
			p.wantClose(1001)
			p.write(frame(ws.OpClose, true, ws.NewCloseFrameBody(1001, "")))
			p.wantEnd()
			wantClosed(t, ch, ReasonShutdown, 1001, reasonTable[ReasonShutdown].text, true)
		}
		if line, _ := connecting.br.ReadString('\n'); line != "HTTP/1.1 503 Service Unavailable\r\n" {
			t.Errorf("a handshake under way was told %q", line)
		}
		connecting.Close()
		if got := receive(t, "Shutdown", done); got.err != nil || got.Closed != 10 || got.Forced != 0 {
			t.Errorf("Shutdown returned %+v", got)
		}
		if report, err := r.Shutdown(t.Context()); report != (Report{}) || err != nil {
			t.Errorf("the second Shutdown returned %+v, %v", report, err)
		}
	})
}

// awaitHandshake waits until the server has a part of a request.
func awaitHandshake(r *rig) {
	r.t.Helper()
	await(r.t, "a part of a request", func() (ok bool) {
		for _, l := range r.loops {
			looked := make(chan struct{})
			l.call(func() {
				for c := range l.conns.all {
					ok = ok || c.phase == phaseHandshake && c.life != nil
				}
				close(looked)
			})
			<-looked
		}
		return ok
	})
}

func TestShutdownForcesAtTheContextsEnd(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		c.CloseTimeout = time.Hour
		ch := closes(&c)
		r := start(t, c)
		p := r.dial()
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			p.wantClose(1001) // and does not answer
			cancel()
		}()
		report, err := r.Shutdown(ctx)
		if !errors.Is(err, context.Canceled) || report.Forced != 1 || report.Closed != 0 {
			t.Errorf("Shutdown returned %+v, %v", report, err)
		}
		wantClosed(t, ch, ReasonShutdown, 1001, reasonTable[ReasonShutdown].text, false)
	})
}

// Also who was not due yet learns why it is cut off.
func TestShutdownThatIsCutShortSaysGoodbyeToAll(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		c.DrainWindow = time.Hour
		r := start(t, c)
		var peers []*peer
		for range 5 {
			peers = append(peers, r.dial())
		}
		r.await("the connections", func(s Stats) bool { return s.Opened == 5 })
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if report, err := r.Shutdown(ctx); !errors.Is(err, context.Canceled) || report.Forced != 5 {
			t.Errorf("Shutdown returned %+v, %v", report, err)
		}
		for _, p := range peers {
			p.wantClose(1001)
		}
	})
}

func TestShutdownSpreadsItsGoodbyes(t *testing.T) {
	eachWay(t, func(t *testing.T, c Config) {
		c.Loops, c.DrainWindow = 1, 60*tick
		r := start(t, c)
		const n = 100
		var peers []*peer
		for range n {
			peers = append(peers, r.dial())
		}
		go r.Shutdown(t.Context())
		at := make(chan time.Time, n)
		for _, p := range peers {
			go func() {
				p.wantClose(1001)
				at <- time.Now()
				p.Close()
			}()
		}
		windows := map[int64]int{}
		for range n {
			windows[receive(t, "a goodbye", at).UnixNano()/int64(tick)]++
		}
		if len(windows) < 10 {
			t.Errorf("100 goodbyes over 60 ticks came in %d of them: %v", len(windows), windows)
		}
		<-r.done
	})
}

func TestShutdownWaitsForHandlers(t *testing.T) {
	eachWay(t, func(t *testing.T, c Config) {
		entered, release := make(chan struct{}), make(chan struct{})
		c.Handler.OnClose = func(*Conn, Close) { close(entered); <-release }
		r := start(t, c)
		p := r.dial()
		done := make(chan error, 1)
		go func() { _, err := r.Shutdown(t.Context()); done <- err }()
		p.wantClose(1001)
		p.Close()
		receive(t, "OnClose", entered)
		select {
		case <-done:
			t.Error("Shutdown returned while a handler was running")
		default:
		}
		close(release)
		if err := receive(t, "Shutdown", done); err != nil {
			t.Error(err)
		}
	})
}

func TestALaterShutdownWaitsForTheFirstOneUntilItsOwnContextEnds(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		entered, release := make(chan struct{}), make(chan struct{})
		c.Handler.OnClose = func(*Conn, Close) { close(entered); <-release }
		r := start(t, c)
		p := r.dial()
		first, later := make(chan error, 1), make(chan error, 1)
		go func() { _, err := r.Shutdown(t.Context()); first <- err }()
		p.wantClose(1001)
		p.Close()
		receive(t, "OnClose", entered)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _, err := r.Shutdown(ctx); later <- err }()
		cancel()
		if err := receive(t, "the second Shutdown", later); !errors.Is(err, context.Canceled) {
			t.Errorf("the second Shutdown returned %v, want its context's end", err)
		}
		go func() {
			_, err := r.Shutdown(t.Context())
			select {
			case <-r.done:
			default:
				err = errors.Join(err, errors.New("a later Shutdown did not wait for the first one"))
			}
			later <- err
		}()
		close(release)
		for _, ch := range []chan error{first, later} {
			if err := receive(t, "Shutdown", ch); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestAServerThatNeverListenedStopsAtOnce(t *testing.T) {
	s, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if report, err := s.Shutdown(t.Context()); report != (Report{}) || err != nil {
		t.Errorf("Shutdown returned %+v, %v", report, err)
	}
	if err := s.ListenAndServe("127.0.0.1:0"); !errors.Is(err, ErrServerClosed) {
		t.Errorf("ListenAndServe returned %v", err)
	}
}
