package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal makes a pseudoterminal the standard input and error for the test, and
// returns its other end.
func terminal(t *testing.T) *os.File {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Skip("no pseudoterminal: ", err)
	}
	t.Cleanup(func() { master.Close() })
	raw, err := master.SyscallConn() // Fd would make reads block
	if err != nil {
		t.Fatal(err)
	}
	number, failed := 0, error(nil)
	err = raw.Control(func(fd uintptr) {
		failed = errors.Join(unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0),
			unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Col: 100, Row: 30}))
		if failed == nil {
			number, failed = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	})
	if err = errors.Join(err, failed); err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	in, out := os.Stdin, os.Stderr
	os.Stdin, os.Stderr = tty, tty
	t.Cleanup(func() { os.Stdin, os.Stderr = in, out; tty.Close() })
	t.Setenv("TERM", "xterm-256color")
	return master
}

// TestARunThatIsEndedAtOnceFails: the second Ctrl-C in the live view. There is no
// report, so the exit status must not say that all is well.
func TestARunThatIsEndedAtOnceFails(t *testing.T) {
	master := terminal(t)
	url := webSocketServer(t, false) // what is sent is waited for at the end
	result := make(chan error, 1)
	go func() {
		result <- run(context.Background(), []string{"load", "echo", "-n", "1", "-d", "1h", "--drain", "1h", url})
	}()
	pressed := make(chan error, 1)
	go func() { pressed <- pressTwice(master) }()
	err := <-result
	if err == nil || errors.Is(err, context.Canceled) || status(err) != exitFailed || !strings.Contains(err.Error(), "there is no report") {
		t.Errorf("%v, exit status %d", err, status(err))
	}
	os.Stderr.Close() // ends the reader
	if err := <-pressed; err != nil {
		t.Error(err)
	}
}

// pressTwice presses Ctrl-C twice when the view shows that messages flow, and takes
// what is drawn until the terminal is closed.
func pressTwice(master *os.File) error {
	var drawn strings.Builder
	b := make([]byte, 4096)
	for pressed := false; ; {
		n, err := master.Read(b)
		if err != nil {
			return nil // closed
		}
		drawn.Write(b[:n])
		if !pressed && strings.Contains(drawn.String(), "measur") {
			pressed = true
			if _, err := master.WriteString("\x03\x03"); err != nil {
				return err
			}
		}
	}
}
