// Command netpoll serves WebSockets with github.com/gobwas/ws, the netpoll of
// github.com/mailru/easygo and the goroutine pool github.com/panjf2000/ants, as the
// article "A Million WebSockets and Go" by the author of the first two describes it: an
// idle connection has no goroutine and no buffer; netpoll reports that it can be read,
// once; a worker of the pool reads what has come, handles it, and asks netpoll for the
// next report.
//
// In its favour: netpoll watches the connection's own descriptor (Epoll.Add), where the
// article's HandleReadOnce duplicates it, so that each connection costs one and not
// two. A worker reads all that has come through a pooled buffer of 4 KiB before it asks
// for the next report. The pool is the default one of ants, which has no bound, so that
// no event waits for workers that block on a slow handler or a full socket. A broadcast
// is one frame, compiled once, and is written as in the article: by a worker that is
// only there while the connection has something queued, and that writes all of it with
// one system call. A connection with 64 queued is ended.
package main

import (
	"net"
	"time"

	"github.com/mailru/easygo/netpoll"
	"github.com/panjf2000/ants/v2"

	"github.com/roostws/roost/bench/compare/peers/internal/contract"
)

var flags contract.Flags

func main() {
	flags = contract.Parse()
	l := flags.ListenPlain()
	epoll, err := netpoll.EpollCreate(&netpoll.EpollConfig{OnWaitError: contract.Must})
	contract.Must(err)
	h := &hub{epoll: epoll, channels: make(map[*channel]struct{})}
	for {
		conn, err := l.Accept()
		if err != nil {
			time.Sleep(5 * time.Millisecond) // out of descriptors, most likely
			continue
		}
		ants.Submit(func() { h.serve(conn.(*net.TCPConn)) })
	}
}
