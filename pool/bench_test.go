package pool

import (
	"fmt"
	"sync/atomic"
	"testing"
)

// tiny is the smallest task there is.
type tiny struct {
	Link
	left *int
	done chan struct{}
}

func (t *tiny) Run() {
	if *t.left--; *t.left == 0 {
		t.done <- struct{}{}
	}
}
func (*tiny) Resume() {}

// BenchmarkBurst is an event loop's turn: it submits one task to each of many
// mailboxes and waits for the last. Time is per task, submitting and running.
func BenchmarkBurst(b *testing.B) {
	for _, mailboxes := range []int{1, 10, 1000} {
		b.Run(fmt.Sprintf("mailboxes=%d", mailboxes), func(b *testing.B) {
			p, err := New(Config{Workers: 1})
			if err != nil {
				b.Fatal(err)
			}
			defer p.Close()
			left, done := 0, make(chan struct{}, 1)
			boxes := make([]Mailbox, mailboxes)
			tasks := make([]tiny, mailboxes)
			for i := range tasks {
				tasks[i].left, tasks[i].done = &left, done
			}
			b.ReportAllocs()
			for n := 0; n < b.N; n += mailboxes {
				left = mailboxes
				for i := range boxes {
					p.Submit(&boxes[i], &tasks[i], 64)
				}
				<-done
			}
		})
	}
}

// BenchmarkGoroutine is what a pool competes with: one goroutine per task,
// without any order.
func BenchmarkGoroutine(b *testing.B) {
	var left atomic.Int32
	done := make(chan struct{}, 1)
	for n := 0; n < b.N; n += 1000 {
		left.Store(1000)
		for range 1000 {
			go func() {
				if left.Add(-1) == 0 {
					done <- struct{}{}
				}
			}()
		}
		<-done
	}
}
