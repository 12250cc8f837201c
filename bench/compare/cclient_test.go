package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// loader makes a C client of a script.
func loader(t *testing.T, text string) cLoader {
	t.Helper()
	name := filepath.Join(t.TempDir(), "load")
	if err := os.WriteFile(name, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	return cLoader{program: name}
}

func TestCClient(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		rate       float64
		err        string
	}{
		{"counts", `echo start; echo '{"count":500,"seconds":2}'`, 250, ""},
		{"gets its arguments", `echo start; test "$1 $3 $4 $5 $6 $#" = "echo 10 20 0.05 0.2 6" && echo '{"count":1,"seconds":1}'`, 1, ""},
		{"fails", `echo "a byte was wrong" >&2; exit 1`, 0, "the C client ended: a byte was wrong"},
		{"fails later", `echo start; echo "a byte was wrong" >&2; exit 1`, 0, "the C client ended: a byte was wrong"},
		{"says something else", "echo hello", 0, `the C client wrote "hello"`},
		{"writes no JSON", "echo start; echo 17", 0, `the C client wrote "17"`},
		{"counts nothing", `echo start; echo '{"count":0,"seconds":1}'`, 0, "the C client counted nothing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := testRig(t)
			r.loader = loader(t, tt.text)
			s, err := r.serve(t.Context(), own(t, "refusing"), echoMode)
			if err != nil {
				t.Fatal(err)
			}
			defer s.end()
			c, err := r.driveC(t.Context(), s, "echo", 10, 20)
			if c.rate != tt.rate {
				t.Errorf("the rate is %v, want %v", c.rate, tt.rate)
			}
			if text := errorText(err); text != tt.err {
				t.Errorf("%q, want %q", text, tt.err)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestCClientThatHangs(t *testing.T) {
	r := testRig(t)
	r.loader = loader(t, "echo start; exec sleep 60")
	s, err := r.serve(t.Context(), own(t, "refusing"), echoMode)
	if err != nil {
		t.Fatal(err)
	}
	defer s.end()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := r.driveC(ctx, s, "echo", 10, 20); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it was waited for for %v", took)
	}
}

func TestWithoutACClient(t *testing.T) {
	r := testRig(t)
	r.loader.err = errors.New("no cc")
	o := fanoutCase{conns: 10, size: 10}.measure(t.Context(), r, own(t, "refusing"))
	if !strings.Contains(errorText(o.err), "no cc") {
		t.Errorf("%v", o.err)
	}
}
