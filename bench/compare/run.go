package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/roostws/roost/bench/compare/results"
)

// runCommand compares servers.
type runCommand struct {
	List      bool          `help:"Only list the servers that there are."`
	Quick     bool          `help:"Every work in its smallest form, in about four minutes."`
	Servers   []string      `placeholder:"NAME" help:"Only these servers."`
	Works     []string      `placeholder:"WORK" enum:"idle,echo,fanout,connect,slow,wss" help:"Only these works: idle, echo, fanout, connect, slow, wss."`
	Cases     []string      `placeholder:"CASE" help:"Only these cases of the works, as the page names them, such as 1000x512 or storm."`
	Rounds    int           `help:"How often everything is measured (3, with --quick 1)."`
	Seconds   float64       `help:"How long each case is measured (1, with --quick 0.3)."`
	Warmup    float64       `help:"Seconds before each of those in which nothing is measured (1, with --quick 0.3)."`
	Pings     time.Duration `help:"How long connections are held and used a little before memory is read again (10m, with --quick 5s)."`
	Out       string        `type:"path" placeholder:"DIR" help:"Directory for compare.md, compare.json and charts (../results for a complete run or with --add, ../results/partial for a part of one or with --quick)."`
	Add       bool          `help:"Keep what the directory has of other works and cases, so that they can be measured one after the other."`
	NPM       string        `name:"npm" type:"path" placeholder:"DIR" help:"Keep what npm installs here, for the next run."`
	ServerCPU int           `default:"0" help:"Processor for the server (${default})."`
	ClientCPU int           `default:"1" help:"Processor for the client (${default})."`
	KeepGoing bool          `help:"End with status 0 also when a server could not be built or a measurement failed."`

	progress, summary io.Writer // lines of each step, and the table at the end
	broken            int       // servers that could not be built or started, and should
}

