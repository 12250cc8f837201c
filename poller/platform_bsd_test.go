//go:build darwin || freebsd || dragonfly

package poller

import "golang.org/x/sys/unix"

const (
	noSignal         = false // raised, and dropped by the Go runtime
	canAddConnecting = false
	refusesFiles     = false
)

func dupTo(old, new int) error { return unix.Dup2(old, new) }
