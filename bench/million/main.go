//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/roostws/roost/internal/doctor"
)

// cli is the command line.
type cli struct {
	Conns   int           `short:"n" default:"1000000" help:"Connections (${default})."`
	Hold    time.Duration `placeholder:"TIME" help:"How long they stay open before the message to all. Default: 3m, or as long as it takes that each gets a ping."`
	Ping    time.Duration `placeholder:"TIME" help:"A connection that says nothing for so long gets a ping from the server. Default: 30s, or what keeps the guest at 2,000 pings a second."`
	Publish bool          `default:"true" negatable:"" help:"Send one message to all at the end of the hold (${default})."`
	Rate    int           `placeholder:"N" help:"Most new connections a second. Default: as fast as they come."`
	Memory  string        `placeholder:"SIZE" help:"The guest's memory, such as 12G. Default: what the connections take."`
	SMP     int           `name:"smp" default:"2" help:"The guest's processors (${default})."`
	Timeout time.Duration `placeholder:"TIME" help:"End the guest after so long. Default: by the number of connections."`
	Log     string        `type:"path" placeholder:"FILE" help:"Write what is shown and the guest's result to a file."`
	Cache   string        `type:"path" placeholder:"DIR" help:"Where qemu, the kernel and the binaries are kept. Default: roost-million in the user's cache directory."`
}

// What can fall short. The table tells the rest.
var (
	errShort   = errors.New("fewer connections were alive at the end than were asked for")
	errUnheard = errors.New("fewer clients got the message to all than were asked for")
)

func main() {
	if isGuest(os.Getpid(), planFile) {
		guest()
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c cli
	kong.Parse(&c, kong.Name("million"), kong.Description("Hold many WebSocket connections in a virtual machine, and publish once to all."))
	if err := c.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "million:", err)
		os.Exit(1)
	}
}

// run prepares all, boots the guest, and prints the table.
func (c *cli) run(ctx context.Context) error {
	free, unknown := doctor.This().AvailableMemory()
	p, err := c.plan(int64(min(free, math.MaxInt64)))
	if err != nil {
		return err
	}
	dir, err := c.cache()
	if err != nil {
		return err
	}
	held, err := lock(dir)
	if err != nil {
		return err
	}
	defer held.Close()
	log, err := newLog(os.Stderr, c.Log)
	if err != nil {
		return err
	}
	if unknown != nil {
		log.say("not every limit of memory is checked: %v", unknown)
	}
	o, err := carryOut(ctx, p, dir, log)
	if err == nil {
		text := table(p, o)
		log.keep(text)
		fmt.Print(text)
		err = verdict(p, o)
	}
	if err != nil {
		log.keep(fmt.Sprintf("million: %v\n", err))
	}
	return errors.Join(err, log.close())
}

// carryOut makes what the guest takes in dir, and runs it.
func carryOut(ctx context.Context, p plan, dir string, log *log) (*outcome, error) {
	m, err := findMachine(ctx, dir, "/boot", log)
	if err != nil {
		return nil, err
	}
	initramfs := filepath.Join(dir, "initramfs.cpio")
	defer os.Remove(initramfs)
	if err := build(ctx, dir, initramfs, p); err != nil {
		return nil, err
	}
	log.say("booting a guest with %d processors and %s for %s connections", p.SMP, size(p.Memory), count(int64(p.Conns)))
	return m.run(ctx, p, initramfs, log)
}

// verdict is an error if o is less than was asked for.
func verdict(p plan, o *outcome) error {
	switch {
	case o.Alive < int64(p.Conns):
		return errShort
	case p.Publish && o.Delivered < int64(p.Conns):
		return errUnheard
	}
	return nil
}
