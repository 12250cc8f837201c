package doctor

import (
	"fmt"
	"strconv"
	"strings"
)

const portRange = "net.ipv4.ip_local_port_range"

// widest is the largest range worth setting: below are the ports of services.
const widest, widestPorts = "1024 65535", 65535 - 1024 + 1

// loopbackAddresses is how many addresses 127.0.0.0/8 has; all are this machine's.
const loopbackAddresses = 1<<24 - 2

// ports checks whether there are source ports enough.
func ports(m Machine, w Want) Check {
	if w.Role == Server {
		return skip(portRange, "only who connects needs source ports, and this is a server")
	}
	each, err := m.usablePorts()
	if err != nil {
		return unread(portRange, err)
	}
	addresses := uint64(w.Sources) * uint64(w.Targets)
	if w.Role == Both {
		addresses = loopbackAddresses
	}
	c := Check{
		Name: portRange, Found: fmt.Sprintf("%d ports", each), Verdict: OK,
		Why: "each connection from one address to one target needs a source port of its own",
	}
	c.holds = each * addresses
	if w.Role == Both {
		c.Why += "; over loopback all of 127.0.0.0/8 is there to connect from"
	} else {
		c.Found += fmt.Sprintf(" × %s × %s", many(uint64(w.Sources), "source", "sources"), many(uint64(w.Targets), "target", "targets"))
	}
	c.Needed = fmt.Sprint(w.Conns)
	if each > 0 {
		c.Needed = many(ceil(uint64(w.Conns), each*uint64(w.Targets)), "source address", "source addresses")
	}
	if c.holds < uint64(w.Conns) {
		c.Verdict, c.Mend = Short, morePorts(w, each)
	}
	return c
}

// morePorts widens the range, and asks for addresses where that is not enough.
func morePorts(w Want, each uint64) []Remedy {
	var all []Remedy
	if each < widestPorts {
		all = sysctl(portRange, widest)
	}
	ports := max(each, widestPorts)
	sources, targets := ceil(uint64(w.Conns), ports*uint64(w.Targets)), ceil(uint64(w.Conns), ports*uint64(w.Sources))
	if w.Role == Client && sources > uint64(w.Sources) {
		all = append(all, Remedy{byHand, fmt.Sprintf("source ports: connect from %s of this machine (ip addr add adds one), "+
			"or let the server listen at %s", many(sources, "address", "addresses"), many(targets, "address or port", "addresses or ports"))})
	}
	return all
}

// usablePorts is how many ports the kernel gives out for one source address.
func (m Machine) usablePorts() (uint64, error) {
	r, err := m.numbers(file(portRange), 2)
	if err != nil {
		return 0, err
	}
	low, high := int(min(r[0], 65536)), int(min(r[1], 65535))
	// Most machines reserve none, and then the file is empty.
	reserved, _ := m.text("proc/sys/net/ipv4/ip_local_reserved_ports")
	return uint64(max(0, high-low+1-listed(reserved, low, high))), nil
}

// listed counts the numbers of a list such as "8080,30000-30010" between two bounds.
// The kernel writes it sorted and without overlaps.
func listed(list string, low, high int) int {
	n := 0
	for part := range strings.SplitSeq(list, ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		a, errA := strconv.Atoi(from)
		b, errB := strconv.Atoi(to)
		if errA == nil && errB == nil {
			n += max(0, min(b, high)-max(a, low)+1)
		}
	}
	return n
}

// reuse checks whether ports of connections just closed can be taken again.
func reuse(m Machine, w Want) Check {
	const key = "net.ipv4.tcp_tw_reuse"
	if w.Role == Server {
		return skip(key, "only who connects reuses source ports, and this is a server")
	}
	have, err := m.number(file(key))
	if err != nil {
		return unread(key, err)
	}
	c := Check{
		Name: key, Found: fmt.Sprint(have), Needed: "1", Verdict: OK, holds: unbounded,
		Why: "a port whose connection this end closed rests for a minute, unless this lets a new connection have it",
	}
	if w.Role == Both {
		c.Needed = "1 or 2" // 2 is for loopback only
	}
	if have == 1 || have == 2 && w.Role == Both {
		return c
	}
	if each, err := m.usablePorts(); err == nil && w.Role == Client && each*uint64(w.Sources)*uint64(w.Targets) >= 2*uint64(w.Conns) {
		c.Why += "; here there are ports for all to come back at once without it"
		return c
	}
	c.Verdict, c.Mend = Warn, sysctl(key, "1")
	return c
}

// ceil is a / b, rounded up.
func ceil(a, b uint64) uint64 { return (a + b - 1) / b }

// many writes a number of things.
func many(n uint64, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}
