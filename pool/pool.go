package pool

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/panjf2000/ants/v2"
)

// idleWorker is how long ants keeps the goroutine of a worker that ended, to
// save the next one its start. After that no goroutine of a worker is left.
const idleWorker = time.Second

// Pool runs the tasks of any number of mailboxes on a bounded number of
// goroutines. All its methods may be called from any goroutine.
type Pool struct {
	ready readyQueue
	_     [32]byte // state is written by loops too

	// state: see the constants in worker.go.
	state atomic.Uint64
	_     [56]byte

	config     Config
	goroutines *ants.Pool
	work       func()        // p.serve, made once: a method value is an allocation
	quiet      chan struct{} // tells a waiting Close that the last worker ended
	closing    sync.Once
	panics     atomic.Uint64
}

// New returns a pool that is ready for work. Besides its workers it has two
// goroutines, which ants uses to end workers that have been idle for a second;
// Close ends them. The error tells which field of c cannot be meant.
func New(c Config) (*Pool, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	// No capacity of its own: ants' bound makes who submits wait, or fails;
	// state holds ours, at which mailboxes wait instead.
	goroutines, err := ants.NewPool(-1, ants.WithExpiryDuration(idleWorker))
	if err != nil {
		return nil, fmt.Errorf("pool: %w", err)
	}
	p := &Pool{config: c, goroutines: goroutines, quiet: make(chan struct{}, 1)}
	p.work = func() { p.serve(nil, nil, 0) }
	return p, nil
}

// Submit adds t to the end of m. Tasks of one mailbox run in the order in which
// they were submitted, one at a time; tasks of different mailboxes run side by
// side. Submit allocates nothing, never blocks and never fails.
//
// weight is what t keeps in memory while it waits, in bytes: 0 or more. full
// tells that what waits in m has reached [Config.MailboxBytes]. t is queued all
// the same, but who feeds m must stop until one of m's tasks has its Resume
// called, which will happen after Submit added t, possibly before it returns.
//
// Submit panics if t waits already, if weight is negative, and after Close.
func (p *Pool) Submit(m *Mailbox, t Task, weight int) (full bool) {
	l := t.link()
	if l.task != nil {
		panic("pool: task submitted while it waits in a mailbox")
	}
	if weight < 0 {
		panic("pool: negative weight")
	}
	l.task, l.weight = t, int64(weight)
	full = m.enter(l.weight, int64(p.config.MailboxBytes))
	if m.push(l) {
		p.ready.put(l, m)
		p.wake()
	}
	return full
}

// Close waits until everything that was submitted has run, including what those
// tasks submit themselves, then ends all goroutines of the pool. Further calls
// wait for the first. Calling it from a task deadlocks.
func (p *Pool) Close() {
	p.closing.Do(func() {
		p.state.Or(closingBit)
		for !p.retire() {
			<-p.quiet
		}
		// Background: nothing but ants' own bookkeeping is left to wait for.
		// It fails only for a pool that was released before.
		_ = p.goroutines.ReleaseContext(context.Background())
	})
}

// Stats is what a pool does at one moment and has done so far.
type Stats struct {
	Workers int    // running now, at most Config.Workers
	Ready   int    // mailboxes that wait for a worker
	Tasks   uint64 // run so far; a worker tells of its own when it takes the next mailbox or ends
	Panics  uint64 // of tasks, so far
}

// Stats counts; its cost grows with the number of mailboxes that wait.
func (p *Pool) Stats() Stats {
	waiting, tasks := p.ready.counts()
	return Stats{
		Workers: int(p.state.Load() / oneWorker),
		Ready:   waiting,
		Tasks:   tasks,
		Panics:  p.panics.Load(),
	}
}
