package poller

import (
	"os"
	"reflect"
	"syscall"

	easygo "github.com/mailru/easygo/netpoll"
	"golang.org/x/sys/unix"
)

// backend is easygo's Epoll.
type backend struct {
	epoll *easygo.Epoll
	event func(t Token, readable, writable bool)
}

// open makes the epoll instance. The library opens its two descriptors without
// close-on-exec; its fields are read to make up for that (the version is pinned),
// and no process may be forked in between.
func (b *backend) open(failed func(error)) (err error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	b.epoll, err = easygo.EpollCreate(&easygo.EpollConfig{OnWaitError: failed})
	if err != nil {
		return os.NewSyscallError("epoll_create", err)
	}
	for _, field := range []string{"fd", "eventFd"} {
		unix.CloseOnExec(int(reflect.ValueOf(b.epoll).Elem().FieldByName(field).Int()))
	}
	return nil
}

func (b *backend) close() error { return b.epoll.Close() }

// The gate is one-shot: it stays readable, and is reported once per rearming.
const gateEvents = easygo.EPOLLIN | easygo.EPOLLONESHOT

func (b *backend) watchGate(fd int, turn func()) error {
	return os.NewSyscallError("epoll_ctl", b.epoll.Add(fd, gateEvents, func(easygo.EpollEvent) { turn() }))
}

func (b *backend) rearmGate(fd int) { b.epoll.Mod(fd, gateEvents) }

func (b *backend) watch(fd int, t Token, old, new interest) (err error) {
	var events easygo.EpollEvent
	if new&in != 0 {
		events |= easygo.EPOLLIN
	}
	if new&out != 0 {
		events |= easygo.EPOLLOUT
	}
	switch {
	case old == 0:
		// The library collects the callbacks of a batch first, so one may be called
		// after its descriptor was closed: the token in it is stale then.
		err = b.epoll.Add(fd, events, func(ev easygo.EpollEvent) {
			b.event(t, ev&(easygo.EPOLLIN|easygo.EPOLLHUP|easygo.EPOLLERR) != 0, ev&(easygo.EPOLLOUT|easygo.EPOLLHUP|easygo.EPOLLERR) != 0)
		})
		if err != nil && err != easygo.ErrRegistered {
			b.epoll.Del(fd) // Add leaves the callback behind
		}
	case new == 0:
		err = b.epoll.Del(fd)
	default:
		err = b.epoll.Mod(fd, events)
	}
	return os.NewSyscallError("epoll_ctl", err)
}

func (b *backend) forget(fd int) { b.epoll.Del(fd) }
