package doctor

import (
	"math"
	"reflect"
	"strings"
	"testing"
)

func TestMemory(t *testing.T) {
	set := func(v string) tree { return tree{"proc/meminfo": v} }
	rows(t, "memory", []row{
		// 4,409 bytes a connection are 4,409 KiB for 1,024.
		{"a server at the edge", server(1024), set("MemAvailable:    4409 kB\n"), OK, "5 MB available", "5 MB", 1024},
		{"past it", server(1024), set("MemAvailable:    4408 kB\n"), Short, "", "", 1023},
		{"a client at the edge", client(1024), set("MemAvailable: 4600 kB"), OK, "", "", 1024},
		{"a client past it", client(1024), set("MemAvailable: 4599 kB"), Short, "", "", 1023},
		{"both at the edge", both(1024), set("MemAvailable: 9009 kB"), OK, "9 MB available", "9 MB", 1024},
		{"both past it", both(1024), set("MemAvailable: 9008 kB"), Short, "", "", 1023},
		{"little", server(1), set("MemAvailable: 5 kB"), OK, "6 kB available", "5 kB", 1},
		{"much", server(1), set("MemAvailable: 5000000 kB"), OK, "5.1 GB available", "5 kB", 0},
		{"an old kernel", server(1024), set("MemTotal: 1 kB\nMemFree: 1 kB\n"), NotApplicable, "", "", 0},
		{"hidden", server(1024), set(gone), NotApplicable, "", "", 0},
		{"garbled", server(1024), set("MemAvailable: lots kB"), NotApplicable, "", "", 0},
	})
}

// The places where a container runtime leaves its limits.
var (
	v2 = tree{
		"proc/self/cgroup":    "0::/system.slice/roost.service\n",
		"proc/self/mountinfo": "30 22 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n",
	}
	v2InDocker = tree{
		"proc/self/cgroup":    "0::/\n",
		"proc/self/mountinfo": "30 22 0:27 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw\n",
	}
	v1InDocker = tree{ // without a cgroup namespace: the mount begins at the container
		"proc/self/cgroup": "5:cpuacct,cpu:/docker/abc\n4:memory:/docker/abc\n3:pids:/docker/abc\n1:name=systemd:/docker/abc\n0::/system.slice/docker.service\n",
		"proc/self/mountinfo": "34 30 0:31 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n" +
			"35 30 0:31 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n" +
			"37 30 0:40 / /sys/fs/cgroup/unified ro - cgroup2 cgroup rw\nnonsense\n",
	}
	v1NoMounts = tree{"proc/self/cgroup": "4:memory:/a/b\n3:pids:/a/b\n2:cpu:/a/b", "proc/self/mountinfo": gone}
	v2NoMounts = tree{"proc/self/cgroup": "garbage\n0::/a/b", "proc/self/mountinfo": gone}
)

// files of two trees.
func and(a, b tree) tree {
	all := tree{}
	for _, t := range []tree{a, b} {
		for k, v := range t {
			all[k] = v
		}
	}
	return all
}

