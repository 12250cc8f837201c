package pool

import (
	"runtime/debug"
	"slices"
	"testing"
)

// underRace tells whether the race detector is on: it makes sync.Pool forget
// things at random, so that allocations cannot be counted.
func underRace(t *testing.T) bool {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		t.Fatal("the test binary has no build information")
	}
	return slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

func TestNoAllocations(t *testing.T) {
	if underRace(t) {
		t.Skip("allocations are not counted under the race detector")
	}
	p := open(t, Config{Workers: 2, MailboxBytes: 100})
	done := make(chan struct{}, 1)
	left := 0
	boxes := make([]Mailbox, 50)
	tasks := make([]step, 2*len(boxes))
	for i := range tasks {
		tasks[i].run = func() {
			if left--; left == 0 {
				done <- struct{}{}
			}
		}
	}
	burst := func() { // fills and resumes each mailbox
		left = len(tasks)
		for i := range tasks {
			p.Submit(&boxes[i/2], &tasks[i], 60)
		}
		<-done
	}
	// AllocsPerRun leaves one processor, so that the workers take turns.
	if n := testing.AllocsPerRun(100, burst); n != 0 {
		t.Errorf("%v allocations for %d tasks, want 0", n, len(tasks))
	}
	for _, size := range []int{0, 64, 65, 1 << 20, 1<<20 + 10, 4 << 20} {
		if n := testing.AllocsPerRun(100, func() { Get(size).Release() }); n != 0 {
			t.Errorf("%v allocations for Get(%d) and Release, want 0", n, size)
		}
	}
}
