package server

import (
	"fmt"
	"slices"
	"syscall"
	"testing"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/poller"
)

// broken is an engine in which some connections cannot be written any more.
type broken struct {
	poller.Engine
	tokens []poller.Token
}

func (e *broken) Write(t poller.Token, bufs [][]byte) (int, error) {
	if slices.Contains(e.tokens, t) {
		return 0, syscall.EPIPE
	}
	return e.Engine.Write(t, bufs)
}

// breakWrites has all writes to these connections of one loop fail.
func breakWrites(conns ...*Conn) {
	on(conns[0], func() {
		l := conns[0].loop
		e := &broken{Engine: l.engine}
		for _, c := range conns {
			e.tokens = append(e.tokens, c.token)
		}
		l.engine = e
	})
}

func TestAnAnswerThatCannotBeWrittenEndsTheConnectionOnce(t *testing.T) {
	eachWay(t, func(t *testing.T, c Config) {
		ch := closes(&c)
		answering(&c)
		r, p, conn := slowRig(t, c)
		breakWrites(conn)
		p.send(ws.OpText, "x")
		how := receive(t, "OnClose", ch)
		if how.Reason != ReasonReset || how.Err != syscall.EPIPE {
			t.Errorf("OnClose got %v (%v)", how.Reason, how.Err)
		}
		p.wantEnd()
		r.await("the end", func(s Stats) bool { return s.Open == 0 && s.Reasons[ReasonReset] == 1 })
		if len(ch) != 0 {
			t.Errorf("OnClose was called again: %v", <-ch)
		}
	})
}

// TestSubscribersThatCannotBeWrittenEndOnceAndTheOthersMissNothing, wherever they stand.
func TestSubscribersThatCannotBeWrittenEndOnceAndTheOthersMissNothing(t *testing.T) {
	eachWay(t, func(t *testing.T, c Config) {
		const n = 5
		for _, way := range []string{"publication", "broadcast"} {
			for _, failing := range [][]int{{0}, {2}, {4}, {0, 1}, {3, 4}, {0, 2, 4}, {0, 1, 2, 3, 4}} {
				t.Run(fmt.Sprint(way, " ", failing), func(t *testing.T) {
					c := c
					c.Inline, c.Loops = true, 1
					ch := closes(&c)
					opened := make(chan *Conn, n)
					c.Handler.OnOpen = func(c *Conn) { opened <- c }
					r := start(t, c)
					topic := r.NewTopic("t", TopicConfig{})
					var peers []*peer
					var conns, bad []*Conn
					for i := range n {
						peers = append(peers, r.dial())
						conns = append(conns, receive(t, "OnOpen", opened))
						conns[i].Subscribe(topic)
						settle(conns[i])
					}
					for _, i := range failing {
						bad = append(bad, conns[i])
					}
					breakWrites(bad...)
					for _, text := range []string{"first", "second"} {
						if way == "broadcast" {
							r.Broadcast(ws.OpText, []byte(text))
						} else {
							topic.Publish(Publication{Op: ws.OpText, Payload: []byte(text)})
						}
						settle(conns[0])
					}
					for i, p := range peers {
						if slices.Contains(failing, i) {
							p.wantEnd()
							continue
						}
						p.want(ws.OpText, "first")
						p.want(ws.OpText, "second")
					}
					for range failing {
						if how := receive(t, "OnClose", ch); how.Reason != ReasonReset || how.Err != syscall.EPIPE {
							t.Errorf("OnClose got %v (%v)", how.Reason, how.Err)
						}
					}
					left := n - len(failing)
					r.await("the ends", func(s Stats) bool {
						return s.Open == left && s.Reasons[ReasonReset] == uint64(len(failing)) && s.MessagesOut == uint64(2*left)
					})
					if topic.Subscribers() != left || len(ch) != 0 {
						t.Errorf("%d subscribers and %d further ends, want %d and none", topic.Subscribers(), len(ch), left)
					}
				})
			}
		}
	})
}
