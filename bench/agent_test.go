package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// serveAgent serves until the test's end, or until stop is called, and returns the address.
func serveAgent(t testing.TB, s *agentServer) (address string, stop func()) {
	t.Helper()
	l, err := s.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.serve(ctx, l) }()
	stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		ended <- nil
	}
	t.Cleanup(stop)
	return l.Addr().String(), stop
}

func anAgent(t testing.TB) string {
	address, _ := serveAgent(t, newAgentServer(&Agent{}))
	return address
}

// anOrder is a run that waits for its beginning.
func anOrder(t testing.TB, d *double) order {
	c, err := short(d, Echo).complete()
	if err != nil {
		t.Fatal(err)
	}
	return order{agentProtocol, assignment{Config: c, Share: share{0, 1}, Run: 7, Start: time.Now().UnixNano()}}
}

// request asks an agent as it is.
func request(ctx context.Context, t testing.TB, method, url string, body any, header ...string) *http.Response {
	t.Helper()
	text, ok := body.(string)
	if !ok {
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		text = string(b)
	}
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	transport := &http.Transport{DisableKeepAlives: true}
	answer, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	return answer
}

// expectAnswer reads an answer to its end.
func expectAnswer(t testing.TB, answer *http.Response, status int, says string) {
	t.Helper()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != status || !strings.Contains(string(text), says) {
		t.Errorf("answer %d %q, want %d with %q", answer.StatusCode, text, status, says)
	}
}

func TestAgentListens(t *testing.T) {
	const needsToken = "set a token (--token or ROOST_TOKEN), or allow everybody by --insecure-no-token"
	tests := []struct {
		agent   Agent
		address string
		says    string // "" if it listens
	}{
		{Agent{}, "127.0.0.1:0", ""},
		{Agent{}, "localhost:0", ""},
		{Agent{}, ":0", ""},
		{Agent{}, "0.0.0.0:0", needsToken},
		{Agent{}, "[::]:0", needsToken},
		{Agent{Token: "x"}, "0.0.0.0:0", ""},
		{Agent{Insecure: true}, "0.0.0.0:0", ""},
		{Agent{Token: "a b"}, "127.0.0.1:0", "a token is printable ASCII without spaces"},
		{Agent{Token: "ä"}, "127.0.0.1:0", "a token is printable ASCII without spaces"},
		{Agent{}, "127.0.0.1", `"127.0.0.1" is no address to listen on: write host:port`},
		{Agent{}, "127.0.0.1:x", "cannot listen on 127.0.0.1:x"},
		{Agent{Token: "x"}, "192.0.2.1:0", "cannot listen on 192.0.2.1:0: "},
	}
	for _, tt := range tests {
		l, err := tt.agent.Listen(tt.address)
		if err == nil {
			if host, _, _ := net.SplitHostPort(tt.address); host == "" && !l.Addr().(*net.TCPAddr).IP.IsLoopback() {
				t.Errorf("%s: listens on %s", tt.address, l.Addr())
			}
			l.Close()
		}
		if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%+v, %s: %v, want %q", tt.agent, tt.address, err, tt.says)
		}
	}
}

