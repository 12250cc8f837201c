package bench

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/wsproto"
)

func TestEchoCountsWhatTheServerCounts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*Config)
	}{
		{"closed loop", func(*Config) {}},
		{"closed loop, 8 in flight", func(c *Config) { c.Echo.InFlight = 8 }},
		{"open loop", func(c *Config) { c.Echo.Rate = 2000 }},
		{"no warm-up", func(c *Config) { c.Warmup = 0 }},
		{"empty messages", func(c *Config) { c.Messages.Size = "0" }},
		{"large messages", func(c *Config) { c.Messages.Size, c.Echo.Rate = "70000", 200 }},
		{"text", func(c *Config) { c.Messages.Type = "text" }},
		{"more loops than connections", func(c *Config) { c.Conns, c.Loops, c.Echo.Rate = 3, 8, 1000 }},
		{"the other engine", func(c *Config) { c.Engine = "netpoll" }},
		{"one connection, defaults of the rest", func(c *Config) { c.Conns, c.Loops = 1, 0 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d, stop := &double{}, newStopper()
			d.answer = func(p *peer, m wsproto.Message) {
				p.send(m.Op, m.Payload)
				if d.messages.Load() >= 300 {
					stop.stop()
				}
			}
			d.start(t)
			c := short(d, Echo)
			tt.change(&c)
			o := Options{}
			if c.Echo.Rate == 0 { // a closed loop is over when enough has come
				c.Duration, o.Stop = Duration(time.Minute), stop.c
			}
			r, sum := mustRun(t, c, o)
			if sum.Sent == 0 {
				t.Fatal("nothing was sent")
			}
			expect(t, "sent", sum.Sent, d.messages.Load())
			expect(t, "bytes sent", sum.SentBytes, d.bytes.Load())
			expect(t, "received", sum.Received, sum.Sent)
			expect(t, "bytes received", sum.ReceivedBytes, sum.SentBytes)
			expect(t, "replies", sum.Replies, sum.Sent)
			expect(t, "opened", sum.Opened, d.upgraded.Load())
			expect(t, "opened as asked", sum.Opened, int64(c.Conns))
			expect(t, "left", sum.Left, int64(c.Conns))
			expect(t, "closed with 1000", int64(d.closed(ws.StatusNormalClosure)), int64(c.Conns))
			expect(t, "connect times", sum.Connect.Count(), sum.Opened)
			for what, n := range map[string]int64{
				"lost": sum.Lost, "mismatched": sum.Mismatched, "unanswered": sum.Unanswered, "unsent": sum.Unsent,
				"invalid to the server": d.invalid.Load(), "failures": int64(len(sum.Failures)),
			} {
				expect(t, what, n, 0)
			}
			if r.Report.Interrupted != (o.Stop != nil) || r.Report.Connections.AliveAtEnd != int64(c.Conns) {
				t.Errorf("the report says interrupted %v, alive %d", r.Report.Interrupted, r.Report.Connections.AliveAtEnd)
			}
		})
	}
}

// TestTheScheduleIsKept: R messages a second for d seconds are R times d, not fewer.
func TestTheScheduleIsKept(t *testing.T) {
	t.Parallel()
	for _, conns := range []int{1, 2, 5} {
		d := (&double{}).start(t)
		c := short(d, Echo)
		c.Conns, c.Loops, c.Echo.Rate, c.Warmup = conns, 4, 500, Duration(20*time.Millisecond)
		_, sum := mustRun(t, c, Options{})
		expect(t, "measured", sum.Latency.Count(), 50)
		expect(t, "slips", sum.Slip.Count(), 50)
		expect(t, "sent", sum.Sent, 60)
		expect(t, "unsent", sum.Unsent, 0)
	}
}

// payloadsOf collects what each connection sent.
type payloadsOf struct {
	mu  sync.Mutex
	all map[int][]string
	ops map[ws.OpCode]int
}

func (s *payloadsOf) answer(p *peer, m wsproto.Message) {
	s.mu.Lock()
	if s.all == nil {
		s.all, s.ops = map[int][]string{}, map[ws.OpCode]int{}
	}
	s.all[p.number] = append(s.all[p.number], string(m.Payload))
	s.ops[m.Op]++
	s.mu.Unlock()
	p.send(m.Op, m.Payload)
}

