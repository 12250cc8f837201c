package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/roostws/roost/bench/compare/results"
)

// Where results go that --out does not place.
const (
	published = "../results"
	partial   = "../results/partial"
)

// earlier reads the results that --add adds to; without any it returns nil.
func (c *runCommand) earlier() (*results.Run, error) {
	if !c.Add {
		return nil, nil
	}
	name := filepath.Join(cmp.Or(c.Out, published), "compare.json")
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	run, err := results.ReadJSON(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return run, nil
}

// destination is where the results go. What is published is not overwritten by a part.
func (c *runCommand) destination(interrupted bool) string {
	complete := c.Add || len(c.Servers) == 0 && len(c.Cases) == 0 && len(c.works()) == len(allWorks)
	switch {
	case c.Out != "":
		return c.Out
	case complete && !c.Quick && !interrupted:
		return published
	}
	return partial
}

// write writes the results to a directory, and their summary to another place.
func write(run *results.Run, dir string, summary io.Writer) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, "compare.json"), run.WriteJSON); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, "compare.md"), run.WriteMarkdown); err != nil {
		return err
	}
	if _, err := run.WriteCharts(dir); err != nil {
		return err
	}
	return run.WriteSummary(summary)
}

func writeFile(name string, write func(io.Writer) error) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
