package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// site is where a worker works: this process, or an agent.
type site interface {
	// name is for messages to the user.
	name() string
	// skew is by how much the worker's clock may differ from the coordinator's.
	skew() time.Duration
	// start begins the assignment. Its events come until the channel is closed.
	start(ctx context.Context, a assignment) (<-chan event, error)
	// begin and stop: see worker. The times are the coordinator's.
	begin(at int64) error
	stop(at int64) error
	// abort ends the work at once; close frees what is left.
	abort()
	close()
}

// findSites says where the work is done.
func findSites(ctx context.Context, c *Config, o *Options) ([]site, error) {
	n := max(1, o.Procs, len(o.Agents))
	if o.Procs > 1 && len(o.Agents) > 0 {
		return nil, &ConfigError{errors.New("either other processes here or agents: --procs excludes --agents")}
	}
	if c.Conns < n {
		return nil, &ConfigError{fmt.Errorf("%d connections cannot be spread over %d workers", c.Conns, n)}
	}
	switch {
	case len(o.Agents) > 0:
		return agentSites(ctx, o.Agents, o.Token)
	case o.Procs > 1:
		return startedSites(ctx, o.Procs, o.Worker)
	}
	return []site{&local{}}, nil
}

// closeSites frees all.
func closeSites(sites []site) {
	for _, w := range sites {
		w.close()
	}
}

// local is the worker in this process.
type local struct{ w *worker }

func (l *local) name() string        { return "this process" }
func (l *local) skew() time.Duration { return 0 }

func (l *local) start(ctx context.Context, a assignment) (<-chan event, error) {
	w, err := newWorker(ctx, a)
	if err != nil {
		return nil, err
	}
	l.w = w
	go w.work()
	return w.events, nil
}

func (l *local) begin(at int64) error { l.w.begin(at); return nil }
func (l *local) stop(at int64) error  { l.w.stop(at); return nil }
func (l *local) close()               {}
func (l *local) abort() {
	if l.w != nil {
		l.w.abort()
	}
}
