package server

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// tightBuffer is the send buffer of a tight connection in bytes; Linux doubles it, and says that there is room when a third is free. That
// must be more than a peer that does not read takes after all, when its kernel has put together what came in small pieces.
const tightBuffer = 512 << 10

// tight is the server's descriptor of a connection of whose bytes the kernel keeps few. By itself it would take 4 MiB, which a test
// would have to make, encrypt or compress before anything waits in a queue.
type tight int

// tighten finds the descriptor by its peer: both ends are in this process.
func tighten(t *testing.T, peer netip.AddrPort) tight {
	t.Helper()
	const most = 1 << 16
	for fd := range most {
		sa, err := unix.Getpeername(fd)
		if sa, ok := sa.(*unix.SockaddrInet4); err == nil && ok && netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)) == peer {
			if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, tightBuffer); err != nil {
				t.Fatal(err)
			}
			return tight(fd)
		}
	}
	t.Fatalf("no descriptor below %d has the peer %v", most, peer)
	return -1
}

// full says whether nothing moves until the peer reads: there are bytes that may not be sent, and none under way whose
// acknowledgement would make room.
func (fd tight) full(t *testing.T) bool {
	t.Helper()
	info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		t.Fatal(err)
	}
	return info.Notsent_bytes > 0 && (info.Unacked == 0 || info.Backoff > 0 || info.Retransmits > 0)
}
