package report

import (
	"encoding/json"
	"fmt"
	"io"
)

// WriteJSON writes the whole report, indented.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// ReadJSON reads what WriteJSON wrote. Fields that it does not know are ignored, and
// another schema is an error.
func ReadJSON(from io.Reader) (*Report, error) {
	text, err := io.ReadAll(from)
	if err != nil {
		return nil, err
	}
	var head struct{ Schema *int }
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, fmt.Errorf("not a report of roost load: %w", err)
	}
	switch {
	case head.Schema == nil:
		return nil, fmt.Errorf("not a report of roost load: it has no schema")
	case *head.Schema != Schema:
		return nil, fmt.Errorf("the report has schema %d, and this version of roost reads %d: use the version that wrote it", *head.Schema, Schema)
	}
	r := &Report{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("not a report of roost load: %w", err)
	}
	return r, nil
}
