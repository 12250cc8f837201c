package server

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/gobwas/ws"
)

// sequenced is a publication whose message is "u<seq>,<prev>" and whose snapshot is "s<seq>".
func sequenced(seq uint64) Publication {
	return Publication{Op: ws.OpText, Seq: seq, Payload: fmt.Appendf(nil, "u%d,", seq), Tail: []byte{}, Snapshot: fmt.Appendf(nil, "s%d", seq)}
}

func TestPublishReachesEverySubscriberOnEveryLoop(t *testing.T) {
	modes(t, func(t *testing.T, c Config) {
		c.Loops = 3
		var topic *Topic
		c.Handler.OnOpen = func(c *Conn) { c.Subscribe(topic); c.Subscribe(topic) }
		r := start(t, c, func(s *Server) { topic = s.NewTopic("t", TopicConfig{}) })
		var peers []*peer
		for range 20 {
			peers = append(peers, r.dial())
		}
		await(t, "all subscriptions", func() bool { return topic.Subscribers() == 20 })
		for i := range 50 {
			topic.Publish(Publication{Op: ws.OpText, Payload: strconv.AppendInt(nil, int64(i), 10)})
		}
		for _, p := range peers {
			for i := range 50 {
				p.want(ws.OpText, strconv.Itoa(i))
			}
		}
		peers[0].Close()
		peers[1].reset()
		await(t, "the end of two subscriptions", func() bool { return topic.Subscribers() == 18 })
	})
}

// TestNoUpdateIsLostOrRepeatedAfterTheSnapshot subscribes while others publish as fast as they can.
func TestNoUpdateIsLostOrRepeatedAfterTheSnapshot(t *testing.T) {
	modes(t, func(t *testing.T, c Config) {
		var topic *Topic
		c.Handler.OnMessage = func(c *Conn, m Message) {
			if string(m.Payload) == "+" {
				c.Send(ws.OpText, []byte("ack+"))
				c.Subscribe(topic)
			} else {
				c.Unsubscribe(topic)
				c.Send(ws.OpText, []byte("ack-"))
			}
		}
		c.MaxOutbound = 64 << 20
		r := start(t, c, func(s *Server) { topic = s.NewTopic("t", TopicConfig{Retain: true}) })
		stop := make(chan struct{})
		var publishing sync.WaitGroup
		publishing.Go(func() {
			for seq := uint64(1); ; seq++ {
				select {
				case <-stop:
					return
				default:
					topic.Publish(sequenced(seq))
				}
				if seq%64 == 0 {
					await(t, "the loops", func() bool { return r.Stats().Unsent < 1<<20 })
				}
			}
		})
		p := r.dial()
		for round := range 30 {
			p.send(ws.OpText, "+")
			p.want(ws.OpText, "ack+")
			var last uint64
			for i := range 40 {
				got := string(p.next().Payload)
				if i == 0 {
					if _, err := fmt.Sscanf(got, "s%d", &last); err != nil && round > 0 {
						t.Fatalf("round %d: %q comes first, want a snapshot", round, got)
					} else if err == nil {
						continue
					}
				}
				var seq, prev uint64
				if _, err := fmt.Sscanf(got, "u%d,%d", &seq, &prev); err != nil || seq != last+1 || prev != last {
					t.Fatalf("round %d: %q follows %d", round, got, last)
				}
				last = seq
			}
			p.send(ws.OpText, "-")
			for got := ""; got != "ack-"; got = string(p.next().Payload) {
			}
			p.write(frame(ws.OpPing, true, []byte("anything left?")))
			p.want(ws.OpPong, "anything left?") // nothing comes after the answer to the unsubscribe
		}
		close(stop)
		publishing.Wait()
	})
}

func TestASlowSubscriberOfAConflatingTopicGetsTheNewestAndAnUnbrokenChain(t *testing.T) {
	modes(t, func(t *testing.T, c Config) {
		var topics [3]*Topic
		c.Handler.OnMessage = func(c *Conn, m Message) {
			for _, topic := range topics {
				c.Subscribe(topic)
			}
			c.Send(ws.OpText, []byte("done"))
		}
		r, p, conn := slowRig(t, c, func(s *Server) {
			for i := range topics {
				topics[i] = s.NewTopic(strconv.Itoa(i), TopicConfig{Retain: true, Conflate: true})
				topics[i].Publish(sequenced(1))
			}
		})
		p.send(ws.OpText, "subscribe")
		for range topics {
			p.want(ws.OpText, "s1")
		}
		p.want(ws.OpText, "done")
		filler := clog(t, conn, make([]byte, 8<<10))
		buffered := conn.Buffered()
		const n = 10000
		for seq := uint64(2); seq <= n; seq++ {
			for _, topic := range topics[:2] { // the third has no news
				topic.Publish(sequenced(seq))
			}
		}
		r.await("the conflation", func(s Stats) bool { return s.Conflated == 2*(n-2) })
		if b := conn.Buffered(); b != buffered {
			t.Errorf("%d bytes were queued for a subscriber that takes none", b-buffered)
		}
		for range filler {
			p.next()
		}
		for range topics[:2] {
			p.want(ws.OpText, fmt.Sprintf("u%d,1", n))
		}
		topics[0].Publish(sequenced(n + 1))
		p.want(ws.OpText, fmt.Sprintf("u%d,%d", n+1, n))
		topics[2].Publish(sequenced(5))
		p.want(ws.OpText, "u5,1")
	})
}

