package server

import (
	"fmt"
	"testing"

	"github.com/gobwas/ws"
)

func publish(topic *Topic, from, to uint64) {
	for seq := from; seq <= to; seq++ {
		topic.Publish(sequenced(seq))
	}
}

func TestABusyLoopsPublicationsWaitUpToMaxPendingAndThenShowAsAGap(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		c.Loops, c.MaxPending = 1, 8
		var topic *Topic
		r, p, conn := slowRig(t, c, func(s *Server) { topic = s.NewTopic("t", TopicConfig{}) })
		conn.Subscribe(topic)
		settle(conn)

		release := hold(t, conn.loop)
		publish(topic, 1, 8)
		if n := r.Stats().Overruns; n != 0 {
			t.Errorf("%d overruns with as many publications as MaxPending", n)
		}
		release()
		for seq := 1; seq <= 8; seq++ {
			p.want(ws.OpText, fmt.Sprintf("u%d,%d", seq, seq-1))
		}

		release = hold(t, conn.loop)
		publish(topic, 9, 19)
		if n := r.Stats().Overruns; n != 3 {
			t.Errorf("%d overruns with 11 publications for a loop that keeps 8, want 3", n)
		}
		release()
		for seq := 9; seq <= 16; seq++ {
			p.want(ws.OpText, fmt.Sprintf("u%d,%d", seq, seq-1))
		}
		topic.Publish(sequenced(20))
		p.want(ws.OpText, "u20,19")
		if st := r.Stats(); st.Overruns != 3 || st.Dropped != 0 {
			t.Errorf("afterwards %d overruns and %d drops are counted, want 3 and 0", st.Overruns, st.Dropped)
		}
	})
}

func TestAnOverrunLoopOwesAConflatingTopicOnlyTheNewest(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		c.Loops, c.MaxPending = 1, 8
		var early, late *Topic
		r, p, conn := slowRig(t, c, func(s *Server) {
			early, late = s.NewTopic("early", TopicConfig{Conflate: true}), s.NewTopic("late", TopicConfig{Conflate: true})
		})
		conn.Subscribe(early)
		conn.Subscribe(late)
		settle(conn)

		release := hold(t, conn.loop)
		publish(early, 1, 100)
		publish(late, 1, 5) // there was no room for any
		release()
		for seq := 1; seq <= 8; seq++ {
			p.want(ws.OpText, fmt.Sprintf("u%d,%d", seq, seq-1))
		}
		got := map[string]bool{string(p.next().Payload): true, string(p.next().Payload): true}
		if !got["u100,8"] || !got["u5,0"] {
			t.Errorf("after the overrun came %v, want u100,8 and u5,0: the newest, each linked to what came before it", got)
		}
		publish(early, 101, 101)
		p.want(ws.OpText, "u101,100")
		publish(late, 6, 6)
		p.want(ws.OpText, "u6,5")
		if n := r.Stats().Overruns; n != 0 {
			t.Errorf("%d overruns are counted, but nobody has missed anything that is not outdated", n)
		}
	})
}
