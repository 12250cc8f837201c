package bench

import (
	"bytes"
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// processSite is an agent in a process that this one has started.
type processSite struct {
	*agentSite
	process *process
}

func (s *processSite) name() string { return s.process.name() }

// close ends the process.
func (s *processSite) close() {
	s.agentSite.close()
	s.process.end()
}

const (
	maxProcs = 256
	// hatchTimeout is how long a process may take to say where it listens.
	hatchTimeout = 10 * time.Second
	// exitWait is how long it may take to end, and how long we wait to hear that it did.
	exitWait = 5 * time.Second
)

// startedSites starts processes, see Options.Worker. When ctx ends meanwhile, all that
// were started end.
func startedSites(ctx context.Context, procs int, command []string) ([]site, error) {
	if procs > maxProcs {
		return nil, &ConfigError{fmt.Errorf("%d processes are more than %d", procs, maxProcs)}
	}
	token := crand.Text()
	var sites []site
	var met []meeter
	for i := range procs {
		p, err := startProcess(command, token)
		if err != nil {
			closeSites(sites)
			return nil, err
		}
		s := &processSite{newAgentSite("", p.name(), token), p}
		s.guest = i > 0
		s.cause = p.cause
		sites, met = append(sites, s), append(met, s)
	}
	return meetAll(ctx, met)
}

// meet waits until the process can be reached.
func (s *processSite) meet(ctx context.Context) error {
	address, err := s.process.hatch(ctx)
	if err != nil {
		return err
	}
	s.address = address
	return s.agentSite.meet(ctx)
}

// process is a process that we have started.
type process struct {
	command *exec.Cmd
	life    io.Closer // its standard input: the process ends with it
	hello   *firstLine
	errors  *head
	gone    chan struct{} // closed when it was waited for
	err     error         // what Wait returned, once gone is closed
}

// startProcess starts a worker. It is in a process group of its own, so that Ctrl-C in
// the terminal reaches this process alone, which ends the run in order. That it does
// not outlive us is for its standard input to see to, on every system and whatever
// happens to us; Linux' parent-death signal goes by threads, which come and go in Go.
func startProcess(command []string, token string) (*process, error) {
	p := &process{
		command: exec.Command(command[0], command[1:]...),
		hello:   &firstLine{read: make(chan struct{})},
		errors:  &head{},
		gone:    make(chan struct{}),
	}
	p.command.Env = append(os.Environ(), "ROOST_TOKEN="+token)
	p.command.Stdout, p.command.Stderr = p.hello, p.errors
	p.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.command.WaitDelay = exitWait
	life, err := p.command.StdinPipe()
	if err == nil {
		err = p.command.Start()
	}
	if err != nil {
		return nil, &ConfigError{fmt.Errorf("cannot start a worker process: %w", err)}
	}
	p.life = life
	go func() {
		defer close(p.gone)
		p.err = p.command.Wait()
	}()
	return p, nil
}

func (p *process) name() string { return fmt.Sprintf("process %d", p.command.Process.Pid) }

// hatch waits for the process' address.
func (p *process) hatch(ctx context.Context) (string, error) {
	late := time.NewTimer(hatchTimeout)
	defer late.Stop()
	select {
	case <-p.hello.read:
	case <-p.gone:
		return "", &ConfigError{errors.New("worker " + p.name() + " ended at once" + p.cause())}
	case <-late.C:
		return "", &ConfigError{fmt.Errorf("worker %s does not say where it listens", p.name())}
	case <-ctx.Done():
		return "", ctx.Err()
	}
	address := p.hello.line()
	if _, _, err := net.SplitHostPort(address); err != nil {
		return "", &ConfigError{fmt.Errorf("worker %s is no agent: it says %q", p.name(), address)}
	}
	return address, nil
}

// cause says how the process has ended, for the end of a sentence.
func (p *process) cause() string {
	select {
	case <-p.gone:
	case <-time.After(exitWait):
		return "" // it is still there
	}
	text := ": " + p.command.ProcessState.String()
	if last := p.errors.gist(); last != "" {
		text += ", " + last
	}
	return text
}

// end ends the process, and returns when it is gone.
func (p *process) end() {
	p.life.Close()
	select {
	case <-p.gone:
	case <-time.After(exitWait + agentShutdown):
		_ = p.command.Process.Kill()
		<-p.gone
	}
}

// firstLine keeps the first line of what is written to it.
type firstLine struct {
	text []byte
	done bool
	read chan struct{} // closed when the line is whole
}

// maxFirstLine bounds it in bytes.
const maxFirstLine = 256

// Write never fails, so that the process is not stopped by what it says. One goroutine calls it.
func (f *firstLine) Write(p []byte) (int, error) {
	if f.done {
		return len(p), nil
	}
	line, _, whole := bytes.Cut(p, []byte("\n"))
	f.text = append(f.text, line[:min(len(line), maxFirstLine-len(f.text))]...)
	if whole || len(f.text) == maxFirstLine {
		f.done = true
		close(f.read)
	}
	return len(p), nil
}

// line returns the line, after read was closed.
func (f *firstLine) line() string { return sentence(string(f.text)) }

// head keeps the beginning of what is written to it: where a crash has its reason.
type head struct{ text []byte }

// maxLastWords bounds it in bytes.
const maxLastWords = 16 << 10

// Write never fails. One goroutine calls it.
func (h *head) Write(p []byte) (int, error) {
	h.text = append(h.text, p[:min(len(p), maxLastWords-len(h.text))]...)
	return len(p), nil
}

// gist returns the line that says why a process has ended: Go's panic, or else the last
// one. Only after the last Write.
func (h *head) gist() string {
	last := ""
	for line := range strings.Lines(string(h.text)) {
		line = sentence(line)
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			return line
		}
		if line != "" {
			last = line
		}
	}
	return last
}
