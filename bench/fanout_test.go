package bench

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/bench/report"
	"github.com/roostws/roost/wsproto"
)

// fanningDouble sends what anybody publishes to everybody.
func fanningDouble(change func(*double)) *double {
	d := &double{}
	d.answer = func(p *peer, m wsproto.Message) { d.broadcast(m.Op, m.Payload) }
	if change != nil {
		change(d)
	}
	return d
}

// shortFanout publishes 20 messages to four subscribers.
func shortFanout(d *double) Config {
	c := short(d, Fanout)
	c.Conns, c.Fanout.Rate = 4, 200
	return c
}

// publishes is the publications of shortFanout in the measure phase.
const publishes = 20

func TestFanoutReachesEverybody(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*Config)
	}{
		{"binary", func(*Config) {}},
		{"text", func(c *Config) { c.Messages.Type = "text" }},
		{"the smallest", func(c *Config) { c.Messages.Size = "46" }},
		{"large", func(c *Config) { c.Messages.Size = "70000" }},
		{"template", func(c *Config) { c.Messages.Templates = []string{`{"to":"all","text":"{{mark}} {{seq}}"}`} }},
		{"the mark's prefix before it", func(c *Config) { c.Messages.Templates = []string{`roost=roost= {{mark}}`} }},
		{"three publishers", func(c *Config) { c.Fanout.Publishers = 3 }},
		{"more publishers than messages", func(c *Config) { c.Fanout.Publishers = 30 }},
		{"a URL for publishers", func(c *Config) { c.Fanout.PublishTo = c.Targets[0] + "publish" }},
		{"a long warm-up", func(c *Config) { c.Warmup = Duration(50 * time.Millisecond) }},
		{"one loop", func(c *Config) { c.Loops = 1 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := fanningDouble(nil).start(t)
			c := shortFanout(d)
			tt.change(&c)
			r, sum := mustRun(t, c, Options{})
			publishers := int64(max(1, c.Fanout.Publishers))
			expect(t, "published", sum.Published, publishes)
			expect(t, "deliveries", sum.Deliveries, 4*publishes)
			expect(t, "latencies", sum.Latency.Count(), 4*publishes)
			expect(t, "sent", sum.Sent, d.messages.Load())
			expect(t, "received", sum.Received, d.copied.Load())
			expect(t, "opened", sum.Opened, 4+publishers)
			expect(t, "messages followed", int64(len(sum.Messages)), publishes)
			for key, m := range sum.Messages {
				if m.Count != 4 || m.First > m.Last || key>>32 >= uint64(publishers) {
					t.Errorf("publication %x: %+v", key, m)
				}
			}
			for what, n := range map[string]int64{
				"duplicates": sum.Duplicates, "unmarked": sum.Unmarked, "unsent": sum.Unsent, "lost": sum.Lost,
			} {
				expect(t, what, n, 0)
			}
			f := r.Report.Fanout
			if f.Reach != 1 || f.Subscribers != 4 || f.Expected != 4*publishes {
				t.Errorf("the report says %+v", f)
			}
			if e := r.Report.Fairness; e == nil || e.Receivers != 4 || e.Jain != 1 || e.Fewest != publishes || e.Most != publishes {
				t.Errorf("fairness: %+v", e)
			}
		})
	}
}

// TestEveryPublisherHasItsShare of one schedule, and sequences of its own.
func TestEveryPublisherHasItsShare(t *testing.T) {
	t.Parallel()
	d := fanningDouble(nil).start(t)
	c := shortFanout(d)
	c.Fanout.Publishers, c.Warmup = 4, 0
	c.Fanout.Rate = 200
	// A fan-out has a warm-up by default: one that is too short for a message.
	c.Warmup = 2
	_, sum := mustRun(t, c, Options{})
	from := map[uint64][]bool{}
	for key := range sum.Messages {
		p := key >> 32
		for len(from[p]) < int(uint32(key)) {
			from[p] = append(from[p], false)
		}
		from[p][uint32(key)-1] = true
	}
	// Number 0 of all was due when warm-up began, before the measure phase.
	for p, want := range map[uint64]string{
		0: "[false true true true true true]", 1: "[true true true true true]",
		2: "[true true true true true]", 3: "[true true true true true]",
	} {
		if got := fmt.Sprint(from[p]); got != want {
			t.Errorf("publisher %d: %s, want %s", p, got, want)
		}
	}
}

