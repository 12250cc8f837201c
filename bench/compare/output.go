package main

import (
	"io"
	"os"
	"path/filepath"

	"github.com/roostws/roost/bench/compare/results"
)

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
