package leak

import (
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// canCountFDs: /proc/self/fd has this form on Linux only.
const canCountFDs = runtime.GOOS == "linux"

// snapshot is what a process holds at one moment, each entry with the text
// that describes it.
type snapshot struct {
	goroutines map[string]string // "goroutine 7" to its stack
	fds        map[string]string // "fd 5 socket:[4711]" to itself
}

func take() snapshot {
	return snapshot{goroutines: goroutines(), fds: fds()}
}

// left describes, in order, what there is now that s does not have, once that
// is nothing or the wait is over.
func (s snapshot) left(wait time.Duration) []string {
	deadline := time.Now().Add(wait)
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		now := take()
		left := append(added(s.goroutines, now.goroutines), added(s.fds, now.fds)...)
		if len(left) == 0 || time.Now().After(deadline) {
			return left
		}
		time.Sleep(pause)
	}
}

func added(before, now map[string]string) []string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(now)) {
		if _, ok := before[k]; !ok {
			out = append(out, now[k])
		}
	}
	return out
}

// goroutines returns all but the calling goroutine and os/signal's own, which
// the first signal.Notify starts and nothing ends.
func goroutines() map[string]string {
	buf := make([]byte, 1<<16)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf)) // the dump was cut
	}
	out := make(map[string]string)
	stacks := strings.Split(string(buf), "\n\n")
	for _, stack := range stacks[1:] { // the caller comes first
		if strings.Contains(stack, "os/signal.signal_recv") {
			continue
		}
		id, _, _ := strings.Cut(stack, " [")
		out[id] = strings.TrimSpace(stack)
	}
	return out
}

// fds returns the open descriptors. A number reused for another file shows as
// a new entry, since the file's identity is part of the key.
func fds() map[string]string {
	out := make(map[string]string)
	if !canCountFDs {
		return out
	}
	const dir = "/proc/self/fd"
	entries, err := os.ReadDir(dir)
	if err != nil {
		return out
	}
	for _, e := range entries {
		target, err := os.Readlink(filepath.Join(dir, e.Name()))
		if err != nil {
			continue // the descriptor that listed the directory
		}
		key := "fd " + e.Name() + " " + target
		out[key] = key
	}
	return out
}