func TestSizes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		size string
		ok   func(n int) bool
		both []int // sizes that must occur
	}{
		{"0", func(n int) bool { return n == 0 }, []int{0}},
		{"125", func(n int) bool { return n == 125 }, []int{125}},
		{"126", func(n int) bool { return n == 126 }, []int{126}},
		{"7-8", func(n int) bool { return n == 7 || n == 8 }, []int{7, 8}},
		{"1:50%,300:50%", func(n int) bool { return n == 1 || n == 300 }, []int{1, 300}},
	} {
		t.Run(tt.size, func(t *testing.T) {
			t.Parallel()
			var got payloadsOf
			d := (&double{answer: got.answer}).start(t)
			c := short(d, Echo)
			c.Echo.Rate, c.Messages.Size = 1000, tt.size
			mustRun(t, c, Options{})
			sizes := map[int]int{}
			for _, texts := range got.all {
				for _, text := range texts {
					sizes[len(text)]++
				}
			}
			for n := range sizes {
				if !tt.ok(n) {
					t.Errorf("a message of %d bytes", n)
				}
			}
			for _, n := range tt.both {
				if sizes[n] == 0 {
					t.Errorf("no message of %d bytes in %v", n, sizes)
				}
			}
			if got.ops[ws.OpText] > 0 {
				t.Error("text without being asked for it")
			}
		})
	}
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	var got payloadsOf
	d := (&double{answer: got.answer}).start(t)
	c := short(d, Echo)
	c.Conns, c.Echo.Rate = 3, 600
	c.Messages.Templates = []string{"é {{id}} {{seq}} {{now}} {{rand}}"}
	before := time.Now().UnixNano()
	mustRun(t, c, Options{})
	after := time.Now().UnixNano()
	ids, randoms, intended := map[string]bool{}, map[string]bool{}, []int64{}
	for _, texts := range got.all {
		for i, text := range texts {
			f := strings.Fields(text)
			if !utf8.ValidString(text) || len(f) != 5 || f[0] != "é" {
				t.Fatalf("%q is not made by the template", text)
			}
			if f[2] != strconv.Itoa(i) || f[1] != strings.Fields(texts[0])[1] {
				t.Errorf("message %d of a connection is %q, the first was %q", i, text, texts[0])
			}
			now, err := strconv.ParseInt(f[3], 10, 64)
			if err != nil || now < before || now > after {
				t.Errorf("a time of %q, not between %d and %d", f[3], before, after)
			}
			ids[f[1]], randoms[f[4]] = true, true
			intended = append(intended, now)
		}
	}
	if len(ids) != 3 || !ids["0"] || !ids["2"] {
		t.Errorf("ids are %v", ids)
	}
	if len(randoms) != len(intended) {
		t.Errorf("%d of %d messages differ in {{rand}}", len(randoms), len(intended))
	}
	if got.ops[ws.OpBinary] > 0 {
		t.Error("templates went out as binary messages")
	}
	slices.Sort(intended)
	for i := 1; i < len(intended); i++ {
		// {{now}} is the time of the schedule: no message is early or late in it.
		if gap := intended[i] - intended[i-1]; gap < 1666666 || gap > 1666667 {
			t.Fatalf("%d ns between two messages of 600 a second", gap)
		}
	}
}

func TestHello(t *testing.T) {
	t.Parallel()
	var got payloadsOf
	d := (&double{answer: got.answer}).start(t)
	c := short(d, Idle)
	c.Messages.Hello = []string{"login {{id}}", "subscribe"}
	_, sum := mustRun(t, c, Options{})
	expect(t, "sent", sum.Sent, 4)
	expect(t, "text messages", int64(got.ops[ws.OpText]), 4)
	var firsts []string
	for _, texts := range got.all {
		firsts = append(firsts, texts[0])
		if texts[1] != "subscribe" {
			t.Errorf("hello is %q", texts)
		}
	}
	slices.Sort(firsts)
	if !slices.Equal(firsts, []string{"login 0", "login 1"}) {
		t.Errorf("hellos begin with %q", firsts)
	}
}

