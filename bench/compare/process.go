package main

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is a program that the driver started, pinned to one processor.
type process struct {
	cmd    *exec.Cmd
	cpu    int // that it is pinned to
	stderr *lastLine
	done   chan struct{} // closed when it has ended and was waited for
	err    error         // how it ended; to be read after done
}

// launch starts cmd on one processor. The caller ends it by end or kill.
func launch(cmd *exec.Cmd, cpu int) (*process, error) {
	p := &process{cmd: cmd, cpu: cpu, stderr: &lastLine{}, done: make(chan struct{})}
	cmd.Stderr = p.stderr
	// A group of its own keeps the terminal's Ctrl-C from it: the driver ends it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = time.Second
	if err := pinned(cpu, cmd.Start); err != nil {
		return nil, err
	}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// pinned calls start on a thread that may only use one processor. What start makes
// inherits that.
func pinned(cpu int, start func() error) error {
	runtime.LockOSThread()
	var before, only unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("the processors of a thread cannot be read: %w", err)
	}
	only.Set(cpu)
	if err := unix.SchedSetaffinity(0, &only); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("nothing can be pinned to processor %d: %w", cpu, err)
	}
	err := start()
	if back := unix.SchedSetaffinity(0, &before); back != nil {
		return errors.Join(err, back) // the thread stays locked, and ends with its goroutine
	}
	runtime.UnlockOSThread()
	return err
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// ended tells whether it has ended.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// end asks it and what it has started to end, makes them end after two seconds, and waits
// for that.
func (p *process) end() {
	_ = unix.Kill(-p.pid(), unix.SIGTERM) // it may have ended
	select {
	case <-p.done:
	case <-time.After(2 * time.Second):
	}
	p.kill()
}

// kill ends it, and what it has started, at once and waits for that.
func (p *process) kill() {
	_ = unix.Kill(-p.pid(), unix.SIGKILL) // its group may be gone
	<-p.done
}

// why says how it ended, for a person: by what it wrote last, or by its status. Only for
// one that has ended.
func (p *process) why() string {
	if text := p.stderr.String(); text != "" {
		return text
	}
	if p.err != nil {
		return p.err.Error()
	}
	return "it ended without a word"
}

// lastLine keeps the last line that was written to it and is not empty.
type lastLine struct {
	mu   sync.Mutex
	last string
	open []byte // the line that has no end yet
}

// longest is how much of a line is kept, in bytes.
const longest = 500

// Write takes all.
func (l *lastLine) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open = append(l.open, b...)
	for {
		line, rest, ok := bytes.Cut(l.open, []byte("\n"))
		if !ok {
			break
		}
		l.keep(line)
		l.open = rest
	}
	if len(l.open) > longest {
		l.open = l.open[:longest]
	}
	return len(b), nil
}

func (l *lastLine) keep(line []byte) {
	if text := strings.TrimSpace(string(line[:min(len(line), longest)])); text != "" {
		l.last = text
	}
}

// String returns the line.
func (l *lastLine) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if text := strings.TrimSpace(string(l.open)); text != "" {
		return text
	}
	return l.last
}
