package bench

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/roostws/roost/bench/report"
	"github.com/roostws/roost/wsproto"
)

// worker is one process' part of a run: its loops, and what they counted put together.
type worker struct {
	config   Config // complete
	share    share
	run      uint32
	guest    bool
	clock    clock
	start    int64
	targets  []*target
	publish  *target
	hello    []template
	deflater wsproto.Deflater
	loops    []*loop
	events   chan event // closed at the end

	connected atomic.Int64
	few       int64                    // connections at which the slope of memory begins
	plan      atomic.Pointer[timeline] // a copy of timeline for the loops; nil: nothing is planned yet

	mu        sync.Mutex
	assembler *assembler
	timeline  timeline
	slope     report.Slope
	ramps     int // loops whose ramp is done
	idle      int // loops that are drained
	failure   error
	cpu       time.Duration // told so far
	queue     []event       // for events
	queued    sync.Cond     // on mu
	tasks     sync.WaitGroup
}

// event is what a worker tells its coordinator. One field is set.
type event struct {
	// Interval is the next one, in order.
	Interval *report.Interval `json:"interval,omitempty"`
	// Ramped says that every connection was tried.
	Ramped bool `json:"ramped,omitempty"`
	// Failed is a sentence that says why the run cannot go on.
	Failed string `json:"failed,omitempty"`
	// GaveUp is a sentence that says why an agent does not go on with the run.
	GaveUp string `json:"gave_up,omitempty"`
	// Ended says that nothing more comes.
	Ended bool `json:"ended,omitempty"`

	// lost says that the worker itself is. Its site finds out.
	lost error
}

// assignment is a worker's part of a run.
type assignment struct {
	Config Config `json:"config"` // complete
	Share  share  `json:"share"`
	// Run tells the marks of this run from those of others. Not 0.
	Run uint32 `json:"run"`
	// Start is when the run begins, by the coordinator's clock, in nanoseconds since
	// 1970: all workers count seconds from then.
	Start int64 `json:"start"`
	// Ahead is how far the coordinator's clock is ahead of the worker's.
	Ahead Duration `json:"ahead"`
	// Guest says that another worker on the same machine counts its processors.
	Guest bool `json:"guest,omitempty"`
}

// newWorker prepares a worker.
func newWorker(ctx context.Context, a assignment) (*worker, error) {
	w := &worker{
		config: a.Config, share: a.Share, run: a.Run, guest: a.Guest, start: a.Start,
		clock: newClock(time.Duration(a.Ahead)), events: make(chan event),
		cpu: processTime(), // an agent's earlier runs
	}
	w.queued.L = &w.mu
	w.timeline = newTimeline(w.start)
	if err := w.resolve(ctx); err != nil {
		return nil, err
	}
	var err error
	if w.hello, err = parseTemplates(w.config.Messages.Hello); err != nil {
		return nil, err
	}
	conns := int64(w.share.part(w.config.Conns))
	w.few = min(max(conns/10, 1), 2000)
	n := w.loopCount()
	w.assembler = newAssembler(n)
	for i := range n {
		l, err := newLoop(w, share{i, n})
		if err != nil {
			w.discard()
			return nil, err
		}
		w.loops = append(w.loops, l)
	}
	return w, nil
}

func (w *worker) resolve(ctx context.Context) error {
	for _, url := range w.config.Targets {
		t, err := resolve(ctx, url, &w.config.Connect)
		if err != nil {
			return err
		}
		w.targets = append(w.targets, t)
	}
	w.publish = w.targets[0]
	if to := w.config.Fanout.PublishTo; to != "" {
		t, err := resolve(ctx, to, &w.config.Connect)
		if err != nil {
			return err
		}
		w.publish = t
	}
	return nil
}

// loopCount is no more than there are connections: a loop without one would have a part
// of every schedule, and nobody to keep it.
func (w *worker) loopCount() int {
	n := w.config.Loops
	if n == 0 {
		n = runtime.GOMAXPROCS(0)
	}
	return max(1, min(n, w.share.part(w.config.Conns)))
}

// discard frees loops that never ran.
func (w *worker) discard() {
	for _, l := range w.loops {
		l.work.release()
		l.engine.Stop()
		_ = l.engine.Run(nil)
	}
}

// work runs the loops until the end. Events must be taken meanwhile.
func (w *worker) work() {
	go w.tell()
	var done sync.WaitGroup
	for _, l := range w.loops {
		done.Go(func() {
			if err := l.run(); err != nil {
				w.fail(fmt.Errorf("an event loop broke: %w", err))
			}
		})
	}
	done.Wait()
	w.tasks.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.send(event{Ended: true})
}

// send queues an event, with mu held. The loops do not wait for who takes it.
func (w *worker) send(e event) {
	w.queue = append(w.queue, e)
	w.queued.Signal()
}

