package guard

import (
	"fmt"
	"os"
	"slices"
	"strconv"
)

// A work is what gets counted: something that the server does for each frame, request or message.
type work struct {
	name string
	unit string // what one operation is
	// Operations of a run, of the work and of its yardstick: some ten million
	// instructions, of which what disturbs a run is under 1 %.
	n, ofYardstick int
	// run does n operations, and calls begin before the first; where it cannot, it ends the process.
	run func(n int)
	// yardstick does the same with gobwas/ws, as its users write it.
	yardstick func(n int)
}

// batch is how many frames a read brings.
const batch = 64

var works = []work{
	{"decode20", "frame", 1000 * batch, 200 * batch, func(n int) { decode(n, 20) }, func(n int) { decodeGobwas(n, 20) }},
	{"decode512", "frame", 500 * batch, 200 * batch, func(n int) { decode(n, 512) }, func(n int) { decodeGobwas(n, 512) }},
	{"header", "frame", 100_000, 40_000, header, headerGobwas},
	{"handshake", "request", 500, 800, handshake, handshakeGobwas},
	{"echo", "message", 20 * talkers, 8000, echo, echoByHand},
	{"publish", "subscriber", 20 * subscribers, 60_000, publish, publishByHand},
}

// What makes this binary do a work instead of the tests, as its first argument.
const (
	doWork      = "work"
	doYardstick = "yardstick"
)

// perform does what the arguments say, "work" or "yardstick", a name and a number of
// operations, and tells whether they say any such thing.
func perform(args []string) bool {
	if len(args) != 3 || args[0] != doWork && args[0] != doYardstick {
		return false
	}
	i := slices.IndexFunc(works, func(w work) bool { return w.name == args[1] })
	n, err := strconv.Atoi(args[2])
	if i < 0 || err != nil {
		fail("%q: want the name of a work and a number", args)
	}
	if args[0] == doYardstick {
		works[i].yardstick(n)
	} else {
		works[i].run(n)
	}
	return true
}

// begin is where counting begins: what a work did to get ready is left out.
//
//go:noinline
func begin() {}

// fail ends the process: there is nothing to count. A panic would only end the connection
// in whose handler it happens.
func fail(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "guard: "+format+"\n", args...)
	os.Exit(1)
}

func must(err error) {
	if err != nil {
		fail("%v", err)
	}
}
