package results_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/roostws/roost/bench/compare/results"
)

// later is a run of one work with other settings, on the machine and with the servers of made.
func later() *results.Run {
	r := made()
	r.Settings[0].Works, r.Settings[0].Rounds, r.Settings[0].Command = []string{results.Echo}, 3, "go run . --works echo --add"
	r.Samples = []results.Sample{{Round: 1, Work: results.Echo, Case: "1000x512", Server: "gws", Values: values{"cpu_us": 123}}}
	return r
}

func TestKeep(t *testing.T) {
	r, earlier := later(), made()
	if err := r.Keep(earlier); err != nil {
		t.Fatal(err)
	}
	echoes := 0
	for _, s := range r.Samples {
		if s.Work == results.Echo {
			echoes++
		}
	}
	if echoes != 1 || len(r.Samples) != len(earlier.Samples)-12+1 {
		t.Errorf("%d samples of echo among %d", echoes, len(r.Samples))
	}
	if len(r.Settings) != 2 || slices.Contains(r.Settings[0].Works, results.Echo) || len(r.Settings[0].Works) != 5 || len(earlier.Settings[0].Works) != 6 {
		t.Errorf("the settings are %+v", r.Settings)
	}
	text := page(t, r)
	for _, want := range []string{
		"| **idle, fanout, connect, slow, wss** | `go run . --rounds 2` |", "| extent | 2 rounds; each case 5 s",
		"| **echo** | `go run . --works echo --add` |", "| extent | 3 rounds; each case 5 s",
		"\n- 1,000 × 512 B was measured in 1 of 3 rounds.\n", "\n- Churn was measured in 1 of 2 rounds.\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	earlier.Samples = append(earlier.Samples, results.Sample{Round: 1, Work: results.Echo, Case: "200x20", Server: "gws", Values: values{"cpu_us": 9}})
	part := later()
	part.Settings[0].Cases = []string{"1000x512"}
	if err := part.Keep(earlier); err != nil {
		t.Fatal(err)
	}
	if len(part.Settings) != 2 || !slices.Contains(part.Settings[0].Works, results.Echo) {
		t.Errorf("after a part of echo the settings are %+v", part.Settings)
	}
	if text := page(t, part); !strings.Contains(text, "| **echo (1000x512)** | `go run . --works echo --add` |") ||
		!strings.Contains(text, "\n- 1,000 × 512 B was measured in 1 of 3 rounds.\n") || !strings.Contains(text, "200 × 20 B") {
		t.Errorf("the page of a part of echo is\n%s", text)
	}
	// What is then measured of the rest leaves nothing of the first session's echo.
	rest := later()
	rest.Settings[0].Cases, rest.Samples[0].Case = []string{"200x20"}, "200x20"
	if err := rest.Keep(part); err != nil {
		t.Fatal(err)
	}
	if len(rest.Settings) != 3 || slices.Contains(rest.Settings[0].Works, results.Echo) || !slices.Equal(rest.Settings[1].Cases, []string{"1000x512"}) {
		t.Errorf("after the rest of echo the settings are %+v", rest.Settings)
	}
	again := later()
	if err := again.Keep(later()); err != nil || len(again.Samples) != 1 || len(again.Settings) != 1 {
		t.Errorf("of the same work something is kept: %v, %+v", err, again.Settings)
	}
}

func TestKeepTellsOfOtherServers(t *testing.T) {
	r := later()
	r.Servers[1].Version, r.Servers[3].NotRun = "a later tree", "it was not there"
	if err := r.Keep(made()); err != nil {
		t.Fatal(err)
	}
	text := page(t, r)
	for _, want := range []string{
		"\n- echo: roost-inline was a later tree, and this tree in works measured before\n",
		"\n- echo: gws was not run: it was not there\n", "\n| gws | v1.8.9 |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func TestKeepRefuses(t *testing.T) {
	for why, change := range map[string]func(*results.Run){
		"are of the servers": func(r *results.Run) { r.Servers = r.Servers[1:] },
		"another machine":    func(r *results.Run) { r.Machine.Kernel = "7.0" },
	} {
		r, earlier := later(), made()
		change(earlier)
		if err := r.Keep(earlier); err == nil || !strings.Contains(err.Error(), why) || len(r.Samples) != 1 {
			t.Errorf("%v, want %q", err, why)
		}
	}
}
