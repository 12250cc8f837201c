package pool

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// numbered is the task number n of one submitter.
type numbered struct {
	Link
	box       *checkedBox
	submitter int
	n         int
	mood      int // 0 to 9: what Run does besides checking
}

// checkedBox is a mailbox with what its tasks saw, without any lock: the race
// detector tells if two of them run at once.
type checkedBox struct {
	Mailbox
	next   []int // by submitter
	inside bool
	wrong  int
}

func (t *numbered) Run() {
	b := t.box
	if b.inside || b.next[t.submitter] != t.n {
		b.wrong++
	}
	b.inside = true
	b.next[t.submitter] = t.n + 1
	if t.mood == 0 {
		runtime.Gosched()
	}
	b.inside = false
	switch t.mood {
	case 1:
		panic("in a bad mood")
	case 2:
		runtime.Goexit()
	}
}

func (*numbered) Resume() {}

// TestOrder: many submitters, few mailboxes, tasks that yield, panic and exit.
func TestOrder(t *testing.T) {
	for _, workers := range []int{1, 2, 7} {
		const submitters, mailboxes, each = 8, 5, 200
		var panicked atomic.Int64
		p := open(t, Config{Workers: workers, MailboxBytes: 10, Panicked: func(Task, any, []byte) { panicked.Add(1) }})
		boxes := make([]checkedBox, mailboxes)
		for i := range boxes {
			boxes[i].next = make([]int, submitters)
		}
		var all sync.WaitGroup
		for s := range submitters {
			all.Go(func() {
				random := rand.New(rand.NewPCG(1, uint64(s)))
				for n := range each {
					for i := range boxes {
						p.Submit(&boxes[i].Mailbox, &numbered{box: &boxes[i], submitter: s, n: n, mood: random.IntN(100)}, n%3)
					}
				}
			})
		}
		all.Wait()
		p.Close()
		for i := range boxes {
			b := &boxes[i]
			if b.wrong != 0 {
				t.Errorf("%d workers, mailbox %d: %d tasks ran out of order or beside another", workers, i, b.wrong)
			}
			for s, n := range b.next {
				if n != each {
					t.Errorf("%d workers, mailbox %d: %d tasks of submitter %d ran, want %d", workers, i, n, s, each)
				}
			}
			if head, state := b.head.Load(), b.state.Load(); head != nil || state>>1 != 0 || state&fullBit != 0 {
				t.Errorf("%d workers, mailbox %d: head %v, state %d at rest, want nil and 0", workers, i, head, state)
			}
		}
		got := p.Stats()
		if got.Tasks != submitters*mailboxes*each || got.Panics != uint64(panicked.Load()) || got.Panics == 0 {
			t.Errorf("%d workers: %+v, want %d tasks and %d panics, more than 0", workers, got, submitters*mailboxes*each, panicked.Load())
		}
	}
}
