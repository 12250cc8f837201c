package live

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/roostws/roost/bench/report"
)

// TestFeedSendsTenASecond overtakes what nobody would see, and no second.
func TestFeedSendsTenASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		updates := make(chan report.Progress)
		go func() {
			defer close(updates)
			for n := range 1000 { // 10 s
				updates <- report.Progress{Phase: report.Measure, Last: &report.Interval{Second: n / 100, Phase: report.Measure}}
				time.Sleep(10 * time.Millisecond)
			}
		}()
		sent, ended := map[int]int{}, false
		feed(t.Context(), updates, func(msg tea.Msg) {
			switch msg := msg.(type) {
			case report.Progress:
				sent[msg.Last.Second]++
			case tea.QuitMsg:
				ended = true
			}
		})
		for second := range 10 {
			if n := sent[second]; n < 9 || n > 10 {
				t.Errorf("%d updates sent in second %d", n, second)
			}
		}
		if !ended {
			t.Error("the view was not told that the run is over")
		}
	})
}

func TestFeedSendsEverySecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // all at once: no time passes
		var got []moment
		feed(t.Context(), closed(seconds(4)...), func(msg tea.Msg) {
			if u, ok := msg.(report.Progress); ok {
				got = append(got, momentOf(u))
			}
		})
		m := report.Measure
		if want := []moment{{}, {0, report.Ramp}, {1, m}, {2, m}, {3, m}, {4, m}}; !slices.Equal(got, want) {
			t.Errorf("sent %v, want %v", got, want)
		}
	})
}

func TestAFileGetsLines(t *testing.T) {
	t.Setenv("TERM", "xterm")
	f, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := Show(context.Background(), closed(seconds(1)...), Options{Out: f, In: f}); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(got), "0s ramp begins") {
		t.Errorf("the file has %q", got)
	}
}

func TestTheEnvironmentsNoColor(t *testing.T) {
	for value, want := range map[string]bool{"": false, "1": true, "yes": true, "0": true} {
		t.Setenv("NO_COLOR", value)
		env := environment()
		if got := env[len(env)-1] == "NO_COLOR=1"; got != want {
			t.Errorf("NO_COLOR=%s: %v, want %v", value, got, want)
		}
	}
}
