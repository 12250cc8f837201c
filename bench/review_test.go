package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/bench/report"
	"github.com/roostws/roost/wsproto"
)

// TestOneReplyLeftOut: all others are still replies, and nobody waits for the one.
func TestOneReplyLeftOut(t *testing.T) {
	t.Parallel()
	d := &double{answer: func(p *peer, m wsproto.Message) {
		if p.seen.Load() != 1000 {
			p.send(m.Op, m.Payload)
		}
	}}
	d.start(t)
	c := short(d, Echo)
	c.Conns, c.Loops, c.Warmup, c.Echo.Rate, c.Duration = 1, 1, 0, 10_000, Duration(400*time.Millisecond)
	began := time.Now()
	_, sum := mustRun(t, c, Options{})
	if took := time.Since(began); took >= time.Duration(c.Drain) {
		t.Errorf("the run took %v: all of the drain", took)
	}
	expect(t, "sent", sum.Sent, 4000)
	expect(t, "unanswered", sum.Unanswered, 1)
	expect(t, "mismatched", sum.Mismatched, 0)
	expect(t, "replies", sum.Replies, sum.Sent-1)
}

// TestChurnCountsWhatIsUnderWayAtTheEnd: handshakes from some number on have no answer.
func TestChurnCountsWhatIsUnderWayAtTheEnd(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		mute   int // from this one on
		change func(*Config)
		kind   string
	}{
		{"a short drain", 10, func(c *Config) { c.Drain = Duration(time.Second) }, report.Unfinished},
		{"a short timeout", 10, func(c *Config) { c.Connect.Timeout = Duration(2 * time.Second) }, report.HandshakeTimeout},
		{"no room", 3, func(c *Config) { c.Conns, c.Drain = 6, Duration(time.Second) }, report.Unfinished},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := &double{shake: func(p *peer, n int) bool {
				if n >= tt.mute {
					p.hang()
				}
				return n >= tt.mute
			}}
			d.start(t)
			c := short(d, Churn)
			c.Churn.Rate, c.Churn.Hold, c.Conns = 200, Duration(time.Millisecond), 100
			tt.change(&c)
			_, sum := mustRun(t, c, Options{})
			const due, scout = 20, 1
			expect(t, "due", sum.Opened-scout+sum.Failed+sum.Unsent, due)
			expectFailures(t, sum, map[string]int64{tt.kind: sum.Failed})
			if c.Conns == 100 {
				// How many got as far as a handshake is for the machine to say.
				if sum.Failed == 0 {
					t.Error("none failed, and most were mute")
				}
			} else if sum.Unsent == 0 {
				t.Error("there was room for all")
			}
		})
	}
}

// TestChurnWaitsForItsHandshakes: by default as long as one may take.
func TestChurnWaitsForItsHandshakes(t *testing.T) {
	for scenario, want := range map[string]time.Duration{Churn: time.Minute, Idle: 5 * time.Second} {
		c, err := Config{Scenario: scenario, Targets: []string{"ws://localhost/"}, Connect: Connect{Timeout: Duration(time.Minute)}}.complete()
		if err != nil || time.Duration(c.Drain) != want {
			t.Errorf("%s waits for %v (%v), want %v", scenario, time.Duration(c.Drain), err, want)
		}
	}
}

// TestPublicationsThatAreSlow to arrive are waited for, and no longer than that takes.
func TestPublicationsThatAreSlow(t *testing.T) {
	t.Parallel()
	const delay = 600 * time.Millisecond
	d := &double{}
	d.answer = func(_ *peer, m wsproto.Message) {
		payload := bytes.Clone(m.Payload)
		d.tasks.Go(func() {
			select {
			case <-time.After(delay):
				d.broadcast(m.Op, payload)
			case <-d.done:
			}
		})
	}
	d.start(t)
	c := shortFanout(d)
	c.Drain = Duration(20 * time.Second)
	began := time.Now()
	r, sum := mustRun(t, c, Options{})
	if took := time.Since(began); took >= time.Duration(c.Drain) {
		t.Errorf("the run took %v: all of the drain", took)
	}
	expect(t, "deliveries", sum.Deliveries, 4*publishes)
	if f := r.Report.Fanout; f.Reach != 1 || sum.Latency.Max() < delay {
		t.Errorf("reach %v, latency at most %v", f.Reach, sum.Latency.Max())
	}
}

