package main

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/alecthomas/kong"

	"github.com/roostws/roost/internal/doctor"
)

// parseDoctor parses flags as the command line does.
func parseDoctor(t *testing.T, args ...string) (*doctorCommand, error) {
	t.Helper()
	var c struct {
		Doctor doctorCommand `cmd:""`
	}
	k, err := kong.New(&c, kong.Writers(io.Discard, io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	_, err = k.Parse(append([]string{"doctor"}, args...))
	return &c.Doctor, err
}

// smallMachine lets a process open 1,064 files, and shows one sysctl.
func smallMachine() doctor.Machine {
	return doctor.Machine{
		OS: "linux", Procs: 1, PageSize: 4096, Files: doctor.Limit{Soft: 1064, Hard: 1064},
		FS: fstest.MapFS{"proc/sys/net/core/somaxconn": {Data: []byte("99\n")}},
	}
}

func TestDoctorFlags(t *testing.T) {
	d, err := parseDoctor(t)
	if err != nil || d.Conns != 100000 || d.Role != doctor.Both || d.TargetAddresses != 1 || d.SourceAddresses != 1 {
		t.Errorf("defaults: %+v, %v", d, err)
	}
	for _, args := range [][]string{
		{"--conns", "0"},
		{"--conns", "1073741825"},
		{"--conns", "many"},
		{"--role", "host"},
		{"--target-addresses", "-1"},
		{"--json", "--sysctl"},
	} {
		if _, err := parseDoctor(t, args...); err == nil {
			t.Errorf("%v is taken", args)
		}
	}
}

func TestDoctorPrints(t *testing.T) {
	for _, c := range []struct {
		args   []string
		begins string
		err    error
	}{
		{[]string{"--conns", "1000"}, "1000 connections, role both\n", nil},
		{[]string{"--conns", "1001", "--role", "client"}, "1001 connections, role client\n", doctor.ErrShort},
		{[]string{"--conns", "1000", "--json"}, "{\n  \"conns\": 1000,\n", nil},
		{[]string{"--conns", "1001", "--json"}, "{\n  \"conns\": 1001,\n", doctor.ErrShort},
		{[]string{"--conns", "1001", "--sysctl"}, "# For 1001 WebSocket connections: roost doctor --conns 1001 --sysctl\nnet.core.somaxconn = 128\n", nil},
	} {
		d, err := parseDoctor(t, c.args...)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		if err := d.print(&b, smallMachine()); !errors.Is(err, c.err) {
			t.Errorf("%v: %v, want %v", c.args, err, c.err)
		}
		if !strings.HasPrefix(b.String(), c.begins) {
			t.Errorf("%v: got\n%s", c.args, b.String())
		}
		if d.JSON && !json.Valid([]byte(b.String())) {
			t.Errorf("%v: no JSON:\n%s", c.args, b.String())
		}
	}
}

func TestDoctorColour(t *testing.T) {
	for _, c := range []struct {
		name, force, noColour string
		colour                bool
	}{
		{"no terminal", "", "", false},
		{"a terminal", "1", "", true},
		{"a terminal without colour", "1", "yes", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("TERM", "xterm-256color")
			t.Setenv("CLICOLOR_FORCE", "")
			t.Setenv("TTY_FORCE", c.force)
			t.Setenv("NO_COLOR", c.noColour)
			var b strings.Builder
			d := doctorCommand{Conns: 1000, Role: doctor.Server}
			if err := d.print(&b, smallMachine()); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(b.String(), "\x1b[") != c.colour {
				t.Errorf("%q", b.String())
			}
		})
	}
}

// A report that cannot be written is an error of its own, and not the machine's.
func TestDoctorCannotPrint(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	w.Close()
	for _, d := range []doctorCommand{
		{Conns: 5000, Role: doctor.Both},
		{Conns: 5000, Role: doctor.Both, JSON: true},
		{Conns: 5000, Role: doctor.Both, Sysctl: true},
	} {
		if err := d.print(w, smallMachine()); !errors.Is(err, os.ErrClosed) {
			t.Errorf("%+v: %v", d, err)
		}
	}
	if err := (&doctorCommand{}).print(io.Discard, smallMachine()); err == nil || errors.Is(err, doctor.ErrShort) {
		t.Errorf("no connections: %v", err)
	}
}
