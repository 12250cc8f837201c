package bench

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// TestTheServersOwnStamp: the double publishes by itself, and dates its messages back,
// so that none can have a latency below that.
func TestTheServersOwnStamp(t *testing.T) {
	t.Parallel()
	const age = 40 * time.Millisecond
	for _, tt := range []struct {
		stamp string
		unit  time.Duration // of what the stamp can say
		make  func(at time.Time) []byte
	}{
		{"json:t", time.Millisecond, func(at time.Time) []byte { return fmt.Appendf(nil, `{"t":%d}`, at.UnixMilli()) }},
		{"json:a.1.t,ms", time.Millisecond, func(at time.Time) []byte { return fmt.Appendf(nil, `{"a":[0,{"t":"%d"}]}`, at.UnixMilli()) }},
		{"json:t", 1, func(at time.Time) []byte { return fmt.Appendf(nil, `{"t":%q}`, at.Format(time.RFC3339Nano)) }},
		{"json:t,ns", 1, func(at time.Time) []byte { return fmt.Appendf(nil, `{"t":%d}`, at.UnixNano()) }},
		{"int64le:2", 1, func(at time.Time) []byte {
			return binary.LittleEndian.AppendUint64([]byte{1, 2}, uint64(at.UnixNano()))
		}},
		{"int64be:0,us", time.Microsecond, func(at time.Time) []byte { return binary.BigEndian.AppendUint64(nil, uint64(at.UnixMicro())) }},
	} {
		t.Run(tt.stamp, func(t *testing.T) {
			t.Parallel()
			d := (&double{}).start(t)
			var mu sync.Mutex
			stamps := map[int64]int64{} // how often each was sent
			d.tasks.Go(func() {
				for ticker := time.NewTicker(10 * time.Millisecond); ; {
					select {
					case <-ticker.C:
					case <-d.done:
						ticker.Stop()
						return
					}
					at := time.Now().Add(-age)
					mu.Lock()
					stamps[at.UnixNano()/int64(tt.unit)]++
					mu.Unlock()
					d.broadcast(ws.OpBinary, tt.make(at))
					d.broadcast(ws.OpText, []byte("no stamp"))
				}
			})
			c := shortFanout(d)
			c.Warmup, c.Duration, c.Fanout.Stamp = Duration(100*time.Millisecond), Duration(time.Second), tt.stamp
			r, sum := mustRun(t, c, Options{})
			// A loaded machine may give the double no time in the second that is measured.
			for more := 4; more > 0 && len(sum.Messages) == 0; more-- {
				r, sum = mustRun(t, c, Options{})
			}
			if len(sum.Messages) == 0 || sum.Unmarked == 0 {
				t.Fatalf("%d messages followed, %d without a stamp", len(sum.Messages), sum.Unmarked)
			}
			mu.Lock()
			defer mu.Unlock()
			deliveries, whole := int64(0), 0
			reach := 1.0
			for _, key := range slices.Sorted(maps.Keys(sum.Messages)) {
				m, times := sum.Messages[key], stamps[int64(key)/int64(tt.unit)]
				// A run ends a second after the newest message, and on a loaded machine the double may be
				// later than that: then what is missing is the end of what each of its peers was sent.
				if got := float64(m.Count) / float64(4*times); times == 0 || got > reach {
					t.Errorf("stamp %d was sent %d times and received %d times", key, times, m.Count)
				} else {
					reach = got
				}
				if reach == 1 {
					whole++
				}
				deliveries += m.Count
			}
			if whole == 0 {
				t.Errorf("no message of %d reached everybody", len(sum.Messages))
			}
			expect(t, "deliveries", sum.Deliveries, deliveries)
			expect(t, "published, the report says", r.Report.Fanout.Published, int64(len(sum.Messages)))
			// The double's clock is the wall's, which may be slewed meanwhile.
			if sum.Latency.Min() < age-age/8 {
				t.Errorf("a latency of %v, and every message was %v old when it was sent", sum.Latency.Min(), age)
			}
			expect(t, "sent", sum.Sent, 0)
			if sum.Slip != nil {
				t.Error("there is slip without a schedule")
			}
		})
	}
}
