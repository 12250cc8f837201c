//go:build !linux && !darwin && !freebsd && !dragonfly

package poller

import (
	"net/netip"
	"syscall"
)

var implementations []implementation

// Listen returns ErrUnsupported on this platform.
func Listen(address string, n int) (fds []int, addr netip.AddrPort, err error) {
	return nil, addr, ErrUnsupported
}

// RaiseFileLimit returns ErrUnsupported on this platform.
func RaiseFileLimit() (soft uint64, err error) { return 0, ErrUnsupported }

// Duplicate returns ErrUnsupported on this platform.
func Duplicate(c syscall.Conn, n int) (fds []int, err error) { return nil, ErrUnsupported }
