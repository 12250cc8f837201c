//go:build linux || darwin || freebsd || dragonfly

package poller

import (
	"os"

	"golang.org/x/sys/unix"
)

// RaiseFileLimit raises the process' soft limit of open descriptors to its hard
// limit and returns what it is then. Child processes get the raised limit too.
func RaiseFileLimit() (soft uint64, err error) {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return 0, os.NewSyscallError("getrlimit", err)
	}
	if l.Cur >= l.Max {
		return uint64(l.Cur), nil
	}
	was := l.Cur
	l.Cur = l.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return uint64(was), os.NewSyscallError("setrlimit", err)
	}
	return uint64(l.Cur), nil
}
