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
	files, err := openResults(out)
	if err != nil {
		return usageError{err}
	}
	defer files.discard()
	options, err := work.options(&c)
	if err != nil {
		return err
	}
	result, err := watch(ctx, c, options, out.Quiet)
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

// results are the files to write. They are made before the run, so that a path that
// cannot be written is known before and not after it, and get their names when whole.
type results []resultFile

type resultFile struct {
	path  string
	file  *os.File
	write func(io.Writer, *bench.Result) error
}

func openResults(o *outputFlags) (results, error) {
	var all results
	for _, r := range []resultFile{
		{path: o.JSON, write: func(w io.Writer, r *bench.Result) error { return r.Report.WriteJSON(w) }},
		{path: o.HDR, write: func(w io.Writer, r *bench.Result) error {
			return report.WriteHDR(w, r.Intervals, r.Report.Run.Started)
		}},
		{path: o.HTML, write: func(w io.Writer, r *bench.Result) error { return report.WriteHTML(w, r.Report) }},
	} {
		if r.path == "" {
			continue
		}
		var err error
		if r.file, err = os.CreateTemp(filepath.Dir(r.path), ".roost-*"); err != nil {
			all.discard()
			return nil, fmt.Errorf("cannot write %s: %w", r.path, errors.Unwrap(err))
		}
		all = append(all, r)
	}
	return all, nil
}

// write fills the files and gives them their names.
func (all results) write(r *bench.Result) error {
	for i := range all {
		f := &all[i]
		if err := f.write(f.file, r); err != nil {
			return fmt.Errorf("cannot write %s: %w", f.path, err)
		}
		if err := errors.Join(f.file.Chmod(0o644), f.file.Close(), os.Rename(f.file.Name(), f.path)); err != nil {
			return fmt.Errorf("cannot write %s: %w", f.path, err)
		}
		f.file = nil
	}
	return nil
}

// discard removes what did not get its name.
func (all results) discard() {
	for _, f := range all {
		if f.file != nil {
			f.file.Close()
			os.Remove(f.file.Name())
		}
	}
}
