package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roostws/roost/bench/report"
)

// recording is a site whose events are kept as they came over the wire.
type recording struct {
	site
	mu    sync.Mutex
	lines bytes.Buffer
}

func (r *recording) start(ctx context.Context, a assignment) (<-chan event, error) {
	events, err := r.site.start(ctx, a)
	if err != nil {
		return nil, err
	}
	kept := make(chan event)
	go func() {
		defer close(kept)
		for e := range events {
			line, _ := appendEvent(nil, e)
			r.mu.Lock()
			r.lines.Write(line)
			r.mu.Unlock()
			kept <- e
		}
	}()
	return kept, nil
}

// TestTwoAgentsAddUp is the point of it all: the report of a run on two agents is that
// of all that both have seen.
func TestTwoAgentsAddUp(t *testing.T) {
	d := (&double{}).start(t)
	sites, err := agentSites(t.Context(), []string{anAgent(t), anAgent(t)}, "")
	if err != nil {
		t.Fatal(err)
	}
	defer closeSites(sites)
	var kept []*recording
	for i := range sites {
		r := &recording{site: sites[i]}
		kept = append(kept, r)
		sites[i] = r
	}
	c, err := Config{Scenario: Echo, Targets: []string{d.url()}, Conns: 5, Loops: 2, Duration: Duration(1200 * time.Millisecond), Echo: EchoConfig{Rate: 2000}}.complete()
	if err != nil {
		t.Fatal(err)
	}
	r, err := newRun(c, Options{}, sites)
	if err != nil {
		t.Fatal(err)
	}
	result, err := r.carryOut(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	both := &report.Interval{}
	var opened []int64
	for _, k := range kept {
		one := &report.Interval{}
		k.lines.WriteString("{\"ended\":true}\n")
		if err := readEvents(&k.lines, func(e event) {
			if e.Interval != nil {
				one.MergeLater(e.Interval)
			}
		}); err != nil {
			t.Fatal(err)
		}
		opened = append(opened, one.Opened)
		both.MergeWorker(one)
	}
	sum := total(result)
	checkBalance(t, sum)
	if !slices.Equal(opened, []int64{3, 2}) {
		t.Errorf("connections of the agents: %v", opened)
	}
	expect(t, "replies", both.Replies, 2400)
	expect(t, "messages at the server", d.messages.Load(), sum.Sent)
	if sum.Counters != both.Counters {
		t.Errorf("counters %+v, want %+v", sum.Counters, both.Counters)
	}
	for name, h := range map[string][2]*report.Histogram{
		"latency": {sum.Latency, both.Latency}, "service": {sum.Service, both.Service},
		"connect": {sum.Connect, both.Connect}, "slip": {sum.Slip, both.Slip},
	} {
		if h[1].Count() == 0 || !h[0].Equal(h[1]) {
			t.Errorf("%s: %d values, want the same %d", name, h[0].Count(), h[1].Count())
		}
	}
	if latency := result.Report.Latency; !latency.Histogram.Equal(both.Latency) {
		t.Errorf("report: %+v", latency)
	}
	expectSeconds(t, result.Intervals)
	if len(result.Report.Run.Workers) != 2 {
		t.Errorf("workers %v", result.Report.Run.Workers)
	}
}

// expectSeconds checks that no second of no phase is there twice or longer than it is.
func expectSeconds(t testing.TB, intervals []*report.Interval) {
	t.Helper()
	lengths := map[int]time.Duration{}
	reached := moment{second: -1}
	for _, i := range intervals {
		if m := momentOf(i); compareMoments(m, reached) <= 0 {
			t.Errorf("%v comes after %v", m, reached)
		}
		reached = momentOf(i)
		if i.Phase == report.Ramp || i.Phase == report.Measure { // the agents drain each for itself
			lengths[i.Second] += i.Length
		}
	}
	for second, length := range lengths {
		if length > time.Second {
			t.Errorf("second %d has %v", second, length)
		}
	}
}

func TestRunOnAgents(t *testing.T) {
	d := (&double{}).start(t)
	token := Agent{Token: "secret"}
	at, _ := serveAgent(t, newAgentServer(&token))
	o := Options{Agents: []string{at}, Token: "secret"}
	c := short(d, Echo)
	c.Echo.Rate = 200 // a loop that is late sends what was due
	for range 2 {     // the agent is free when Run returns
		r, sum := mustRun(t, c, o)
		if sum.Replies == 0 || !slices.Equal(r.Report.Run.Workers, o.Agents) {
			t.Errorf("%d replies, workers %v", sum.Replies, r.Report.Run.Workers)
		}
	}
}

func TestStopOnAgents(t *testing.T) {
	d := (&double{}).start(t)
	c := short(d, Echo)
	c.Duration = Duration(time.Hour)
	s := newStopper()
	r, sum := mustRun(t, c, Options{
		Agents: []string{anAgent(t), anAgent(t)}, Stop: s.c,
		Progress: func(p report.Progress) {
			if p.Phase == report.Measure && p.Total.Replies > 0 {
				s.stop()
			}
		},
	})
	if !r.Report.Interrupted || sum.Unanswered != 0 || sum.Replies == 0 {
		t.Errorf("interrupted %v, %d unanswered of %d", r.Report.Interrupted, sum.Unanswered, sum.Sent)
	}
}

func TestAbortOnAgents(t *testing.T) {
	d := (&double{}).start(t)
	c := short(d, Echo)
	c.Duration = Duration(time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Run(ctx, c, Options{Agents: []string{anAgent(t), anAgent(t)}, Progress: func(report.Progress) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	expectNoPeers(t, d)
}

// pretend serves HTTP that is not an agent's.
func pretend(t testing.TB, h http.HandlerFunc) string {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// clockAnd answers /clock as an agent does, and runs by f.
func clockAnd(f http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/clock" {
			_ = json.NewEncoder(w).Encode(reading{agentProtocol, time.Now().UnixNano()})
			return
		}
		f(w, r)
	}
}

func closedPort(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestAgentsThatCannotBeUsed(t *testing.T) {
	d := (&double{}).start(t)
	with := func(a Agent) string {
		at, _ := serveAgent(t, newAgentServer(&a))
		return at
	}
	says := func(text string) string {
		return pretend(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) })
	}
	busy := anAgent(t)
	waitForRamp(t, request(t.Context(), t, "POST", "http://"+busy+"/runs", anOrder(t, d)))
	secret := with(Agent{Token: "secret"})
	tests := []struct {
		name, agent, token, says string
	}{
		{"nobody there", closedPort(t), "", "agent ADDRESS cannot be reached: connection refused"},
		{"token missing", secret, "", "agent ADDRESS wants a token: give it by --token or ROOST_TOKEN"},
		{"token wrong", secret, "public", "agent ADDRESS has another token than the one given"},
		{"token impossible", secret, "a\nb", "a token is printable ASCII without spaces"},
		{"busy", busy, "", "agent ADDRESS is busy with another run"},
		{"no room", with(Agent{Check: func(int) error { return errors.New("no room") }}), "", "agent ADDRESS cannot do its part: no room"},
		{"newer", says(`{"protocol":2}`), "", "agent ADDRESS cannot be used: the agent speaks version 2 of the agents' protocol and the coordinator version 1: use the same roost for both"},
		{"web server", says("<html>"), "", "agent ADDRESS is none: what answers there is another program"},
		{"JSON server", says("{}"), "", "agent ADDRESS is none: what answers there is another program"},
		{"other paths", pretend(t, http.NotFound), "", "agent ADDRESS answers 404 Not Found: is it an agent at all?"},
		{"escapes", pretend(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "\x1b[2J\nno", 400) }), "", "agent ADDRESS cannot do its part: [2J no"},
		{"no port", "host", "", `"host" is no agent's address: write host:port`},
		{"no host", ":7000", "", `":7000" is no agent's address: write host:port`},
		{"no number", "host:", "", `"host:" is no agent's address: write host:port`},
		{"bad host", "a b:7000", "", `"a b:7000" is no agent's address: write host:port`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			agents := []string{tt.agent}
			if tt.token == "" && tt.agent != secret {
				agents = []string{anAgent(t), tt.agent} // the good one must not go on
			}
			_, err := Run(t.Context(), short(d, Echo), Options{Agents: agents, Token: tt.token})
			want := strings.ReplaceAll(tt.says, "ADDRESS", tt.agent)
			var config *ConfigError
			if !errors.As(err, &config) || err.Error() != want {
				t.Errorf("error %T %v, want %s", err, err, want)
			}
		})
	}
	at := anAgent(t)
	_, err := Run(t.Context(), short(d, Echo), Options{Agents: []string{at, at}})
	if err == nil || err.Error() != "agent "+at+" is given twice" {
		t.Errorf("error %v", err)
	}
}

