package poller

import (
	"math"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The states of the loop as Wake sees it. Wake swaps woken in and writes to the
// eventfd only if it took asleep out, so that any number of wake-ups before one
// Turn cost one write at most, and none while the loop is awake. The loop swaps
// awake in right before Turn: what was posted before an earlier Wake is seen by
// that Turn, and a Wake from then on keeps the loop from going from awake to asleep.
const (
	awake uint32 = iota
	woken
	asleep
)

// epoll is the engine on Linux' epoll, level-triggered. The events carry tokens, so
// that an event for a descriptor that was closed meanwhile finds a stale one.
type epoll struct {
	sockets
	fd      int
	events  []unix.EpollEvent
	begun   bool
	skipped bool // the last turn did not look at the sockets
	coarse  bool // waits are of whole milliseconds

	stopped atomic.Bool
	_       [64]byte // what follows is written by other cores
	state   atomic.Uint32
	bell    bell
}

// A bell is the eventfd that ends a wait. Its lock is taken only when it is rung,
// and keeps a late Wake from writing to a descriptor number that is somebody else's.
type bell struct {
	mu sync.Mutex
	fd int // -1 when closed
}

func openEpoll(c Config) (Engine, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	e := &epoll{fd: fd, events: make([]unix.EpollEvent, c.Events)}
	if e.bell.fd, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		closeSocket(fd)
		return nil, os.NewSyscallError("eventfd2", err)
	}
	// Edge-triggered: each write makes one event and nothing has to be read back.
	// The counter would be full after 2^64-2 wake-ups. Its data is the zero token.
	if err := e.control(unix.EPOLL_CTL_ADD, e.bell.fd, 0, unix.EPOLLIN|unix.EPOLLET); err != nil {
		closeSocket(e.bell.fd)
		closeSocket(fd)
		return nil, err
	}
	e.init(e, c)
	return e, nil
}

func (e *epoll) Name() string { return "epoll" }

func (e *epoll) Run(h Handler) error {
	if e.begun {
		return errRunTwice
	}
	e.begun = true
	defer e.release()
	e.handler = h
	n := 0
	for !e.stopped.Load() {
		e.state.Swap(awake)
		wait := h.Turn()
		if e.stopped.Load() {
			break
		}
		var errno unix.Errno
		if n, errno = e.wait(wait, n); errno != 0 {
			return os.NewSyscallError("epoll_wait", errno)
		}
		e.dispatch(e.events[:n])
	}
	return nil
}

func (e *epoll) dispatch(events []unix.EpollEvent) {
	for i := range events {
		ev := &events[i]
		t := makeToken(uint32(ev.Fd), uint32(ev.Pad))
		s := e.table.get(t)
		if s == nil {
			continue // closed earlier in this turn, or the bell
		}
		e.ready(t, s, ev.Events&(unix.EPOLLIN|unix.EPOLLHUP|unix.EPOLLERR) != 0, ev.Events&(unix.EPOLLOUT|unix.EPOLLHUP|unix.EPOLLERR) != 0)
	}
}

// busy is how many events make a turn that is likely to be followed by more at once.
const busy = 16

// wait fills events; last is how many the turn before had. After a busy turn, a look
// with a zero timeout goes round the scheduler, and under load that is all there is.
// After a quiet one it would most likely find nothing and only delay the sleep, by a
// whole system call.
func (e *epoll) wait(most time.Duration, last int) (int, unix.Errno) {
	look := last >= busy || most == 0 || e.skipped
	e.skipped = false
	if look {
		if n, errno := e.look(); n > 0 || errno != 0 {
			return n, errno
		}
	}
	e.yield()
	if most == 0 || !e.state.CompareAndSwap(awake, asleep) {
		// Woken, as a rule by what has just run: its Turn first. The turn after looks
		// at the sockets, lest wake-ups without end keep the loop from them.
		e.skipped = !look
		return 0, 0
	}
	n, errno := e.sleep(most)
	// No more need to ring while the events are handled: a Turn follows anyway. Swap
	// and not Store, which would not order what a Wake just now published.
	e.state.Swap(awake)
	if errno == unix.EINTR {
		return 0, 0
	}
	return n, errno
}

// sleep waits for events, by epoll_pwait2 (Linux 5.11) to the microsecond that the
// kernel's timers can do: who sends by a schedule would be late by half a millisecond
// with epoll_wait. Where that call is not known, or a seccomp filter older than it
// forbids it, whole milliseconds must do.
func (e *epoll) sleep(most time.Duration) (int, unix.Errno) {
	if most > 0 && !e.coarse {
		// The kernel's timespec: 64 bits each on every architecture, unlike unix.Timespec.
		t := [2]int64{int64(most / time.Second), int64(most % time.Second)}
		n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(e.fd), uintptr(unsafe.Pointer(&e.events[0])), uintptr(len(e.events)), uintptr(unsafe.Pointer(&t)), 0, 0)
		if errno != unix.ENOSYS && errno != unix.EPERM {
			return int(n), errno
		}
		e.coarse = true
	}
	n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(e.fd), uintptr(unsafe.Pointer(&e.events[0])), uintptr(len(e.events)), uintptr(milliseconds(most)), 0, 0)
	return int(n), errno
}

// look fills events with what is there already.
func (e *epoll) look() (int, unix.Errno) {
	n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(e.fd), uintptr(unsafe.Pointer(&e.events[0])), uintptr(len(e.events)), 0, 0, 0)
	if errno == unix.EINTR {
		return 0, 0
	}
	return int(n), errno
}

// milliseconds rounds up: rounding down would spin through the last millisecond.
func milliseconds(d time.Duration) int {
	if d < 0 {
		return -1
	}
	ms := d / time.Millisecond
	if d%time.Millisecond > 0 {
		ms++
	}
	return int(min(ms, math.MaxInt32))
}

func (e *epoll) Wake() {
	if e.state.Swap(woken) == asleep {
		e.bell.ring()
	}
}

func (e *epoll) Stop() {
	e.stopped.Store(true)
	e.Wake()
}

func (b *bell) ring() {
	one := uint64(1)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fd >= 0 {
		syscall.RawSyscall(unix.SYS_WRITE, uintptr(b.fd), uintptr(unsafe.Pointer(&one)), unsafe.Sizeof(one))
	}
}

func (b *bell) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	closeSocket(b.fd)
	b.fd = -1
}

// release ends the engine.
func (e *epoll) release() {
	e.closeAll()
	e.bell.close()
	closeSocket(e.fd)
}

func (e *epoll) control(op, fd int, t Token, events uint32) error {
	ev := unix.EpollEvent{Events: events, Fd: int32(t.Slot()), Pad: int32(t.generation())}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(e.fd, op, fd, &ev))
}

func (e *epoll) watch(fd int, t Token, old, new interest) error {
	var events uint32
	if new&in != 0 {
		events |= unix.EPOLLIN
	}
	if new&out != 0 {
		events |= unix.EPOLLOUT
	}
	switch {
	case old == 0:
		return e.control(unix.EPOLL_CTL_ADD, fd, t, events)
	case new == 0:
		return e.control(unix.EPOLL_CTL_DEL, fd, t, 0)
	}
	return e.control(unix.EPOLL_CTL_MOD, fd, t, events)
}

// forget has nothing to do: the kernel drops a registration with the last
// descriptor of a socket. A child process between fork and exec may hold another
// for a moment; the events of that time find a stale token.
func (e *epoll) forget(int) {}
