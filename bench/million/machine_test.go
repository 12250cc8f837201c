//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// fakeQemu is a machine whose emulator is a shell script.
func fakeQemu(t *testing.T, script string) *machine {
	t.Helper()
	path := filepath.Join(t.TempDir(), "qemu")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	return &machine{qemu: path, kernel: "vmlinuz"}
}

func quiet(t *testing.T) *log {
	t.Helper()
	l, err := newLog(&bytes.Buffer{}, "")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// brief is a plan for a machine that is none.
var brief = plan{Timeout: time.Minute}

func TestTheGuestsResultIsReturned(t *testing.T) {
	m := fakeQemu(t, `echo hello; echo '@million {"outcome":{"Alive":3}}'`)
	if o, err := m.run(t.Context(), brief, "i", quiet(t)); err != nil || o.Alive != 3 {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestAGuestWithoutAResultIsAnError(t *testing.T) {
	for script, want := range map[string]string{
		"echo hello": "without a result", "echo no memory >&2; exit 1": "no memory",
		`echo '@million {"outcome":{"Error":"the server ended"}}'`: "in the guest: the server ended",
		"kill -9 $$": "most likely the memory ran out", "kill -15 $$": "signal: terminated",
	} {
		if _, err := fakeQemu(t, script).run(t.Context(), brief, "i", quiet(t)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", script, err, want)
		}
	}
	if _, err := (&machine{qemu: "/nowhere/qemu"}).run(t.Context(), brief, "i", quiet(t)); err == nil {
		t.Error("an emulator that is not there was started")
	}
}

func TestTheEndOfTheContextEndsTheGuest(t *testing.T) {
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(50*time.Millisecond, func() { cancel(why) })
	// exec: a shell's child would keep the pipe open.
	if _, err := fakeQemu(t, "exec sleep 60").run(ctx, brief, "i", quiet(t)); !errors.Is(err, why) {
		t.Errorf("%v, want the cause", err)
	}
}

func TestTheTimeoutEndsTheGuest(t *testing.T) {
	if _, err := fakeQemu(t, "exec sleep 60").run(t.Context(), plan{Timeout: 20 * time.Millisecond}, "i", quiet(t)); err == nil || !strings.Contains(err.Error(), "--timeout") {
		t.Errorf("%v, want a word about --timeout", err)
	}
}

// onWrite calls itself at every line that is shown.
type onWrite func()

func (f onWrite) Write(p []byte) (int, error) { f(); return len(p), nil }

func TestAResultThatCameBeforeTheEndCounts(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	l, err := newLog(onWrite(cancel), "")
	if err != nil {
		t.Fatal(err)
	}
	script := `echo '@million {"outcome":{"Alive":3}}'; echo shown; exec sleep 60`
	if o, err := fakeQemu(t, script).run(ctx, brief, "i", l); err != nil || o.Alive != 3 {
		t.Errorf("%+v, %v, want the result", o, err)
	}
}

func TestAnUnpackedEmulatorFindsItsFiles(t *testing.T) {
	root := t.TempDir()
	if unpacked(root, t.TempDir()) != nil {
		t.Error("an empty directory is a machine")
	}
	for _, f := range []string{"boot/vmlinuz-6.1", "usr/bin/qemu-system-x86_64"} {
		path := filepath.Join(root, f)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	m := unpacked(root, t.TempDir())
	if m == nil {
		t.Fatal("no machine was found")
	}
	cmd := m.command(t.Context(), plan{Memory: 2 << 30, SMP: 2}, "i")
	line := strings.Join(cmd.Args, " ")
	for _, want := range []string{root + "/usr/bin/qemu-system-x86_64", "-L " + root + "/usr/share/qemu", "-m 2048", "-smp 2", "-kernel " + root + "/boot/vmlinuz-6.1", "-initrd i"} {
		if !strings.Contains(line, want) {
			t.Errorf("%s lacks %s", line, want)
		}
	}
	if want := "LD_LIBRARY_PATH=" + root + "/usr/lib/x86_64-linux-gnu:" + root + "/lib/x86_64-linux-gnu"; !slices.Contains(cmd.Env, want) {
		t.Errorf("the environment lacks %s", want)
	}
}
