package client

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/server"
)

func TestPing(t *testing.T) {
	c := dialTo(t, startServer(t, server.Config{}), Config{})
	read := make(chan error, 1)
	go func() { read <- readError(t, c) }()
	for range 3 {
		if err := c.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	c.CloseNow()
	wantError(t, <-read, net.ErrClosed)
	wantError(t, c.Ping(t.Context()), net.ErrClosed)
}

// TestAPongAnswersAllPingsBeforeIt, and what is not its payload answers none.
func TestAPongAnswersAllPingsBeforeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := pipe(t, Config{})
		go c.Read(t.Context())
		done := make(chan int, 3)
		var payloads [3]string
		for i := range payloads {
			go func() {
				if err := c.Ping(t.Context()); err != nil {
					t.Error(err)
				}
				done <- i
			}()
			_, payloads[i], _ = p.next()
		}
		for _, strange := range []string{"", "hello", "\x00\x00\x00\x00\x00\x00\x00\x00", "\x00\x00\x00\x00\x00\x00\x00\x04", "\x00\x00\x00\x00\x00\x00\x00\x01x"} {
			p.send(ws.OpPong, strange)
		}
		synctest.Wait()
		if len(done) > 0 {
			t.Fatal("a pong that answers nothing ended a wait")
		}
		p.send(ws.OpPong, payloads[1])
		synctest.Wait()
		if a, b := <-done, <-done; a+b != 1 || len(done) > 0 {
			t.Errorf("answered were %d and %d", a, b)
		}
		p.send(ws.OpPong, payloads[2])
		<-done
	})
}

func TestAContextEndsDuringPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := pipe(t, Config{PingAfter: -1})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		go p.want(ws.OpPing, "\x00\x00\x00\x00\x00\x00\x00\x01")
		err := c.Ping(ctx)
		wantError(t, err, context.DeadlineExceeded)
		if errors.Is(err, net.ErrClosed) || len(c.waiting) > 0 {
			t.Errorf("the connection is closed (%v), or still waits for %d pongs", err, len(c.waiting))
		}
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		wantError(t, c.Ping(ctx), context.DeadlineExceeded, net.ErrClosed) // nobody took the frame
	})
}

func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := pipe(t, Config{})
		read := make(chan error)
		begin := time.Now()
		go func() {
			wantText(t, c, "at last")
			read <- readError(t, c)
		}()
		for i := range 100 {
			p.want(ws.OpPing, "")
			if at := time.Since(begin); at != time.Duration(i+1)*30*time.Second+time.Duration(i)*9*time.Second {
				t.Fatalf("ping %d came after %v", i, at)
			}
			time.Sleep(9 * time.Second)
			p.send(ws.OpPong, "") // any sign of life will do
		}
		p.send(ws.OpText, "at last")
		begin = time.Now()
		p.want(ws.OpPing, "")
		p.wantEnd()
		wantError(t, <-read, ErrSilent, net.ErrClosed)
		if took := time.Since(begin); took != 40*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// TestSilenceBetweenReads is nobody's fault: the heartbeat counts while a Read waits.
func TestSilenceBetweenReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := pipe(t, Config{PingAfter: time.Second, PingGrace: time.Second})
		go p.send(ws.OpText, "one")
		wantText(t, c, "one")
		time.Sleep(time.Hour)
		go func() {
			p.want(ws.OpPing, "")
			p.send(ws.OpText, "two")
		}()
		wantText(t, c, "two")
	})
}

func TestNoHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := pipe(t, Config{PingAfter: -1})
		go func() {
			time.Sleep(24 * time.Hour)
			p.send(ws.OpText, "late")
		}()
		wantText(t, c, "late")
	})
}

// TestTheHeartbeatBehindAWriter has its ping wait for a message on a slow line, and counts from when it was sent.
func TestTheHeartbeatBehindAWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := pipe(t, Config{})
		go c.Write(t.Context(), ws.OpBinary, make([]byte, 4*writeAtOnce))
		synctest.Wait()
		read := make(chan error)
		begin := time.Now()
		go func() { read <- readError(t, c) }()
		for _, n := range []int{writeAtOnce, writeAtOnce, writeAtOnce, writeAtOnce, 14} {
			time.Sleep(39 * time.Second)
			if _, err := io.ReadFull(p, make([]byte, n)); err != nil {
				t.Fatal(err)
			}
		}
		sent := time.Since(begin)
		p.want(ws.OpPing, "")
		wantError(t, <-read, ErrSilent)
		if ended := time.Since(begin); sent != 5*39*time.Second || ended != sent+10*time.Second {
			t.Errorf("the message was through after %v, the end came after %v", sent, ended)
		}
	})
}

func TestTheConnectionEndsDuringPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := pipe(t, Config{})
		go c.Read(t.Context())
		pinged := make(chan error)
		go func() { pinged <- c.Ping(t.Context()) }()
		p.want(ws.OpPing, "\x00\x00\x00\x00\x00\x00\x00\x01")
		p.Close()
		wantError(t, <-pinged, net.ErrClosed, io.ErrUnexpectedEOF)
	})
}
