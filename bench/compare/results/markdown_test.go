package results_test

import (
	"flag"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roostws/roost/bench/compare/results"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestGolden(t *testing.T) {
	for name, got := range map[string]string{"page.md": page(t, made()), "summary.md": summary(t, made())} {
		file := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s is not what it was; read it after go test -update:\n%s", name, got)
		}
	}
}

func TestNothingMeasured(t *testing.T) {
	r := &results.Run{Schema: results.Schema}
	text := page(t, r)
	if strings.Contains(text, "NaN") || strings.Contains(text, "## Echo") || strings.Contains(text, "svg") {
		t.Errorf("the page of nothing:\n%s", text)
	}
	if text := summary(t, r); text != "Nothing was measured of what the summary has.\n" {
		t.Errorf("the summary of nothing is %q", text)
	}
}

// What is measured and not shown would be measured in vain.
func TestThePageHasEveryMetric(t *testing.T) {
	for _, m := range results.Metrics {
		r := only(m.Work, "case", m.Name, map[string]results.Kind{"a": results.Floor}, []string{"a"}, 1, map[string][]float64{"a": {7}})
		text := page(t, r)
		if !strings.Contains(strings.ToLower(text), strings.ToLower(m.Title)) || !strings.Contains(text, "7.00") && !strings.Contains(text, " 7 ") {
			t.Errorf("the page has no %s of %s:\n%s", m.Name, m.Work, text)
		}
		if m.Ratio != strings.Contains(text, "1.00") {
			t.Errorf("%s of %s: a ratio to the floor is wanted: %v", m.Name, m.Work, m.Ratio)
		}
		if m.Unit != "" && !strings.Contains(text, "("+m.Unit+")") {
			t.Errorf("%s of %s: the unit %s is nowhere", m.Name, m.Work, m.Unit)
		}
	}
}

func TestWhatWentWrongIsTold(t *testing.T) {
	r := made()
	r.Samples = append(r.Samples,
		results.Sample{Round: 1, Work: results.Slow, Case: "1in100", Server: "gws", Error: "it left"},
		results.Sample{Round: 2, Work: results.Slow, Case: "1in100", Server: "gws", Error: "it left"},
		results.Sample{Round: 2, Work: results.Slow, Case: "1in100", Server: "gws", Error: "it left"},
		results.Sample{Round: 2, Work: results.Slow, Case: "1in100", Server: "gws", Error: "it came late"},
		results.Sample{Round: 2, Work: results.Slow, Case: "1in100", Server: "floor", Values: values{"p99_us": math.NaN()}})
	text := page(t, r)
	for _, want := range []string{
		"\n- roost-pool, 1,000 × 512 B: `12 connections were reset by 'peer'` (round 2)\n",
		"\n- gws, 1in100: `it left` (rounds 1, 2)\n",
		"\n- gws, 1in100: `it came late` (round 2)\n",
		"\n- floor, 1in100: `no finite number was measured for p99_us` (round 2)\n",
		"\n| gws | – | – |\n",
		"\n- bun: bun is not installed\n",
		"\n- Churn was measured in 1 of 2 rounds.\n",
		"\n- Not measured here: roost-pool, gws, gorilla.\n", // connect
		`| gorilla | v1.5.3 | a goroutine \| two |`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(text, "| bun |") {
		t.Error("a server that was not run is in a table")
	}
}

func TestTextFromOutsideIsHarmless(t *testing.T) {
	r := made()
	r.Settings[0].Command = "go run . | tee `x`"
	r.Servers[3].About = "<b>*fast*</b>\n# heading"
	r.Servers[5].NotRun = "exit status 1\n\n## Echo | [x](y)"
	text := page(t, r)
	for _, want := range []string{
		"** | `go run . \\| tee 'x'` |\n",
		`\<b\>\*fast\*\</b\> # heading |`,
		`- bun: exit status 1 ## Echo \| \[x\](y)`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func TestHowFewRoundsAreTold(t *testing.T) {
	for rounds, want := range map[int]string{1: "With 1 round the spread is hardly known", 2: "With 2 rounds the spread", 3: ""} {
		r := made()
		r.Settings[0].Rounds = rounds
		if text := page(t, r); strings.Contains(text, "the spread is hardly known") != (want != "") || !strings.Contains(text, want) {
			t.Errorf("%d rounds: the page should say %q", rounds, want)
		}
	}
}

func TestWhenItWas(t *testing.T) {
	r := made()
	// Already the next day, three hours to the east of where it is the 22nd.
	r.Settings[0].Started = time.Date(2026, 11, 23, 1, 0, 0, 0, time.FixedZone("", 3*3600))
	r.Settings[0].Finished = r.Settings[0].Started.Add(20 * time.Second)
	if text := page(t, r); !strings.Contains(text, "22 November 2026, in less than a minute") {
		t.Error("20 s are not less than a minute")
	}
}
