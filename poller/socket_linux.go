package poller

import (
	"net/netip"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls here cannot block, as the descriptors do not, so they go round the
// scheduler: entering and leaving it around each call costs more than parsing a
// message does. syscall.RawSyscall is what x/sys/unix' assembly jumps to, less the
// detour by the old calling convention.
//
// The race detector does not see that the kernel writes to p. The order between the
// loop and those who retain a Buffer is made by the atomics in slab and by how the
// Buffer is handed over.

const sendCall = "sendmsg"

// maxVector is the kernel's IOV_MAX (UIO_MAXIOV).
const maxVector = 1024

// receive reads once. recvfrom enters the socket directly, read by way of the VFS.
func receive(fd int, p []byte) (int, unix.Errno) {
	n, _, errno := syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// A sender is the memory that the kernel reads the list of buffers from.
type sender struct {
	header unix.Msghdr
	vector [maxVector]unix.Iovec
}

// send gives as many of bufs as fit into one call to the socket: used buffers with
// asked bytes, of which taken are gone. MSG_NOSIGNAL: a peer that is gone must not
// raise SIGPIPE, also where the Go runtime does not own the signal handlers.
func (k *sender) send(fd int, bufs [][]byte) (taken, asked, used int, errno unix.Errno) {
	if len(bufs) == 1 {
		return k.sendOne(fd, bufs[0])
	}
	count := 0
	for _, b := range bufs {
		if count == maxVector {
			break
		}
		used++
		if len(b) == 0 {
			continue
		}
		k.vector[count].Base = unsafe.SliceData(b)
		k.vector[count].SetLen(len(b))
		asked += len(b)
		count++
	}
	if asked == 0 {
		return 0, 0, used, 0
	}
	k.header.Iov = &k.vector[0]
	k.header.SetIovlen(count)
	n, _, errno := syscall.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&k.header)), unix.MSG_NOSIGNAL)
	clear(k.vector[:count]) // or the buffers could not be collected
	if errno != 0 {
		n = 0
	}
	return int(n), asked, used, errno
}

func (k *sender) sendOne(fd int, b []byte) (taken, asked, used int, errno unix.Errno) {
	if len(b) == 0 {
		return 0, 0, 1, 0
	}
	n, _, errno := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), unix.MSG_NOSIGNAL, 0, 0)
	if errno != 0 {
		n = 0
	}
	return int(n), len(b), 1, errno
}

// A peer is the memory that accept4 writes addresses to.
type peer struct {
	addr unix.RawSockaddrAny
	size uint32
}

func (p *peer) accept(fd int) (int, netip.AddrPort, unix.Errno) {
	p.size = unix.SizeofSockaddrAny
	c, _, errno := syscall.RawSyscall6(unix.SYS_ACCEPT4, uintptr(fd), uintptr(unsafe.Pointer(&p.addr)), uintptr(unsafe.Pointer(&p.size)),
		unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	if errno != 0 {
		return -1, netip.AddrPort{}, errno
	}
	return int(c), p.addrPort(), 0
}

// addrPort reads the address without allocating, except for an IPv6 zone.
func (p *peer) addrPort() netip.AddrPort {
	switch p.addr.Addr.Family {
	case unix.AF_INET:
		a := (*unix.RawSockaddrInet4)(unsafe.Pointer(&p.addr))
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), networkOrder(&a.Port))
	case unix.AF_INET6:
		a := (*unix.RawSockaddrInet6)(unsafe.Pointer(&p.addr))
		ip := netip.AddrFrom16(a.Addr).Unmap()
		if a.Scope_id != 0 {
			ip = ip.WithZone(strconv.Itoa(int(a.Scope_id)))
		}
		return netip.AddrPortFrom(ip, networkOrder(&a.Port))
	}
	return netip.AddrPort{}
}

func networkOrder(port *uint16) uint16 {
	b := (*[2]byte)(unsafe.Pointer(port))
	return uint16(b[0])<<8 | uint16(b[1])
}

func closeSocket(fd int) error {
	if _, _, errno := syscall.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0); errno != 0 {
		return errno
	}
	return nil
}
