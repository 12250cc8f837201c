package doctor

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestFitsRaisesTheSoftLimit(t *testing.T) {
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	if was.Max < 300 {
		t.Skip("the hard limit is too low to tell")
	}
	defer unix.Setrlimit(unix.RLIMIT_NOFILE, &was)
	low := was
	low.Cur = 100
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	if err := Fits(200, Server); err != nil {
		t.Error(err)
	}
	var is unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &is); err != nil || is.Cur != was.Max {
		t.Errorf("the soft limit is %d, want %d (%v)", is.Cur, was.Max, err)
	}
	err := Fits(MaxConns, Server)
	if err == nil || !strings.Contains(err.Error(), "see roost doctor --conns 1073741824 --role server") {
		t.Errorf("%v", err)
	}
	if err := Fits(0, Server); err == nil {
		t.Error("0 connections fit")
	}
}
