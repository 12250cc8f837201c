//go:build linux || darwin || freebsd || dragonfly

package poller

import (
	"io"
	"net/netip"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// acceptBatch is how many connections one event of a listener may bring, so that a
// storm of them does not hold up the sockets that are open already.
const acceptBatch = 256

// A watcher asks the kernel for events: the part in which the engines differ.
type watcher interface {
	// watch changes what fd, whose token is t, is watched for. Never called with
	// old == new. When it fails, nothing has changed.
	watch(fd int, t Token, old, new interest) error
	// forget is called before a watched fd is closed.
	forget(fd int)
}

// sockets is what the engines have in common: the sockets and all I/O on them. Its
// exported methods are those of Engine. Only the loop may use it once Run runs.
type sockets struct {
	handler Handler
	watcher watcher
	table   table
	lender  lender
	sender  sender
	peer    peer
	yielder yielder
	over    bool // Run has returned
}

func (k *sockets) init(w watcher, c Config) {
	k.watcher = w
	k.table.init()
	k.lender.init(c.ReadBuffer)
}

func (k *sockets) Add(fd int) (Token, error)    { return k.take(fd, 0) }
func (k *sockets) Listen(fd int) (Token, error) { return k.take(fd, listening) }

// take registers a descriptor that came from outside.
func (k *sockets) take(fd int, f flags) (Token, error) {
	if k.over {
		closeSocket(fd)
		return 0, ErrStopped
	}
	// A blocking descriptor would stop the loop for good at the first full socket
	// (os.File and exec make them so), hence not left to the caller.
	if err := makeNonblock(fd); err != nil {
		return 0, os.NewSyscallError("fcntl", err) // EBADF: there is nothing to close
	}
	return k.register(fd, f)
}

func (k *sockets) register(fd int, f flags) (Token, error) {
	t, s := k.table.add(fd, f)
	if err := k.rearm(t, s); err != nil {
		k.table.remove(t, s)
		closeSocket(fd)
		return 0, err
	}
	return t, nil
}

// rearm makes the kernel watch s for what its flags call for.
func (k *sockets) rearm(t Token, s *slot) error {
	old, want := s.flags.armed(), s.flags.wanted()
	if old == want {
		return nil
	}
	if err := k.watcher.watch(int(s.fd), t, old, want); err != nil {
		return err
	}
	s.flags = s.flags&^(armedIn|armedOut) | flags(want)*armedIn
	return nil
}

func (k *sockets) Pause(t Token) error {
	s := k.table.get(t)
	if s == nil {
		return ErrStale
	}
	s.flags |= paused
	return k.rearm(t, s)
}

func (k *sockets) Resume(t Token) error {
	s := k.table.get(t)
	if s == nil {
		return ErrStale
	}
	s.flags &^= paused
	return k.rearm(t, s)
}

func (k *sockets) Write(t Token, bufs [][]byte) (n int, err error) {
	s := k.table.get(t)
	if s == nil {
		return 0, ErrStale
	}
	for len(bufs) > 0 {
		taken, asked, used, errno := k.sender.send(int(s.fd), bufs)
		switch {
		case errno == 0 && taken == asked:
			n += taken
			bufs = bufs[used:]
		case errno == 0 || errno == unix.EAGAIN:
			s.flags |= wanting
			return n + taken, k.rearm(t, s)
		case errno != unix.EINTR:
			return n, os.NewSyscallError(sendCall, errno)
		}
	}
	return n, nil
}

// Holds is false: the kernel has copied what is gone, and knows nothing of the rest.
func (k *sockets) Holds() bool { return false }

func (k *sockets) CloseWrite(t Token) error {
	s := k.table.get(t)
	if s == nil {
		return ErrStale
	}
	return os.NewSyscallError("shutdown", unix.Shutdown(int(s.fd), unix.SHUT_WR))
}

func (k *sockets) Detach(t Token) (int, error) {
	s := k.table.get(t)
	if s == nil {
		return -1, ErrStale
	}
	fd := int(s.fd)
	if old := s.flags.armed(); old != 0 {
		// Unlike Close this must tell the kernel: the description lives on.
		if err := k.watcher.watch(fd, t, old, 0); err != nil {
			return -1, err
		}
	}
	k.table.remove(t, s)
	return fd, nil
}

func (k *sockets) Close(t Token) error {
	s := k.table.get(t)
	if s == nil {
		return ErrStale
	}
	fd := int(s.fd)
	if s.flags.armed() != 0 {
		k.watcher.forget(fd)
	}
	k.table.remove(t, s)
	return os.NewSyscallError("close", closeSocket(fd))
}

// closeAll closes every socket at the end of Run.
func (k *sockets) closeAll() {
	k.table.all(func(t Token, _ *slot) { k.Close(t) })
	k.over = true
}

// ready handles an event of s, which t has just been found to name. A hang-up or an
// error counts as both readable and writable: the read or write that follows says
// what it is. Reading goes first, so that a reset is reported with what came before.
func (k *sockets) ready(t Token, s *slot, readable, writable bool) {
	// The flags are looked at again: an earlier callback of this turn may have
	// changed what this event is about.
	if readable && s.flags&(paused|ended) == 0 {
		if s.flags&listening != 0 {
			k.accept(t, s)
			return
		}
		k.read(t, s)
		if s.generation != t.generation() {
			return
		}
	}
	if writable && s.flags&wanting != 0 {
		k.writable(t, s)
	}
}

// read does one read. What is left in the socket makes the next turn's event, so
// that a busy peer cannot starve the others.
func (k *sockets) read(t Token, s *slot) {
	n, errno := receive(int(s.fd), k.lender.room())
	switch {
	case n > 0:
		k.lender.lend(k.handler, t, n)
	case errno == unix.EAGAIN || errno == unix.EINTR:
	case errno == 0:
		k.end(t, s, io.EOF)
	default:
		k.end(t, s, os.NewSyscallError("read", errno))
	}
}

// end stops reading for good: the event would come again and again otherwise.
func (k *sockets) end(t Token, s *slot, err error) {
	s.flags |= ended
	if watchErr := k.rearm(t, s); watchErr != nil {
		err = watchErr // the descriptor was closed behind the engine's back
	}
	k.handler.Closed(t, err)
}

// writable tells the handler, and stops watching unless it filled the socket again.
func (k *sockets) writable(t Token, s *slot) {
	s.flags &^= wanting
	k.handler.Writable(t, 0)
	if s.generation != t.generation() {
		return
	}
	if err := k.rearm(t, s); err != nil && s.flags&ended == 0 {
		k.end(t, s, err)
	}
}

func (k *sockets) accept(l Token, s *slot) {
	for range acceptBatch {
		fd, addr, errno := k.peer.accept(int(s.fd))
		switch {
		case errno == 0:
			t, err := k.register(fd, 0)
			if err != nil {
				k.refuse(l, s, err)
				return
			}
			k.handler.Accepted(l, t, addr, nil)
			if s.generation != l.generation() || s.flags&paused != 0 {
				return
			}
		case errno == unix.EAGAIN:
			return
		case !ofOneConnection(errno):
			k.refuse(l, s, os.NewSyscallError("accept", errno))
			return
		}
	}
}

// refuse pauses a listener that cannot accept: it would stay readable.
func (k *sockets) refuse(l Token, s *slot, err error) {
	s.flags |= paused
	if watchErr := k.rearm(l, s); watchErr != nil {
		err = watchErr
	}
	k.handler.Accepted(l, 0, netip.AddrPort{}, err)
}

// ofOneConnection tells accept errors that belong to the connection at the head of
// the backlog, which is gone now, from those that will come again. Linux passes
// pending network errors of the new socket on, see accept(2).
func ofOneConnection(errno unix.Errno) bool {
	switch errno {
	case unix.EINTR, unix.ECONNABORTED, unix.ECONNRESET, unix.EPROTO, unix.EPERM, unix.ENETDOWN, unix.ENOPROTOOPT,
		unix.EHOSTDOWN, unix.EHOSTUNREACH, unix.ENETUNREACH, unix.ETIMEDOUT:
		return true
	}
	return false
}

// makeNonblock sets O_NONBLOCK; one system call if it is set already.
func makeNonblock(fd int) error {
	f, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil || f&unix.O_NONBLOCK != 0 {
		return err
	}
	_, err = unix.FcntlInt(uintptr(fd), unix.F_SETFL, f|unix.O_NONBLOCK)
	return err
}

// A yielder gives the processor to goroutines that callbacks made ready, before the
// loop waits. The wait would keep it from them until an idle processor steals them, or
// the runtime's monitor takes it away (20 µs to 10 ms: 230 µs from Wake to an answer
// on a single processor, 5 µs with a yield).
//
// But Gosched wakes an idle processor to look for work, 6 µs for nothing on each wait
// of an otherwise idle server. So it is called only where no other processor could
// be idle, or after bytes were handed over.
type yielder struct {
	waits  uint32
	single bool // GOMAXPROCS is 1, as of the last look at it
}

func (k *sockets) yield() {
	y := &k.yielder
	if y.waits&1023 == 0 { // it takes the scheduler's lock
		y.single = runtime.GOMAXPROCS(0) == 1
	}
	y.waits++
	if y.single || k.lender.handedOver {
		k.lender.handedOver = false
		runtime.Gosched()
	}
}
