package layout

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheReadmesProgramCompiles builds what a reader would copy.
func TestTheReadmesProgramCompiles(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(readme), "```go\n")
	program, _, closed := strings.Cut(block, "```\n")
	if !found || !closed {
		t.Fatal("README.md has no Go program")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "main.go")
	if err := os.WriteFile(file, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, "program"), file).CombinedOutput(); err != nil {
		t.Errorf("go build: %v\n%s", err, out)
	}
	if lines := strings.Count(program, "\n"); lines > 25 {
		t.Errorf("the README's program has %d lines: it is to show how little is needed", lines)
	}
}
