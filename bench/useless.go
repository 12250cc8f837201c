package bench

import (
	"fmt"
	"strings"

	"github.com/roostws/roost/bench/report"
)

// useless says so when the server let nobody in, or kept nobody until there was
// something to measure.
func (r *run) useless() error {
	if r.interrupted || r.began && r.total.Sent > 0 {
		return nil
	}
	if r.total.Left > 0 {
		return nil // the run ended it, so it was kept: churn's may all be gone when a second ends
	}
	for _, i := range r.intervals {
		if i.Phase != report.Ramp && i.Open > 0 {
			return nil
		}
	}
	kind, example := worst(r.total)
	if kind == "" {
		return nil
	}
	if r.total.Opened > 0 {
		return &UnusableError{fmt.Sprintf("%s took %d connections and kept none: %s%s", r.about.Targets[0], r.total.Opened, kind, quoted(kind, example))}
	}
	return &UnusableError{fmt.Sprintf("cannot open a WebSocket at %s: %s%s", r.about.Targets[0], kind, quoted(kind, example))}
}

// worst returns the most frequent kind of failure.
func worst(i *report.Interval) (kind, example string) {
	most := int64(0)
	for k, n := range i.Failures {
		if n > most || n == most && k < kind {
			kind, most = k, n
		}
	}
	return kind, i.Examples[kind]
}

// quoted puts an example behind its kind, unless it says no more.
func quoted(kind, example string) string {
	if example == "" || strings.HasSuffix(example, kind) {
		return ""
	}
	return " (" + sentence(example) + ")" // parts of it may come from the server
}

// scoutError is the sentence for a connection without which there is no run: the first
// one, or a publisher's.
func scoutError(t *target, to, kind, example string) error {
	return fmt.Errorf("cannot %s at %s: %s%s. %s", to, redactURL(t.url), kind, quoted(kind, example), report.Explain(kind))
}
