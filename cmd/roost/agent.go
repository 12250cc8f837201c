package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/roostws/roost/bench"
	"github.com/roostws/roost/internal/doctor"
)

// agentCommand is what load does when no scenario is named: with --agent it works for
// coordinators.
type agentCommand struct {
	Agent           string   `placeholder:"HOST:PORT" help:"Work for coordinators that name this address in --agents. Without a host: 127.0.0.1."`
	Token           string   `env:"ROOST_TOKEN" placeholder:"SECRET" help:"What coordinators must give as their --token. Needed where others can reach the address."`
	InsecureNoToken bool     `help:"Let everybody who reaches the address put load on what this machine reaches."`
	Child           bool     `hidden:"" help:"Print only the address, and end with standard input: for --procs."`
	Scenario        []string `arg:"" optional:"" hidden:"" passthrough:"partial"`
}

// workerCommand is what --procs starts.
func workerCommand() ([]string, error) {
	self, err := os.Executable()
	return []string{self, "load", "--agent", "127.0.0.1:0", "--child"}, err
}

// Run works until ctx ends.
func (a *agentCommand) Run(ctx context.Context) error {
	if err := a.asked(); err != nil {
		return usageError{err}
	}
	agent := &bench.Agent{
		Token: a.Token, Insecure: a.InsecureNoToken,
		Check: func(conns int) error { return doctor.Fits(conns, doctor.Client) },
	}
	if a.Child {
		return agent.ServeParent(ctx, os.Stdin, os.Stdout)
	}
	agent.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	l, err := agent.Listen(a.Agent)
	if err != nil {
		return usageError{err}
	}
	fmt.Printf("agent at %s, waiting for a coordinator; Ctrl-C ends\n", l.Addr())
	return agent.Serve(ctx, l)
}

// asked says what is wrong with the command line: an argument here is a scenario that
// does not exist.
func (a *agentCommand) asked() error {
	there := strings.Join(bench.Scenarios, ", ")
	switch {
	case a.Agent != "" && len(a.Scenario) > 0:
		return fmt.Errorf("an agent gets its scenario from the coordinator: leave %q out", a.Scenario[0])
	case len(a.Scenario) > 0:
		return fmt.Errorf("there is no scenario %q: there are %s", a.Scenario[0], there)
	case a.Agent == "":
		return fmt.Errorf("which scenario? There are %s; run and compare; and --agent, to work for another roost load", there)
	}
	return nil
}
