package bench

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/roostws/roost/bench/report"
)

func TestCompareClocks(t *testing.T) {
	const away = int64(5 * time.Second)
	for _, ahead := range []int64{away, -away, 0} {
		// Of eight round trips the third is the shortest: 1 ms there, 3 ms back.
		ways := [][2]int64{{50, 9}, {9, 50}, {1, 3}, {10, 10}, {1, 4}, {30, 30}, {4, 1}, {100, 0}}
		now, round := int64(1e18), 0
		ours := func() int64 { return now }
		got, bound, err := compareClocks(t.Context(), ours, func(context.Context) (int64, error) {
			now += ways[round][0] * int64(time.Millisecond)
			theirs := now - ahead
			now += ways[round][1] * int64(time.Millisecond)
			round++
			return theirs, nil
		})
		if off := (got - time.Duration(ahead)).Abs(); err != nil || round != clockRounds || bound != 2*time.Millisecond || off != time.Millisecond {
			t.Errorf("ahead by %v: %v, give or take %v, after %d rounds, %v", ahead, got, bound, round, err)
		}
	}
	broken := errors.New("broken")
	if _, _, err := compareClocks(t.Context(), func() int64 { return 0 }, func(context.Context) (int64, error) { return 0, broken }); err != broken {
		t.Errorf("error %v", err)
	}
}

// TestWorkersShowOurTime has a machine whose clock is 5 s behind ours. What its worker
// adds makes the clocks agree.
func TestWorkersShowOurTime(t *testing.T) {
	const behind = 5 * time.Second
	theirs := func() time.Time { return time.Now().Add(-behind) }
	var sent time.Duration
	at := pretend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/clock" {
			_ = json.NewEncoder(w).Encode(reading{agentProtocol, theirs().UnixNano()})
			return
		}
		var o order
		if err := json.NewDecoder(r.Body).Decode(&o); err != nil {
			t.Error(err)
		}
		sent = time.Duration(o.Ahead)
		http.Error(w, "enough", http.StatusBadRequest)
	})
	sites, err := agentSites(t.Context(), []string{at}, "")
	if err != nil {
		t.Fatal(err)
	}
	defer closeSites(sites)
	if _, err := sites[0].start(t.Context(), assignment{}); err == nil {
		t.Fatal("it starts")
	}
	bound := sites[0].skew()
	if off := (sent - behind).Abs(); bound <= 0 || off > bound {
		t.Errorf("a clock that is %v behind: ours is said to be ahead by %v, give or take %v", behind, sent, bound)
	}
	// newClock on that machine would begin with its own time.
	c := newClock(sent)
	if shown := time.Duration(c.unix - c.base.UnixNano()); shown != sent {
		t.Errorf("a worker shows its time and %v, want %v", shown, sent)
	}
}

// TestSecondsCountFromTheCoordinatorsStart has a worker that comes late.
func TestSecondsCountFromTheCoordinatorsStart(t *testing.T) {
	d := (&double{}).start(t)
	o := anOrder(t, d)
	o.Start -= int64(3 * time.Second)
	at := anAgent(t)
	answer := request(t.Context(), t, "POST", "http://"+at+"/runs", o)
	expectAnswer(t, request(t.Context(), t, "POST", "http://"+at+"/runs/7/stop", instant{time.Now().UnixNano()}), 200, "")
	second := 0
	for _, e := range readAll(t, answer) {
		if e.Interval == nil {
			continue
		}
		if e.Interval.Opened > 0 && e.Interval.Second < 3 {
			t.Errorf("connections open in second %d of the run", e.Interval.Second)
		}
		if e.Interval.Phase == report.Ramp {
			if e.Interval.Second != second {
				t.Errorf("second %d comes after %d", e.Interval.Second, second-1)
			}
			second++
		}
	}
	if second < 4 {
		t.Errorf("the ramp has %d seconds", second)
	}
}
