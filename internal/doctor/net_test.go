package doctor

import (
	"reflect"
	"testing"
)

func TestSourcePorts(t *testing.T) {
	set := func(ports, reserved string) tree {
		return tree{"proc/sys/net/ipv4/ip_local_port_range": ports, "proc/sys/net/ipv4/ip_local_reserved_ports": reserved, "proc/sys/net/ipv4/tcp_tw_reuse": "1"}
	}
	many := func(n, sources, targets int) Want {
		return Want{Conns: n, Role: Client, Sources: sources, Targets: targets}
	}
	rows(t, portRange, []row{
		{"a server", server(100000), set("1 2", ""), NotApplicable, "", "", 0},
		{"at the edge", client(1000), set("10000 10999", ""), OK, "1000 ports × 1 source × 1 target", "1 source address", 1000},
		{"past it", client(1001), set("10000 10999", ""), Short, "", "2 source addresses", 1000},
		{"reserved within", client(991), set("10000 10999", "80,10000-10004,10500,10997-20000"), OK, "991 ports × 1 source × 1 target", "", 991},
		{"reserved past it", client(992), set("10000 10999", "80,10000-10004,10500,10997-20000"), Short, "", "", 991},
		{"reserved hidden", client(1000), set("10000 10999", gone), OK, "", "", 1000},
		{"reserved garbled", client(1000), set("10000 10999", "x,3-y"), OK, "", "", 1000},
		{"sources", many(2000, 2, 1), set("10000 10999", ""), OK, "1000 ports × 2 sources × 1 target", "2 source addresses", 2000},
		{"sources past", many(2001, 2, 1), set("10000 10999", ""), Short, "", "3 source addresses", 2000},
		{"targets", many(3000, 1, 3), set("10000 10999", ""), OK, "1000 ports × 1 source × 3 targets", "1 source address", 3000},
		{"targets past", many(3001, 1, 3), set("10000 10999", ""), Short, "", "2 source addresses", 3000},
		{"loopback", both(1_000_000), set("10000 10999", ""), OK, "1000 ports", "1000 source addresses", 0},
		{"no port", both(10), set("10000 9999", ""), Short, "0 ports", "10", 0},
		{"all reserved", client(10), set("10000 10999", "1-65535"), Short, "", "10", 0},
		{"beyond what ports are", client(10), set("70000 80000", ""), Short, "", "", 0},
		{"hidden", client(10), set(gone, ""), NotApplicable, "", "", 0},
		{"garbled", client(10), set("1024-65535", ""), NotApplicable, "", "", 0},
	})
}

func TestHowToGetMorePorts(t *testing.T) {
	for _, c := range []struct {
		name, ports string
		want        Want
		mend        []Remedy
	}{
		{"wider is enough", "32768 60999", client(64512), []Remedy{
			{"sysctl", "net.ipv4.ip_local_port_range = 1024 65535"},
			{"docker", `--sysctl net.ipv4.ip_local_port_range="1024 65535"`}}},
		{"wider is not enough", "32768 60999", client(64513), []Remedy{
			{"sysctl", "net.ipv4.ip_local_port_range = 1024 65535"},
			{"docker", `--sysctl net.ipv4.ip_local_port_range="1024 65535"`},
			{"advice", "source ports: connect from 2 addresses of this machine (ip addr add adds one), or let the server listen at 2 addresses or ports"}}},
		{"it is wide already", "1024 65535", Want{Conns: 1_000_000, Role: Client, Sources: 4}, []Remedy{
			{"advice", "source ports: connect from 16 addresses of this machine (ip addr add adds one), or let the server listen at 4 addresses or ports"}}},
		{"over loopback", "5 4", both(1_000_000), []Remedy{
			{"sysctl", "net.ipv4.ip_local_port_range = 1024 65535"},
			{"docker", `--sysctl net.ipv4.ip_local_port_range="1024 65535"`}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := machine(tree{"proc/sys/net/ipv4/ip_local_port_range": c.ports})
			if got := examine(t, m, c.want).find(t, portRange).Mend; !reflect.DeepEqual(got, c.mend) {
				t.Errorf("got  %v\nwant %v", got, c.mend)
			}
		})
	}
}

func TestReuse(t *testing.T) {
	set := func(v string) tree { return tree{"proc/sys/net/ipv4/tcp_tw_reuse": v} }
	rows(t, "net.ipv4.tcp_tw_reuse", []row{
		{"a server", server(10), set("0"), NotApplicable, "", "", 0},
		{"for all", client(20000), set("1"), OK, "1", "1", 0},
		{"for loopback, and this is not", client(20000), set("2"), Warn, "2", "1", 0},
		{"for loopback, and this is", both(20000), set("2"), OK, "2", "1 or 2", 0},
		{"off over loopback", both(20000), set("0"), Warn, "0", "1 or 2", 0},
		{"ports for all twice", client(14116), set("0"), OK, "0", "", 0},
		{"not quite", client(14117), set("0"), Warn, "0", "", 0},
		{"hidden", client(10), set(gone), NotApplicable, "", "", 0},
	})
}

