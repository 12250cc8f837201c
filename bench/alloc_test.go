package bench

import (
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/wsproto"
)

// mirror echoes frames of one connection without allocating: what is counted is the tool's.
func mirror(p *peer, frames int, reached func()) {
	codec := wsproto.Codec{Role: wsproto.Server}
	var decoder wsproto.Decoder
	defer decoder.Release()
	in, out := make([]byte, 64<<10), make([]byte, 0, 128<<10)
	raw := p.conn.(*net.TCPConn)
	for seen := 0; ; {
		n, err := raw.Read(in)
		if err != nil {
			return
		}
		out = out[:0]
		for b := in[:n]; len(b) > 0; {
			m, used, err := codec.Next(&decoder, b)
			if err != nil {
				return
			}
			b = b[used:]
			switch m.Op {
			case ws.OpClose:
				out = wsproto.AppendFrame(out, m.Op, m.Payload)
			case ws.OpBinary:
				out = wsproto.AppendFrame(out, m.Op, m.Payload)
				if seen++; seen == frames/10 || seen == frames {
					reached()
				}
			}
		}
		if _, err := raw.Write(out); err != nil {
			return
		}
	}
}

// TestAllocEcho: the closed loop allocates nothing for a message that is echoed. It
// counts all that the process allocates between the thousandth message and the ten
// thousandth, the double's share and an interval or two included.
func TestAllocEcho(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const messages = 10_000
	var mallocs []uint64
	stop := newStopper()
	d := &double{}
	d.opened = func(p *peer) {
		mirror(p, messages, func() {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			if mallocs = append(mallocs, m.Mallocs); len(mallocs) == 2 {
				stop.stop()
			}
		})
	}
	d.start(t)
	c := short(d, Echo)
	c.Conns, c.Loops, c.Duration = 1, 1, Duration(time.Minute)
	mustRun(t, c, Options{Stop: stop.c})
	if len(mallocs) != 2 {
		t.Fatalf("%d measurements", len(mallocs))
	}
	per := float64(mallocs[1]-mallocs[0]) / (messages * 9 / 10)
	t.Logf("%v allocations a message", per)
	if per >= 0.05 {
		t.Errorf("%v allocations a message", per)
	}
}
