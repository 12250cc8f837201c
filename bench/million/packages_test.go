//go:build linux

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAMachineWithoutDebiansToolsSaysSo(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := findMachine(t.Context(), t.TempDir(), t.TempDir(), quiet(t)); err == nil || !strings.Contains(err.Error(), "apt-get is missing") {
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

// depends is what apt-cache says of the kernel's package.
const depends = `echo "linux-image-cloud-amd64"; echo "  Depends: linux-image-6.1"`

func TestPackagesThatCannotBeHadAreAnError(t *testing.T) {
	const simulate = `if [ "$1" = install ]; then echo "Inst qemu-system-x86 (1 x [amd64])"; exit; fi; `
	for _, c := range []struct{ name, cache, apt, dpkg, want string }{
		{"no kernel", "echo E: no packages found >&2; exit 100", "", "", "E: no packages found"},
		{"no kernel's name", "echo linux-image-cloud-amd64", "", "", "names no kernel"},
		{"unknown", depends, "echo E: no such package >&2; exit 100", "", "E: no such package"},
		{"no network", depends, simulate + "echo E: unreachable >&2; exit 100", "", "cannot be had: apt-get: exit status 100: E: unreachable"},
		{"damaged", depends, simulate + "touch a.deb", "echo damaged >&2; exit 2", "damaged"},
		{"empty", depends, simulate + "touch a.deb", "", "hold no qemu-system-x86_64 or no kernel"},
	} {
		t.Run(c.name, func(t *testing.T) {
			fakeTools(t, map[string]string{"apt-cache": c.cache, "apt-get": c.apt, "dpkg-deb": c.dpkg})
			if _, err := findMachine(t.Context(), t.TempDir(), t.TempDir(), quiet(t)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// whole unpacks a machine from every package, but fails for one that is not whole.
const whole = `case "$2" in *half*) echo half a package >&2; exit 2;; esac
mkdir -p "$3/boot" "$3/usr/bin" && touch "$3/boot/vmlinuz-6.1" "$3/usr/bin/qemu-system-x86_64"`

func TestPackagesAreFetchedOnceOverWhatWasLeft(t *testing.T) {
	dir, boot := tree(t, map[string]string{"packages/half.deb": "", "root/left": "", "root.part/left": ""}), t.TempDir()
	fakeTools(t, map[string]string{
		"apt-cache": depends,
		"apt-get":   `if [ "$1" = install ]; then echo "Inst qemu-system-x86 (1 x [amd64])"; else touch a.deb; fi`,
		"dpkg-deb":  whole,
	})
	first, err := findMachine(t.Context(), dir, boot, quiet(t))
	if err != nil {
		t.Fatal(err)
	}
	if exists(filepath.Join(dir, "root/left")) || exists(filepath.Join(dir, "packages")) {
		t.Error("what an earlier fetch left is still there")
	}
	fakeTools(t, map[string]string{"apt-get": "exit 1"})
	second, err := findMachine(t.Context(), dir, boot, quiet(t))
	if err != nil || *first != *second {
		t.Errorf("%+v and then %+v, %v", first, second, err)
	}
}

func TestWhatIsMissingIsDownloaded(t *testing.T) {
	const upgrade = `Inst libudev1 [252.38-1] (252.39-1 Debian:12.15/oldstable [amd64]) []
Inst cpio (2.13 Debian:12.15/oldstable [amd64])
Inst libc6 [2.36-1] (2.36-2 Debian:12.15/oldstable [amd64])
Inst libfdt1 (1.6.1-4 Debian:12.15/oldstable [amd64])
Inst qemu-system-x86 (1:7.2 Debian:12.15/oldstable [amd64])
Conf libfdt1 (1.6.1-4 Debian:12.15/oldstable [amd64])
`
	for _, c := range []struct {
		name, simulated string
		kernel, qemu    bool // are installed
		want            string
	}{
		{"nothing is installed", "NOTE: This is only a simulation!\n" + upgrade, false, false, "qemu-system-x86 linux-image-6.1 libudev1 libfdt1"},
		{"apt has nothing to install", "0 upgraded, 0 newly installed\n", false, false, "qemu-system-x86 linux-image-6.1"},
		{"an emulator is installed", "", false, true, "linux-image-6.1"},
		{"a kernel is installed", upgrade, true, false, "qemu-system-x86 libudev1 libfdt1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			boot := t.TempDir()
			if c.kernel {
				boot = tree(t, map[string]string{"vmlinuz-6.1-cloud-amd64": ""})
			}
			tools := map[string]string{"apt-cache": depends, "apt-get": "cat <<.\n" + c.simulated + ".\n"}
			if c.qemu {
				tools["qemu-system-x86_64"] = ""
			}
			fakeTools(t, tools)
			got, err := missing(t.Context(), t.TempDir(), boot)
			if text := strings.Join(got, " "); err != nil || text != c.want {
				t.Errorf("%q, %v, want %q", text, err, c.want)
			}
		})
	}
}

func TestAnInstalledKernelAndEmulatorNeedNoPackages(t *testing.T) {
	fakeTools(t, map[string]string{"qemu-system-x86_64": "", "apt-get": "exit 1"})
	boot := tree(t, map[string]string{"vmlinuz-6.1-amd64": "", "vmlinuz-6.1-cloud-amd64": ""})
	// A kernel that cannot be read, here as it is none, is passed over.
	if err := os.Symlink("nowhere", filepath.Join(boot, "vmlinuz-9-cloud-amd64")); err != nil {
		t.Fatal(err)
	}
	m, err := findMachine(t.Context(), t.TempDir(), boot, quiet(t))
	if err != nil || m.kernel != filepath.Join(boot, "vmlinuz-6.1-cloud-amd64") || m.root != "" {
		t.Errorf("%+v, %v", m, err)
	}
}

// tree writes files below a new directory.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}
