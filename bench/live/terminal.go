package live

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// screen returns w as a terminal on which a view can be drawn, or nil. A terminal
// that tells no size, as of a container without one, gets lines.
func screen(w io.Writer) *os.File {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "" || os.Getenv("TERM") == "dumb" {
		return nil
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Col == 0 || size.Row == 0 {
		return nil
	}
	return f
}

// keyboard returns f when keys can be read from it, or nil.
func keyboard(f *os.File) *os.File {
	if f == nil {
		return nil
	}
	if _, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ); err != nil {
		return nil
	}
	return f
}

// inBackground reports whether f is the terminal of this process, and another
// job has it. Who changes its mode then is stopped by the kernel (SIGTTOU).
func inBackground(f *os.File) bool {
	group, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCGPGRP)
	return err == nil && group != unix.Getpgrp()
}
