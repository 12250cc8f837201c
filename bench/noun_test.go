package bench

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/roostws/roost/bench/report"
	"github.com/roostws/roost/poller"
)

func TestSharesMakeTheWhole(t *testing.T) {
	for _, of := range []int{1, 2, 3, 7, 64} {
		for _, total := range []int{0, 1, 2, 6, 7, 8, 63, 64, 65, 1000} {
			next := 0
			for i := range of {
				s := share{i, of}
				if before := s.before(total); before != next {
					t.Errorf("before %v of %d: %d, want %d", s, total, before, next)
				}
				part := s.part(total)
				if part != total/of && part != total/of+1 {
					t.Errorf("%v of %d: %d", s, total, part)
				}
				next += part
			}
			if next != total {
				t.Errorf("%d shares of %d are %d", of, total, next)
			}
		}
	}
}

// TestSharesWithinShares: workers may have different numbers of loops, and together
// they still have every event once.
func TestSharesWithinShares(t *testing.T) {
	for _, loops := range [][]int{{1}, {3}, {1, 1}, {2, 2}, {1, 4}, {3, 1, 2}} {
		owners := make([]int, 240)
		for w, n := range loops {
			for i := range n {
				s := share{w, len(loops)}.within(share{i, n})
				count := 0
				for k := s.Index; k < len(owners); k += s.Of {
					owners[k]++
					count++
				}
				if count != s.part(len(owners)) {
					t.Errorf("%v has %d of %d, and part says %d", s, count, len(owners), s.part(len(owners)))
				}
			}
		}
		for k, n := range owners {
			if n != 1 {
				t.Fatalf("loops %v: event %d belongs to %d", loops, k, n)
			}
		}
	}
}

// TestTheScheduleOfAllIsThatOfItsShares: together the shares have every event of the
// whole, at its time to the nanosecond.
func TestTheScheduleOfAllIsThatOfItsShares(t *testing.T) {
	const start, events = int64(1_700_000_000_000_000_000), 5000
	for _, rate := range []float64{0.001, 1, 3, 7, 999.5, 12345, 1e6, 1e8} {
		whole := newSchedule(start, rate, share{0, 1})
		for k := range int64(events) {
			if want := start + int64(float64(k)*1e9/rate); max(whole.due()-want, want-whole.due()) > 1 || whole.number() != k {
				t.Fatalf("rate %v: event %d is number %d, due at %d, want %d", rate, k, whole.number(), whole.due(), want)
			}
			whole.next++
		}
		for _, of := range []int{1, 2, 3, 8} {
			var all []int64
			for i := range of {
				s := newSchedule(start, rate, share{i, of})
				for s.number() < events {
					all = append(all, s.due())
					s.next++
				}
			}
			slices.Sort(all)
			whole.next = 0
			for k, due := range all {
				if due != whole.due() {
					t.Fatalf("rate %v, %d shares: event %d is due at %d, want %d", rate, of, k, due, whole.due())
				}
				whole.next++
			}
			if len(all) != events {
				t.Errorf("%d shares have %d of %d events", of, len(all), events)
			}
		}
	}
}

func TestDeadlines(t *testing.T) {
	d := deadlines{after: 10}
	if d.due(never-1) != 0 || d.next() != never {
		t.Fatal("an empty queue has something due")
	}
	d.add(1, 100)
	d.add(2, 105)
	for _, tt := range []struct {
		now   int64
		token poller.Token
		next  int64
	}{{109, 0, 110}, {110, 1, 115}, {114, 0, 115}, {1000, 2, never}, {1000, 0, never}} {
		if got := d.due(tt.now); got != tt.token || d.next() != tt.next {
			t.Errorf("at %d: %d, next %d; want %d, %d", tt.now, got, d.next(), tt.token, tt.next)
		}
	}
}

