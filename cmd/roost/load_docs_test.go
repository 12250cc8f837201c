package main

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/roostws/roost/bench"
)

func page(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/load.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Every field that a scenario file can have stands in the page's table.
func TestThePageHasEveryFieldOfAScenario(t *testing.T) {
	text := page(t)
	var walk func(prefix string, of reflect.Type)
	walk = func(prefix string, of reflect.Type) {
		for i := range of.NumField() {
			f := of.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
			switch {
			case name == "":
				t.Errorf("%s.%s has no name in YAML", of.Name(), f.Name)
			case f.Type.Kind() == reflect.Struct:
				walk(prefix+name+".", f.Type)
			case !strings.Contains(text, "`"+prefix+name+"`"):
				t.Errorf("docs/load.md does not have %s%s", prefix, name)
			}
		}
	}
	walk("", reflect.TypeFor[bench.Config]())
}

// The page's scenario is one.
func TestThePagesScenarioCanBeRead(t *testing.T) {
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(page(t), -1)
	if len(blocks) == 0 {
		t.Fatal("there is none")
	}
	for _, b := range blocks {
		s, err := parseScenario([]byte(b[1]))
		if err != nil {
			t.Fatal(err)
		}
		if s.Scenario != bench.Echo || s.Echo.Rate != 20000 || len(s.Assert) != 2 || len(s.Messages.Templates) != 1 || s.Conns != 1000 {
			t.Errorf("it reads as %+v", s)
		}
	}
}

// What a scenario file must not say, and what it gets told.
func TestScenariosThatAreWrong(t *testing.T) {
	for text, want := range map[string]string{
		"konns: 5":           `unknown field "konns"`,
		"duration: 3 s":      `"3 s" is no duration`,
		"conns: many":        "cannot unmarshal",
		"echo: {rate: fast}": "cannot unmarshal",
		"scenario: [":        "sequence end",
	} {
		_, err := parseScenario([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
