package poller

// reusePort: SO_REUSEPORT spreads connections over the sockets.
const reusePort = true
