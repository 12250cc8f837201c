package guard

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
)

// binary builds this test binary once more: with symbols, which go test leaves out, and
// without cgo, for one set of instructions everywhere. It does the works when told to.
func binary(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "guard.test")
	cmd := exec.Command("go", "test", "-c", "-o", path, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building the works: %v\n%s", err, out)
	}
	return path
}

// steady is the environment in which a work does the same at each run: one processor,
// no garbage collection and no preemption by signals. The RDTSCP instruction is
// one that valgrind may promise to the program and not know.
var steady = []string{"GOMAXPROCS=1", "GOGC=off", "GODEBUG=asyncpreemptoff=1,cpu.rdtscp=off"}

// run runs a tool, in front of a work.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), steady...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// skipUnlessPlain skips where the tests run under the race detector: the works are built without
// it, so that they would only be counted a second time.
func skipUnlessPlain(t *testing.T) {
	t.Helper()
	info, ok := debug.ReadBuildInfo()
	if !ok {
		t.Fatal("the test binary has no build information")
	}
	if slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		t.Skip("counted once, without the race detector: go test ./internal/guard")
	}
}
