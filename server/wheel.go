package server

import "time"

// tick is the granularity of all timeouts: coarse, because a deadline of seconds needs no better, and because a sweep over a
// million connections then touches only the slots of one bucket.
const tick = 50 * time.Millisecond

// wheelSize is the number of buckets: 1024 ticks are 51 s. A later deadline stays in its bucket for another round.
const wheelSize = 1024

// timerPage is how many slots one page of timers has. Pages make growth copy nothing, so a hundred thousand new connections
// leave no outgrown arrays behind.
const timerPage = 1024

// wheel is a hashed timing wheel (Varghese and Lauck 1987, scheme 6) of slot numbers: one deadline per slot, 12 bytes each, set
// and moved in constant time. It has no clock: its owner, a loop, tells it the tick. Not safe for concurrent use.
type wheel struct {
	heads [wheelSize]uint32 // first slot + 1 in the bucket, 0 if empty
	pages []*[timerPage]timer
	now   uint32 // the last tick that advance has worked off
	next  uint32 // no deadline is before this tick: a lower bound
	armed int
}

// timer is the deadline of one slot, linked into its bucket.
type timer struct {
	due        uint32 // tick, 0 if not armed
	prev, next uint32 // neighbours in the bucket, as slot + 1
}

func (w *wheel) at(slot uint32) *timer { return &w.pages[slot/timerPage][slot%timerPage] }

// set arms slot for the tick due, or moves it there. A tick that is over fires at the next advance.
func (w *wheel) set(slot, due uint32) {
	if int32(due-w.now) <= 0 {
		due = w.now + 1
	}
	if due == 0 { // the ticks wrap after 6.8 years, and 0 means not armed
		due = 1
	}
	for slot/timerPage >= uint32(len(w.pages)) {
		w.pages = append(w.pages, new([timerPage]timer))
	}
	t := w.at(slot)
	if t.due == due {
		return
	}
	if t.due != 0 {
		w.unlink(slot, t)
	}
	head := &w.heads[due%wheelSize]
	t.due, t.prev, t.next = due, 0, *head
	if *head != 0 {
		w.at(*head - 1).prev = slot + 1
	}
	*head = slot + 1
	if w.armed == 0 || int32(due-w.next) < 0 {
		w.next = due
	}
	w.armed++
}

// sooner arms slot for the tick due unless it is armed for an earlier one.
func (w *wheel) sooner(slot, due uint32) {
	if slot/timerPage < uint32(len(w.pages)) {
		if t := w.at(slot); t.due != 0 && int32(t.due-due) <= 0 {
			return
		}
	}
	w.set(slot, due)
}

// clear disarms slot.
func (w *wheel) clear(slot uint32) {
	if slot/timerPage < uint32(len(w.pages)) {
		if t := w.at(slot); t.due != 0 {
			w.unlink(slot, t)
		}
	}
}

func (w *wheel) unlink(slot uint32, t *timer) {
	if t.prev != 0 {
		w.at(t.prev - 1).next = t.next
	} else {
		w.heads[t.due%wheelSize] = t.next
	}
	if t.next != 0 {
		w.at(t.next - 1).prev = t.prev
	}
	t.due, t.prev, t.next = 0, 0, 0
	w.armed--
}

// advance works off all deadlines up to the tick now: it disarms each and appends its slot to due.
func (w *wheel) advance(now uint32, due []uint32) []uint32 {
	if w.armed == 0 || int32(now-w.next) < 0 {
		w.now = now
		return due
	}
	from := w.next
	if now-from >= wheelSize { // one round visits every bucket
		from = now - wheelSize + 1
	}
	for tick := from; ; tick++ {
		for s := w.heads[tick%wheelSize]; s != 0; {
			slot, t := s-1, w.at(s-1)
			s = t.next
			if int32(t.due-now) <= 0 {
				w.unlink(slot, t)
				due = append(due, slot)
			}
		}
		if tick == now {
			break
		}
	}
	w.now = now
	w.next = w.search(now + 1)
	return due
}

// search returns the first tick from which on a bucket is occupied: a lower bound of all deadlines.
func (w *wheel) search(from uint32) uint32 {
	if w.armed == 0 {
		return from
	}
	for i := range uint32(wheelSize) {
		if w.heads[(from+i)%wheelSize] != 0 {
			return from + i
		}
	}
	return from
}

// wait returns for how many ticks after now nothing is due; ok is false if nothing is armed.
func (w *wheel) wait(now uint32) (ticks uint32, ok bool) {
	if w.armed == 0 {
		return 0, false
	}
	if int32(w.next-now) <= 0 {
		return 0, true
	}
	return w.next - now, true
}

// ticks converts a timeout to ticks, rounded up, at least one.
func ticks(d time.Duration) uint32 {
	return uint32(max(1, (d+tick-1)/tick))
}
