//go:build linux

package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// plan is what the guest is to do. It goes into the initramfs as JSON.
type plan struct {
	Conns   int
	Hold    time.Duration
	Ping    time.Duration
	Grace   time.Duration // for a pong
	Reach   time.Duration // for the message to reach all, at most
	Publish bool
	Rate    int
	SMP     int
	Memory  int64 // of the guest, in bytes
	Timeout time.Duration
}

// What a connection takes of the guest's memory in bytes, both ends and the kernel. The
// figures are rounded up from runs with 100,000 and more; docs/million.md has them.
const (
	kernelBytes  = 8600 // two sockets, inodes, files and epoll entries
	processBytes = 700  // server and client
	messageBytes = 1400 // a message to all, as long as it waits
)

// baseBytes is a guest without connections: kernel, tables, binaries, two processes.
const baseBytes = 640 << 20

// What a connection may take of the guest's time: software emulation does a handshake in
// about a millisecond, and a ping with its pong in a third of that.
const (
	slowPing  = 500 * time.Microsecond
	slowOpen  = 4 * time.Millisecond
	slowReach = 400 * time.Microsecond
)

// hostBytes is what is to stay free beside the guest's memory: qemu itself takes some.
const hostBytes = 512 << 20

// plan completes the flags. free is the memory of this machine that can be had, in
// bytes. The error says what does not fit.
func (c *cli) plan(free int64) (plan, error) {
	ping := cmp.Or(c.Ping, max(30*time.Second, time.Duration(c.Conns)*slowPing))
	p := plan{
		Conns: c.Conns, Hold: cmp.Or(c.Hold, max(3*time.Minute, ping)), Ping: ping, Publish: c.Publish, Rate: c.Rate, SMP: c.SMP, Timeout: c.Timeout,
		Reach: time.Minute + time.Duration(c.Conns)*slowReach,
	}
	if c.Conns < 1 || c.SMP < 1 || c.Hold < 0 || ping < time.Second || c.Rate < 0 || c.Timeout < 0 {
		return p, errors.New("--conns and --smp must be 1 or more, --ping 1s or more, and --hold, --rate and --timeout not negative")
	}
	// A loop that publishes to all of its connections reads no pong meanwhile.
	p.Grace = p.Reach
	open := time.Duration(c.Conns) * slowOpen
	if c.Rate > 0 {
		open += time.Duration(c.Conns) * time.Second / time.Duration(c.Rate)
	}
	if p.Timeout == 0 {
		p.Timeout = 10*time.Minute + open + p.Hold + 2*p.Reach
	}
	if err := p.memory(c.Memory, free); err != nil {
		return p, err
	}
	return p, nil
}

// memory sets the guest's memory, or says why it does not suffice.
func (p *plan) memory(asked string, free int64) error {
	each := int64(kernelBytes + processBytes)
	sum := fmt.Sprintf("%s of kernel and %s of roost", size(kernelBytes), size(processBytes))
	if p.Publish {
		each += messageBytes
		sum = fmt.Sprintf("%s of kernel, %s of roost and %s for a message", size(kernelBytes), size(processBytes), size(messageBytes))
	}
	need := int64(p.Conns)*each + baseBytes
	p.Memory = (need + 1<<20 - 1) >> 20 << 20
	if asked != "" {
		given, err := parseSize(asked)
		if err != nil {
			return err
		}
		// A message that waits for nobody takes nothing: who gives the memory may know.
		if least := int64(p.Conns)*(kernelBytes+processBytes) + baseBytes; given < least {
			return fmt.Errorf("%s connections take %s (%s of kernel and %s of roost each, and %s for the rest), and --memory gives %s: at most %s fit",
				count(int64(p.Conns)), size(least), size(kernelBytes), size(processBytes), size(baseBytes), size(given), count(fitting(given, kernelBytes+processBytes)))
		}
		p.Memory = given
	}
	if p.Memory+hostBytes > free {
		return fmt.Errorf("a guest for %s connections takes %s (%s each, and %s for the rest), and %s are free here, of which %s stay for the host: ask for at most %s, or set --memory",
			count(int64(p.Conns)), size(p.Memory), sum, size(baseBytes), size(free), size(hostBytes), count(fitting(free-hostBytes, each)))
	}
	return nil
}

// fitting is how many connections of so many bytes each fit a guest's memory.
func fitting(memory, each int64) int64 { return max(0, (memory-baseBytes)/each) }

// parseSize reads 17G, 512M or a number of bytes; G and M are powers of 1,024, as qemu's.
func parseSize(text string) (int64, error) {
	number, shift := text, 0
	switch {
	case strings.HasSuffix(text, "G"):
		number, shift = text[:len(text)-1], 30
	case strings.HasSuffix(text, "M"):
		number, shift = text[:len(text)-1], 20
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || !(n > 0) || n > 1<<20 && shift > 0 {
		return 0, fmt.Errorf("--memory %s: write 12G or 9000M", text)
	}
	return int64(n*float64(int64(1)<<shift)) >> 20 << 20, nil
}

// cache returns the directory of what is downloaded and built, and makes it.
func (c *cli) cache() (string, error) {
	dir := c.Cache
	if dir == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("no cache directory: %w; give one with --cache", err)
		}
		dir = filepath.Join(user, "roost-million")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("the cache cannot be made: %w; give another with --cache", err)
	}
	return dir, nil
}
