package client

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/server"
)

func TestClose(t *testing.T) {
	tests := []struct {
		code       ws.StatusCode
		reason     string
		wantCode   ws.StatusCode // 0: an empty frame
		wantReason string
	}{
		{1000, "bye", 1000, "bye"},
		{4999, "", 4999, ""},
		{0, "dropped with the code", 0, ""},
		{1005, "", 0, ""},
		{1006, "", 0, ""},
		{1015, "", 0, ""},
		{1004, "x", 1011, "x"},
		{5000, "x", 1011, "x"},
		{1000, strings.Repeat("ä", 100), 1000, strings.Repeat("ä", 61)},
		{1000, "\xff", 1000, "\uFFFD"},
	}
	for _, tt := range tests {
		c := opened(t, Config{}, func(p *peer) {
			if reason := p.wantClose(tt.wantCode); reason != tt.wantReason {
				t.Errorf("%d: reason %q", tt.code, reason)
			}
			p.write(frame(ws.OpText, "too late") + closeFrame(1000, ""))
		})
		if err := c.Close(tt.code, tt.reason); err != nil {
			t.Errorf("%d: %v", tt.code, err)
		}
		if err := c.Close(1000, "again"); err != nil {
			t.Errorf("a second Close: %v", err)
		}
		for _, err := range []error{readError(t, c), c.Write(t.Context(), ws.OpText, nil), c.Ping(t.Context())} {
			wantError(t, err, net.ErrClosed, "closed on this side")
		}
	}
}

func TestCloseOfARealServer(t *testing.T) {
	closed := make(chan server.Close, 1)
	address := startServer(t, server.Config{Handler: server.Handler{
		OnMessage: func(*server.Conn, server.Message) {},
		OnClose:   func(_ *server.Conn, c server.Close) { closed <- c },
	}})
	c := dialTo(t, address, Config{})
	if err := c.Close(4321, "enough"); err != nil {
		t.Error(err)
	}
	if how := receive(t, "OnClose", closed); how.Reason != server.ReasonPeer || how.Code != 4321 || how.Text != "enough" {
		t.Errorf("the server saw %+v", how)
	}
}

// TestCloseBesideARead: the Read under way drops what comes, sees the answer and ends.
func TestCloseBesideARead(t *testing.T) {
	pinged := make(chan struct{})
	c := opened(t, Config{}, func(p *peer) {
		p.send(ws.OpPing, "")
		p.want(ws.OpPong, "")
		close(pinged)
		p.wantClose(1000)
		p.write(frame(ws.OpText, "dropped") + closeFrame(1000, "") + frame(ws.OpText, "nobody's"))
	})
	read := make(chan error, 1)
	go func() { read <- readError(t, c) }()
	receive(t, "the reader", pinged)
	if err := c.Close(1000, ""); err != nil {
		t.Error(err)
	}
	wantError(t, receive(t, "the end of Read", read), net.ErrClosed, "closed on this side")
}

// TestReadBesideClose: a Read that begins while Close waits waits with it, as does a second Close.
func TestReadBesideClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := pipe(t, Config{})
		closed := make(chan error, 2)
		go func() { closed <- c.Close(1000, "") }()
		p.wantClose(1000)
		synctest.Wait() // Close reads
		go func() { closed <- c.Close(1000, "") }()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _, err := c.Read(ctx)
		wantError(t, err, context.DeadlineExceeded, "nothing was read")
		wantError(t, c.Write(t.Context(), ws.OpText, nil), net.ErrClosed)
		read := make(chan error)
		go func() { read <- readError(t, c) }()
		synctest.Wait()
		p.write(closeFrame(1000, ""))
		wantError(t, <-read, net.ErrClosed)
		p.Close()
		for range 2 {
			if err := <-closed; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestCloseWithoutAnAnswer(t *testing.T) {
	for name, script := range map[string]func(*peer){
		"reads":         (*peer).drain,
		"does not read": func(*peer) {},
		"pings": func(p *peer) {
			p.wantClose(1000)
			go func() {
				if op, _, ok := p.next(); ok {
					p.t.Errorf("opcode %#x came after the Close frame", byte(op))
				}
			}()
			for err := error(nil); err == nil; {
				time.Sleep(time.Second)
				_, err = io.WriteString(p, frame(ws.OpPing, ""))
			}
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			c, p := pipe(t, Config{})
			var running sync.WaitGroup
			running.Go(func() { script(p) })
			defer running.Wait()
			begin := time.Now()
			err := c.Close(1000, "")
			wantError(t, err, context.DeadlineExceeded, net.ErrClosed, "did not answer the Close frame")
			if took := time.Since(begin); took != 5*time.Second {
				t.Errorf("a server that %s: it took %v", name, took)
			}
			if err := c.Close(1000, ""); err == nil {
				t.Error("a second Close reports success")
			}
		})
	}
}

