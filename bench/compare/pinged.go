package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/roostws/roost/bench"
	"github.com/roostws/roost/bench/compare/results"
)

// pingedCase is a case of idle, measured of all servers at the same time.
const pingedCase = "pinged"

// every is the time between two messages of a connection in the case "pinged": so long that all servers together,
// with some 300,000 connections, leave the processors time to open the next ones. (Every 20 s, they did not.)
const every = time.Minute

// A server of the case "pinged" may need this much for a connection, with the kernel
// and the client: 48 KiB is well above what any needs. So many servers as fit are
// measured at the same time, as only memory is.
const roomPerConn = 48 << 10

// pair is one server of the case "pinged": two processes, with few and with many
// connections, so that what it needs without any falls out of the difference although
// both did the same for the whole time.
type pair struct {
	program *program
	ends    []func()
	servers [2]*server
	clients [2]*client
	err     error
}

// batches splits programs into as many at a time as there is room for.
func batches(r *rig, programs []*program, free int64) [][]*program {
	size := int(free * 8 / 10 / (int64(r.stages().first+r.stages().all()) * roomPerConn))
	size = max(size, 1)
	var all [][]*program
	for len(programs) > size {
		all = append(all, programs[:size])
		programs = programs[size:]
	}
	return append(all, programs)
}

// available is the memory that is free, in bytes; where it is not told, that for all.
func available() int64 {
	free, err := readKB("/proc/meminfo", "MemAvailable:")
	if err != nil {
		return 1 << 60
	}
	return free
}

func pingedTakes(r *rig, programs []*program) time.Duration {
	opened := time.Duration(len(programs)) * (2*starting + opening(r.stages().first+r.stages().all()))
	return time.Duration(len(batches(r, programs, available())))*r.pings + opened
}

// pinged holds the connections of all servers at the same time, each with a message of
// two bytes now and then, and takes the slope of memory at the end.
func pinged(ctx context.Context, r *rig, programs []*program, progress io.Writer) []results.Sample {
	var samples []results.Sample
	for _, batch := range batches(r, programs, available()) {
		samples = append(samples, pingedBatch(ctx, r, batch, progress)...)
		if ctx.Err() != nil {
			return nil
		}
	}
	return samples
}

func pingedBatch(ctx context.Context, r *rig, programs []*program, progress io.Writer) []results.Sample {
	var pairs []*pair
	for _, p := range programs {
		if !p.does(results.Idle) {
			continue
		}
		q := &pair{program: p}
		defer q.end()
		q.err = q.open(ctx, r)
		pairs = append(pairs, q)
	}
	fmt.Fprintf(progress, "idle pinged: %d servers hold their connections for %v\n", len(pairs), r.pings)
	select {
	case <-ctx.Done():
		return nil
	case <-time.After(r.pings):
	}
	var samples []results.Sample
	for _, q := range pairs {
		o := q.measure(r)
		s := o.sample(step{0, trial{work: results.Idle, name: pingedCase}, q.program})
		fmt.Fprintln(progress, line(s, 1, 0))
		samples = append(samples, s)
	}
	return samples
}

// open starts both servers and opens their connections.
func (q *pair) open(ctx context.Context, r *rig) error {
	n := r.stages()
	for i, conns := range []int{n.first, n.all()} {
		s, err := r.serve(ctx, q.program, echoMode)
		if err != nil {
			return err
		}
		q.ends = append(q.ends, s.end)
		k, err := r.hold(ctx, s, heartbeat(r, s, conns))
		if err != nil {
			return err
		}
		q.ends = append(q.ends, k.discard)
		q.servers[i], q.clients[i] = s, k
		k.listen()
	}
	return nil
}

// heartbeat is a message of two bytes on each connection now and then, but once at least.
func heartbeat(r *rig, s *server, conns int) bench.Config {
	c := config(s, bench.Echo, conns, 0, time.Hour+r.pings)
	c.Messages.Size = "2"
	c.Echo.Rate = float64(conns) / min(every, r.pings).Seconds()
	return c
}

// end ends the clients and the servers, those first that were started last.
func (q *pair) end() {
	for i := len(q.ends) - 1; i >= 0; i-- {
		q.ends[i]()
	}
}

// measure takes the slope.
func (q *pair) measure(r *rig) outcome {
	o := newOutcome()
	if o.failed(q.err) {
		return o
	}
	var resident [2]int64
	for i, s := range q.servers {
		m, err := s.memory()
		if o.failed(s.blame(err)) || o.failed(q.clients[i].bad()) {
			return o
		}
		resident[i] = m.resident
	}
	o.values["rss_bytes"] = float64(resident[1]-resident[0]) / float64(r.stages().more)
	return o
}

// listen takes the client's lines from here on, so that bad knows the last one. What it
// returns is closed when there are no more.
func (k *client) listen() <-chan struct{} {
	silent := make(chan struct{})
	go func() {
		defer close(silent)
		for n := range k.lines {
			k.last.Store(&n)
		}
	}()
	return silent
}

// bad says what went wrong with a client that holds connections, after listen.
func (k *client) bad() error {
	n := k.last.Load()
	switch {
	case k.ended():
		return fmt.Errorf("the client ended: %s", k.why())
	case n == nil:
		return errors.New("the client said nothing")
	case n.Error != "":
		return errors.New(n.Error)
	case n.Lost > 0:
		return fmt.Errorf("%d connections were lost", n.Lost)
	}
	return nil
}