// TestOneDeliveryLost is waited for as long as the drain is.
func TestOneDeliveryLost(t *testing.T) {
	t.Parallel()
	d := fanningDouble(func(d *double) {
		d.copies = func(p *peer, n int) int {
			if p.number == 1 && n == 5 {
				return 0
			}
			return 1
		}
	}).start(t)
	c := shortFanout(d)
	c.Drain = Duration(3 * time.Second)
	began := time.Now()
	r, sum := mustRun(t, c, Options{})
	if took := time.Since(began); took < time.Duration(c.Duration+c.Drain) {
		t.Errorf("the run took %v, and the drain is %v", took, time.Duration(c.Drain))
	}
	expect(t, "deliveries", sum.Deliveries, 4*publishes-1)
	if r.Report.Fanout.Reach >= 1 {
		t.Errorf("reach %v", r.Report.Fanout.Reach)
	}
}

// TestAFeedThatStalls until the measure phase is over: its late updates count.
func TestAFeedThatStalls(t *testing.T) {
	t.Parallel()
	const stall = 600 * time.Millisecond
	d := &double{answer: func(*peer, wsproto.Message) {}}
	d.start(t)
	over, published := newStopper(), make(chan int, 1)
	d.tasks.Go(func() { published <- stallingFeed(d, over.c, stall) })
	c := short(d, Feed)
	c.Duration = Duration(time.Minute)
	seconds, stop := 0, newStopper()
	_, sum := mustRun(t, c, Options{Stop: stop.c, Progress: func(p report.Progress) {
		switch p.Phase {
		case report.Measure:
			if seconds++; seconds == 3 {
				stop.stop()
			}
		case report.Drain:
			over.stop() // what is made in the drain phase tells the run that it has all
		}
	}})
	var all int
	select {
	case all = <-published:
	case <-time.After(time.Duration(c.Drain)):
		t.Fatal("the run ended before what was held back came")
	}
	late := sum.Latency.Max()
	if late < stall || sum.Deliveries != sum.Latency.Count() || sum.Deliveries < 2 {
		t.Errorf("%d deliveries, %d latencies, at most %v", sum.Deliveries, sum.Latency.Count(), late)
	}
	expect(t, "updates", sum.Updates, int64(2*all))
}

// stallingFeed makes an update every 5 ms, and sends all of them a time after over. It
// returns how many they are.
func stallingFeed(d *double, over <-chan struct{}, stall time.Duration) (made int) {
	var frames []byte
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for measuring := true; measuring; {
		select {
		case at := <-ticker.C:
			frames = wsproto.AppendFrame(frames, ws.OpText,
				fmt.Appendf(nil, `{"ch":"a","type":"update","seq":%d,"prev":%d,"ts":%d}`, made+1, made, at.UnixMilli()))
			made++
		case <-over:
			measuring = false
		case <-d.done:
			return made
		}
	}
	select {
	case <-time.After(stall):
	case <-d.done:
		return made
	}
	d.each(func(p *peer) { _ = p.write(frames) })
	return made
}

