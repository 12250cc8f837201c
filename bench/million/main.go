package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
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
	Log     string        `type:"path" placeholder:"FILE" help:"Write all that the guest says to a file."`
	Cache   string        `type:"path" placeholder:"DIR" help:"Where qemu, the kernel and the binaries are kept. Default: roost-million in the user's cache directory."`
}

// errShort says that not every connection was alive at the end. The table tells the rest.
var errShort = errors.New("fewer connections were alive at the end than were asked for")

func main() {
	if os.Getpid() == 1 {
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

// run boots the guest, follows it and prints the table.
func (c *cli) run(ctx context.Context) error {
	p, err := c.plan(available())
	if err != nil {
		return err
	}
	var timeout context.CancelFunc
	ctx, timeout = context.WithTimeoutCause(ctx, p.Timeout, fmt.Errorf("the guest did not end within %v: give it more with --timeout", p.Timeout))
	defer timeout()
	dir, err := c.cache()
	if err != nil {
		return err
	}
	log, err := newLog(os.Stderr, c.Log)
	if err != nil {
		return err
	}
	defer log.close()
	m, err := findMachine(ctx, dir, log)
	if err != nil {
		return err
	}
	initramfs, err := build(ctx, dir, p)
	if err != nil {
		return err
	}
	log.say("booting a guest with %d processors and %s for %s connections", p.SMP, size(p.Memory), count(int64(p.Conns)))
	o, err := m.run(ctx, p, initramfs, log)
	if err != nil {
		return err
	}
	text := table(p, o)
	log.keep(text)
	fmt.Print(text)
	if o.Alive < int64(p.Conns) {
		return errShort
	}
	return nil
}
