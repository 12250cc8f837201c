package client

import (
	"context"
	"errors"
	"fmt"
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

func TestWhatMayNotBeWritten(t *testing.T) {
	c := dialTo(t, startServer(t, server.Config{}), Config{})
	for _, op := range []ws.OpCode{ws.OpContinuation, ws.OpPing, ws.OpPong, ws.OpClose, 3, 255} {
		if err := c.Write(t.Context(), op, nil); err != errOp {
			t.Errorf("opcode %#x: %v", byte(op), err)
		}
	}
	if err := c.Write(t.Context(), ws.OpText, []byte("\xff")); err != errUTF8 {
		t.Errorf("text that is not UTF-8: %v", err)
	}
	if err := c.Write(t.Context(), ws.OpBinary, []byte("\xff")); err != nil {
		t.Error(err)
	}
	if _, payload, err := c.Read(t.Context()); err != nil || string(payload) != "\xff" {
		t.Errorf("read %q, %v", payload, err)
	}
}

// filler makes messages of several lengths, one of them longer than what is written at once.
func filler(i int) string {
	if i == 100 {
		return strings.Repeat("x", writeAtOnce+1)
	}
	return strings.Repeat("x", 1+i%50*i)
}

func TestManyWriters(t *testing.T) {
	const writers, each = 8, 200
	c := dialTo(t, startServer(t, server.Config{MaxOutbound: 64 << 20}), Config{})
	var running sync.WaitGroup
	for w := range writers {
		running.Go(func() {
			for i := range each {
				text := fmt.Sprintf("%d %d %s", w, i, filler(i))
				if err := c.Write(t.Context(), ws.OpText, []byte(text)); err != nil {
					t.Error(err)
					return
				}
				if i%50 == 0 {
					if err := c.Ping(t.Context()); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	next := make([]int, writers)
	for range writers * each {
		_, payload, err := c.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var w, i int
		head, rest, _ := strings.Cut(string(payload), " x")
		fmt.Sscanf(head, "%d %d", &w, &i)
		if next[w] != i || "x"+rest != filler(i) {
			t.Fatalf("writer %d: message %d with %d bytes, want message %d", w, i, len(payload), next[w])
		}
		next[w]++
	}
	// The last pings wait for pongs that only a reader sees.
	last := make(chan struct{})
	go func() {
		defer close(last)
		c.Read(t.Context())
	}()
	running.Wait()
	c.CloseNow()
	<-last
}

func TestALargeBufferIsNotKept(t *testing.T) {
	c := dialTo(t, startServer(t, server.Config{}), Config{})
	for _, size := range []int{1000, largestKept + 1} {
		if err := c.Write(t.Context(), ws.OpBinary, make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		if kept := cap(c.out); (kept > 0) != (size == 1000) {
			t.Errorf("after %d bytes a buffer of %d is kept", size, kept)
		}
	}
}

func TestAContextEndsDuringWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := pipe(t, Config{PingAfter: -1})
		ctx, cancel := context.WithCancel(t.Context())
		wrote := make(chan error)
		go func() { wrote <- c.Write(ctx, ws.OpText, []byte("taken by nobody")) }()
		synctest.Wait()
		second, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		err := c.Write(second, ws.OpText, []byte("waits its turn"))
		wantError(t, err, context.DeadlineExceeded, "nothing was sent")
		if errors.Is(err, net.ErrClosed) {
			t.Errorf("it cost the connection: %v", err)
		}
		third := make(chan error)
		go func() { third <- c.Write(t.Context(), ws.OpText, nil) }()
		synctest.Wait()
		io.ReadFull(p, make([]byte, 5)) // half of the frame's header
		cancel()
		for _, err := range []error{<-wrote, <-third, readError(t, c)} {
			wantError(t, err, context.Canceled, net.ErrClosed)
		}
	})
}

// TestPingsAreAnsweredBesideAWriter: the reader hands the pong to the goroutine that writes, and reads on.
func TestPingsAreAnsweredBesideAWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := pipe(t, Config{PingAfter: -1})
		go c.Write(t.Context(), ws.OpText, []byte("in the way"))
		synctest.Wait()
		read := make(chan string)
		go func() {
			_, payload, _ := c.Read(t.Context())
			read <- string(payload)
		}()
		p.write(frame(ws.OpPing, "1"))
		p.send(ws.OpPing, "2")
		p.send(ws.OpText, "goes on") // where the pings were in the buffer
		if got := <-read; got != "goes on" {
			t.Errorf("read %q", got)
		}
		p.want(ws.OpText, "in the way")
		p.want(ws.OpPong, "2") // the latest only (RFC 6455, section 5.5.3)
	})
}

func TestAServerThatTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := pipe(t, Config{})
		begin := time.Now()
		err := c.Write(t.Context(), ws.OpBinary, make([]byte, 1000))
		wantError(t, err, ErrSilent, net.ErrClosed)
		if took := time.Since(begin); took != 40*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// TestAServerThatTakesSlowly takes 64 KiB in just less than the limit, again and again.
func TestAServerThatTakesSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := pipe(t, Config{})
		wrote := make(chan error)
		go func() { wrote <- c.Write(t.Context(), ws.OpBinary, make([]byte, 4*writeAtOnce-14)) }()
		for range 4 {
			time.Sleep(39 * time.Second)
			if _, err := io.ReadFull(p, make([]byte, writeAtOnce)); err != nil {
				t.Fatal(err)
			}
		}
		if err := <-wrote; err != nil {
			t.Error(err)
		}
	})
}

// TestEachFrameHasAMaskOfItsOwn (RFC 6455, section 5.3).
func TestEachFrameHasAMaskOfItsOwn(t *testing.T) {
	const frames = 100
	masks := make(chan int, 1)
	c := opened(t, Config{}, func(p *peer) {
		seen := map[[4]byte]bool{}
		for range frames {
			h, err := ws.ReadHeader(p.br)
			if err != nil {
				t.Error(err)
				break
			}
			seen[h.Mask] = true
		}
		masks <- len(seen)
	})
	for range frames {
		if err := c.Write(t.Context(), ws.OpText, nil); err != nil {
			t.Fatal(err)
		}
	}
	if n := receive(t, "the frames", masks); n < frames-1 { // two of 2^32 may be equal
		t.Errorf("%d frames had %d masks", frames, n)
	}
}
