//go:build darwin || freebsd || dragonfly

package poller

const (
	noSignal         = false // raised, and dropped by the Go runtime
	canAddConnecting = false
)
