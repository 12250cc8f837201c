package doctor

import (
	"errors"
	"fmt"
	"math"
)

// What a connection takes while it is idle, in bytes.
const (
	// serverBytes is resident memory of a server; docs/performance.md, "server".
	serverBytes = 209
	// clientBytes is resident memory of a load client, at most: it has a schedule
	// and measurements beside what a server has.
	clientBytes = 400
	// kernelBytes is one TCP socket with its inode, file and epoll entry: half of
	// the 8.4 kB that a pair over loopback took on Linux 6.18.
	kernelBytes = 4200
)

// perConn is what a connection takes of this machine, in bytes.
func (w Want) perConn() uint64 {
	switch w.Role {
	case Server:
		return serverBytes + kernelBytes
	case Client:
		return clientBytes + kernelBytes
	}
	return serverBytes + clientBytes + 2*kernelBytes
}

// memory is what all connections take, in bytes.
func (w Want) memory() uint64 { return uint64(w.Conns) * w.perConn() }

// AvailableMemory is what this process and its children may take on top, in bytes: the machine's, or what the limits of its cgroups leave
// if that is less. With an error it is what is known, and math.MaxUint64 if nothing is.
func (m Machine) AvailableMemory() (uint64, error) {
	have, err := m.meminfo("MemAvailable")
	if err != nil {
		have, err = math.MaxUint64, fmt.Errorf("how much memory is free cannot be told: %w", err)
	}
	r, groupErr := m.cgroupRoom()
	if groupErr != nil {
		return have, errors.Join(err, fmt.Errorf("the memory limit of the cgroups cannot be told: %w", groupErr))
	}
	return min(have, r.left), err
}

// available checks the memory of the machine.
func available(m Machine, w Want) Check {
	const name = "memory"
	have, err := m.meminfo("MemAvailable")
	if err != nil {
		return unread(name, err)
	}
	c := enough(w, name, have, size(have)+" available")
	if c.Verdict == Short {
		c.Mend = []Remedy{{byHand, fmt.Sprintf("memory: %d connections fit; more take a machine with %s free", c.holds, size(w.memory()))}}
	}
	return c
}

// cgroupMemory checks the memory that the cgroups of this process leave it.
func cgroupMemory(m Machine, w Want) Check {
	const name = "cgroup memory"
	r, err := m.cgroupRoom()
	if err != nil {
		return unread(name, err)
	}
	if r.group == "" {
		return skip(name, "no cgroup that is visible here limits the memory")
	}
	c := enough(w, name, r.left, fmt.Sprintf("%s left by %s of %s", size(r.left), r.file, r.group))
	if c.Verdict == Short {
		c.Mend = largerGroup(w, r, c.holds)
	}
	return c
}

// largerGroup raises a limit so that the connections fit beside what is in use.
func largerGroup(w Want, r room, holds uint64) []Remedy {
	mib := ceil(r.used+w.memory(), 1<<20) + w.processes()*processMiB
	unit := "MemoryMax"
	if r.file == "memory.high" {
		unit = "MemoryHigh"
	}
	return []Remedy{
		{byHand, fmt.Sprintf("cgroup memory: %d connections fit; more take a limit of %d MiB for the group %s", holds, mib, r.group)},
		{bySystemd, fmt.Sprintf("%s=%dM", unit, mib)},
		{byDocker, fmt.Sprintf("--memory=%dm", mib)},
	}
}

// processMiB is room for a process of roost without connections, and its collector.
const processMiB = 64

// enough compares room, which found describes, with what the connections take.
func enough(w Want, name string, room uint64, found string) Check {
	c := Check{
		Name: name, Found: found, Needed: size(w.memory()), Verdict: OK,
		Why: fmt.Sprintf("an idle connection takes about %d bytes here, %d of them the kernel's; what is under way comes on top",
			w.perConn(), kernelBytes*w.processes()),
		holds: room / w.perConn(),
	}
	if room < w.memory() {
		c.Verdict = Short
	}
	return c
}
