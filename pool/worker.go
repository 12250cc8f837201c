package pool

import (
	"errors"
	"runtime/debug"
)

// ErrGoexit is what [Config.Panicked] gets for a task that called
// runtime.Goexit, as (*testing.T).FailNow does.
var ErrGoexit = errors.New("pool: task ended its goroutine (runtime.Goexit)")

// Pool.state is the number of workers, counted from the decision to start one
// until it will not run another task, above these bits.
//
// A mailbox in the ready queue is never forgotten, because of the order in which
// each side does its two steps. Who puts a mailbox in looks at state afterwards:
// it starts a worker unless one is starting or all run. A worker that starts
// clears startingBit first and looks into the queue afterwards; a worker that
// ends takes itself off state first and looks once more afterwards.
//
// At most one worker is starting at a time, and a worker that takes a mailbox
// and leaves others starts the next: a burst of mailboxes submitted by one event
// loop is run by one or two workers when no task blocks, and a task that blocks
// holds up nobody.
const (
	startingBit uint64 = 1 << iota // a worker was started and has not looked into the queue
	closingBit                     // Close waits
	closedBit                      // Close has let go: nothing may be submitted
	oneWorker

	maxWorkers = 1 << 30
)

// wake starts a worker unless one is starting or the bound is reached.
func (p *Pool) wake() {
	if p.claim(startingBit) {
		p.start(p.work)
	}
}

// claim counts one more worker, whose startingBit is starting or 0. It tells
// whether the caller must run it; if not, another worker is bound to look into
// the queue after this call.
func (p *Pool) claim(starting uint64) bool {
	for {
		s := p.state.Load()
		switch {
		case s&closedBit != 0:
			panic("pool: Submit after Close")
		case s&startingBit != 0, s/oneWorker >= uint64(p.config.Workers):
			return false
		}
		if p.state.CompareAndSwap(s, s+oneWorker|starting) {
			return true
		}
	}
}

func (p *Pool) start(work func()) {
	if err := p.goroutines.Submit(work); err != nil {
		panic("pool: " + err.Error()) // released only when no worker can start any more
	}
}

// retire closes the pool for good if it has nothing to do.
func (p *Pool) retire() bool {
	return p.ready.empty() && p.state.CompareAndSwap(closingBit, closingBit|closedBit)
}

// serve is a worker. It goes on with m's list where another left it, having run
// that many tasks (m is nil in a fresh worker), then takes mailboxes until there
// are none.
func (p *Pool) serve(m *Mailbox, list *Link, ran int) {
	defer func() {
		if m == nil {
			return
		}
		// A task ended this goroutine, or Panicked panicked: another goroutine
		// is this worker from here on.
		m, list, ran := m, list, ran // so that only this rare path has them on the heap
		p.start(func() { p.serve(m, list, ran) })
	}()
	if m == nil {
		p.state.And(^startingBit)
	}
	for {
		for list != nil {
			l := list
			list = l.next
			ran++
			p.run(m, l)
		}
		if m != nil {
			if l := m.leaveIdle(); l != nil {
				p.ready.put(l, m) // behind the others: a busy mailbox has one turn like all
			}
		}
		var more bool
		m, more = p.ready.take(ran)
		ran = 0
		switch {
		case m == nil:
			if p.end() {
				return
			}
		case more:
			p.wake()
			fallthrough
		default:
			list = m.take()
		}
	}
}

// end takes the calling worker off the count. false: work came meanwhile, and
// the worker is back in its place.
func (p *Pool) end() bool {
	s := p.state.Add(^(oneWorker - 1))
	if !p.ready.empty() {
		return !p.claim(0)
	}
	if s&^closedBit == closingBit {
		select {
		case p.quiet <- struct{}{}:
		default:
		}
	}
	return true
}

// run runs one task. The task may be reused from the moment Run is called.
func (p *Pool) run(m *Mailbox, l *Link) {
	t := l.task
	l.task, l.next = nil, nil
	done := false
	defer func() {
		if done {
			return
		}
		v := recover() // never nil for a panic, not even for panic(nil)
		if v == nil {
			v = ErrGoexit
		}
		p.panics.Add(1)
		p.config.Panicked(t, v, debug.Stack())
	}()
	if m.leave(l.weight, int64(p.config.MailboxBytes)) {
		t.Resume()
	}
	t.Run()
	done = true
}
