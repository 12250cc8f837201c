package bench

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/bench/report"
	"github.com/roostws/roost/wsproto"
)

// TestEveryConnectionHasItsNumber: workers may have different numbers of loops.
func TestEveryConnectionHasItsNumber(t *testing.T) {
	for _, loops := range [][]int{{1}, {4}, {1, 2, 4}, {4, 2, 1}, {3, 3, 3}} {
		for _, conns := range []int{12, 13, 17, 100} {
			c := Config{Scenario: Fanout, Conns: conns, Fanout: FanoutConfig{Publishers: 5}}
			owners := make([]int, conns+c.Fanout.Publishers)
			for i, n := range loops {
				c.Loops = n
				w := &worker{config: c, share: share{i, len(loops)}}
				for part := range w.loopCount() {
					p := share{part, w.loopCount()}
					r := newRamp(&loop{worker: w, config: &w.config, part: p, share: w.share.within(p)})
					for ; r.next < r.end; r.next++ {
						owners[r.next]++
					}
					for _, number := range r.publishers {
						owners[number]++
					}
				}
			}
			for number, n := range owners {
				if n != 1 {
					t.Fatalf("loops %v, %d connections: %d have number %d", loops, conns, n, number)
				}
			}
		}
	}
}

// TestPingsOfWhoDoesNotRead are answered as long as not too much waits to be written.
func TestPingsOfWhoDoesNotRead(t *testing.T) {
	for waiting, want := range map[int]bool{0: false, maxControl: false, maxControl + 1: true} {
		half := waiting / 2
		c := &conn{pending: &pending{make([]byte, half), make([]byte, waiting-half)}}
		if c.clogged() != want {
			t.Errorf("%d bytes wait: clogged is %v", waiting, !want)
		}
	}
	l := &loop{rec: newRecorder(newTimeline(0)), rng: rand.NewChaCha8([32]byte{})}
	c := &conn{token: 1, state: open, pending: &pending{rest: make([]byte, 1)}}
	for range 10_000 {
		l.cork()
		l.message(c, wsproto.Message{Op: ws.OpPing, Payload: make([]byte, 125)})
		l.uncork(c, c.token)
	}
	const pong = 2 + 4 + 125
	expect(t, "pongs that wait", l.rec.Pings, maxControl/pong+1)
	expect(t, "bytes that wait", int64(len(c.pending.more)), l.rec.Pings*pong)
}

// filled is a table of n publications.
func filled(n int) report.Messages {
	m := make(report.Messages, n)
	for key := range uint64(n) {
		m[key] = report.Message{Count: 1}
	}
	return m
}

// TestTheTableOfPublicationsIsBounded: a server that stamps each copy anew does not fill the memory.
func TestTheTableOfPublicationsIsBounded(t *testing.T) {
	l := &loop{rec: newRecorder(newTimeline(0))}
	l.rec.Messages = filled(maxPublications - 1)
	f := &fanout{audience: audience{idle: idle{l}}}
	for i, tt := range []struct {
		key             uint64
		size, untracked int64
	}{
		{maxPublications, maxPublications, 0}, {maxPublications + 1, maxPublications, 1},
		{1, maxPublications, 1}, {maxPublications + 2, maxPublications, 2},
	} {
		f.arrived(tt.key)
		if int64(len(l.rec.Messages)) != tt.size || l.rec.Untracked != tt.untracked {
			t.Errorf("step %d: %d publications, %d untracked", i, len(l.rec.Messages), l.rec.Untracked)
		}
	}
	expect(t, "arrivals of number 1", int64(l.rec.Messages[1].Count), 2)
}

