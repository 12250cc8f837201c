//go:build linux

package main

import (
	"context"
	"os/exec"
	"syscall"
	"time"
)

// child is a program that ends with ctx, and with us however we end. It has a process
// group of its own: a terminal's Ctrl-C reaches us alone, and ctx tells why it ends.
func child(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	cmd.WaitDelay = 5 * time.Second
	return cmd
}
