package results

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
)

// WriteJSON writes all that was measured. JSON has no NaN and no infinity: such a value
// is left out, and the sample's Error names it.
func (r *Run) WriteJSON(w io.Writer) error {
	sound := *r
	sound.Samples = make([]Sample, len(r.Samples))
	for n, s := range r.Samples {
		sound.Samples[n] = s.sound()
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "\t")
	if err := e.Encode(&sound); err != nil {
		return fmt.Errorf("write the results as JSON: %w", err)
	}
	return nil
}

// ReadJSON reads what WriteJSON wrote.
func ReadJSON(rd io.Reader) (*Run, error) {
	data, err := io.ReadAll(rd)
	if err != nil {
		return nil, fmt.Errorf("read the results: %w", err)
	}
	// The schema first: with another one, fields need not be what they are here.
	var head struct {
		Schema int `json:"schema"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("these are no results of a comparison: %w", err)
	}
	if head.Schema != Schema {
		return nil, fmt.Errorf("these results have schema %d, and this program reads schema %d: measure again, or use the version that wrote them", head.Schema, Schema)
	}
	r := new(Run)
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("these are no results of a comparison: %w", err)
	}
	for n, s := range r.Samples {
		if !slices.ContainsFunc(r.Servers, func(v Server) bool { return v.Name == s.Server }) {
			return nil, fmt.Errorf("sample %d is of the server %q, which is not among the servers: add it there", n+1, s.Server)
		}
	}
	return r, nil
}

// sound returns the sample without values that are not finite, which Error then names.
func (s Sample) sound() Sample {
	var bad []string
	for name, v := range s.Values {
		if !finite(v) {
			bad = append(bad, name)
		}
	}
	if len(bad) == 0 {
		return s
	}
	slices.Sort(bad)
	s.Values = maps.Clone(s.Values)
	for _, name := range bad {
		delete(s.Values, name)
	}
	why := "no finite number was measured for " + strings.Join(bad, ", ")
	if s.Error != "" {
		why = s.Error + "; " + why
	}
	s.Error = why
	return s
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
