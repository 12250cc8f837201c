package pool

import (
	"fmt"
	"runtime"
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

// stream is a task that tells when it may be submitted again.
type stream struct {
	Link
	waits atomic.Bool
}

func (s *stream) Run()  { s.waits.Store(false) }
func (*stream) Resume() {}

// BenchmarkStream is one or more event loops that never stop submitting, each to
// a thousand mailboxes in turn, while workers run what came: what the two sides
// cost each other.
func BenchmarkStream(b *testing.B) {
	p, err := New(Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		boxes := make([]Mailbox, 1000)
		tasks := make([]stream, len(boxes))
		for i := 0; pb.Next(); i++ {
			box, task := &boxes[i%len(boxes)], &tasks[i%len(boxes)]
			for task.waits.Load() {
				runtime.Gosched()
			}
			task.waits.Store(true)
			p.Submit(box, task, 64)
		}
	})
}

// BenchmarkBuffer is Get and Release on one goroutine, and with a make of the
// same size to compare.
func BenchmarkBuffer(b *testing.B) {
	for _, size := range []int{128, 4 << 10, 64 << 10} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Get(size).Release()
			}
		})
		b.Run(fmt.Sprintf("make=%d", size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				made = make([]byte, size)
			}
		})
	}
}

var made []byte // keeps the compiler from putting it on the stack

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
