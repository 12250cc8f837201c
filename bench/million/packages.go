package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// wanted are the Debian packages that a guest takes.
var wanted = []string{"qemu-system-x86", "linux-image-cloud-amd64"}

// findMachine returns an emulator and a kernel: what was unpacked before, or else what
// apt-get fetches now. Nothing is installed, and no root is needed.
func findMachine(ctx context.Context, dir string, log *log) (*machine, error) {
	root := filepath.Join(dir, "root")
	if m := unpacked(root); m != nil {
		return m, nil
	}
	log.say("fetching qemu and a kernel into %s", dir)
	if err := fetch(ctx, dir, root); err != nil {
		return nil, err
	}
	m := unpacked(root)
	if m == nil {
		return nil, fmt.Errorf("the packages hold no qemu-system-x86_64 or no kernel: remove %s and try again", dir)
	}
	return m, nil
}

// unpacked returns the machine that lies in root, or nil. The emulator may also be
// installed.
func unpacked(root string) *machine {
	kernels, _ := filepath.Glob(filepath.Join(root, "boot", "vmlinuz-*")) // the pattern is a good one
	if len(kernels) == 0 {
		return nil
	}
	m := &machine{qemu: filepath.Join(root, "usr/bin/qemu-system-x86_64"), kernel: kernels[len(kernels)-1], root: root}
	if _, err := os.Stat(m.qemu); err == nil {
		return m
	}
	installed, err := exec.LookPath("qemu-system-x86_64")
	if err != nil {
		return nil
	}
	return &machine{qemu: installed, kernel: m.kernel}
}

// fetch downloads the packages that are not installed, and unpacks them into root. A
// root that is not whole does not stay.
func fetch(ctx context.Context, dir, root string) error {
	for _, tool := range []string{"apt-get", "dpkg-deb"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%s is missing: qemu and the kernel come from Debian's packages", tool)
		}
	}
	want := wanted
	if _, err := exec.LookPath("qemu-system-x86_64"); err == nil {
		want = wanted[1:]
	}
	simulated, err := command(ctx, dir, "apt-get", append([]string{"install", "--simulate", "--no-install-recommends"}, want...)...)
	if err != nil {
		return fmt.Errorf("apt-get knows no way to install %s: try apt-get update; %w", strings.Join(want, " and "), err)
	}
	debs := filepath.Join(dir, "packages")
	if err := os.MkdirAll(debs, 0o755); err != nil {
		return err
	}
	if _, err := command(ctx, debs, "apt-get", append([]string{"download"}, newPackages(simulated)...)...); err != nil {
		return fmt.Errorf("the packages cannot be had: %w", err)
	}
	files, err := filepath.Glob(filepath.Join(debs, "*.deb"))
	if err != nil {
		return err
	}
	part := root + ".part"
	if err := os.RemoveAll(part); err != nil {
		return err
	}
	for _, f := range files {
		if _, err := command(ctx, dir, "dpkg-deb", "-x", f, part); err != nil {
			return err
		}
	}
	return errors.Join(os.RemoveAll(debs), os.Rename(part, root))
}

// newPackages lists what apt-get would install, without what it would only renew and
// without what a machine with an init of its own does not need.
func newPackages(simulated []byte) []string {
	var names []string
	s := bufio.NewScanner(bytes.NewReader(simulated))
	for s.Scan() {
		f := strings.Fields(s.Text())
		if len(f) < 3 || f[0] != "Inst" || strings.HasPrefix(f[2], "[") || slices.Contains(unneeded, f[1]) {
			continue
		}
		names = append(names, f[1])
	}
	return names
}

// unneeded come with a kernel that is installed.
var unneeded = []string{"cpio", "kmod", "udev", "libklibc", "klibc-utils", "initramfs-tools", "initramfs-tools-core", "linux-base"}

// command runs a program in dir and returns what it prints. The error has its last line.
func command(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	var failed bytes.Buffer
	cmd.Stderr = &failed
	out, err := cmd.Output()
	if err != nil {
		lines := bytes.Split(bytes.TrimSpace(failed.Bytes()), []byte("\n"))
		return nil, fmt.Errorf("%s: %w: %s", name, err, lines[len(lines)-1])
	}
	return out, nil
}
