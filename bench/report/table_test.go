package report

import (
	"bytes"
	"strings"
	"testing"
)

func tableOf(t *testing.T, r *Report, color bool) string {
	t.Helper()
	var b bytes.Buffer
	if err := r.Table(&b, color); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTheTableNamesEveryScenario(t *testing.T) {
	for name, m := range makeAll(t) {
		if text := tableOf(t, m.report(), false); !strings.HasPrefix(text, name+" ws://127.0.0.1:9001/\n") {
			t.Errorf("%s: the table begins with %q", name, strings.SplitN(text, "\n", 2)[0])
		}
	}
}