// TestDeadlinesGiveMemoryBack, and keep the order over a long queue that is moved.
func TestDeadlinesGiveMemoryBack(t *testing.T) {
	d := deadlines{after: 1}
	next := poller.Token(1)
	for i := range poller.Token(100_000) {
		d.add(i+1, int64(i))
		if i%3 == 2 {
			for range 2 {
				if got := d.due(never - 1); got != next {
					t.Fatalf("token %d is due, want %d", got, next)
				}
				next++
			}
		}
	}
	for ; next <= 100_000; next++ {
		if got := d.due(never - 1); got != next {
			t.Fatalf("token %d is due, want %d", got, next)
		}
	}
	if cap(d.entries) > 4096 {
		t.Errorf("an empty queue keeps %d entries", cap(d.entries))
	}
	for i := range 1_000_000 { // always one in it: it must not grow
		d.add(poller.Token(i+1), 0)
		if i > 0 {
			d.due(never - 1)
		}
	}
	if cap(d.entries) > 8192 {
		t.Errorf("a queue of one has %d entries", cap(d.entries))
	}
}

// TestFlightIsAQueue holds the ring against a slice: replies come in any order, or never.
func TestFlightIsAQueue(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range 200 {
		var f flight
		var model []entry // what is under way or due
		unsent := func() int {
			return slices.IndexFunc(model, func(e entry) bool { return e.sent == 0 })
		}
		underway := func() int {
			if i := unsent(); i >= 0 {
				return i
			}
			return len(model)
		}
		check := func(step int, what string, got entry, ok bool, want int) {
			t.Helper()
			if ok != (want >= 0) || ok && got != model[want] {
				t.Fatalf("round %d, step %d: %s %+v, %v", round, step, what, got, ok)
			}
			if ok {
				model = slices.Delete(model, want, want+1)
			}
		}
		for step := range 300 {
			at := int64(step + 1)
			switch rng.IntN(6) {
			case 0, 1:
				e := entry{intended: at}
				if unsent() < 0 && rng.IntN(2) == 0 {
					e.sent, e.sum = at, rng.Uint64N(50) // some are alike: the oldest is meant
				}
				f.push(e)
				model = append(model, e)
			case 2:
				sum := rng.Uint64N(50)
				want := slices.IndexFunc(model[:underway()], func(e entry) bool { return e.sum == sum })
				got, ok := f.answered(sum)
				check(step, "answered", got, ok, want)
			case 3:
				want := min(0, underway()-1)
				got, ok := f.oldest()
				check(step, "the oldest is", got, ok, want)
			case 4, 5:
				next, i := f.toSend(), unsent()
				if (next == nil) != (i < 0) || next != nil && *next != model[i] {
					t.Fatalf("round %d, step %d: to send is %+v", round, step, next)
				}
				if next != nil {
					f.sent(next, at, 7)
					model[i].sent, model[i].sum = at, 7
				}
			}
			if f.live != len(model) || f.size < f.live || f.size > 0 && f.entries[f.head].sent == answeredState {
				t.Fatalf("round %d, step %d: %d live of %d, want %d", round, step, f.live, f.size, len(model))
			}
		}
		for _, want := range model {
			if got := f.take(); got != want {
				t.Fatalf("round %d: took %+v, want %+v", round, got, want)
			}
		}
		if f.size != 0 || f.live != 0 || f.unsent != 0 {
			t.Fatalf("round %d: an empty flight has size %d, %d unsent", round, f.size, f.unsent)
		}
	}
}

// What a reply further back has passed gets none any more: nothing piles up behind it.
func TestWhatIsPassedIsGivenUp(t *testing.T) {
	var f flight
	for i := range 10_000 {
		f.push(entry{intended: int64(i), sent: 1, sum: uint64(i)})
		if i%1000 == 0 {
			continue // no reply
		}
		if _, ok := f.answered(uint64(i)); !ok {
			t.Fatalf("message %d is not found", i)
		}
		if at := i - i%1000; len(f.passed) > 0 && (len(f.passed) != 1 || f.passed[0].intended != int64(at) || i != at+reorder+1) {
			t.Fatalf("at message %d these are given up: %+v", i, f.passed)
		}
		if f.size > reorder+1 {
			t.Fatalf("at message %d the ring has %d entries", i, f.size)
		}
	}
	if f.live != 0 || f.size != 0 {
		t.Errorf("%d are left of %d", f.live, f.size)
	}
}

