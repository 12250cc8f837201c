package doctor

import (
	"errors"
	"strings"
	"testing"
)

func TestOpenFiles(t *testing.T) {
	const name = "open files (RLIMIT_NOFILE)"
	for _, c := range []struct {
		name    string
		limit   Limit
		role    Role
		verdict Verdict
		found   string
	}{
		{"at the edge", Limit{1064, 1064}, Server, OK, "1064"},
		{"past it", Limit{1063, 1063}, Server, Short, "1063"},
		{"each process of both has its own", Limit{1064, 1064}, Both, OK, "1064"},
		{"the soft limit can be raised", Limit{100, 1064}, Client, OK, "soft 100, hard 1064"},
		{"not above the hard one", Limit{100, 1063}, Client, Short, "soft 100, hard 1063"},
		{"less than the reserve", Limit{10, 10}, Client, Short, "10"},
		{"no limit", Limit{1 << 63, 1<<64 - 1}, Client, OK, "soft unlimited, hard unlimited"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := machine()
			m.Files = c.limit
			r := examine(t, m, Want{Conns: 1000, Role: c.role})
			got := r.find(t, name)
			if got.Verdict != c.verdict || got.Found != c.found || got.Needed != "1064" {
				t.Errorf("%+v", got)
			}
			if r.Short != (c.verdict == Short) {
				t.Errorf("the report says short: %t", r.Short)
			}
		})
	}
	m := machine()
	m.Files, m.FilesErr = Limit{}, errors.New("getrlimit: no luck")
	if c := examine(t, m, server(1)).find(t, name); c.Verdict != NotApplicable || c.Why != "getrlimit: no luck" {
		t.Errorf("unread: %+v", c)
	}
}

// Who may raise a hard limit, and where, decides what helps.
func TestHowToGetMoreOpenFiles(t *testing.T) {
	const (
		none = "CapEff:\t0000000000000000\n"
		cap_ = "CapEff:\t0000000001000000\n"
		rest = "CapEff:\t000001fffeffffff\n"
	)
	docker := tree{"proc/self/mountinfo": "1 2 0:3 / /proc/sys ro,nosuid - proc proc rw\n"}
	rootless := tree{"proc/self/uid_map": "0 1000 1\n"}
	for _, c := range []struct {
		name, os string
		root     bool
		files    []tree
		want     string // the script
	}{
		{"a user", "linux", false, []tree{{"proc/self/status": none}},
			"sudo prlimit --pid $$ --nofile=1064:1064   # for this shell and what it starts\n" +
				"# in a systemd unit, under [Service]: LimitNOFILE=1064\n# in docker: docker run --ulimit nofile=1064:1064 IMAGE\n"},
		{"the capability", "linux", true, []tree{{"proc/self/status": cap_}},
			"ulimit -Hn 1064   # for this shell and what it starts\n" +
				"# in a systemd unit, under [Service]: LimitNOFILE=1064\n# in docker: docker run --ulimit nofile=1064:1064 IMAGE\n"},
		{"root without the capability", "linux", true, []tree{{"proc/self/status": rest}},
			"# open files: no process here has CAP_SYS_RESOURCE, so the hard limit has to be raised where this one is started\n" +
				"# in a systemd unit, under [Service]: LimitNOFILE=1064\n# in docker: docker run --ulimit nofile=1064:1064 IMAGE\n"},
		{"status hidden", "linux", true, []tree{{"proc/self/status": gone}},
			"# open files: no process here has CAP_SYS_RESOURCE, so the hard limit has to be raised where this one is started\n" +
				"# in a systemd unit, under [Service]: LimitNOFILE=1064\n# in docker: docker run --ulimit nofile=1064:1064 IMAGE\n"},
		{"docker", "linux", true, []tree{docker, {"proc/self/status": rest}}, "# in docker: docker run --ulimit nofile=1064:1064 IMAGE\n"},
		{"a user namespace", "linux", true, []tree{rootless, {"proc/self/status": cap_}}, "# in docker: docker run --ulimit nofile=1064:1064 IMAGE\n"},
		{"a user namespace that may set sysctls", "linux", true, []tree{rootless, {"proc/self/status": cap_, "proc/self/mountinfo": "1 2 0:3 / /proc/sys rw - proc proc rw\n"}},
			"# open files: no process here has CAP_SYS_RESOURCE, so the hard limit has to be raised where this one is started\n" +
				"# in a systemd unit, under [Service]: LimitNOFILE=1064\n# in docker: docker run --ulimit nofile=1064:1064 IMAGE\n"},
		{"macOS", "darwin", false, nil, "# as root, before roost starts: ulimit -Hn 1064\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := machine(c.files...)
			m.Files, m.OS, m.Root = Limit{1000, 1000}, c.os, c.root
			if got := examine(t, m, server(1000)).Script(); got != c.want {
				t.Errorf("got:\n%swant:\n%s", got, c.want)
			}
		})
	}
}