func TestLostAndRepeatedDeliveries(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name                   string
		copies                 func(p *peer, n int) int
		deliveries, duplicates func(all int64) int64
	}{
		{"each third is lost", func(_ *peer, n int) int {
			if n%3 == 0 {
				return 0
			}
			return 1
		}, func(all int64) int64 { return 4 * (all - all/3) }, func(int64) int64 { return 0 }},
		{"pairs change places", nil, func(all int64) int64 { return 4 * all }, func(int64) int64 { return 0 }},
		{"each fifth comes twice", func(_ *peer, n int) int {
			if n%5 == 0 {
				return 2
			}
			return 1
		}, func(all int64) int64 { return 4 * all }, func(all int64) int64 { return 4 * (all / 5) }},
		{"one gets nothing", func(p *peer, n int) int { return min(p.number, 1) },
			func(all int64) int64 { return 3 * all }, func(int64) int64 { return 0 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := fanningDouble(func(d *double) { d.copies = tt.copies })
			if tt.copies == nil {
				var first []byte
				d.answer = func(p *peer, m wsproto.Message) { // one publisher, so one goroutine
					if n := p.seen.Load(); n%2 == 1 && n <= publishes {
						first = slices.Clone(m.Payload)
						return
					}
					d.broadcast(m.Op, m.Payload)
					if first != nil {
						d.broadcast(m.Op, first)
						first = nil
					}
				}
			}
			d.start(t)
			c := shortFanout(d)
			c.Drain = Duration(3 * time.Second) // where something is lost, all of it passes
			c.Warmup = 2                        // message 1 is due in it, and 2 to 21 are measured
			r, sum := mustRun(t, c, Options{})
			expect(t, "published", sum.Published, publishes)
			// The first of all is not measured; no tt loses or repeats it but the last.
			expect(t, "deliveries", sum.Deliveries, tt.deliveries(publishes+1)-tt.deliveries(1))
			expect(t, "duplicates", sum.Duplicates, tt.duplicates(publishes+1))
			if want := float64(sum.Deliveries) / (4 * publishes); r.Report.Fanout.Reach != want {
				t.Errorf("reach %v, want %v", r.Report.Fanout.Reach, want)
			}
			if e := r.Report.Fairness; tt.name == "one gets nothing" && (e.Jain != 0.75 || e.Fewest != 0 || e.Most != publishes) {
				t.Errorf("fairness %+v, want 3/4 by Jain", e)
			}
		})
	}
}

// TestForeignMessagesAreUnmarked: no mark, a broken one, or one of another run.
func TestForeignMessagesAreUnmarked(t *testing.T) {
	t.Parallel()
	foreign := mark{run: 2, key: 1, time: time.Now().UnixNano()}.append(nil) // our own runs are odd
	for _, text := range []string{"", "hello", "roost=", "roost=zz", string(foreign), string(foreign[:len(foreign)-1])} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			d := fanningDouble(nil)
			d.answer = func(p *peer, m wsproto.Message) {
				d.broadcast(ws.OpText, []byte(text)) // before the other one, for which the run waits
				d.broadcast(m.Op, m.Payload)
			}
			d.start(t)
			_, sum := mustRun(t, shortFanout(d), Options{})
			expect(t, "unmarked", sum.Unmarked, 4*sum.Sent)
			expect(t, "deliveries", sum.Deliveries, 4*publishes)
		})
	}
}

func TestPostedPublications(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		text      bool
		status    func(seq int64) int
		published int64
		failed    int64
	}{
		{"binary", false, func(int64) int { return 204 }, 20, 0},
		{"text", true, func(int64) int { return 200 }, 20, 0},
		{"refused", false, func(int64) int { return 503 }, 0, 21},
		{"sometimes refused", false, func(seq int64) int { return 200 + int(seq%3/2)*203 }, 13, 7},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := fanningDouble(nil).start(t)
			var posts atomic.Int64
			types := sync.Map{}
			backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				types.Store(r.Method+" "+r.Header.Get("Content-Type"), true)
				posts.Add(1)
				body, _ := io.ReadAll(r.Body)
				m, _ := findMark(body)
				status := tt.status(int64(m.key))
				if status < 300 {
					d.broadcast(ws.OpText, body)
				}
				w.WriteHeader(status)
			}))
			defer backend.Close()
			c := shortFanout(d)
			c.Drain = Duration(3 * time.Second) // where something is lost, all of it passes
			c.Warmup = 2                        // one message
			c.Fanout.Post = backend.URL + "/publish?x=1"
			want := "POST application/octet-stream"
			if tt.text {
				c.Messages.Type, want = "text", "POST text/plain; charset=utf-8"
			}
			r, sum := mustRun(t, c, Options{})
			expect(t, "posts", posts.Load(), publishes+1)
			expect(t, "sent over WebSockets", sum.Sent, 0)
			expect(t, "opened", sum.Opened, 4)
			expect(t, "failed posts", sum.Failures[report.PublishFailed], tt.failed)
			expect(t, "published", sum.Published, tt.published)
			expect(t, "deliveries", sum.Deliveries, 4*tt.published)
			if tt.published > 0 && r.Report.Fanout.Reach != 1 {
				t.Errorf("reach %v", r.Report.Fanout.Reach)
			}
			types.Range(func(k, _ any) bool {
				if k != want {
					t.Errorf("%v, want %s", k, want)
				}
				return true
			})
			if tt.failed > 0 && !strings.Contains(sum.Examples[report.PublishFailed], fmt.Sprint(tt.status(2))) {
				t.Errorf("the example is %q", sum.Examples[report.PublishFailed])
			}
		})
	}
}

