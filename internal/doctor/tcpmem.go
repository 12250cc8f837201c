package doctor

import "fmt"

const tcpMem = "net.ipv4.tcp_mem"

// pagesPerSocket is what a socket counts for in tcp_mem while one small message
// waits in it: a page, the unit of the count. An idle one counts for nothing.
const pagesPerSocket = 1

// tcpPages checks the bound of all socket buffers together.
func tcpPages(m Machine, w Want) Check {
	have, err := m.numbers(file(tcpMem), 3)
	if err != nil {
		return unread(tcpMem, err)
	}
	need := w.sockets() * pagesPerSocket
	c := Check{
		Name: tcpMem, Verdict: OK, holds: unbounded,
		Found:  fmt.Sprintf("%s pages (%s)", count(have[1]), size(satMul(have[1], uint64(m.PageSize)))),
		Needed: fmt.Sprintf("%d", need),
		Why: "it bounds what waits in all sockets, from the second number on by shrinking windows; idle sockets take none of it, " +
			"but each with a message under way takes a page",
	}
	if have[1] < need {
		c.Verdict, c.Mend = Warn, moreTCPPages(m, need)
	}
	return c
}

// moreTCPPages sets the three numbers in the kernel's own proportion, 3 : 4 : 6, as
// long as the machine has the memory: without, the bound is what keeps it alive.
func moreTCPPages(m Machine, need uint64) []Remedy {
	total, err := m.meminfo("MemTotal")
	low := (need + 3) / 4 * 3
	if err != nil || low*2 > total/uint64(m.PageSize) {
		return []Remedy{{byHand, fmt.Sprintf("%s: leave it, as a message under way on each connection at once takes %s of memory",
			tcpMem, size(need*uint64(m.PageSize)))}}
	}
	return sysctl(tcpMem, fmt.Sprintf("%d %d %d", low, need, low*2))
}

// satMul is a * b, or unlimited where that is too much.
func satMul(a, b uint64) uint64 {
	if b != 0 && a > unlimited/b {
		return unlimited
	}
	return a * b
}

// maxMinimum is the kernel's default of the smallest buffer of a socket, in bytes.
const maxMinimum = 4096

// buffers checks what a socket's buffer takes at least, by default and at most.
// Only the minimum counts for many connections: no memory is taken before it is used.
func buffers(m Machine, key string) Check {
	have, err := m.numbers(file(key), 3)
	if err != nil {
		return unread(key, err)
	}
	c := Check{
		Name: key, Verdict: OK, holds: unbounded,
		Found:  fmt.Sprintf("%d %d %d", have[0], have[1], have[2]),
		Needed: fmt.Sprintf("first at most %d", maxMinimum),
		Why: "the first number is what each socket may fill even when tcp_mem is used up; the others only bound " +
			"a buffer, and take no memory before bytes wait in it",
	}
	if have[0] > maxMinimum {
		c.Verdict, c.Mend = Warn, sysctl(key, fmt.Sprintf("%d %d %d", maxMinimum, have[1], have[2]))
	}
	return c
}

func receiveBuffers(m Machine, _ Want) Check { return buffers(m, "net.ipv4.tcp_rmem") }
func sendBuffers(m Machine, _ Want) Check    { return buffers(m, "net.ipv4.tcp_wmem") }
