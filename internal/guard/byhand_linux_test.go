package guard

import (
	"bytes"
	"syscall"
	"unsafe"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"github.com/roostws/roost/wsproto"
)

// pair is two connected sockets: a server's, and a client's.
func pair() (own int, client peer) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(err)
	return fds[0], peer(fds[1])
}

// byHand makes a call that the server makes too, in the same way.
func byHand(call uintptr, fd int, b []byte) int {
	n, _, errno := syscall.RawSyscall6(call, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), unix.MSG_NOSIGNAL, 0, 0)
	if errno != 0 {
		fail("system call %d: %v", call, errno)
	}
	return int(n)
}

// echoByHand is the least that an echo takes with gobwas/ws: one socket that is
// known to be readable, no loop, no queue and no fragments.
func echoByHand(n int) {
	own, client := pair()
	frame := wsproto.AppendMaskedFrame(nil, ws.OpText, []byte(message), maskKey)
	reply := make([]byte, len(frame)-len(maskKey))
	read := make([]byte, 4096)
	r := bytes.NewReader(nil)
	var out bytes.Buffer
	begin()
	for range n {
		client.write(frame)
		got := read[:byHand(unix.SYS_RECVFROM, own, read)]
		r.Reset(got)
		h, err := ws.ReadHeader(r)
		must(err)
		payload := got[len(got)-r.Len():]
		ws.Cipher(payload, h.Mask, 0)
		out.Reset()
		must(ws.WriteFrame(&out, ws.NewTextFrame(payload)))
		byHand(unix.SYS_SENDTO, own, out.Bytes())
		client.read(reply)
	}
}

// publishByHand sends a frame, made once, n times.
func publishByHand(n int) {
	own, client := pair()
	frame, err := ws.CompileFrame(ws.NewTextFrame([]byte(message)))
	must(err)
	got := make([]byte, len(frame))
	begin()
	for range n {
		byHand(unix.SYS_SENDTO, own, frame)
		client.read(got)
	}
}
