package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"

	"golang.org/x/term"

	"github.com/roostws/roost/bench"
	"github.com/roostws/roost/bench/live"
	"github.com/roostws/roost/bench/report"
	"github.com/roostws/roost/internal/doctor"
)

// runLoad makes a run, shows it while it goes on, and writes what it found. The first
// signal, which ends ctx, makes an orderly end with a report; the second is main's.
func runLoad(ctx context.Context, c bench.Config, work *workFlags, out *outputFlags) error {
	assertions, err := parseAssertions(out.Assert)
	if err != nil {
		return usageError{err}
	}
	files, err := newResults(out)
	if err != nil {
		return usageError{err}
	}
	options, err := work.options(&c)
	if err != nil {
		return err
	}
	result, err := watch(ctx, c, options, out.Quiet)
	if errors.Is(err, context.Canceled) {
		return errors.New("the run was ended at once: there is no report")
	}
	if err != nil {
		return worded(err)
	}
	held := result.Report.Judge(assertions)
	if err := result.Report.Table(os.Stdout, colorful(os.Stdout)); err != nil {
		return err
	}
	if err := files.write(result); err != nil {
		return err
	}
	if !held {
		return failedAssertions(result.Report)
	}
	return nil
}

func parseAssertions(texts []string) ([]report.Assertion, error) {
	var all []report.Assertion
	for _, text := range texts {
		a, err := report.ParseAssertion(text)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, nil
}

// options says who works, and refuses what cannot fit.
func (w *workFlags) options(c *bench.Config) (bench.Options, error) {
	o := bench.Options{
		Tool: "roost " + version(), Agents: w.Agents, Token: w.Token, Procs: w.Procs, ServerPID: w.ServerPID,
	}
	c.Loops, c.Engine = w.Loops, w.Engine
	if w.Procs > 1 {
		var err error
		if o.Worker, err = workerCommand(); err != nil {
			return o, err
		}
	}
	if len(w.Agents) > 0 {
		return o, nil // each of them looks at its own machine
	}
	if err := doctor.Fits(max(1, (c.Conns+w.Procs-1)/max(1, w.Procs)), doctor.Client); err != nil {
		return o, usageError{err}
	}
	return o, nil
}

// watch makes the run and shows it on standard error.
func watch(ctx context.Context, c bench.Config, o bench.Options, plain bool) (*bench.Result, error) {
	running, abort := context.WithCancel(context.Background())
	defer abort()
	stopping := make(chan struct{})
	stop := sync.OnceFunc(func() { close(stopping) })
	defer context.AfterFunc(ctx, stop)()
	o.Stop = stopping

	updates := make(chan report.Progress)
	shown := make(chan error, 1)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		shown <- live.Show(running, updates, live.Options{
			Out: os.Stderr, In: os.Stdin, Plain: plain, Interrupt: stop, Abort: abort,
		})
	}()
	o.Progress = func(p report.Progress) {
		select {
		case updates <- p:
		case <-gone:
		}
	}
	result, err := bench.Run(running, c, o)
	close(updates)
	if failed := <-shown; err == nil && failed != nil && !errors.Is(failed, context.Canceled) {
		fmt.Fprintln(os.Stderr, "roost: the view broke:", failed)
	}
	return result, err
}

// worded makes what the user can change a usage error.
func worded(err error) error {
	var config *bench.ConfigError
	var unusable *bench.UnusableError
	if errors.As(err, &config) || errors.As(err, &unusable) {
		return usageError{err}
	}
	return err
}

// failedAssertions names them.
func failedAssertions(r *report.Report) error {
	var failed []error
	for _, a := range r.Assertions {
		if !a.OK {
			failed = append(failed, fmt.Errorf("assertion failed: %s", assertionText(a)))
		}
	}
	return errors.Join(failed...)
}

func assertionText(a report.AssertionResult) string {
	if a.Why != "" {
		return fmt.Sprintf("%s: %s", a.Text, a.Why)
	}
	return fmt.Sprintf("%s: it is %s", a.Text, a.Found)
}

// colorful tells whether colours may go to f.
func colorful(f *os.File) bool {
	return term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// version is the module's, as far as the build knows it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(unknown version)"
	}
	return info.Main.Version
}

// results are the files to write.
type results []resultFile

type resultFile struct {
	path  string
	write func(io.Writer, *bench.Result) error
}

// newResults finds out before the run, and not after it, whether they can be written.
func newResults(o *outputFlags) (results, error) {
	var all results
	for _, r := range []resultFile{
		{o.JSON, func(w io.Writer, r *bench.Result) error { return r.Report.WriteJSON(w) }},
		{o.HDR, func(w io.Writer, r *bench.Result) error {
			return report.WriteHDR(w, r.Intervals, r.Report.Run.Started)
		}},
		{o.HTML, func(w io.Writer, r *bench.Result) error { return report.WriteHTML(w, r.Report) }},
	} {
		if r.path == "" {
			continue
		}
		probe, err := os.CreateTemp(filepath.Dir(r.path), ".roost-*")
		if err != nil {
			return nil, fmt.Errorf("cannot write %s: %w", r.path, errors.Unwrap(err))
		}
		if err := errors.Join(probe.Close(), os.Remove(probe.Name())); err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

func (all results) write(r *bench.Result) error {
	for _, f := range all {
		if err := f.save(r); err != nil {
			return fmt.Errorf("cannot write %s: %w", f.path, err)
		}
	}
	return nil
}

// save writes a file under another name first, so that an older one is replaced by a
// whole one or not at all.
func (f resultFile) save(r *bench.Result) error {
	file, err := os.CreateTemp(filepath.Dir(f.path), ".roost-*")
	if err != nil {
		return err
	}
	err = errors.Join(f.write(file, r), file.Chmod(0o644), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), f.path)
	}
	if err != nil {
		os.Remove(file.Name())
	}
	return err
}