func TestWrongEchoesAreCounted(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		wrong func(p *peer, m wsproto.Message)
	}{
		{"other bytes", func(p *peer, m wsproto.Message) { m.Payload[0]++; p.send(m.Op, m.Payload) }},
		{"shorter", func(p *peer, m wsproto.Message) { p.send(m.Op, m.Payload[1:]) }},
		{"other type", func(p *peer, m wsproto.Message) { p.send(ws.OpText, m.Payload) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var wrong atomic.Int64
			d := &double{answer: func(p *peer, m wsproto.Message) {
				if p.seen.Load()%3 == 0 {
					wrong.Add(1)
					tt.wrong(p, m)
					return
				}
				p.send(m.Op, m.Payload)
			}}
			d.start(t)
			c := short(d, Echo)
			c.Echo.Rate, c.Drain = 300, Duration(3*time.Second) // all of it passes
			_, sum := mustRun(t, c, Options{})
			expect(t, "mismatched", sum.Mismatched, wrong.Load())
			expect(t, "replies", sum.Replies, sum.Sent-wrong.Load())
			if wrong.Load() == 0 {
				t.Error("the double did not echo wrongly")
			}
		})
	}
}

func TestTooManyEchoesAreNoReplies(t *testing.T) {
	t.Parallel()
	d := &double{answer: func(p *peer, m wsproto.Message) {
		p.send(m.Op, m.Payload)
		p.send(m.Op, m.Payload)
	}}
	d.start(t)
	c := short(d, Echo)
	c.Echo.Rate, c.Conns, c.Warmup, c.Duration = 10, 1, 1, Duration(90*time.Millisecond) // one message
	_, sum := mustRun(t, c, Options{})
	expect(t, "sent", sum.Sent, 1)
	expect(t, "replies", sum.Replies, 1)
	expect(t, "received", sum.Received, 2)
	expect(t, "mismatched", sum.Mismatched, 0)
}

func TestSwallowedMessagesAreUnanswered(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{0, 200} {
		var swallowed atomic.Int64
		stop := newStopper()
		d := &double{answer: func(p *peer, m wsproto.Message) {
			// The last of each connection, so that answers do not go to the wrong one.
			if p.seen.Load() > 3 {
				if swallowed.Add(1) == 2 {
					stop.stop() // a closed loop has nothing more to send then
				}
				return
			}
			p.send(m.Op, m.Payload)
		}}
		d.start(t)
		c := short(d, Echo)
		c.Echo.Rate, c.Drain, c.Warmup, c.Duration = rate, Duration(3*time.Second), 0, Duration(300*time.Millisecond)
		o := Options{}
		if rate == 0 {
			c.Duration, o.Stop = Duration(time.Minute), stop.c
		}
		_, sum := mustRun(t, c, o)
		expect(t, "unanswered", sum.Unanswered, swallowed.Load())
		expect(t, "sent", sum.Sent, sum.Replies+sum.Unanswered)
		if swallowed.Load() == 0 {
			t.Errorf("rate %v: nothing was swallowed", rate)
		}
	}
}

// TestTheBacklogIsBounded: of a connection no more than Backlog messages are due or under way.
func TestTheBacklogIsBounded(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		backlog int
		unsent  int64 // of 50 messages
	}{{1, 49}, {49, 1}, {50, 0}, {51, 0}} {
		t.Run(strconv.Itoa(tt.backlog), func(t *testing.T) {
			t.Parallel()
			d := (&double{answer: func(*peer, wsproto.Message) {}}).start(t)
			c := short(d, Echo)
			c.Conns, c.Echo.Rate, c.Echo.Backlog = 1, 500, tt.backlog
			c.Warmup, c.Drain = 0, Duration(2*time.Second) // none is answered
			_, sum := mustRun(t, c, Options{})
			expect(t, "unsent", sum.Unsent, tt.unsent)
			expect(t, "unanswered", sum.Unanswered, 50-tt.unsent)
			expect(t, "sent", sum.Sent, 50-tt.unsent)
		})
	}
}

