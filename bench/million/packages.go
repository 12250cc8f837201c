//go:build linux

package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// The Debian packages that a guest takes. The kernel's only depends on the newest one.
const (
	qemuPackage   = "qemu-system-x86"
	kernelPackage = "linux-image-cloud-amd64"
)

// findMachine returns an emulator and a kernel: what is installed or was unpacked before,
// or else what apt-get fetches now. boot is where an installed kernel lies. Nothing is
// installed, and no root is needed.
func findMachine(ctx context.Context, dir, boot string, log *log) (*machine, error) {
	root := filepath.Join(dir, "root")
	if m := unpacked(root, boot); m != nil {
		return m, nil
	}
	log.say("fetching qemu and a kernel into %s", dir)
	if err := fetch(ctx, dir, root, boot); err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, err
	}
	m := unpacked(root, boot)
	if m == nil {
		return nil, fmt.Errorf("the packages hold no qemu-system-x86_64 or no kernel: remove %s and try again", dir)
	}
	return m, nil
}

// unpacked returns the machine that lies in root, or nil. The emulator may also be
// installed, and so may a kernel in boot.
func unpacked(root, boot string) *machine {
	kernel := cmp.Or(kernelIn(filepath.Join(root, "boot"), "vmlinuz-*"), installedKernel(boot))
	if kernel == "" {
		return nil
	}
	m := &machine{qemu: filepath.Join(root, "usr/bin/qemu-system-x86_64"), kernel: kernel, root: root}
	if _, err := os.Stat(m.qemu); err == nil {
		return m
	}
	installed, err := exec.LookPath("qemu-system-x86_64")
	if err != nil {
		return nil
	}
	return &machine{qemu: installed, kernel: kernel}
}

// installedKernel is a kernel for virtual machines in boot, or empty.
func installedKernel(boot string) string { return kernelIn(boot, "vmlinuz-*-cloud-amd64") }

// kernelIn is a kernel in dir that may be read, or empty. Some systems keep theirs from
// all but root.
func kernelIn(dir, pattern string) string {
	files, _ := filepath.Glob(filepath.Join(dir, pattern)) // the patterns are good ones
	for _, path := range slices.Backward(files) {
		if f, err := os.Open(path); err == nil {
			f.Close()
			return path
		}
	}
	return ""
}

// fetch downloads the packages of what is missing, and unpacks them into root. What an
// earlier fetch left half done goes.
func fetch(ctx context.Context, dir, root, boot string) error {
	for _, tool := range []string{"apt-get", "apt-cache", "dpkg-deb"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%s is missing: qemu and the kernel come from Debian's packages", tool)
		}
	}
	names, err := missing(ctx, dir, boot)
	if err != nil {
		return err
	}
	debs, part := filepath.Join(dir, "packages"), root+".part"
	if err := errors.Join(os.RemoveAll(debs), os.RemoveAll(part), os.MkdirAll(debs, 0o755), os.MkdirAll(part, 0o755)); err != nil {
		return err
	}
	if _, err := command(ctx, debs, "apt-get", append([]string{"download"}, names...)...); err != nil {
		return fmt.Errorf("the packages cannot be had: %w", err)
	}
	files, err := filepath.Glob(filepath.Join(debs, "*.deb"))
	if err != nil {
		return err
	}
	for _, f := range files {
		if _, err := command(ctx, dir, "dpkg-deb", "-x", f, part); err != nil {
			return err
		}
	}
	return errors.Join(os.RemoveAll(debs), os.RemoveAll(root), os.Rename(part, root))
}

// missing lists the packages to download: the emulator's and the kernel's own whether or
// not they are installed, as they lack something here, and what apt-get would install
// with them.
func missing(ctx context.Context, dir, boot string) ([]string, error) {
	var own []string
	if _, err := exec.LookPath("qemu-system-x86_64"); err != nil {
		own = append(own, qemuPackage)
	}
	if installedKernel(boot) == "" {
		about, err := command(ctx, dir, "apt-cache", "depends", kernelPackage)
		if err != nil {
			return nil, fmt.Errorf("apt-cache does not know %s: try apt-get update; %w", kernelPackage, err)
		}
		image := kernelImage(about)
		if image == "" {
			return nil, fmt.Errorf("apt-cache names no kernel that %s depends on: try apt-get update", kernelPackage)
		}
		own = append(own, image)
	}
	simulated, err := command(ctx, dir, "apt-get", append([]string{"install", "--simulate", "--no-install-recommends"}, own...)...)
	if err != nil {
		return nil, fmt.Errorf("apt-get knows no way to install %s: try apt-get update; %w", strings.Join(own, " and "), err)
	}
	for _, name := range newPackages(simulated) {
		if !slices.Contains(own, name) {
			own = append(own, name)
		}
	}
	return own, nil
}

// kernelImage is the package with the kernel itself in what apt-cache says that
// kernelPackage depends on, or empty.
func kernelImage(about []byte) string {
	for line := range strings.Lines(string(about)) {
		f := strings.Fields(line)
		if len(f) == 2 && strings.TrimPrefix(f[0], "|") == "Depends:" && strings.HasPrefix(f[1], "linux-image-") {
			return f[1]
		}
	}
	return ""
}

// newPackages lists what apt-get would install or renew, without what a machine with an
// init of its own does not need.
func newPackages(simulated []byte) []string {
	var names []string
	for line := range strings.Lines(string(simulated)) {
		f := strings.Fields(line)
		if len(f) >= 3 && f[0] == "Inst" && !slices.Contains(unneeded, f[1]) {
			names = append(names, f[1])
		}
	}
	return names
}

// unneeded come with a kernel that is installed, and libc6 goes with the installed loader
// alone.
var unneeded = []string{"cpio", "kmod", "udev", "libklibc", "klibc-utils", "initramfs-tools", "initramfs-tools-core", "linux-base", "libc6"}

// command runs a program in dir and returns what it prints. The error has its last line.
func command(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	cmd := child(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "LC_ALL=C") // what it prints is read
	var failed bytes.Buffer
	cmd.Stderr = &failed
	out, err := cmd.Output()
	if err != nil {
		lines := bytes.Split(bytes.TrimSpace(failed.Bytes()), []byte("\n"))
		return nil, fmt.Errorf("%s: %w: %s", name, err, lines[len(lines)-1])
	}
	return out, nil
}
