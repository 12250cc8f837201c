//go:build linux || darwin || freebsd || dragonfly

package poller

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Duplicate returns n descriptors of a socket that package net opened, each for an
// engine of its own to take over. They are close-on-exec and share the socket: closing
// the original leaves them open. When an error is returned, none is. The socket gets
// TCP_NODELAY, as those of [Listen] have it, for the connections that come from then on.
func Duplicate(c syscall.Conn, n int) (fds []int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	var dupErr error
	err = raw.Control(func(s uintptr) {
		// A socket that is not TCP's refuses the option and does without it.
		_ = unix.SetsockoptInt(int(s), unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		for len(fds) < n && dupErr == nil {
			var fd int
			if fd, dupErr = duplicate(s); dupErr == nil {
				fds = append(fds, fd)
			}
		}
	})
	if err == nil {
		err = dupErr
	}
	if err != nil {
		for _, fd := range fds {
			closeSocket(fd)
		}
		return nil, err
	}
	return fds, nil
}

func duplicate(fd uintptr) (int, error) {
	d, err := unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
	return d, os.NewSyscallError("fcntl", err)
}
