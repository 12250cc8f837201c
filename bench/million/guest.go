//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// planFile is where the guest finds its plan.
const planFile = "/plan.json"

// isGuest tells whether the process pid is a guest's first. In a container a command can
// have the number 1 too, and no plan.
func isGuest(pid int, plan string) bool {
	_, err := os.Stat(plan)
	return pid == 1 && err == nil
}

// guest is the first process of the virtual machine. It does not return: the machine
// goes off with it.
func guest() {
	o, err := experiment()
	if err != nil {
		o = &outcome{Error: err.Error()}
	}
	if err := tell(os.Stdout, told{Outcome: o}); err != nil {
		fmt.Println("the result cannot be told:", err)
	}
	unix.Sync()
	// With qemu's -no-reboot that is its end.
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
}

// experiment does what the plan says.
func experiment() (*outcome, error) {
	var p plan
	text, err := os.ReadFile(planFile)
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	if err != nil {
		return nil, fmt.Errorf("no plan: %w", err)
	}
	if err := prepare(p.Conns, p.Memory); err != nil {
		return nil, err
	}
	for _, about := range []string{"/proc/version", "/sys/devices/system/clocksource/clocksource0/current_clocksource"} {
		text, _ := os.ReadFile(about) // for the reader of the log alone
		fmt.Printf("%s", text)
	}
	w := &watch{plan: p}
	if w.server, err = start(func(line string) { fmt.Println("server:", line) }, serverArgs(p)...); err != nil {
		return nil, fmt.Errorf("the server cannot be started: %w", err)
	}
	if err := awaitServer(w.server); err != nil {
		return nil, err
	}
	return w.run()
}

// awaitServer waits until the server takes connections.
func awaitServer(p *process) error {
	for {
		c, err := net.Dial("tcp", address)
		if err == nil {
			// The kernel knows how long to wait once it has measured a round trip.
			fmt.Printf("TCP sends again after %d ms\n", timeoutOf(c.(*net.TCPConn))/1000)
			return c.Close()
		}
		select {
		case <-p.done:
			return fmt.Errorf("the server ended at once: %w", errors.Join(p.err, err))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// interrupt has the load end in good order, with a report.
func (p *process) interrupt() { _ = p.cmd.Process.Signal(syscall.SIGINT) }