func TestCgroupMemory(t *testing.T) {
	const unit, slice = "sys/fs/cgroup/system.slice/roost.service/", "sys/fs/cgroup/system.slice/"
	rows(t, "cgroup memory", []row{
		{"no cgroups", server(1000), nil, NotApplicable, "", "", 0},
		{"no limit", server(1000), and(v2, tree{unit + "memory.max": "max\n", unit + "memory.high": "max\n"}), NotApplicable, "", "", 0},
		{"at the edge", server(1000), and(v2, tree{unit + "memory.max": "4409000\n"}), OK, "4 MB left by memory.max of /system.slice/roost.service", "4 MB", 1000},
		{"past it", server(1000), and(v2, tree{unit + "memory.max": "4408999\n"}), Short, "", "", 999},
		{"memory.high counts", server(1000), and(v2, tree{unit + "memory.max": "9000000", unit + "memory.high": "4408999"}), Short, "4 MB left by memory.high of /system.slice/roost.service", "", 999},
		{"the parent counts", server(1000), and(v2, tree{unit + "memory.max": "9000000", slice + "memory.max": "4408999"}), Short, "4 MB left by memory.max of /system.slice", "", 999},
		{"not a larger parent", server(1000), and(v2, tree{unit + "memory.max": "4408999", slice + "memory.max": "9000000"}), Short, "4 MB left by memory.max of /system.slice/roost.service", "", 999},
		{"in use", server(1000), and(v2, tree{unit + "memory.max": "5409000", unit + "memory.current": "1000000"}), OK, "", "", 1000},
		{"in use past it", server(1000), and(v2, tree{unit + "memory.max": "5408999", unit + "memory.current": "1000000"}), Short, "", "", 999},
		{"page cache goes", server(1000), and(v2, tree{unit + "memory.max": "4409000", unit + "memory.current": "1000000", unit + "memory.stat": "anon 5\ninactive_file 1000000\n"}), OK, "", "", 1000},
		{"use above the limit", server(1000), and(v2, tree{unit + "memory.max": "100", unit + "memory.current": "200"}), Short, "0 kB left by memory.max of /system.slice/roost.service", "", 0},
		{"garbled", server(1000), and(v2, tree{unit + "memory.max": "a lot"}), NotApplicable, "", "", 0},
		{"docker, version 2", server(1000), and(v2InDocker, tree{"sys/fs/cgroup/memory.max": "4408999"}), Short, "4 MB left by memory.max of /", "", 999},
		{"docker, version 1", server(1000), and(v1InDocker, tree{"sys/fs/cgroup/memory/memory.limit_in_bytes": "5409000",
			"sys/fs/cgroup/memory/memory.usage_in_bytes": "1500000", "sys/fs/cgroup/memory/memory.stat": "cache 1\ntotal_inactive_file 500000\n"}), OK,
			"4 MB left by memory.limit_in_bytes of /", "", 1000},
		{"version 1 without a limit", server(1000), and(v1InDocker, tree{"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712"}), NotApplicable, "", "", 0},
		{"version 1, mounts hidden", server(1000), and(v1NoMounts, tree{"sys/fs/cgroup/memory/a/memory.limit_in_bytes": "4408999"}), Short, "4 MB left by memory.limit_in_bytes of /a", "", 999},
		{"version 2, mounts hidden", server(1000), and(v2NoMounts, tree{"sys/fs/cgroup/a/memory.max": "4408999"}), Short, "4 MB left by memory.max of /a", "", 999},
		{"a group outside what is mounted", server(1000), tree{"proc/self/cgroup": "0::/../other",
			"proc/self/mountinfo":      "30 22 0:27 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n",
			"sys/fs/cgroup/memory.max": "4408999"}, Short, "4 MB left by memory.max of /", "", 999},
		{"a mount whose name only begins alike", server(1000), tree{"proc/self/cgroup": "0::/docker/abcdef",
			"proc/self/mountinfo":      "30 22 0:27 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n",
			"sys/fs/cgroup/memory.max": "4409000", "sys/fs/cgroup/def/memory.max": "1"}, OK, "4 MB left by memory.max of /", "", 1000},
	})
}

