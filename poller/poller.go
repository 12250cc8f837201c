// Package poller delivers what happens on many sockets to one goroutine. An
// [Engine] owns file descriptors, does every read, write, accept and wait, and
// tells a [Handler]; it knows descriptors and tokens, never connections.
//
// The seam carries bytes, not readiness: Data hands over what was read, Write
// takes bytes and says how many are gone, Writable says when more may go. So a
// completion engine (io_uring with kernel-filled buffers, and writes that end
// later) can stand behind the same interface as the two readiness engines:
//
//   - epoll: our own, Linux. Level-triggered, one read per event, and calls that
//     cannot block bypass the Go scheduler.
//   - netpoll: easygo's netpoll; epoll on Linux, kqueue on macOS, FreeBSD and
//     DragonFly BSD.
//
// A loop is: [Open], [Engine.Listen] or [Engine.Add], then [Engine.Run] on a
// goroutine of its own. A server has one such loop per core, each with a listening
// socket from [Listen].
package poller

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// A Token names one socket in one engine for as long as the engine has it: the
// slot in the low 32 bits, the slot's generation in the high 32. A closed
// socket's token is stale for ever, also when its slot and its descriptor number
// are used again. The zero Token names nothing.
type Token uint64

// Slot returns the socket's place in the engine's table. Slots are dense (the one
// freed last is used next), so a Handler may keep its own state in a slice by slot.
func (t Token) Slot() uint32 { return uint32(t) }

func (t Token) generation() uint32 { return uint32(t >> 32) }

func makeToken(slot, generation uint32) Token {
	return Token(generation)<<32 | Token(slot)
}

// A Handler is told what happens. All methods are called by the engine while Run
// is running, one at a time, each after the one before has returned; they must not
// block. They may call every method of the Engine, but not Run.
type Handler interface {
	// Accepted hands over a connection that listener l accepted: t is registered
	// and reading already. peer is not valid for sockets other than TCP.
	//
	// With an error (EMFILE, ENFILE, ENOBUFS, ENOMEM, or one that says that the
	// listener is broken) t is 0, and the engine has paused l, as the listener
	// would stay readable and spin: call Resume(l) later. Errors of the single
	// connection, like ECONNABORTED, are skipped in silence.
	Accepted(l, t Token, peer netip.AddrPort, err error)

	// Data hands over bytes that were read. They are lent until Data returns, and
	// may be written to, unless b.Retain was called.
	Data(t Token, b *Buffer)

	// Writable follows a Write of which not all was gone: more may be given now. gone
	// bytes of the rest of that Write are gone since: with a completion engine what it
	// has sent, with a readiness engine 0.
	Writable(t Token, gone int)

	// Closed says that reading has ended, once per token: io.EOF at the peer's FIN
	// (all it sent was delivered before, and writing may still work), or the error
	// (ECONNRESET, ETIMEDOUT...). If a Write has met the error first, err may be
	// io.EOF, as the kernel reports an error only once. The socket stays the
	// engine's until Close(t).
	Closed(t Token, err error)

	// Turn is called once at the start of Run, after the events of each turn, and
	// after a Wake. The engine then sleeps for at most wait: without bound if
	// wait < 0, not at all if 0. It may return earlier, and rounds up to what its
	// clock can do: epoll some 50 µs, on kernels before 5.11 and with netpoll 1 ms.
	//
	// Before it sleeps, the engine yields to the goroutines that callbacks made ready
	// if it knows of any: after a Retain, and always if GOMAXPROCS is 1. A handler
	// that hands work over in other ways gets it run sooner, by about 10 µs, if its
	// Turn ends with runtime.Gosched.
	Turn() (wait time.Duration)
}

