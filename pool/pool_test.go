package pool

import (
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"
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

func do(run func()) *step { return &step{run: run} }

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

// occupy makes n workers of p wait until the function it returns is called.
func occupy(p *Pool, n int) (let func()) {
	gate := make(chan struct{})
	var inside sync.WaitGroup
	boxes := make([]Mailbox, n)
	inside.Add(n)
	for i := range boxes {
		p.Submit(&boxes[i], do(func() {
			inside.Done()
			<-gate
		}), 0)
	}
	inside.Wait()
	return sync.OnceFunc(func() { close(gate) })
}

func panics(t *testing.T, want string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if s, _ := recover().(string); !strings.Contains(s, want) {
			t.Errorf("panic %q, want one that says %q", s, want)
		}
	}()
	f()
}

func TestMailboxIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(Mailbox{}); n > 16 {
		t.Errorf("a Mailbox takes %d bytes, want 16 at most: every connection has one", n)
	}
}

func TestAllWorkersStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const workers, mailboxes, rounds = 2, 1000, 3
		p := open(t, Config{Workers: workers})
		let := occupy(p, workers)

		var ran atomic.Int64
		boxes := make([]Mailbox, mailboxes)
		for range rounds {
			for i := range boxes {
				p.Submit(&boxes[i], do(func() { ran.Add(1) }), 1)
			}
		}
		synctest.Wait()
		want := Stats{Workers: workers, Ready: mailboxes} // each once, though it holds three tasks
		if got := p.Stats(); got != want {
			t.Errorf("while stuck: %+v, want %+v", got, want)
		}
		let()
		synctest.Wait()
		if got := ran.Load(); got != mailboxes*rounds {
			t.Errorf("%d tasks ran, want %d", got, mailboxes*rounds)
		}
		want = Stats{Tasks: workers + mailboxes*rounds}
		if got := p.Stats(); got != want {
			t.Errorf("at rest: %+v, want %+v", got, want)
		}
	})
}

func TestWorkersBoundIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const workers = 5
		p := open(t, Config{Workers: workers})
		gate := make(chan struct{})
		var inside, most atomic.Int64
		boxes := make([]Mailbox, 10*workers)
		for i := range boxes {
			p.Submit(&boxes[i], do(func() {
				most.Store(max(most.Load(), inside.Add(1)))
				<-gate
				inside.Add(-1)
			}), 0)
		}
		for left := len(boxes); left > 0; left-- {
			synctest.Wait()
			want := min(workers, left)
			if got := p.Stats().Workers; got != want || inside.Load() != int64(want) {
				t.Fatalf("%d mailboxes left: %d workers, %d tasks inside, want %d", left, got, inside.Load(), want)
			}
			gate <- struct{}{}
		}
		if most.Load() > workers {
			t.Errorf("%d tasks ran at once, want %d at most", most.Load(), workers)
		}
	})
}

func TestBlockedTaskHoldsUpNobodyElse(t *testing.T) {
	p := open(t, Config{Workers: 2})
	var box Mailbox
	gate, behind := make(chan struct{}), make(chan struct{})
	var others sync.WaitGroup
	boxes := make([]Mailbox, 100)
	p.Submit(&box, do(func() { <-gate }), 0)
	p.Submit(&box, do(func() { close(behind) }), 0)
	others.Add(len(boxes))
	for i := range boxes { // most stand behind box in the queue
		p.Submit(&boxes[i], do(others.Done), 0)
	}
	others.Wait()
	select {
	case <-behind:
		t.Error("a task ran before the one before it in its mailbox had ended")
	default:
	}
	close(gate)
	<-behind
}

func TestBusyMailboxTakesTurns(t *testing.T) {
	p := open(t, Config{Workers: 1})
	let := occupy(p, 1)
	var busy, other Mailbox
	var order strings.Builder
	again := 3
	var greedy func()
	greedy = func() {
		order.WriteByte('b')
		if again--; again > 0 {
			p.Submit(&busy, do(greedy), 0)
			p.Submit(&busy, do(func() { order.WriteByte('b') }), 0)
			p.Submit(&other, do(func() { order.WriteByte('o') }), 0)
		}
	}
	p.Submit(&busy, do(greedy), 0)
	let()
	p.Close()
	if got, want := order.String(), "bobbobb"; got != want {
		t.Errorf("the busy and the other mailbox ran %s, want %s", got, want)
	}
}

func TestMailboxesRunInTheOrderTheyCameIn(t *testing.T) {
	p := open(t, Config{Workers: 1})
	let := occupy(p, 1)
	var order strings.Builder
	boxes := make([]Mailbox, 26)
	var visit func(i int)
	visit = func(i int) {
		p.Submit(&boxes[i], do(func() {
			order.WriteByte('a' + byte(i))
			if i%2 == 0 && i+3 < len(boxes) { // later ones come while earlier ones wait
				visit(i + 3)
			}
		}), 0)
	}
	for i := range 4 {
		visit(i)
	}
	let()
	p.Close()
	if got, want := order.String(), "abcddf"; got != want {
		t.Errorf("mailboxes ran in the order %q, want %q", got, want)
	}
}

