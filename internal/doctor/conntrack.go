package doctor

import (
	"errors"
	"fmt"
	"io/fs"
)

// conntrack checks the firewall's table of connections, where there is one.
func conntrack(m Machine, w Want) Check {
	const key = "net.netfilter.nf_conntrack_max"
	have, err := m.number(file(key))
	if errors.Is(err, fs.ErrNotExist) {
		return skip(key, "no firewall tracks connections here")
	}
	if err != nil {
		return unread(key, err)
	}
	used, err := m.number("proc/sys/net/netfilter/nf_conntrack_count")
	if err != nil {
		used = 0 // hidden; nothing better is known
	}
	need := used + uint64(w.Conns) // over loopback both ends are one entry
	c := Check{
		Name: key, Found: fmt.Sprintf("%s, %d in use", count(have), used), Needed: fmt.Sprint(need), Verdict: OK,
		Why:   "a firewall that tracks connections drops new ones when its table is full",
		holds: less(have, used),
	}
	if have >= need {
		return c
	}
	c.Verdict, c.Mend = Short, largerTable(m, key, used, w)
	if used == 0 {
		c.Verdict, c.holds = Warn, unbounded
		c.Why += "; it tracks none at the moment, so it may not track these either"
	}
	return c
}

// largerTable has room for all connections twice, as those that closed stay for two
// minutes, and hash buckets for that, without which each packet looks long.
func largerTable(m Machine, key string, used uint64, w Want) []Remedy {
	const bucketsKey = "net.netfilter.nf_conntrack_buckets"
	entries := used + 2*uint64(w.Conns)
	all := sysctl(key, fmt.Sprint(entries))
	if buckets, err := m.number(file(bucketsKey)); err == nil && buckets < entries/4 {
		all = append(all, sysctl(bucketsKey, fmt.Sprint(entries/4))...)
	}
	return all
}
