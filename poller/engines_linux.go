package poller

var implementations = []implementation{{"epoll", openEpoll}}
