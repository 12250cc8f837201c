//go:build linux

package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// setting is a file of /proc/sys and what to write into it.
type setting struct{ name, value string }

// settings let a guest have n connections with both ends.
func settings(n int, memory int64) []setting {
	files := n + 4096 // of one process
	pages := memory / 4096
	return []setting{
		{"fs/nr_open", strconv.Itoa(max(files, 1<<20))},
		{"fs/file-max", strconv.Itoa(2*files + 65536)},
		{"fs/epoll/max_user_watches", strconv.Itoa(2*files + 65536)},
		{"net/core/somaxconn", "65535"},
		// Loopback drops what does not fit here, and a loop that publishes sends many at once.
		{"net/core/netdev_max_backlog", strconv.Itoa(max(2*n, 1000))},
		// A turn of the kernel's receives is 2,000 packets and two seconds long instead of 300
		// and 8 ms: in emulated time that was too little beside the timers, which have no limit.
		{"net/core/netdev_budget", "2000"},
		{"net/core/netdev_budget_usecs", "2000000"},
		{"net/ipv4/tcp_max_syn_backlog", "65535"},
		{"net/ipv4/ip_local_port_range", "60000 65535"}, // the load needs every port of its own range
		{"net/ipv4/tcp_max_orphans", strconv.Itoa(2 * files)},
		{"net/ipv4/tcp_max_tw_buckets", strconv.Itoa(2 * files)},
		{"net/ipv4/tcp_mem", fmt.Sprintf("%d %d %d", pages/2, pages*3/4, pages)},
		{"vm/overcommit_memory", "1"}, // Go reserves far more than it takes
	}
}

// prepare makes the guest's kernel ready for n connections.
func prepare(n int, memory int64) error {
	for _, m := range []struct{ kind, at string }{{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}} {
		if err := unix.Mount(m.kind, m.at, m.kind, 0, ""); err != nil && !errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("%s cannot be mounted: %w", m.at, err)
		}
	}
	for _, s := range settings(n, memory) {
		if err := os.WriteFile("/proc/sys/"+s.name, []byte(s.value), 0o644); err != nil {
			return fmt.Errorf("the kernel does not take %s: %w", s.value, err)
		}
	}
	limit := unix.Rlimit{Cur: uint64(n) + 4096, Max: uint64(n) + 4096}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("the limit of open files stays as it is: %w", err)
	}
	return loopbackUp()
}

// loopbackUp switches the interface lo on.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	r, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r); err != nil {
		return fmt.Errorf("the loopback interface stays down: %w", err)
	}
	// The kernel gives it its address by itself.
	return waitLonger()
}

// meminfo reads lines "Name:  12 kB", as /proc/meminfo and /proc/*/status have them, in
// bytes. Other lines are left out.
func meminfo(s *bufio.Scanner) map[string]int64 {
	found := map[string]int64{}
	for s.Scan() {
		f := strings.Fields(s.Text())
		if len(f) != 3 || f[2] != "kB" {
			continue
		}
		if n, err := strconv.ParseInt(f[1], 10, 64); err == nil {
			found[strings.TrimSuffix(f[0], ":")] = n << 10
		}
	}
	return found
}

// memoryOf is meminfo of a file, empty if it cannot be read.
func memoryOf(path string) map[string]int64 {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	return meminfo(bufio.NewScanner(f))
}
