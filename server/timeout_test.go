package server

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

func TestAnIdlePeerGetsAPingAndStaysWhenItAnswers(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		c.PingAfter, c.PingGrace = 100*time.Millisecond, patience
		r := start(t, c)
		p := r.dial()
		for range 3 {
			p.want(ws.OpPing, "")
			p.write(frame(ws.OpPong, true, nil))
		}
		r.await("the pongs", func(s Stats) bool { return s.PongsIn == 3 && s.PingsOut >= 3 })
	})
}

func TestAPeerThatDoesNotAnswerThePingIsGone(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		c.PingAfter, c.PingGrace = 100*time.Millisecond, 100*time.Millisecond
		ch := closes(&c)
		r := start(t, c)
		p := r.dial()
		p.want(ws.OpPing, "")
		p.SetReadDeadline(neverLate())
		if _, err := p.br.ReadByte(); err == nil {
			t.Error("something follows the ping")
		}
		wantClosed(t, ch, ReasonPingTimeout, 1006, "ping timeout", false)
		r.await("the counter", func(s Stats) bool { return s.Reasons[ReasonPingTimeout] == 1 })
	})
}

func TestTheHeartbeatIsSpread(t *testing.T) {
	c := Config{PingAfter: time.Hour, Loops: 1}
	r := start(t, c)
	for range 200 {
		r.dial()
	}
	buckets := make(chan int)
	r.loops[0].call(func() {
		n := 0
		for _, head := range r.loops[0].wheel.heads {
			if head != 0 {
				n++
			}
		}
		buckets <- n
	})
	if n := <-buckets; n < 100 {
		t.Errorf("200 connections opened together ping in %d ticks of %d", n, wheelSize)
	}
}

func TestAMessageThatDoesNotEndIsATimeout(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		c.MessageTimeout = 200 * time.Millisecond
		c.Handler.OnMessage = echo
		ch := closes(&c)
		r := start(t, c)
		whole := frame(ws.OpText, true, []byte("payload"))
		for what, b := range map[string][]byte{
			"cut header":    whole[:1],
			"cut payload":   whole[:9],
			"open fragment": frame(ws.OpText, false, []byte("part")),
			"pings between": append(frame(ws.OpText, false, []byte("part")), frame(ws.OpPing, true, nil)...),
		} {
			t.Run(what, func(t *testing.T) {
				p := r.dial()
				p.t = t
				p.send(ws.OpText, "payload")
				p.want(ws.OpText, "payload")
				p.write(p.begins(b))
				p.wantClose(1008)
				p.Close()
				wantClosed(t, ch, ReasonMessageTimeout, 1008, "message timeout", false)
			})
		}
	})
}

func TestMessagesInPiecesAreNoTimeoutAsLongAsEachEnds(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		const limit = 10 * time.Second // of which the test makes the most
		c.MessageTimeout, c.PingAfter, c.Handler.OnMessage = limit, time.Hour, echo
		_, p, conn := slowRig(t, c)
		whole := p.message(ws.OpText, []byte("payload"))
		p.write(whole[:5])
		awaitFlag(t, conn, flagPartial, true)
		for range 5 { // every message ends in time, but one is always incomplete
			on(conn, func() { conn.partial = uint16(conn.loop.now() - ticks(limit-tick)) })
			p.write(slices.Concat(whole[5:], whole[:5]))
			p.want(ws.OpText, "payload")
			fire(conn, lastHeard(conn)+ticks(limit/2))
			if conn.State() != Open {
				t.Fatal("a message was blamed for the age of the one before it")
			}
		}
	})
}

