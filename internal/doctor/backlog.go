package doctor

import "fmt"

// queue is how many connections may have to wait to be accepted: a tenth of all,
// when everybody comes back after a network broke. It is a rule of thumb. Queues
// take no memory for entries that are not used.
func queue(w Want) uint64 { return min(max(uint64(w.Conns)/10, 128), 65535) }

// acceptQueue checks the bound of a listener's queue of connections to accept.
func acceptQueue(m Machine, w Want) Check {
	const key = "net.core.somaxconn"
	return backlog(m, w, key, "it bounds the connections that wait to be accepted; when many come at once, "+
		"those beyond it are dropped and try again a second later")
}

// synQueue checks the bound of handshakes under way. The kernel looks at it only
// while it may not answer with SYN cookies; the queue is then bounded by somaxconn.
func synQueue(m Machine, w Want) Check {
	const key = "net.ipv4.tcp_max_syn_backlog"
	if cookies, err := m.number("proc/sys/net/ipv4/tcp_syncookies"); err == nil && cookies != 0 && w.Role != Client {
		return skip(key, "net.ipv4.tcp_syncookies is on, and then the kernel drops no handshake for it")
	}
	return backlog(m, w, key, "net.ipv4.tcp_syncookies is off or hidden, so handshakes beyond it are dropped and try again a second later")
}

// backlog checks a queue of a server.
func backlog(m Machine, w Want, key, why string) Check {
	if w.Role == Client {
		return skip(key, "only a server accepts, and this is a client")
	}
	have, err := m.number(file(key))
	if err != nil {
		return unread(key, err)
	}
	c := Check{Name: key, Found: count(have), Needed: fmt.Sprint(queue(w)), Verdict: OK, Why: why, holds: unbounded}
	if have < queue(w) {
		c.Verdict, c.Mend = Warn, sysctl(key, c.Needed)
	}
	return c
}
