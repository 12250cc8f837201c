package bench

import (
	"fmt"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/bench/report"
	"github.com/roostws/roost/wsproto"
)

func TestChurn(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*Config)
		closes bool
	}{
		{"close handshake", func(*Config) {}, true},
		{"reset", func(c *Config) { c.Churn.Abort = true }, false},
		{"held beyond the end", func(c *Config) { c.Churn.Hold = Duration(time.Hour) }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := (&double{}).start(t)
			c := short(d, Churn)
			c.Conns, c.Churn.Rate, c.Churn.Hold = 1000, 200, Duration(5*time.Millisecond)
			tt.change(&c)
			_, sum := mustRun(t, c, Options{})
			const due = 20
			expect(t, "opened, the scout too", sum.Opened, due+1)
			expect(t, "opened, the double says", d.upgraded.Load(), due+1)
			expect(t, "left", sum.Left, due+1)
			expect(t, "latencies", sum.Latency.Count(), due)
			expect(t, "slips", sum.Slip.Count(), due)
			for what, n := range map[string]int64{"unsent": sum.Unsent, "lost": sum.Lost, "failed": sum.Failed} {
				expect(t, what, n, 0)
			}
			if closes := int64(d.closed(ws.StatusNormalClosure)); tt.closes && closes != due+1 || !tt.closes && closes > 1 {
				t.Errorf("%d clients said goodbye", closes)
			}
		})
	}
}

// TestChurnIsBounded: Conns is the most that are open at a time.
func TestChurnIsBounded(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		conns  int
		unsent int64 // of 20
	}{{20, 1}, {21, 0}, {22, 0}} {
		d := (&double{}).start(t)
		c := short(d, Churn)
		// All are held to the end, and the scout is one of them.
		c.Conns, c.Loops, c.Churn.Rate, c.Churn.Hold = tt.conns, 1, 200, Duration(time.Hour)
		_, sum := mustRun(t, c, Options{})
		expect(t, "unsent", sum.Unsent, tt.unsent)
		expect(t, "opened", sum.Opened, 21-tt.unsent)
	}
}

// TestChurnTakesTheRoomOfWhoHasLeft: also where it is for one only.
func TestChurnTakesTheRoomOfWhoHasLeft(t *testing.T) {
	t.Parallel()
	d := (&double{}).start(t)
	c := short(d, Churn)
	c.Conns, c.Loops, c.Churn.Rate, c.Churn.Hold = 1, 1, 200, Duration(time.Millisecond)
	o := until(&c, func(sum *report.Interval) bool { return sum.Opened >= 3 })
	if _, sum := mustRun(t, c, o); sum.Opened < 3 {
		t.Errorf("%d were opened", sum.Opened)
	}
}

// TestChurnCountsFromTheSchedule: a server that is slow to answer shows in the latency.
func TestChurnCountsFromTheSchedule(t *testing.T) {
	t.Parallel()
	const slow = 30 * time.Millisecond
	d := &double{shake: func(*peer, int) bool { <-time.After(slow); return false }}
	d.start(t)
	c := short(d, Churn)
	c.Conns = 100
	_, sum := mustRun(t, c, Options{})
	if sum.Latency.Count() != 10 || sum.Latency.Min() < slow-slow/1000 || sum.Connect.Min() < slow-slow/1000 {
		t.Errorf("%d latencies from %v on", sum.Latency.Count(), sum.Latency.Min())
	}
}

func TestStorm(t *testing.T) {
	t.Parallel()
	const delay = 20 * time.Millisecond
	for _, closing := range []bool{false, true} {
		t.Run(fmt.Sprint("close ", closing), func(t *testing.T) {
			t.Parallel()
			d := &double{}
			d.shake = func(p *peer, n int) bool {
				if n >= 6 { // back from a wave
					<-time.After(delay)
				}
				return false
			}
			d.start(t)
			c := short(d, Storm)
			c.Conns, c.Storm.Waves, c.Storm.Every, c.Storm.Close = 6, 2, Duration(4*time.Second), closing
			o := until(&c, func(sum *report.Interval) bool { return sum.Opened >= 18 })
			r, sum := mustRun(t, c, o)
			expect(t, "waves", int64(len(sum.Waves)), 2)
			for i, w := range sum.Waves {
				if w.Clients != 6 || w.Back != 6 || w.Full-w.Began < int64(delay) {
					t.Errorf("wave %d: %+v", i, w)
				}
			}
			expect(t, "opened", sum.Opened, 18)
			expect(t, "left", sum.Left, 18)
			expect(t, "latencies", sum.Latency.Count(), 12)
			expect(t, "said goodbye", int64(d.closed(ws.StatusNormalClosure)), map[bool]int64{false: 6, true: 18}[closing])
			if s := r.Report.Storm; s.Worst == nil || *s.Worst < float64(delay.Microseconds()) || len(s.Waves) != 2 {
				t.Errorf("the report says %+v", s)
			}
		})
	}
}

