package server

import (
	"fmt"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// TestWhatGoesPastTheQueueBreaksTheSilence, unless the kernel takes none of it.
func TestWhatGoesPastTheQueueBreaksTheSilence(t *testing.T) {
	eachWay(t, func(t *testing.T, c Config) {
		var topic *Topic
		for _, way := range pasts(&topic) {
			for _, room := range []int{0, 1, 1 << 30} {
				t.Run(fmt.Sprint(way.name, " of ", room), func(t *testing.T) {
					c := c
					c.PingAfter, c.SilenceAfter = -1, time.Hour
					c.OnSilence = func(dst []byte, s *Silence) []byte { return fmt.Appendf(dst, "beat %d", s.Count()) }
					r, p, conn := subscribed(t, c, &topic)
					after := ticks(c.SilenceAfter)
					var old, sentAt uint32
					on(conn, func() {
						old = conn.loop.now() - after/2
						conn.subs.sentAt = old
					})
					open := choke(conn, &choked{room: room})
					way.give(t, r, p, conn, message(0))
					on(conn, func() { sentAt = conn.subs.sentAt })
					// What is encrypted counts as sent: it is on its way, and while something is, no silence is looked for.
					if moved := sentAt != old; moved != (room > 0 || r.tls != nil) {
						t.Errorf("the last write was at tick %d, and counts now as at %d", old, sentAt)
					}
					open()
					p.want(ws.OpText, string(message(0)))
					on(conn, func() { conn.subs.sentAt = sentAt }) // as the rest was a write too
					if room > 0 {
						fire(conn, old+after)
						fire(conn, sentAt+after-1)
					}
					fire(conn, sentAt+after)
					p.want(ws.OpText, "beat 1")
				})
			}
		}
	})
}

// TestWhoIsSubscribedWhileItsHeartbeatIsDueGetsWhatIsPublishedThen: the connection is going to be flushed, and so the loop is not
// asked to.
func TestWhoIsSubscribedWhileItsHeartbeatIsDueGetsWhatIsPublishedThen(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		var beats, news *Topic
		var first *Conn
		c.Loops, c.PingAfter, c.SilenceAfter = 1, -1, time.Hour
		c.OnSilence = func(dst []byte, s *Silence) []byte {
			if first == nil {
				first = s.Conn()
				return append(dst, "beat"...)
			}
			first.Subscribe(news)
			news.Publish(Publication{Op: ws.OpText, Payload: []byte("news")})
			return dst
		}
		r, p, conn := slowRig(t, c, func(s *Server) {
			beats, news = s.NewTopic("beats", TopicConfig{}), s.NewTopic("news", TopicConfig{})
		})
		peers := map[*Conn]*peer{conn: p}
		other := r.dial()
		r.await("the other", func(s Stats) bool { return s.Open == 2 })
		var conns []*Conn
		on(conn, func() {
			for c := range conn.loop.conns.all {
				conns = append(conns, c)
				if c != conn {
					peers[c] = other
				}
				c.Subscribe(beats)
			}
		})
		settle(conn)
		on(conn, func() { // the silence of both is due in the same turn
			l := conn.loop
			for _, c := range conns {
				c.subs.sentAt = l.tick - ticks(time.Hour)
				l.wheel.sooner(c.token.Slot(), l.tick+1)
			}
		})
		await(t, "both heartbeats", func() (ok bool) {
			on(conn, func() { ok = first != nil && news.newest() != nil })
			return ok
		})
		peers[first].want(ws.OpText, "beat")
		peers[first].want(ws.OpText, "news")
	})
}
