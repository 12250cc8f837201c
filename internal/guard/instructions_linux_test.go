package guard

import (
	"flag"
	"math"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write "+baselineFile+" from what is counted now")

// collected is callgrind's total.
var collected = regexp.MustCompile(`Collected : (\d+)`)

// count runs n operations under callgrind and returns the instructions from begin on.
func count(t *testing.T, program, what, name string, n int) float64 {
	t.Helper()
	out := run(t, "valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--zero-before=*/guard.begin",
		program, what, name, strconv.Itoa(n))
	m := collected.FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("callgrind has printed no total:\n%s", out)
	}
	total, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return total
}

func measure(t *testing.T, program string, w work) figure {
	t.Helper()
	own := count(t, program, doWork, w.name, w.n) / float64(w.n)
	return makeFigure(own, count(t, program, doYardstick, w.name, w.ofYardstick)/float64(w.ofYardstick))
}

// TestNoWorkTakesMoreInstructions holds each work's instructions, as a ratio to the
// yardstick's, against the baseline. With -update it writes the baseline instead.
func TestNoWorkTakesMoreInstructions(t *testing.T) {
	skipUnlessPlain(t)
	if _, err := exec.LookPath("valgrind"); err != nil {
		t.Skip("no instructions are counted: valgrind is not installed")
	}
	base, err := readBaseline()
	if err != nil && !*update {
		t.Fatalf("%v: write one with\n\t%s", err, updating)
	}
	if !*update && base.Arch != runtime.GOARCH {
		t.Skipf("no instructions are counted: the baseline is of %s, this is %s", base.Arch, runtime.GOARCH)
	}
	program := binary(t)
	if start := count(t, program, doWork, works[0].name, 0); start > float64(works[0].n) {
		t.Fatalf("%.0f instructions to do nothing: callgrind does not begin to count where the work does", start)
	}
	if *update {
		rewrite(t, program)
		return
	}
	for _, w := range works {
		t.Run(w.name, func(t *testing.T) { compare(t, program, base, w) })
	}
}

func compare(t *testing.T, program string, base baseline, w work) {
	now := measure(t, program, w)
	note, err := base.judge(w, now, runtime.Version())
	if err != nil || note != "" { // once more, lest it was the machine
		now = least(now, measure(t, program, w))
		note, err = base.judge(w, now, runtime.Version())
	}
	t.Logf("%.1f instructions a %s, yardstick %.1f, ratio %.4f (%+.1f %%)", now.Own, w.unit, now.Yardstick, now.Ratio, 100*now.growth(base.Works[w.name]))
	if err != nil {
		t.Error(err)
	}
	if note != "" {
		t.Log(note)
	}
}

func rewrite(t *testing.T, program string) {
	b := baseline{Go: runtime.Version(), Arch: runtime.GOARCH, Works: map[string]figure{}}
	for _, w := range works {
		b.Works[w.name] = least(measure(t, program, w), least(measure(t, program, w), measure(t, program, w)))
		t.Logf("%s: %+v", w.name, b.Works[w.name])
	}
	if err := b.write(); err != nil {
		t.Fatal(err)
	}
}

func TestJudgement(t *testing.T) {
	base := baseline{Go: "go1.26", Works: map[string]figure{"echo": makeFigure(50, 100)}}
	for _, c := range []struct {
		name, work     string
		own, yardstick float64
		note, err      string // what they contain; empty: none
	}{
		{"the same", "echo", 50, 100, "", ""},
		{"both grew: another compiler", "echo", 100, 200, "", ""},
		{"within the tolerance", "echo", 52.4, 100, "", ""},
		{"worse", "echo", 52.7, 100, "", "echo takes 52.7 instructions a message, 0.5270 of the yardstick's 100.0; the baseline (go1.26) has 50.0, 0.5000 of 100.0: +5.4 %"},
		{"worse says how to accept it", "echo", 60, 100, "", updating},
		{"better within the tolerance", "echo", 47.6, 100, "", ""},
		{"better", "echo", 40, 100, "-20.0 %. It got better", ""},
		{"new", "brand-new", 1, 1, "", "brand-new is not in " + baselineFile},
	} {
		t.Run(c.name, func(t *testing.T) {
			note, err := base.judge(work{name: c.work, unit: "message"}, makeFigure(c.own, c.yardstick), "go1.27")
			if (note == "") != (c.note == "") || !strings.Contains(note, c.note) {
				t.Errorf("the note is %q, want %q", note, c.note)
			}
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("the error is %v, want %q", err, c.err)
			}
		})
	}
}

func TestTheBaselineIsOfTheseWorks(t *testing.T) {
	b, err := readBaseline()
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Works) != len(works) {
		t.Errorf("%s has %d works, want %d: write a new one with\n\t%s", baselineFile, len(b.Works), len(works), updating)
	}
	for _, w := range works {
		f := b.Works[w.name]
		if f.Ratio <= 0 || math.Abs(f.Ratio/(f.Own/f.Yardstick)-1) > 0.01 {
			t.Errorf("%s: %+v is no figure: write a new baseline with\n\t%s", w.name, f, updating)
		}
	}
}
