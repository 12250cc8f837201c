//go:build linux

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheLogHasWhatTheGuestSays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	var shown bytes.Buffer
	l, err := newLog(&shown, path)
	if err != nil {
		t.Fatal(err)
	}
	if o := l.heard("hello \xff\r"); o != nil {
		t.Errorf("%+v is no result", o)
	}
	l.heard("\r")
	l.heard(prefix + `{"sample":{"At":5000000000,"Phase":"ramp","Open":5000,"Server":27000000}}`)
	l.heard(prefix + `{"sample":{"At":10000000000,"Phase":"ramp","Open":12000}}`)
	if o := l.heard(prefix + `{"outcome":{"Alive":7}}`); o == nil || o.Alive != 7 {
		t.Errorf("%+v, want the result", o)
	}
	l.keep("the table\n")
	if err := l.close(); err != nil {
		t.Error(err)
	}
	kept, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := shown.String() + prefix + `{"outcome":{"Alive":7}}` + "\nthe table\n"; string(kept) != want {
		t.Errorf("the file has %q, want %q", kept, want)
	}
	for _, want := range []string{"guest: hello ?\n", "open     5,000   1,000/s  server    27 MB", "open    12,000   1,400/s"} {
		if !strings.Contains(shown.String(), want) {
			t.Errorf("%q lacks %q", shown.String(), want)
		}
	}
	if n := strings.Count(shown.String(), "\n"); n != 3 {
		t.Errorf("%d lines, want 3", n)
	}
	if _, err := newLog(&shown, filepath.Join(path, "x")); err == nil {
		t.Error("a log that cannot be written was taken")
	}
}

func TestALogThatIsNotWholeIsAnError(t *testing.T) {
	l, err := newLog(&bytes.Buffer{}, "/dev/full")
	if err != nil {
		t.Fatal(err)
	}
	l.say("hello")
	if err := l.close(); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("%v", err)
	}
}
