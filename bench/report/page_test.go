package report

import (
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// The page must have a row for every field of the JSON, and none that is not there.
func TestThePageHasEveryField(t *testing.T) {
	text, err := os.ReadFile("../../docs/load-report.md")
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z0-9_.\\[\\]]+)` \\|[^|]+\\|[^|]*\\|[^|]*\\|$").FindAllStringSubmatch(string(text), -1) {
		told = append(told, m[1])
	}
	fields := slices.Concat(paths("", reflect.TypeFor[Report]()), paths("summary.", reflect.TypeFor[Summary]()))
	if len(fields) < 100 {
		t.Fatalf("found only %d fields: %v", len(fields), fields)
	}
	for _, f := range fields {
		if !slices.Contains(told, f) {
			t.Errorf("docs/load-report.md lacks the field %s", f)
		}
	}
	for n, f := range told {
		if !slices.Contains(fields, f) {
			t.Errorf("docs/load-report.md tells of %s, which does not exist", f)
		}
		if slices.Contains(told[:n], f) {
			t.Errorf("docs/load-report.md has %s twice", f)
		}
	}
}

// paths lists the JSON paths of the fields of t.
func paths(prefix string, t reflect.Type) []string {
	var all []string
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous || name == "" || name == "-" {
			panic(t.Name() + "." + f.Name + " has no JSON name")
		}
		of, path := f.Type, prefix+name
		if of.Kind() == reflect.Pointer {
			of = of.Elem()
		}
		all = append(all, path)
		if of.Kind() == reflect.Slice && of.Elem().Kind() == reflect.Struct {
			of, path = of.Elem(), path+"[]"
		}
		if of.Kind() == reflect.Struct && of != reflect.TypeFor[Summary]() && of != reflect.TypeFor[Histogram]() && of != reflect.TypeFor[time.Time]() {
			all = append(all, paths(path+".", of)...)
		}
	}
	return all
}

func TestThePageHasEveryMetricAndKind(t *testing.T) {
	text, err := os.ReadFile("../../docs/load-report.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range Metrics() {
		for _, prefix := range []string{"service.", "connect.", "slip.", "skew.", "notice."} {
			name = strings.TrimPrefix(name, prefix)
		}
		if !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("docs/load-report.md lacks the metric %s", name)
		}
	}
	for kind := range hints {
		if !strings.Contains(string(text), "| `"+kind+"` |") {
			t.Errorf("docs/load-report.md lacks the kind of failure %q", kind)
		}
	}
	for _, kind := range []string{ToolCPU, ToolLag, ToolSlip, ToolClocks, Short, Missing, NotBack, LostSome, Unsent, Unanswered, Mismatched, Declined, Undelivered, FewValues} {
		if !strings.Contains(string(text), "`"+kind+"`") {
			t.Errorf("docs/load-report.md lacks the kind of warning %q", kind)
		}
	}
}

// What jq is shown to do needs these fields where they are.
func TestTheJSONHasTheShapeThatThePageTells(t *testing.T) {
	var b strings.Builder
	if err := makeEcho(t).report().WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Schema  int
		Latency map[string]any
		Series  []map[string]any
	}
	if err := json.Unmarshal([]byte(b.String()), &got); err != nil {
		t.Fatal(err)
	}
	if got.Schema != 1 || got.Latency["p99_us"] == nil || got.Latency["p99_9_us"] == nil || got.Series[3]["phase"] != "measure" {
		t.Errorf("schema %d, latency %v, a point %v", got.Schema, got.Latency["p99_us"], got.Series[3])
	}
	if strings.Contains(b.String(), `"fanout"`) || strings.Contains(b.String(), `"storm"`) {
		t.Error("an echo run has sections of other scenarios")
	}
}