// TestAgentsThatAreLost has one good agent and one that does not go on to the end.
func TestAgentsThatAreLost(t *testing.T) {
	stream := func(text string) func(t *testing.T) string {
		return func(t *testing.T) string {
			return pretend(t, clockAnd(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }))
		}
	}
	tests := []struct {
		name  string
		agent func(t *testing.T) string
		says  string
	}{
		{"dies", stream(`{"ramped":true}` + "\n"), "went away after 0s"},
		{"dies in a word", stream(`{"ramped":tru`), "went away after 0s"},
		{"stutters", stream(`{}` + "\n"), "sends what is no result: an event with 0 things in it"},
		{"gives up", stream(`{"gave_up":"it is \u001btired"}` + "\n" + `{"ended":true}` + "\n"), "gave up after 0s: it is  tired"},
		{"does not begin", func(t *testing.T) string {
			return pretend(t, clockAnd(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/runs" {
					http.Error(w, "", http.StatusTeapot)
					return
				}
				fmt.Fprintln(w, `{"ramped":true}`)
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done()
			}))
		}, "answers 418 I'm a teapot: is it an agent at all?"},
	}
	seconds := regexp.MustCompile(`after \d+s\b`) // how many is for the machine to say
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := (&double{}).start(t)
			at := tt.agent(t)
			_, err := Run(t.Context(), short(d, Echo), Options{Agents: []string{anAgent(t), at}})
			var lost *AgentError
			want := "agent " + at + " " + tt.says
			if !errors.As(err, &lost) || seconds.ReplaceAllString(err.Error(), "after 0s") != want {
				t.Errorf("error %T %v, want %s", err, err, want)
			}
			expectNoPeers(t, d)
		})
	}
}

