package bench

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Agent works for coordinators ([Options].Agents), on this or another machine: one run
// at a time. Who can reach it can make it put load on any server that it can reach, so
// it listens on loopback only unless there is a token.
type Agent struct {
	// Token is the password that a coordinator must have: printable ASCII, no spaces.
	// Empty: none, which Listen accepts on loopback only.
	Token string
	// Insecure lets Listen do without a token on other addresses too.
	Insecure bool
	// Check says in a sentence why so many connections do not fit this process, nil
	// if they do. It is called before each run, from one goroutine. Nil: they do.
	Check func(conns int) error
	// Logger gets a line for each run. Nil: nobody does.
	Logger *slog.Logger
}

// Listen opens a host:port for Serve; without a host it is 127.0.0.1, port 0 takes a
// free one. Errors are sentences for the user.
func (a *Agent) Listen(address string) (net.Listener, error) {
	if err := checkToken(a.Token); err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("%q is no address to listen on: write host:port, such as 127.0.0.1:7000", address)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	at, err := net.ResolveTCPAddr("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %s", address, reason(err))
	}
	if !at.IP.IsLoopback() && a.Token == "" && !a.Insecure {
		return nil, fmt.Errorf("an agent puts load on whatever it is told to, and others can reach %s: "+
			"set a token (--token or ROOST_TOKEN), or allow everybody by --insecure-no-token", address)
	}
	l, err := net.ListenTCP("tcp", at)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %s", address, reason(err))
	}
	return l, nil
}

// checkToken refuses what an HTTP header cannot hold.
func checkToken(token string) error {
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("a token is printable ASCII without spaces")
	}
	return nil
}

// Serve works for who comes to l until ctx ends; a run in progress is given up then. It
// closes l. The error is the listener's.
func (a *Agent) Serve(ctx context.Context, l net.Listener) error {
	return newAgentServer(a).serve(ctx, l)
}

// ServeParent serves a coordinator that started this process ([Options].Worker): on a
// free port of loopback, whose address is the first line on out, until ctx or in ends.
// The system closes in when the coordinator dies, however that happens.
func (a *Agent) ServeParent(ctx context.Context, in io.Reader, out io.Writer) error {
	l, err := a.Listen("127.0.0.1:0")
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out, l.Addr()); err != nil {
		l.Close()
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, in)
		cancel()
	}()
	return a.Serve(ctx, l)
}

// agentServer is an Agent that serves.
type agentServer struct {
	*Agent
	ctx      context.Context // of serve
	slot     chan struct{}   // full while a run goes on
	patience time.Duration   // how long a run goes on without a word of its coordinator
	waiting  int             // most bytes of events that wait for a coordinator

	mu      sync.Mutex
	current *agentRun
}

const (
	agentPatience = 20 * time.Second
	agentWaiting  = 128 << 20
	// slotWait is how long a coordinator waits for the run before its own to end:
	// one may just have.
	slotWait = 2 * time.Second
	// bodyTimeout is for the body of a request.
	bodyTimeout = 30 * time.Second
	// agentShutdown is how long a run may take to end when the agent has to.
	agentShutdown = 5 * time.Second
)

func newAgentServer(a *Agent) *agentServer {
	return &agentServer{Agent: a, slot: make(chan struct{}, 1), patience: agentPatience, waiting: agentWaiting}
}

func (s *agentServer) serve(ctx context.Context, l net.Listener) error {
	var cancel context.CancelFunc
	s.ctx, cancel = context.WithCancel(ctx)
	defer cancel()
	srv := &http.Server{
		Handler:           s.handler(),
		BaseContext:       func(net.Listener) context.Context { return s.ctx },
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    8 << 10,
		ErrorLog:          log.New(io.Discard, "", 0),
		// No timeout for reading or writing as a whole: it would cut a long run.
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(l) }()
	var err error
	select {
	case <-ctx.Done():
	case err = <-ended:
		ended <- err
		cancel()
	}
	bounded, done := context.WithTimeout(context.Background(), agentShutdown)
	defer done()
	_ = srv.Shutdown(bounded)
	_ = srv.Close()
	<-ended
	return err
}

// handler is the agents' protocol: GET /clock is answered by a reading. POST /runs with
// an order begins a run, whose events follow in the answer, a line each, until Ended;
// the run is given up when the connection ends. POST /runs/N/begin and /runs/N/stop, each
// with an instant, tell the run of that number more, and POST /runs/N/alive that its
// coordinator is there.
func (s *agentServer) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /clock", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(reading{agentProtocol, time.Now().UnixNano()})
	})
	mux.HandleFunc("POST /runs", s.run)
	mux.HandleFunc("POST /runs/{run}/begin", s.forRun(timed((*worker).begin)))
	mux.HandleFunc("POST /runs/{run}/stop", s.forRun(timed((*worker).stop)))
	mux.HandleFunc("POST /runs/{run}/alive", s.forRun(func(*agentRun, *http.Request) error { return nil }))
	return s.guard(mux)
}

// timed is what a coordinator has a worker do at a time.
func timed(do func(w *worker, at int64)) func(*agentRun, *http.Request) error {
	return func(c *agentRun, r *http.Request) error {
		var m instant
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil || m.At <= 0 {
			return errors.New("it is not said when")
		}
		do(c.worker, m.At)
		return nil
	}
}

// guard lets only coordinators in.
func (s *agentServer) guard(next http.Handler) http.Handler {
	want := sha256.Sum256([]byte("Bearer " + s.Token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A page in a browser reaches loopback, even under another name.
		if r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != "" {
			http.Error(w, "an agent does not work for web pages", http.StatusForbidden)
			return
		}
		got := sha256.Sum256([]byte(r.Header.Get("Authorization")))
		if s.Token != "" && subtle.ConstantTimeCompare(got[:], want[:]) == 0 {
			http.Error(w, "the agent has another token", http.StatusUnauthorized)
			return
		}
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout))
		r.Body = http.MaxBytesReader(w, r.Body, maxAssignment)
		next.ServeHTTP(w, r)
	})
}

// forRun tells something to the run that goes on, if it has the number in the path.
func (s *agentServer) forRun(tell func(*agentRun, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		c := s.current
		s.mu.Unlock()
		if c == nil || r.PathValue("run") != strconv.FormatUint(uint64(c.id), 10) {
			http.Error(w, "there is no such run any more", http.StatusNotFound)
			return
		}
		c.lease.Reset(s.patience)
		if err := tell(c, r); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	}
}
