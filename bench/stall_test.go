package bench

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/roostws/roost/bench/report"
	"github.com/roostws/roost/wsproto"
)

// stallLength is how long the double is told to stand still.
const stallLength = 300 * time.Millisecond

// stallingDouble echoes, and stands still once when it has seen so many messages.
func stallingDouble(t *testing.T, after int64) *double {
	d := &double{}
	d.answer = func(p *peer, m wsproto.Message) {
		p.send(m.Op, m.Payload)
		if d.messages.Load() >= after {
			d.stall(stallLength)
		}
	}
	return d.start(t)
}

// metronome measures, while a test runs, how much later than asked this machine wakes
// a goroutine: what it cannot do, the tool cannot either.
type metronome struct {
	stop, done chan struct{}
	worst      time.Duration
	beats      int // that came later than a quarter of the stall
}

func newMetronome() *metronome {
	m := &metronome{stop: make(chan struct{}), done: make(chan struct{})}
	go m.run()
	return m
}

func (m *metronome) run() {
	defer close(m.done)
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for last := time.Now(); ; {
		select {
		case <-ticker.C:
		case <-m.stop:
			return
		}
		now := time.Now()
		late := now.Sub(last) - time.Millisecond
		m.worst = max(m.worst, late)
		if late > stallLength/4 {
			m.beats++
		}
		last = now
	}
}

func (m *metronome) end() {
	close(m.stop)
	<-m.done
}

// TestAStallShowsInFullInAnOpenLoop holds the latencies of a run against what follows
// from the schedule alone. Messages are due every 1/R. Those due while the server
// stands still, from a until b, are answered after b: the one due at t has a latency of
// b-t at least. So R(S-x) messages have a latency of x or more, for every x up to S.
func TestAStallShowsInFullInAnOpenLoop(t *testing.T) {
	const rate = 1000
	d := stallingDouble(t, 200)
	c := short(d, Echo)
	c.Conns, c.Duration, c.Echo.Rate = 4, Duration(time.Second), rate
	beat := newMetronome()
	r, sum := mustRun(t, c, Options{})
	beat.end()
	stall := d.stalled.Load().length()
	t.Logf("stalled %v, slip %v, lag %v, beats late by %v; %d replies, latency at most %v",
		stall, sum.Slip.Max(), sum.Lag, beat.worst, sum.Latency.Count(), sum.Latency.Max())

	expect(t, "unsent", sum.Unsent, 0)
	expect(t, "unanswered", sum.Unanswered, 0)
	expect(t, "measured", sum.Latency.Count(), rate)
	if stall < stallLength {
		t.Fatalf("the double stood still for %v", stall)
	}
	// A message is due in the last thousandth of a second before the end, or at it.
	if longest := sum.Latency.Max(); longest < stallLength-time.Second/rate || longest < stall-time.Second/rate {
		t.Errorf("a stall of %v, and the longest latency is %v", stall, longest)
	}
	// The tool may be late for its schedule and for what came, and so may the double.
	excess := sum.Slip.Max() + sum.Lag + 2*beat.worst + stallLength/6
	for _, part := range []float64{0.2, 0.4, 0.5, 0.6, 0.8} {
		x := time.Duration(part * float64(stall))
		got := atLeast(sum.Latency, x)
		fewest := int64(rate * (stall - x).Seconds())
		most := int64(rate*(stall-x+excess).Seconds()) + 1
		t.Logf("%v or more: %d messages, from %d to %d were expected", x, got, fewest, most)
		if got < fewest || got > most {
			t.Errorf("%d messages have a latency of %v or more, want %d to %d", got, x, fewest, most)
		}
	}
	if r.Report.Latency.Max < float64((stallLength-time.Second/rate)/time.Microsecond) {
		t.Errorf("the report's maximum is %v us", r.Report.Latency.Max)
	}
}

// TestAClosedLoopHidesTheSameStall is coordinated omission: the stall keeps the tool
// from sending what it would delay, and only the messages under way show it.
func TestAClosedLoopHidesTheSameStall(t *testing.T) {
	const conns = 4
	d := stallingDouble(t, 200)
	c := short(d, Echo)
	c.Conns, c.Duration = conns, Duration(time.Second)
	beat := newMetronome()
	_, sum := mustRun(t, c, Options{})
	beat.end()
	stall := d.stalled.Load().length()
	slow := atLeast(sum.Latency, stall/2)
	t.Logf("stalled %v; %d of %d replies took half of that or more, %d beats were late", stall, slow, sum.Latency.Count(), beat.beats)
	if sum.Latency.Max() < stall-time.Second/10 {
		t.Errorf("a stall of %v, and the longest latency is %v", stall, sum.Latency.Max())
	}
	// The stall itself makes no beat late.
	if slow < 1 || slow > int64(conns*(1+beat.beats)) {
		t.Errorf("%d messages of %d connections took half of the stall, want 1 to %d", slow, conns, conns*(1+beat.beats))
	}
	if sum.Service != nil {
		t.Error("a closed loop has a service time apart from its latency")
	}
}

// TestServiceTimeHidesWhatWaitedToBeSent makes the server read nothing at first, and
// messages so large that the kernel takes only some of them: the others wait, which is
// in their latency and not in their service time.
func TestServiceTimeHidesWhatWaitedToBeSent(t *testing.T) {
	d := &double{}
	d.opened = func(p *peer) {
		_ = p.conn.(*net.TCPConn).SetReadBuffer(128 << 10)
		<-time.After(2 * time.Second) // longer than the run takes to send, also on a busy machine
	}
	d.start(t)
	c := short(d, Echo)
	c.Conns, c.Echo.Rate, c.Messages.Size = 1, 50, "2097152"
	_, sum := mustRun(t, c, Options{})
	expect(t, "unsent", sum.Unsent, 0)
	expect(t, "latencies", sum.Latency.Count(), 5)
	expect(t, "service times", sum.Service.Count(), 5)
	// The last message was due more than a tenth of a second before anything was read,
	// and it alone makes a fifth of that in the mean.
	if hidden := sum.Latency.Mean() - sum.Service.Mean(); hidden < 20*time.Millisecond {
		t.Errorf("latency %v in the mean, service time %v", sum.Latency.Mean(), sum.Service.Mean())
	}
	for q := 0.2; q < 1; q += 0.2 {
		if s, l := sum.Service.Quantile(q), sum.Latency.Quantile(q); s > l {
			t.Errorf("quantile %v: service %v, latency %v", q, s, l)
		}
	}
}

// TestAStallPastTheDrainIsUnanswered never lets the stall end.
func TestAStallPastTheDrainIsUnanswered(t *testing.T) {
	t.Parallel()
	const rate = 500
	d := &double{answer: func(*peer, wsproto.Message) {}}
	d.start(t)
	c := short(d, Echo)
	c.Echo.Rate, c.Drain = rate, Duration(2*time.Second)
	r, err := Run(context.Background(), c, Options{})
	if err != nil {
		t.Fatal(err)
	}
	sum := total(r)
	expect(t, "unanswered", sum.Unanswered, rate/10)
	expect(t, "replies", sum.Replies, 0)
	if sum.Latency.Count() != 0 {
		t.Errorf("%d latencies without a reply", sum.Latency.Count())
	}
	if last := r.Intervals[len(r.Intervals)-1]; last.Phase != report.Closing {
		t.Errorf("the last phase is %s", last.Phase)
	}
}
