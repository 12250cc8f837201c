package poller

var implementations = []implementation{{"epoll", openEpoll}, {"netpoll", openNetpoll}}

// reusePort: SO_REUSEPORT spreads connections over the sockets.
const reusePort = true
