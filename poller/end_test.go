//go:build linux || darwin || freebsd || dragonfly

package poller

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// ends records how sockets end.
func (r *rig) ends() <-chan error {
	ends := make(chan error, 100)
	r.script.closed = func(_ Token, err error) { ends <- err }
	return ends
}

// gathers records what is read.
func (r *rig) gathers(n int) <-chan []byte {
	all := make(chan []byte, 1)
	var p []byte
	r.script.data = func(_ Token, b *Buffer) {
		r.reads++
		if p = append(p, b.Bytes()...); len(p) >= n {
			all <- p
			p = nil
		}
	}
	return all
}

func TestEndOfStream(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		ends, got := r.ends(), r.gathers(5)
		r.start()
		_, c := r.add()
		c.Write([]byte("bytes"))
		c.Close()
		if p := wait(t, got); string(p) != "bytes" {
			t.Errorf("read %q", p)
		}
		if err := wait(t, ends); err != io.EOF {
			t.Errorf("closed: %v", err)
		}
		r.rests()
		if len(ends) > 0 {
			t.Errorf("closed again: %v", <-ends)
		}
	})
}

// The peer sends much and ends its direction: every byte arrives before io.EOF, and
// the other direction goes on working.
func TestHalfCloseWithUnreadData(t *testing.T) {
	for _, name := range Engines() {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, name, Config{ReadBuffer: 1000})
			sent := pattern(1 << 20)
			ends, got := r.ends(), r.gathers(len(sent))
			r.start()
			tok, fd, c := r.addFD()
			r.do(func() { must(t, r.engine.Pause(tok)) })
			go func() {
				c.Write(sent)
				c.CloseWrite()
			}()
			await(t, fd, unix.POLLIN)
			r.do(func() { must(t, r.engine.Resume(tok)) })
			if !bytes.Equal(wait(t, got), sent) {
				t.Error("what arrived differs from what was sent")
			}
			if err := wait(t, ends); err != io.EOF {
				t.Errorf("closed: %v", err)
			}
			r.rests()
			w := &writer{r: r, tok: tok, p: sent, done: make(chan struct{})}
			r.script.writable = func(Token) { w.write() }
			r.do(w.write)
			r.rests()
			back := readAll(c, len(sent))
			wait(t, w.done)
			if !bytes.Equal(wait(t, back), sent) {
				t.Error("what came back differs")
			}
			// Both directions have ended: a hang-up, which the kernel reports for ever.
			r.do(func() { must(t, r.engine.CloseWrite(tok)) })
			if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF {
				t.Errorf("the peer read %d, %v", n, err)
			}
			r.rests()
			r.do(func() {
				must(t, r.engine.Resume(tok)) // must not bring the end again
				must(t, r.engine.Close(tok))
			})
			if len(ends) > 0 {
				t.Errorf("closed again: %v", <-ends)
			}
		})
	}
}

func TestReset(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		ends := r.ends()
		r.start()
		tok, c := r.add()
		reset(t, c)
		err := wait(t, ends)
		var call *os.SyscallError
		if !errors.Is(err, unix.ECONNRESET) || !errors.As(err, &call) {
			t.Errorf("closed: %v", err)
		}
		r.rests()
		if len(ends) > 0 {
			t.Errorf("closed again: %v", <-ends)
		}
		r.do(func() { must(t, r.engine.Close(tok)) })
	})
}

// A reset while a Write waits: the handler learns of it, in whatever order.
func TestResetWhileWriting(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		ends := r.ends()
		failed := make(chan error, 1)
		write := func(tok Token) {
			for p := make([]byte, 1<<20); ; {
				n, err := r.engine.Write(tok, [][]byte{p})
				if err != nil {
					failed <- err
					return
				}
				if n < len(p) {
					return
				}
			}
		}
		r.script.writable = write
		r.start()
		tok, c := r.add()
		r.do(func() { write(tok) })
		reset(t, c)
		if err := wait(t, failed); !errors.Is(err, unix.ECONNRESET) && !errors.Is(err, unix.EPIPE) {
			t.Errorf("Write: %v", err)
		}
		if err := wait(t, ends); err != io.EOF && !errors.Is(err, unix.ECONNRESET) {
			t.Errorf("closed: %v", err)
		}
		r.rests()
	})
}

func TestPauseHoldsDataBack(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		sent := pattern(100_000)
		got := r.gathers(len(sent))
		r.start()
		tok, fd, c := r.addFD()
		r.do(func() {
			for range 2 {
				must(t, r.engine.Pause(tok))
			}
		})
		c.Write(sent)
		await(t, fd, unix.POLLIN)
		r.rests()
		r.do(func() {
			if r.reads != 0 {
				t.Errorf("%d reads while paused", r.reads)
			}
			for range 2 {
				must(t, r.engine.Resume(tok))
			}
		})
		if !bytes.Equal(wait(t, got), sent) {
			t.Error("what arrived differs from what was sent")
		}
	})
}

// Pause holds from the moment it is called, also against an event of the same batch.
func TestPauseWithinABatch(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		var tokens [2]Token
		var fds [2]int
		var peers [2]*net.TCPConn
		reads := make(chan Token, 10)
		r.script.data = func(tok Token, b *Buffer) {
			for i := range tokens {
				must(t, r.engine.Pause(tokens[i]))
			}
			reads <- tok
		}
		r.start()
		for i := range tokens {
			tokens[i], fds[i], peers[i] = r.addFD()
		}
		r.do(func() {
			for i := range peers {
				peers[i].Write([]byte{1})
				await(t, fds[i], unix.POLLIN)
			}
		})
		first := wait(t, reads)
		r.rests()
		if len(reads) != 0 {
			t.Fatal("read after Pause")
		}
		r.do(func() {
			for i := range tokens {
				must(t, r.engine.Resume(tokens[i]))
			}
		})
		if other := wait(t, reads); other == first {
			t.Errorf("%#x was read twice", other)
		}
	})
}

