package doctor

import (
	"fmt"
	"math"
	"path"
	"strconv"
	"strings"
)

// spareThreads is what the Go runtime needs beside one thread for each processor:
// its monitor, the collector's, and those that sit in system calls.
const spareThreads = 16

// threads checks how many threads the cgroups leave. Connections have none of their own.
func threads(m Machine, w Want) Check {
	const name = "cgroup pids"
	need := w.processes() * (uint64(m.Procs) + spareThreads)
	room, where := uint64(math.MaxUint64), ""
	for _, g := range m.cgroups("pids") {
		n, limited, err := m.limit(g, "pids.max")
		if err != nil {
			return unread(name, err)
		}
		used, err := m.number(path.Join(g.dir, "pids.current"))
		if err != nil {
			used = 0 // hidden; nothing better is known
		}
		if left := less(n, used); limited && left < room {
			room, where = left, g.name
		}
	}
	if where == "" {
		return skip(name, "no cgroup that is visible here limits the threads")
	}
	c := Check{
		Name: name, Found: fmt.Sprintf("%d left by pids.max of %s", room, where), Needed: fmt.Sprint(need), Verdict: OK,
		Why:   "connections have no threads, but a Go process ends when it cannot start one of its few",
		holds: unbounded,
	}
	if room < need {
		c.Verdict, c.holds = Short, 0
		c.Mend = []Remedy{{bySystemd, "TasksMax=infinity"}, {byDocker, "--pids-limit=-1"}}
	}
	return c
}

// processors checks that the scheduler does not run more threads than it gets processors.
func processors(m Machine, _ Want) Check {
	const name = "processors (GOMAXPROCS)"
	quota, err := m.quota()
	if err != nil {
		return unread(name, err)
	}
	most, of := math.MaxInt, []string(nil)
	if n := m.allowed(); n > 0 {
		most = n
		of = append(of, many(uint64(n), "processor", "processors"))
	}
	if quota > 0 {
		most = min(most, max(2, int(math.Ceil(quota)))) // Go never chooses 1 for a quota's sake
		of = append(of, fmt.Sprintf("a quota of %.3g", quota))
	}
	if of == nil {
		return skip(name, "neither the processors nor a quota of them are visible here")
	}
	c := Check{
		Name: name, Found: fmt.Sprintf("%d, with %s", m.Procs, strings.Join(of, " and ")), Needed: fmt.Sprintf("at most %d", most),
		Verdict: OK, holds: unbounded,
		Why: "Go takes it from the processors and the quota by itself; threads beyond a quota use it up early, and then all stand still",
	}
	if m.Procs > most {
		c.Verdict, c.Mend = Warn, []Remedy{{byShell, fmt.Sprintf("export GOMAXPROCS=%d", most)}}
		if m.ProcsEnv != "" {
			c.Why += "; the environment says " + strconv.Quote(m.ProcsEnv)
			c.Mend[0].Line = "unset GOMAXPROCS"
		}
	}
	return c
}

// allowed is how many processors this process may run on, by cpuset or affinity;
// 0 if that is hidden.
func (m Machine) allowed() int {
	s, err := m.field("proc/self/status", "Cpus_allowed_list")
	if err != nil {
		return 0
	}
	return listed(s, 0, math.MaxInt32)
}

// quota is the smallest share of processors that the cgroups give, 0 for no limit.
func (m Machine) quota() (float64, error) {
	least := 0.0
	for _, g := range m.cgroups("cpu") {
		q, err := m.groupQuota(g)
		if err != nil {
			return 0, err
		}
		if q > 0 && (least == 0 || q < least) {
			least = q
		}
	}
	return least, nil
}

// groupQuota is that of one group.
func (m Machine) groupQuota(g cgroup) (float64, error) {
	var time, period uint64
	if g.v2 {
		s, err := m.text(path.Join(g.dir, "cpu.max"))
		if err != nil || strings.HasPrefix(s, "max") {
			return 0, nil
		}
		both, err := m.numbers(path.Join(g.dir, "cpu.max"), 2)
		if err != nil {
			return 0, err
		}
		time, period = both[0], both[1]
	} else {
		s, err := m.text(path.Join(g.dir, "cpu.cfs_quota_us"))
		if err != nil || s == "-1" {
			return 0, nil
		}
		if time, err = m.number(path.Join(g.dir, "cpu.cfs_quota_us")); err != nil {
			return 0, err
		}
		if period, err = m.number(path.Join(g.dir, "cpu.cfs_period_us")); err != nil {
			return 0, err
		}
	}
	if period == 0 {
		return 0, fmt.Errorf("/%s has a quota of processors with a period of 0", g.dir)
	}
	return float64(time) / float64(period), nil
}
