package poller

import "golang.org/x/sys/unix"

const (
	noSignal         = true // MSG_NOSIGNAL keeps SIGPIPE from being raised at all
	canAddConnecting = true
	refusesFiles     = true // epoll takes no regular file
)

func dupTo(old, new int) error { return unix.Dup3(old, new, unix.O_CLOEXEC) }
