package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime returns the processor time that the process used since it began: that of all
// its threads, and of the children that it has.
func (p *process) cpuTime() (time.Duration, error) {
	used, err := processTime(p.pid())
	if err == nil {
		return used, nil
	}
	if !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ESRCH) {
		return 0, err
	}
	// It has ended: then the kernel has told its parent.
	<-p.done
	state := p.cmd.ProcessState
	return state.UserTime() + state.SystemTime(), nil
}

func processTime(pid int) (time.Duration, error) {
	used, err := processClock(pid)
	if err != nil {
		return 0, err
	}
	for _, child := range children(pid) {
		if more, err := processTime(child); err == nil { // else it ended just now
			used += more
		}
	}
	return used, nil
}

// processClock reads the clock of a process, which counts the time of all its threads,
// also of those that have ended, and is much finer than the ticks of /proc/PID/stat.
func processClock(pid int) (time.Duration, error) {
	// clock_getcpuclockid(3): the complement of the process in the upper bits, below it
	// that all threads are meant (0) and the scheduler's count (2).
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|2), &t); err != nil {
		return 0, fmt.Errorf("the processor time of process %d cannot be read: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

// children returns the processes that pid's threads have started, as far as the kernel
// tells.
func children(pid int) []int {
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return nil
	}
	var all []int
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			continue // the thread has ended
		}
		for _, f := range strings.Fields(string(text)) {
			if n, err := strconv.Atoi(f); err == nil {
				all = append(all, n)
			}
		}
	}
	return all
}

// moment is what two processes, and the processors that they are pinned to, have used by
// a time.
type moment struct {
	at             time.Time
	server, client time.Duration
	both           time.Duration // of the two processors, by whomever
}

func look(server, client *process) (moment, error) {
	s, err := server.cpuTime()
	if err != nil {
		return moment{}, err
	}
	c, err := client.cpuTime()
	if err != nil {
		return moment{}, err
	}
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return moment{}, err
	}
	both := busy(string(text), server.cpu) + busy(string(text), client.cpu)
	return moment{time.Now(), s, c, both}, nil
}

// tick is the unit of processor time in /proc/stat: USER_HZ, which is 100 on every
// processor that Go runs on.
const tick = 10 * time.Millisecond

// busy returns how long a processor has not been idle, by the text of /proc/stat. Time
// that the machine below did not give counts.
func busy(stat string, cpu int) time.Duration {
	name := fmt.Sprintf("cpu%d", cpu)
	for line := range strings.Lines(stat) {
		f := strings.Fields(line)
		if len(f) < 9 || f[0] != name {
			continue
		}
		var sum int64
		for _, i := range []int{1, 2, 3, 6, 7, 8} { // user, nice, system, irq, softirq, steal
			n, err := strconv.ParseInt(f[i], 10, 64)
			if err != nil {
				return 0
			}
			sum += n
		}
		return time.Duration(sum) * tick
	}
	return 0
}

// usage is what server and client used between two moments, and others on their
// processors, in seconds.
type usage struct{ seconds, server, client, others float64 }

func (m moment) until(end moment) usage {
	u := usage{
		seconds: end.at.Sub(m.at).Seconds(),
		server:  (end.server - m.server).Seconds(),
		client:  (end.client - m.client).Seconds(),
	}
	u.others = max(0, (end.both-m.both).Seconds()-u.server-u.client)
	return u
}

// serverCores and clientCores are how many processors were busy.
func (u usage) serverCores() float64 { return u.server / u.seconds }
func (u usage) clientCores() float64 { return u.client / u.seconds }

// perUnit is the server's processor time for each of rate things a second, in µs.
func (u usage) perUnit(rate float64) float64 { return 1e6 * u.serverCores() / rate }

// disturbance is how much others used of the two processors, as a share of them, in each
// measurement of a run.
type disturbance []float64

func (d *disturbance) add(u usage) {
	if u.seconds > 0 {
		*d = append(*d, u.others/(2*u.seconds))
	}
}

// disturbed is the share above which others bend a measurement.
const disturbed = 0.05

// String says how much it was, empty if it was nothing to speak of.
func (d disturbance) String() string {
	if len(d) == 0 {
		return ""
	}
	sorted := slices.Sorted(slices.Values(d))
	above := 0
	for _, share := range sorted {
		if share > disturbed {
			above++
		}
	}
	if above == 0 {
		return ""
	}
	return fmt.Sprintf("other processes, or the machine below, took more than %.0f %% of the two processors in %d of %d measurements, and %.0f %% in the median: figures measured so are not to be trusted",
		100*disturbed, above, len(sorted), 100*sorted[len(sorted)/2])
}
