package doctor

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
)

// poor is a machine on which every sysctl is too small.
var poor = tree{
	"proc/sys/fs/nr_open":                         "5000",
	"proc/sys/fs/file-max":                        "6000",
	"proc/sys/fs/epoll/max_user_watches":          "7000",
	"proc/sys/net/ipv4/tcp_tw_reuse":              "0",
	"proc/sys/net/ipv4/ip_local_port_range":       "40000 40999",
	"proc/sys/net/ipv4/tcp_syncookies":            "0",
	"proc/sys/net/ipv4/tcp_max_syn_backlog":       "100",
	"proc/sys/net/core/somaxconn":                 "100",
	"proc/sys/net/ipv4/tcp_mem":                   "1000 1000 1000",
	"proc/sys/net/ipv4/tcp_rmem":                  "8192 131072 6291456",
	"proc/sys/net/ipv4/tcp_wmem":                  "8192 16384 4194304",
	"proc/sys/net/netfilter/nf_conntrack_max":     "2000",
	"proc/sys/net/netfilter/nf_conntrack_count":   "7",
	"proc/sys/net/netfilter/nf_conntrack_buckets": "2000",
}

// What doctor says to set is enough: set, nothing is short and nothing warns.
func TestWhatMendsMends(t *testing.T) {
	for _, role := range []Role{Server, Client, Both} {
		w := Want{Conns: 60000, Role: role}
		r := examine(t, machine(poor), w)
		if !r.Short {
			t.Fatalf("%s: the machine is not poor", role)
		}
		set := tree{}
		for line := range strings.Lines(r.Sysctls()) {
			if key, value, ok := strings.Cut(line, " = "); ok && line[0] != '#' {
				set[file(key)] = value
			}
		}
		for _, c := range examine(t, machine(poor, set), w).Checks {
			if c.Verdict == Short || c.Verdict == Warn {
				t.Errorf("%s: still %s: %+v", role, c.Verdict, c)
			}
		}
	}
}

func TestScriptOfASmallMachine(t *testing.T) {
	m := machine(poor)
	m.Files = Limit{1024, 4096}
	want := `sudo tee -a /etc/sysctl.d/90-roost.conf <<END
fs.nr_open = 60064
fs.file-max = 67170
fs.epoll.max_user_watches = 60064
net.netfilter.nf_conntrack_max = 120007
net.netfilter.nf_conntrack_buckets = 30001
net.core.somaxconn = 6000
net.ipv4.tcp_max_syn_backlog = 6000
net.ipv4.tcp_mem = 45000 60000 90000
net.ipv4.tcp_rmem = 4096 131072 6291456
net.ipv4.tcp_wmem = 4096 16384 4194304
END
sudo sysctl -p /etc/sysctl.d/90-roost.conf
sudo prlimit --pid $$ --nofile=60064:60064   # for this shell and what it starts
# in a systemd unit, under [Service]: LimitNOFILE=60064
# in docker: docker run --ulimit nofile=60064:60064 --sysctl net.core.somaxconn=6000 --sysctl net.ipv4.tcp_max_syn_backlog=6000 ` +
		`--sysctl net.ipv4.tcp_rmem="4096 131072 6291456" --sysctl net.ipv4.tcp_wmem="4096 16384 4194304" IMAGE
`
	r := examine(t, m, server(60000))
	if got := r.Script(); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
	m.Root = true
	if got := examine(t, m, server(60000)).Script(); strings.Contains(got, "sudo tee") || strings.Contains(got, "sudo sysctl") {
		t.Errorf("root needs no sudo:\n%s", got)
	}
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no shell to read the script")
	}
	cmd := exec.Command(sh, "-n")
	cmd.Stdin = strings.NewReader(r.Script())
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("sh -n: %v: %s", err, out)
	}
}

// From inside a container nothing can be set: the rest is docker's and the host's.
func TestScriptInAContainer(t *testing.T) {
	m := machine(poor, tree{"proc/self/mountinfo": "1 2 0:3 / /proc/sys ro,nosuid - proc proc rw\n", "proc/sys/net/ipv4/tcp_mem": gone})
	want := `# in docker: docker run --sysctl net.core.somaxconn=6000 --sysctl net.ipv4.tcp_max_syn_backlog=6000 ` +
		`--sysctl net.ipv4.tcp_rmem="4096 131072 6291456" --sysctl net.ipv4.tcp_wmem="4096 16384 4194304" IMAGE
`
	host := `# on the host, as root: sysctl -w fs.nr_open=60064
# on the host, as root: sysctl -w fs.file-max=67170
# on the host, as root: sysctl -w fs.epoll.max_user_watches=60064
# on the host, as root: sysctl -w net.netfilter.nf_conntrack_max=120007
# on the host, as root: sysctl -w net.netfilter.nf_conntrack_buckets=30001
`
	if got := examine(t, m, server(60000)).Script(); got != host+want {
		t.Errorf("got:\n%swant:\n%s", got, host+want)
	}
}

func TestSysctls(t *testing.T) {
	r := examine(t, machine(tree{"proc/sys/fs/nr_open": "5"}), Want{Conns: 10, Role: Client, Sources: 2, Targets: 3})
	got := r.Sysctls()
	for _, line := range []string{
		"# For 10 WebSocket connections: roost doctor --conns 10 --role client --target-addresses 3 --source-addresses 2 --sysctl\n",
		"\nfs.nr_open = 74\n",
		"\n# net.ipv4.tcp_wmem: found 4096 16384 4194304, needed first at most 4096\n",
	} {
		if !strings.Contains("\n"+got, line) {
			t.Errorf("no line %q in:\n%s", line, got)
		}
	}
	if strings.Contains(got, "memory") || strings.Contains(got, "open files") {
		t.Errorf("what is no sysctl is in:\n%s", got)
	}
}

