package guard

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
)

const (
	baselineFile = "testdata/baseline.json"
	// updating is how a new baseline is written.
	updating = "go test -count=1 ./internal/guard -update"
)

// tolerance is by how much a ratio may grow. Runs of the same code differed by 0.5 % as a
// rule and by 2.3 % at most, on two cores shared with ten other busy processes. A copy of a frame's
// payload out and back, to compare, is 81 % at 20 bytes and 50 % at 512.
const tolerance = 0.05

// baseline is what the works took when it was written.
type baseline struct {
	Go    string            `json:"go"`
	Arch  string            `json:"arch"`
	Works map[string]figure `json:"works"`
}

// figure is what one operation takes, in instructions.
type figure struct {
	Own       float64 `json:"instructions"`
	Yardstick float64 `json:"yardstick"`
	Ratio     float64 `json:"ratio"` // Own to Yardstick: what is compared, as the compiler and the libraries move both
}

func makeFigure(own, yardstick float64) figure {
	round := func(v, to float64) float64 { return math.Round(v*to) / to }
	return figure{round(own, 10), round(yardstick, 10), round(own/yardstick, 10_000)}
}

// least keeps the smaller count of two runs: what disturbs a run only adds to it.
func least(a, b figure) figure {
	return makeFigure(min(a.Own, b.Own), min(a.Yardstick, b.Yardstick))
}

// growth is by how much f's ratio is above was's: 0.05 is 5 % more.
func (f figure) growth(was figure) float64 { return f.Ratio/was.Ratio - 1 }

// judge compares a work's figure with the baseline's. The error says that it
// got worse; the note, when there is one, that it got better.
func (b baseline) judge(w work, now figure, goVersion string) (note string, err error) {
	was, ok := b.Works[w.name]
	if !ok {
		return "", fmt.Errorf("%s is not in %s: write a new baseline with\n\t%s", w.name, baselineFile, updating)
	}
	change := now.growth(was)
	figures := fmt.Sprintf("%s takes %.1f instructions a %s, %.4f of the yardstick's %.1f; the baseline (%s) has %.1f, %.4f of %.1f: %+.1f %%",
		w.name, now.Own, w.unit, now.Ratio, now.Yardstick, b.Go, was.Own, was.Ratio, was.Yardstick, 100*change)
	switch {
	case change > tolerance:
		err = fmt.Errorf("%s, and %.0f %% is the most.\nThis is %s. If it has to be so, write a new baseline with\n\t%s", figures, 100*tolerance, goVersion, updating)
	case change < -tolerance:
		note = figures + ". It got better: keep that, by a new baseline, with\n\t" + updating
	}
	return note, err
}

func readBaseline() (b baseline, err error) {
	text, err := os.ReadFile(baselineFile)
	if err == nil {
		err = json.Unmarshal(text, &b)
	}
	return b, err
}

func (b baseline) write() error {
	text, err := json.MarshalIndent(b, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(baselineFile, append(text, '\n'), 0o644)
}
