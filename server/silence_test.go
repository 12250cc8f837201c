package server

import (
	"fmt"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// TestWhatGoesPastTheQueueBreaksTheSilence, unless the kernel takes none of it.
func TestWhatGoesPastTheQueueBreaksTheSilence(t *testing.T) {
	var topic *Topic
	for _, way := range pasts(&topic) {
		for _, room := range []int{0, 1, 1 << 30} {
			t.Run(fmt.Sprint(way.name, " of ", room), func(t *testing.T) {
				c := Config{PingAfter: -1, SilenceAfter: time.Hour, OnSilence: func(dst []byte, s *Silence) []byte {
					return fmt.Appendf(dst, "beat %d", s.Count())
				}}
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
				if moved := sentAt != old; moved != (room > 0) {
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
}
