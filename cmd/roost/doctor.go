package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"charm.land/lipgloss/v2"

	"github.com/roostws/roost/internal/doctor"
)

// doctorCommand examines the machine.
type doctorCommand struct {
	Conns           int         `default:"100000" help:"Connections that one server process is to hold (${default})."`
	Role            doctor.Role `default:"both" enum:"server,client,both" help:"What runs here: server, client, or both, which is a server and its load over loopback (${default})."`
	TargetAddresses int         `default:"1" help:"With --role client: at how many addresses and ports the server is reached (${default})."`
	SourceAddresses int         `default:"1" help:"With --role client: from how many addresses of this machine to connect (${default})."`
	JSON            bool        `name:"json" xor:"form" help:"Print the report as JSON."`
	Sysctl          bool        `xor:"form" help:"Print only a file for /etc/sysctl.d with what has to change."`
}

// Run prints the report. It fails with doctor.ErrShort if the connections do not fit.
func (d *doctorCommand) Run() error { return d.print(os.Stdout, doctor.This()) }

// print examines m and writes to w.
func (d *doctorCommand) print(w io.Writer, m doctor.Machine) error {
	r, err := doctor.Examine(m, d.want())
	if err != nil {
		return err
	}
	switch {
	case d.Sysctl:
		_, err := fmt.Fprint(w, r.Sysctls())
		return err
	case d.JSON:
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		err = e.Encode(r)
	default:
		// lipgloss takes colour out where w is no terminal. It leaves bold with
		// NO_COLOR, and knows no other value of it than 1.
		_, err = lipgloss.Fprint(w, r.Text(os.Getenv("NO_COLOR") == ""))
	}
	if err == nil && r.Short {
		err = doctor.ErrShort
	}
	return err
}

// Validate makes a bad number a usage error.
func (d *doctorCommand) Validate() error { return d.want().Validate() }

func (d *doctorCommand) want() doctor.Want {
	return doctor.Want{Conns: d.Conns, Role: d.Role, Targets: d.TargetAddresses, Sources: d.SourceAddresses}
}
