package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

const module = "github.com/roostws/roost"

// build makes the guest's binaries and puts them with the plan into an initramfs, whose
// path it returns. It must be called inside of the module.
func build(ctx context.Context, dir string, p plan) (string, error) {
	var programs [2][]byte
	for i, b := range []struct{ name, pkg string }{{"roost", module + "/cmd/roost"}, {"init", module + "/bench/million"}} {
		out := filepath.Join(dir, b.name)
		cmd := exec.CommandContext(ctx, "go", "build", "-ldflags=-s -w", "-o", out, b.pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
		if text, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s cannot be built: %w\n%s", b.pkg, err, bytes.TrimSpace(text))
		}
		var err error
		if programs[i], err = os.ReadFile(out); err != nil {
			return "", err
		}
	}
	if runtime.GOOS != "linux" {
		return "", errors.New("the guest is booted from Linux only")
	}
	text, err := json.Marshal(p)
	if err != nil {
		return "", err
	}
	return writeInitramfs(filepath.Join(dir, "initramfs.cpio"), []entry{
		{name: "dev", mode: directory},
		{name: "dev/console", mode: device, rdev: [2]uint32{5, 1}},
		{name: "proc", mode: directory},
		{name: "sys", mode: directory},
		{name: "roost", mode: program, data: programs[0]},
		{name: "init", mode: program, data: programs[1]},
		{name: "plan.json", mode: plain, data: text},
	})
}

func writeInitramfs(path string, entries []entry) (string, error) {
	f, err := os.Create(path)
	if err != nil {
		return "", err
	}
	w := bufio.NewWriter(f)
	err = errors.Join(writeCPIO(w, entries), w.Flush(), f.Close())
	return path, err
}
