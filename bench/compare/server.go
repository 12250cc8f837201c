package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The modes of a server.
const (
	echoMode      = "echo"
	broadcastMode = "broadcast"
	slowMode      = "slow"
)

// patience is how long a server may take until it listens.
const patience = 10 * time.Second

// server is a program that listens.
type server struct {
	*process
	port   int
	secure bool // it speaks TLS
}

// serve starts p on the server's processor and waits until it listens. The caller ends it.
func (r *rig) serve(ctx context.Context, p *program, mode string) (*server, error) {
	return r.start(ctx, p, mode, false)
}

// start is serve, over TLS if it is to be secure.
func (r *rig) start(ctx context.Context, p *program, mode string, secure bool) (*server, error) {
	port, err := r.ports.take()
	if err != nil {
		return nil, err
	}
	addr := "127.0.0.1:" + strconv.Itoa(port)
	args := append(p.command[1:len(p.command):len(p.command)], "--addr", addr, "--mode", mode)
	if secure {
		args = append(args, "--tls", r.certificate)
	}
	cmd := exec.Command(p.command[0], args...)
	cmd.Env = plain(os.Environ())
	started, err := launch(cmd, r.serverCPU)
	if err != nil {
		return nil, fmt.Errorf("cannot be started: %w", err)
	}
	s := &server{started, port, secure}
	if err := s.listens(ctx, addr, r.patience); err != nil {
		s.kill()
		return nil, err
	}
	return s, nil
}

// tuning are the variables that change how a server's runtime works.
var tuning = []string{"GOMAXPROCS", "GOGC", "GOMEMLIMIT", "GODEBUG", "NODE_OPTIONS"}

// plain returns an environment without those.
func plain(environment []string) []string {
	return slices.DeleteFunc(slices.Clone(environment), func(line string) bool {
		name, _, _ := strings.Cut(line, "=")
		return slices.Contains(tuning, name)
	})
}

// listens waits until s accepts connections.
func (s *server) listens(ctx context.Context, addr string, patience time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("does not listen at %s after %v", addr, patience))
	defer cancel()
	for {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		if err == nil {
			return c.Close()
		}
		select {
		case <-s.done:
			return s.death()
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// death says that s ended by itself, and why.
func (s *server) death() error { return fmt.Errorf("the server ended: %s", s.why()) }

// blame returns the cause of err: the server's death, if it has died.
func (s *server) blame(err error) error {
	if err != nil {
		// The news of its end may be a moment behind that of its connections.
		select {
		case <-s.done:
		case <-time.After(100 * time.Millisecond):
		}
	}
	if s.ended() {
		return s.death()
	}
	return err
}

func (s *server) url() string {
	if s.secure {
		return fmt.Sprintf("wss://127.0.0.1:%d/", s.port)
	}
	return fmt.Sprintf("ws://127.0.0.1:%d/", s.port)
}

// established returns how many connections s has that it has not closed.
func (s *server) established() (int, error) {
	text, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return 0, err
	}
	return countEstablished(string(text), s.port), nil
}

// countEstablished counts those of a local port by the text of /proc/net/tcp.
func countEstablished(table string, port int) int {
	n := 0
	end := fmt.Sprintf(":%04X", port)
	for line := range strings.Lines(table) {
		f := strings.Fields(line) // number, local and remote address, state
		if len(f) > 3 && strings.HasSuffix(f[1], end) && f[3] == "01" {
			n++
		}
	}
	return n
}

// portList gives out ports, each only once in a run: a server that comes where another
// one was may find its connections in TIME_WAIT.
type portList struct{ next, end int }

// newPortList gives out ports below those that the kernel gives to clients.
func newPortList() *portList { return &portList{next: 12000, end: 32767} }

// take returns a port at which nobody listens.
func (l *portList) take() (int, error) {
	for l.next < l.end {
		l.next++
		listener, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(l.next))
		if err == nil {
			return l.next, listener.Close()
		}
	}
	return 0, errors.New("no port is left to listen at")
}