func TestNrOpen(t *testing.T) {
	set := func(v string) tree { return tree{"proc/sys/fs/nr_open": v} }
	rows(t, "fs.nr_open", []row{
		{"at the edge", both(1000), set("1064"), OK, "1064", "1064", 1000},
		{"past it", both(1000), set("1063"), Short, "1063", "1064", 999},
		{"less than the reserve", both(1000), set("10"), Short, "10", "1064", 0},
		{"hidden", both(1000), set(gone), NotApplicable, "", "", 0},
		{"words", both(1000), set("many"), NotApplicable, "", "", 0},
		{"empty", both(1000), set(""), NotApplicable, "", "", 0},
		{"two numbers", both(1000), set("1 2"), NotApplicable, "", "", 0},
		{"a number and a word", both(1000), set("5000 x"), NotApplicable, "", "", 0},
		{"negative", both(1000), set("-1"), NotApplicable, "", "", 0},
	})
}

func TestFileMax(t *testing.T) {
	set := func(most, nr string) tree {
		return tree{"proc/sys/fs/file-max": most, "proc/sys/fs/file-nr": nr}
	}
	rows(t, "fs.file-max", []row{
		{"at the edge", server(1000), set("1564", "500 0 1564"), OK, "1564, 500 in use", "1564", 1000},
		{"past it", server(1000), set("1563", "500 0 1564"), Short, "1563, 500 in use", "1564", 999},
		{"both count", both(1000), set("2628", "500 0 2628"), OK, "", "2628", 1000},
		{"both past it", both(1000), set("2627", "500 0 2627"), Short, "", "2628", 999},
		{"all in use", server(1000), set("400", "500 0 400"), Short, "", "", 0},
		{"more in use than can be", server(1000), set("2000", "18446744073709551615 0 0"), Short, "2000, 9223372036854775807 in use", "", 0},
		{"use hidden", server(1000), set("1064", gone), OK, "1064", "1064", 1000},
		{"use garbled", server(1000), set("1063", "x"), Short, "1063", "1064", 999},
		{"above 63 bits", server(1000), set("18446744073709551615", "5 0 0"), OK, "unlimited, 5 in use", "", 0},
		{"above 64 bits", server(1000), set("99999999999999999999", "5 0 0"), OK, "unlimited, 5 in use", "", 0},
		{"garbled", server(1000), set("x", "5 0 0"), NotApplicable, "", "", 0},
	})
}

func TestWatches(t *testing.T) {
	set := func(v string) tree { return tree{"proc/sys/fs/epoll/max_user_watches": v} }
	rows(t, "fs.epoll.max_user_watches", []row{
		{"at the edge", both(1000), set("2128"), OK, "2128", "2128", 1000},
		{"past it", both(1000), set("2127"), Short, "2127", "2128", 999},
		{"one process", client(1000), set("1064"), OK, "", "1064", 1000},
		{"hidden", client(1000), set(gone), NotApplicable, "", "", 0},
	})
}

// A value that is not a number is told with its file, and not at any length.
func TestGarbageIsNamed(t *testing.T) {
	m := machine(tree{"proc/sys/fs/nr_open": strings.Repeat("z", 5000)})
	why := examine(t, m, server(1)).find(t, "fs.nr_open").Why
	if !strings.HasPrefix(why, `/proc/sys/fs/nr_open holds "zzz`) || len(why) > 150 {
		t.Errorf("%q", why)
	}
}
