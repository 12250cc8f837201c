//go:build unix

package bench

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// connectSocket opens a socket that connects from a source to an address. It does
// not wait: the connect may still be under way. A small one can receive little that
// nobody reads.
func connectSocket(to netip.AddrPort, from netip.Addr, port int, small bool) (fd int, err error) {
	family := unix.AF_INET
	if to.Addr().Is6() {
		family = unix.AF_INET6
	}
	if fd, err = openSocket(family); err != nil {
		return -1, err
	}
	if from.IsValid() {
		if err = bindSource(fd, from, port); err != nil {
			unix.Close(fd)
			return -1, err
		}
	}
	if small {
		// Before connect, as the window's scale is settled there. The kernel doubles it.
		if err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, smallBuffer); err != nil {
			unix.Close(fd)
			return -1, err
		}
	}
	// Without NODELAY the kernel would hold back a message until the one before is
	// acknowledged (Nagle), and we would measure that.
	if err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		unix.Close(fd)
		return -1, err
	}
	if err = unix.Connect(fd, sockaddr(to.Addr(), int(to.Port()))); err != nil && err != unix.EINPROGRESS {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// smallBuffer is the receive buffer of a client that is to read slowly: with the usual
// one the kernel would read on for megabytes.
const smallBuffer = 4096

func bindSource(fd int, from netip.Addr, port int) error {
	if port == 0 {
		if err := bindAddressOnly(fd); err != nil {
			return err
		}
	} else if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		// With REUSEADDR a port in TIME_WAIT of an earlier run can be used.
		return err
	}
	err := unix.Bind(fd, sockaddr(from, port))
	if err == unix.EADDRNOTAVAIL {
		// Not the errno, which from connect means that ports ran out.
		return fmt.Errorf("source %s is no address of this machine", from)
	}
	return err
}

func sockaddr(a netip.Addr, port int) unix.Sockaddr {
	if a.Is4() {
		return &unix.SockaddrInet4{Port: port, Addr: a.As4()}
	}
	return &unix.SockaddrInet6{Port: port, Addr: a.As16()}
}

// resetSocket closes fd by a reset: what is unsent and unread is thrown away.
func resetSocket(fd int) {
	// Without linger the close still ends the connection, by a FIN.
	_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	unix.Close(fd)
}
