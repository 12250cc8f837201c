package bench

import (
	"testing"
	"time"
)

// lateLoops is this process as a worker whose loops get no time from before the warm-up to
// the end of the measure phase.
type lateLoops struct {
	local
	lasts time.Duration // both phases
}

func (s *lateLoops) begin(at int64) error {
	for _, l := range s.w.loops {
		l.post(func() { <-time.After(time.Duration(at + int64(s.lasts) - l.clock.now())) })
	}
	return s.local.begin(at)
}

// TestLateWavesAreMade in the drain phase: those that were due before it, and no more.
func TestLateWavesAreMade(t *testing.T) {
	t.Parallel()
	d := (&double{}).start(t)
	c := short(d, Storm)
	c.Conns, c.Storm.Waves, c.Storm.Every = 4, 3, Duration(100*time.Millisecond)
	c.Duration = 2 * c.Storm.Every // the third is due at its end
	c, err := c.complete()
	if err != nil {
		t.Fatal(err)
	}
	r, err := newRun(c, Options{}, []site{&lateLoops{lasts: time.Duration(c.Warmup + c.Duration)}})
	if err != nil {
		t.Fatal(err)
	}
	result, err := r.carryOut(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sum := total(result)
	checkBalance(t, sum)
	if len(sum.Waves) != 2 {
		t.Fatalf("waves: %+v", sum.Waves)
	}
	expect(t, "clients of the first", sum.Waves[0].Clients, 4)
	if w := sum.Waves[1]; w.Clients != 4 || w.Back != 4 {
		t.Errorf("the last wave: %+v", w)
	}
}