// TestChannelsAreBounded: a feed that names more is told by its unmarked messages.
func TestChannelsAreBounded(t *testing.T) {
	l := &loop{rec: newRecorder(newTimeline(0))}
	f := &feed{audience: audience{idle: idle{l}}, channels: map[string]int{}}
	c := &conn{extra: &chains{}}
	for n := range maxChannels + 2 {
		f.message(c, wsproto.Message{Payload: fmt.Appendf(nil, `{"ch":"%d","type":"snapshot","seq":1}`, n)})
	}
	f.message(c, wsproto.Message{Payload: []byte(`{"ch":"7","type":"update","seq":2,"prev":1}`)})
	expect(t, "channels", int64(len(f.channels)), maxChannels)
	expect(t, "snapshots", l.rec.Snapshots, maxChannels)
	expect(t, "unmarked", l.rec.Unmarked, 2)
	expect(t, "updates", l.rec.Updates, 1)
	expect(t, "gaps", l.rec.Gaps, 0)
}

// TestTinyRates: an event in more than a quarter of an hour is a mistake.
func TestTinyRates(t *testing.T) {
	for name, set := range map[string]func(*Config, float64){
		"echo rate": func(c *Config, v float64) { c.Echo.Rate = v }, "connect rate": func(c *Config, v float64) { c.Connect.Rate = v },
	} {
		for rate, ok := range map[float64]bool{0: true, 1e-3: true, 0.99e-3: false, 1e-300: false} {
			c := Config{Scenario: Echo, Targets: []string{"ws://localhost/"}}
			set(&c, rate)
			if _, err := c.complete(); (err == nil) != ok || err != nil && !strings.Contains(err.Error(), name) {
				t.Errorf("%s %v: %v", name, rate, err)
			}
		}
	}
}

// TestAScheduleEndsAtNever: what is due after the end of time is never due.
func TestAScheduleEndsAtNever(t *testing.T) {
	const start, second = int64(1_700_000_000_000_000_000), int64(time.Second)
	s := newSchedule(start, 1e-3, share{0, 1})
	last := (never - start) / (1000 * second) // the last that is due before it
	for next, want := range map[int64]int64{1: start + 1000*second, last + 1: never, last + 1000: never, 1 << 60: never} {
		if s.next = next; s.due() != want {
			t.Errorf("number %d is due at %d, want %d", next, s.due(), want)
		}
	}
	if s.next = last; s.due() >= never || s.due() < never-1000*second {
		t.Errorf("number %d is due at %d", last, s.due())
	}
}

// TestTheCoordinatorsTableIsBounded: what is known goes on to be followed, what is new is
// counted and not.
func TestTheCoordinatorsTableIsBounded(t *testing.T) {
	r := &run{total: &report.Interval{Messages: report.Messages{}}}
	for key := range uint64(maxPublications - 1) {
		r.total.Messages[key] = report.Message{Count: 1}
	}
	i := &report.Interval{Messages: report.Messages{0: {Count: 5}, 1: {Count: 5}}}
	for key := range uint64(3) {
		i.Messages[maxPublications+key] = report.Message{Count: 7}
	}
	r.bound(i)
	if len(i.Messages) != 3 || i.Messages[0].Count != 5 || i.Messages[1].Count != 5 || i.Untracked != 2*7 {
		t.Errorf("%d are followed, %d deliveries are not", len(i.Messages), i.Untracked)
	}
}

// TestASourceOfAnotherMachine is told at the first try, whatever the ports.
func TestASourceOfAnotherMachine(t *testing.T) {
	t.Parallel()
	d := (&double{}).start(t)
	c := short(d, Idle)
	c.Loops, c.Connect.Sources, c.Connect.Ports = 1, []string{"192.0.2.1"}, "20050-20059"
	_, err := Run(t.Context(), c, Options{})
	if err == nil || !strings.Contains(err.Error(), "source 192.0.2.1 is no address of this machine") {
		t.Errorf("it says %v", err)
	}
}

// TestALoopHearsOfTheTimelineBeforeItLooksAtWhatArrives: another loop may have heard of it first, and what
// arrives may be the answer to what that one has sent.
func TestALoopHearsOfTheTimelineBeforeItLooksAtWhatArrives(t *testing.T) {
	w := &worker{config: Config{Duration: Duration(time.Second)}}
	l := &loop{worker: w, rec: newRecorder(newTimeline(0)), clock: newClock(0)}
	w.begin(10)
	l.arrived()
	if !l.rec.timeline.measured(10) {
		t.Error("what arrives in the measure phase would not count")
	}
}
