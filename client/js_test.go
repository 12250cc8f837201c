package client

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// TestRoostJS runs the tests of js/roost.js, which need no network.
func TestRoostJS(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("no node: install Node.js 18 or later to have roost.js tested")
	}
	files, err := filepath.Glob("js/*.test.mjs")
	if err != nil || len(files) == 0 {
		t.Fatalf("the tests are %v, %v", files, err)
	}
	if out, err := exec.CommandContext(t.Context(), node, append([]string{"--test"}, files...)...).CombinedOutput(); err != nil {
		t.Errorf("node --test: %v\n%s", err, out)
	}
}
