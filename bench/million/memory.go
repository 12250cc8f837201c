//go:build linux

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// available is the memory that can be had, in bytes: the machine's, or what the limits of
// our control group leave if that is less. root is "/". The error says what is unknown,
// and that it is not checked; without any figure there is no bound.
func available(root string) (int64, error) {
	free, known := memoryOf(filepath.Join(root, "proc/meminfo"))["MemAvailable"]
	if !known {
		return math.MaxInt64, errors.New("how much memory is free cannot be told: that the guest fits is not checked")
	}
	left, err := groupLeaves(root)
	if err != nil {
		return free, fmt.Errorf("the memory limit of the control group cannot be told and is not checked: %w", err)
	}
	return min(free, left), nil
}

// groupLeaves is the least that the limits of our control group and those above it leave,
// in bytes. It knows version 2 alone.
func groupLeaves(root string) (int64, error) {
	mount := filepath.Join(root, "sys/fs/cgroup")
	if _, err := os.Stat(filepath.Join(mount, "cgroup.controllers")); err != nil {
		return 0, errors.New("there are no control groups of version 2")
	}
	own, err := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	if err != nil {
		return 0, err
	}
	_, path, _ := strings.Cut("\n"+string(own), "\n0::")
	path, _, _ = strings.Cut(path, "\n")
	least := int64(math.MaxInt64)
	for dir := filepath.Join(mount, path); len(dir) >= len(mount); dir = filepath.Dir(dir) {
		left, err := leaves(dir)
		if err != nil {
			return 0, err
		}
		least = min(least, left)
	}
	return least, nil
}

// leaves is what the limit of the group dir leaves. A group without a limit, as the first
// one is, leaves all.
func leaves(dir string) (int64, error) {
	limit, err := os.ReadFile(filepath.Join(dir, "memory.max"))
	text := strings.TrimSpace(string(limit))
	if errors.Is(err, fs.ErrNotExist) || text == "max" {
		return math.MaxInt64, nil
	}
	if err != nil {
		return 0, err
	}
	most, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, err
	}
	current, err := os.ReadFile(filepath.Join(dir, "memory.current"))
	if err != nil {
		return 0, err
	}
	used, err := strconv.ParseInt(strings.TrimSpace(string(current)), 10, 64)
	if err != nil {
		return 0, err
	}
	return max(0, most-used+cached(dir)), nil
}

// cached is what of a group's use is files, which go when memory is short.
func cached(dir string) (sum int64) {
	text, _ := os.ReadFile(filepath.Join(dir, "memory.stat")) // without it less is free
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if n, err := strconv.ParseInt(value, 10, 64); err == nil && (name == "active_file" || name == "inactive_file") {
			sum += n
		}
	}
	return sum
}
