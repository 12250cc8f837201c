//go:build linux

package main

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTheLoadsLinesTellPhaseAndOpenConnections(t *testing.T) {
	var s state
	now := time.Now()
	at := func(second int, line string) bool { return s.hear(line, now.Add(time.Duration(second)*time.Second)) }
	for _, line := range []string{"", "fanout ws://127.0.0.1:8080/", "5,000 connections, fanout, measured 52.2 s", "connections  5,000 opened, 0 failed", "15s new failure connect timed out: no connection", "5s ramp open x in 0/s"} {
		if at(0, line) {
			t.Errorf("%q was taken for a line about how it goes", line)
		}
	}
	at(1, "0s ramp begins, open 1 of 20,000")
	if !at(6, "5s ramp open 9,000 out 0/s in 0/s p50 - p99 - max - lost 0 failed 0 cpu 7%") {
		t.Error("a line about how it goes was taken for another one")
	}
	if s.phase != "ramp" || s.open != 9000 {
		t.Errorf("%s, %d open", s.phase, s.open)
	}
	at(22, "21s warmup begins, open 20,000 of 20,000")
	at(23, "22s measure begins, open 20,000 of 20,000, for 1m")
	if s.phase != "measure" || s.open != 20000 {
		t.Errorf("%s, %d open", s.phase, s.open)
	}
}

func TestRoostsArguments(t *testing.T) {
	p := plan{Conns: 1000, Hold: time.Minute, Reach: time.Minute, Ping: 20 * time.Second, Grace: 30 * time.Second, Publish: true}
	server, load := strings.Join(serverArgs(p), " "), strings.Join(loadArgs(p), " ")
	for _, c := range []struct{ line, want string }{
		{server, "--ping-after 20s --ping-grace 30s "}, {server, " --broadcast"},
		{load, "load fanout --stamp json:at,ns"}, {load, "-n 1000 -d 2m0s"}, {load, "ws://127.0.0.1:8080/"},
	} {
		if !strings.Contains(c.line, c.want) {
			t.Errorf("%q lacks %q", c.line, c.want)
		}
	}
	p.Publish, p.Rate = false, 50
	server, load = strings.Join(serverArgs(p), " "), strings.Join(loadArgs(p), " ")
	if strings.Contains(server, "broadcast") || !strings.HasPrefix(load, "load idle") || !strings.Contains(load, "--connect-rate 50") {
		t.Errorf("without a message: %q and %q", server, load)
	}
}

func TestTheKernelIsAllowedBothEndsOfEveryConnection(t *testing.T) {
	got := map[string]string{}
	for _, s := range settings(2_000_000, 20<<30) {
		got[s.name] = s.value
	}
	for name, want := range map[string]string{
		"fs/nr_open": "2004096", "net/core/netdev_max_backlog": "4000000", "fs/file-max": "4073728", "fs/epoll/max_user_watches": "4073728",
		"net/ipv4/tcp_mem": "2621440 3932160 5242880",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	if settings(10, 1<<30)[0].value != "1048576" {
		t.Error("a small guest's nr_open is lower than the kernel's own")
	}
}

func TestMemoryIsReadInBytes(t *testing.T) {
	got := meminfo(bufio.NewScanner(strings.NewReader("MemAvailable:  12 kB\nVmRSS:\t 7 kB\nThreads:\t3\nHugePages_Total: 0\nBad: x kB\n")))
	if len(got) != 2 || got["MemAvailable"] != 12<<10 || got["VmRSS"] != 7<<10 {
		t.Errorf("%v", got)
	}
	if m := memoryOf("/nowhere"); len(m) != 0 {
		t.Errorf("%v of a file that is not there", m)
	}
}

func TestOnlyAFirstProcessWithAPlanIsTheGuest(t *testing.T) {
	plan := filepath.Join(t.TempDir(), "plan.json")
	if isGuest(1, plan) {
		t.Error("a container's first process took itself for the guest")
	}
	if err := os.WriteFile(plan, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if !isGuest(1, plan) || isGuest(2, plan) {
		t.Error("with a plan the first process is the guest, and no other one")
	}
}
