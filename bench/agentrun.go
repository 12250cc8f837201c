package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// agentRun is the run that an agent works on.
type agentRun struct {
	id     uint32
	worker *worker
	// giveUp ends the run at once. The cause is what its coordinator is told, if it
	// still listens.
	giveUp context.CancelCauseFunc
	lease  *time.Timer
	outbox *outbox
	done   chan struct{} // pump has ended
	why    error         // the run was given up, once done is closed
}

// run answers POST /runs.
func (s *agentServer) run(w http.ResponseWriter, r *http.Request) {
	a, err := readOrder(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	// Only the end of the connection ends the reading now.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	if !s.take(r.Context()) {
		http.Error(w, "the agent is busy with another run", http.StatusConflict)
		return
	}
	defer func() { <-s.slot }()
	if s.Check != nil {
		if err := s.Check(a.conns()); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	began := time.Now()
	err = s.work(w, r, a)
	s.note(a, r.RemoteAddr, time.Since(began), err)
}

// note logs a run.
func (s *agentServer) note(a assignment, coordinator string, took time.Duration, err error) {
	if s.Logger == nil {
		return
	}
	var hosts []string // the rest of a URL may be secret
	for _, t := range a.Config.Targets {
		u, _ := parseTarget(t) // it was checked
		hosts = append(hosts, u.Host)
	}
	l := s.Logger.With("scenario", a.Config.Scenario, "conns", a.conns(), "targets", hosts,
		"coordinator", coordinator, "took", took.Round(time.Millisecond))
	if err != nil {
		l.Warn("run given up", "error", err)
		return
	}
	l.Info("run")
}

// take waits for the run before to end, if it does soon.
func (s *agentServer) take(ctx context.Context) bool {
	soon := time.NewTimer(slotWait)
	defer soon.Stop()
	select {
	case s.slot <- struct{}{}:
		return true
	case <-soon.C:
	case <-ctx.Done():
	}
	return false
}

// work carries an assignment out. The error says why it did not come to its end.
func (s *agentServer) work(w http.ResponseWriter, r *http.Request, a assignment) error {
	worker, err := newWorker(r.Context(), a)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return err
	}
	ctx, giveUp := context.WithCancelCause(r.Context())
	defer giveUp(nil)
	c := &agentRun{id: a.Run, worker: worker, giveUp: giveUp, outbox: newOutbox(s.waiting), done: make(chan struct{})}
	c.lease = time.AfterFunc(s.patience, func() {
		giveUp(fmt.Errorf("it has not heard of its coordinator for %v", s.patience))
	})
	defer c.lease.Stop()
	s.set(c)
	defer s.set(nil)
	go worker.work()
	defer context.AfterFunc(ctx, worker.abort)()
	go c.pump(ctx, func() error { return s.cause(ctx) })
	err = c.stream(w)
	<-c.done
	return cmp.Or(c.why, err)
}

func (s *agentServer) set(c *agentRun) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current = c
}

// cause says why a run was given up, nil if it was not.
func (s *agentServer) cause(run context.Context) error {
	err := context.Cause(run)
	switch {
	case err == nil || !errors.Is(err, context.Canceled):
		return err
	case s.ctx.Err() != nil:
		return errors.New("it was stopped")
	}
	return errors.New("its coordinator went away")
}

// errSlow says that the coordinator does not keep up.
var errSlow = errors.New("its coordinator takes the results too slowly")

// pump makes lines of the worker's events, at the worker's pace: what waits does so in
// the outbox, which is bounded, and small there.
func (c *agentRun) pump(ctx context.Context, cause func() error) {
	defer close(c.done)
	for e := range c.worker.events {
		if e.Ended {
			if c.why = cause(); c.why != nil {
				c.outbox.last(event{GaveUp: c.why.Error()})
			}
			c.outbox.last(e)
			continue
		}
		line, err := appendEvent(nil, e)
		if err != nil {
			c.giveUp(err)
			continue
		}
		if e.Interval != nil {
			recycle(e.Interval)
		}
		if !c.outbox.put(line) && ctx.Err() == nil {
			c.giveUp(errSlow)
		}
	}
}

const (
	// writeTimeout is how long a piece of a line may take.
	writeTimeout = 30 * time.Second
	writePiece   = 64 << 10
)

// stream sends what comes into the outbox, to the end or until it cannot.
func (c *agentRun) stream(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", "application/x-ndjson")
	to := http.NewResponseController(w)
	err := to.Flush()
	for err == nil {
		line, ok := c.outbox.next()
		if !ok {
			return nil
		}
		for len(line) > 0 && err == nil {
			n := min(len(line), writePiece)
			_ = to.SetWriteDeadline(time.Now().Add(writeTimeout))
			if _, err = w.Write(line[:n]); err == nil {
				err = to.Flush()
			}
			line = line[n:]
		}
	}
	err = fmt.Errorf("its coordinator takes no results: %s", reason(err))
	c.giveUp(err)
	c.outbox.drop()
	return err
}