// tell hands the events on until the last one.
func (w *worker) tell() {
	defer close(w.events)
	for {
		w.mu.Lock()
		for len(w.queue) == 0 {
			w.queued.Wait()
		}
		queue := w.queue
		w.queue = nil
		w.mu.Unlock()
		for _, e := range queue {
			w.events <- e
			if e.Ended {
				return
			}
		}
	}
}

// begin says when warm-up, and with it the traffic, begins.
func (w *worker) begin(at int64) {
	w.replan(func(t *timeline) {
		t.warmup = at
		t.measure = t.warmup + int64(w.config.Warmup.length())
		t.drain = t.measure + int64(w.config.Duration)
		t.closing = t.drain + int64(w.config.Drain.length())
	})
}

// stop begins the orderly end at a time.
func (w *worker) stop(at int64) {
	w.replan(func(t *timeline) {
		if at >= t.drain {
			return
		}
		if at < t.warmup {
			t.warmup, t.measure, t.drain, t.closing = never, never, never, at
			return
		}
		t.measure = min(t.measure, at)
		t.drain = at
		t.closing = at + int64(w.config.Drain.length())
	})
}

// abort ends everything at once.
func (w *worker) abort() {
	for _, l := range w.loops {
		l.engine.Stop()
	}
}

// margin is how far ahead a change of the timeline is, so that all loops hear of it
// before it comes.
const margin = 5 * time.Millisecond

// replan changes the timeline and tells the loops.
func (w *worker) replan(change func(*timeline)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.replanLocked(change)
}

func (w *worker) replanLocked(change func(*timeline)) {
	change(&w.timeline)
	t := w.timeline
	w.plan.Store(&t)
	for _, l := range w.loops {
		l.engine.Wake()
	}
}

// What follows is called by the loops.

// deliver takes an interval of a loop, and hands on what all loops have delivered.
func (w *worker) deliver(l *loop, i *report.Interval) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.assembler.add(l.part.Index, i)
	w.emit()
}

// emit sends what is ready, with mu held.
func (w *worker) emit() {
	for _, i := range w.assembler.ready() {
		used := processTime()
		i.CPU = used - w.cpu
		w.cpu = used
		i.RSS = residentBytes()
		if !w.guest {
			i.Cores = int64(min(runtime.GOMAXPROCS(0), runtime.NumCPU()))
		}
		if i.Phase != report.Ramp && w.slope.ManyOpen > 0 {
			s := w.slope
			i.Memory = &s
			w.slope.ManyOpen = 0
		}
		w.send(event{Interval: i})
	}
}

// hasOpened counts a connection, and has the memory looked at when few are open.
func (w *worker) hasOpened() {
	if w.connected.Add(1) == w.few {
		w.tasks.Go(func() {
			n, rss := w.settled()
			w.mu.Lock()
			defer w.mu.Unlock()
			w.slope.FewOpen, w.slope.FewRSS = n, rss
		})
	}
}

// settled gives back what handshakes have left behind, and returns how many connections
// have been opened and the resident memory.
func (w *worker) settled() (opened, rss int64) {
	debug.FreeOSMemory()
	return w.connected.Load(), residentBytes()
}

// scouted lets the other loops begin.
func (w *worker) scouted(scout *loop) {
	for _, l := range w.loops {
		if l != scout {
			l.post(func() { l.ramp.waiting = false })
		}
	}
}

// loopRamped says that all connections of a loop were tried.
func (w *worker) loopRamped() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ramps++; w.ramps == len(w.loops) {
		w.tasks.Go(w.rampDone)
	}
}

// rampDone tells the coordinator that the ramp is over, and notes what it took.
func (w *worker) rampDone() {
	n, rss := w.settled()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failure != nil {
		return
	}
	// With few connections the rest of the process is all that would show.
	if n >= minSlope && w.slope.FewOpen > 0 {
		w.slope.ManyOpen, w.slope.ManyRSS = n, rss
	}
	w.send(event{Ramped: true})
}

// minSlope is how many connections it takes to tell what one costs.
const minSlope = 1000

// loopDrained says that a loop awaits nothing more. When none does, the end may come.
func (w *worker) loopDrained() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.idle++; w.idle == len(w.loops) {
		w.replanLocked(func(t *timeline) { t.closing = min(t.closing, w.clock.now()+int64(margin)) })
	}
}

// ended says that a loop delivers nothing more.
func (w *worker) ended(l *loop) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.assembler.end(l.part.Index)
	w.emit()
}

// fail ends the run: it cannot be what was asked for.
func (w *worker) fail(err error) {
	w.mu.Lock()
	first := w.failure == nil
	if first {
		w.failure = err
		w.send(event{Failed: err.Error()})
	}
	w.mu.Unlock()
	if first {
		w.abort()
	}
}

// processTime is the processor time that this process has used.
func processTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// residentBytes is the resident memory of this process, 0 where the system does not
// tell.
func residentBytes() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(string(fields[1]), 10, 64)
	return pages * int64(os.Getpagesize())
}
