//go:build darwin || freebsd || dragonfly

package poller

var implementations = []implementation{{"netpoll", openNetpoll}}

// reusePort: SO_REUSEPORT here gives every connection to the socket bound last.
const reusePort = false
