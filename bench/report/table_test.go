package report

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/*.txt anew; look at them before you keep them")

func tableOf(t testing.TB, r *Report, color bool) string {
	t.Helper()
	var b bytes.Buffer
	if err := r.Table(&b, color); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// golden compares with a file that somebody has looked at.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s has changed (-update writes it):\n%s", path, got)
	}
}

var escapes = regexp.MustCompile("\x1b\\[[0-9]+m")

func TestTables(t *testing.T) {
	all := makeAll(t)
	bad := makeBad(t)
	all["compressed"] = makeCompressed(t)
	all["bad"] = bad
	for name, m := range all {
		r := m.report()
		if name == "bad" {
			r.Judge([]Assertion{parsed(t, "p99<1ms"), parsed(t, "replies > 100k"), parsed(t, "gaps == 0")})
		}
		plain := tableOf(t, r, false)
		golden(t, "table_"+name, plain)
		colored := tableOf(t, r, true)
		if escapes.ReplaceAllString(colored, "") != plain {
			t.Errorf("%s: colours change the text", name)
		}
		if strings.Contains(plain, "\x1b") || !strings.Contains(colored, bold) {
			t.Errorf("%s: colours are where they should not be, or not where they should", name)
		}
		for line := range strings.Lines(plain) {
			if n := len([]rune(strings.TrimRight(line, "\n"))); n > textWidth {
				t.Errorf("%s: a line has %d columns: %s", name, n, line)
			}
		}
	}
}

// makeBad is an echo in which much went wrong.
func makeBad(t testing.TB) *made {
	m := makeEcho(t)
	for n, i := range m.intervals[1:11] {
		i.CPU, i.Lag = 1900e6, 50e6
		i.Unsent, i.Unanswered, i.Mismatched, i.Lost, i.Failed = 12, 1, 2, 1, 1
		i.Open = 999 - int64(n)
		i.Failures = map[string]int64{ClosedWith(1006 - 1): 1, HandshakeStatus(503): 1}
		i.Examples = map[string]string{HandshakeStatus(503): "503 \x1b[31mService\r\n Unavailable <script>alert(1)</script>"}
	}
	m.intervals[0].Server = &Server{RSS: 24 << 20, TCP: 2 << 20, Slab: 9 << 20}
	m.end.Before = &Server{RSS: 12 << 20, TCP: 0, Slab: 4 << 20}
	m.run.Targets = []string{"ws://a.example/\x1b]0;title\x07", `ws://b.example/"><img src=x onerror=alert(1)>`}
	m.run.Workers = []string{"10.0.0.1:7000", "10.0.0.2:7000"}
	return m
}

func TestAnExampleThatSaysNoMoreIsLeftOut(t *testing.T) {
	m := makeEcho(t)
	m.intervals[3].Failures = map[string]int64{Refused: 1}
	m.intervals[3].Examples = map[string]string{Refused: Refused}
	if n := strings.Count(tableOf(t, m.report(), false), Refused); n != 1 {
		t.Errorf("it is said %d times", n)
	}
}

type brokenWriter struct{}

var errBroken = errors.New("broken")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestWritersTellErrors(t *testing.T) {
	m := makeEcho(t)
	r := m.report()
	for name, err := range map[string]error{
		"table": r.Table(brokenWriter{}, false), "json": r.WriteJSON(brokenWriter{}), "html": WriteHTML(brokenWriter{}, r),
		"compare": Compare(brokenWriter{}, r, r, false), "hdr": WriteHDR(brokenWriter{}, m.intervals, began),
	} {
		if !errors.Is(err, errBroken) {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}
