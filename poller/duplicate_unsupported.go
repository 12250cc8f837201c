//go:build !(linux || darwin || freebsd || dragonfly)

package poller

import "syscall"

// Duplicate returns ErrUnsupported on this platform.
func Duplicate(syscall.Conn, int) ([]int, error) { return nil, ErrUnsupported }
