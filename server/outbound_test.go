package server

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/poller"
	"github.com/roostws/roost/wsproto"
)

// choked is an engine whose sockets take only so many bytes: it stands for a kernel that is full at a known place.
type choked struct {
	poller.Engine
	room    int
	holds   bool
	written func() // called in each Write, if it is set
}

func (e *choked) Holds() bool { return e.holds }

func (e *choked) Write(t poller.Token, bufs [][]byte) (n int, err error) {
	if e.written != nil {
		e.written()
	}
	for _, b := range bufs {
		part := b[:min(len(b), e.room)]
		if len(part) > 0 {
			if _, err := e.Engine.Write(t, [][]byte{part}); err != nil {
				return n, err
			}
		}
		n += len(part)
		e.room -= len(part)
		if len(part) < len(b) {
			break
		}
	}
	return n, nil
}

// choke puts e between a connection's loop and its engine. The result lets all through that was held up.
func choke(c *Conn, e *choked) (open func()) {
	on(c, func() { e.Engine, c.loop.engine = c.loop.engine, e })
	return func() {
		on(c, func() {
			e.room = 1 << 30
			c.loop.Writable(c.token, 0)
		})
	}
}

// offer has messages of 100 bytes queued in one turn, each with its number as key, so that one write offers them all.
func offer(t *testing.T, c *Conn, from, to int) {
	t.Helper()
	release := hold(t, c.loop)
	for i := from; i < to; i++ {
		if r := c.SendLatest(strconv.Itoa(i), ws.OpText, message(i)); r != Queued {
			t.Fatalf("message %d was %v", i, r)
		}
	}
	release()
	settle(c)
}

// message is numbered, and a frame of 100 bytes.
func message(i int) []byte { return fmt.Appendf(nil, "%-98d", i) }

func TestWhatTheKernelRefusedMayBeDroppedUnlessTheEngineHoldsIt(t *testing.T) {
	eachWay(t, func(t *testing.T, c Config) {
		for _, holds := range []bool{false, true} {
			t.Run(fmt.Sprint("holds ", holds), func(t *testing.T) {
				c := c
				c.Slow, c.MaxOutbound = SlowDropOldest, 500
				r, p, conn := slowRig(t, c)
				holds := holds || r.tls != nil // what is encrypted must go, too
				open := choke(conn, &choked{room: 150, holds: holds})
				offer(t, conn, 0, 5)             // the engine is given three, which is half of the bound
				conn.Send(ws.OpText, message(5)) // 0 is gone and 1 in part: this one has room, the next one has not
				if got := conn.Send(ws.OpText, message(6)); got != Queued {
					t.Errorf("a message over the bound was %v, want queued, as an older one was not written yet", got)
				}
				if n := r.Stats().Dropped; n != 1 {
					t.Errorf("Dropped is %d, want 1", n)
				}
				open()
				wanted := []int{0, 1, 3, 4, 5, 6}
				if holds {
					wanted = []int{0, 1, 2, 4, 5, 6}
				}
				for _, i := range wanted {
					p.want(ws.OpText, string(message(i)))
				}
			})
		}
	})
}

func TestTheNewestMessageIsDroppedOnlyIfTheEngineHoldsAllOthers(t *testing.T) {
	eachWay(t, func(t *testing.T, c Config) {
		for _, holds := range []bool{false, true} {
			t.Run(fmt.Sprint("holds ", holds), func(t *testing.T) {
				c := c
				c.Slow, c.MaxOutbound = SlowDropOldest, 150
				r, p, conn := slowRig(t, c)
				holds := holds || r.tls != nil
				open := choke(conn, &choked{holds: holds})
				offer(t, conn, 0, 1)
				want, wanted := Queued, 1
				if holds {
					want, wanted = Dropped, 0
				}
				if got := conn.Send(ws.OpText, message(1)); got != want {
					t.Errorf("a message over the bound was %v, want %v", got, want)
				}
				if n := r.Stats().Dropped; n != 1 {
					t.Errorf("Dropped is %d, want 1", n)
				}
				open()
				p.wantMessages(r, conn, wanted)
			})
		}
	})
}

