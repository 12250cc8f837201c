package bench

import "time"

// clock tells nanoseconds since 1970, of the wall clock when the run began and of the
// monotonic clock since: one that is set meanwhile does not bend latencies. An agent
// adds its distance from the coordinator's clock, so that all workers tell one time.
type clock struct {
	base time.Time
	unix int64
}

func newClock(ahead time.Duration) clock {
	now := time.Now()
	return clock{base: now, unix: now.UnixNano() + int64(ahead)}
}

func (c clock) now() int64 { return c.unix + int64(time.Since(c.base)) }
