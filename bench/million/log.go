//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// log shows how it goes, and keeps it in a file if one is wanted.
type log struct {
	out   io.Writer
	file  *os.File // nil: none
	err   error    // why the file is not whole
	began time.Time
	last  sample
}

func newLog(out io.Writer, path string) (*log, error) {
	l := &log{out: out, began: time.Now()}
	if path == "" {
		return l, nil
	}
	var err error
	if l.file, err = os.Create(path); err != nil {
		return nil, fmt.Errorf("the log cannot be written: %w", err)
	}
	return l, nil
}

// close ends the file. The error says that it is not whole.
func (l *log) close() error {
	if l.file == nil {
		return nil
	}
	if err := errors.Join(l.err, l.file.Close()); err != nil {
		return fmt.Errorf("the log is not whole: %w", err)
	}
	return nil
}

// say writes a line with the time since the beginning.
func (l *log) say(format string, args ...any) {
	line := fmt.Sprintf("%8s  %s\n", time.Since(l.began).Truncate(time.Second), fmt.Sprintf(format, args...))
	fmt.Fprint(l.out, line)
	l.keep(line)
}

// keep writes text to the file alone. A log that cannot be written ends no run: close
// tells of it.
func (l *log) keep(text string) {
	if l.file == nil || l.err != nil {
		return
	}
	_, l.err = l.file.WriteString(text)
}

// heard takes a line of the guest, and returns the result if it is that.
func (l *log) heard(line string) *outcome {
	t, ok := hear(line)
	switch {
	case !ok:
		if line = strings.TrimSpace(line); line != "" {
			l.say("guest: %s", strings.ToValidUTF8(line, "?"))
		}
	case t.Sample != nil:
		l.say("%s", l.progress(*t.Sample))
		l.last = *t.Sample
	case t.Outcome != nil:
		l.keep(strings.TrimSpace(line) + "\n") // the table has not all of it
	}
	return t.Outcome
}

// progress is one line about s, with the rate since the last one.
func (l *log) progress(s sample) string {
	rate := int64(0)
	if since := s.At - l.last.At; since > 0 {
		rate = int64(float64(s.Open-l.last.Open) / since.Seconds())
	}
	return fmt.Sprintf("%-8s open %9s  %6s/s  server %8s  load %8s  slab %8s  free %8s",
		s.Phase, count(s.Open), count(rate), size(s.Server), size(s.Client), size(s.Slab), size(s.Free))
}
