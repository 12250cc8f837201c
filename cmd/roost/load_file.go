package main

import (
	"context"
	"fmt"
	"os"

	"github.com/goccy/go-yaml"

	"github.com/roostws/roost/bench"
	"github.com/roostws/roost/bench/report"
)

// fileCommand runs a scenario file.
type fileCommand struct {
	File string   `arg:"" type:"existingfile" help:"The scenario, as docs/load.md shows it."`
	URLs []string `arg:"" optional:"" name:"url" help:"Where to connect, instead of the file's targets."`

	workFlags   `group:"work"`
	outputFlags `group:"output"`
}

// scenarioFile is a run and what must hold of it.
type scenarioFile struct {
	bench.Config `yaml:",inline"`
	Assert       []string `yaml:"assert"`
}

// Run runs the file.
func (f *fileCommand) Run(ctx context.Context) error {
	text, err := os.ReadFile(f.File)
	if err != nil {
		return usageError{err}
	}
	s, err := parseScenario(text)
	if err != nil {
		return usageError{fmt.Errorf("%s: %w", f.File, err)}
	}
	if len(f.URLs) > 0 {
		s.Targets = f.URLs
	}
	if f.Loops == 0 {
		f.Loops = s.Loops
	}
	if f.Engine == "auto" && s.Engine != "" {
		f.Engine = s.Engine
	}
	f.Assert = append(s.Assert, f.Assert...)
	return runLoad(ctx, s.Config, &f.workFlags, &f.outputFlags)
}

// parseScenario reads a scenario file. What it does not know is an error that shows
// the line.
func parseScenario(text []byte) (scenarioFile, error) {
	var s scenarioFile
	err := yaml.UnmarshalWithOptions(text, &s, yaml.Strict())
	return s, err
}

// compareCommand compares two reports.
type compareCommand struct {
	A string `arg:"" type:"existingfile" help:"A report (--json)."`
	B string `arg:"" type:"existingfile" help:"Another one; ratios are this by the first."`
}

// Run prints them side by side.
func (c *compareCommand) Run() error {
	a, err := readReport(c.A)
	if err != nil {
		return usageError{err}
	}
	b, err := readReport(c.B)
	if err != nil {
		return usageError{err}
	}
	return report.Compare(os.Stdout, a, b, colorful(os.Stdout))
}

func readReport(path string) (*report.Report, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := report.ReadJSON(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}
