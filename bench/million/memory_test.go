//go:build linux

package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tree writes files below a new directory.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestMemoryIsTheLeastOfMachineAndControlGroups(t *testing.T) {
	const group = "sys/fs/cgroup/"
	for _, c := range []struct {
		name  string
		files map[string]string
		want  int64
		err   string // empty: none
	}{
		{"no limit", map[string]string{}, 8 << 20, ""},
		{"a limit", map[string]string{"a/b/memory.max": "5000000\n", "a/b/memory.current": "1000000\n"}, 4000000, ""},
		{"files go when memory is short", map[string]string{"a/b/memory.max": "5000000\n", "a/b/memory.current": "1000000\n",
			"a/b/memory.stat": "anon 7\ninactive_file 300000\nactive_file 200000\n"}, 4500000, ""},
		{"a limit above", map[string]string{"a/b/memory.max": "max\n", "a/memory.max": "3000000\n", "a/memory.current": "1000000\n"}, 2000000, ""},
		{"a container's own", map[string]string{"memory.max": "3000000\n", "memory.current": "1000000\n"}, 2000000, ""},
		{"more than the machine", map[string]string{"a/b/memory.max": "50000000000\n", "a/b/memory.current": "1\n"}, 8 << 20, ""},
		{"full", map[string]string{"a/b/memory.max": "5\n", "a/b/memory.current": "9\n"}, 0, ""},
		{"damaged", map[string]string{"a/b/memory.max": "x\n"}, 8 << 20, "is not checked"},
		{"no use", map[string]string{"a/b/memory.max": "5\n"}, 8 << 20, "is not checked"},
		{"a damaged use", map[string]string{"a/b/memory.max": "5\n", "a/b/memory.current": "x"}, 8 << 20, "is not checked"},
	} {
		files := map[string]string{
			"proc/meminfo": "MemAvailable: 8192 kB\n", "proc/self/cgroup": "4:memory:/x\n0::/a/b\n", group + "cgroup.controllers": "memory\n",
		}
		for name, text := range c.files {
			files[group+name] = text
		}
		got, err := available(tree(t, files))
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %d, %v; want %d, %q", c.name, got, err, c.want, c.err)
		}
	}
}

func TestUnknownMemoryIsNotCheckedAndSaid(t *testing.T) {
	got, err := available(tree(t, nil))
	if got != math.MaxInt64 || err == nil || !strings.Contains(err.Error(), "not checked") {
		t.Errorf("without /proc: %d, %v", got, err)
	}
	if _, err := flags(func(*cli) {}).plan(got); err != nil {
		t.Errorf("a guest was refused though nothing is known: %v", err)
	}
	got, err = available(tree(t, map[string]string{"proc/meminfo": "MemAvailable: 4 kB\n", "proc/self/cgroup": "4:memory:/x\n"}))
	if got != 4096 || err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("without control groups of version 2: %d, %v", got, err)
	}
}