func TestAgentRefuses(t *testing.T) {
	d := (&double{}).start(t)
	at, _ := serveAgent(t, newAgentServer(&Agent{
		Token: "secret",
		Check: func(conns int) error {
			if conns != 2 {
				t.Errorf("%d connections asked for", conns)
			}
			return errors.New("there is room for one")
		},
	}))
	ours := []string{"Authorization", "Bearer secret"}
	good := anOrder(t, d)
	change := func(f func(*order)) order { o := good; f(&o); return o }
	tests := []struct {
		name, method, path string
		body               any
		header             []string
		status             int
		says               string
	}{
		{"no token", "GET", "/clock", nil, nil, 401, "another token"},
		{"wrong token", "GET", "/clock", nil, []string{"Authorization", "Bearer secreT"}, 401, "another token"},
		{"wrong token, a run", "POST", "/runs", good, []string{"Authorization", "Bearer "}, 401, "another token"},
		{"right token", "GET", "/clock", nil, ours, 200, `"protocol":1`},
		{"page", "GET", "/clock", nil, append(ours, "Origin", "http://evil.test"), 403, "web pages"},
		{"page's image", "GET", "/clock", nil, append(ours, "Sec-Fetch-Site", "cross-site"), 403, "web pages"},
		{"no JSON", "POST", "/runs", "{", ours, 400, "the assignment is no JSON"},
		{"other version", "POST", "/runs", `{"protocol":2,"new":1}`, ours, 400, "version 1 of the agents' protocol and the coordinator version 2"},
		{"unknown field", "POST", "/runs", `{"protocol":1,"config":{"nwe":1}}`, ours, 400, `unknown field "nwe"`},
		{"too large", "POST", "/runs", strings.Repeat(" ", maxAssignment+1), ours, 400, "request body too large"},
		{"bad configuration", "POST", "/runs", change(func(o *order) { o.Config.Conns = maxConns + 1 }), ours, 400, "connections: "},
		{"no share", "POST", "/runs", change(func(o *order) { o.Share = share{1, 1} }), ours, 400, "worker 1 of 1 does not exist"},
		{"bad share", "POST", "/runs", change(func(o *order) { o.Share = share{0, 0} }), ours, 400, "worker 0 of 0 does not exist"},
		{"negative share", "POST", "/runs", change(func(o *order) { o.Share = share{-1, 2} }), ours, 400, "worker -1 of 2 does not exist"},
		{"no number", "POST", "/runs", change(func(o *order) { o.Run = 0 }), ours, 400, "no number"},
		{"far clock", "POST", "/runs", change(func(o *order) { o.Ahead = Duration(maxAhead + 1) }), ours, 400, "set them"},
		{"late", "POST", "/runs", change(func(o *order) { o.Start -= int64(maxLate) }), ours, 400, "away from now"},
		{"early", "POST", "/runs", change(func(o *order) { o.Start += int64(2 * maxLate) }), ours, 400, "away from now"},
		{"too many", "POST", "/runs", good, ours, 400, "there is room for one"},
		{"no run", "POST", "/runs/7/stop", nil, ours, 404, "no such run"},
		{"nothing", "GET", "/", nil, ours, 404, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			expectAnswer(t, request(t.Context(), t, tt.method, "http://"+at+tt.path, tt.body, tt.header...), tt.status, tt.says)
		})
	}
	if n := d.accepted.Load(); n != 0 {
		t.Errorf("%d connections were opened", n)
	}
}

// readAll reads the events of an answer to their end.
func readAll(t testing.TB, answer *http.Response) (events []event) {
	t.Helper()
	if err := readEvents(answer.Body, func(e event) { events = append(events, e) }); err != nil {
		t.Fatal(err)
	}
	return events
}

// gaveUp returns why the agent gave up, by its last event but the end.
func gaveUp(events []event) string {
	if len(events) == 0 {
		return ""
	}
	return events[len(events)-1].GaveUp
}

func TestAgentTakesOneRunAtATime(t *testing.T) {
	d := (&double{}).start(t)
	var lines bytes.Buffer
	at, stop := serveAgent(t, newAgentServer(&Agent{Logger: slog.New(slog.NewTextHandler(&lines, nil))}))
	first := request(t.Context(), t, "POST", "http://"+at+"/runs", anOrder(t, d))
	expectAnswer(t, request(t.Context(), t, "POST", "http://"+at+"/runs", anOrder(t, d)), 409, "busy with another run")
	for path, says := range map[string]string{"/runs/8/stop": "no such run", "/runs/7/begin": "said when", "/runs/7/stop": "said when"} {
		answer := request(t.Context(), t, "POST", "http://"+at+path, "{}")
		expectAnswer(t, answer, answer.StatusCode, says)
	}
	expectAnswer(t, request(t.Context(), t, "POST", "http://"+at+"/runs/7/begin", instant{time.Now().UnixNano()}), 200, "")
	readAll(t, first)
	// The next one need not wait until the one before is wound up.
	second := request(t.Context(), t, "POST", "http://"+at+"/runs", anOrder(t, d))
	expectAnswer(t, request(t.Context(), t, "POST", "http://"+at+"/runs/7/stop", instant{time.Now().UnixNano()}), 200, "")
	readAll(t, second)
	stop()
	if n := strings.Count(lines.String(), "msg=run scenario=echo conns=2 targets=["); n != 2 {
		t.Errorf("the log has %d runs:\n%s", n, &lines)
	}
}

func TestAgentEndsTheRunOfACoordinatorThatWent(t *testing.T) {
	d := (&double{}).start(t)
	at := anAgent(t)
	ctx, vanish := context.WithCancel(t.Context())
	answer := request(ctx, t, "POST", "http://"+at+"/runs", anOrder(t, d))
	waitForRamp(t, answer)
	vanish()
	expectNoPeers(t, d)
	// And is free again.
	next := request(t.Context(), t, "POST", "http://"+at+"/runs", anOrder(t, d))
	if next.StatusCode != 200 {
		t.Errorf("the agent answers %d", next.StatusCode)
	}
}

