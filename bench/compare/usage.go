package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of processor time in /proc: USER_HZ, which is 100 on every processor
// that Go runs on.
const tick = 10 * time.Millisecond

// cpuTime returns the processor time that the process used since it began: that of all
// its threads, and of its children.
func (p *process) cpuTime() (time.Duration, error) {
	used, err := processTime(p.pid())
	if err == nil {
		return used, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return 0, err
	}
	// It has ended, so that /proc does not know it any more: then the kernel has told its parent.
	<-p.done
	state := p.cmd.ProcessState
	return state.UserTime() + state.SystemTime(), nil
}

func processTime(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	used, err := parseStat(string(text))
	if err != nil {
		return 0, err
	}
	for _, child := range children(pid) {
		if more, err := processTime(child); err == nil { // or it ended just now, and the parent's figure has it
			used += more
		}
	}
	return used, nil
}

// parseStat returns the processor time in a line of /proc/PID/stat: its threads', and
// that of children that were waited for.
func parseStat(line string) (time.Duration, error) {
	// The second field is the name, in parentheses, and may hold anything.
	_, rest, ok := strings.Cut(line[strings.LastIndexByte(line, ')')+1:], " ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 15 {
		return 0, fmt.Errorf("%q is no line of /proc/PID/stat", line)
	}
	var sum int64
	for _, f := range fields[11:15] { // utime, stime, cutime, cstime
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%q is no line of /proc/PID/stat: %w", line, err)
		}
		sum += n
	}
	return time.Duration(sum) * tick, nil
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

// moment is what two processes have used by a time.
type moment struct {
	at             time.Time
	server, client time.Duration
}

func look(server, client *process) (moment, error) {
	s, err := server.cpuTime()
	if err != nil {
		return moment{}, err
	}
	c, err := client.cpuTime()
	return moment{time.Now(), s, c}, err
}

// usage is what server and client used between two moments, in seconds.
type usage struct{ seconds, server, client float64 }

func (m moment) until(end moment) usage {
	return usage{
		seconds: end.at.Sub(m.at).Seconds(),
		server:  (end.server - m.server).Seconds(),
		client:  (end.client - m.client).Seconds(),
	}
}

// serverCores and clientCores are how many processors were busy.
func (u usage) serverCores() float64 { return u.server / u.seconds }
func (u usage) clientCores() float64 { return u.client / u.seconds }

// perUnit is the server's processor time for each of rate things a second, in µs.
func (u usage) perUnit(rate float64) float64 { return 1e6 * u.serverCores() / rate }
