package conformance

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

var update = flag.Bool("update", false, "write docs/conformance.md anew, by what this run has shown")

// document is what the ledger is written to.
const document = "../docs/conformance.md"

// line is a rule of the document.
type line struct{ section, rule string }

// column is where it was shown.
type column struct {
	role   role
	secure bool
}

// ledger is what was shown so far.
var ledger = struct {
	sync.Mutex
	shown    map[line]map[column]int // connections
	deviates map[line]string         // why
}{shown: map[line]map[column]int{}, deviates: map[line]string{}}

// held notes that a test has shown a rule on one more connection.
func held(on role, secure bool, section, rule string) {
	ledger.Lock()
	defer ledger.Unlock()
	l := line{rfc(section), rule}
	if ledger.shown[l] == nil {
		ledger.shown[l] = map[column]int{}
	}
	ledger.shown[l][column{on, secure}]++
}

// deviates notes a rule that ours does not keep, and why. Its test fails as soon as it does.
func deviates(section, rule, why string) {
	ledger.Lock()
	defer ledger.Unlock()
	ledger.deviates[line{rfc(section), rule}] = why
}

// rfc names the RFC of a section that does not: it is 6455.
func rfc(section string) string {
	if strings.HasPrefix(section, "RFC ") {
		return section
	}
	return "RFC 6455, " + section
}

// order sorts sections by their numbers: RFC 6455 first, then 7692, then the others.
func order(a, b line) int {
	key := func(l line) (k []int) {
		for _, f := range strings.FieldsFunc(l.section, func(r rune) bool { return r < '0' || r > '9' }) {
			n := 0
			fmt.Sscan(f, &n)
			k = append(k, n)
		}
		if k[0] != 6455 && k[0] != 7692 {
			k[0] += 10000
		}
		return k
	}
	return cmp.Or(slices.Compare(key(a), key(b)), cmp.Compare(a.section, b.section), cmp.Compare(a.rule, b.rule))
}

// markdown is the document, after count runs of all tests.
func markdown(count int) string {
	var b strings.Builder
	b.WriteString(preamble)
	total := map[column]int{}
	for _, l := range slices.SortedFunc(maps.Keys(ledger.shown), order) {
		fmt.Fprintf(&b, "| %s | %s |", strings.TrimPrefix(l.section, "RFC 6455, "), strings.ReplaceAll(l.rule, "|", `\|`))
		for _, c := range columns {
			n := ledger.shown[l][c] / count
			total[c] += n
			if n > 0 {
				fmt.Fprintf(&b, " %d", n)
			}
			b.WriteString(" |")
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "| | %d rules |", len(ledger.shown))
	for _, c := range columns {
		fmt.Fprintf(&b, " %d |", total[c])
	}
	b.WriteString(middle)
	for _, l := range slices.SortedFunc(maps.Keys(ledger.deviates), order) {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", l.section, l.rule, ledger.deviates[l])
	}
	return b.String()
}

var columns = []column{{ourServer, false}, {ourServer, true}, {ourClient, false}, {ourClient, true}}

const preamble = `# Conformance

What package conformance shows of RFC 6455 and RFC 7692, over real sockets, against a peer of raw bytes. Written by
` + "`go test ./conformance -update`" + `, and held by every whole run of its tests. Sections without an RFC are of RFC 6455. The figures are
connections in one run, each with the bytes sent whole, one at a time, or cut at random. The server's are spread over both engines,
inline handlers and the pool, and net/http's way in.

| section | rule | server | server, TLS | client | client, TLS |
|---|---|---|---|---|---|
`

const middle = `

## Not kept

The tests hold these too: they fail when ours begins to keep them.

| section | rule | why |
|---|---|---|
`

// flagged returns the value of a flag of package testing.
func flagged(name string) string { return flag.Lookup("test." + name).Value.String() }

// wholeRun tells whether a run is of all tests, on the system that the document is of: others have fewer engines.
func wholeRun() bool {
	return flagged("run")+flagged("skip")+flagged("list")+flagged("bench")+flagged("cpu") == "" && runtime.GOOS == "linux"
}

// documented is the tests, and the document behind them.
type documented struct{ *testing.M }

func (d documented) Run() int {
	code := d.M.Run()
	if code != 0 || !wholeRun() {
		return code
	}
	count := 1
	fmt.Sscan(flagged("count"), &count)
	want := markdown(count)
	if *update {
		if err := os.WriteFile(document, []byte(want), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	}
	if got, err := os.ReadFile(document); err != nil || string(got) != want {
		fmt.Fprintln(os.Stderr, "docs/conformance.md is not what the tests have shown: run go test ./conformance -update")
		return 1
	}
	return 0
}
