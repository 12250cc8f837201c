package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Assertion is a bound that a figure of a report must hold, such as p99<20ms. Make
// one with ParseAssertion.
type Assertion struct {
	text   string
	metric metric
	op     string
	value  float64 // in the metric's unit
}

// AssertionResult says whether a report holds an assertion.
type AssertionResult struct {
	Text  string `json:"text"`
	Found string `json:"found,omitempty"` // for a person; empty when the run has no such figure
	OK    bool   `json:"ok"`
	Why   string `json:"why,omitempty"` // of a failed one
}

// longestAssertion bounds the text of an assertion, in bytes.
const longestAssertion = 200

// ParseAssertion reads metric, operator (< <= > >= == !=) and value, with spaces
// between them or not. Durations are written as 20ms, shares as 99.9% or 0.999, bytes
// as 64KiB, and numbers as 12, 10k or 1.5M. The names are those of Metrics.
func ParseAssertion(text string) (Assertion, error) {
	a := Assertion{text: strings.TrimSpace(text)}
	if len(text) > longestAssertion {
		return a, fmt.Errorf("an assertion of %d bytes is too long: at most %d", len(text), longestAssertion)
	}
	at := strings.IndexAny(a.text, "<>=!")
	if at < 0 {
		return a, fmt.Errorf("assertion %q has no operator: write metric, one of < <= > >= == !=, and a value, such as p99<20ms", text)
	}
	end := at + 1
	if end < len(a.text) && a.text[end] == '=' {
		end++
	}
	a.op = a.text[at:end]
	if a.op == "=" || a.op == "!" {
		return a, fmt.Errorf("assertion %q: %s is no operator: use one of < <= > >= == !=", text, a.op)
	}
	var err error
	if a.metric, err = findMetric(strings.TrimSpace(a.text[:at])); err != nil {
		return a, fmt.Errorf("assertion %q: %w", text, err)
	}
	if a.value, err = a.metric.unit.parse(strings.TrimSpace(a.text[end:])); err != nil {
		return a, fmt.Errorf("assertion %q: %s: %w", text, a.metric.name, err)
	}
	return a, nil
}

// String returns the assertion as it was written, without the spaces around it.
func (a Assertion) String() string { return a.text }

// Check compares with r. A figure that r does not have fails.
func (a Assertion) Check(r *Report) AssertionResult {
	result := AssertionResult{Text: a.text}
	v, why := a.metric.get(r)
	if why != "" {
		result.Why = "not in this run: " + why
		return result
	}
	result.Found = a.metric.unit.format(v)
	result.OK = a.holds(v)
	if !result.OK {
		result.Why = fmt.Sprintf("%s is %s", a.metric.name, result.Found)
	}
	return result
}

func (a Assertion) holds(v float64) bool {
	switch a.op {
	case "<":
		return v < a.value
	case "<=":
		return v <= a.value
	case ">":
		return v > a.value
	case ">=":
		return v >= a.value
	case "==":
		return v == a.value
	}
	return v != a.value
}

// Judge checks all assertions, keeps the results in r, and reports whether all hold.
func (r *Report) Judge(assertions []Assertion) bool {
	r.Assertions = []AssertionResult{}
	ok := true
	for _, a := range assertions {
		result := a.Check(r)
		r.Assertions = append(r.Assertions, result)
		ok = ok && result.OK
	}
	return ok
}

// parse reads a value in that unit.
func (u unit) parse(text string) (float64, error) {
	switch u {
	case micro:
		d, err := time.ParseDuration(text)
		if err != nil {
			return 0, fmt.Errorf("%q is no duration: write 500us, 20ms, 1.5s", text)
		}
		return float64(d) / float64(time.Microsecond), nil
	case share:
		return parseShare(text)
	case octets:
		return scaled(text, byteUnits, "64KiB, 1.5MiB, 4096")
	case whole, perTime:
		return scaled(strings.TrimSuffix(text, "/s"), countUnits, "12, 10k, 1.5M")
	}
	return decimal(text)
}

func parseShare(text string) (float64, error) {
	number, ok := strings.CutSuffix(text, "%")
	if !ok {
		v, err := decimal(text)
		if err == nil && v > 1 {
			return 0, fmt.Errorf("%s is more than all: write %s%%, or a share such as 0.95", text, text)
		}
		return v, err
	}
	number = strings.TrimSpace(number)
	if _, err := decimal(number); err != nil {
		return 0, err
	}
	// Not divided by 100, because 99.9/100 is not the number nearest to 0.999.
	return strconv.ParseFloat(number+"e-2", 64)
}

// scale is a suffix and what it stands for.
type scale struct {
	suffix string
	factor float64
}

var (
	byteUnits  = []scale{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"B", 1}}
	countUnits = []scale{{"k", 1e3}, {"M", 1e6}}
)

func scaled(text string, units []scale, examples string) (float64, error) {
	number, factor := text, 1.0
	for _, u := range units {
		if before, ok := strings.CutSuffix(text, u.suffix); ok {
			number, factor = strings.TrimSpace(before), u.factor
			break
		}
	}
	v, err := decimal(number)
	if err != nil {
		return 0, fmt.Errorf("%q is no number: write %s", text, examples)
	}
	return v * factor, nil
}

// decimal reads a finite number without exponent.
func decimal(text string) (float64, error) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || strings.Trim(text, "+-.0123456789") != "" || math.IsInf(v, 0) {
		return 0, fmt.Errorf("%q is no number", text)
	}
	return v, nil
}
