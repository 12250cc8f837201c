package live

import (
	"time"

	"github.com/roostws/roost/bench/report"
)

// moment names an interval: a second, of which a change of phase makes two.
type moment struct {
	second int
	phase  report.Phase
}

// momentOf names u's newest interval, or the zero moment when it has none.
func momentOf(u report.Progress) moment {
	if u.Last == nil {
		return moment{}
	}
	return moment{u.Last.Second, u.Last.Phase}
}

// quantiles are what is told of a histogram, and columns are their names.
var (
	quantiles = [...]float64{0.5, 0.9, 0.99, 0.999, 1}
	columns   = [len(quantiles)]string{"p50", "p90", "p99", "p99.9", "max"}
)

// spread is a histogram in short. Counting it out takes long enough that it is
// done once a second, not once a frame.
type spread struct {
	n  int64
	at [len(quantiles)]time.Duration
}

func spreadOf(h *report.Histogram) spread {
	s := spread{n: h.Count()}
	if s.n > 0 {
		for i, q := range quantiles {
			s.at[i] = h.Quantile(q)
		}
	}
	return s
}

// pair is the last second and everything so far.
type pair struct{ last, all spread }

func pairOf(last, all *report.Histogram) pair { return pair{spreadOf(last), spreadOf(all)} }

// state is a run as the view needs it.
type state struct {
	report.Progress // Last and Total are never nil
	plan            plan
	known           bool // there was an update
	began           time.Duration
	counted         moment

	latency, service, connect, notice pair
	slip                              time.Duration // p99 of the last second
	tail                              series        // p99 of each second, in seconds
	flow                              series        // events of each second
	server                            serverLoad
}

func newState() state {
	return state{Progress: report.Progress{Last: &report.Interval{}, Total: &report.Interval{}}}
}

// take makes u the newest.
func (s *state) take(u report.Progress) {
	if !s.known {
		s.plan = planOf(u.Run)
	}
	if !s.known || u.Phase != s.Phase {
		s.began = u.Elapsed
	}
	s.known = true
	if u.Last == nil {
		u.Last = &report.Interval{}
	}
	if u.Total == nil {
		u.Total = &report.Interval{}
	}
	s.Progress = u
	if m := momentOf(u); m != s.counted && u.Last.Phase != "" {
		s.counted = m
		s.count()
	}
}

// count takes in a new second.
func (s *state) count() {
	l, t := s.Last, s.Total
	s.latency = pairOf(l.Latency, t.Latency)
	s.service = pairOf(l.Service, t.Service)
	s.connect = pairOf(l.Connect, t.Connect)
	s.notice = pairOf(l.Notice, t.Notice)
	s.slip = l.Slip.Quantile(0.99)
	s.server.add(l.Length, l.Server)

	tail, events := s.latency.last, l.Received
	if s.plan.opens() {
		tail, events = s.connect.last, l.Opened
	}
	s.tail.add(l.Second, tail.at[2].Seconds(), func(a, b float64) float64 { return max(a, b) })
	s.flow.add(l.Second, float64(events), func(a, b float64) float64 { return a + b })
}

// done is how much of the phase is over, 0 to 1, or less than 0 when unknown.
func (s *state) done() float64 {
	if s.Phase == report.Ramp {
		if s.Run.Asked <= 0 {
			return -1
		}
		return min(float64(s.Total.Opened)/float64(s.Run.Asked), 1)
	}
	over := s.Elapsed - s.began
	if s.Left < 0 || over+s.Left <= 0 {
		return -1
	}
	return float64(over) / float64(over+s.Left)
}

// busy is the share of its processors that the tool used in the last second, or
// less than 0 when unknown.
func busy(i *report.Interval) float64 {
	if i.Length <= 0 || i.Cores <= 0 {
		return -1
	}
	return i.CPU.Seconds() / i.Length.Seconds() / float64(i.Cores)
}

// tooBusy is the share above which the tool may be late for its own clock, so that
// the result tells of the tool and not of the server.
const tooBusy = 0.85

// serverLoad makes a share of the server's processor time, which counts from the
// start of its process.
type serverLoad struct {
	told  bool
	at    report.Server
	since time.Duration // of the run, since at
	cores float64       // in use; less than 0 when unknown
}

func (s *serverLoad) add(length time.Duration, now *report.Server) {
	s.since += length
	if now == nil {
		return
	}
	cores := -1.0 // as it comes out too when it is another process now
	if s.told && s.since > 0 && s.at.CPU >= 0 {
		cores = (now.CPU - s.at.CPU).Seconds() / s.since.Seconds()
	}
	*s = serverLoad{told: true, at: *now, cores: cores}
}
