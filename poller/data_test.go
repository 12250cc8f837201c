//go:build linux || darwin || freebsd || dragonfly

package poller

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestEcho(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		fds, addr, err := Listen("127.0.0.1:0", 1)
		must(t, err)
		l, err := r.engine.Listen(fds[0])
		must(t, err)
		peers := make(chan netip.AddrPort, 1)
		r.script.accepted = func(from, _ Token, peer netip.AddrPort, err error) {
			if from != l || err != nil {
				t.Errorf("accepted by %#x, want %#x; error %v", from, l, err)
			}
			peers <- peer
		}
		r.script.data = func(tok Token, b *Buffer) {
			if n, err := r.engine.Write(tok, [][]byte{b.Bytes()}); n != len(b.Bytes()) || err != nil {
				t.Errorf("Write: %d of %d, %v", n, len(b.Bytes()), err)
			}
		}
		r.start()
		c, err := net.Dial("tcp", addr.String())
		must(t, err)
		r.peers = append(r.peers, c)
		if peer := wait(t, peers); peer.String() != c.LocalAddr().String() {
			t.Errorf("peer is %v, want %v", peer, c.LocalAddr())
		}
		for _, n := range []int{1, 100, 10_000} {
			sent := pattern(n)
			got := readAll(c, n)
			if _, err := c.Write(sent); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(wait(t, got), sent) {
				t.Fatalf("the echo of %d bytes differs", n)
			}
		}
	})
}

// One read per event: two busy sockets take turns, whatever waits in them.
func TestBusySocketsTakeTurns(t *testing.T) {
	for _, name := range Engines() {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, name, Config{ReadBuffer: 100})
			type read struct {
				tok Token
				n   int
			}
			reads := make(chan read, 100)
			r.script.data = func(tok Token, b *Buffer) { reads <- read{tok, len(b.Bytes())} }
			r.start()
			a, afd, ac := r.addFD()
			b, bfd, bc := r.addFD()
			r.do(func() {
				ac.Write(make([]byte, 1000))
				bc.Write(make([]byte, 1000))
				await(t, afd, unix.POLLIN)
				await(t, bfd, unix.POLLIN)
			})
			left := map[Token]int{a: 1000, b: 1000}
			var order []Token
			for left[a]+left[b] > 0 {
				got := wait(t, reads)
				left[got.tok] -= got.n
				order = append(order, got.tok)
			}
			for i := 2; i+1 < len(order); i++ {
				if order[i] == order[i-1] && order[i] == order[i-2] {
					t.Fatalf("read %d is the third in a row of one socket: %x", i, order)
				}
			}
		})
	}
}

// writer sends p with as many Writes as it takes, first in start, then in Writable.
type writer struct {
	r      *rig
	tok    Token
	p      []byte
	shorts int
	done   chan struct{}
}

func (w *writer) write() {
	for len(w.p) > 0 {
		chunk := w.p[:min(len(w.p), 300_000)]
		n, err := w.r.engine.Write(w.tok, [][]byte{chunk[:len(chunk)/3], nil, chunk[len(chunk)/3:]})
		if err != nil {
			w.r.Errorf("Write: %v", err)
			break
		}
		w.p = w.p[n:]
		if n < len(chunk) {
			w.shorts++
			return
		}
	}
	close(w.done)
}

func TestPartialWritesAreContinued(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.start()
		tok, fd, c := r.addFD()
		must(t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 64<<10))
		sent := pattern(8 << 20)
		w := &writer{r: r, tok: tok, p: sent, done: make(chan struct{})}
		r.script.writable = func(got Token) {
			if got != tok {
				t.Errorf("writable: %#x, want %#x", got, tok)
			}
			w.write()
		}
		r.do(w.write)
		r.rests() // with a full socket and nobody reading
		got := readAll(c, len(sent))
		wait(t, w.done)
		if !bytes.Equal(wait(t, got), sent) {
			t.Error("what arrived differs from what was sent")
		}
		if w.shorts < 2 {
			t.Errorf("the socket was full %d times: this shows nothing", w.shorts)
		}
		r.rests() // writable, and nothing to write
	})
}

// Writable comes once for each short Write, also when the handler leaves the writing
// to the end of the turn.
func TestWritableComesOnce(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.start()
		tok, c := r.add()
		sent, writables := 0, make(chan struct{}, 10)
		r.script.writable = func(Token) { writables <- struct{}{} }
		fill := func() {
			for p := make([]byte, 1<<20); ; {
				n, err := r.engine.Write(tok, [][]byte{p})
				must(t, err)
				if sent += n; n < len(p) {
					return
				}
			}
		}
		r.do(fill)
		for range 3 {
			must(t, ignore(io.CopyN(io.Discard, c, int64(sent))))
			wait(t, writables)
			r.rests()
			sent = 0
			r.do(fill)
		}
		if len(writables) != 0 {
			t.Errorf("%d calls of Writable too many", len(writables))
		}
	})
}

func ignore(_ int64, err error) error { return err }

func TestWriteOfThousandsOfBuffers(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.start()
		tok, c := r.add()
		sent := pattern(5 * maxVector)
		var bufs [][]byte
		for p := range slices.Chunk(sent, 2) {
			bufs = append(bufs, p, nil)
		}
		got := readAll(c, len(sent))
		r.do(func() {
			if n, err := r.engine.Write(tok, bufs); n != len(sent) || err != nil {
				t.Errorf("Write: %d, %v", n, err)
			}
			for _, nothing := range [][][]byte{nil, {}, {nil}, {{}, {}}} {
				if n, err := r.engine.Write(tok, nothing); n != 0 || err != nil {
					t.Errorf("Write of nothing: %d, %v", n, err)
				}
			}
		})
		if !bytes.Equal(wait(t, got), sent) {
			t.Error("what arrived differs from what was sent")
		}
	})
}