func TestAcceptQueue(t *testing.T) {
	set := func(v string) tree { return tree{"proc/sys/net/core/somaxconn": v} }
	rows(t, "net.core.somaxconn", []row{
		{"at the edge", server(100_000), set("10000"), OK, "10000", "10000", 0},
		{"past it", both(100_000), set("9999"), Warn, "9999", "10000", 0},
		{"few", server(10), set("128"), OK, "", "128", 0},
		{"few past it", server(10), set("127"), Warn, "", "128", 0},
		{"very many", server(1_000_000), set("65535"), OK, "", "65535", 0},
		{"a client", client(1000), set("1"), NotApplicable, "", "", 0},
		{"hidden", server(10), set(gone), NotApplicable, "", "", 0},
	})
}

func TestSYNQueue(t *testing.T) {
	set := func(v, cookies string) tree {
		return tree{"proc/sys/net/ipv4/tcp_max_syn_backlog": v, "proc/sys/net/ipv4/tcp_syncookies": cookies}
	}
	rows(t, "net.ipv4.tcp_max_syn_backlog", []row{
		{"cookies", server(100_000), set("1", "1"), NotApplicable, "", "", 0},
		{"at the edge", server(100_000), set("10000", "0"), OK, "10000", "10000", 0},
		{"past it", both(100_000), set("9999", "0"), Warn, "9999", "10000", 0},
		{"cookies hidden", both(100_000), set("9999", gone), Warn, "9999", "10000", 0},
		{"a client", client(1000), set("1", "0"), NotApplicable, "", "", 0},
		{"hidden", both(100_000), set(gone, "0"), NotApplicable, "", "", 0},
	})
}

func TestTCPMem(t *testing.T) {
	set := func(v string) tree { return tree{"proc/sys/net/ipv4/tcp_mem": v} }
	rows(t, tcpMem, []row{
		{"at the edge", server(1000), set("1 1000 1001"), OK, "1000 pages (4 MB)", "1000", 0},
		{"past it", server(1000), set("1 999 2000000"), Warn, "999 pages (4 MB)", "1000", 0},
		{"both", both(1000), set("1 2000 2001"), OK, "", "2000", 0},
		{"both past it", both(1000), set("1 1999 2001"), Warn, "", "2000", 0},
		{"as in a container", both(1000), set(gone), NotApplicable, "", "", 0},
		{"two numbers", both(1000), set("1 2"), NotApplicable, "", "", 0},
		{"huge", both(1000), set("1 4503599627370496 9223372036854775807"), OK, "4503599627370496 pages (unlimited)", "", 0},
	})
}

// More buffers than memory are not advised.
func TestTCPMemStaysWithinTheMachine(t *testing.T) {
	for _, c := range []struct {
		total string
		want  Remedy
	}{
		{"MemTotal: 60000 kB", Remedy{"sysctl", "net.ipv4.tcp_mem = 7500 10000 15000"}},
		{"MemTotal: 59999 kB", Remedy{"advice", "net.ipv4.tcp_mem: leave it, as a message under way on each connection at once takes 41 MB of memory"}},
		{"", Remedy{"advice", "net.ipv4.tcp_mem: leave it, as a message under way on each connection at once takes 41 MB of memory"}},
	} {
		m := machine(tree{"proc/sys/net/ipv4/tcp_mem": "1 2 3", "proc/meminfo": c.total})
		if got := examine(t, m, server(10000)).find(t, tcpMem).Mend; len(got) != 1 || got[0] != c.want {
			t.Errorf("%q: %v", c.total, got)
		}
	}
}

func TestSocketBuffers(t *testing.T) {
	for _, key := range []string{"net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"} {
		set := func(v string) tree { return tree{file(key): v} }
		rows(t, key, []row{
			{"at the edge", server(10), set("4096 16384 4194304"), OK, "4096 16384 4194304", "first at most 4096", 0},
			{"past it", server(10), set("4097 16384 4194304"), Warn, "", "", 0},
			{"hidden", server(10), set(gone), NotApplicable, "", "", 0},
			{"garbled", server(10), set("4096 16384"), NotApplicable, "", "", 0},
		})
	}
}

func TestConntrack(t *testing.T) {
	const key = "net.netfilter.nf_conntrack_max"
	set := func(most, used string) tree {
		return tree{"proc/sys/net/netfilter/nf_conntrack_max": most, "proc/sys/net/netfilter/nf_conntrack_count": used}
	}
	rows(t, key, []row{
		{"no module", both(1000), nil, NotApplicable, "", "", 0},
		{"at the edge", both(1000), set("1010", "10"), OK, "1010, 10 in use", "1010", 1000},
		{"past it", both(1000), set("1009", "10"), Short, "1009, 10 in use", "1010", 999},
		{"full", both(1000), set("5", "10"), Short, "", "", 0},
		{"tracks nothing now", both(1000), set("999", "0"), Warn, "999, 0 in use", "1000", 0},
		{"count hidden", both(1000), set("999", gone), Warn, "", "", 0},
		{"garbled", both(1000), set("x", "10"), NotApplicable, "", "", 0},
	})
	for buckets, want := range map[string][]Remedy{
		gone:  {{"sysctl", key + " = 2010"}},
		"502": {{"sysctl", key + " = 2010"}},
		"501": {{"sysctl", key + " = 2010"}, {"sysctl", "net.netfilter.nf_conntrack_buckets = 502"}},
	} {
		m := machine(set("1", "10"), tree{"proc/sys/net/netfilter/nf_conntrack_buckets": buckets})
		if got := examine(t, m, both(1000)).find(t, key).Mend; !reflect.DeepEqual(got, want) {
			t.Errorf("with %q buckets: %v, want %v", buckets, got, want)
		}
	}
}
