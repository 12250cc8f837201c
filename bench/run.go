package bench

import (
	"cmp"
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/roostws/roost/bench/report"
)

// Options is how a run is made, as against what it does.
type Options struct {
	// Tool names the tool and its version in the report.
	Tool string
	// Agents are the addresses of the agents that do the work, and Token is their
	// password. None: this process works.
	Agents []string
	Token  string
	// Procs is the number of worker processes that Run starts on this machine. 0 or
	// 1: this process works. It excludes Agents.
	Procs int
	// Worker is the command that starts such a process, which calls
	// [Agent.ServeParent].
	Worker []string
	// ServerPID is the server's process, if it is on this machine and wanted in the
	// report; 0 if not.
	ServerPID int
	// Progress is called once a second and at every change of phase, from one
	// goroutine, and must not keep what it is given waiting.
	Progress func(report.Progress)
	// Stop ends the run in good order when it is closed: what was measured so far
	// is the result.
	Stop <-chan struct{}
}

// Result is what a run measured.
type Result struct {
	Report    *report.Report
	Intervals []*report.Interval
}

// A ConfigError says that what was asked for cannot be run, whatever the server does.
type ConfigError struct{ err error }

// Error is the sentence for the user.
func (e *ConfigError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *ConfigError) Unwrap() error { return e.err }

// An UnusableError says that the target cannot be tested at all: it cannot be reached,
// does not speak WebSocket, or keeps no connection.
type UnusableError struct{ text string }

// Error is the sentence for the user.
func (e *UnusableError) Error() string { return e.text }