// TestCloseBehindAWriter cannot send its frame: another one is half sent.
func TestCloseBehindAWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := pipe(t, Config{CloseTimeout: time.Second})
		wrote := make(chan error)
		go func() { wrote <- c.Write(t.Context(), ws.OpText, []byte("taken by nobody")) }()
		synctest.Wait()
		wantError(t, c.Close(1000, ""), context.DeadlineExceeded, net.ErrClosed)
		wantError(t, <-wrote, net.ErrClosed, "Config.CloseTimeout")
	})
}

func TestTheServerEndsTheStreamInsteadOfAnswering(t *testing.T) {
	c := opened(t, Config{}, func(p *peer) { p.wantClose(1000) })
	wantError(t, c.Close(1000, ""), io.ErrUnexpectedEOF, net.ErrClosed)
}

// TestBothClose: the two Close frames cross, and each is the answer to the other.
func TestBothClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := pipe(t, Config{})
		read, closed := make(chan error), make(chan error)
		go func() { read <- readError(t, c) }()
		go func() { closed <- c.Close(1000, "") }()
		synctest.Wait() // Close has half of its frame out
		p.write(closeFrame(1001, ""))
		p.wantClose(1000)
		p.wantEnd()
		p.Close()
		if err := <-closed; err != nil {
			t.Error(err)
		}
		wantError(t, <-read, net.ErrClosed, "closed on this side")
	})
}

// TestTheServerMayEndTCPFirst but is not waited for longer than a second (RFC 6455, section 7.1.1).
func TestTheServerMayEndTCPFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := pipe(t, Config{})
		go func() {
			p.write(closeFrame(1000, ""))
			p.wantClose(1000)
			p.wantEnd()
		}()
		begin := time.Now()
		var closed *CloseError
		if err := readError(t, c); !errors.As(err, &closed) {
			t.Error(err)
		}
		if took := time.Since(begin); took != linger {
			t.Errorf("it took %v", took)
		}
	})
}

func TestAServerThatClosesAndDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := pipe(t, Config{})
		go c.Write(t.Context(), ws.OpText, []byte("in the way of the answer"))
		synctest.Wait()
		begin := time.Now()
		waits := make(chan error)
		go func() {
			err := c.Write(t.Context(), ws.OpText, nil)
			if took := time.Since(begin); took != 0 {
				t.Errorf("who waits to write is told after %v", took)
			}
			waits <- err
		}()
		synctest.Wait()
		go p.write(closeFrame(1001, ""))
		var closed *CloseError
		if err := readError(t, c); !errors.As(err, &closed) || closed.Code != 1001 {
			t.Error(err)
		}
		if err := <-waits; !errors.As(err, &closed) {
			t.Error(err)
		}
		if took := time.Since(begin); took != linger {
			t.Errorf("it took %v", took)
		}
	})
}

func TestCloseNow(t *testing.T) {
	ended := make(chan struct{})
	c := opened(t, Config{}, func(p *peer) {
		p.wantEnd()
		close(ended)
	})
	read, ping := make(chan error, 1), make(chan error, 1)
	go func() { read <- readError(t, c) }()
	go func() { ping <- c.Ping(t.Context()) }()
	c.CloseNow()
	c.CloseNow()
	wantError(t, receive(t, "the end of Read", read), net.ErrClosed, "CloseNow")
	wantError(t, receive(t, "the end of Ping", ping), net.ErrClosed, "CloseNow")
	wantError(t, c.Close(1000, ""), net.ErrClosed, "CloseNow")
	receive(t, "the end", ended)
}
