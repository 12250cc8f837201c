package pool

import (
	"sync"
	"sync/atomic"
)

// readyQueue holds the mailboxes that have tasks and no worker, first in, first
// out. A mailbox is represented by one of its waiting tasks, so that neither
// needs memory for it.
//
// Event loops put in and workers take out. Loops must not wait for workers, so
// that side is a stack that needs one compare-and-swap; the workers, under
// their lock, turn the stack around whenever what they turned before is used up.
type readyQueue struct {
	in atomic.Pointer[Link] // newest first
	_  [56]byte             // loops write above, workers below: one cache line each

	mu    sync.Mutex
	out   *Link  // oldest first, all older than what is in in
	tasks uint64 // run so far, as told by take
}

// put adds a mailbox, represented by its task l, at the end.
func (q *readyQueue) put(l *Link, m *Mailbox) {
	l.mailbox = m
	for {
		top := q.in.Load()
		l.ready = top
		if q.in.CompareAndSwap(top, l) {
			return
		}
	}
}

// take removes the mailbox that waited longest, nil if there is none, and tells
// whether others wait. ran is how many tasks the caller ran since its last call:
// counted here, under the lock, it costs nothing.
func (q *readyQueue) take(ran int) (m *Mailbox, more bool) {
	q.mu.Lock()
	q.tasks += uint64(ran)
	if q.out == nil {
		q.turn()
	}
	l := q.out
	if l == nil {
		q.mu.Unlock()
		return nil, false
	}
	m, q.out = l.mailbox, l.ready
	l.mailbox, l.ready = nil, nil
	more = q.out != nil || q.in.Load() != nil
	q.mu.Unlock()
	return m, more
}

// turn moves in to out, which is empty, and reverses it.
func (q *readyQueue) turn() {
	l := q.in.Swap(nil)
	for l != nil {
		next := l.ready
		l.ready = q.out
		q.out, l = l, next
	}
}

// empty tells whether no mailbox waits.
func (q *readyQueue) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.out == nil && q.in.Load() == nil
}

// counts returns how many mailboxes wait and how many tasks were run. It walks
// the queue: for statistics, not for decisions.
func (q *readyQueue) counts() (waiting int, tasks uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for l := q.out; l != nil; l = l.ready {
		waiting++
	}
	for l := q.in.Load(); l != nil; l = l.ready {
		waiting++
	}
	return waiting, q.tasks
}
