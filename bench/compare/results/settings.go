package results

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// settings returns how a case of a work was measured.
func (r *Run) settings(work, of string) Settings {
	if n := r.session(work, of); n >= 0 {
		return r.Settings[n]
	}
	return Settings{}
}

// session returns which one measured a case of a work, the later of two; -1 for none.
func (r *Run) session(work, of string) int {
	for n, s := range slices.Backward(r.Settings) {
		if slices.Contains(s.Works, work) && (len(s.Cases) == 0 || slices.Contains(s.Cases, of)) {
			return n
		}
	}
	return -1
}

// label names what a session measured.
func (s *Settings) label() string {
	all := strings.Join(s.Works, ", ")
	if len(s.Cases) > 0 {
		all += " (" + strings.Join(s.Cases, ", ") + ")"
	}
	return all
}

// fewest returns the least number of rounds of a work, 0 without any.
func (r *Run) fewest() int {
	least := 0
	for _, s := range r.Settings {
		if least == 0 || s.Rounds < least {
			least = s.Rounds
		}
	}
	return least
}

// Keep adds to r what an earlier run has of other works and cases. It must have been of the same
// servers, on the same machine.
func (r *Run) Keep(earlier *Run) error {
	if err := r.Fits(earlier); err != nil {
		return err
	}
	var kept []Sample
	for _, s := range earlier.Samples {
		if r.session(s.Work, s.Case) < 0 {
			kept = append(kept, s)
		}
	}
	var settings []Settings
	for n, s := range earlier.Settings {
		// What nothing is left of is named no more.
		s.Works = slices.DeleteFunc(slices.Clone(s.Works), func(work string) bool {
			return !slices.ContainsFunc(kept, func(k Sample) bool { return k.Work == work && earlier.session(work, k.Case) == n })
		})
		s.Cases = slices.DeleteFunc(slices.Clone(s.Cases), func(of string) bool {
			return !slices.ContainsFunc(kept, func(k Sample) bool { return k.Case == of && earlier.session(k.Work, of) == n })
		})
		if len(s.Works) > 0 {
			settings = append(settings, s)
		}
	}
	if len(settings) > 0 {
		r.keepServers(earlier.Servers, &r.Settings[0])
	}
	r.Samples = append(kept, r.Samples...)
	r.Settings = append(settings, r.Settings...)
	return nil
}

// keepServers says in the notes of the later session which servers are not what they
// were. One that has been measured before stays in the list.
func (r *Run) keepServers(earlier []Server, later *Settings) {
	for n := range r.Servers {
		now, before := &r.Servers[n], earlier[n]
		switch {
		case now.NotRun != "" && before.NotRun == "":
			later.Notes = append(later.Notes, fmt.Sprintf("%s was not run: %s", now.Name, now.NotRun))
			*now = before
		case before.NotRun == "" && now.Version != before.Version:
			later.Notes = append(later.Notes, fmt.Sprintf("%s was %s, and %s in works measured before", now.Name, now.Version, before.Version))
		}
	}
}

// Fits says in one sentence why an earlier run cannot be kept beside r.
func (r *Run) Fits(earlier *Run) error {
	name := func(s Server) string { return s.Name }
	if have, had := each(r.Servers, name), each(earlier.Servers, name); !slices.Equal(have, had) {
		return fmt.Errorf("the earlier results are of the servers %v, and these of %v: choose the same, or another directory", had, have)
	}
	if a, b := r.Machine, earlier.Machine; a.CPU != b.CPU || a.Processors != b.Processors || a.Kernel != b.Kernel {
		return fmt.Errorf("the earlier results are of another machine (%s, kernel %s): choose another directory", b.CPU, b.Kernel)
	}
	return nil
}

func each[A, B any](all []A, f func(A) B) []B {
	out := make([]B, 0, len(all))
	for _, a := range all {
		out = append(out, f(a))
	}
	return out
}

// when says the day and how long it took.
func (s *Settings) when() string {
	day := s.Started.UTC().Format("2 January 2006")
	took := s.Finished.Sub(s.Started).Round(time.Minute)
	if took < time.Minute {
		return day + ", in less than a minute"
	}
	return day + ", in " + amount(int(took.Minutes()), "minute")
}
