package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync/atomic"
	"time"

	"github.com/roostws/roost/bench"
	"github.com/roostws/roost/bench/report"
)

// clientCommand is the client: package bench in a process of its own, so that it can be
// pinned and measured. It reads a bench.Config from its standard input, writes news, a
// line each, and ends in good order when its standard input does.
type clientCommand struct{}

// news is one line of the client's: of an interval, or the last one.
type news struct {
	Phase  report.Phase  `json:"phase,omitempty"`
	Length time.Duration `json:"length,omitempty"` // of the interval
	// So far.
	Open     int64 `json:"open"`
	Opened   int64 `json:"opened"`
	Received int64 `json:"received"`
	Lost     int64 `json:"lost"`
	Failed   int64 `json:"failed"`

	// In the last line one of them.
	Report *report.Report `json:"report,omitempty"`
	Error  string         `json:"error,omitempty"`
}

// Run makes the run.
func (*clientCommand) Run(ctx context.Context) error {
	from := bufio.NewReader(os.Stdin)
	line, err := from.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("the client wants a configuration on its standard input: %w", err)
	}
	var c bench.Config
	if err := json.Unmarshal(line, &c); err != nil {
		return err
	}
	stop := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, from) // until its end
		close(stop)
	}()
	to := json.NewEncoder(os.Stdout)
	result, err := bench.Run(ctx, c, bench.Options{
		Tool: "bench/compare", Stop: stop,
		Progress: func(p report.Progress) { _ = to.Encode(newsOf(p)) }, // a driver that is gone reads nothing
	})
	if err != nil {
		return to.Encode(news{Error: err.Error()})
	}
	return to.Encode(news{Report: result.Report})
}

func newsOf(p report.Progress) news {
	return news{
		Phase: p.Phase, Length: p.Last.Length,
		Open: p.Last.Open, Opened: p.Total.Opened, Received: p.Total.Received, Lost: p.Total.Lost, Failed: p.Total.Failed,
	}
}

// client is such a process, as the driver sees it.
type client struct {
	*process
	stdin io.Closer
	lines chan news            // closed at the end
	last  atomic.Pointer[news] // what listen heard last
}

// connect starts a client on the client's processor. The caller kills it.
func (r *rig) connect(c bench.Config) (*client, error) {
	config, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(r.self, "client")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout = w
	p, err := launch(cmd, r.clientCPU)
	w.Close()
	if err != nil {
		stdout.Close()
		return nil, err
	}
	k := &client{process: p, stdin: stdin, lines: make(chan news, 1)}
	go k.follow(stdout)
	if _, err := stdin.Write(append(config, '\n')); err != nil {
		k.discard()
		return nil, err
	}
	return k, nil
}

// follow hands on the lines.
func (k *client) follow(from io.ReadCloser) {
	defer close(k.lines)
	defer from.Close()
	for d := json.NewDecoder(from); ; {
		var n news
		if d.Decode(&n) != nil {
			return
		}
		k.lines <- n
	}
}

// discard ends it without a result.
func (k *client) discard() {
	k.listen() // or it would wait for somebody to read, and never be gone
	k.kill()
}

// stop makes it end in good order: its report comes.
func (k *client) stop() { k.stdin.Close() }

// next returns the next line, or says why there is none.
func (k *client) next(ctx context.Context) (news, error) {
	select {
	case n, ok := <-k.lines:
		if !ok {
			<-k.done
			return n, fmt.Errorf("the client ended: %s", k.why())
		}
		if n.Error != "" {
			return n, errors.New(n.Error)
		}
		return n, nil
	case <-ctx.Done():
		return news{}, context.Cause(ctx)
	}
}
