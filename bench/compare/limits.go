package main

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/roostws/roost/bench/compare/results"
)

// spare is how many files a process may have open besides its connections.
const spare = 500

// enoughFiles says in one sentence if connections need more files than limit, the hard one
// of a process, allows.
func enoughFiles(conns int, limit uint64, works []string) error {
	if needed := uint64(conns + spare); needed > limit {
		return fmt.Errorf("a process needs %d open files for %s, and the hard limit is %d: raise it (as root: ulimit -Hn 20000), or choose other --works",
			needed, strings.Join(works, ", "), limit)
	}
	return nil
}

// hardFiles is how many files a process may have open at most.
func hardFiles() (uint64, error) {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return 0, fmt.Errorf("the limit of open files cannot be read: %w", err)
	}
	return l.Max, nil
}

// mostConns is how many connections a process has at most in these works.
func (r *rig) mostConns(works []string) int {
	most := 0
	for _, w := range works {
		conns := 0
		switch w {
		case results.Idle:
			conns = r.stages().all()
		case results.Echo:
			for _, c := range r.echoCases() {
				conns = max(conns, c.conns)
			}
		case results.Fanout:
			for _, c := range r.fanoutCases() {
				conns = max(conns, c.conns+1)
			}
		case results.Connect:
			conns = concurrency
			if !r.quick {
				conns = stormConns
			}
		case results.WSS:
			conns = r.stages().all()
			if r.quick {
				conns = 200
			}
		case results.Slow:
			conns = promptConns + waitConns
		}
		most = max(most, conns)
	}
	return most
}
