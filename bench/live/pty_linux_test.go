package live

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/roostws/roost/bench/report"
)

// terminal is a pseudoterminal of 100 by 30. What is drawn on tty is kept.
type terminal struct {
	t           *testing.T
	master, tty *os.File
	before      unix.Termios

	mu    sync.Mutex
	grew  sync.Cond
	drawn bytes.Buffer
	done  chan struct{}
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Skip("no pseudoterminal: ", err)
	}
	x := &terminal{t: t, master: master, done: make(chan struct{})}
	x.grew.L = &x.mu
	raw, err := master.SyscallConn() // Fd would make reads block in a way that Close does not end
	if err != nil {
		t.Fatal(err)
	}
	var number int
	if err := raw.Control(func(fd uintptr) {
		err = errors.Join(unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0),
			unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Col: 100, Row: 30}))
		if err == nil {
			number, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if x.tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	x.before = x.mode()
	go x.read()
	t.Cleanup(func() {
		x.tty.Close()
		master.Close()
		<-x.done
	})
	t.Setenv("TERM", "xterm-256color")
	t.Setenv("NO_COLOR", "")
	return x
}

// read keeps what is drawn until the terminal is closed.
func (x *terminal) read() {
	defer close(x.done)
	b := make([]byte, 4096)
	for {
		n, err := x.master.Read(b)
		x.mu.Lock()
		x.drawn.Write(b[:n])
		x.grew.Broadcast()
		x.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (x *terminal) mode() unix.Termios {
	x.t.Helper()
	m, err := unix.IoctlGetTermios(int(x.tty.Fd()), unix.TCGETS)
	if err != nil {
		x.t.Fatal(err)
	}
	return *m
}

// wait returns when want was drawn.
func (x *terminal) wait(want string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for !strings.Contains(x.drawn.String(), want) {
		x.grew.Wait()
	}
}

func (x *terminal) text() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.drawn.String()
}

func (x *terminal) press(keys string) {
	x.t.Helper()
	if _, err := x.master.WriteString(keys); err != nil {
		x.t.Fatal(err)
	}
}

const (
	entersScreen = "\x1b[?1049h"
	leavesScreen = "\x1b[?1049l"
	showsCursor  = "\x1b[?25h"
)

// checkRestored fails unless the terminal is as it was.
func (x *terminal) checkRestored() {
	x.t.Helper()
	if got := x.mode(); got != x.before {
		x.t.Errorf("the mode is %+v, and was %+v", got, x.before)
	}
	x.wait(leavesScreen)
	x.wait(showsCursor)
}

// start shows on the terminal; what Show returns comes from the channel.
func (x *terminal) start(ctx context.Context, updates <-chan report.Progress, o Options) <-chan error {
	o.Out = x.tty
	result := make(chan error, 1)
	go func() { result <- Show(ctx, updates, o) }()
	return result
}

func TestTheTerminalIsGivenBack(t *testing.T) {
	x := newTerminal(t)
	updates := make(chan report.Progress)
	asked := make(chan string, 9)
	result := x.start(context.Background(), updates, Options{In: x.tty,
		Interrupt: func() { asked <- "interrupt" }, Abort: func() { asked <- "abort" }})
	updates <- known()
	x.wait("52,310/s")
	x.wait("q or Ctrl-C ends the run")
	if x.mode().Lflag&(unix.ICANON|unix.ISIG|unix.ECHO) != 0 {
		t.Error("keys do not come one by one")
	}
	for _, want := range []string{"interrupt", "abort"} {
		x.press("\x03")
		if got := <-asked; got != want {
			t.Errorf("Ctrl-C asked for %s, want %s", got, want)
		}
	}
	x.wait("ending at once")
	close(updates)
	if err := <-result; err != nil {
		t.Error(err)
	}
	x.checkRestored()
	if strings.Count(x.text(), entersScreen) != 1 {
		t.Error("the view has no screen of its own")
	}
}

func TestTheTerminalIsGivenBackWhenTheContextEnds(t *testing.T) {
	x := newTerminal(t)
	ctx, cancel := context.WithCancel(context.Background())
	updates := make(chan report.Progress)
	result := x.start(ctx, updates, Options{In: x.tty})
	updates <- known()
	x.wait("52,310/s")
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	x.checkRestored()
}

// TestTheTerminalIsGivenBackAfterAPanic goes on in lines: the run does not end
// because its view does.
func TestTheTerminalIsGivenBackAfterAPanic(t *testing.T) {
	x := newTerminal(t)
	updates := make(chan report.Progress)
	result := x.start(context.Background(), updates, Options{In: x.tty, Interrupt: func() { panic("in the view") }})
	updates <- known()
	x.wait("52,310/s")
	x.press("q")
	seen := make(chan struct{})
	go func() {
		defer close(updates)
		for { // the view may still take one
			select {
			case updates <- known():
			case <-seen:
				return
			}
		}
	}()
	x.wait(leavesScreen)
	x.wait("5s measure open 997")
	close(seen)
	if err := <-result; err == nil || err.Error() != "cannot draw the live view: in the view" {
		t.Errorf("error %v", err)
	}
	x.checkRestored()
}

// TestWithoutAKeyboard asks the terminal nothing, because nobody would read the
// answers, and leaves its mode alone.
func TestWithoutAKeyboard(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	for name, in := range map[string]*os.File{"none": nil, "a pipe": r} {
		t.Run(name, func(t *testing.T) {
			x := newTerminal(t)
			updates := make(chan report.Progress)
			result := x.start(context.Background(), updates, Options{In: in})
			updates <- known()
			x.wait("52,310/s")
			x.wait("Ctrl-C ends the run")
			if got := x.mode(); got != x.before {
				t.Errorf("the mode is %+v, and was %+v", got, x.before)
			}
			close(updates)
			if err := <-result; err != nil {
				t.Error(err)
			}
			x.checkRestored()
			// DECRQM ends in $p, kitty's question is CSI ? u.
			for _, question := range []string{"$p", "\x1b[?u", "\x1b[c", "\x1b[6n"} {
				if strings.Contains(x.text(), question) {
					t.Errorf("the terminal was asked %q", question)
				}
			}
		})
	}
}

func TestATerminalThatGetsLines(t *testing.T) {
	tests := []struct {
		name, term string
		plain      bool
		columns    uint16
	}{
		{"dumb", "dumb", false, 100},
		{"unknown", "", false, 100},
		{"asked for", "xterm", true, 100},
		{"no size", "xterm", false, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			x := newTerminal(t)
			t.Setenv("TERM", tt.term)
			if err := unix.IoctlSetWinsize(int(x.tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: tt.columns, Row: 30}); err != nil {
				t.Fatal(err)
			}
			if err := <-x.start(context.Background(), closed(known()), Options{In: x.tty, Plain: tt.plain}); err != nil {
				t.Error(err)
			}
			x.wait("5s measure open 997")
			if strings.Contains(x.text(), "\x1b") {
				t.Errorf("drawn %q", x.text())
			}
		})
	}
}

