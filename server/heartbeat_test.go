package server

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/poller"
)

// fire has an open connection's timer fire on its loop as if it were the tick at.
func fire(c *Conn, at uint32) {
	on(c, func() {
		l := c.loop
		now := l.tick
		defer func() { l.tick = now }()
		l.tick = at
		l.wheel.clear(c.token.Slot())
		l.timeout(c)
	})
}

// lastHeard is the tick of the last byte from an open connection's peer.
func lastHeard(c *Conn) (at uint32) {
	on(c, func() { at = c.heard })
	return at
}

// stalled is a connection that is not read, because its handler waits for release to be called and its mailbox is full. Two
// messages have arrived, and one but for its bytes rest.
func stalled(t *testing.T, c Config) (r *rig, p *peer, conn *Conn, rest []byte, release func()) {
	t.Helper()
	gate := make(chan struct{})
	c.MailboxBytes = 1 << 10
	c.Handler.OnMessage = func(*Conn, Message) { <-gate }
	r, p, conn = slowRig(t, c)
	release = sync.OnceFunc(func() { close(gate) })
	t.Cleanup(release)
	whole := frame(ws.OpBinary, true, make([]byte, 3000))
	p.write(whole)
	r.await("the first message", func(s Stats) bool { return s.MessagesIn == 1 })
	p.write(slices.Concat(whole, whole[:100]))
	awaitFlag(t, conn, flagPartial, true)
	awaitFlag(t, conn, flagPaused, true)
	return r, p, conn, whole[100:], release
}

// awaitFlag waits until a flag of an open connection is set, or is not.
func awaitFlag(t *testing.T, c *Conn, f flags, set bool) {
	t.Helper()
	await(t, "a flag of the connection", func() (ok bool) {
		on(c, func() { ok = c.flags&f != 0 == set })
		return ok
	})
}

// engines runs a test on every engine, with the handlers on the pool: inline ones have no mailbox.
func engines(t *testing.T, f func(t *testing.T, c Config)) {
	for _, engine := range poller.Engines() {
		t.Run(engine, func(t *testing.T) { f(t, Config{Engine: engine}) })
	}
}

func TestAConnectionThatIsNotReadIsNotPingedButKeepsItsHeartbeat(t *testing.T) {
	attacksOnPool(t, func(t *testing.T, c Config) {
		c.PingAfter, c.MessageTimeout = 30*time.Second, 40*time.Minute
		r, p, conn, rest, release := stalled(t, c)
		last := lastHeard(conn)
		for idle := time.Duration(0); idle < 3*c.PingAfter; idle += c.PingAfter / 16 {
			fire(conn, last+ticks(idle))
			on(conn, func() {
				due := conn.loop.wheel.at(conn.token.Slot()).due
				if wait := due - last - ticks(idle); due == 0 || wait > ticks(c.PingAfter) {
					t.Errorf("after %v without reading the next check is armed for tick %d, %d ticks on", idle, due, int32(wait))
				}
			})
		}
		if n := r.Stats().PingsOut; n != 0 {
			t.Errorf("%d pings were sent while nothing was read", n)
		}
		release()
		p.write(rest)
		r.await("the third message", func(s Stats) bool { return s.MessagesIn == 3 })
		awaitFlag(t, conn, flagPaused, false)
		fire(conn, lastHeard(conn)+ticks(c.PingAfter))
		p.want(ws.OpPing, "")
	})
}

func TestTheGraceBeginsWithThePingHoweverLateThatIs(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		c.PingAfter, c.PingGrace = time.Second, 10*time.Second
		ch := closes(&c)
		_, p, conn := slowRig(t, c)
		ping := lastHeard(conn) + ticks(time.Minute) // a loop that was busy, or a connection that was not read
		fire(conn, ping)
		p.want(ws.OpPing, "")
		grace := ticks(c.PingGrace)
		for _, after := range []uint32{1, grace / 8, grace / 2, grace - 1} {
			fire(conn, ping+after)
			if conn.State() != Open {
				t.Fatalf("ended %v after the ping, before the grace of %v is over", time.Duration(after)*tick, c.PingGrace)
			}
		}
		fire(conn, ping+grace)
		wantClosed(t, ch, ReasonPingTimeout, 1006, "ping timeout", false)
	})
}

func TestAMessageDoesNotTimeOutWhileItIsNotRead(t *testing.T) {
	attacksOnPool(t, func(t *testing.T, c Config) {
		c.MessageTimeout = 10 * time.Second
		ch := closes(&c)
		r, p, conn, rest, release := stalled(t, c)
		fire(conn, lastHeard(conn)+ticks(11*time.Second))
		if conn.State() != Open {
			t.Fatal("the connection has ended because its handler is slow")
		}
		on(conn, func() { // so long ago did the message begin
			conn.heard -= ticks(time.Minute)
			conn.partial -= uint16(ticks(time.Minute))
		})
		release()
		awaitFlag(t, conn, flagPaused, false)
		fire(conn, lastHeard(conn)+ticks(time.Second))
		if conn.State() != Open {
			t.Fatal("the peer is blamed for the time in which it was not read")
		}
		p.write(rest)
		r.await("the third message", func(s Stats) bool { return s.MessagesIn == 3 })
		p.write(frame(ws.OpText, true, nil)[:1]) // the rest of this one never comes
		awaitFlag(t, conn, flagPartial, true)
		fire(conn, lastHeard(conn)+ticks(11*time.Second))
		p.wantClose(1008)
		p.Close()
		wantClosed(t, ch, ReasonMessageTimeout, 1008, "message timeout", false)
	})
}
