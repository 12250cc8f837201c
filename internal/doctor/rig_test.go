package doctor

import (
	"maps"
	"testing"
	"testing/fstest"
)

// tree is files of a made-up machine. The content gone removes one of the usual.
type tree map[string]string

const gone = "\x00"

// usual is a machine without cgroups and firewall that holds a million connections.
var usual = tree{
	"proc/sys/fs/nr_open":                       "2000000\n",
	"proc/sys/fs/file-max":                      "9223372036854775807\n",
	"proc/sys/fs/file-nr":                       "1000\t0\t9223372036854775807\n",
	"proc/sys/fs/epoll/max_user_watches":        "50000000\n",
	"proc/sys/net/ipv4/ip_local_port_range":     "32768\t60999\n",
	"proc/sys/net/ipv4/ip_local_reserved_ports": "\n",
	"proc/sys/net/ipv4/tcp_tw_reuse":            "2\n",
	"proc/sys/net/ipv4/tcp_syncookies":          "1\n",
	"proc/sys/net/ipv4/tcp_max_syn_backlog":     "65535\n",
	"proc/sys/net/core/somaxconn":               "65535\n",
	"proc/sys/net/ipv4/tcp_mem":                 "3000000\t4000000\t6000000\n",
	"proc/sys/net/ipv4/tcp_rmem":                "4096\t131072\t6291456\n",
	"proc/sys/net/ipv4/tcp_wmem":                "4096\t16384\t4194304\n",
	"proc/meminfo":                              "MemTotal:       67108864 kB\nMemFree:        1 kB\nMemAvailable:   60000000 kB\n",
	"proc/self/status":                          "Name:\troost\nCapEff:\t0000000000000000\nCpus_allowed_list:\t0-3\n",
	"proc/self/uid_map":                         "         0          0 4294967295\n",
	"proc/self/mountinfo":                       "22 1 8:1 / /proc rw,relatime - proc proc rw\n",
}

// machine is the usual one with some files changed.
func machine(changes ...tree) Machine {
	all := maps.Clone(usual)
	for _, c := range changes {
		maps.Copy(all, c)
	}
	files := fstest.MapFS{}
	for name, content := range all {
		if content != gone {
			files[name] = &fstest.MapFile{Data: []byte(content)}
		}
	}
	return Machine{OS: "linux", FS: files, Files: Limit{2_000_000, 2_000_000}, Procs: 4, PageSize: 4096}
}

// examine fails the test if w cannot be meant.
func examine(t *testing.T, m Machine, w Want) Report {
	t.Helper()
	r, err := Examine(m, w)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// find returns the check of a name.
func (r Report) find(t *testing.T, name string) Check {
	t.Helper()
	for _, c := range r.Checks {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("there is no check %q", name)
	return Check{}
}

// row is a case of a check.
type row struct {
	name    string
	want    Want
	files   tree
	verdict Verdict
	found   string // if not empty
	needed  string // if not empty
	holds   int    // if not 0
}

// rows runs cases of one check.
func rows(t *testing.T, check string, all []row) {
	t.Helper()
	for _, c := range all {
		t.Run(c.name, func(t *testing.T) {
			t.Helper()
			r := examine(t, machine(c.files), c.want)
			got := r.find(t, check)
			if got.Verdict != c.verdict {
				t.Errorf("verdict %s, want %s: %+v", got.Verdict, c.verdict, got)
			}
			if c.found != "" && got.Found != c.found {
				t.Errorf("found %q, want %q", got.Found, c.found)
			}
			if c.needed != "" && got.Needed != c.needed {
				t.Errorf("needed %q, want %q", got.Needed, c.needed)
			}
			if c.holds != 0 && got.holds != uint64(c.holds) {
				t.Errorf("holds %d, want %d", got.holds, c.holds)
			}
			if got.Why == "" {
				t.Error("it does not say why")
			}
			if mend := got.Verdict == Short || got.Verdict == Warn; mend != (len(got.Mend) > 0) {
				t.Errorf("%s with the remedies %v", got.Verdict, got.Mend)
			}
			if r.Short != (got.Verdict == Short) {
				t.Errorf("the report says short: %t", r.Short)
			}
		})
	}
}

// The wants that most cases need.
func server(n int) Want { return Want{Conns: n, Role: Server} }
func client(n int) Want { return Want{Conns: n, Role: Client} }
func both(n int) Want   { return Want{Conns: n, Role: Both} }