// waitForRamp reads events until all connections are open.
func waitForRamp(t testing.TB, answer *http.Response) {
	t.Helper()
	var line []byte
	for b := make([]byte, 1); !strings.HasSuffix(string(line), "\"ramped\":true}\n"); line = append(line, b...) {
		if _, err := answer.Body.Read(b); err != nil {
			t.Fatal(err)
		}
	}
}

// expectNoPeers waits until the server has lost all its clients.
func expectNoPeers(t testing.TB, d *double) {
	t.Helper()
	var left []*peer
	d.each(func(p *peer) { left = append(left, p) })
	for _, p := range left {
		select {
		case <-p.gone:
		case <-time.After(10 * time.Second):
			t.Fatal("a connection stays open")
		}
	}
}

func TestAgentGivesUp(t *testing.T) {
	tests := []struct {
		name   string
		change func(*agentServer)
		says   string
	}{
		{"without a word", func(s *agentServer) { s.patience = 50 * time.Millisecond }, "it has not heard of its coordinator for 50ms"},
		{"too slow", func(s *agentServer) { s.waiting = 1 }, errSlow.Error()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := (&double{}).start(t)
			s := newAgentServer(&Agent{})
			tt.change(s)
			at, _ := serveAgent(t, s)
			answer := request(t.Context(), t, "POST", "http://"+at+"/runs", anOrder(t, d))
			if why := gaveUp(readAll(t, answer)); why != tt.says {
				t.Errorf("it gave up because %q, want %q", why, tt.says)
			}
			expectNoPeers(t, d)
		})
	}
}

func TestAgentIsStopped(t *testing.T) {
	d := (&double{}).start(t)
	at, stop := serveAgent(t, newAgentServer(&Agent{}))
	answer := request(t.Context(), t, "POST", "http://"+at+"/runs", anOrder(t, d))
	waitForRamp(t, answer)
	go stop()
	if why := gaveUp(readAll(t, answer)); why != "it was stopped" {
		t.Errorf("it gave up because %q", why)
	}
	expectNoPeers(t, d)
}

func TestAgentCannotBegin(t *testing.T) {
	d := (&double{}).start(t)
	o := anOrder(t, d)
	o.Config.Connect.CA = "no certificate"
	o.Config.Targets = []string{"wss://127.0.0.1:1/"}
	at := anAgent(t)
	for range 2 { // the slot is free again
		expectAnswer(t, request(t.Context(), t, "POST", "http://"+at+"/runs", o), 400, "no certificate in PEM")
	}
}

func TestServeParent(t *testing.T) {
	in, life := io.Pipe()
	read, out := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- (&Agent{}).ServeParent(t.Context(), in, out) }()
	b := make([]byte, 64)
	n, err := read.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	address := strings.TrimSuffix(string(b[:n]), "\n")
	expectAnswer(t, request(t.Context(), t, "GET", "http://"+address+"/clock", nil), 200, "now")
	life.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	read.Close()
	if err := (&Agent{}).ServeParent(t.Context(), in, out); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("nobody reads the address: %v", err)
	}
	if err := (&Agent{Token: " "}).ServeParent(t.Context(), in, out); err == nil {
		t.Error("a bad token is taken")
	}
}

func TestServeTellsOfABrokenListener(t *testing.T) {
	l, err := (&Agent{}).Listen(":0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := (&Agent{}).Serve(t.Context(), l); !errors.Is(err, net.ErrClosed) {
		t.Errorf("error %v", err)
	}
}

func TestOutboxIsBounded(t *testing.T) {
	o := newOutbox(10)
	take := func(want string) {
		t.Helper()
		line, ok := o.next()
		if fmt.Sprint(string(line), ok) != want {
			t.Errorf("next: %q %v, want %s", line, ok, want)
		}
	}
	if !o.put(make([]byte, 4)) || !o.put([]byte("second")) {
		t.Error("10 bytes do not fit")
	}
	take("\x00\x00\x00\x00true")
	if !o.put(make([]byte, 4)) {
		t.Error("what was taken still counts")
	}
	if o.put([]byte("1")) {
		t.Error("11 bytes fit")
	}
	if o.bytes != 0 || o.put(nil) {
		t.Errorf("%d bytes are kept behind a hole", o.bytes)
	}
	o.last(event{GaveUp: "x"})
	o.last(event{Ended: true})
	take("{\"gave_up\":\"x\"}\ntrue")
	take("{\"ended\":true}\ntrue")
	take("false")
}