// background tells a child process of TestAJobInTheBackgroundGetsLines what it is.
const background = "ROOST_LIVE_BACKGROUND"

func TestBackgroundJob(t *testing.T) {
	if os.Getenv(background) == "" {
		t.Skip("runs only as a child of TestAJobInTheBackgroundGetsLines")
	}
	if err := Show(context.Background(), closed(known()), Options{Out: os.Stderr, In: os.Stdin}); err != nil {
		t.Fatal(err)
	}
}

// TestAJobInTheBackgroundGetsLines would find a stopped job if it got a view.
func TestAJobInTheBackgroundGetsLines(t *testing.T) {
	x := newTerminal(t)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	shell := exec.CommandContext(ctx, "sh", "-c", `set -m; "$0" -test.run=TestBackgroundJob </dev/tty & wait`, os.Args[0])
	shell.Env = append(os.Environ(), background+"=1")
	shell.Stdin, shell.Stdout, shell.Stderr = x.tty, x.tty, x.tty
	shell.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := shell.Run(); err != nil {
		t.Errorf("%v: %q", err, x.text())
	}
	if text := x.text(); !strings.Contains(text, "5s measure open 997") || strings.Contains(text, entersScreen) {
		t.Errorf("drawn %q", text)
	}
}

func TestColours(t *testing.T) {
	for value, want := range map[string]bool{"": true, "yes": false} {
		x := newTerminal(t)
		t.Setenv("NO_COLOR", value)
		updates := make(chan report.Progress)
		result := x.start(context.Background(), updates, Options{In: x.tty})
		updates <- known()
		x.wait("52,310/s")
		close(updates)
		if err := <-result; err != nil {
			t.Error(err)
		}
		if got := strings.Contains(x.text(), "\x1b[36"); got != want {
			t.Errorf("NO_COLOR=%q: coloured %v\n%q", value, got, x.text())
		}
	}
}

func TestTheViewFollowsTheTerminalsSize(t *testing.T) {
	x := newTerminal(t)
	updates := make(chan report.Progress)
	result := x.start(context.Background(), updates, Options{In: x.tty})
	updates <- known()
	x.wait("slip")
	x.mu.Lock()
	x.drawn.Reset()
	x.mu.Unlock()
	if err := unix.IoctlSetWinsize(int(x.tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: 60, Row: 30}); err != nil {
		t.Fatal(err)
	}
	// The test is not in the terminal's session, so the kernel does not tell it.
	if err := unix.Kill(os.Getpid(), unix.SIGWINCH); err != nil {
		t.Fatal(err)
	}
	x.wait(bar(0, 16) + "\x1b")
	close(updates)
	if err := <-result; err != nil {
		t.Error(err)
	}
	x.checkRestored()
}