func TestSilenceIsBrokenOnlyWhenItIsOne(t *testing.T) {
	attacks(t, func(t *testing.T, c Config) {
		c.SilenceAfter, c.PingAfter = time.Hour, -1 // the test tells the time
		c.OnSilence = func(dst []byte, s *Silence) []byte {
			topics := map[string]uint64{}
			for topic, seq := range s.Topics() {
				topics[topic.Name()] = seq
			}
			return fmt.Appendf(dst, "beat %d of %v: %v", s.Count(), s.Conn().Value(), topics)
		}
		var a, b *Topic
		c.Handler.OnMessage = func(c *Conn, m Message) {
			c.SetValue("me")
			c.Subscribe(a)
			c.Subscribe(b)
			c.Send(ws.OpText, []byte("subscribed"))
		}
		opened := make(chan *Conn, 2)
		c.Handler.OnOpen = func(c *Conn) { opened <- c }
		r := start(t, c, func(s *Server) { a, b = s.NewTopic("a", TopicConfig{}), s.NewTopic("b", TopicConfig{}) })
		p, conn := r.dial(), receive(t, "OnOpen", opened)
		unsubscribed, second := r.dial(), receive(t, "OnOpen", opened)
		after := ticks(c.SilenceAfter)
		silent := func(c *Conn, n uint32) { // for n ticks
			settle(c)
			var at uint32
			on(c, func() { at = c.subs.sentAt })
			fire(c, at+n)
		}
		p.send(ws.OpText, "subscribe")
		p.want(ws.OpText, "subscribed")
		a.Publish(Publication{Op: ws.OpText, Seq: 7, Payload: []byte("prev "), Tail: []byte(".")})
		p.want(ws.OpText, "prev 0.")
		for beat := 1; beat <= 2; beat++ {
			silent(conn, after)
			p.want(ws.OpText, fmt.Sprintf("beat %d of me: %v", beat, map[string]uint64{"a": 7, "b": 0}))
		}
		for i := uint64(8); i < 12; i++ { // as long as something is sent there is no silence
			a.Publish(Publication{Op: ws.OpText, Seq: i, Payload: []byte("prev "), Tail: []byte(".")})
			p.want(ws.OpText, fmt.Sprintf("prev %d.", i-1))
			silent(conn, after-1)
		}
		unsubscribed.send(ws.OpText, "now I am")
		unsubscribed.want(ws.OpText, "subscribed")
		silent(second, after)
		unsubscribed.want(ws.OpText, "beat 1 of me: "+fmt.Sprint(map[string]uint64{"a": 0, "b": 0}))
	})
}

func TestConfigSaysWhichFieldIsWrong(t *testing.T) {
	for field, c := range map[string]Config{
		"MaxConns":       {MaxConns: -1},
		"Workers":        {Workers: -1},
		"PingGrace":      {PingGrace: -1},
		"Engine":         {Engine: "steam"},
		"Slow":           {Slow: 9},
		"MaxMessage":     {MaxMessage: 1 << 40},
		"MaxHead":        {MaxHead: 1 << 16},
		"CloseTimeout":   {CloseTimeout: 10 * maxTimeout},
		"MessageTimeout": {MessageTimeout: 2 * time.Hour},
	} {
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), "Config."+field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	s, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if c := s.config; c.MaxMessage != 1<<20 || c.PingAfter != 30*time.Second || c.Loops < 1 || c.Engine != "auto" || c.Logger == nil {
		t.Errorf("the zero Config became %+v", c)
	}
	for _, off := range []Config{{PingAfter: -1}, {MessageTimeout: -1}, {DrainWindow: -1}} {
		if _, err := New(off); err != nil {
			t.Errorf("%+v: %v", off, err)
		}
	}
}

func TestReasonsHaveDistinctNames(t *testing.T) {
	names := map[string]Reason{}
	for _, r := range Reasons() {
		if r.String() == "" || r.String() == "unknown" {
			t.Errorf("reason %d has no name", r)
		}
		names[r.String()] = r
	}
	if len(names) != len(Reasons()) {
		t.Errorf("names repeat: %v", maps.Keys(names))
	}
	if Reason(200).String() != "unknown" || Reason(200).Code() != 0 || Reason(200).Refused() {
		t.Error("a number that is no reason has a name, a code or a class")
	}
}
