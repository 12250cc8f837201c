//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/bench/report"
)

// every is how often the guest tells how it stands.
const every = 5 * time.Second

// watch follows the server and the load.
type watch struct {
	plan         plan
	server, load *process
	state        state
	before, held sample
	publish      time.Time // when the message to all is due; zero: not known yet
	sent, ended  bool      // the hold is over; the load was told to end
	publisher    net.Conn
}

// run starts the load and follows it to its end.
func (w *watch) run() (*outcome, error) {
	w.before = w.look()
	var err error
	w.load, err = start(func(line string) {
		if !w.state.hear(line, time.Now()) {
			fmt.Println("load:", line)
		}
	}, loadArgs(w.plan)...)
	if err != nil {
		return nil, fmt.Errorf("the load cannot be started: %w", err)
	}
	tick := time.NewTicker(every)
	for {
		select {
		case <-tick.C:
			if err := w.turn(); err != nil {
				return nil, err
			}
		case <-w.server.done:
			return nil, fmt.Errorf("the server ended: %w", errors.Join(errors.New("it should not"), w.server.err))
		case <-w.load.done:
			if w.load.err != nil {
				return nil, fmt.Errorf("the load failed: %w", w.load.err)
			}
			return w.outcome()
		}
	}
}

// turn tells how it stands and does what is due.
func (w *watch) turn() error {
	s := w.look()
	if err := tell(os.Stdout, told{Sample: &s}); err != nil {
		return err
	}
	switch w.due(s, time.Now()) {
	case publishing:
		fmt.Println("publishing to all")
		var err error
		w.publisher, err = publish()
		return err
	case ending:
		w.load.interrupt()
	}
	return nil
}

// step is what the guest does to the load.
type step int

const (
	nothing    step = iota
	publishing      // the message to all
	ending          // of the load, with a report
)

// due is the step that follows from s. Each is due once: a second interrupt would cost
// the report.
func (w *watch) due(s sample, now time.Time) step {
	if s.Phase != string(report.Measure) {
		return nothing
	}
	if w.publish.IsZero() {
		w.publish = now.Add(w.plan.Hold)
	}
	switch {
	case !w.sent && now.After(w.publish):
		w.held, w.sent, w.ended = s, true, !w.plan.Publish
		if w.plan.Publish {
			return publishing
		}
		return ending
	case w.sent && !w.ended && w.state.reached():
		w.ended = true
		return ending
	}
	return nothing
}

// look takes a sample.
func (w *watch) look() sample {
	w.state.mu.Lock()
	s := sample{Phase: w.state.phase, Open: w.state.open}
	if !w.state.began.IsZero() {
		s.At = time.Since(w.state.began)
	}
	w.state.mu.Unlock()
	memory := memoryOf("/proc/meminfo")
	s.Free, s.Slab = memory["MemFree"], memory["Slab"]
	server := w.server.status()
	s.Server, s.ServerAnon = server["VmRSS"], server["RssAnon"]
	if w.load != nil {
		load := w.load.status()
		s.Client, s.ClientAnon = load["VmRSS"], load["RssAnon"]
	}
	return s
}

// publish sends the message to all: one more client does, and the server hands it on. It
// returns the client, which is to stay open to the end.
func publish() (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	c, _, _, err := ws.Dial(ctx, "ws://"+address+"/")
	if err != nil {
		return nil, fmt.Errorf("the publisher cannot connect: %w", err)
	}
	text := fmt.Appendf(nil, `{"at":%d}`, time.Now().UnixNano())
	if err := ws.WriteFrame(c, ws.MaskFrame(ws.NewTextFrame(text))); err != nil {
		return nil, fmt.Errorf("the publisher cannot send: %w", err)
	}
	return c, nil
}

// outcome puts together what the load and the samples say.
func (w *watch) outcome() (*outcome, error) {
	var r report.Report
	text, err := os.ReadFile(reportFile)
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil {
		return nil, fmt.Errorf("the load left no report: %w", err)
	}
	c := r.Connections
	o := &outcome{
		Opened: c.Opened, Failed: c.Failed, Lost: c.Lost, Alive: c.AliveAtEnd, Pings: r.Exchange.Pings,
		ClientEach: r.Tool.BytesPerClient, Ramp: seconds(r.Seconds.Ramp), Before: w.before, Held: w.held,
	}
	for _, f := range r.Failures {
		o.Failures = append(o.Failures, fmt.Sprintf("%s %s: %s", count(f.Count), f.Kind, f.Example))
	}
	if r.Fanout != nil {
		o.Delivered = r.Fanout.Deliveries
	}
	if l := r.Latency; l != nil {
		o.Last = micros(&l.Max)
		o.P50, o.P99 = micros(l.P50), micros(l.P99)
	}
	return o, nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// micros is 0 for what was not measured.
func micros(us *float64) time.Duration {
	if us == nil {
		return 0
	}
	return time.Duration(*us * float64(time.Microsecond))
}