// Run does what the flags say.
func (c *runCommand) Run(ctx context.Context) error {
	entries, err := choose(c.Servers)
	if err != nil {
		return err
	}
	if c.List {
		for _, e := range entries {
			fmt.Printf("%-22s %s\n", e.name, e.about)
		}
		return nil
	}
	if err := c.check(); err != nil {
		return err
	}
	temp, err := os.MkdirTemp("", "roost-compare-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	c.progress, c.summary = os.Stderr, os.Stdout
	return c.compare(ctx, entries, temp)
}

// check fills in what was left out, and says in one sentence what cannot be done.
func (c *runCommand) check() error {
	defaults := struct {
		rounds          int
		seconds, warmup float64
		pings           time.Duration
	}{3, 1, 1, 10 * time.Minute}
	if c.Quick {
		defaults.rounds, defaults.seconds, defaults.warmup, defaults.pings = 1, 0.3, 0.3, 5*time.Second
	}
	if err := c.checkCases(); err != nil {
		return err
	}
	c.Rounds = cmp.Or(c.Rounds, defaults.rounds)
	c.Seconds = cmp.Or(c.Seconds, defaults.seconds)
	c.Warmup = cmp.Or(c.Warmup, defaults.warmup)
	c.Pings = cmp.Or(c.Pings, defaults.pings)
	switch {
	case c.Rounds < 1:
		return fmt.Errorf("--rounds %d: there is at least one", c.Rounds)
	case !(c.Seconds >= 0.1 && c.Seconds <= 3600):
		return fmt.Errorf("--seconds %v is not between 0.1 and 3600", c.Seconds)
	case !(c.Warmup > 0 && c.Warmup <= 3600):
		return fmt.Errorf("--warmup %v is not between 0 and 3600", c.Warmup)
	case c.Pings < time.Second:
		return fmt.Errorf("--pings %v: give at least 1s", c.Pings)
	case c.ServerCPU == c.ClientCPU:
		return errors.New("server and client need a processor each: give --server-cpu and --client-cpu")
	}
	for _, cpu := range []int{c.ServerCPU, c.ClientCPU} {
		if err := pinned(cpu, func() error { return nil }); err != nil {
			return fmt.Errorf("two processors are needed, one for the server and one for the client: %w", err)
		}
	}
	if _, err := os.Stat("peers"); err != nil {
		return errors.New("the sources of the servers are not here: run this in bench/compare")
	}
	limit, err := hardFiles()
	if err != nil {
		return err
	}
	return enoughFiles((&rig{quick: c.Quick}).mostConns(c.works()), limit, c.works())
}

// compare builds, measures, and writes what came of it.
func (c *runCommand) compare(ctx context.Context, entries []entry, temp string) error {
	w := &workshop{source: ".", dir: filepath.Join(temp, "bin"), npm: cmp.Or(c.NPM, filepath.Join(temp, "npm"))}
	for _, dir := range []string{w.dir, w.npm} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	earlier, err := c.earlier()
	if err != nil {
		return err
	}
	r, err := c.rig(ctx, w)
	if err != nil {
		return err
	}
	run := c.results(ctx, w, entries)
	if earlier != nil {
		if err := run.Fits(earlier); err != nil { // now, and not after an hour
			return err
		}
	}
	programs := c.buildAll(ctx, w, r, entries, run)
	c.measure(ctx, r, programs, run)
	session := &run.Settings[0]
	session.Finished = time.Now()
	if text := r.others.String(); text != "" {
		session.Notes = append(session.Notes, text)
	}
	if ctx.Err() != nil {
		session.Notes = append(session.Notes, "interrupted: some samples are missing")
	}
	verdict := c.verdict(ctx, run)
	if earlier != nil {
		if err := run.Keep(earlier); err != nil {
			return err
		}
	}
	out := c.destination(ctx.Err() != nil)
	if err := write(run, out, c.summary); err != nil {
		return err
	}
	fmt.Fprintf(c.progress, "written to %s\n", out)
	return verdict
}

func (c *runCommand) rig(ctx context.Context, w *workshop) (*rig, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	r := &rig{
		self: self, serverCPU: c.ServerCPU, clientCPU: c.ClientCPU,
		seconds: time.Duration(c.Seconds * float64(time.Second)),
		warmup:  time.Duration(c.Warmup * float64(time.Second)),
		pings:   c.Pings, quick: c.Quick, patience: patience, ports: newPortList(),
	}
	if r.certificate, err = writeCertificate(w.dir); err != nil {
		return nil, err
	}
	r.calm = calm
	if r.quick {
		r.calm = quickCalm
	}
	command, _, err := ccBuild{"c/load.c"}.build(ctx, w)
	if r.loader.err = err; err == nil {
		r.loader.program = command[0]
	}
	return r, nil
}

// results makes the description of what is about to be measured.
func (c *runCommand) results(ctx context.Context, w *workshop, entries []entry) *results.Run {
	run := &results.Run{
		Schema: results.Schema,
		Settings: []results.Settings{{
			Works: c.measured(), Cases: c.Cases, Started: time.Now(),
			Command: command(os.Args[1:]),
			Quick:   c.Quick, Rounds: c.Rounds, Seconds: c.Seconds, Warmup: c.Warmup,
			Pings: c.Pings.Seconds(), Every: min(every, c.Pings).Seconds(), ServerCPU: c.ServerCPU, ClientCPU: c.ClientCPU,
		}},
		Machine: machine(w.compiler(ctx), c.ServerCPU, c.ClientCPU),
	}
	for _, e := range entries {
		run.Servers = append(run.Servers, results.Server{Name: e.name, About: e.about, Kind: e.kind})
	}
	return run
}

// allTrials are the cases of every work but pingedCase.
var allTrials = []func(*rig) []trial{idleTrials, echoTrials, fanoutTrials, connectTrials, slowTrials, wssTrials}

// checkCases tells of a case that the works to be measured do not have.
func (c *runCommand) checkCases() error {
	var there []string
	for _, trials := range allTrials {
		for _, t := range trials(&rig{quick: c.Quick}) {
			if c.wants(t.work) {
				there = append(there, t.name)
			}
		}
	}
	if c.wants(results.Idle) {
		there = append(there, pingedCase)
	}
	for _, name := range c.Cases {
		if !slices.Contains(there, name) {
			return fmt.Errorf("there is no case %q: there are %s", name, strings.Join(there, ", "))
		}
	}
	return nil
}

// command is the command line as another machine would repeat it: without the directories of this one.
func command(args []string) string {
	words := []string{"go run ."}
	for i := 0; i < len(args); i++ {
		name, _, together := strings.Cut(args[i], "=")
		if name == "--npm" || name == "--out" {
			if !together {
				i++
			}
			continue
		}
		words = append(words, args[i])
	}
	return strings.Join(words, " ")
}

// measure makes the whole plan.
func (c *runCommand) measure(ctx context.Context, r *rig, programs []*program, run *results.Run) {
	var steps []step
	for _, trials := range allTrials {
		steps = append(steps, plan(c.wanted(trials(r)), programs, c.Rounds)...)
	}
	steps = byRound(steps)
	total := takes(steps)
	last := time.Duration(0)
	holds := c.wants(results.Idle) && c.wantsCase(pingedCase)
	if holds {
		last = pingedTakes(r, programs)
	}
	fmt.Fprintf(c.progress, "rounds: %d; each case %v s after a warm-up of %v s\n", c.Rounds, c.Seconds, c.Warmup)
	for round := range c.Rounds {
		fmt.Fprintf(c.progress, "order of round %d:%s\n", round+1, sequence(order(programs, round)))
	}
	fmt.Fprintf(c.progress, "%d servers, %d measurements: about %s\n", len(programs), len(steps), about(total+last))
	carryOut(ctx, r, steps, func(_ step, s results.Sample, left time.Duration) {
		run.Samples = append(run.Samples, s)
		fmt.Fprintln(c.progress, line(s, c.Rounds, left+last))
	})
	if holds && ctx.Err() == nil {
		run.Samples = append(run.Samples, pinged(ctx, r, programs, c.progress)...)
	}
}

func (c *runCommand) wants(work string) bool {
	return len(c.Works) == 0 || slices.Contains(c.Works, work)
}

func (c *runCommand) wantsCase(name string) bool {
	return len(c.Cases) == 0 || slices.Contains(c.Cases, name)
}

// allWorks are in the order of the page.
var allWorks = []string{results.Idle, results.Echo, results.Fanout, results.Connect, results.Slow, results.WSS}

// works are those that are measured.
func (c *runCommand) works() []string {
	return slices.DeleteFunc(slices.Clone(allWorks), func(work string) bool { return !c.wants(work) })
}

// measured are the works that have one of the chosen cases.
func (c *runCommand) measured() []string {
	return slices.DeleteFunc(c.works(), func(work string) bool {
		if work == results.Idle && c.wantsCase(pingedCase) {
			return false
		}
		for _, trials := range allTrials {
			if slices.ContainsFunc(c.wanted(trials(&rig{quick: c.Quick})), func(t trial) bool { return t.work == work }) {
				return false
			}
		}
		return true
	})
}

func (c *runCommand) wanted(trials []trial) []trial {
	return slices.DeleteFunc(trials, func(t trial) bool { return !c.wants(t.work) || !c.wantsCase(t.name) })
}

// buildAll builds the servers, and says in run, which lists them, why one cannot be built.
func (c *runCommand) buildAll(ctx context.Context, w *workshop, r *rig, entries []entry, run *results.Run) []*program {
	var programs []*program
	for n, e := range entries {
		fmt.Fprintf(c.progress, "build %s\n", e.name)
		p := &program{entry: e}
		var err error
		if p.command, p.version, err = e.build.build(ctx, w); err == nil {
			p.command = append(p.command, e.flags...)
			err = r.tries(ctx, p)
		}
		run.Servers[n].Version = p.version
		if err == nil {
			programs = append(programs, p)
			continue
		}
		run.Servers[n].NotRun = err.Error()
		fmt.Fprintf(c.progress, "%s is left out: %v\n", e.name, err)
		if !errors.Is(err, errAbsent) {
			c.broken++
		}
	}
	return programs
}

// tries starts and ends p once, so that one that cannot run here is left out.
func (r *rig) tries(ctx context.Context, p *program) error {
	mode := echoMode
	if !p.does(results.Echo) {
		mode = broadcastMode
	}
	s, err := r.serve(ctx, p, mode)
	if err == nil {
		s.end()
	}
	return err
}

// verdict is the error that the process ends with.
func (c *runCommand) verdict(ctx context.Context, run *results.Run) error {
	if ctx.Err() != nil {
		return errInterrupted
	}
	if c.KeepGoing {
		return nil
	}
	failed := c.broken
	for _, s := range run.Samples {
		if s.Error != "" {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d servers or measurements failed: the page says which (--keep-going takes that as done)", failed)
	}
	return nil
}