// TestAgentStopsMidway stops an agent while traffic flows.
func TestAgentStopsMidway(t *testing.T) {
	d := (&double{}).start(t)
	at, stop := serveAgent(t, newAgentServer(&Agent{}))
	c := short(d, Echo)
	c.Duration = Duration(time.Hour)
	var once sync.Once
	_, err := Run(t.Context(), c, Options{
		Agents: []string{anAgent(t), at},
		Progress: func(p report.Progress) {
			if p.Phase == report.Measure {
				once.Do(func() { go stop() })
			}
		},
	})
	var lost *AgentError
	if !errors.As(err, &lost) || !strings.HasPrefix(err.Error(), "agent "+at+" gave up after ") || !strings.HasSuffix(err.Error(), ": it was stopped") {
		t.Errorf("error %T %v", err, err)
	}
	expectNoPeers(t, d)
}

func TestImpatientReader(t *testing.T) {
	read, write := io.Pipe()
	r := &impatient{stream: read, after: time.Minute, giveUp: func() { read.Close() }}
	go write.Write([]byte("x"))
	if n, err := r.Read(make([]byte, 9)); n != 1 || err != nil || r.silent.Load() {
		t.Errorf("read %d, %v", n, err)
	}
	r.after = 20 * time.Millisecond
	if _, err := r.Read(make([]byte, 9)); err == nil || !r.silent.Load() {
		t.Errorf("a silent stream: %v", err)
	}
	s := newAgentSite("h:1", "agent h:1", "")
	if text := s.lost(io.EOF, "", true).Error(); text != "agent h:1 has told nothing for 20s" {
		t.Error(text)
	}
}

func TestProcessorsCountOnce(t *testing.T) {
	d := (&double{}).start(t)
	_, one := mustRun(t, short(d, Idle), Options{})
	_, three := mustRun(t, short(d, Idle), Options{Agents: []string{anAgent(t), anAgent(t)}})
	used := processTime()
	_, later := mustRun(t, short(d, Idle), Options{})
	if used = processTime() - used; later.CPU <= 0 || later.CPU > used {
		t.Errorf("a run used %v of processor time, and this process %v meanwhile", later.CPU, used)
	}
	if one.Cores == 0 || three.Cores != one.Cores {
		t.Errorf("two agents on one machine have %d processors, one worker %d", three.Cores, one.Cores)
	}
}

// TestRunOutlivesTheAgentsPatience: an agent that hears of its coordinator goes on.
func TestRunOutlivesTheAgentsPatience(t *testing.T) {
	t.Parallel()
	d := (&double{}).start(t)
	s := newAgentServer(&Agent{})
	s.patience = 4 * time.Second
	at, _ := serveAgent(t, s)
	sites, err := agentSites(t.Context(), []string{at}, "")
	if err != nil {
		t.Fatal(err)
	}
	defer closeSites(sites)
	sites[0].(*agentSite).alive = 20 * time.Millisecond
	c, err := short(d, Echo).complete()
	if err != nil {
		t.Fatal(err)
	}
	c.Duration = Duration(3 * s.patience / 2)
	r, err := newRun(c, Options{Agents: []string{at}}, sites)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.carryOut(t.Context()); err != nil {
		t.Error(err)
	}
}
