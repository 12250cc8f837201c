//go:build linux

package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// address is where the server listens in the guest.
const address = "127.0.0.1:8080"

// reportFile is where the load leaves its report.
const reportFile = "/report.json"

// ports are the load's source ports, of each of as many addresses as it needs: in order,
// as the kernel's search for a free one gets slow where most are taken.
const ports = "10000-59999"

// handshakeTimeout is for both ends: on a busy host the guest stands still for seconds.
const handshakeTimeout = "2m"

// serverArgs are roost's arguments for the server.
func serverArgs(p plan) []string {
	args := []string{"echo", "--inline", "--addr", address, "--ping-after", p.Ping.String(), "--ping-grace", p.Grace.String(),
		"--handshake-timeout", handshakeTimeout}
	if p.Publish {
		args = append(args, "--broadcast")
	}
	return args
}

// loadArgs are roost's arguments for the load. The message to all has the time at which
// it was sent, and the clients count from that.
func loadArgs(p plan) []string {
	args := []string{"load", "idle"}
	if p.Publish {
		args = []string{"load", "fanout", "--stamp", "json:at,ns", "--drain", p.Reach.String()}
	}
	args = append(args, "-n", strconv.Itoa(p.Conns), "-d", (p.Hold + p.Reach).String(), "--connect-timeout", handshakeTimeout,
		"--ports", ports, "-q", "--json", reportFile)
	if p.Rate > 0 {
		args = append(args, "--connect-rate", strconv.Itoa(p.Rate))
	}
	return append(args, "ws://"+address+"/")
}

// process is a roost that runs.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed at its end
	err  error         // how it ended
}

// start runs roost. Its lines go to hear, from one goroutine.
func start(hear func(string), args ...string) (*process, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command("/roost", args...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = w, w
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	w.Close()
	go func() {
		eachLine(r, hear)
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

func eachLine(r io.Reader, hear func(string)) {
	for s := bufio.NewScanner(r); s.Scan(); {
		hear(s.Text())
	}
}

// status is what the kernel says of the process' memory.
func (p *process) status() map[string]int64 {
	return memoryOf(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
}

// state is what the load's lines have told.
type state struct {
	mu    sync.Mutex
	phase string
	open  int64
	got   bool // messages came
	quiet int  // lines since then that tell of none
	began time.Time
}

// hear takes a line of the load, such as
//
//	15s ramp open 9,000 out 0/s in 0/s p50 - …
//	21s measure begins, open 20,000 of 20,000
//
// and tells whether it is of that kind.
func (s *state) hear(line string, now time.Time) bool {
	f := strings.Fields(line)
	if len(f) < 5 {
		return false
	}
	if _, err := time.ParseDuration(f[0]); err != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	known := false
	for i := 2; i+1 < len(f); i++ {
		switch f[i] {
		case "open":
			known = true
			n, err := strconv.ParseInt(strings.ReplaceAll(f[i+1], ",", ""), 10, 64)
			if err != nil {
				return false
			}
			s.enter(f[1], n, now)
		case "in":
			s.messages(f[i+1] != "0/s")
		}
	}
	return known
}

func (s *state) enter(phase string, open int64, now time.Time) {
	if s.phase == "" {
		s.began = now
	}
	s.phase, s.open = phase, open
}

// quietLines are the load's lines in as long as the kernel may take to send again what was
// lost, and some more. There is one every five seconds: no line tells how many have the
// message, only how many get it in a second.
const quietLines = patience/5000 + 2

func (s *state) messages(some bool) {
	switch {
	case some:
		s.got, s.quiet = true, 0
	case s.got:
		s.quiet++
	}
}

// reached tells whether the message is through: some came, and then none in quietLines.
func (s *state) reached() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.quiet >= quietLines
}
