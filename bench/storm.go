package bench

import (
	"time"

	"github.com/roostws/roost/bench/report"
)

// storm drops all connections at once, again and again, and has them come back at
// once: what a server sees when a network breaks or a proxy restarts.
type storm struct {
	idle
	waves   []report.Wave
	current map[uint32]bool // who has not come back from this wave yet
	redial  []uint32        // who has yet to try
	retry   []retry         // who failed, in the order of their time
	late    bool            // a wave was made when the measure phase was over
}

// retry is a client that waits before it tries again.
type retry struct {
	number uint32
	at     int64
}

// retryAfter is how long a client waits that was refused: it hammers, as clients
// without backoff do, but lets the server breathe between two attempts.
const retryAfter = 200 * time.Millisecond

func newStorm(l *loop) *storm { return &storm{idle: idle{l}, current: map[uint32]bool{}} }

func (s *storm) turn() int64 {
	l := s.l
	switch {
	case l.rec.Phase == report.Measure:
	case l.rec.Phase == report.Drain && (s.late || s.next() != never):
		s.late = true // the loop was so late that it missed the wave, or its clients are on their way back
	default:
		return never
	}
	if l.now >= s.next() {
		s.drop()
	}
	return min(s.next(), s.comeBack())
}

// next returns when the next wave is due, never when none is any more in the measure
// phase. All loops of all workers drop at the same time.
func (s *storm) next() int64 {
	t, n := &s.l.rec.timeline, len(s.waves)
	if n == s.l.config.Storm.Waves {
		return never
	}
	if due := t.measure + int64(n)*int64(s.l.config.Storm.Every); due < t.drain {
		return due
	}
	return never
}

// drop ends every open connection. Who has not come back from the wave before goes on
// trying for this one.
func (s *storm) drop() {
	l := s.l
	s.waves = append(s.waves, report.Wave{Began: l.now, Full: l.now})
	for i := len(l.open) - 1; i >= 0; i-- {
		c := l.conns.at(l.open[i])
		s.current[c.number] = true
		s.redial = append(s.redial, c.number)
		if l.config.Storm.Close {
			l.leave(c)
		} else {
			l.abort(c)
		}
	}
	s.waves[len(s.waves)-1].Clients = int64(len(s.current))
}

// comeBack dials for those that wait.
func (s *storm) comeBack() int64 {
	l := s.l
	l.now = l.clock.now()
	for len(s.retry) > 0 && s.retry[0].at <= l.now {
		s.redial = append(s.redial, s.retry[0].number)
		s.retry = s.retry[1:]
	}
	for began := l.now; len(s.redial) > 0; {
		number := s.redial[0]
		s.redial = s.redial[1:]
		l.dialer.dial(l, number, client, l.now)
		if l.now = l.clock.now(); l.now-began > int64(slice) {
			return l.now
		}
	}
	if len(s.retry) > 0 {
		return s.retry[0].at
	}
	return never
}

func (s *storm) opened(c *conn, took time.Duration) {
	if len(s.waves) == 0 || !s.current[c.number] {
		return
	}
	delete(s.current, c.number)
	s.l.rec.latency.Record(took)
	w := &s.waves[len(s.waves)-1]
	w.Back++
	w.Full = s.l.now
}

func (s *storm) refused(number uint32, _ role) {
	if s.current[number] {
		s.retry = append(s.retry, retry{number, s.l.now + int64(retryAfter)})
	}
}

// drained waits for a wave that was late, and for its clients. Of another one it shows who
// is back by the end of the measure phase.
func (s *storm) drained() bool { return s.next() == never && (!s.late || len(s.current) == 0) }

func (s *storm) finish() { s.l.rec.Waves = s.waves }
