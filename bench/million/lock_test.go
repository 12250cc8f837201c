//go:build linux

package main

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestOneRunHasTheCache(t *testing.T) {
	dir := t.TempDir()
	first, err := lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock(dir); err == nil || !strings.Contains(err.Error(), "another run uses the cache "+dir) {
		t.Errorf("a second run: %v", err)
	}
	first.Close()
	second, err := lock(dir)
	if err != nil {
		t.Fatal("after the first run:", err)
	}
	second.Close()
	if _, err := lock(filepath.Join(dir, "nowhere")); err == nil || !strings.Contains(err.Error(), "--cache") {
		t.Errorf("a cache that cannot be locked: %v", err)
	}
}