// While a socket is paused its peer leaves. Nothing may be lost and no turn wasted:
// the kernel reports a hang-up for as long as it is asked for anything.
func TestPeerLeavesWhilePaused(t *testing.T) {
	for _, v := range []struct {
		name  string
		leave func(t *testing.T, c *net.TCPConn)
		event int16
		data  string
		end   error
	}{
		{"fin", func(t *testing.T, c *net.TCPConn) { c.Write([]byte("bytes")); c.CloseWrite() }, unix.POLLIN, "bytes", io.EOF},
		{"reset", func(t *testing.T, c *net.TCPConn) { reset(t, c) }, unix.POLLHUP, "", unix.ECONNRESET},
	} {
		for _, writing := range []bool{false, true} {
			name := v.name
			if writing {
				name += " while writing"
			}
			t.Run(name, func(t *testing.T) {
				each(t, func(t *testing.T, r *rig) {
					ends := r.ends()
					var data strings.Builder
					r.script.data = func(_ Token, b *Buffer) { data.Write(b.Bytes()) }
					r.script.writable = func(Token) {}
					r.start()
					tok, fd, c := r.addFD()
					r.do(func() {
						must(t, r.engine.Pause(tok))
						for p, full := make([]byte, 1<<20), !writing; !full; {
							n, err := r.engine.Write(tok, [][]byte{p})
							must(t, err)
							full = n < len(p)
						}
					})
					v.leave(t, c)
					await(t, fd, v.event)
					r.rests()
					if len(ends) != 0 || data.Len() != 0 {
						t.Fatal("callbacks while paused")
					}
					r.do(func() { must(t, r.engine.Resume(tok)) })
					if err := wait(t, ends); !errors.Is(err, v.end) {
						t.Errorf("closed: %v, want %v", err, v.end)
					}
					if data.String() != v.data {
						t.Errorf("read %q, want %q", data.String(), v.data)
					}
					r.rests()
				})
			})
		}
	}
}

func TestCloseWhileWaiting(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.start()
		tok, c := r.add()
		r.rests() // the loop waits
		r.do(func() { must(t, r.engine.Close(tok)) })
		if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("the peer read %d, %v", n, err)
		}
		c.Write([]byte{1})
		r.rests()
	})
}

// Every callback may close its own socket.
func TestCloseWithinCallbacks(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		closing := make(chan string, 10)
		shut := func(tok Token, from string) {
			must(t, r.engine.Close(tok))
			closing <- from
		}
		r.script.data = func(tok Token, _ *Buffer) { shut(tok, "data") }
		r.script.closed = func(tok Token, _ error) { shut(tok, "closed") }
		r.script.writable = func(tok Token) { shut(tok, "writable") }
		r.start()

		_, c := r.add()
		c.Write([]byte{1})
		if from := wait(t, closing); from != "data" {
			t.Errorf("closed by %s", from)
		}
		_, c = r.add()
		c.Close()
		if from := wait(t, closing); from != "closed" {
			t.Errorf("closed by %s", from)
		}
		// Readable and writable at once: what Data closes is not written to.
		tok, fd, c := r.addFD()
		filled := 0
		r.do(func() {
			for p := make([]byte, 1<<20); ; {
				n, err := r.engine.Write(tok, [][]byte{p})
				must(t, err)
				if filled += n; n < len(p) {
					break
				}
			}
			must(t, ignore(io.CopyN(io.Discard, c, int64(filled))))
			c.Write([]byte{1})
			await(t, fd, unix.POLLIN)
			await(t, fd, unix.POLLOUT)
		})
		if from := wait(t, closing); from != "data" {
			t.Errorf("closed by %s", from)
		}
		r.rests()
		if len(closing) != 0 {
			t.Errorf("closed again by %s", <-closing)
		}
	})
}

func TestDetach(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.start()
		tok, was, c := r.addFD()
		var fd int
		r.do(func() {
			must(t, r.engine.Pause(tok))
			c.Write([]byte("unread"))
			await(t, was, unix.POLLIN)
			must(t, r.engine.Resume(tok)) // an event is pending now
			var err error
			fd, err = r.engine.Detach(tok)
			must(t, err)
			if _, err := r.engine.Detach(tok); err != ErrStale {
				t.Errorf("Detach again: %v", err)
			}
		})
		r.rests()
		f := os.NewFile(uintptr(fd), "")
		conn, err := net.FileConn(f)
		must(t, err)
		must(t, f.Close())
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(patience))
		p := make([]byte, 100)
		if n, err := conn.Read(p); string(p[:n]) != "unread" || err != nil {
			t.Errorf("read %q, %v", p[:n], err)
		}
		// And back in again: the engine keeps nothing that is in the way.
		raw, err := conn.(*net.TCPConn).SyscallConn()
		must(t, err)
		raw.Control(func(s uintptr) { fd, err = duplicate(s) })
		must(t, err)
		got := r.gathers(1)
		r.do(func() {
			_, err = r.engine.Add(fd)
			must(t, err)
		})
		c.Write([]byte{1})
		wait(t, got)
	})
}
