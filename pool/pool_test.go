package pool

import (
	"sync/atomic"
	"testing"
)

// step is a task that calls functions.
type step struct {
	Link
	run, resume func()
}

func (s *step) Run() { s.run() }
func (s *step) Resume() {
	if s.resume != nil {
		s.resume()
	}
}

// open returns a pool that the end of the test closes.
func open(t testing.TB, c Config) *Pool {
	t.Helper()
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func TestCloseWaitsForAll(t *testing.T) {
	p := open(t, Config{Workers: 3})
	var ran atomic.Int32
	boxes := make([]Mailbox, 100)
	for round := range 10 {
		for i := range boxes {
			p.Submit(&boxes[i], &step{run: func() {
				ran.Add(1)
				if round == 9 { // tasks submit tasks
					p.Submit(&boxes[i], &step{run: func() { ran.Add(1) }}, 0)
				}
			}}, 1)
		}
	}
	p.Close()
	if got := ran.Load(); got != 1100 {
		t.Errorf("%d tasks had run when Close returned, want 1100", got)
	}
}