// What is being written cannot be dropped, so not all may be: a worker's newest message must not be refused for it.
func TestTheNewestMessageHasRoomWhileTheOldestAreWritten(t *testing.T) {
	eachWay(t, func(t *testing.T, c Config) {
		c.Slow, c.MaxOutbound = SlowDropOldest, 400
		r, p, conn := slowRig(t, c)
		var got []Result
		e := &choked{room: 1 << 30}
		e.written = func() {
			if got == nil {
				got = append(got, conn.Send(ws.OpText, message(4)), conn.Send(ws.OpText, message(5)))
			}
		}
		choke(conn, e)
		offer(t, conn, 0, 4) // 0 to 2, which is half of the bound, are being written when the others come
		if !slices.Equal(got, []Result{Queued, Queued}) {
			t.Errorf("while others were written, messages over the bound were %v", got)
		}
		if n := r.Stats().Dropped; n != 2 {
			t.Errorf("Dropped is %d, want 2", n)
		}
		p.wantMessages(r, conn, 0, 1, 2, 5)
	})
}

func TestWhatTheKernelRefusedMayBeReplacedUnlessTheEngineHoldsIt(t *testing.T) {
	eachWay(t, func(t *testing.T, c Config) {
		for _, holds := range []bool{false, true} {
			t.Run(fmt.Sprint("holds ", holds), func(t *testing.T) {
				c := c
				c.Slow = SlowConflate
				r, p, conn := slowRig(t, c)
				holds := holds || r.tls != nil
				open := choke(conn, &choked{room: 50, holds: holds})
				offer(t, conn, 1, 4)
				want, wanted := Conflated, []int{1, 2, 9}
				if holds {
					want, wanted = Queued, []int{1, 2, 3, 9}
				}
				if got := conn.SendLatest("3", ws.OpText, message(9)); got != want {
					t.Errorf("a newer value was %v, want %v", got, want)
				}
				if got := conn.SendLatest("1", ws.OpText, message(10)); got != Queued { // the old one is gone in part
					t.Errorf("a newer value than one that is being written was %v, want queued", got)
				}
				open()
				for _, i := range append(wanted, 10) {
					p.want(ws.OpText, string(message(i)))
				}
			})
		}
	})
}

func TestAConnectionThatFillsItsQueueAsItEmptiesGivesWay(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		const n = 10 * maxRounds
		r, p, conn := slowRig(t, c)
		writes, next := map[uint64]int{}, 0
		e := &choked{room: 1 << 30}
		e.written = func() {
			writes[conn.loop.count.Turns]++
			if next < n { // as a handler on another goroutine can
				conn.Send(ws.OpText, message(next))
				next++
			}
		}
		choke(conn, e)
		conn.Send(ws.OpText, []byte("first"))
		p.want(ws.OpText, "first")
		for i := range n {
			p.want(ws.OpText, string(message(i)))
		}
		on(conn, func() {
			most := 0
			for _, k := range writes {
				most = max(most, k)
			}
			if most != maxRounds {
				t.Errorf("%d writes for one connection in a turn, want at most %d, and that at least once", most, maxRounds)
			}
		})
		if n := r.Stats().Dropped; n != 0 {
			t.Errorf("%d messages were dropped", n)
		}
	})
}

func TestAQueueOfMoreThanATurnsWritesIsWrittenInTheNextOnes(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		c.Slow = SlowDropOldest // so that messages are not packed
		const n = 2*maxRounds*maxIov + 1
		_, p, conn := slowRig(t, c)
		offer(t, conn, 0, n)
		for i := range n {
			p.want(ws.OpText, string(message(i)))
		}
	})
}

func TestABurstInOneTurnMakesNoReaderSlow(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		const n = 300
		c.Loops, c.MaxOutbound = 1, 8<<10
		var topic *Topic
		r, p, conn := slowRig(t, c, func(s *Server) { topic = s.NewTopic("t", TopicConfig{}) })
		conn.Subscribe(topic)
		settle(conn)
		release := hold(t, conn.loop)
		for i := range n { // 30 KiB, which the kernel takes whether the peer reads or not
			topic.Publish(Publication{Op: ws.OpText, Payload: message(i)})
		}
		release()
		for i := range n {
			p.want(ws.OpText, string(message(i)))
		}
		if st := r.Stats(); st.Dropped != 0 || st.Reasons[ReasonSlow] != 0 {
			t.Errorf("%d drops and %d slow readers are counted", st.Dropped, st.Reasons[ReasonSlow])
		}
	})
}

