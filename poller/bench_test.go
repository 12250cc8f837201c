//go:build linux || darwin || freebsd || dragonfly

package poller

import (
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

// BenchmarkEcho has the engine echo 100 bytes on many sockets that are all readable
// at once. The peer's part, one write and one read a message, is in the figure too.
func BenchmarkEcho(b *testing.B) {
	for _, conns := range []int{1, 200} {
		for _, name := range Engines() {
			b.Run(benchName(name, conns), func(b *testing.B) {
				e, err := Open(name, Config{})
				must(b, err)
				peers := make([]int, conns)
				for i := range peers {
					fd, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
					must(b, err)
					_, err = e.Add(fd[0])
					must(b, err)
					peers[i] = fd[1]
				}
				ended := make(chan error, 1)
				go func() { ended <- e.Run(&echo{engine: e, answer: make([][]byte, 1)}) }()
				p := pattern(100)
				b.ReportAllocs()
				for i := 0; i < b.N; i += conns {
					for _, fd := range peers {
						unix.Write(fd, p)
					}
					for _, fd := range peers {
						unix.Read(fd, p)
					}
				}
				b.StopTimer()
				e.Stop()
				must(b, <-ended)
				for _, fd := range peers {
					unix.Close(fd)
				}
			})
		}
	}
}

func benchName(engine string, conns int) string {
	if conns == 1 {
		return engine + "/1 socket"
	}
	return engine + "/200 sockets"
}
