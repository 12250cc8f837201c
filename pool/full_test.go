package pool

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

func TestFullAndResume(t *testing.T) {
	tests := []struct {
		name    string
		bound   int
		weights []int
		full    string // one letter per Submit: F if it said full
		resumed string // one letter per task: R if its Resume was called
	}{
		{"one below the bound", 100, []int{50, 49}, "..", ".."},
		{"at the bound", 100, []int{50, 50}, ".F", ".R"}, // 50 left is not below half
		{"below half", 100, []int{51, 49}, ".F", "R."},
		{"past the bound", 100, []int{99, 1000}, ".F", ".R"},
		{"one heavy task", 100, []int{1000}, "F", "R"},
		{"stays full", 100, []int{100, 0, 1}, "FFF", "R.."},
		{"in tens", 100, []int{10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10}, ".........FF", "......R...."},
		{"bound of one", 1, []int{0, 1, 1}, ".FF", "..R"},
		{"weightless", 1, []int{0, 0, 0}, "...", "..."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := open(t, Config{Workers: 1, MailboxBytes: tt.bound})
			let := occupy(p, 1)
			var box Mailbox
			var full string
			resumed := make([]byte, len(tt.weights))
			for i, weight := range tt.weights {
				resumed[i] = '.'
				task := &step{run: func() {
					if resumed[i] == 'r' {
						resumed[i] = 'R'
					}
				}, resume: func() { resumed[i] = 'r' }} // r only if Run did not follow
				if p.Submit(&box, task, weight) {
					full += "F"
				} else {
					full += "."
				}
			}
			let()
			p.Close()
			if full != tt.full || string(resumed) != tt.resumed {
				t.Errorf("full %s, resumed %s, want %s and %s", full, resumed, tt.full, tt.resumed)
			}
		})
	}
}

// TestFullUntilResumed: between half and the bound the mailbox is full for
// everybody as long as it was reported so.
func TestFullUntilResumed(t *testing.T) {
	p := open(t, Config{Workers: 1, MailboxBytes: 100})
	let := occupy(p, 1)
	var box Mailbox
	begun, gate, resumed := make(chan struct{}), make(chan struct{}), false
	p.Submit(&box, do(func() { close(begun); <-gate }), 50)
	p.Submit(&box, &step{run: func() {}, resume: func() { resumed = true }}, 50)
	let()
	<-begun
	if !p.Submit(&box, do(func() {}), 1) { // 51 wait
		t.Error("Submit says not full, want full until Resume")
	}
	close(gate)
	p.Close()
	if !resumed {
		t.Error("no Resume")
	}
}

// feeder submits to its mailbox until that is full, and goes on when told.
type feeder struct {
	Link
	resumed chan<- struct{}
	ran     *atomic.Int64
}

func (f *feeder) Run()    { f.ran.Add(1) }
func (f *feeder) Resume() { f.resumed <- struct{}{} }

// TestNoLostResume hangs if one is lost; a second one for the same filling finds
// no room in the channel and hangs too.
func TestNoLostResume(t *testing.T) {
	for _, bound := range []int{1, 2, 3, 10} {
		t.Run(fmt.Sprintf("bound=%d", bound), func(t *testing.T) {
			const feeders, tasks = 4, 3000
			p := open(t, Config{Workers: 2, MailboxBytes: bound})
			var ran, fillings, resumes atomic.Int64
			var all sync.WaitGroup
			for range feeders {
				all.Go(func() {
					var box Mailbox
					resumed := make(chan struct{}) // not buffered: each is met by one filling
					for n := range tasks {
						f := &feeder{resumed: resumed, ran: &ran}
						if p.Submit(&box, f, n%3) {
							fillings.Add(1)
							<-resumed
							resumes.Add(1)
						}
					}
				})
			}
			all.Wait()
			p.Close()
			if ran.Load() != feeders*tasks || fillings.Load() == 0 || fillings.Load() != resumes.Load() {
				t.Errorf("%d tasks ran, %d fillings, %d resumes; want %d tasks, as many resumes as fillings, some",
					ran.Load(), fillings.Load(), resumes.Load(), feeders*tasks)
			}
		})
	}
}

// TestResumeForEveryFeeder: whoever was told full sees a Resume afterwards, also
// when several feed one mailbox. One that stopped waits for the count to move.
func TestResumeForEveryFeeder(t *testing.T) {
	p := open(t, Config{Workers: 2, MailboxBytes: 4})
	var box Mailbox
	var mu sync.Mutex
	moved := sync.NewCond(&mu)
	resumes := 0
	resume := func() {
		mu.Lock()
		resumes++
		mu.Unlock()
		moved.Broadcast()
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 2000 {
				mu.Lock()
				before := resumes
				mu.Unlock()
				if p.Submit(&box, &step{run: func() {}, resume: resume}, 1) {
					mu.Lock()
					for resumes == before {
						moved.Wait()
					}
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
}
