//go:build linux || darwin || freebsd || dragonfly

package poller

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Listen opens n listening TCP sockets on one address, for n engines, each of which
// takes one over with Engine.Listen. The sockets are non-blocking and close-on-exec,
// have the backlog that the system allows (somaxconn), and give TCP_NODELAY to the
// connections they accept.
//
// On Linux the sockets share the port by SO_REUSEPORT, and the kernel spreads
// connections over them; elsewhere they are n descriptors of one socket. Port 0 picks
// a free port for all; an empty host means all addresses of the machine, IPv4 and
// IPv6. The address that they are bound to is returned. When an error is returned,
// nothing stays open.
func Listen(address string, n int) (fds []int, addr netip.AddrPort, err error) {
	if n < 1 {
		return nil, addr, fmt.Errorf("poller: Listen: %d sockets asked for: ask for 1 or more", n)
	}
	defer func() {
		if err != nil {
			for _, fd := range fds {
				closeSocket(fd)
			}
			fds = nil
		}
	}()
	for len(fds) < n {
		var fd int
		if len(fds) > 0 && !reusePort {
			fd, err = duplicate(uintptr(fds[0]))
		} else {
			fd, addr, err = listenOne(address)
			address = addr.String()
		}
		if err != nil {
			return fds, netip.AddrPort{}, err
		}
		fds = append(fds, fd)
	}
	return fds, addr, nil
}

// listenOne lets package net resolve the address and open the socket, which it does
// with all the care that the platforms need, and takes a duplicate out of its hands.
func listenOne(address string) (fd int, addr netip.AddrPort, err error) {
	lc := net.ListenConfig{Control: setListenOptions}
	// Multipath TCP, the default of net, costs every connection more in the kernel.
	lc.SetMultipathTCP(false)
	l, err := lc.Listen(context.Background(), "tcp", address)
	if err != nil {
		return -1, addr, fmt.Errorf("poller: %w", err)
	}
	defer l.Close()
	fds, err := Duplicate(l.(*net.TCPListener), 1)
	if err != nil {
		return -1, addr, err
	}
	addr = l.Addr().(*net.TCPAddr).AddrPort()
	return fds[0], netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port()), nil
}

func setListenOptions(_, _ string, c syscall.RawConn) error {
	var err error
	controlErr := c.Control(func(s uintptr) {
		err = unix.SetsockoptInt(int(s), unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		if err == nil && reusePort {
			err = unix.SetsockoptInt(int(s), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		}
	})
	if controlErr != nil {
		return controlErr
	}
	return os.NewSyscallError("setsockopt", err)
}
