package server

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestWheelFiresEachSlotAtItsTickAndNotBefore(t *testing.T) {
	var w wheel
	due := map[uint32]uint32{0: 1, 1: 2, 2: 2, 3: wheelSize, 4: wheelSize + 2, 5: 3*wheelSize + 2, timerPage + 7: 5}
	for slot, tick := range due {
		w.set(slot, tick)
	}
	for now := uint32(1); len(due) > 0 && now < 4*wheelSize; now++ {
		for _, slot := range w.advance(now, nil) {
			if due[slot] != now {
				t.Errorf("slot %d fired at %d, want %d", slot, now, due[slot])
			}
			delete(due, slot)
		}
	}
	if len(due) > 0 {
		t.Errorf("never fired: %v", due)
	}
	if _, ok := w.wait(0); ok {
		t.Error("an empty wheel says that something is armed")
	}
}

func TestWheelFiresAllThatALongSleepHasMissed(t *testing.T) {
	var w wheel
	for slot := range uint32(5000) {
		w.set(slot, 1+slot%(2*wheelSize))
	}
	fired := w.advance(10*wheelSize, nil)
	slices.Sort(fired)
	if len(fired) != 5000 || fired[0] != 0 || fired[4999] != 4999 {
		t.Errorf("%d slots fired, want 5000", len(fired))
	}
}

func TestWheelMovesAndClearsDeadlines(t *testing.T) {
	var w wheel
	w.set(1, 10)
	w.set(2, 10)
	w.set(3, 10)
	w.set(2, 20)   // later
	w.sooner(3, 5) // earlier
	w.sooner(1, 15)
	w.clear(99999)
	if got := w.advance(5, nil); !slices.Equal(got, []uint32{3}) {
		t.Errorf("at 5: %v, want [3]", got)
	}
	if got := w.advance(10, nil); !slices.Equal(got, []uint32{1}) {
		t.Errorf("at 10: %v, want [1]", got)
	}
	w.clear(2)
	if got := w.advance(100, nil); len(got) != 0 {
		t.Errorf("a cleared slot fired: %v", got)
	}
	w.set(4, 7) // over already
	if got := w.advance(101, nil); !slices.Equal(got, []uint32{4}) {
		t.Errorf("at 101: %v, want [4]: a tick that is over fires at the next advance", got)
	}
}

func TestWheelWaitIsNeverTooLong(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var w wheel
	due := map[uint32]uint32{}
	now := uint32(0)
	for range 20000 {
		slot := rng.Uint32N(300)
		switch rng.Uint32N(3) {
		case 0:
			at := now + 1 + rng.Uint32N(3*wheelSize)
			w.set(slot, at)
			due[slot] = at
		case 1:
			w.clear(slot)
			delete(due, slot)
		default:
			wait, ok := w.wait(now)
			if ok != (len(due) > 0) {
				t.Fatalf("wait says armed %v with %d deadlines", ok, len(due))
			}
			for s, at := range due {
				if now+wait > at {
					t.Fatalf("at %d wait is %d, but slot %d is due at %d", now, wait, s, at)
				}
			}
			now += 1 + rng.Uint32N(200)
			for _, s := range w.advance(now, nil) {
				if at, ok := due[s]; !ok || at > now {
					t.Fatalf("slot %d fired at %d, due %d", s, now, at)
				}
				delete(due, s)
			}
			for s, at := range due {
				if at <= now {
					t.Fatalf("slot %d is due at %d and did not fire by %d", s, at, now)
				}
			}
		}
	}
}

func TestWheelSurvivesTheWrapOfItsTicks(t *testing.T) {
	var w wheel
	w.advance(1<<32-3, nil)
	w.set(1, 1<<32-1)
	w.set(2, 4) // seven ticks on
	if got := w.advance(1<<32-1, nil); !slices.Equal(got, []uint32{1}) {
		t.Errorf("before the wrap: %v, want [1]", got)
	}
	if got := w.advance(3, nil); len(got) != 0 {
		t.Errorf("fired early: %v", got)
	}
	if got := w.advance(4, nil); !slices.Equal(got, []uint32{2}) {
		t.Errorf("after the wrap: %v, want [2]", got)
	}
}

func TestTicksAreRoundedUp(t *testing.T) {
	for d, want := range map[time.Duration]uint32{0: 1, 1: 1, tick: 1, tick + 1: 2, time.Second: 20} {
		if got := ticks(d); got != want {
			t.Errorf("ticks(%v) = %d, want %d", d, got, want)
		}
	}
}

func BenchmarkWheelSetAndMove(b *testing.B) {
	var w wheel
	for i := 0; b.Loop(); i++ {
		w.set(uint32(i)%100000, w.now+1+uint32(i)%500)
	}
}