// TestStormRetries: who is refused tries again until it is back.
func TestStormRetries(t *testing.T) {
	t.Parallel()
	d := &double{shake: func(p *peer, n int) bool {
		if n >= 4 && n < 4+3 { // three of the four that come back first
			_ = p.write([]byte("HTTP/1.1 503 busy\r\nContent-Length: 0\r\n\r\n"))
			return true
		}
		return false
	}}
	d.start(t)
	c := short(d, Storm)
	c.Conns, c.Storm.Waves = 4, 1
	o := until(&c, func(sum *report.Interval) bool { return sum.Opened >= 8 })
	_, sum := mustRun(t, c, o)
	if len(sum.Waves) != 1 {
		t.Fatalf("waves: %+v", sum.Waves)
	}
	if w := sum.Waves[0]; w.Clients != 4 || w.Back != 4 || w.Full-w.Began < int64(retryAfter) {
		t.Errorf("%+v", w)
	}
	expectFailures(t, sum, map[string]int64{report.HandshakeStatus(503): 3})
	expect(t, "attempts", sum.Attempts, 11)
}

// TestAStormThatIsNotOver: a server that lets nobody back in.
func TestAStormThatIsNotOver(t *testing.T) {
	t.Parallel()
	d := &double{shake: func(p *peer, n int) bool {
		if n >= 4 {
			_ = p.write([]byte("HTTP/1.1 503 busy\r\nContent-Length: 0\r\n\r\n"))
		}
		return n >= 4
	}}
	d.start(t)
	c := short(d, Storm)
	c.Conns, c.Storm.Waves, c.Storm.Every, c.Duration = 4, 2, Duration(2*time.Second), 0
	r, sum := mustRun(t, c, Options{})
	if len(sum.Waves) != 2 {
		t.Fatalf("waves: %+v", sum.Waves)
	}
	for i, w := range sum.Waves {
		if w.Clients != 4 || w.Back != 0 {
			t.Errorf("wave %d: %+v", i, w)
		}
	}
	if s := r.Report.Storm; s.Worst != nil || s.Waves[0].Full != nil || len(s.Waves) != 2 {
		t.Errorf("the report says %+v", s)
	}
}

// TestSlowClients: ten clients of which two are slow, and a server that has little room
// for what they do not read. It feels them, and the others get everything.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ rate, size, publications int }{
		{0, 20_000, 100}, {1000, 20_000, 100}, {1000, 500, 1600},
	} {
		t.Run(fmt.Sprintf("%d bytes a second, messages of %d", tt.rate, tt.size), func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			var peers []*peer
			d := fanningDouble(nil)
			d.opened = func(p *peer) {
				_ = p.conn.(*net.TCPConn).SetWriteBuffer(16 << 10)
				mu.Lock()
				defer mu.Unlock()
				peers = append(peers, p)
			}
			d.start(t)
			c := short(d, Slow)
			c.Conns, c.Slow.Share, c.Slow.Rate = 10, 0.2, tt.rate
			c.Fanout.Rate, c.Messages.Size = float64(tt.publications), strconv.Itoa(tt.size)
			c.Warmup, c.Duration = 2, Duration(400*time.Millisecond)
			r, sum := mustRun(t, c, Options{})

			due := int64(tt.publications * 4 / 10)
			expect(t, "published", sum.Published, due)
			expect(t, "deliveries", sum.Deliveries, 8*due)
			expect(t, "opened", sum.Opened, 11)
			for what, n := range map[string]int64{"lost": sum.Lost, "duplicates": sum.Duplicates, "unsent": sum.Unsent, "slow ones lost": sum.SlowLost} {
				expect(t, what, n, 0)
			}
			if r.Report.Fanout.Reach != 1 || r.Report.Fanout.Subscribers != 8 || r.Report.Slow.Clients != 2 {
				t.Errorf("%+v, %+v", r.Report.Fanout, r.Report.Slow)
			}
			expect(t, "alive", r.Report.Connections.AliveAtEnd, 11)

			whole := 0
			for _, p := range peers {
				if p.written.Load() >= due {
					whole++
				}
			}
			// Whoever reads at a rate reads on at once when the run closes its connection.
			if whole < 9 || tt.rate == 0 && whole > 9 {
				t.Errorf("%d were written everything, want 9", whole)
			}
			// What the kernel has is read at once, and the rest by rate.
			seconds := time.Since(r.Report.Run.Started).Seconds()
			most := int64(float64(2*(4*smallBuffer))+2*seconds*float64(tt.rate)) / int64(tt.size)
			if tt.rate == 0 {
				most = 0
			} else {
				most += 2 // one each is cut
			}
			if sum.SlowReceived > most {
				t.Errorf("the slow clients received %d messages, at most %d were to be", sum.SlowReceived, most)
			}
			if tt.rate > 0 && tt.size < smallBuffer && sum.SlowReceived == 0 {
				t.Error("the slow clients received nothing")
			}
		})
	}
}

