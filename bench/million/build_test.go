//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestTheInitramfsHasBinariesForEveryProcessorAndThePlan(t *testing.T) {
	t.Setenv("GOAMD64", "v3")
	fakeTools(t, map[string]string{"go": `echo "$CGO_ENABLED $GOOS $GOARCH $GOAMD64 $5" > "$4"`})
	dir := t.TempDir()
	initramfs := filepath.Join(dir, "i")
	if err := build(t.Context(), dir, initramfs, plan{Conns: 7}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(initramfs)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := readCPIO(text)
	if err != nil {
		t.Fatal(err)
	}
	data := map[string]string{}
	for _, e := range entries {
		data["/"+e.name] = string(e.data)
	}
	for name, pkg := range map[string]string{"/roost": "cmd/roost", "/init": "bench/million"} {
		if want := "0 linux amd64 v1 " + module + "/" + pkg + "\n"; data[name] != want {
			t.Errorf("%s is built with %q, want %q", name, data[name], want)
		}
	}
	var p plan
	if err := json.Unmarshal([]byte(data[planFile]), &p); err != nil || p.Conns != 7 {
		t.Errorf("the plan is %+v, %v", p, err)
	}
}

func TestABuildThatFailsSaysWhy(t *testing.T) {
	fakeTools(t, map[string]string{"go": "echo no space left; exit 1"})
	dir := t.TempDir()
	if err := build(t.Context(), dir, filepath.Join(dir, "i"), plan{}); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("%v", err)
	}
	fakeTools(t, map[string]string{"go": `touch "$4"`})
	if err := build(t.Context(), dir, filepath.Join(dir, "nowhere", "i"), plan{}); err == nil {
		t.Error("an initramfs that cannot be written is no error")
	}
}

func TestAnInterruptIsReportedAsThat(t *testing.T) {
	why := errors.New("interrupted")
	// Each tells by a named pipe that it began. exec: a shell's child would keep the output open.
	const hang = `echo > "$BEGUN"; exec sleep 60`
	fakeTools(t, map[string]string{"go": hang, "apt-get": hang, "apt-cache": "echo Depends: linux-image-1", "dpkg-deb": ""})
	for name, do := range map[string]func(context.Context) error{
		"build": func(ctx context.Context) error { return build(ctx, t.TempDir(), "i", plan{}) },
		"packages": func(ctx context.Context) error {
			_, err := findMachine(ctx, t.TempDir(), t.TempDir(), quiet(t))
			return err
		},
	} {
		begun := filepath.Join(t.TempDir(), "begun")
		if err := syscall.Mkfifo(begun, 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("BEGUN", begun)
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() {
			_, err := os.ReadFile(begun) // waits for a writer
			cancel(errors.Join(why, err))
		}()
		if err := do(ctx); err == nil || err.Error() != why.Error() {
			t.Errorf("%s: %v, want the cause alone", name, err)
		}
		cancel(nil)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
