// Package leak makes a test binary fail when its tests leave goroutines or
// file descriptors behind.
//
// A package whose tests open sockets or start goroutines calls [Main] from its
// TestMain:
//
//	func TestMain(m *testing.M) { leak.Main(m) }
package leak

import (
	"fmt"
	"io"
	"os"
	"time"
)

// patience is how long [Main] waits for what is left to end by itself: a
// goroutine that was told to stop needs a moment to get there. It is spent in
// full only by a run that fails.
var patience = 5 * time.Second

// runner is the part of *testing.M that [Main] needs.
type runner interface{ Run() int }

// Main runs the tests and exits the process. The exit code is the tests' own,
// or 1 when they passed but left a goroutine or a file descriptor that was not
// there before; what is left is printed to standard error.
//
// File descriptors are counted on Linux only; elsewhere Main says that it does
// not. Call it from TestMain, as its last statement.
func Main(m runner) {
	settleRuntime()
	before := take()
	code := m.Run()
	if code == 0 && !report(os.Stderr, before.left(patience)) {
		code = 1
	}
	os.Exit(code)
}

// report writes what is left to w and tells whether that is nothing.
func report(w io.Writer, left []string) bool {
	if !canCountFDs {
		fmt.Fprintln(w, "leak: file descriptors are not counted on this platform")
	}
	for _, l := range left {
		fmt.Fprintf(w, "leak: left after the tests: %s\n", l)
	}
	return len(left) == 0
}

// settleRuntime makes the runtime open its own poller now, so that the epoll
// and event fds it keeps for good are not taken for a leak of the first test
// that uses a socket.
func settleRuntime() {
	r, w, err := os.Pipe()
	if err != nil {
		return
	}
	r.Close()
	w.Close()
}
