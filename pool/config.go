package pool

import (
	"fmt"
	"log/slog"
	"runtime"
)

const (
	// DefaultWorkersPerProc times GOMAXPROCS is [Config.Workers] when that is
	// zero. The bound is met only when that many handlers block at once (a
	// worker starts only when there is work that no other is about to take), so
	// it is wide: handlers that wait 5 ms each still do 12,800 tasks a second
	// per processor. It is not wider because workers that compute share the
	// processors with the event loops, each getting one slice in turn.
	DefaultWorkersPerProc = 64

	// DefaultMailboxBytes is [Config.MailboxBytes] when that is zero: four full
	// reads of 64 KiB.
	DefaultMailboxBytes = 256 << 10
)

// Config says how much a [Pool] may do at once. The zero value is ready to use.
type Config struct {
	// Workers is how many tasks may run at the same time, never exceeded.
	// 0 means DefaultWorkersPerProc × GOMAXPROCS.
	Workers int

	// MailboxBytes is the weight of waiting tasks at which a mailbox is full.
	// A mailbox holds at most MailboxBytes plus its last task, as long as who
	// feeds it stops when Submit says so; the task that runs is not counted.
	// 0 means DefaultMailboxBytes.
	MailboxBytes int

	// Panicked is called, on the worker, after a task's Run or Resume panicked
	// with v; the mailbox goes on when it returns. Of a t that Run gave away
	// before it panicked, only the type is to be trusted. A task that ended its goroutine (runtime.Goexit) comes here with
	// ErrGoexit. nil means that panics are logged with slog.Error.
	Panicked func(t Task, v any, stack []byte)
}

// withDefaults returns c with every zero replaced, or an error that names the
// field that cannot be meant.
func (c Config) withDefaults() (Config, error) {
	if c.Workers < 0 || c.Workers > maxWorkers {
		return c, fmt.Errorf("pool: Config.Workers is %d, want 0 (the default) to %d", c.Workers, maxWorkers)
	}
	if c.MailboxBytes < 0 {
		return c, fmt.Errorf("pool: Config.MailboxBytes is %d, want 0 (the default) or more", c.MailboxBytes)
	}
	if c.Workers == 0 {
		c.Workers = DefaultWorkersPerProc * runtime.GOMAXPROCS(0)
	}
	if c.MailboxBytes == 0 {
		c.MailboxBytes = DefaultMailboxBytes
	}
	if c.Panicked == nil {
		c.Panicked = logPanic
	}
	return c, nil
}

func logPanic(t Task, v any, stack []byte) {
	slog.Error("pool: a task panicked", "task", fmt.Sprintf("%T", t), "panic", v, "stack", string(stack))
}