// TestSlowClientsThatAreGivenUp: what the server does with them is counted by itself.
func TestSlowClientsThatAreGivenUp(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{0, 1000} {
		d := (&double{opened: func(p *peer) {
			if p.number < 4 {
				return
			}
			<-time.After(100 * time.Millisecond)
			p.reset()
		}}).start(t)
		c := short(d, Slow)
		c.Conns, c.On, c.Slow.Share, c.Slow.Rate, c.Loops = 8, Feed, 1, rate, 1
		o := until(&c, func(sum *report.Interval) bool { return sum.SlowLost >= 4 })
		_, sum := mustRun(t, c, o)
		expect(t, "slow ones lost", sum.SlowLost, 4)
		expect(t, "lost", sum.Lost, 0)
		expect(t, "left", sum.Left, 4)
	}
}

// watch pings, and ends the connection when nothing has come for so long. Who was not woken
// cannot tell who was silent meanwhile: everybody gets as long again then.
func (p *peer) watch(patience time.Duration) {
	ticker := time.NewTicker(patience / 20)
	defer ticker.Stop()
	for last := time.Now(); ; {
		select {
		case <-ticker.C:
			p.send(ws.OpPing, nil)
		case <-p.gone:
			return
		}
		now := time.Now()
		if now.Sub(last) > patience/4 {
			p.d.each(func(p *peer) { p.heard.Store(now.UnixNano()) })
		}
		last = now
		if now.UnixNano()-p.heard.Load() > int64(patience) {
			p.conn.Close()
			return
		}
	}
}

// TestHalfOpen: the double ends who has not answered its ping for a time.
func TestHalfOpen(t *testing.T) {
	t.Parallel()
	const patience = 4 * time.Second
	for _, on := range []string{Echo, Fanout, Feed} {
		t.Run(on, func(t *testing.T) {
			t.Parallel()
			d := &double{}
			d.answer = func(p *peer, m wsproto.Message) {
				if on == Fanout {
					d.broadcast(m.Op, m.Payload)
				} else {
					p.send(m.Op, m.Payload)
				}
			}
			d.opened = func(p *peer) { d.tasks.Go(func() { p.watch(patience) }) }
			d.start(t)
			c := short(d, HalfOpen)
			c.Conns, c.On, c.HalfOpen.Share, c.Echo.Rate, c.Fanout.Rate = 8, on, 0.25, 100, 100
			c.Duration = Duration(10 * time.Second)
			if on == Feed {
				c.Drain = Duration(time.Second) // all of it passes: the double is no feed
			}
			r, sum := mustRun(t, c, Options{})
			expect(t, "vanished", sum.Vanished, 2)
			expect(t, "noticed", sum.Noticed, 2)
			expect(t, "times", sum.Notice.Count(), 2)
			// The last thing heard is older than the vanishing by a ping, or the way of one.
			if least := patience / 2; sum.Notice.Min() < least {
				t.Errorf("noticed after %v, and the server waits %v", sum.Notice.Min(), patience)
			}
			expect(t, "lost", sum.Lost, 0)
			expect(t, "unanswered", sum.Unanswered, 0)
			if h := r.Report.HalfOpen; h.Vanished != 2 || h.Noticed != 2 || h.Notice == nil {
				t.Errorf("%+v", h)
			}
			if on == Fanout && (r.Report.Fairness == nil || r.Report.Fairness.Receivers != 6) {
				t.Errorf("fairness of %+v, and two vanished", r.Report.Fairness)
			}
			if f := r.Report.Fanout; on == Fanout && (f.Reach != 1 || f.Subscribers != 6) {
				t.Errorf("%+v", f)
			}
		})
	}
}

// TestHalfOpenUnnoticed: a server that never looks does not notice.
func TestHalfOpenUnnoticed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		share    float64
		vanished int64
	}{{0.25, 1}, {0.5, 2}, {1, 4}} {
		d := (&double{}).start(t)
		c := short(d, HalfOpen)
		c.Conns, c.HalfOpen.Share, c.Echo.Rate = 4, tt.share, 100
		_, sum := mustRun(t, c, Options{})
		expect(t, "vanished", sum.Vanished, tt.vanished)
		expect(t, "noticed", sum.Noticed, 0)
		expect(t, "left", sum.Left, 4-tt.vanished)
	}
}

func TestHalfOpenByReset(t *testing.T) {
	t.Parallel()
	d := (&double{}).start(t)
	c := short(d, HalfOpen)
	c.Conns, c.HalfOpen.Share, c.HalfOpen.How, c.Echo.Rate = 8, 0.5, Reset, 100
	_, sum := mustRun(t, c, Options{})
	expect(t, "vanished", sum.Vanished, 4)
	expect(t, "noticed", sum.Noticed, 0) // there is nothing left to see it by
	expect(t, "said goodbye", int64(d.closed(ws.StatusNormalClosure)), 4)
	expect(t, "lost", sum.Lost, 0)
}
