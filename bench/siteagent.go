package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// An AgentError says that an agent, or a process that the run has started, did not go
// on to the end.
type AgentError struct{ text string }

// Error is the sentence for the user.
func (e *AgentError) Error() string { return e.text }

// agentSite is an agent, as its coordinator sees it.
type agentSite struct {
	address string
	who     string // for messages, as the subject of a sentence
	token   string
	guest   bool
	client  *http.Client
	ahead   time.Duration
	bound   time.Duration
	alive   time.Duration // from one word that we are there to the next
	// cause adds to a message why the agent has gone. Nil: nobody knows.
	cause func() string

	path    string // of the run
	cancel  context.CancelFunc
	began   time.Time
	workers sync.WaitGroup // goroutines
}

const (
	// controlTimeout is for a request that is not a run.
	controlTimeout = 10 * time.Second
	// startTimeout is for an agent to begin a run, which may wait for the one before.
	startTimeout = 30 * time.Second
	// alivePeriod is how often an agent hears that its coordinator is there.
	alivePeriod = agentPatience / 4
	// silenceTimeout is how long an agent may tell nothing. It has something to tell
	// every second.
	silenceTimeout = 20 * time.Second
)

// agentSites finds the agents at work and compares their clocks with ours.
func agentSites(ctx context.Context, addresses []string, token string) ([]site, error) {
	if err := checkToken(token); err != nil {
		return nil, &ConfigError{err}
	}
	var sites []meeter
	var hosts []string
	for i, address := range addresses {
		host, port, err := net.SplitHostPort(address)
		if err != nil || host == "" || port == "" {
			return nil, &ConfigError{fmt.Errorf("%q is no agent's address: write host:port", address)}
		}
		if slices.Contains(addresses[:i], address) {
			return nil, &ConfigError{fmt.Errorf("agent %s is given twice", address)}
		}
		s := newAgentSite(address, "agent "+address, token)
		s.guest = slices.Contains(hosts, host)
		hosts = append(hosts, host)
		sites = append(sites, s)
	}
	return meetAll(ctx, sites)
}

func newAgentSite(address, who, token string) *agentSite {
	return &agentSite{
		address: address, who: who, token: token, alive: alivePeriod,
		client: &http.Client{
			Transport: &http.Transport{
				// No proxy: it would hold the results up, and see the token.
				DialContext:           (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
				ResponseHeaderTimeout: startTimeout,
				DisableCompression:    true,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// meeter is an agent's site that has to be met first.
type meeter interface {
	site
	meet(context.Context) error
}

// meetAll meets all of them, or closes them all.
func meetAll(ctx context.Context, met []meeter) ([]site, error) {
	errs := make([]error, len(met))
	var all []site
	var done sync.WaitGroup
	for i, s := range met {
		all = append(all, s)
		done.Go(func() { errs[i] = s.meet(ctx) })
	}
	done.Wait()
	for _, err := range append([]error{ctx.Err()}, errs...) {
		if err != nil {
			closeSites(all)
			return nil, err
		}
	}
	return all, nil
}

// meet compares the clocks, and finds out whether an agent is there that can be used.
func (s *agentSite) meet(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, controlTimeout)
	defer cancel()
	var err error
	ours := func() int64 { return time.Now().UnixNano() }
	s.ahead, s.bound, err = compareClocks(ctx, ours, s.readClock)
	if err != nil {
		return &ConfigError{err}
	}
	return nil
}

func (s *agentSite) name() string        { return s.address }
func (s *agentSite) skew() time.Duration { return s.bound }

// start begins the agent's run.
func (s *agentSite) start(ctx context.Context, a assignment) (<-chan event, error) {
	a.Ahead, a.Guest = Duration(s.ahead), s.guest
	ctx, cancel := context.WithCancel(ctx)
	answer, err := s.ask(ctx, http.MethodPost, "/runs", order{agentProtocol, a})
	if err != nil {
		cancel()
		return nil, &ConfigError{err}
	}
	s.path = fmt.Sprintf("/runs/%d/", a.Run)
	s.cancel = cancel
	s.began = time.Now()
	events := make(chan event)
	s.workers.Go(func() {
		defer cancel()
		defer close(events)
		defer answer.Body.Close()
		s.follow(ctx, answer.Body, events)
	})
	s.workers.Go(func() { s.live(ctx) })
	return events, nil
}

// follow hands on the agent's events. A stream that ends before its last one is an
// agent that is lost, unless we do not want it any more.
func (s *agentSite) follow(ctx context.Context, stream io.Reader, events chan<- event) {
	r := &impatient{stream: stream, after: silenceTimeout, giveUp: s.cancel}
	gaveUp := ""
	err := readEvents(r, func(e event) {
		if e.GaveUp != "" {
			gaveUp = e.GaveUp
			return
		}
		events <- e
	})
	silent := r.silent.Load()
	if ctx.Err() != nil && !silent || err == nil && gaveUp == "" {
		return
	}
	events <- event{lost: s.lost(err, gaveUp, silent)}
}

// impatient reads a stream that must not be silent for long.
type impatient struct {
	stream io.Reader
	after  time.Duration
	giveUp func() // ends Read
	silent atomic.Bool
}

// Read reads on, and gives up when nothing comes.
func (r *impatient) Read(p []byte) (int, error) {
	timer := time.AfterFunc(r.after, func() {
		r.silent.Store(true)
		r.giveUp()
	})
	defer timer.Stop()
	return r.stream.Read(p)
}

// lost says how an agent did not go on to the end.
func (s *agentSite) lost(err error, gaveUp string, silent bool) error {
	after := time.Since(s.began).Round(time.Second)
	var garbled errGarbled
	switch {
	case gaveUp != "":
		return &AgentError{fmt.Sprintf("%s gave up after %v: %s", s.who, after, gaveUp)}
	case silent:
		return &AgentError{fmt.Sprintf("%s has told nothing for %v", s.who, silenceTimeout)}
	case errors.As(err, &garbled):
		return &AgentError{fmt.Sprintf("%s sends what is no result: %s", s.who, sentence(garbled.Error()))}
	}
	text := fmt.Sprintf("%s went away after %v", s.who, after)
	if s.cause != nil {
		text += s.cause()
	}
	return &AgentError{text}
}

// live tells the agent that we are there, until ctx ends.
func (s *agentSite) live(ctx context.Context) {
	tick := time.NewTicker(s.alive)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			// If it cannot be told, the stream of events breaks off too, and says more.
			_ = s.tell(ctx, "alive", nil)
		}
	}
}

func (s *agentSite) begin(at int64) error {
	return s.tell(context.Background(), "begin", instant{at})
}

func (s *agentSite) stop(at int64) error {
	return s.tell(context.Background(), "stop", instant{at})
}

// tell tells the agent more about its run. It is no error if that is over: the events
// say how.
func (s *agentSite) tell(ctx context.Context, what string, body any) error {
	ctx, cancel := context.WithTimeout(ctx, controlTimeout)
	defer cancel()
	answer, err := s.ask(ctx, http.MethodPost, s.path+what, body)
	var refused *statusError
	if errors.As(err, &refused) && refused.status == http.StatusNotFound {
		return nil
	}
	if err != nil {
		return &AgentError{err.Error()}
	}
	return answer.Body.Close()
}

func (s *agentSite) abort() {
	if s.cancel != nil {
		s.cancel()
	}
}

func (s *agentSite) close() {
	s.abort()
	s.workers.Wait()
	s.client.CloseIdleConnections()
}
