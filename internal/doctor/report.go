package doctor

import (
	"errors"
	"slices"
)

// ErrShort is what a command that examined a machine fails with when something is [Short].
var ErrShort = errors.New("this machine falls short of what is asked of it; the report says where, and how to mend it")

// Report is what an examination found.
type Report struct {
	Want
	// Short tells whether the connections do not fit.
	Short bool `json:"short"`
	// Holds is how many connections fit as far as the checks can tell, at most MaxConns.
	Holds int `json:"holds"`
	// Note says what was not looked at, if anything.
	Note string `json:"note,omitempty"`
	// Checks has what is short first, then what is worth a warning.
	Checks []Check `json:"checks"`

	root      bool // commands need no sudo
	contained bool // sysctls are set elsewhere
}

// checks is all of Linux, in the order in which things are mended.
var checks = []func(Machine, Want) Check{
	nrOpen, files, fileMax, watches, ports, reuse, acceptQueue, synQueue,
	tcpPages, receiveBuffers, sendBuffers, conntrack, available, cgroupMemory, threads, processors,
}

// Examine checks m for w. It changes nothing, and fails only if w cannot be meant.
func Examine(m Machine, w Want) (Report, error) {
	w, err := w.withDefaults()
	if err != nil {
		return Report{}, err
	}
	r := Report{Want: w, Holds: MaxConns, root: m.Root}
	todo := checks
	if m.OS == "linux" {
		r.contained = m.contained()
	} else {
		todo = []func(Machine, Want) Check{files}
		r.Note = "on " + m.OS + " only the limit of open files is checked; ports, queues, memory and the rest are checked on Linux alone"
	}
	for _, check := range todo {
		c := check(m, w)
		r.Checks = append(r.Checks, c)
		r.Short = r.Short || c.Verdict == Short
		r.Holds = int(min(uint64(r.Holds), c.holds))
	}
	order := []Verdict{Short, Warn, OK, NotApplicable}
	slices.SortStableFunc(r.Checks, func(a, b Check) int {
		return slices.Index(order, a.Verdict) - slices.Index(order, b.Verdict)
	})
	return r, nil
}
