package bench

import (
	"sync"
	"testing"

	"github.com/gobwas/ws"
)

// TestAFewSayGoodbyeAtATime: the double answers no Close before as many have come as may
// be under way.
func TestAFewSayGoodbyeAtATime(t *testing.T) {
	t.Parallel()
	const conns = 2*farewells + 10
	var mu sync.Mutex
	full := make(chan struct{})
	said, under, most := 0, 0, 0
	d := &double{goodbye: func(*peer) {
		mu.Lock()
		said++
		under++
		most = max(most, under)
		if said == farewells {
			close(full)
		}
		mu.Unlock()
		<-full
		mu.Lock()
		under-- // the answer comes after this: the client has no fewer under way
		mu.Unlock()
	}}
	d.start(t)
	c := short(d, Idle)
	c.Conns, c.Loops = conns, 1
	_, sum := mustRun(t, c, Options{})
	expect(t, "at a time", int64(most), farewells)
	expect(t, "said goodbye", int64(d.closed(ws.StatusNormalClosure)), conns)
	expect(t, "left", sum.Left, conns)
	expect(t, "lost", sum.Lost, 0)
}

// TestNobodyWaitsForAServerThatAnswersNoClose: after the first handful the rest is closed.
func TestNobodyWaitsForAServerThatAnswersNoClose(t *testing.T) {
	t.Parallel()
	d := &double{goodbye: func(p *peer) { p.hang() }}
	d.start(t)
	c := short(d, Idle)
	c.Conns, c.Loops = farewells+10, 1
	_, sum := mustRun(t, c, Options{})
	expect(t, "said goodbye", int64(d.closed(ws.StatusNormalClosure)), farewells)
	expect(t, "left", sum.Left, farewells+10)
}
