package doctor

import (
	"errors"
	"testing"
)

func TestFits(t *testing.T) {
	const files = "1000 connections need 1064 file descriptors and this process may open 1063: raise the hard limit " +
		"(ulimit -Hn, LimitNOFILE= in systemd, --ulimit nofile= in docker), or see roost doctor --conns 1000"
	for _, c := range []struct {
		name   string
		m      Machine
		limit  uint64
		limErr error
		want   Want
		err    string
	}{
		{"at the edge", machine(), 1064, nil, both(1000), ""},
		{"past it", machine(), 1063, nil, both(1000), files},
		{"past it as a server", machine(), 1063, nil, server(1000), files + " --role server"},
		{"limit unknown", machine(), 0, errors.New("no luck"), both(1000), ""},
		{"memory at the edge", machine(tree{"proc/meminfo": "MemAvailable: 4409 kB"}), 5000, nil, server(1024), ""},
		{"past it", machine(tree{"proc/meminfo": "MemAvailable: 4408 kB"}), 5000, nil, server(1024),
			"1024 connections need 5 MB of memory and there is 5 MB available: ask for at most 1023, or see roost doctor --conns 1024 --role server"},
		{"the cgroup's", machine(v2, tree{"sys/fs/cgroup/system.slice/memory.max": "4408999"}), 5000, nil, server(1000),
			"1000 connections need 4 MB of memory and there is 4 MB left by memory.max of /system.slice: ask for at most 999, or see roost doctor --conns 1000 --role server"},
		{"sysctls do not count", machine(poor), 60064, nil, both(60000), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.m.Files, c.m.FilesErr = Limit{c.limit, c.limit}, c.limErr
			err := fits(c.m, c.want)
			if got := message(err); got != c.err {
				t.Errorf("got  %q\nwant %q", got, c.err)
			}
		})
	}
	elsewhere := machine(tree{"proc/meminfo": "MemAvailable: 1 kB"})
	elsewhere.OS = "darwin"
	if err := fits(elsewhere, server(1000)); err != nil {
		t.Errorf("on darwin: %v", err)
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