// TestPostsAreBounded: no more than maxPosts requests are under way, and what is due
// meanwhile is unsent, as is what has no answer by the end.
func TestPostsAreBounded(t *testing.T) {
	t.Parallel()
	for _, due := range []int64{maxPosts, maxPosts + 1, 2 * maxPosts} {
		t.Run(strconv.FormatInt(due, 10), func(t *testing.T) {
			t.Parallel()
			d := fanningDouble(nil).start(t)
			held := make(chan struct{})
			var posts atomic.Int64
			backend := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
				posts.Add(1)
				<-held
			}))
			c := shortFanout(d)
			c.Warmup, c.Fanout.Rate, c.Fanout.Post = 2, 1000, backend.URL
			c.Duration = Duration(due-1)*Duration(time.Millisecond) + Duration(time.Millisecond/2)
			c.Drain = Duration(2 * time.Second) // all of it passes: the posts are held
			_, sum := mustRun(t, c, Options{})
			close(held)
			backend.Close()
			expect(t, "posts", posts.Load(), min(due, maxPosts))
			expect(t, "unsent", sum.Unsent, due-1) // the first is of the warm-up
			expect(t, "published", sum.Published, 0)
		})
	}
}

// TestSkewIsFromTheFirstToTheLast: the double serves one receiver later than the others.
func TestSkewIsFromTheFirstToTheLast(t *testing.T) {
	t.Parallel()
	const later = 30 * time.Millisecond
	d := fanningDouble(func(d *double) {
		d.delay = func(p *peer) time.Duration { return later * time.Duration(p.number/3%2) }
	}).start(t)
	c := shortFanout(d)
	c.Fanout.Rate = 20 // every 50 ms, so that nothing queues up behind the delay
	c.Duration = Duration(200 * time.Millisecond)
	r, sum := mustRun(t, c, Options{})
	expect(t, "deliveries", sum.Deliveries, 4*sum.Published)
	f := r.Report.Fanout
	if f.Skew == nil || f.Skew.Count != sum.Published || f.Skew.Max < later.Seconds()*1e6*0.9 {
		t.Fatalf("skew %+v, want about %v", f.Skew, later)
	}
	if e := r.Report.Fairness; e.Jain != 1 || e.Means.Max < later.Seconds()*1e6*0.99 || e.Means.Min >= e.Means.Max {
		t.Errorf("fairness %+v, means %+v", e, e.Means)
	}
}

// TestAServerThatDoesNotReadPublications leaves them unsent, once maxUnwritten bytes wait.
func TestAServerThatDoesNotReadPublications(t *testing.T) {
	t.Parallel()
	d := fanningDouble(func(d *double) {
		d.deaf = func(p *peer) bool { return p.request.Path() == "/publish" }
	}).start(t)
	c := shortFanout(d)
	c.Fanout.PublishTo, c.Messages.Size = c.Targets[0]+"publish", "2097152"
	c.Warmup, c.Drain = 2, Duration(2*time.Second)
	_, sum := mustRun(t, c, Options{})
	expect(t, "due", sum.Published+sum.Unsent, publishes)
	expect(t, "deliveries", sum.Deliveries, 0)
	if sum.Published < 2 || sum.Unsent == 0 {
		t.Errorf("%d published, %d unsent", sum.Published, sum.Unsent)
	}
}

// TestAPublisherThatIsLost leaves what it was to publish unsent.
func TestAPublisherThatIsLost(t *testing.T) {
	t.Parallel()
	d := fanningDouble(nil)
	d.answer = func(p *peer, m wsproto.Message) {
		d.broadcast(m.Op, m.Payload)
		if p.seen.Load() == 5 {
			p.close(ws.StatusInternalServerError)
		}
	}
	d.start(t)
	c := shortFanout(d)
	c.Drain = Duration(3 * time.Second) // where something is lost, all of it passes
	c.Warmup, c.Fanout.Rate = 2, 10
	c.Duration = Duration(1999 * time.Millisecond) // long, so that a starved double has closed before its end
	_, sum := mustRun(t, c, Options{})
	expectFailures(t, sum, map[string]int64{report.ClosedWith(1011): 1})
	expect(t, "due", sum.Published+sum.Unsent, 19)
	if sum.Unsent == 0 {
		t.Errorf("%d published by a publisher that is gone", sum.Published)
	}
}
