// Package live shows a load run while it goes on: a view on a terminal, or lines
// in a log.
package live

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/roostws/roost/bench/report"
)

// framesPerSecond is how often the view is drawn at most. It competes with the
// run for the processor.
const framesPerSecond = 10

// Options say where and how to show.
type Options struct {
	// Out is where to draw, usually standard error, so that standard output stays
	// for the results. On what is no terminal, or a dumb one, lines are written.
	Out io.Writer
	// In is where keys come from. Nil, or no terminal: no keys, and Ctrl-C
	// reaches the process as a signal.
	In *os.File
	// Plain writes lines on a terminal too.
	Plain bool
	// Interrupt is called at the first Ctrl-C or q: the run is to end in good
	// order. While the view is drawn, the terminal makes no SIGINT of the key. It
	// must not block, and may be nil.
	Interrupt func()
	// Abort is called at each Ctrl-C after that: the run is to end at once. It
	// must not block, and may be nil.
	Abort func()
}

// Show shows what comes from updates until it is closed or ctx ends, of which the
// latter is an error. Updates are due once a second at least, each second's
// Last among them. What an update points to must not change any more.
//
// The view takes the whole screen and gives it back as it was, also when drawing
// panics; the run is then shown in lines, and the panic is an error. A panic of
// another goroutine ends the process before anybody can do that.
func Show(ctx context.Context, updates <-chan report.Progress, o Options) error {
	out := screen(o.Out)
	if o.Plain || out == nil || (o.In != nil && inBackground(o.In)) {
		return writeLines(ctx, updates, o.Out)
	}
	if err := draw(ctx, updates, out, o); err != nil {
		return errors.Join(err, writeLines(ctx, updates, o.Out))
	}
	return ctx.Err()
}

// draw runs the view until updates is closed, ctx ends, or it fails, which alone is
// an error.
func draw(ctx context.Context, updates <-chan report.Progress, out *os.File, o Options) error {
	in := keyboard(o.In)
	options := []tea.ProgramOption{
		tea.WithFPS(framesPerSecond),
		tea.WithoutSignalHandler(), // signals are the command's business
		tea.WithEnvironment(environment()),
	}
	if in != nil {
		options = append(options, tea.WithInput(in), tea.WithOutput(out))
	} else {
		options = append(options, tea.WithInput(nil), tea.WithOutput(unasking{out}))
	}
	p := tea.NewProgram(newModel(o, in != nil), options...)

	drawing, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		feed(drawing, updates, p.Send)
	}()
	final, err := p.Run()
	stop()
	<-done
	if err != nil {
		return fmt.Errorf("cannot draw the live view: %w", err)
	}
	return final.(model).failed
}

// feed hands on what comes, at most as often as it is drawn; what comes between two
// frames is overtaken, but for a new second, which the curves need. It ends the
// program when updates is closed or ctx ends, which bubbletea's WithContext would
// do too, but leave its reader of keys behind.
func feed(ctx context.Context, updates <-chan report.Progress, send func(tea.Msg)) {
	var last moment
	var sent time.Time
	for {
		select {
		case <-ctx.Done():
			send(tea.Quit())
			return
		case u, ok := <-updates:
			if !ok {
				send(tea.Quit())
				return
			}
			if m := momentOf(u); m != last || time.Since(sent) >= time.Second/framesPerSecond {
				last, sent = m, time.Now()
				send(u)
			}
		}
	}
}

// environment is the process's, with NO_COLOR as bubbletea reads it: only what
// strconv.ParseBool takes for true. See no-color.org: any value counts.
func environment() []string {
	env := os.Environ()
	if os.Getenv("NO_COLOR") != "" {
		env = append(env, "NO_COLOR=1")
	}
	return env
}
