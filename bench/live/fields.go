package live

import (
	"strings"
	"time"

	"github.com/roostws/roost/bench/report"
)

// field is one value with its name. In lines, blanks part fields, so neither has any.
type field struct {
	name, value string
	bad         bool // it should not be so
}

// wrong is a count that should be zero.
func wrong(name string, n int64) field { return field{name, count(n), n > 0} }

// fields are what a scenario alone has. Recent is what rates are taken from.
func (p plan) fields(scenario string, recent, total *report.Interval, asked int) []field {
	perSecond := func(name string, n int64) field { return field{name: name, value: rate(n, recent.Length)} }
	number := func(name string, n int64) field { return field{name: name, value: count(n)} }
	switch scenario {
	case idle:
		return []field{number("pings", total.Pings)}
	case echo:
		return []field{wrong("mismatched", total.Mismatched), wrong("unsent", total.Unsent),
			wrong("unanswered", total.Unanswered)}
	case fanout:
		return []field{perSecond("deliveries", recent.Deliveries), perSecond("published", recent.Published),
			wrong("duplicates", total.Duplicates), wrong("unmarked", total.Unmarked),
			number("subscribers", total.Subscribers)}
	case feeds:
		return []field{perSecond("updates", recent.Updates), wrong("gaps", total.Gaps),
			wrong("repeats", total.Repeats), number("snapshots", total.Snapshots), wrong("unmarked", total.Unmarked)}
	case churn:
		return []field{perSecond("opened", recent.Opened), perSecond("left", recent.Left)}
	case storm:
		return p.stormFields(recent, total, asked)
	case slow:
		return []field{number("slow", total.Slow), perSecond("read", recent.SlowReceived),
			number("dropped", total.SlowLost)}
	case halfopen:
		return []field{number("vanished", total.Vanished), number("noticed", total.Noticed)}
	}
	return nil
}

// stormFields counts the waves by who left: while the run goes on, nobody tells
// them. Those who leave at the end are no wave.
func (p plan) stormFields(recent, total *report.Interval, asked int) []field {
	wave := int64(0)
	if asked > 0 {
		wave = (total.Left + int64(asked) - 1) / int64(asked)
	}
	value := count(wave)
	if p.waves > 0 {
		value = count(min(wave, p.waves)) + "/" + count(p.waves)
	}
	out := []field{{name: "wave", value: value}, {name: "opened", value: rate(recent.Opened, recent.Length)}}
	var took []string
	for _, w := range total.Waves {
		if w.Back == w.Clients && w.Full > w.Began {
			took = append(took, span(time.Duration(w.Full-w.Began)))
		} else {
			took = append(took, none)
		}
	}
	if len(took) > 0 {
		out = append(out, field{name: "took", value: strings.Join(took, ",")})
	}
	return out
}