// TestStopIsHeardByALoopThatCannotKeepUp: publications go out in slices.
func TestStopIsHeardByALoopThatCannotKeepUp(t *testing.T) {
	t.Parallel()
	stop := newStopper()
	var begun sync.Once
	stopped := make(chan time.Time, 1)
	d := &double{answer: func(*peer, wsproto.Message) {
		begun.Do(func() {
			time.AfterFunc(200*time.Millisecond, func() { stopped <- time.Now(); stop.stop() })
		})
	}}
	d.start(t)
	c := short(d, Fanout)
	c.Loops, c.Fanout.Rate = 1, 1e6
	// The drain phase is long, for a double that gets its first message late.
	c.Warmup, c.Duration, c.Drain = Duration(20*time.Millisecond), Duration(900*time.Millisecond), Duration(3*time.Second)
	r, sum := mustRun(t, c, Options{Stop: stop.c})
	select {
	case at := <-stopped:
		if took := time.Since(at); took > 10*time.Second {
			t.Errorf("the run ended %v after it was told to", took)
		}
	default:
		t.Fatal("the run ended before it was told to")
	}
	var warm int64
	for _, i := range r.Intervals {
		if i.Phase == report.Warmup {
			warm += i.Sent
		}
	}
	if warm == sum.Sent || sum.Published+sum.Unsent == 0 {
		t.Errorf("%d of %d were sent in the warm-up; %d were published, %d not", warm, sum.Sent, sum.Published, sum.Unsent)
	}
	if !r.Report.Interrupted {
		t.Error("it was not interrupted")
	}
}

// TestAPublisherThatCannotConnect ends the run: there would be nothing to measure.
func TestAPublisherThatCannotConnect(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "ws://" + l.Addr().String() + "/"
	l.Close()
	d := fanningDouble(nil).start(t)
	c := shortFanout(d)
	c.Fanout.PublishTo = nobody
	_, err = Run(context.Background(), c, Options{})
	checkUnusable(t, err, "publish", nobody, report.Refused)
}

// TestPostsThatAreRefusedAreUnsent, each of them.
func TestPostsThatAreRefusedAreUnsent(t *testing.T) {
	t.Parallel()
	d := fanningDouble(nil).start(t)
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if m, _ := findMark(body); uint32(m.key)%4 == 0 {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		d.broadcast(ws.OpText, body)
	}))
	defer backend.Close()
	c := shortFanout(d)
	c.Drain = Duration(3 * time.Second)
	c.Warmup, c.Fanout.Post = 2, backend.URL // sequence 1 is of the warm-up, 2 to 21 are measured
	_, sum := mustRun(t, c, Options{})
	expect(t, "unsent", sum.Unsent, 5)
	expect(t, "published", sum.Published, publishes-5)
	expect(t, "deliveries", sum.Deliveries, 4*(publishes-5))
	expectFailures(t, sum, map[string]int64{report.PublishFailed: 5})
}

// TestNoEscapesReachAnError: what a server says is shown on a terminal.
func TestNoEscapesReachAnError(t *testing.T) {
	t.Parallel()
	const evil = "\x1b]0;evil\x07\x1b[31m\u202e"
	for name, d := range map[string]*double{
		"handshake": {shake: func(p *peer, _ int) bool {
			_ = p.write([]byte("HTTP/1.1 404 " + evil + "\r\nServer: " + evil + "\r\nContent-Length: 0\r\n\r\n"))
			return true
		}},
		"no HTTP": {shake: func(p *peer, _ int) bool { _ = p.write([]byte(evil + evil)); return true }},
		"close":   {behind: wsproto.AppendClose(nil, 1013, evil), opened: func(p *peer) { p.conn.Close() }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d.start(t)
			_, err := Run(context.Background(), short(d, Idle), Options{})
			checkUnusable(t, err, d.url())
			if strings.ContainsFunc(err.Error(), func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%q", err)
			}
			if name == "close" && !strings.Contains(err.Error(), "]0;evil") {
				t.Errorf("%q does not say the reason", err)
			}
		})
	}
}

// TestATargetOfWhichNoRequestCanBeMade is refused before anybody connects.
func TestATargetOfWhichNoRequestCanBeMade(t *testing.T) {
	t.Parallel()
	d := (&double{}).start(t)
	for _, field := range []func(*Config) *string{
		func(c *Config) *string { return &c.Targets[0] }, func(c *Config) *string { return &c.Fanout.PublishTo },
	} {
		c := short(d, Fanout)
		*field(&c) = d.url() + "?say=hello world"
		_, err := Run(context.Background(), c, Options{})
		var wrong *ConfigError
		if !errors.As(err, &wrong) || !oneSentence(err.Error()) || !strings.Contains(err.Error(), "request") {
			t.Errorf("%T: %v", err, err)
		}
	}
	expect(t, "connections", d.accepted.Load(), 0)
}
