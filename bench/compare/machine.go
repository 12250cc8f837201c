package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/roostws/roost/bench/compare/results"
)

// machine describes this machine. What the system does not tell stays empty.
func machine(compiler string, serverCPU, clientCPU int) results.Machine {
	m := results.Machine{
		CPU: infoLine("/proc/cpuinfo", "model name"), Processors: runtime.NumCPU(),
		System: osRelease(), Go: runtime.Version(), CC: compiler,
	}
	m.Memory, _ = readKB("/proc/meminfo", "MemTotal:") // 0: not told
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		m.Kernel = unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:]) + " " + unix.ByteSliceToString(u.Machine[:])
	}
	m.Notes = machineNotes()
	if siblings(fmt.Sprintf("/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", serverCPU), clientCPU) {
		m.Notes = append(m.Notes, "the processors of server and client are two threads of one core: each slows the other down")
	}
	return m
}

// siblings tells whether a list of processors, such as 0,4 or 0-1, has this one.
func siblings(file string, cpu int) bool {
	text, err := os.ReadFile(file)
	if err != nil {
		return false // not told
	}
	for part := range strings.SplitSeq(strings.TrimSpace(string(text)), ",") {
		low, high, isRange := strings.Cut(part, "-")
		first, err := strconv.Atoi(low)
		last := first
		if isRange && err == nil {
			last, err = strconv.Atoi(high)
		}
		if err == nil && first <= cpu && cpu <= last {
			return true
		}
	}
	return false
}

// machineNotes is what bends figures here.
func machineNotes() []string {
	var notes []string
	if strings.Contains(" "+infoLine("/proc/cpuinfo", "flags")+" ", " hypervisor ") {
		notes = append(notes, "a virtual machine: its processors may be shared with others")
	}
	if text := mitigations("/sys/devices/system/cpu/vulnerabilities"); text != "" {
		notes = append(notes, "mitigations of the processor's flaws: "+text)
	}
	return notes
}

// infoLine returns the value of the first line "name : value".
func infoLine(file, name string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		key, value, ok := strings.Cut(line, ":")
		if ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// osRelease is the name of the distribution.
func osRelease() string {
	text, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); ok {
			return strings.Trim(name, `"`)
		}
	}
	return ""
}

// mitigations lists the flaws of the processor against which the kernel does something.
func mitigations(dir string) string {
	files, err := os.ReadDir(dir)
	if err != nil {
		return ""
	}
	var active []string
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err == nil && strings.HasPrefix(string(text), "Mitigation") {
			active = append(active, f.Name())
		}
	}
	return strings.Join(active, ", ")
}
