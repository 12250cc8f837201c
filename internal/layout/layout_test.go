// Package layout holds the arrows of ARCHITECTURE.md: who may import whom.
package layout

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/roostws/roost/"

// allowed is what each package may import of this module, directly or not.
var allowed = map[string][]string{
	"wsproto": {},
	"poller":  {},
	"pool":    {},
	"gate":    {"wsproto"},
	"auth":    {"wsproto"},
	"server":  {"internal/memtls", "wsproto", "poller", "pool", "gate", "auth"},
	"feed":    {"server", "internal/memtls", "wsproto", "poller", "pool", "gate", "auth", "client/js"},

	"internal/memtls": {},
	"internal/doctor": {"poller"},
	"bench/report":    {},
	"bench/live":      {"bench/report"},
	"bench":           {"bench/report", "internal/memtls", "wsproto", "poller"},

	"client":        {"wsproto"},
	"client/js":     {},
	"conformance":   {}, // tests only
	"bench/million": {"bench/report", "internal/doctor", "poller"},
	"docs/deploy":   {}, // files, and tests of them
	"examples/chi":  {"server", "internal/memtls", "wsproto", "poller", "pool", "gate"},

	"cmd/roost": {
		"feed", "server", "wsproto", "poller", "pool", "gate", "auth", "client/js",
		"bench", "bench/report", "bench/live", "internal/certs", "internal/memtls", "internal/doctor",
	},
}

func TestPackagesImportOnlyWhatTheArchitectureAllows(t *testing.T) {
	for name, may := range allowed {
		out, err := exec.Command("go", "list", "-deps", module+name).CombinedOutput()
		if err != nil {
			t.Fatalf("go list: %v\n%s", err, out)
		}
		for _, dep := range strings.Fields(string(out)) {
			dep, ours := strings.CutPrefix(dep, module)
			if ours && dep != name && !slices.Contains(may, dep) {
				t.Errorf("%s imports %s, which ARCHITECTURE.md does not allow", name, dep)
			}
		}
	}
}

func TestEveryPackageHasItsPlace(t *testing.T) {
	out, err := exec.Command("go", "list", module+"...").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	for _, name := range strings.Fields(string(out)) {
		name = strings.TrimPrefix(name, module)
		if _, ok := allowed[name]; !ok && !strings.HasPrefix(name, "internal/") {
			t.Errorf("%s has no place in ARCHITECTURE.md and in this test", name)
		}
	}
}