// A reply is looked for so far back and no further: a flight can be long.
func TestHowFarBackAReplyIsLookedFor(t *testing.T) {
	var f flight
	for i := range lookBack + 1 {
		f.push(entry{intended: 1, sent: 1, sum: uint64(i)})
	}
	if _, ok := f.answered(lookBack); ok {
		t.Error("it is found one too far back")
	}
	if _, ok := f.answered(lookBack - 1); !ok {
		t.Error("the last one to look at is not found")
	}
	if f.live != reorder+1 || len(f.passed) != lookBack-1-reorder {
		t.Errorf("%d are left, %d were passed", f.live, len(f.passed))
	}
}

func TestTimeline(t *testing.T) {
	line := timeline{start: 0, warmup: 10, measure: 20, drain: 30, closing: 40}
	unplanned := newTimeline(0)
	stopped := timeline{warmup: never, measure: never, drain: never, closing: 15}
	noWarmup := timeline{warmup: 10, measure: 10, drain: 30, closing: 40}
	cut := timeline{warmup: 10, measure: 20, drain: 20, closing: 25}
	for _, tt := range []struct {
		line     timeline
		now      int64
		phase    report.Phase
		until    int64
		measured bool
	}{
		{line, 0, report.Ramp, 10, false}, {line, 9, report.Ramp, 10, false},
		{line, 10, report.Warmup, 20, false}, {line, 19, report.Warmup, 20, false},
		{line, 20, report.Measure, 30, true}, {line, 29, report.Measure, 30, true},
		{line, 30, report.Drain, 40, false}, {line, 39, report.Drain, 40, false},
		{line, 40, report.Closing, never, false},
		{unplanned, 1 << 60, report.Ramp, never, false},
		{stopped, 14, report.Ramp, 15, false}, {stopped, 15, report.Closing, never, false},
		{noWarmup, 9, report.Ramp, 10, false}, {noWarmup, 10, report.Measure, 30, true},
		{cut, 19, report.Warmup, 20, false}, {cut, 20, report.Drain, 25, false},
	} {
		phase, until := tt.line.at(tt.now)
		if phase != tt.phase || until != tt.until || tt.line.measured(tt.now) != tt.measured {
			t.Errorf("%+v at %d: %s until %d, measured %v", tt.line, tt.now, phase, until, tt.line.measured(tt.now))
		}
	}
}

// TestIntervalsEndWithSecondsAndPhases cuts a run whose phases begin within seconds.
func TestIntervalsEndWithSecondsAndPhases(t *testing.T) {
	const s = int64(time.Second)
	start := 5 * s
	r := newRecorder(newTimeline(start))
	r.plan(timeline{start: start, warmup: start + s/2, measure: start + s, drain: start + 5*s/2, closing: start + 11*s/4})
	var got []string
	for r.Phase != report.Closing {
		r.Sent++
		r.latency.Record(time.Millisecond)
		i := r.cut()
		if i.Sent != 1 || i.Latency.Count() != 1 || i.Service != nil {
			t.Errorf("an interval counted %d, %d latencies", i.Sent, i.Latency.Count())
		}
		got = append(got, fmt.Sprintf("%d %s %v", i.Second, i.Phase, i.Length))
	}
	want := []string{"0 ramp 500ms", "0 warmup 500ms", "1 measure 1s", "2 measure 500ms", "2 drain 250ms"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%q, want %q", got, want)
	}
	if r.began != start+11*s/4 || r.ends != start+3*s || r.Sent != 0 {
		t.Errorf("closing is from %d until %d", r.began, r.ends)
	}
}

// TestAPlanMayComeLate: the interval in progress began after the new boundary.
func TestAPlanMayComeLate(t *testing.T) {
	r := newRecorder(newTimeline(0))
	r.ends = 100
	r.cut() // an interval from 100 on
	r.plan(timeline{start: 0, warmup: 50, measure: 200, drain: 300, closing: 400})
	if i := r.cut(); i.Phase != report.Ramp || i.Length != 0 {
		t.Errorf("%s of %v", i.Phase, i.Length)
	}
	if r.Phase != report.Warmup || r.began != 100 || r.ends != 200 {
		t.Errorf("%s from %d until %d", r.Phase, r.began, r.ends)
	}
}

