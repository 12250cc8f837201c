//go:build linux || darwin || freebsd || dragonfly

package poller

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// Two sockets are readable in one batch. The first callback closes the other one and
// puts a new socket under its descriptor number: the event that is still pending must
// reach neither.
func TestStaleEventAfterDescriptorReuse(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		var tokens [2]Token
		var fds [2]int
		var peers [2]*net.TCPConn
		newFD, newPeer := pair(t)
		r.peers = append(r.peers, newPeer)
		var fresh, stale Token
		reads := make(chan Token, 10)
		r.script.data = func(tok Token, b *Buffer) {
			reads <- tok
			if fresh != 0 {
				return
			}
			other := 0
			if tok == tokens[0] {
				other = 1
			}
			stale = tokens[other]
			must(t, r.engine.Close(stale))
			must(t, dupTo(newFD, fds[other]))
			must(t, unix.Close(newFD))
			var err error
			fresh, err = r.engine.Add(fds[other])
			must(t, err)
			if fresh.Slot() != stale.Slot() || fresh == stale {
				t.Errorf("the slot of %#x is to be used again, under a new generation: %#x", stale, fresh)
			}
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
		wait(t, reads)
		r.rests()
		if len(reads) > 0 {
			t.Errorf("an old event reached %#x", <-reads)
		}
		r.do(func() {
			_, writeErr := r.engine.Write(stale, [][]byte{{1}})
			_, detachErr := r.engine.Detach(stale)
			for i, err := range []error{writeErr, detachErr, r.engine.Pause(stale), r.engine.Resume(stale),
				r.engine.CloseWrite(stale), r.engine.Close(stale)} {
				if !errors.Is(err, ErrStale) || !errors.Is(err, net.ErrClosed) {
					t.Errorf("method %d with a stale token: %v", i, err)
				}
			}
		})
		newPeer.Write([]byte{1})
		if got := wait(t, reads); got != fresh {
			t.Errorf("%#x was read, want %#x", got, fresh)
		}
	})
}

// A socket is readable and writable at once. Its Data closes it, and a new socket that is
// full takes the slot: the second half of the event is not for that one.
func TestStaleHalfOfAnEvent(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		fill := func(tok Token) (n int) {
			for p := make([]byte, 1<<20); ; {
				m, err := r.engine.Write(tok, [][]byte{p})
				must(t, err)
				if n += m; m < len(p) {
					return n
				}
			}
		}
		newFD, newPeer := pair(t)
		r.peers = append(r.peers, newPeer)
		read := make(chan struct{})
		r.script.data = func(tok Token, _ *Buffer) {
			must(t, r.engine.Close(tok))
			fresh, err := r.engine.Add(newFD)
			must(t, err)
			if fresh.Slot() != tok.Slot() {
				t.Errorf("slot %d after %d was freed", fresh.Slot(), tok.Slot())
			}
			fill(fresh)
			close(read)
		}
		r.start()
		tok, fd, c := r.addFD()
		r.do(func() {
			must(t, ignore(io.CopyN(io.Discard, c, int64(fill(tok)))))
			c.Write([]byte{1})
			await(t, fd, unix.POLLIN)
			await(t, fd, unix.POLLOUT)
		})
		wait(t, read)
		r.rests()
	})
}

func TestTokensThatNeverWere(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		for _, tok := range []Token{0, 1, 1 << 32, 1<<64 - 1} {
			if err := r.engine.Close(tok); err != ErrStale {
				t.Errorf("Close(%#x): %v", tok, err)
			}
		}
	})
}

func TestAddOfBadDescriptors(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		check := func() {
			for _, fd := range []int{-1, 1 << 30} {
				for _, take := range []func(int) (Token, error){r.engine.Add, r.engine.Listen} {
					tok, err := take(fd)
					var call *os.SyscallError
					if tok != 0 || !errors.Is(err, unix.EBADF) || !errors.As(err, &call) {
						t.Errorf("%d is taken: %#x, %v", fd, tok, err)
					}
				}
			}
			if !refusesFiles {
				return
			}
			f, err := unix.Open(filepath.Join(t.TempDir(), "f"), unix.O_CREAT|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
			must(t, err)
			if tok, err := r.engine.Add(f); tok != 0 || !errors.Is(err, unix.EPERM) {
				t.Errorf("a file is taken: %#x, %v", tok, err)
			}
			if err := unix.Close(f); err != unix.EBADF {
				t.Errorf("a refused descriptor stays open: %v", err)
			}
			// Nothing of the failure is left in the way of the number's next use.
			tok, _ := r.add2()
			must(t, r.engine.Close(tok))
		}
		check()
		r.start()
		r.do(check)
	})
}

// add2 gives one end of a new connection to the engine from wherever that is allowed.
func (r *rig) add2() (Token, *net.TCPConn) {
	fd, c := pair(r)
	r.peers = append(r.peers, c)
	tok, err := r.engine.Add(fd)
	must(r, err)
	return tok, c
}

// A blocking descriptor (os.File and child processes make them) must not stop the loop.
func TestAddMakesNonBlocking(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		fd, c := pair(t)
		r.peers = append(r.peers, c)
		must(t, unix.SetNonblock(fd, false))
		_, err := r.engine.Add(fd)
		must(t, err)
		if f, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err != nil || f&unix.O_NONBLOCK == 0 {
			t.Errorf("flags %#x, %v", f, err)
		}
	})
}

func TestTableGrowsWithoutMoving(t *testing.T) {
	var tb table
	tb.init()
	first, s := tb.add(7, 0)
	if first == 0 || first.Slot() != 0 {
		t.Fatalf("the first token is %#x", first)
	}
	tokens := []Token{first}
	for i := range 3 * pageSize {
		tok, _ := tb.add(8+i, 0)
		if int(tok.Slot()) != len(tokens) {
			t.Fatalf("slot %d after %d", tok.Slot(), len(tokens))
		}
		tokens = append(tokens, tok)
	}
	if tb.get(first) != s || s.fd != 7 {
		t.Error("the first slot has moved")
	}
	for _, tok := range tokens {
		tb.remove(tok, tb.get(tok))
		if tb.get(tok) != nil {
			t.Fatalf("%#x is alive", tok)
		}
	}
	for i := range tokens { // the last freed first
		tok, _ := tb.add(9, 0)
		old := tokens[len(tokens)-1-i]
		if tok.Slot() != old.Slot() || tok == old {
			t.Fatalf("after %#x was freed comes %#x", old, tok)
		}
	}
	if int(tb.top) != len(tokens) {
		t.Errorf("%d slots for %d sockets", tb.top, len(tokens))
	}
}

// The generation after the last one is not 0: token 0 must never name a socket.
func TestGenerationSkipsZero(t *testing.T) {
	var tb table
	tb.init()
	tok, s := tb.add(7, 0)
	s.generation = 1<<32 - 1
	tok = makeToken(tok.Slot(), s.generation)
	tb.remove(tok, s)
	if next, _ := tb.add(7, 0); next != makeToken(0, 1) {
		t.Errorf("token %#x", next)
	}
}