func TestWhatAPlainTopicDropsIsAGapThatShows(t *testing.T) {
	c := Config{Slow: SlowDropOldest, MaxOutbound: 20 << 10}
	var topic *Topic
	c.Handler.OnMessage = func(c *Conn, _ Message) { c.Subscribe(topic) }
	r, p, conn := slowRig(t, c, func(s *Server) { topic = s.NewTopic("t", TopicConfig{}) })
	p.send(ws.OpText, "subscribe")
	await(t, "the subscription", func() bool { return topic.Subscribers() == 1 })
	filler := clog(t, conn, make([]byte, 8<<10))
	const n = 5000
	for seq := uint64(1); seq <= n; seq++ {
		topic.Publish(sequenced(seq))
	}
	r.await("drops", func(s Stats) bool { return s.Dropped > 1000 && s.Turns > 0 })
	for range filler {
		p.next()
	}
	gaps, last := 0, uint64(0)
	for last < n {
		var seq, prev uint64
		got := string(p.next().Payload)
		if _, err := fmt.Sscanf(got, "u%d,%d", &seq, &prev); err != nil || seq <= last {
			t.Fatalf("%q follows %d", got, last)
		}
		if prev != last {
			gaps++
		}
		last = seq
	}
	if gaps == 0 {
		t.Error("thousands of updates were dropped and the subscriber cannot see it")
	}
}

func TestSubscriptionsAreBounded(t *testing.T) {
	modes(t, func(t *testing.T, c Config) {
		c.MaxTopics = 3
		var topics []*Topic
		c.Handler.OnMessage = func(c *Conn, m Message) {
			var got []string
			for _, topic := range topics {
				got = append(got, fmt.Sprint(c.Subscribe(topic)))
			}
			c.Unsubscribe(topics[0])
			got = append(got, fmt.Sprint(c.Subscribe(topics[3])))
			c.Send(ws.OpText, []byte(strings.Join(got, "|")))
		}
		r := start(t, c, func(s *Server) {
			for i := range 4 {
				topics = append(topics, s.NewTopic(strconv.Itoa(i), TopicConfig{}))
			}
		})
		p := r.dial()
		p.send(ws.OpText, "x")
		p.want(ws.OpText, "<nil>|<nil>|<nil>|"+ErrTooManyTopics.Error()+"|<nil>")
		for i, want := range []int{0, 1, 1, 1} {
			await(t, "subscribers of topic "+strconv.Itoa(i), func() bool { return topics[i].Subscribers() == want })
		}
		p.reset()
		for i := range topics {
			await(t, "no subscriber", func() bool { return topics[i].Subscribers() == 0 })
		}
	})
}

func TestARetainedValueWithoutSnapshotIsTheMessage(t *testing.T) {
	var topic *Topic
	c := Config{}
	c.Handler.OnOpen = func(c *Conn) { c.Subscribe(topic) }
	r := start(t, c, func(s *Server) { topic = s.NewTopic("t", TopicConfig{Retain: true}) })
	topic.Publish(Publication{Op: ws.OpBinary, Payload: []byte("old")})
	topic.Publish(Publication{Op: ws.OpText, Payload: []byte("current")})
	r.dial().want(ws.OpText, "current")
}

func TestPublishAllocatesNothingPerSubscriber(t *testing.T) {
	if raceEnabled {
		t.Skip("under the race detector sync.Pool forgets a quarter of what it is given; .ci/run runs this without")
	}
	var topic *Topic
	c := Config{Inline: true, Loops: 1}
	c.Handler.OnOpen = func(c *Conn) { c.Subscribe(topic) }
	const n = 100
	r := start(t, c, func(s *Server) { topic = s.NewTopic("t", TopicConfig{}) })
	var peers []*peer
	for range n {
		peers = append(peers, r.dial())
	}
	await(t, "all subscriptions", func() bool { return topic.Subscribers() == n })
	payload := make([]byte, 64)
	buf := make([]byte, 66)
	round := func() {
		topic.Publish(Publication{Op: ws.OpBinary, Payload: payload})
		for _, p := range peers {
			for got := 0; got < len(buf); {
				k, err := p.Conn.Read(buf[got:])
				if err != nil {
					t.Fatal(err)
				}
				got += k
			}
		}
	}
	for range 20 {
		round()
	}
	if per := testing.AllocsPerRun(100, round); per > 6 { // the publication and its frame
		t.Errorf("%v allocations to publish to %d subscribers, want at most 6 in all", per, n)
	}
}