// A new limit leaves room for what is in use, and for the program.
func TestHowToGetMoreCgroupMemory(t *testing.T) {
	const unit = "sys/fs/cgroup/system.slice/roost.service/"
	for file, setting := range map[string]string{"memory.max": "MemoryMax", "memory.high": "MemoryHigh"} {
		m := machine(v2, tree{unit + file: "2097152", unit + "memory.current": "1048576"})
		want := []Remedy{
			// 4.409 MB are 4.2 MiB, 1 is in use, 64 are for the process.
			{"advice", "cgroup memory: 237 connections fit; more take a limit of 70 MiB for the group /system.slice/roost.service"},
			{"systemd", setting + "=70M"},
			{"docker", "--memory=70m"},
		}
		if got := examine(t, m, server(1000)).find(t, "cgroup memory").Mend; !reflect.DeepEqual(got, want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
	}
}

func TestThreads(t *testing.T) {
	const unit, slice = "sys/fs/cgroup/system.slice/roost.service/", "sys/fs/cgroup/system.slice/"
	rows(t, "cgroup pids", []row{
		{"no cgroups", server(10), nil, NotApplicable, "", "", 0},
		{"no limit", server(10), and(v2, tree{unit + "pids.max": "max"}), NotApplicable, "", "", 0},
		{"at the edge", server(10), and(v2, tree{unit + "pids.max": "25", unit + "pids.current": "5"}), OK, "20 left by pids.max of /system.slice/roost.service", "20", 0},
		{"past it", server(10), and(v2, tree{unit + "pids.max": "25", unit + "pids.current": "6"}), Short, "", "20", 0},
		{"both", both(10), and(v2, tree{unit + "pids.max": "40", unit + "pids.current": gone}), OK, "", "40", 0},
		{"both past it", both(10), and(v2, tree{unit + "pids.max": "39"}), Short, "", "40", 0},
		{"the parent counts", server(10), and(v2, tree{unit + "pids.max": "100", slice + "pids.max": "19"}), Short, "19 left by pids.max of /system.slice", "", 0},
		{"version 1", server(10), and(v1NoMounts, tree{"sys/fs/cgroup/pids/a/b/pids.max": "19"}), Short, "", "", 0},
		{"garbled", server(10), and(v2, tree{unit + "pids.max": "few"}), NotApplicable, "", "", 0},
	})
}

func TestProcessors(t *testing.T) {
	const unit, slice = "sys/fs/cgroup/system.slice/roost.service/", "sys/fs/cgroup/system.slice/"
	v1 := "sys/fs/cgroup/cpu,cpuacct/"
	cpus := func(list string) tree { return tree{"proc/self/status": "Cpus_allowed_list:\t" + list + "\n"} }
	rows(t, "processors (GOMAXPROCS)", []row{ // the machine runs with 4
		{"at the edge", server(10), cpus("0-3"), OK, "4, with 4 processors", "at most 4", 0},
		{"a cpuset", server(10), cpus("0,2-3"), Warn, "4, with 3 processors", "at most 3", 0},
		{"no quota", server(10), and(v2, tree{unit + "cpu.max": "max 100000"}), OK, "4, with 4 processors", "", 0},
		{"a quota at the edge", server(10), and(v2, tree{unit + "cpu.max": "300001 100000"}), OK, "4, with 4 processors and a quota of 3", "at most 4", 0},
		{"past it", server(10), and(v2, tree{unit + "cpu.max": "300000 100000"}), Warn, "", "at most 3", 0},
		{"a small quota", server(10), and(v2, tree{unit + "cpu.max": "50000 100000"}), Warn, "4, with 4 processors and a quota of 0.5", "at most 2", 0},
		{"one processor and a quota", server(10), and(cpus("7"), and(v2, tree{unit + "cpu.max": "50000 100000"})), Warn, "4, with 1 processor and a quota of 0.5", "at most 1", 0},
		{"the parent counts", server(10), and(v2, tree{unit + "cpu.max": "400000 100000", slice + "cpu.max": "200000 100000"}), Warn, "", "at most 2", 0},
		{"version 1 without", server(10), and(v1InDocker, tree{v1 + "cpu.cfs_quota_us": "-1", v1 + "cpu.cfs_period_us": "100000"}), OK, "", "at most 4", 0},
		{"version 1", server(10), and(v1InDocker, tree{v1 + "cpu.cfs_quota_us": "250000", v1 + "cpu.cfs_period_us": "100000"}), Warn, "", "at most 3", 0},
		{"a period of 0", server(10), and(v1InDocker, tree{v1 + "cpu.cfs_quota_us": "250000", v1 + "cpu.cfs_period_us": "0"}), NotApplicable, "", "", 0},
		{"period hidden", server(10), and(v1InDocker, tree{v1 + "cpu.cfs_quota_us": "250000"}), NotApplicable, "", "", 0},
		{"quota garbled", server(10), and(v1InDocker, tree{v1 + "cpu.cfs_quota_us": "x"}), NotApplicable, "", "", 0},
		{"garbled", server(10), and(v2, tree{unit + "cpu.max": "some"}), NotApplicable, "", "", 0},
		{"all hidden", server(10), tree{"proc/self/status": gone}, NotApplicable, "", "", 0},
	})
}

func TestWhoSetGOMAXPROCS(t *testing.T) {
	m := machine()
	m.Procs = 5
	c := examine(t, m, server(10)).find(t, "processors (GOMAXPROCS)")
	if len(c.Mend) != 1 || c.Mend[0] != (Remedy{"shell", "export GOMAXPROCS=4"}) {
		t.Errorf("not the environment: %v", c.Mend)
	}
	m.ProcsEnv = "5"
	c = examine(t, m, server(10)).find(t, "processors (GOMAXPROCS)")
	if len(c.Mend) != 1 || c.Mend[0] != (Remedy{"shell", "unset GOMAXPROCS"}) {
		t.Errorf("the environment: %v", c.Mend)
	}
}

func TestAvailableMemoryIsTheLeastOfMachineAndCgroups(t *testing.T) {
	const unit, slice = "sys/fs/cgroup/system.slice/roost.service/", "sys/fs/cgroup/system.slice/"
	free := tree{"proc/meminfo": "MemAvailable: 8192 kB\n"}
	for _, c := range []struct {
		name  string
		files tree
		want  uint64
		err   string // empty: none
	}{
		{"no cgroups", free, 8 << 20, ""},
		{"a limit", and(free, and(v2, tree{unit + "memory.max": "5000000\n", unit + "memory.current": "1000000\n"})), 4000000, ""},
		{"files go when memory is short", and(free, and(v2, tree{unit + "memory.max": "5000000", unit + "memory.current": "1000000",
			unit + "memory.stat": "anon 7\ninactive_file 300000\n"})), 4300000, ""},
		{"a limit above", and(free, and(v2, tree{unit + "memory.max": "max", slice + "memory.max": "3000000", slice + "memory.current": "1000000"})), 2000000, ""},
		{"a container's own", and(free, and(v2InDocker, tree{"sys/fs/cgroup/memory.max": "3000000", "sys/fs/cgroup/memory.current": "1"})), 2999999, ""},
		{"more than the machine", and(free, and(v2, tree{unit + "memory.max": "50000000000", unit + "memory.current": "1"})), 8 << 20, ""},
		{"full", and(free, and(v2, tree{unit + "memory.max": "5", unit + "memory.current": "9"})), 0, ""},
		{"a damaged limit", and(free, and(v2, tree{unit + "memory.max": "x"})), 8 << 20, "limit of the cgroups"},
		{"nothing", tree{"proc/meminfo": gone}, math.MaxUint64, "how much memory is free"},
		{"a limit alone", and(tree{"proc/meminfo": gone}, and(v2, tree{unit + "memory.max": "5", unit + "memory.current": "1"})), 4, "how much memory is free"},
	} {
		got, err := machine(c.files).AvailableMemory()
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %d, %v; want %d, %q", c.name, got, err, c.want, c.err)
		}
	}
}
