package bench

import "time"

// schedule is a plan made in advance: when each of many events is due, at a constant
// rate in all, of which this one has every Of-th. What happens meanwhile does not move it.
type schedule struct {
	share share
	start int64   // of event 0, nanoseconds since 1970
	every float64 // nanoseconds between two events in all
	next  int64   // how many of ours are done
}

func newSchedule(start int64, rate float64, s share) schedule {
	return schedule{share: s, start: start, every: float64(time.Second) / rate}
}

// due returns when our next event is.
func (s *schedule) due() int64 {
	after := float64(s.number()) * s.every
	if after >= float64(never-s.start) {
		return never
	}
	return s.start + int64(after+0.5) // rounded down, one that is due at the end would be due before it
}

// before returns how many of ours are due before a time.
func (s *schedule) before(at int64) int64 {
	if at <= s.start {
		return 0
	}
	c := *s
	// Where it must be, and then exactly, as due rounds.
	c.next = max(0, int64(float64(at-s.start)/s.every/float64(s.share.Of))-1)
	for c.due() < at {
		c.next++
	}
	return c.next
}

// number returns our next event's number among all.
func (s *schedule) number() int64 {
	return s.next*int64(s.share.Of) + int64(s.share.Index)
}
