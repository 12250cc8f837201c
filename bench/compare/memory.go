package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// memory is how much a process and the kernel hold, in bytes.
type memory struct {
	resident int64
	// kernel is the slab and the buffers of TCP, of the whole machine.
	kernel int64
}

func (p *process) memory() (memory, error) {
	resident, err := readKB(fmt.Sprintf("/proc/%d/status", p.pid()), "VmRSS:")
	if err != nil {
		return memory{}, err
	}
	slab, err := readKB("/proc/meminfo", "Slab:")
	if err != nil {
		return memory{}, err
	}
	tcp, err := tcpMemory()
	return memory{resident, slab + tcp}, err
}

// peak returns the most that was resident since the process began, in bytes.
func (p *process) peak() (int64, error) {
	return readKB(fmt.Sprintf("/proc/%d/status", p.pid()), "VmHWM:")
}

// readKB returns the value of a line "name  123 kB" in bytes.
func readKB(file, name string) (int64, error) {
	fields, err := fieldsOf(file, name)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %s %q is no number", file, name, fields[0])
	}
	return n << 10, nil
}

// tcpMemory returns the memory of the buffers of all TCP sockets, in bytes.
func tcpMemory() (int64, error) {
	fields, err := fieldsOf("/proc/net/sockstat", "TCP:")
	if err != nil {
		return 0, err
	}
	for i := 0; i+1 < len(fields); i += 2 {
		if fields[i] == "mem" {
			pages, err := strconv.ParseInt(fields[i+1], 10, 64)
			return pages * int64(os.Getpagesize()), err
		}
	}
	return 0, fmt.Errorf("/proc/net/sockstat does not tell the memory of TCP")
}

// fieldsOf returns what follows name on its line, which is not empty.
func fieldsOf(file, name string) ([]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), name); ok {
			if fields := strings.Fields(rest); len(fields) > 0 {
				return fields, nil
			}
		}
	}
	return nil, fmt.Errorf("%s has no %s", file, name)
}
