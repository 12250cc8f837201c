//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const module = "github.com/roostws/roost"

// build makes the guest's binaries in dir and puts them with the plan into a file
// initramfs. It must be called inside of the module.
func build(ctx context.Context, dir, initramfs string, p plan) error {
	var programs [2][]byte
	for i, b := range []struct{ name, pkg string }{{"roost", module + "/cmd/roost"}, {"init", module + "/bench/million"}} {
		out := filepath.Join(dir, b.name)
		cmd := child(ctx, "go", "build", "-ldflags=-s -w", "-o", out, b.pkg)
		// Instructions that the user's own setting allows may be missing in the emulator, or slow.
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64", "GOAMD64=v1")
		text, err := cmd.CombinedOutput()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return fmt.Errorf("%s cannot be built: %w\n%s", b.pkg, err, bytes.TrimSpace(text))
		}
		if programs[i], err = os.ReadFile(out); err != nil {
			return err
		}
	}
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return writeInitramfs(initramfs, []entry{
		{name: "dev", mode: directory},
		{name: "dev/console", mode: device, rdev: [2]uint32{5, 1}},
		{name: "proc", mode: directory},
		{name: "sys", mode: directory},
		{name: "roost", mode: program, data: programs[0]},
		{name: "init", mode: program, data: programs[1]},
		{name: strings.TrimPrefix(planFile, "/"), mode: plain, data: text},
	})
}

func writeInitramfs(path string, entries []entry) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	return errors.Join(writeCPIO(w, entries), w.Flush(), f.Close())
}
