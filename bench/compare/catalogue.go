package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/roostws/roost/bench/compare/results"
)

// entry is a server of the comparison, as it is in the sources.
type entry struct {
	name, about string
	kind        results.Kind
	build       builder
	flags       []string // of the program, besides those of every server
	// works are those that it is measured in. None: all.
	works []string
}

// does tells whether e is measured in a work.
func (e *entry) does(work string) bool { return len(e.works) == 0 || slices.Contains(e.works, work) }

// floorName is the server that all ratios are to.
const floorName = "floor"

// plainWorks are those without TLS.
var plainWorks = []string{results.Idle, results.Echo, results.Fanout, results.Connect, results.Slow}

// catalogue is all servers, in the order of the tables. Those that are not on package net's connections speak no TLS here: nbio has a fork of
// crypto/tls for it, and the well-known article says nothing of it.
var catalogue = []entry{
	{name: floorName, about: "the least that a server can do: one epoll loop in C, nothing checked twice", kind: results.Floor, build: ccBuild{"c/floor.c"}},
	{name: "roost-inline", about: "roost, handlers run on the event loop", kind: results.Ours, build: goBuild{dir: "roost"}, flags: []string{"--inline"}},
	{name: "roost-pool", about: "roost, handlers run in a pool of goroutines", kind: results.Ours, build: goBuild{dir: "roost"}},
	{name: "roost-inline-netpoll", about: "roost on easygo's netpoll, handlers run on the event loop", kind: results.Variant, build: goBuild{dir: "roost"}, flags: []string{"--inline", "--engine", "netpoll"}},
	{name: "roost-pool-netpoll", about: "roost on easygo's netpoll, handlers run in a pool of goroutines", kind: results.Variant, build: goBuild{dir: "roost"}, flags: []string{"--engine", "netpoll"}},
	{name: "gws", about: "lxzan/gws, a goroutine per connection", kind: results.Peer, build: goBuild{"gws", "github.com/lxzan/gws"}},
	{name: "gorilla", about: "gorilla/websocket, a goroutine per connection", kind: results.Peer, build: goBuild{"gorilla", "github.com/gorilla/websocket"}},
	{name: "coder", about: "coder/websocket, a goroutine per connection", kind: results.Peer, build: goBuild{"coder", "github.com/coder/websocket"}},
	{name: "nbio-nonblocking", about: "lesismal/nbio, epoll only, which is its default", kind: results.Peer, build: goBuild{"nbio", "github.com/lesismal/nbio"}, flags: []string{"--io", "nonblocking"}, works: plainWorks},
	{name: "nbio-mixed", about: "lesismal/nbio, a goroutine for each of the first 10,000 connections and epoll for the rest", kind: results.Peer, build: goBuild{"nbio", "github.com/lesismal/nbio"}, flags: []string{"--io", "mixed"}, works: plainWorks},
	{name: "gobwas-goroutine", about: "gobwas/ws, a goroutine per connection", kind: results.Peer, build: goBuild{"gobwas", "github.com/gobwas/ws"}},
	{name: "gobwas-netpoll-ants", about: "gobwas/ws with easygo's netpoll and ants", kind: results.Peer, build: goBuild{"netpoll", "github.com/gobwas/ws"}, works: plainWorks},
	{name: "melody", about: "olahol/melody, a broadcast on top of gorilla/websocket", kind: results.Peer, build: goBuild{"melody", "github.com/olahol/melody"}, works: []string{results.Idle, results.Fanout}},
	{name: "ws-node", about: "ws on Node.js", kind: results.Peer, build: npmBuild{script: "node/ws.mjs", runtime: "node", module: "ws"}},
	{name: "bun", about: "Bun's server: JavaScript on its fork of uWebSockets; native uWebSockets is not measured", kind: results.Peer, build: npmBuild{script: "bun/server.ts", runtime: "bun"}},
}

// choose returns the entries of these names in the order of the catalogue, all for none.
func choose(names []string) ([]entry, error) {
	if len(names) == 0 {
		return catalogue, nil
	}
	var chosen []entry
	for _, e := range catalogue {
		if slices.Contains(names, e.name) {
			chosen = append(chosen, e)
		}
	}
	for _, n := range names {
		if !slices.ContainsFunc(catalogue, func(e entry) bool { return e.name == n }) {
			return nil, fmt.Errorf("there is no server %q: there are %s", n, strings.Join(allNames(), ", "))
		}
	}
	return chosen, nil
}

func allNames() []string {
	var names []string
	for _, e := range catalogue {
		names = append(names, e.name)
	}
	return names
}
