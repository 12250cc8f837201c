//go:build linux || darwin || freebsd || dragonfly

package doctor

import (
	"os"

	"golang.org/x/sys/unix"
)

// fileLimit reads RLIMIT_NOFILE. The soft limit has already been raised then: Go
// does that when a program starts.
func fileLimit() (Limit, error) {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return Limit{}, os.NewSyscallError("getrlimit", err)
	}
	return Limit{Soft: uint64(l.Cur), Hard: uint64(l.Max)}, nil
}