func TestTheAssemblerWaitsForAll(t *testing.T) {
	a := newAssembler(2)
	made := func(second int, phase report.Phase, sent int64) *report.Interval {
		i := &report.Interval{Second: second, Phase: phase, Length: time.Second}
		i.Sent = sent
		i.Open = sent
		i.Latency = newHistogram()
		i.Latency.Record(time.Duration(sent) * time.Millisecond)
		return i
	}
	got := func() (all []string) {
		for _, i := range a.ready() {
			all = append(all, fmt.Sprintf("%d %s %d %d %v %d", i.Second, i.Phase, i.Sent, i.Open, i.Length, i.Latency.Count()))
		}
		return all
	}
	step := func(want ...string) {
		t.Helper()
		if g := got(); fmt.Sprint(g) != fmt.Sprint(want) {
			t.Errorf("%q is ready, want %q", g, want)
		}
	}
	step()
	a.add(0, made(0, report.Ramp, 1))
	step()
	a.add(0, made(0, report.Measure, 2))
	step()
	a.add(1, made(0, report.Ramp, 10))
	step("0 ramp 11 11 1s 2")
	a.add(1, made(1, report.Measure, 20)) // it has none of second 0
	step("0 measure 2 2 1s 1")
	a.add(0, made(1, report.Measure, 3))
	step("1 measure 23 23 1s 2")
	a.add(0, made(2, report.Measure, 4))
	step()
	a.end(1)
	step("2 measure 4 4 1s 1")
	a.add(0, made(2, report.Drain, 5))
	a.add(0, made(2, report.Closing, 6))
	step("2 drain 5 5 1s 1", "2 closing 6 6 1s 1")
	a.end(0)
	step()
}

func TestEverySpreadsAShareEvenly(t *testing.T) {
	for _, tt := range []struct {
		share float64
		of    uint32
		want  int
	}{{0, 100, 0}, {0.1, 100, 10}, {0.25, 8, 2}, {0.5, 10, 5}, {1, 10, 10}, {0.01, 100, 1}, {0.01, 99, 0}} {
		n, last := 0, -1
		for i := range tt.of {
			if !every(i, tt.share) {
				continue
			}
			if gap := int(i) - last; last >= 0 && float64(gap) < 1/tt.share-1 {
				t.Errorf("share %v: %d and %d", tt.share, last, i)
			}
			n, last = n+1, int(i)
		}
		if n != tt.want {
			t.Errorf("a share of %v of %d is %d, want %d", tt.share, tt.of, n, tt.want)
		}
	}
}

func TestPausesAddUp(t *testing.T) {
	p := pauses{until: map[poller.Token]int64{}}
	p.add(1, 100, 10) // until 110
	p.add(2, 100, 15) // until 115
	p.add(1, 100, 10) // until 120
	for _, tt := range []struct {
		now  int64
		want poller.Token
	}{{109, 0}, {112, 0}, {119, 2}, {119, 0}, {120, 1}, {1000, 0}} {
		if got := p.due(tt.now); got != tt.want {
			t.Errorf("at %d: %d, want %d", tt.now, got, tt.want)
		}
	}
	if p.next() != never || len(p.until) != 0 {
		t.Errorf("next at %d, %d are kept", p.next(), len(p.until))
	}
}

func TestAWindowTellsWhatHasCome(t *testing.T) {
	var w window
	for i, tt := range []struct {
		seq      uint32
		repeated bool
	}{
		{3, false}, {3, true}, {1, false}, {2, false}, {1, true}, {windowSize + 2, false}, {3, true}, {4, false}, {4, true},
		{windowSize + 3, false}, {3, false}, {4, true}, {5, false}, {windowSize + 3, true}, // 3 is too old to tell
		{10_000, false}, {10_001 - windowSize, false}, {10_001 - windowSize, true}, {10_000 - windowSize, false}, {10_000 - windowSize, false},
		{10_000, true}, {9_999, false}, {1 << 31, false}, {9_999, false}, {1<<31 - 1, false}, {1<<31 - 1, true},
	} {
		if got := w.repeated(tt.seq); got != tt.repeated {
			t.Errorf("step %d: %d came before: %v", i, tt.seq, got)
		}
	}
}