// An Engine owns sockets and runs their I/O on one goroutine. Wake, Stop and Name
// may be called from any goroutine at any time, all else only from Handler
// callbacks or before Run.
//
// A token of a closed socket makes every method return [ErrStale]. Errors of system
// calls are *os.SyscallError and name the call.
type Engine interface {
	// Add takes a connected stream socket over and starts reading from it. The
	// engine owns fd from now on and closes it also when Add fails. It makes fd
	// non-blocking. On Linux a socket whose connect is still under way may be
	// added too: Write takes nothing until it is connected, then Writable comes;
	// Closed tells if it fails.
	Add(fd int) (Token, error)

	// Listen takes a listening socket over and starts accepting, as Add does.
	Listen(fd int) (Token, error)

	// Pause stops reading (or accepting) and Resume starts it again. Both may be
	// called in any state, any number of times. While paused nothing is read, so
	// the peer is held back by TCP, a FIN or reset waits, and no CPU is spent.
	Pause(t Token) error
	Resume(t Token) error

	// Write gives bytes to the socket, all buffers in one system call (per 1024).
	// The first n of them are gone: the caller may change or reuse their memory. n
	// less than their sum with a nil error means that Writable will be called; until
	// then the rest must stay untouched, as a completion engine may be reading it,
	// and nothing may be written. Writable tells how much of the rest is gone, 0
	// with a readiness engine; what is not must be offered again. An error (EPIPE,
	// ECONNRESET...) means that writing has ended: Close the token. No signal is
	// raised.
	Write(t Token, bufs [][]byte) (n int, err error)

	// Holds tells whether the engine keeps what a Write did not report as gone, as a
	// completion engine does. A readiness engine has forgotten it: the caller may
	// change or drop it at once.
	Holds() bool

	// CloseWrite sends FIN after all bytes taken so far. Reading goes on.
	CloseWrite(t Token) error

	// Detach gives the socket back: it is registered no more, open, non-blocking,
	// and the caller's. Nothing that the kernel holds is lost.
	Detach(t Token) (fd int, err error)

	// Close closes the socket. No callback comes for t any more, not even for an
	// event that the kernel has reported already.
	Close(t Token) error

	// Run delivers events to h until Stop, then closes every socket that is left
	// and frees what the engine holds. It can run once. What Wake's caller did
	// before happens before the Turn that follows. An engine that will not be
	// used must be stopped and run all the same to free what it holds; h is not
	// called then and may be nil.
	Run(h Handler) error

	// Wake makes one Turn run after this call. Many calls before that Turn make
	// one; while the loop is awake it costs one atomic operation.
	Wake()

	// Stop makes Run return after the turn in progress. It may be called more than
	// once, also before Run, and does not wait.
	Stop()

	// Name is the engine's name as Open takes it.
	Name() string
}

// Config sets up an engine. The zero value is ready to use.
type Config struct {
	// ReadBuffer is the most bytes that one Data call hands over; 0 means 256 KiB
	// (echoes of 1 MiB then take two thirds of the processor time that they take
	// with 64 KiB). One such buffer exists per engine, plus those whose bytes are
	// retained.
	ReadBuffer int

	// Events is the most events that one turn handles; 0 means 1024. The netpoll
	// engine chooses by itself.
	Events int
}

const (
	defaultReadBuffer = 256 << 10
	defaultEvents     = 1024
	maxEvents         = 1 << 20
)

func (c Config) withDefaults() (Config, error) {
	if c.ReadBuffer < 0 {
		return c, fmt.Errorf("poller: ReadBuffer is %d: give a number of bytes, or 0 for %d", c.ReadBuffer, defaultReadBuffer)
	}
	if c.Events < 0 || c.Events > maxEvents {
		return c, fmt.Errorf("poller: Events is %d: give a number up to %d, or 0 for %d", c.Events, maxEvents, defaultEvents)
	}
	if c.ReadBuffer == 0 {
		c.ReadBuffer = defaultReadBuffer
	}
	if c.Events == 0 {
		c.Events = defaultEvents
	}
	return c, nil
}

// gone is the type of errors that say that a socket is no longer there.
type gone string

func (e gone) Error() string { return string(e) }
func (e gone) Unwrap() error { return net.ErrClosed }

var (
	// ErrStale is returned for a token whose socket has been closed or detached.
	// errors.Is(ErrStale, net.ErrClosed) holds.
	ErrStale error = gone("poller: the socket of this token is closed")

	// ErrStopped is returned by Add and Listen after Run has returned.
	// errors.Is(ErrStopped, net.ErrClosed) holds.
	ErrStopped error = gone("poller: the engine has stopped")

	// ErrUnsupported is returned where no engine exists for the platform; it is
	// an errors.ErrUnsupported.
	ErrUnsupported = fmt.Errorf("poller: no engine for this platform: use Linux, macOS, FreeBSD or DragonFly BSD: %w", errors.ErrUnsupported)

	errRunTwice = errors.New("poller: Run was called a second time; open another engine")
)

// implementation is one engine that the platform has.
type implementation struct {
	name string
	open func(Config) (Engine, error)
}

// Open makes an engine: "epoll", "netpoll", or the fastest one that the platform
// has for "auto" or "". On platforms without any it returns ErrUnsupported.
func Open(name string, c Config) (Engine, error) {
	if len(implementations) == 0 {
		return nil, ErrUnsupported
	}
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	if name == "" || name == "auto" {
		return implementations[0].open(c)
	}
	for _, i := range implementations {
		if i.name == name {
			return i.open(c)
		}
	}
	return nil, fmt.Errorf("poller: no engine %q here: choose auto, %s", name, strings.Join(Engines(), " or "))
}

// Engines returns the names of the engines that the platform has, the fastest first.
func Engines() []string {
	var names []string
	for _, i := range implementations {
		names = append(names, i.name)
	}
	return names
}
