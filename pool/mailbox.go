package pool

import "sync/atomic"

// Task is a piece of work for a [Mailbox]. Embed a [Link] to have its last
// method:
//
//	type batch struct {
//		pool.Link
//		conn *conn
//	}
//
// The pool touches a task from Submit until it calls Run: Run may put the task
// back where it came from, or submit it again.
type Task interface {
	// Run does the work, on a worker. It may block, and it may panic.
	Run()

	// Resume is called just before Run, on the same worker, when the mailbox
	// had been reported full and what waits in it is below half of its bound
	// now: once per time that it became full. It must not block; an event loop
	// has a message posted to it that says to read on.
	Resume()

	link() *Link
}

// Link is what the pool keeps in a task, so that Submit needs no memory of its
// own. Its zero value is ready; a task must not be copied while it waits.
type Link struct {
	task    Task     // who embeds this; nil unless it waits
	next    *Link    // the task submitted to the mailbox before this one
	mailbox *Mailbox // set while this link stands for its mailbox in the ready queue
	ready   *Link    // its neighbour in the ready queue
	weight  int64
}

func (l *Link) link() *Link { return l }

// taken is the head of a mailbox that a worker runs and to which nothing was
// submitted since.
var taken Link

// Mailbox holds the tasks that wait to be run one after the other. Its zero
// value is an empty mailbox; it takes 16 bytes and nothing else. All its methods
// are on [Pool]; a mailbox must be used with one pool only, and not be copied.
type Mailbox struct {
	// head is the newest waiting task, linked to the older ones. nil: empty and
	// not in the ready queue. &taken: empty, but a worker has not let go of it.
	// Whoever changes nil to something puts the mailbox into the ready queue,
	// which is why it stands there at most once.
	head atomic.Pointer[Link]

	// state is the weight of what waits, times two, plus the full bit. Both in
	// one word, so that the bit is never set after the last task that could
	// have cleared it has gone.
	state atomic.Int64
}

const fullBit = 1

// enter adds a task's weight, before the task can be seen by a worker. It tells
// whether the full bit is set now; who is told so is sure of a Resume, because
// the task that is about to be pushed will leave after this.
func (m *Mailbox) enter(weight, bound int64) (full bool) {
	s := m.state.Add(weight << 1)
	for s&fullBit == 0 {
		if s>>1 < bound {
			return false
		}
		if m.state.CompareAndSwap(s, s|fullBit) {
			return true
		}
		s = m.state.Load()
	}
	return true
}

// leave takes a task's weight off. It tells whether it cleared the full bit.
func (m *Mailbox) leave(weight, bound int64) (resume bool) {
	s := m.state.Add(-weight << 1)
	for s&fullBit != 0 && s&^fullBit < bound { // s without the bit is twice the weight
		if m.state.CompareAndSwap(s, s&^fullBit) {
			return true
		}
		s = m.state.Load()
	}
	return false
}

// push adds a task. It tells whether the mailbox was idle, so that the caller
// must put it into the ready queue.
func (m *Mailbox) push(l *Link) (wasIdle bool) {
	for {
		top := m.head.Load()
		l.next = top
		if m.head.CompareAndSwap(top, l) {
			return top == nil
		}
	}
}

// take removes all waiting tasks and returns the oldest, linked to the newer
// ones. Only the worker that took m from the ready queue may call it.
func (m *Mailbox) take() *Link {
	l := m.head.Swap(&taken)
	var list *Link
	for l != nil && l != &taken {
		next := l.next
		l.next = list
		list, l = l, next
	}
	return list
}

// leaveIdle ends what take began. When tasks came meanwhile it returns one of
// them, to stand for the mailbox in the ready queue, and nil otherwise.
func (m *Mailbox) leaveIdle() *Link {
	if m.head.CompareAndSwap(&taken, nil) {
		return nil
	}
	return m.head.Load()
}
