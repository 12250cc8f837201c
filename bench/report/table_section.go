package report

import (
	"fmt"
	"strings"
)

// scenario writes the sections that only some runs have.
func (t *table) scenario() {
	r := t.r
	if f := r.Fanout; f != nil {
		t.line("fanout", count(f.Published)+" published to "+count(f.Subscribers)+" subscribers",
			count(f.Deliveries)+" of "+count(f.Expected)+" delivered", "reach "+percent(f.Reach))
		if f.Duplicates+f.Unmarked > 0 {
			t.line("", t.bad(f.Duplicates, plural(f.Duplicates, "duplicate", "duplicates")), t.bad(f.Unmarked, "without a mark"))
		}
	}
	if f := r.Feed; f != nil {
		t.line("feed", count(f.Subscribers)+" subscribers to "+printable(strings.Join(f.Channels, " ")))
		t.line("", count(f.Snapshots)+" snapshots", count(f.Updates)+" updates", t.bad(f.Gaps, plural(f.Gaps, "gap", "gaps")),
			t.bad(f.Repeats, plural(f.Repeats, "repeat", "repeats")), t.some(f.Unmarked, "others"))
	}
	if f := r.Fairness; f != nil {
		t.line("fairness", fmt.Sprintf("Jain %.4f", f.Jain),
			fmt.Sprintf("%s to %s deliveries to each of %s", count(f.Fewest), count(f.Most), count(f.Receivers)))
	}
	t.storm()
	if h := r.HalfOpen; h != nil {
		t.line("halfopen", count(h.Vanished)+" clients vanished", "the server noticed "+count(h.Noticed))
	}
	if s := r.Slow; s != nil {
		t.line("slow", count(s.Clients)+" slow clients", count(s.Received)+" messages reached them",
			count(s.Lost)+" given up by the server")
	}
}

func (t *table) storm() {
	s := t.r.Storm
	if s == nil {
		return
	}
	for n, wave := range s.Waves {
		back := t.paint.in(red, fmt.Sprintf("%s of %s back by the end of the wave", count(wave.Back), count(wave.Clients)))
		if wave.Full != nil {
			back = fmt.Sprintf("all %s back in %s", count(wave.Clients), duration(*wave.Full))
		}
		t.line(fmt.Sprintf("wave %d", n+1), back)
	}
}

func (t *table) failures() {
	if len(t.r.Failures) == 0 {
		return
	}
	fmt.Fprintf(&t.out, "\n%s\n", t.paint.in(bold, "failures"))
	width := 0
	for _, f := range t.r.Failures {
		width = max(width, len(count(f.Count)))
	}
	for _, f := range t.r.Failures {
		fmt.Fprintf(&t.out, "  %s  %s\n", pad(count(f.Count), width, true), t.paint.in(red, printable(f.Kind)))
		indent := strings.Repeat(" ", width+4)
		if f.Example != "" && f.Example != f.Kind {
			t.wrap(indent, indent, dim, printable(f.Example))
		}
		t.wrap(indent, indent, "", f.Hint)
	}
}

func (t *table) assertions() {
	if len(t.r.Assertions) == 0 {
		return
	}
	fmt.Fprintf(&t.out, "\n%s\n", t.paint.in(bold, "assertions"))
	width := 0
	for _, a := range t.r.Assertions {
		width = max(width, len([]rune(a.Text)))
	}
	for _, a := range t.r.Assertions {
		verdict, said := t.paint.in(green, "ok  "), a.Found
		if !a.OK {
			verdict, said = t.paint.in(red, "FAIL"), a.Why
		}
		fmt.Fprintf(&t.out, "  %s  %s  %s\n", verdict, pad(printable(a.Text), width, false), said)
	}
}

func (t *table) warnings() {
	if len(t.r.Warnings) == 0 {
		return
	}
	fmt.Fprintf(&t.out, "\n%s\n", t.paint.in(bold, "warnings"))
	for _, w := range t.r.Warnings {
		t.wrap("  ! ", "    ", yellow, w.Text)
	}
}

// wrap writes text in lines of at most textWidth runes, words longer than that apart.
func (t *table) wrap(first, rest, style, text string) {
	prefix, line := first, ""
	flush := func() {
		body := line
		if style != "" {
			body = t.paint.in(style, line)
		}
		fmt.Fprintf(&t.out, "%s%s\n", prefix, body)
		prefix, line = rest, ""
	}
	for _, word := range strings.Fields(text) {
		if line != "" && len([]rune(prefix+line+" "+word)) > textWidth {
			flush()
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	flush()
}
