package guard

import (
	"bytes"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A peer is a client's socket. Its calls are read and write, which the
// server uses for neither; so a count of system calls tells the two sides apart. They go
// round the scheduler, as the server's do, for the client to cost little and always the same.
type peer int

// dial connects n sockets, which need not be accepted yet, and sends their handshakes. A full
// listen queue ends the process: to wait would be for ever, as nobody may be accepting yet.
func dial(addr string, n int) []peer {
	peers := make([]peer, n)
	for i := range peers {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		must(err)
		err = unix.Connect(fd, &unix.SockaddrUnix{Name: addr})
		if err == unix.EAGAIN {
			fail("only %d of %d connections have room in the listen queue: raise its limit with sysctl -w net.core.somaxconn=%d", i, n, n)
		}
		must(err)
		must(unix.SetNonblock(fd, false)) // the answer to the handshake is waited for
		_, err = unix.Write(fd, []byte(request))
		must(err)
		peers[i] = peer(fd)
	}
	return peers
}

// open waits for the answers to the handshakes.
func open(peers []peer) {
	for _, p := range peers {
		p.upgraded()
		must(unix.SetNonblock(int(p), true))
	}
}

// upgraded reads the answer to the handshake. It comes by itself in one write: no
// message follows before all have their answer.
func (p peer) upgraded() {
	answer := make([]byte, 4096)
	n, err := unix.Read(int(p), answer)
	must(err)
	if !bytes.HasPrefix(answer[:n], []byte("HTTP/1.1 101 ")) || !bytes.HasSuffix(answer[:n], []byte("\r\n\r\n")) {
		fail("the server answered %q", answer[:n])
	}
}

func (p peer) write(b []byte) {
	n, _, errno := syscall.RawSyscall(unix.SYS_WRITE, uintptr(p), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	if errno != 0 || int(n) != len(b) {
		fail("a client's write: %v", errno)
	}
}

// read reads len(b) bytes that were sent already, in one call.
func (p peer) read(b []byte) {
	n, _, errno := syscall.RawSyscall(unix.SYS_READ, uintptr(p), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	if errno != 0 || int(n) != len(b) {
		fail("a client has no answer: read %v, %d of %d bytes", errno, int(n), len(b))
	}
}