// TestAServerThatDoesNotRead leaves most of the messages in the tool: they are due, and
// never written. Also when the kernel is full before the first of them.
func TestAServerThatDoesNotRead(t *testing.T) {
	t.Parallel()
	for name, hello := range map[string][]string{"silent": nil, "with a large hello": {strings.Repeat("x", 8<<20)}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := (&double{deaf: func(p *peer) bool { return p.conn.(*net.TCPConn).SetReadBuffer(64<<10) == nil }}).start(t)
			c := short(d, Echo)
			c.Conns, c.Loops = 1, 1
			c.Echo.Rate, c.Messages.Size, c.Messages.Hello = 100, "2097152", hello
			c.Warmup, c.Drain = 0, Duration(2*time.Second)
			_, sum := mustRun(t, c, Options{})
			if sum.Unsent == 0 || sum.Unsent+sum.Unanswered != 10 {
				t.Errorf("of 10 messages %d were unsent and %d unanswered", sum.Unsent, sum.Unanswered)
			}
			expect(t, "replies", sum.Replies, 0)
			expect(t, "sent", sum.Sent, sum.Unanswered+int64(len(hello)))
		})
	}
}

// TestWhatALostConnectionOwed is unanswered; the others go on.
func TestWhatALostConnectionOwed(t *testing.T) {
	t.Parallel()
	d := (&double{answer: func(p *peer, m wsproto.Message) {
		switch {
		case p.number == 1:
			p.send(m.Op, m.Payload)
		case p.seen.Load() == 5:
			p.reset()
		}
	}}).start(t)
	c := short(d, Echo)
	c.Loops, c.Echo.Rate, c.Warmup = 1, 500, 0
	_, sum := mustRun(t, c, Options{})
	expect(t, "lost", sum.Lost, 1)
	expect(t, "of all", sum.Replies+sum.Unanswered+sum.Unsent, 50)
	if sum.Unanswered < 5 {
		t.Errorf("%d unanswered", sum.Unanswered)
	}
}

func TestInFlight(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 7} {
		d, stop := &double{}, newStopper()
		d.answer = func(*peer, wsproto.Message) {
			if d.messages.Load() >= int64(2*n) {
				stop.stop()
			}
		}
		d.start(t)
		c := short(d, Echo)
		c.Echo.InFlight, c.Drain, c.Duration = n, Duration(50*time.Millisecond), Duration(time.Minute)
		_, sum := mustRun(t, c, Options{Stop: stop.c})
		expect(t, "sent without an answer", sum.Sent, int64(2*n))
		expect(t, "sent, the double says", d.messages.Load(), int64(2*n))
	}
}

// With any reply a server may answer what it likes, in order.
func TestAnyReplyAnswersTheOldest(t *testing.T) {
	t.Parallel()
	d := (&double{answer: func(p *peer, m wsproto.Message) { p.send(ws.OpText, []byte("yes")) }}).start(t)
	c := short(d, Echo)
	c.Echo.Rate, c.Echo.Reply = 300, AnyReply
	_, sum := mustRun(t, c, Options{})
	expect(t, "replies", sum.Replies, sum.Sent)
	expect(t, "mismatched", sum.Mismatched, 0)
	expect(t, "unanswered", sum.Unanswered, 0)
}

// A server that answers messages in another order, as one does that works on several at
// once, answers them all the same.
func TestRepliesMayComeInAnyOrder(t *testing.T) {
	t.Parallel()
	var kept [100][]byte // of each peer; its goroutine alone uses it
	d, stop := &double{}, newStopper()
	d.answer = func(p *peer, m wsproto.Message) {
		if d.messages.Load() >= 20 {
			stop.stop()
		}
		if p.seen.Load()%2 == 1 {
			kept[p.number] = append(kept[p.number][:0], m.Payload...)
			return
		}
		p.send(m.Op, m.Payload)
		p.send(m.Op, kept[p.number])
	}
	d.start(t)
	c := short(d, Echo)
	c.Echo.InFlight, c.Duration = 2, Duration(time.Minute)
	_, sum := mustRun(t, c, Options{Stop: stop.c})
	expect(t, "mismatched", sum.Mismatched, 0)
	expect(t, "replies and unanswered", sum.Replies+sum.Unanswered, sum.Sent)
	if sum.Unanswered > int64(c.Conns) || sum.Replies < 4 {
		t.Errorf("%d replies, %d unanswered", sum.Replies, sum.Unanswered)
	}
}
