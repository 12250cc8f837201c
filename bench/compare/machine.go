package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/roostws/roost/bench/compare/results"
)

// machine describes this machine. What the system does not tell stays empty.
func machine(compiler string) results.Machine {
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
	return m
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