// A peer that is gone makes Write fail, and raises no signal.
func TestWriteToAClosedPeer(t *testing.T) {
	signals := make(chan os.Signal, 10)
	each(t, func(t *testing.T, r *rig) {
		if noSignal {
			signal.Notify(signals, syscall.SIGPIPE)
			defer signal.Stop(signals)
		}
		r.start()
		tok, fd, c := r.addFD()
		r.do(func() { must(t, r.engine.Pause(tok)) })
		reset(t, c)
		await(t, fd, unix.POLLHUP)
		r.do(func() {
			for _, bufs := range [][][]byte{{{1}}, {{1}, {2}}, {{3}}} {
				n, err := r.engine.Write(tok, bufs)
				if n != 0 || !errors.Is(err, unix.ECONNRESET) && !errors.Is(err, unix.EPIPE) {
					t.Errorf("Write: %d, %v", n, err)
				}
				var call *os.SyscallError
				if !errors.As(err, &call) {
					t.Errorf("%v does not name the call", err)
				}
			}
		})
		select {
		case s := <-signals:
			t.Errorf("signal: %v", s)
		default:
		}
	})
}

// A socket may be added as soon as its connect was called, however that ends.
func TestAddWhileConnecting(t *testing.T) {
	if !canAddConnecting {
		t.Skip("promised for Linux only")
	}
	each(t, func(t *testing.T, r *rig) {
		s, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		must(t, err)
		defer unix.Close(s)
		must(t, unix.Bind(s, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
		addr, err := unix.Getsockname(s)
		must(t, err)
		closed := make(chan error, 1)
		r.script.closed = func(_ Token, err error) { closed <- err }
		writable := make(chan struct{}, 1)
		r.script.writable = func(Token) { writable <- struct{}{} }
		r.start()

		connect := func() (tok Token) {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
			must(t, err)
			must(t, unix.SetNonblock(fd, true))
			connectErr := unix.Connect(fd, addr)
			if connectErr != nil && connectErr != unix.EINPROGRESS && connectErr != unix.ECONNREFUSED {
				t.Fatal(connectErr)
			}
			r.do(func() {
				tok, err = r.engine.Add(fd)
				must(t, err)
				if n, err := r.engine.Write(tok, [][]byte{{1}}); n == 0 && err == nil {
					return
				}
				writable <- struct{}{} // connected or refused already
			})
			return tok
		}
		connect() // nobody listens
		if err := wait(t, closed); err != io.EOF && !errors.Is(err, unix.ECONNREFUSED) {
			t.Errorf("closed: %v", err)
		}
		wait(t, writable)
		must(t, unix.Listen(s, 1))
		connect()
		wait(t, writable)
	})
}

func TestCloseWrite(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		data := make(chan string, 1)
		r.script.data = func(_ Token, b *Buffer) { data <- string(b.Bytes()) }
		r.start()
		tok, c := r.add()
		r.do(func() {
			must(t, ignore(0, second(r.engine.Write(tok, [][]byte{[]byte("last")}))))
			must(t, r.engine.CloseWrite(tok))
			if n, err := r.engine.Write(tok, [][]byte{{1}}); n != 0 || !errors.Is(err, unix.EPIPE) {
				t.Errorf("Write after CloseWrite: %d, %v", n, err)
			}
		})
		if got, err := io.ReadAll(c); string(got) != "last" || err != nil {
			t.Errorf("the peer read %q, %v", got, err)
		}
		c.Write([]byte("answer"))
		if got := wait(t, data); got != "answer" {
			t.Errorf("read %q after CloseWrite", got)
		}
	})
}

func second[A, B any](_ A, b B) B { return b }

func TestManyBusyConnections(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		type state struct{ pending []byte }
		states := map[Token]*state{}
		flush := func(tok Token) {
			s := states[tok]
			n, err := r.engine.Write(tok, [][]byte{s.pending})
			must(t, err)
			s.pending = s.pending[n:]
		}
		r.script.data = func(tok Token, b *Buffer) {
			s := states[tok]
			if s == nil {
				s = &state{}
				states[tok] = s
			}
			waiting := len(s.pending) > 0
			s.pending = append(s.pending, b.Bytes()...)
			if !waiting {
				flush(tok)
			}
		}
		r.script.writable = flush
		r.script.closed = func(tok Token, err error) {
			if err != io.EOF {
				t.Errorf("closed: %v", err)
			}
			delete(states, tok)
			must(t, r.engine.Close(tok))
		}
		r.start()
		const conns, size = 50, 200_000
		results := make(chan bool)
		for i := range conns {
			_, c := r.add()
			go func() {
				sent := pattern(size + i)
				got := readAll(c, len(sent))
				c.Write(sent)
				ok := bytes.Equal(<-got, sent)
				c.Close()
				results <- ok
			}()
		}
		for range conns {
			if !wait(t, results) {
				t.Error("an echo differs")
			}
		}
		r.eventually(func() bool { return len(states) == 0 })
	})
}

// eventually looks on the loop, once per turn, until it holds.
func (r *rig) eventually(holds func() bool) {
	r.Helper()
	for end := time.Now().Add(patience); ; {
		held := false
		r.do(func() { held = holds() })
		if held {
			return
		}
		if time.Now().After(end) {
			r.Fatal("it does not come about")
		}
	}
}
