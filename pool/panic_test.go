package pool

import (
	"errors"
	"runtime"
	"strings"
	"testing"
)

func TestPanicHurtsNobodyElse(t *testing.T) {
	boom := errors.New("boom")
	tests := []struct {
		name string
		task *step
		want func(v any) bool
	}{
		{"error", do(func() { panic(boom) }), func(v any) bool { return v == boom }},
		{"nil", do(func() { panic(nil) }), func(v any) bool { return v != nil && v != ErrGoexit }},
		{"Goexit", do(func() { runtime.Goexit() }), func(v any) bool { return v == ErrGoexit }},
		{"Resume", &step{run: func() {}, resume: func() { panic(boom) }}, func(v any) bool { return v == boom }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var gotTask Task
			var gotValue any
			var gotStack string
			p := open(t, Config{Workers: 1, MailboxBytes: 1, Panicked: func(t Task, v any, stack []byte) {
				gotTask, gotValue, gotStack = t, v, string(stack)
			}})
			let := occupy(p, 1)
			var box, other Mailbox
			var order string
			p.Submit(&box, do(func() { order += "1" }), 0)
			p.Submit(&box, tt.task, 1)
			p.Submit(&box, do(func() { order += "2" }), 0)
			p.Submit(&other, do(func() { order += "3" }), 0)
			let()
			p.Close()
			if order != "123" {
				t.Errorf("the other tasks ran in the order %q, want 123", order)
			}
			if gotTask != tt.task || !tt.want(gotValue) || !strings.Contains(gotStack, "panic_test.go") {
				t.Errorf("Panicked got %v, %v and the stack\n%s", gotTask, gotValue, gotStack)
			}
			if got := p.Stats(); got.Panics != 1 || got.Workers != 0 || got.Tasks != 5 {
				t.Errorf("%+v, want 5 tasks, 1 panic and no worker", got)
			}
		})
	}
}

func TestPanickedMayPanic(t *testing.T) {
	p := open(t, Config{Workers: 1, Panicked: func(Task, any, []byte) { panic("Panicked panics: this line belongs to a passing test") }})
	var box Mailbox
	ran := false
	p.Submit(&box, do(func() { panic("task") }), 0)
	p.Submit(&box, do(func() { ran = true }), 0)
	p.Close()
	if !ran {
		t.Error("the mailbox did not go on")
	}
}
