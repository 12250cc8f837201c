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
	"strconv"
	"time"
)

// cLoader is the C client: its program, or why there is none.
type cLoader struct {
	program string
	err     error
}

// count is what the C client measured.
type count struct {
	usage
	rate float64 // things a second
}

// driveC runs the C client for a work against s: numbers go between the port and the
// seconds.
func (r *rig) driveC(ctx context.Context, s *server, work string, numbers ...int) (count, error) {
	if r.loader.err != nil {
		return count{}, fmt.Errorf("there is no C client: %w", r.loader.err)
	}
	limit := r.warmup + r.seconds + overhead
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the C client is not done after %v", limit))
	defer cancel()
	args := []string{work, strconv.Itoa(s.port)}
	for _, n := range numbers {
		args = append(args, strconv.Itoa(n))
	}
	args = append(args, seconds(r.warmup), seconds(r.seconds))
	stdout, w, err := os.Pipe()
	if err != nil {
		return count{}, err
	}
	defer stdout.Close()
	cmd := exec.Command(r.loader.program, args...)
	cmd.Stdout = w
	k, err := launch(cmd, r.clientCPU)
	w.Close()
	if err != nil {
		return count{}, err
	}
	defer k.kill()
	// Killing it is what ends a read that nothing else would end.
	defer context.AfterFunc(ctx, k.kill)()
	c, err := k.count(s, stdout)
	r.others.add(c.usage)
	if ctx.Err() != nil {
		return count{}, context.Cause(ctx)
	}
	return c, s.blame(err)
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) }

// count follows the C client's two lines.
func (p *process) count(s *server, stdout io.Reader) (count, error) {
	lines := bufio.NewScanner(stdout)
	if !lines.Scan() || lines.Text() != "start" {
		return count{}, p.broke(lines.Text())
	}
	begin, err := look(s.process, p)
	if err != nil {
		return count{}, err
	}
	if !lines.Scan() {
		return count{}, p.broke("")
	}
	end, err := look(s.process, p)
	if err != nil {
		return count{}, err
	}
	var found struct{ Count, Seconds float64 }
	if err := json.Unmarshal(lines.Bytes(), &found); err != nil || found.Seconds <= 0 {
		return count{}, fmt.Errorf("the C client wrote %q", lines.Text())
	}
	if found.Count == 0 {
		return count{}, errors.New("the C client counted nothing")
	}
	return count{begin.until(end), found.Count / found.Seconds}, nil
}

// broke says why the C client did not write what it should.
func (p *process) broke(wrote string) error {
	if wrote != "" {
		return fmt.Errorf("the C client wrote %q", wrote)
	}
	<-p.done
	return fmt.Errorf("the C client ended: %s", p.why())
}