// Run makes a run. It blocks until the run's end. When ctx ends the run ends at once,
// with ctx's error and no result. Other errors are *ConfigError, *UnusableError,
// *AgentError, or that of a worker that broke.
func Run(ctx context.Context, c Config, o Options) (*Result, error) {
	c, err := c.complete()
	if err != nil {
		return nil, &ConfigError{err}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	sites, err := findSites(ctx, &c, &o)
	if err != nil {
		return nil, err
	}
	defer closeSites(sites)
	r, err := newRun(c, o, sites)
	if err != nil {
		return nil, err
	}
	return r.carryOut(ctx)
}

// run is a run in progress, as the coordinator sees it.
type run struct {
	config  Config
	options Options
	about   report.Run
	sites   []site
	events  chan told
	clock   clock

	assembler *assembler
	intervals []*report.Interval
	total     *report.Interval
	server    *serverProbe
	before    *report.Server

	started     atomic.Int32 // workers
	ramped      int
	ended       int
	began       bool
	interrupted bool
	empty       bool // no connection is left
	failure     error
}

// told is an event with its worker.
type told struct {
	worker int
	event
}

func newRun(c Config, o Options, sites []site) (*run, error) {
	shown := c.redacted()
	config, err := json.Marshal(shown)
	if err != nil {
		return nil, err
	}
	r := &run{
		config: c, options: o, sites: sites,
		events: make(chan told), clock: newClock(0),
		assembler: newAssembler(len(sites)), total: &report.Interval{},
		about: report.Run{
			Tool: o.Tool, Scenario: c.Scenario, Targets: shown.Targets, Asked: c.Conns,
			Duration: time.Duration(c.Duration), Config: config, Started: time.Now(),
		},
	}
	if len(sites) > 1 || len(o.Agents) > 0 {
		for _, w := range sites {
			r.about.Workers = append(r.about.Workers, w.name())
		}
	}
	if o.ServerPID != 0 {
		if r.server, err = newServerProbe(o.ServerPID); err != nil {
			return nil, &ConfigError{err}
		}
		r.before = r.server.look()
	}
	return r, nil
}

// carryOut runs it.
func (r *run) carryOut(ctx context.Context) (*Result, error) {
	if err := r.start(ctx); err != nil {
		return nil, err
	}
	stop := r.options.Stop
	done := ctx.Done()
	for r.ended < len(r.sites) {
		select {
		case e := <-r.events:
			r.handle(e)
		case <-stop:
			stop = nil
			r.interrupted = true
			r.stop()
		case <-done:
			done = nil
			r.abort()
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if r.failure != nil {
		return nil, r.failure
	}
	if n := len(r.intervals); n > 0 {
		r.intervals[n-1].Messages = r.total.Messages
	}
	result := report.Build(r.about, r.intervals, report.End{Interrupted: r.interrupted, Finished: time.Now(), Before: r.before})
	if err := r.useless(); err != nil {
		return nil, err
	}
	return &Result{Report: result, Intervals: r.intervals}, nil
}

// start gives every worker its part.
func (r *run) start(ctx context.Context) error {
	var id [4]byte
	crand.Read(id[:])
	a := assignment{Config: r.config, Run: binary.LittleEndian.Uint32(id[:]) | 1, Start: r.clock.now()}
	err := r.each(func(i int, w site) error {
		mine := a
		mine.Share = share{i, len(r.sites)}
		events, err := w.start(ctx, mine)
		if err == nil {
			r.started.Add(1)
			go r.follow(i, events)
		}
		return err
	})
	// Who has started ends also when nothing failed but the context.
	if err = cmp.Or(ctx.Err(), err); err != nil {
		r.abort()
		r.drainEvents(int(r.started.Load()))
	}
	return err
}

// follow hands on what a worker tells.
func (r *run) follow(worker int, events <-chan event) {
	for e := range events {
		if !e.Ended {
			r.events <- told{worker, e}
		}
	}
	// Also when the channel was closed without a word.
	r.events <- told{worker, event{Ended: true}}
}

// each does something with all workers at the same time: they may be far away. It
// returns the error of the first of them that has one.
func (r *run) each(do func(int, site) error) error {
	errs := make([]error, len(r.sites))
	var done sync.WaitGroup
	for i, w := range r.sites {
		done.Go(func() { errs[i] = do(i, w) })
	}
	done.Wait()
	for i, err := range errs {
		if err != nil {
			return r.worded(i, err)
		}
	}
	return nil
}

// drainEvents waits until n workers have ended.
func (r *run) drainEvents(n int) {
	for n > 0 {
		if e := <-r.events; e.Ended {
			n--
		}
	}
}

// worded says which worker it is, if there are several. What only the worker could find
// wrong with the configuration stays what it is.
func (r *run) worded(worker int, err error) error {
	var wrong *ConfigError
	var lost *AgentError
	switch {
	case errors.As(err, &wrong):
		return wrong
	case errors.As(err, &lost):
		return lost // it names the worker
	}
	if len(r.about.Workers) == 0 {
		return &UnusableError{err.Error()}
	}
	return &UnusableError{fmt.Sprintf("worker %s: %v", r.sites[worker].name(), err)}
}

func (r *run) handle(e told) {
	switch {
	case e.Interval != nil:
		r.assembler.add(e.worker, e.Interval)
		r.take()
	case e.Ramped:
		if r.ramped++; r.ramped == len(r.sites) && r.failure == nil {
			r.begin()
		}
	case e.lost != nil:
		r.fail(e.lost)
	case e.Failed != "":
		r.fail(r.worded(e.worker, errors.New(e.Failed)))
	case e.Ended:
		r.ended++
		r.assembler.end(e.worker)
		r.take()
	}
}

// fail ends the run. The first reason counts.
func (r *run) fail(err error) {
	if r.failure == nil {
		r.failure = err
	}
	r.abort()
}

// lead is how far ahead the beginning is told, so that all workers begin together.
const lead = 100 * time.Millisecond

func (r *run) begin() {
	if r.interrupted {
		return
	}
	for _, w := range r.sites {
		r.about.Skew = max(r.about.Skew, w.skew())
	}
	r.began = true
	at := r.soon()
	if err := r.each(func(_ int, w site) error { return w.begin(at) }); err != nil {
		r.fail(err)
	}
}

// soon is a time that no worker hears of too late.
func (r *run) soon() int64 {
	ahead := margin
	if len(r.about.Workers) > 0 {
		ahead = lead
	}
	for _, w := range r.sites {
		// The skew is half of a round trip. One sets up a connection, one says it.
		ahead = max(ahead, margin+8*w.skew())
	}
	return r.clock.now() + int64(ahead)
}

func (r *run) stop() {
	at := r.soon()
	if err := r.each(func(_ int, w site) error { return w.stop(at) }); err != nil {
		r.fail(err)
	}
}

func (r *run) abort() {
	for _, w := range r.sites {
		w.abort()
	}
}

// take adds the intervals that are complete, and tells who watches.
func (r *run) take() {
	for _, i := range r.assembler.ready() {
		if r.server != nil {
			i.Server = r.server.look()
		}
		r.intervals = append(r.intervals, i)
		r.bound(i)
		r.total.MergeLater(i)
		i.Messages = nil // they are large, and the total has them
		i.Pack()         // an hour has 3,600 of them
		r.progress(i)
		r.endEarly(i)
	}
}

// bound leaves out of the table what it has no room for.
func (r *run) bound(i *report.Interval) {
	room := maxPublications - len(r.total.Messages)
	if len(i.Messages) <= room {
		return
	}
	for key, m := range i.Messages {
		if _, known := r.total.Messages[key]; known {
			continue
		}
		if room--; room < 0 {
			i.Untracked += m.Count
			delete(i.Messages, key)
		}
	}
}

// endEarly ends the run when nothing is left that could be measured.
func (r *run) endEarly(last *report.Interval) {
	switch r.config.Scenario {
	case Churn, Storm, HalfOpen:
		return // connections come back, or their end is waited for
	}
	if r.began && !r.empty && last.Phase == report.Measure && last.Open == 0 && last.Connecting == 0 {
		r.empty = true
		r.stop()
	}
}

func (r *run) progress(last *report.Interval) {
	if r.options.Progress == nil || r.failure != nil {
		return
	}
	p := report.Progress{
		Run: r.about, Phase: last.Phase, Left: -1, Last: last,
		Elapsed: time.Since(r.about.Started), Total: r.snapshot(),
	}
	if last.Phase == report.Measure {
		var measured time.Duration
		for _, i := range r.intervals {
			if i.Phase == report.Measure {
				measured += i.Length
			}
		}
		p.Left = max(0, r.about.Duration-measured)
	}
	r.options.Progress(p)
}

// snapshot is the total so far, which does not change any more.
func (r *run) snapshot() *report.Interval {
	total := *r.total
	total.Messages = nil // large, and of use only at the end
	s := &report.Interval{}
	s.MergeLater(&total)
	return s
}
