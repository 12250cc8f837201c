//go:build darwin || freebsd || dragonfly

package poller

import (
	"net/netip"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// On these platforms system calls go through libc or the scheduler's ordinary path,
// and the vectors are allocated: they are for development, Linux for load.

const sendCall = "sendmsg"

// maxVector is the kernel's IOV_MAX.
const maxVector = 1024

func receive(fd int, p []byte) (int, unix.Errno) {
	n, err := unix.Read(fd, p)
	return max(n, 0), errnoOf(err)
}

type sender struct{}

// send gives as many of bufs as fit into one call to the socket: used buffers with
// asked bytes, of which taken are gone. SIGPIPE comes to nothing, as the Go runtime
// drops it for descriptors other than 1 and 2.
func (sender) send(fd int, bufs [][]byte) (taken, asked, used int, errno unix.Errno) {
	bufs = bufs[:min(len(bufs), maxVector)]
	for _, b := range bufs {
		asked += len(b)
	}
	if asked == 0 {
		return 0, 0, len(bufs), 0
	}
	n, err := unix.SendmsgBuffers(fd, bufs, nil, nil, 0)
	return max(n, 0), asked, len(bufs), errnoOf(err)
}

type peer struct{}

func (peer) accept(fd int) (int, netip.AddrPort, unix.Errno) {
	// Without accept4 a fork could inherit the descriptor before it is marked.
	syscall.ForkLock.RLock()
	c, addr, err := unix.Accept(fd)
	if err == nil {
		unix.CloseOnExec(c)
	}
	syscall.ForkLock.RUnlock()
	if err == nil {
		if err = unix.SetNonblock(c, true); err != nil {
			closeSocket(c)
		}
	}
	if err != nil {
		return -1, netip.AddrPort{}, errnoOf(err)
	}
	return c, addrPort(addr), 0
}

func addrPort(addr unix.Sockaddr) netip.AddrPort {
	switch a := addr.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		ip := netip.AddrFrom16(a.Addr).Unmap()
		if a.ZoneId != 0 {
			ip = ip.WithZone(strconv.Itoa(int(a.ZoneId)))
		}
		return netip.AddrPortFrom(ip, uint16(a.Port))
	}
	return netip.AddrPort{}
}

// errnoOf returns the number of an error of x/sys/unix, which are all numbers.
func errnoOf(err error) unix.Errno {
	if err == nil {
		return 0
	}
	if errno, ok := err.(unix.Errno); ok {
		return errno
	}
	return unix.EINVAL
}

func closeSocket(fd int) error { return unix.Close(fd) }
