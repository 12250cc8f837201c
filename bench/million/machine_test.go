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

func TestTheGuestsResultIsReturned(t *testing.T) {
	m := fakeQemu(t, `echo hello; echo '@million {"outcome":{"Alive":3}}'`)
	if o, err := m.run(t.Context(), plan{}, "i", quiet(t)); err != nil || o.Alive != 3 {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestAGuestWithoutAResultIsAnError(t *testing.T) {
	for script, want := range map[string]string{
		"echo hello": "without a result", "echo no memory >&2; exit 1": "no memory",
		`echo '@million {"outcome":{"Error":"the server ended"}}'`: "in the guest: the server ended",
	} {
		if _, err := fakeQemu(t, script).run(t.Context(), plan{}, "i", quiet(t)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", script, err, want)
		}
	}
	if _, err := (&machine{qemu: "/nowhere/qemu"}).run(t.Context(), plan{}, "i", quiet(t)); err == nil {
		t.Error("an emulator that is not there was started")
	}
}

func TestTheEndOfTheContextEndsTheGuest(t *testing.T) {
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(50*time.Millisecond, func() { cancel(why) })
	// exec: a shell's child would keep the pipe open.
	if _, err := fakeQemu(t, "exec sleep 60").run(ctx, plan{}, "i", quiet(t)); !errors.Is(err, why) {
		t.Errorf("%v, want the cause", err)
	}
}

func TestAnUnpackedEmulatorFindsItsFiles(t *testing.T) {
	root := t.TempDir()
	if unpacked(root) != nil {
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
	m := unpacked(root)
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

func TestAMachineWithoutDebiansToolsSaysSo(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := findMachine(t.Context(), t.TempDir(), quiet(t)); err == nil || !strings.Contains(err.Error(), "apt-get is missing") {
		t.Errorf("%v, want a word about apt-get", err)
	}
}

// fakeTools makes a PATH of shell scripts.
func fakeTools(t *testing.T, scripts map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, script := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":/bin:/usr/bin")
}

func TestPackagesThatCannotBeHadAreAnError(t *testing.T) {
	const simulate = `if [ "$1" = install ]; then echo "Inst qemu-system-x86 (1 x [amd64])"; exit; fi; `
	for _, c := range []struct{ name, apt, dpkg, want string }{
		{"unknown", "echo E: no such package >&2; exit 100", "", "E: no such package"},
		{"no network", simulate + "echo E: unreachable >&2; exit 100", "", "cannot be had: apt-get: exit status 100: E: unreachable"},
		{"damaged", simulate + "touch a.deb", "echo damaged >&2; exit 2", "damaged"},
		{"empty", simulate + "touch a.deb", `mkdir "$3"`, "hold no qemu-system-x86_64 or no kernel"},
	} {
		t.Run(c.name, func(t *testing.T) {
			fakeTools(t, map[string]string{"apt-get": c.apt, "dpkg-deb": c.dpkg})
			if _, err := findMachine(t.Context(), t.TempDir(), quiet(t)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestPackagesAreFetchedOnce(t *testing.T) {
	dir := t.TempDir()
	fakeTools(t, map[string]string{
		"apt-get":  `if [ "$1" = install ]; then echo "Inst qemu-system-x86 (1 x [amd64])"; else touch a.deb; fi`,
		"dpkg-deb": `mkdir -p "$3/boot" "$3/usr/bin" && touch "$3/boot/vmlinuz-6.1" "$3/usr/bin/qemu-system-x86_64"`,
	})
	first, err := findMachine(t.Context(), dir, quiet(t))
	if err != nil {
		t.Fatal(err)
	}
	fakeTools(t, map[string]string{"apt-get": "exit 1"})
	second, err := findMachine(t.Context(), dir, quiet(t))
	if err != nil || *first != *second {
		t.Errorf("%+v and then %+v, %v", first, second, err)
	}
}
