package gate

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Prefixes is a set of addresses. The zero value is empty. It never changes, so any goroutine may use it.
type Prefixes struct {
	ranges []addrRange // sorted, apart from one another
}

// addrRange is the addresses from first to last, both included, as 16 bytes: IPv4 as ::ffff:a.b.c.d.
type addrRange struct{ first, last netip.Addr }

// ParsePrefixes reads blocks such as "10.0.0.0/8" and "2001:db8::/32", and single addresses. A block's host bits must be zero: who
// writes 10.1.2.3/8 may have meant something else.
func ParsePrefixes(list ...string) (Prefixes, error) {
	var p Prefixes
	for _, s := range list {
		block, err := parsePrefix(s)
		if err != nil {
			return Prefixes{}, err
		}
		p.ranges = append(p.ranges, rangeOf(block))
	}
	slices.SortFunc(p.ranges, func(a, b addrRange) int { return a.first.Compare(b.first) })
	merged := p.ranges[:0]
	for _, r := range p.ranges {
		if n := len(merged); n > 0 && r.first.Compare(merged[n-1].last) <= 0 {
			if merged[n-1].last.Less(r.last) {
				merged[n-1].last = r.last
			}
			continue
		}
		merged = append(merged, r)
	}
	p.ranges = merged
	return p, nil
}

func parsePrefix(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("gate: %q is no address: want one such as 10.0.0.1, or a block such as 10.0.0.0/8", s)
		}
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	block, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("gate: %q is no block of addresses: want one such as 10.0.0.0/8 or 2001:db8::/32", s)
	}
	if masked := block.Masked(); masked != block {
		return netip.Prefix{}, fmt.Errorf("gate: %q has bits set beyond its length: write %v if that is meant", s, masked)
	}
	return block, nil
}

func rangeOf(p netip.Prefix) addrRange {
	first := p.Addr().As16()
	last := first
	bits := p.Bits()
	if p.Addr().Is4() {
		bits += 96
	}
	for i := bits; i < 128; i++ {
		last[i/8] |= 0x80 >> (i % 8)
	}
	return addrRange{netip.AddrFrom16(first), netip.AddrFrom16(last)}
}

// Contains says whether a is in the set. An IPv4 address and its form in IPv6 (::ffff:a.b.c.d) are one; a zone does not count. An
// invalid address is in no set.
func (p Prefixes) Contains(a netip.Addr) bool {
	if !a.IsValid() || len(p.ranges) == 0 {
		return false
	}
	a = netip.AddrFrom16(a.As16())
	i, found := slices.BinarySearchFunc(p.ranges, a, func(r addrRange, a netip.Addr) int { return r.first.Compare(a) })
	return found || i > 0 && !p.ranges[i-1].last.Less(a)
}

// Empty says whether the set has no address.
func (p Prefixes) Empty() bool { return len(p.ranges) == 0 }
