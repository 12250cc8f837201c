//go:build linux || darwin || freebsd || dragonfly

package poller

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// echo writes back what it reads, in two parts if answer has two.
type echo struct {
	engine Engine
	answer [][]byte
}

func (h *echo) Data(t Token, b *Buffer) {
	p := b.Bytes()
	h.answer[0] = p
	if len(h.answer) == 2 {
		h.answer[0], h.answer[1] = p[:len(p)/2], p[len(p)/2:]
	}
	h.engine.Write(t, h.answer)
}

func (h *echo) Accepted(_, _ Token, _ netip.AddrPort, _ error) {}
func (h *echo) Writable(Token, int)                            {}
func (h *echo) Closed(t Token, _ error)                        { h.engine.Close(t) }
func (h *echo) Turn() time.Duration                            { return 100 * time.Millisecond }

// ignoresAccepts takes connections and does nothing with them.
func (r *rig) ignoresAccepts() func(_, _ Token, _ netip.AddrPort, _ error) {
	return func(_, _ Token, _ netip.AddrPort, err error) { must(r, err) }
}

// driver is an echo and its own peers: after each echo it takes the answer in and sends
// the next message, so that one goroutine does all the work and nothing waits.
type driver struct {
	echo
	peers []int // by slot
	p     []byte
	left  int
}

func (d *driver) Data(t Token, b *Buffer) {
	d.echo.Data(t, b)
	peer := d.peers[t.Slot()]
	receive(peer, d.p)
	if d.left--; d.left <= 0 {
		d.engine.Stop()
		return
	}
	unix.Write(peer, d.p)
}

// BenchmarkEcho echoes 100 bytes over sockets that are all readable all the time. The
// peer's write and read are in the figure; "bare" is both sides' calls without an engine.
func BenchmarkEcho(b *testing.B) {
	for _, conns := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("bare/sockets=%d", conns), func(b *testing.B) { benchmarkBare(b, conns) })
		for _, name := range Engines() {
			b.Run(fmt.Sprintf("%s/sockets=%d", name, conns), func(b *testing.B) {
				e, err := Open(name, Config{})
				must(b, err)
				d := &driver{echo: echo{engine: e, answer: make([][]byte, 1)}, p: pattern(100), left: b.N}
				for range conns {
					fd := socketPair(b)
					_, err = e.Add(fd[0])
					must(b, err)
					d.peers = append(d.peers, fd[1])
					unix.Write(fd[1], d.p)
				}
				b.ReportAllocs()
				b.ResetTimer()
				must(b, e.Run(d))
				b.StopTimer()
				for _, fd := range d.peers {
					unix.Close(fd)
				}
			})
		}
	}
}

func benchmarkBare(b *testing.B, conns int) {
	p := pattern(100)
	var pairs [][2]int
	for range conns {
		fd := socketPair(b)
		pairs = append(pairs, fd)
		defer unix.Close(fd[0])
		defer unix.Close(fd[1])
	}
	var s sender
	answer := [][]byte{p}
	b.ResetTimer()
	for i := 0; i < b.N; i += conns {
		for _, fd := range pairs {
			unix.Write(fd[1], p)
		}
		for _, fd := range pairs {
			receive(fd[0], p)
			s.send(fd[0], answer)
			receive(fd[1], p)
		}
	}
}

func socketPair(b *testing.B) [2]int {
	fd, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	must(b, err)
	for _, f := range fd {
		must(b, unix.SetNonblock(f, true))
		unix.CloseOnExec(f)
	}
	return fd
}

// BenchmarkWake is one wake-up of a loop that sleeps, until its Turn has run.
func BenchmarkWake(b *testing.B) {
	for _, name := range Engines() {
		b.Run(name, func(b *testing.B) {
			e, err := Open(name, Config{})
			must(b, err)
			turns := make(chan struct{}, 1)
			ended := make(chan error, 1)
			go func() { ended <- e.Run(&ticker{turns: turns}) }()
			<-turns
			b.ReportAllocs()
			for b.Loop() {
				e.Wake()
				<-turns
			}
			e.Stop()
			must(b, <-ended)
		})
	}
}

// ticker tells of its turns.
type ticker struct {
	echo
	turns chan struct{}
}

func (h *ticker) Turn() time.Duration {
	select {
	case h.turns <- struct{}{}:
	default:
	}
	return -1
}