// TestEndingWorkerLooksAgain stands where no scheduling can be made to stand: a
// worker has seen an empty queue and is still on the count when work comes.
func TestEndingWorkerLooksAgain(t *testing.T) {
	p := open(t, Config{Workers: 1})
	p.state.Store(oneWorker) // the test is the worker
	var box Mailbox
	ran := false
	p.Submit(&box, do(func() { ran = true }), 0)
	if got, want := p.Stats(), (Stats{Workers: 1, Ready: 1}); got != want {
		t.Fatalf("%+v, want %+v: the bound is reached", got, want)
	}
	if p.end() {
		t.Fatal("the worker ended and left a mailbox behind")
	}
	p.serve(nil, nil, 0)
	if got := p.Stats(); !ran || got.Workers != 0 {
		t.Errorf("ran %v, %+v, want it to run and no worker", ran, got)
	}
}

// TestWakeAtTheLastMoment submits as soon as the task before has begun, when its
// worker is about to end. A lost mailbox shows as a hang.
func TestWakeAtTheLastMoment(t *testing.T) {
	for _, workers := range []int{1, 2} {
		p := open(t, Config{Workers: workers})
		var ran atomic.Int64
		var box Mailbox
		tasks := make([]step, 5000)
		for i := range tasks {
			tasks[i].run = func() { ran.Add(1) }
			p.Submit(&box, &tasks[i], 0)
			for ran.Load() <= int64(i) {
				runtime.Gosched()
			}
		}
	}
}

func TestTaskMaySubmitItself(t *testing.T) {
	p := open(t, Config{Workers: 1})
	var box Mailbox
	left, self := 100, &step{}
	self.run = func() {
		if left--; left > 0 {
			p.Submit(&box, self, 1)
		}
	}
	p.Submit(&box, self, 1)
	p.Close()
	if left != 0 {
		t.Errorf("%d runs were left, want 0", left)
	}
}

func TestCloseWaitsForAll(t *testing.T) {
	p := open(t, Config{Workers: 3})
	var ran atomic.Int32
	boxes := make([]Mailbox, 100)
	for round := range 10 {
		for i := range boxes {
			p.Submit(&boxes[i], do(func() {
				ran.Add(1)
				if round == 9 { // tasks submit tasks
					p.Submit(&boxes[i], do(func() { ran.Add(1) }), 0)
				}
			}), 1)
		}
	}
	var closers sync.WaitGroup
	for range 3 {
		closers.Go(func() {
			p.Close()
			if got := ran.Load(); got != 1100 {
				t.Errorf("%d tasks had run when Close returned, want 1100", got)
			}
		})
	}
	closers.Wait()
}

func TestCloseWaitsForBlockedTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, Config{Workers: 2})
		let := occupy(p, 1)
		var closed atomic.Bool
		go func() {
			p.Close()
			closed.Store(true)
		}()
		synctest.Wait()
		if closed.Load() {
			t.Error("Close returned while a task was running")
		}
		let()
		synctest.Wait()
		if !closed.Load() {
			t.Error("Close did not return after the last task")
		}
	})
}

func TestNoGoroutineAtRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, Config{Workers: 8})
		let := occupy(p, 8)
		let()
		synctest.Wait()
		if got := p.Stats(); got.Workers != 0 {
			t.Errorf("at rest: %+v, want no worker", got)
		}
		time.Sleep(3 * idleWorker) // the bubble's clock
		synctest.Wait()
		if got := p.goroutines.Running(); got != 0 {
			t.Errorf("%d goroutines of workers after %v of rest, want 0", got, 3*idleWorker)
		}
		let = occupy(p, 3) // and it comes back
		let()
	})
}

func TestMisuse(t *testing.T) {
	p := open(t, Config{Workers: 1})
	let := occupy(p, 1)
	var box Mailbox
	waiting := do(func() {})
	p.Submit(&box, waiting, 1)
	panics(t, "waits in a mailbox", func() { p.Submit(&box, waiting, 1) })
	panics(t, "negative weight", func() { p.Submit(&box, do(func() {}), -1) })
	let()
	p.Close()
	panics(t, "Submit after Close", func() { p.Submit(&box, waiting, 1) })
}

func TestConfig(t *testing.T) {
	tests := []struct {
		config Config
		field  string
	}{
		{Config{Workers: -1}, "Config.Workers is -1"},
		{Config{Workers: maxWorkers + 1}, "Config.Workers is"},
		{Config{MailboxBytes: -1}, "Config.MailboxBytes is -1"},
	}
	for _, tt := range tests {
		if _, err := New(tt.config); err == nil || !strings.Contains(err.Error(), tt.field) {
			t.Errorf("New(%+v): %v, want an error that says %q", tt.config, err, tt.field)
		}
	}
}
