//go:build darwin || freebsd || dragonfly

package poller

import (
	"os"

	easygo "github.com/mailru/easygo/netpoll"
)

// backend is easygo's Kqueue.
type backend struct {
	kqueue *easygo.Kqueue
	event  func(t Token, readable, writable bool)
}

// open makes the kqueue, which no child process inherits.
func (b *backend) open(failed func(error)) (err error) {
	b.kqueue, err = easygo.KqueueCreate(&easygo.KqueueConfig{OnWaitError: failed})
	return os.NewSyscallError("kqueue", err)
}

// close ends the library's goroutine, which closes the kqueue. The library's own
// Close does nothing, but its loop ends at an event with the identifier -1. Timers
// have identifiers of their own, and one without a duration fires at once.
func (b *backend) close() error {
	timer := easygo.Kevents{{Filter: easygo.EVFILT_TIMER, Flags: easygo.EV_ADD | easygo.EV_ONESHOT}}
	return os.NewSyscallError("kevent", b.kqueue.Add(-1, timer, 1, nil))
}

// The gate is one-shot: it stays readable, and is reported once per rearming.
var gateEvents = easygo.Kevents{{Filter: easygo.EVFILT_READ, Flags: easygo.EV_ADD | easygo.EV_ONESHOT}}

func (b *backend) watchGate(fd int, turn func()) error {
	return os.NewSyscallError("kevent", b.kqueue.Add(fd, gateEvents, 1, func(easygo.Kevent) { turn() }))
}

func (b *backend) rearmGate(fd int) { b.kqueue.Mod(fd, gateEvents, 1) }

// watch gives the kernel the difference: deleting a filter that is not there fails.
func (b *backend) watch(fd int, t Token, old, new interest) (err error) {
	var changes easygo.Kevents
	n := 0
	for _, f := range []struct {
		interest interest
		filter   easygo.KeventFilter
	}{{in, easygo.EVFILT_READ}, {out, easygo.EVFILT_WRITE}} {
		flag := easygo.KeventFlag(easygo.EV_ADD)
		switch {
		case old&f.interest == new&f.interest:
			continue
		case new&f.interest == 0:
			flag = easygo.EV_DELETE
		}
		changes[n] = easygo.Kevent{Filter: f.filter, Flags: flag}
		n++
	}
	switch {
	case old == 0:
		// The library collects the callbacks of a batch first, so one may be called
		// after its descriptor was closed: the token in it is stale then.
		err = b.kqueue.Add(fd, changes, n, func(ev easygo.Kevent) {
			b.event(t, ev.Filter == easygo.EVFILT_READ, ev.Filter == easygo.EVFILT_WRITE)
		})
		if err != nil && err != easygo.ErrRegistered {
			b.kqueue.Del(fd) // Add leaves the callback behind
		}
	default:
		err = b.kqueue.Mod(fd, changes, n)
		if err == nil && new == 0 {
			b.kqueue.Del(fd)
		}
	}
	return os.NewSyscallError("kevent", err)
}

// forget drops the callback only: the kernel drops the filters at close.
func (b *backend) forget(fd int) { b.kqueue.Del(fd) }