func TestText(t *testing.T) {
	m := machine(tree{"proc/sys/net/core/somaxconn": "5"})
	m.Files = Limit{500, 500}
	r := examine(t, m, server(1000))
	text := r.Text(false)
	want := `1000 connections, role server

       check                           found                    needed
short  open files (RLIMIT_NOFILE)      500                      1064
         each connection is a descriptor of its process, and 64 are for the rest; roost raises its
         soft limit to the hard one by itself; raising the hard one takes CAP_SYS_RESOURCE
warn   net.core.somaxconn              5                        128
         it bounds the connections that wait to be accepted; when many come at once, those beyond it
         are dropped and try again a second later
ok     fs.nr_open                      2000000                  1064
ok     fs.file-max                     unlimited, 1000 in use   2064
`
	if !strings.HasPrefix(text, want) {
		t.Errorf("got:\n%s\nwant:\n%s", text, want)
	}
	for _, s := range []string{
		"\nAs it is, 436 of 1000 connections fit. Short: open files (RLIMIT_NOFILE).\n\nTo mend:\n\nsudo tee",
		"\nn/a    net.netfilter.nf_conntrack_max\n         no firewall tracks connections here\n",
	} {
		if !strings.Contains(text, s) {
			t.Errorf("no %q in:\n%s", s, text)
		}
	}
	if strings.Contains(text, "\x1b") {
		t.Error("colour that nobody asked for")
	}
	if coloured := r.Text(true); !strings.Contains(coloured, "\x1b[1;31mshort\x1b[m  open files") {
		t.Errorf("no red in %q", coloured[:300])
	}
	if text := examine(t, machine(), server(1000)).Text(false); !strings.HasSuffix(text, "\nAll 1000 connections fit.\n") {
		t.Errorf("got:\n%s", text)
	}
}

func TestElsewhereOnlyOpenFilesAreChecked(t *testing.T) {
	m := Machine{OS: "plan9", FS: fstest.MapFS{}, Files: Limit{1063, 1063}}
	r := examine(t, m, server(1000))
	if len(r.Checks) != 1 || !r.Short || r.Holds != 999 {
		t.Errorf("%+v", r)
	}
	if text := r.Text(false); !strings.Contains(text, "Note: on plan9 only the limit of open files is checked;") {
		t.Errorf("got:\n%s", text)
	}
}

// A machine that shows nothing, and one that shows nonsense, are no reason to fail.
func TestNothingAndNonsense(t *testing.T) {
	nonsense := fstest.MapFS{}
	for _, all := range []tree{usual, poor, {"proc/self/cgroup": ""}} {
		for name := range all {
			nonsense[name] = &fstest.MapFile{Data: []byte(":- - ::\n1:-:- /\x00 MemTotal")}
		}
	}
	for name, files := range map[string]fstest.MapFS{"nothing": {}, "nonsense": nonsense} {
		r := examine(t, Machine{OS: "linux", FS: files, Files: Limit{5000, 5000}, Procs: 1, PageSize: 4096}, both(1000))
		for _, c := range r.Checks {
			if want := c.Name == "open files (RLIMIT_NOFILE)"; want != (c.Verdict == OK) || !want && c.Verdict != NotApplicable {
				t.Errorf("%s: %+v", name, c)
			}
		}
		if r.Short || r.Holds != 4936 {
			t.Errorf("%s: short %t, holds %d", name, r.Short, r.Holds)
		}
	}
}

func TestWantsThatCannotBeMeant(t *testing.T) {
	for want, ok := range map[Want]bool{
		{Conns: 0, Role: Both}:                                       false,
		{Conns: 1, Role: Both}:                                       true,
		{Conns: MaxConns, Role: Both}:                                true,
		{Conns: MaxConns + 1, Role: Both}:                            false,
		{Conns: 1, Role: "host"}:                                     false,
		{Conns: 1, Role: Client, Sources: -1}:                        false,
		{Conns: 1, Role: Client, Targets: -1}:                        false,
		{Conns: 1, Role: Client, Sources: 1 << 20, Targets: 1 << 20}: true,
		{Conns: 1, Role: Client, Sources: 1<<20 + 1}:                 false,
		{Conns: 1, Role: Client, Targets: 1<<20 + 1}:                 false,
	} {
		_, err := Examine(machine(), want)
		if (err == nil) != ok || (want.Validate() == nil) != ok || (fits(machine(tree{"proc/meminfo": gone}), want) == nil) != (ok && want.Conns == 1) {
			t.Errorf("%+v: %v", want, err)
		}
	}
}

func TestJSON(t *testing.T) {
	m := machine(tree{"proc/sys/fs/nr_open": "1063"})
	b, err := json.Marshal(examine(t, m, server(1000)))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"conns":1000,"role":"server","target_addresses":1,"source_addresses":1,"short":true,"holds":999,"checks":[` +
		`{"name":"fs.nr_open","found":"1063","needed":"1064","verdict":"short",` +
		`"why":"no limit of open files can be set above it, not even by root","mend":[{"by":"sysctl","line":"fs.nr_open = 1064"}]},`
	if !bytes.HasPrefix(b, []byte(want)) {
		t.Errorf("got  %.400s\nwant %s", b, want)
	}
}

// The machine that runs the test can be examined, whatever it is.
func TestThisMachine(t *testing.T) {
	r := examine(t, This(), both(1))
	if c := r.Checks; len(c) == 0 || runtime.GOOS == "linux" && len(c) < 10 {
		t.Errorf("%+v", c)
	}
}
