package server

import (
	"bytes"
	"testing"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/wsproto"
)

// exchanges measures how many allocations a message of 512 bytes and its answer of as many cost once all is warm.
func exchanges(t *testing.T, c Config) float64 {
	t.Helper()
	if raceEnabled {
		t.Skip("under the race detector sync.Pool forgets a quarter of what it is given; .ci/run runs this without")
	}
	c.Loops = 1
	p := start(t, c).dial()
	request := frame(ws.OpBinary, true, bytes.Repeat([]byte("x"), 512))
	reply := make([]byte, 4+512)
	p.SetDeadline(neverLate())
	exchange := func() {
		if _, err := p.Conn.Write(request); err != nil {
			t.Fatal(err)
		}
		for got := 0; got < len(reply); {
			n, err := p.Conn.Read(reply[got:])
			if err != nil {
				t.Fatal(err)
			}
			got += n
		}
	}
	for range 200 {
		exchange()
	}
	return testing.AllocsPerRun(2000, exchange)
}

func TestAllocOfAnEchoOnThePool(t *testing.T) {
	if n := exchanges(t, Config{Handler: Handler{OnMessage: echo}}); n != 0 {
		t.Errorf("%v allocations per echo, want 0", n)
	}
}

func TestAllocOfAPreparedAnswer(t *testing.T) {
	answer := wsproto.Prepare(ws.OpBinary, make([]byte, 512))
	c := Config{Inline: true, Handler: Handler{OnMessage: func(c *Conn, _ Message) { c.SendPrepared(answer) }}}
	if n := exchanges(t, c); n != 0 {
		t.Errorf("%v allocations per answer, want 0", n)
	}
}
