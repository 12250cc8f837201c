package bench

import (
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/bench/report"
	"github.com/roostws/roost/wsproto"
)

// update is a message of the feed protocol on channel "a".
func update(seq, prev int) string { return updateOf("a", seq, prev) }

func updateOf(channel string, seq, prev int) string {
	return fmt.Sprintf(`{"ch":%q,"type":"update","seq":%d,"prev":%d,"ts":%d}`, channel, seq, prev, time.Now().UnixMilli())
}

func snapshot(seq int) string {
	return fmt.Sprintf(`{"ch":"a","type":"snapshot","seq":%d,"prev":0,"ts":1}`, seq)
}

// feedCounts is what a script makes one subscriber count.
type feedCounts struct{ snapshots, updates, gaps, repeats, unmarked, refused int64 }

func TestFeedChecksTheChain(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		script []string
		want   feedCounts
	}{
		{"in order", []string{snapshot(0), update(1, 0), update(2, 1)}, feedCounts{snapshots: 1, updates: 2}},
		{"from the middle", []string{snapshot(7), update(8, 7)}, feedCounts{snapshots: 1, updates: 1}},
		{"conflated", []string{snapshot(7), update(12, 7)}, feedCounts{snapshots: 1, updates: 1}},
		{"a gap", []string{snapshot(0), update(1, 0), update(3, 2), update(4, 3)}, feedCounts{snapshots: 1, updates: 3, gaps: 1}},
		{"a repeat", []string{snapshot(0), update(1, 0), update(1, 0)}, feedCounts{snapshots: 1, updates: 2, gaps: 1, repeats: 1}},
		{"a repeat in the chain", []string{snapshot(4), update(4, 4)}, feedCounts{snapshots: 1, updates: 1, repeats: 1}},
		{"backwards", []string{snapshot(5), update(3, 5)}, feedCounts{snapshots: 1, updates: 1, repeats: 1}},
		{"no snapshot", []string{update(1, 0)}, feedCounts{updates: 1, gaps: 1}},
		{"a second snapshot", []string{snapshot(0), update(1, 0), snapshot(5), update(6, 5)}, feedCounts{snapshots: 2, updates: 2}},
		{"channels apart", []string{snapshot(0), `{"ch":"b","type":"snapshot","seq":9}`, update(1, 0), updateOf("b", 10, 9)},
			feedCounts{snapshots: 2, updates: 2}},
		{"heartbeat", []string{snapshot(0), update(1, 0), `{"type":"heartbeat","seqs":{"a":1}}`, update(2, 1)}, feedCounts{snapshots: 1, updates: 2}},
		{"heartbeat tells of a gap", []string{snapshot(0), `{"type":"heartbeat","seqs":{"a":1}}`, update(2, 1)}, feedCounts{snapshots: 1, updates: 1, gaps: 1}},
		{"heartbeat of an unknown channel", []string{snapshot(0), `{"type":"heartbeat","seqs":{"b":1}}`}, feedCounts{snapshots: 1}},
		{"a heartbeat without seqs", []string{snapshot(0), `{"type":"heartbeat"}`}, feedCounts{snapshots: 1}},
		{"granted", []string{`{"type":"reply","op":"subscribe","ok":true}`}, feedCounts{}},
		{"refused", []string{`{"type":"reply","op":"subscribe","ok":false,"error":{"code":"x"}}`}, feedCounts{refused: 1}},
		{"unknown type", []string{`{"type":"new"}`}, feedCounts{}},
		{"no JSON", []string{"hello", "", "[1]", "7"}, feedCounts{unmarked: 4}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := &double{answer: func(p *peer, m wsproto.Message) {
				for _, text := range tt.script {
					p.send(ws.OpText, []byte(text))
				}
			}}
			d.start(t)
			c := short(d, Feed)
			c.Drain = Duration(100 * time.Millisecond) // all of it passes: nothing comes any more
			o := until(&c, func(sum *report.Interval) bool { return sum.Received >= 2*int64(len(tt.script)) })
			_, sum := mustRun(t, c, o)
			want := feedCounts{2 * tt.want.snapshots, 2 * tt.want.updates, 2 * tt.want.gaps, 2 * tt.want.repeats, 2 * tt.want.unmarked, 2 * tt.want.refused}
			got := feedCounts{sum.Snapshots, sum.Updates, sum.Gaps, sum.Repeats, sum.Unmarked, sum.Failures[report.SubscribeRefused]}
			if got != want {
				t.Errorf("two clients counted %+v, want %+v", got, want)
			}
			expect(t, "sent", sum.Sent, 2)
			expect(t, "received", sum.Received, 2*int64(len(tt.script)))
		})
	}
}

func TestFeedSubscribes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		channels []string
		want     string
	}{
		{nil, `["ticker:*"]`},
		{[]string{"ticker:A", `quoted:"`}, `["ticker:A","quoted:\""]`},
	} {
		var request atomic.Value
		d := &double{answer: func(p *peer, m wsproto.Message) { request.Store(string(m.Payload)) }}
		d.start(t)
		c := short(d, Feed)
		c.Feed.Channels = tt.channels
		c.Drain = Duration(500 * time.Millisecond) // all of it passes: nothing is answered
		mustRun(t, c, Options{})
		var got struct {
			Op       string
			Channels json.RawMessage
		}
		text, _ := request.Load().(string)
		if err := json.Unmarshal([]byte(text), &got); err != nil || got.Op != "subscribe" || string(got.Channels) != tt.want {
			t.Errorf("the request was %q (%v)", text, err)
		}
	}
}

// TestFeedMeasuresFromThePublication: the double dates updates back.
func TestFeedMeasuresFromThePublication(t *testing.T) {
	t.Parallel()
	const age = 50 * time.Millisecond
	d := &double{answer: func(p *peer, m wsproto.Message) {}}
	d.start(t)
	d.tasks.Go(func() {
		ticker := time.NewTicker(5 * time.Millisecond)
		defer ticker.Stop()
		for seq := 1; ; seq++ {
			select {
			case at := <-ticker.C:
				d.broadcast(ws.OpText, fmt.Appendf(nil, `{"ch":"a","type":"update","seq":%d,"prev":%d,"ts":%d}`, seq, seq-1, at.Add(-age).UnixMilli()))
			case <-d.done:
				return
			}
		}
	})
	c := short(d, Feed)
	c.Duration = Duration(3 * time.Second)
	r, sum := mustRun(t, c, Options{})
	if sum.Latency == nil || sum.Latency.Min() < age-age/1000 {
		t.Fatalf("updates of %v ago have latencies from %v on", age, sum.Latency.Min())
	}
	expect(t, "deliveries", sum.Deliveries, sum.Latency.Count())
	if r.Report.Feed.Subscribers != 2 || r.Report.Fairness == nil || r.Report.Fairness.Receivers != 2 {
		t.Errorf("feed %+v, fairness %+v", r.Report.Feed, r.Report.Fairness)
	}
	if sum.Gaps > 2 { // each subscriber came in the middle
		t.Errorf("%d gaps", sum.Gaps)
	}
}
