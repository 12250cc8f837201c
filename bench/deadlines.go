package bench

import (
	"time"

	"github.com/roostws/roost/poller"
)

// deadlines is a queue of connections that have all been given the same time, so that
// the first in is the first due. Those that are gone meanwhile are told by their token.
type deadlines struct {
	after   time.Duration
	entries []deadline
	head    int
}

type deadline struct {
	token poller.Token
	at    int64
}

// add gives t its time from now on.
func (d *deadlines) add(t poller.Token, now int64) {
	if d.head > 1024 && d.head > len(d.entries)/2 {
		d.entries = d.entries[:copy(d.entries, d.entries[d.head:])]
		d.head = 0
	}
	d.entries = append(d.entries, deadline{t, now + int64(d.after)})
}

// trim forgets the first ones as long as they need no deadline any more.
func (d *deadlines) trim(over func(poller.Token) bool) {
	for d.head < len(d.entries) && over(d.entries[d.head].token) {
		d.head++
	}
}

// due takes the next token whose time is over, or returns 0.
func (d *deadlines) due(now int64) poller.Token {
	if d.head == len(d.entries) || d.entries[d.head].at > now {
		return 0
	}
	t := d.entries[d.head].token
	d.head++
	if d.head == len(d.entries) {
		// A queue that was long once, in a ramp, does not stay in memory.
		d.head, d.entries = 0, d.entries[:0]
		if cap(d.entries) > 4096 {
			d.entries = nil
		}
	}
	return t
}

// next returns when the first is due, or never.
func (d *deadlines) next() int64 {
	if d.head == len(d.entries) {
		return never
	}
	return d.entries[d.head].at
}

// never is later than everything.
const never = int64(1<<63 - 1)
