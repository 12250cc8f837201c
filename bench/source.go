package bench

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// sources yields the address and port that each connection leaves from. A connection
// is told from all others by both ends' addresses and ports, so to one server address
// no more than some 28,000 (ip_local_port_range) can come from one source address.
type sources struct {
	addrs []netip.Addr // none: the kernel's choice
	low   int          // of explicit ports; 0: the kernel picks them
	width int
	next  int
}

// ephemeralPorts returns the range that the kernel picks from, or Linux' default.
func ephemeralPorts() (low, high int) {
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err == nil {
		if n, err := fmt.Sscan(string(text), &low, &high); n == 2 && err == nil && low <= high {
			return low, high
		}
	}
	return 32768, 60999
}

// newSources makes what the part s of all loops uses for its share of conns
// connections to a target. Loops with explicit ports must not meet: they get addresses
// of their own.
func newSources(c *Connect, to netip.Addr, conns int, s share) (*sources, error) {
	low, high := ephemeralPorts()
	// The kernel looks for a free port from a random start, half of them first: where
	// more than half are taken its search gets slow.
	capacity := (high - low + 1) / 2
	src := &sources{}
	if c.Ports != "" && c.Ports != "kernel" {
		first, last, err := parsePorts(c.Ports)
		if err != nil {
			return nil, err
		}
		src.low, src.width = first, last-first+1
		capacity = src.width
	}
	addrs, err := sourceAddresses(c.Sources, to, conns, capacity, src.low != 0, s.Of)
	if err != nil {
		return nil, err
	}
	if src.low == 0 {
		src.addrs = addrs
		return src, nil
	}
	for i := s.Index; i < len(addrs); i += s.Of {
		src.addrs = append(src.addrs, addrs[i])
	}
	if len(src.addrs) == 0 {
		return nil, fmt.Errorf("with ports %s every event loop needs a source address of its own: give %d by --source, or fewer --loops", c.Ports, s.Of)
	}
	return src, nil
}

// sourceAddresses lists the addresses to connect from, none for the kernel's choice.
func sourceAddresses(given []string, to netip.Addr, conns, capacity int, explicit bool, parts int) ([]netip.Addr, error) {
	need := (conns + capacity - 1) / capacity
	if explicit {
		need = max((need+parts-1)/parts, 1) * parts
	}
	if len(given) == 0 {
		loopback := to.Is4() && to.IsLoopback()
		switch {
		case loopback && (explicit || need > 1):
			given = []string{"127.0.0.0/8"}
		case explicit:
			return nil, errors.New("a range of source ports needs source addresses to go with: give them by --source")
		default:
			return nil, nil
		}
	}
	var addrs []netip.Addr
	for _, text := range given {
		if !strings.Contains(text, "/") {
			a, err := netip.ParseAddr(text)
			if err != nil {
				return nil, fmt.Errorf("source %q is neither an address nor a prefix like 127.0.0.0/8", text)
			}
			if a.Is4() != to.Is4() {
				return nil, fmt.Errorf("source %s cannot reach %s: one is IPv4, the other IPv6", a, to)
			}
			addrs = append(addrs, a)
			continue
		}
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("source %q is neither an address nor a prefix like 127.0.0.0/8", text)
		}
		if p.Addr().Is4() != to.Is4() {
			return nil, fmt.Errorf("source %s cannot reach %s: one is IPv4, the other IPv6", p, to)
		}
		addrs = appendPrefix(addrs, p.Masked(), max(need, parts))
	}
	return addrs, nil
}

// appendPrefix appends up to n addresses of p, without those that stand for the network
// and for everybody in it.
func appendPrefix(addrs []netip.Addr, p netip.Prefix, n int) []netip.Addr {
	a := p.Addr()
	wide := a.Is4() && p.Bits() < 31
	if wide {
		a = a.Next()
	}
	for ; n > 0 && p.Contains(a); n-- {
		if next := a.Next(); wide && !p.Contains(next) {
			break
		}
		addrs = append(addrs, a)
		a = a.Next()
	}
	return addrs
}

func parsePorts(text string) (first, last int, err error) {
	a, b, ok := strings.Cut(text, "-")
	first, errA := strconv.Atoi(a)
	last, errB := strconv.Atoi(b)
	if !ok || errA != nil || errB != nil || first < 1 || last > 65535 || first > last {
		return 0, 0, fmt.Errorf("ports %q: write kernel, or a range like 10000-65535", text)
	}
	return first, last, nil
}

// take returns the next source. A zero address leaves it to the kernel, and a zero port too.
func (s *sources) take() (netip.Addr, int) {
	if len(s.addrs) == 0 {
		return netip.Addr{}, 0
	}
	n := s.next
	s.next++
	if s.low == 0 {
		return s.addrs[n%len(s.addrs)], 0
	}
	// All ports of one address, then those of the next.
	n %= s.width * len(s.addrs)
	return s.addrs[n/s.width], s.low + n%s.width
}

// maxTries bounds how long one connection keeps its loop busy. The next one goes on
// where it ended.
const maxTries = 64

// tries returns how many sources may be tried for one connection: explicit ports may
// be taken by somebody else.
func (s *sources) tries() int {
	if s.low == 0 {
		return 1
	}
	return min(s.width*len(s.addrs), maxTries)
}