func TestOthersBacklogDoesNotCountAgainstAPeerThatReads(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		c.Loops, c.MaxOutboundTotal = 1, 128<<10
		second := wsproto.Prepare(ws.OpText, []byte("second"))
		c.Handler.OnMessage = func(c *Conn, m Message) { c.Send(ws.OpText, []byte("first")); c.SendPrepared(second) }
		r, _, slow := slowRig(t, c)
		clog(t, slow, noise(0, 8<<10))
		for slow.loop.unsent.Load() <= int64(c.MaxOutboundTotal) {
			if got := slow.Send(ws.OpBinary, noise(0, 8<<10)); got != Queued {
				t.Fatalf("a message under the bound was %v", got)
			}
		}
		p := r.dial()
		for range 3 {
			p.send(ws.OpText, "x")
			p.want(ws.OpText, "first")
			p.want(ws.OpText, "second")
		}
		if got := slow.Send(ws.OpBinary, nil); got != Gone {
			t.Errorf("a message to who has filled the process's bound was %v, want gone", got)
		}
	})
}

func TestReplacedValuesThatGrowStayWithinTheBound(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		c.Slow, c.MaxOutbound = SlowConflate, 64<<10
		_, p, conn := slowRig(t, c)
		filler := clog(t, conn, noise(0, 8<<10))
		const keys = 20
		value := func(i int) []byte { return noise(i, 20<<10) }
		for i := range keys {
			conn.SendLatest(strconv.Itoa(i), ws.OpText, []byte("small"))
		}
		for i := range keys {
			conn.SendLatest(strconv.Itoa(i), ws.OpText, value(i))
			if n := conn.Buffered(); n > c.MaxOutbound {
				t.Fatalf("%d bytes are queued, over the bound of %d", n, c.MaxOutbound)
			}
		}
		for range filler {
			p.next()
		}
		var last ws.Frame
		for i := 0; last.Header.Length == 0 || !bytes.Equal(last.Payload, value(keys-1)); i++ {
			if last = p.next(); i > 5 {
				t.Fatal("the newest value does not come")
			}
		}
	})
}

func TestASubscriberThatCatchesUpGetsEveryTopicsNewestWhateverTheBound(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		for _, policy := range []SlowPolicy{SlowClose, SlowDropOldest} {
			t.Run(fmt.Sprint("policy ", policy), func(t *testing.T) {
				c := c
				c.Slow, c.MaxOutbound = policy, 16<<10
				var topics [20]*Topic // whose newest values are five times the bound
				_, p, conn := slowRig(t, c, func(s *Server) {
					for i := range topics {
						topics[i] = s.NewTopic(strconv.Itoa(i), TopicConfig{Conflate: true})
					}
				})
				for _, topic := range topics {
					conn.Subscribe(topic)
				}
				filler := clog(t, conn, noise(0, 8<<10))
				for i, topic := range topics {
					topic.Publish(Publication{Op: ws.OpText, Payload: []byte("outdated")})
					topic.Publish(Publication{Op: ws.OpText, Payload: append(fmt.Appendf(nil, "%d ", i), noise(i, 4096)...)})
				}
				settle(conn)
				for range filler {
					p.next()
				}
				var got []int
				for range topics {
					f := p.next()
					number, _, _ := bytes.Cut(f.Payload, []byte(" "))
					i, err := strconv.Atoi(string(number))
					if err != nil {
						t.Fatalf("opcode %#x %.80q comes after %v", byte(f.Header.OpCode), f.Payload, got)
					}
					got = append(got, i)
				}
				slices.Sort(got)
				for i := range topics {
					if got[i] != i {
						t.Fatalf("the newest values of %v came, want each of %d once", got, len(topics))
					}
				}
			})
		}
	})
}
