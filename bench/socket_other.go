//go:build unix && !linux

package bench

import "golang.org/x/sys/unix"

func openSocket(family int) (int, error) {
	fd, err := unix.Socket(family, unix.SOCK_STREAM, 0)
	if err != nil {
		return -1, err
	}
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// bindAddressOnly is Linux': elsewhere bind picks the port.
func bindAddressOnly(int) error { return nil }

// sharpTimers is Linux'.
func sharpTimers() {}

// ended asks for a byte without taking it: the end of the stream, or an error, means
// that the other side has ended the connection. Behind unread bytes it stays unseen.
func ended(fd int) bool {
	var b [1]byte
	n, _, err := unix.Recvfrom(fd, b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	return err == nil && n == 0 || err != nil && err != unix.EAGAIN && err != unix.EINTR
}
