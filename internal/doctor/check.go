package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"strings"
)

// Verdict is what a check comes to.
type Verdict string

// The verdicts.
const (
	OK            Verdict = "ok"
	Short         Verdict = "short" // the connections do not fit
	Warn          Verdict = "warn"  // they fit, but something will be slow or lost
	NotApplicable Verdict = "n/a"   // there is nothing to check; Why says the reason
)

// Check is one thing that was looked at.
type Check struct {
	Name    string   `json:"name"` // a sysctl's key where it is one
	Found   string   `json:"found,omitempty"`
	Needed  string   `json:"needed,omitempty"`
	Verdict Verdict  `json:"verdict"`
	Why     string   `json:"why"`
	Mend    []Remedy `json:"mend,omitempty"` // only with Short and Warn

	holds uint64 // the most connections that this lets through
}

// How a remedy is applied.
const (
	bySysctl  = "sysctl"  // a line of sysctl.d: key = value
	byShell   = "shell"   // a command
	bySystemd = "systemd" // a line of a unit's [Service]
	byDocker  = "docker"  // an option of docker run
	byHand    = "advice"  // a sentence
)

// Remedy is one way to mend a check.
type Remedy struct {
	By   string `json:"by"`
	Line string `json:"line"`
}

// sysctl is the remedy that sets a kernel parameter, and for one that belongs to a
// network namespace also docker's option.
func sysctl(key, value string) []Remedy {
	r := []Remedy{{bySysctl, key + " = " + value}}
	if namespaced(key) {
		r = append(r, Remedy{byDocker, "--sysctl " + assignment(key, value)})
	}
	return r
}

// namespaced tells whether a network namespace has its own value. tcp_mem is one
// for all, and nf_conntrack's can be set in the first namespace only.
func namespaced(key string) bool {
	return strings.HasPrefix(key, "net.") && key != tcpMem && !strings.HasPrefix(key, "net.netfilter.")
}

// assignment is key=value for a shell.
func assignment(key, value string) string {
	if strings.Contains(value, " ") {
		value = `"` + value + `"`
	}
	return key + "=" + value
}

// unbounded is the holds of a check that lets any number through.
const unbounded = math.MaxUint64

// file is where a sysctl's value is read, relative to the root.
func file(key string) string { return path.Join("proc/sys", strings.ReplaceAll(key, ".", "/")) }

// skip is a check that has nothing to check.
func skip(name, reason string) Check {
	return Check{Name: name, Verdict: NotApplicable, Why: reason, holds: unbounded}
}

// unread is a check whose file could not be used.
func unread(name string, err error) Check {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return skip(name, "it is not visible here: this kernel has none, or a container hides it; look on the host")
	case errors.Is(err, fs.ErrPermission):
		return skip(name, "it may not be read here; look as root")
	}
	return skip(name, err.Error())
}

// unlimited is from where on a number only means that there is no limit.
const unlimited = 1 << 62

// count writes a number, or that it is none.
func count(n uint64) string {
	if n >= unlimited {
		return "unlimited"
	}
	return fmt.Sprint(n)
}

// size writes a number of bytes.
func size(n uint64) string {
	switch {
	case n >= unlimited:
		return "unlimited"
	case n >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.0f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.0f kB", math.Ceil(float64(n)/1e3))
}
