//go:build linux

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
	"strconv"
	"syscall"
)

// machine is an emulator with a kernel.
type machine struct {
	qemu   string
	kernel string
	root   string // where qemu was unpacked; empty if it is installed
}

// kernelFlags are the kernel's command line. Emulated time is dear: no mitigations, no
// watchdog for what only looks like a lockup, a clock that is read without a trap, and
// none of what a distribution's kernel does beside for safety and accounting.
const kernelFlags = "console=ttyS0 quiet panic=-1 mitigations=off nopti nowatchdog rcupdate.rcu_cpu_stall_suppress=1 " +
	"tsc=reliable clocksource=tsc init_on_alloc=0 hardened_usercopy=off randomize_kstack_offset=off lsm=capability audit=0 psi=0 " +
	"cgroup_disable=memory thash_entries=1048576"

// processor is what the emulator can do, without what makes emulation slow: every copy
// between a program and the kernel switches SMAP twice, ERMS moves single bytes, a fifth
// level of page tables is one more to walk, and XSAVE makes every switch between threads
// a long one.
const processor = "max,la57=off,smap=off,smep=off,pku=off,erms=off,fsrm=off,xsave=off"

func (m *machine) command(ctx context.Context, p plan, initramfs string) *exec.Cmd {
	args := []string{
		"-m", strconv.FormatInt(p.Memory>>20, 10), "-smp", strconv.Itoa(p.SMP),
		"-accel", "tcg,thread=multi,tb-size=256", "-cpu", processor, "-nic", "none",
		"-display", "none", "-monitor", "none", "-serial", "stdio", "-no-reboot",
		"-kernel", m.kernel, "-initrd", initramfs, "-append", kernelFlags,
	}
	if m.root != "" {
		share := filepath.Join(m.root, "usr/share")
		args = append([]string{"-L", filepath.Join(share, "qemu"), "-L", filepath.Join(share, "seabios")}, args...)
	}
	cmd := child(ctx, m.qemu, args...)
	if m.root != "" {
		const triple = "lib/x86_64-linux-gnu"
		cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+filepath.Join(m.root, "usr", triple)+":"+filepath.Join(m.root, triple))
	}
	return cmd
}

// run boots the guest, shows what it says and returns its result. ctx ends qemu, and so
// does the plan's timeout. A result that came before the end counts.
func (m *machine) run(ctx context.Context, p plan, initramfs string, log *log) (*outcome, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, p.Timeout, fmt.Errorf("the guest did not end within %v: give it more with --timeout", p.Timeout))
	defer cancel()
	cmd := m.command(ctx, p, initramfs)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	var failed bytes.Buffer
	cmd.Stderr = &failed
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("qemu cannot be started: %w", err)
	}
	var result *outcome
	s := bufio.NewScanner(out)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		if o := log.heard(s.Text()); o != nil {
			result = o
		}
	}
	err = cmd.Wait()
	switch {
	case result != nil && result.Error != "":
		return nil, fmt.Errorf("in the guest: %s", result.Error)
	case result != nil:
		return result, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case killed(cmd.ProcessState):
		return nil, errors.New("qemu was killed, and not by this command: most likely the memory ran out, so ask for fewer connections with -n")
	case err != nil:
		return nil, fmt.Errorf("qemu ended without a result: %w: %s", err, bytes.TrimSpace(failed.Bytes()))
	}
	return nil, errors.New("the guest ended without a result: --log FILE keeps what it said")
}

// killed tells whether a process had no chance to end by itself, as the kernel's
// out-of-memory killer leaves none.
func killed(p *os.ProcessState) bool {
	status, ok := p.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}
