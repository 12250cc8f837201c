package main

import (
	"debug/buildinfo"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/roostws/roost/bench/compare/results"
)

// tree writes files, by their names.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestPeersThatCannotBeBuilt: they are listed with the reason, and the others run.
func TestPeersThatCannotBeBuilt(t *testing.T) {
	source := tree(t, map[string]string{
		"go.mod":               "module example\n\ngo 1.26\n",
		"peers/broken/main.go": "package main\n\nfunc main() { nonsense() }\n",
		"peers/mute/main.go":   "package main\n\nimport \"os\"\n\nfunc main() { println(\"no luck\"); os.Exit(1) }\n",
		"peers/fine/main.go": `package main

import ("net"; "os")

func main() {
	l, err := net.Listen("tcp", os.Args[2])
	if err != nil { panic(err) }
	for { l.Accept() }
}
`,
		"peers/package.json": "{}",
	})
	t.Setenv("PATH", tree(t, map[string]string{"npm": "#!/bin/sh\necho first >&2\necho registry is away >&2\nexit 1\n"})+":"+os.Getenv("PATH"))
	entries := []entry{
		{name: "broken", build: goBuild{dir: "broken"}},
		{name: "absent", build: goBuild{dir: "absent"}},
		{name: "mute", build: goBuild{dir: "mute"}},
		{name: "fine", build: goBuild{dir: "fine"}, works: []string{results.Fanout}},
		{name: "unnamed", build: goBuild{dir: "fine", module: "example.com/other"}},
		{name: "node", build: npmBuild{script: "node/ws.mjs", runtime: "node", module: "ws"}},
		{name: "c", build: ccBuild{"c/none.c"}},
	}
	w := &workshop{source: source, dir: t.TempDir(), npm: t.TempDir()}
	c := &runCommand{progress: io.Discard}
	found := c.results(t.Context(), w, entries)
	programs := c.buildAll(t.Context(), w, testRig(t), entries, found)
	if namesOf(programs) != "fine" {
		t.Errorf("%s can run, want fine", namesOf(programs))
	}
	wants := map[string]string{
		"broken": "undefined: nonsense", "absent": "absent", "mute": "the server ended: no luck", "fine": "",
		"unnamed": "without example.com/other", "node": "npm: registry is away", "c": "cc: ",
	}
	for _, s := range found.Servers {
		if want := wants[s.Name]; !strings.Contains(s.NotRun, want) || (want == "") != (s.NotRun == "") {
			t.Errorf("%s is not run because of %q, want %q", s.Name, s.NotRun, want)
		}
	}
	if c.broken != len(entries)-1 {
		t.Errorf("%d servers are broken, want all but one", c.broken)
	}
	if len(found.Servers) != len(entries) {
		t.Errorf("%d servers are listed, want %d", len(found.Servers), len(entries))
	}
}

// TestWithoutNode: who has no npm, no node or no bun has no failure.
func TestWithoutNode(t *testing.T) {
	entries := []entry{
		{name: "ws", build: npmBuild{script: "node/ws.mjs", runtime: "node", module: "ws"}},
		{name: "bun", build: npmBuild{script: "bun/server.ts", runtime: "bun"}},
	}
	for _, tt := range []struct {
		name   string
		files  map[string]string
		wants  []string
		broken int
	}{
		{"nothing", map[string]string{"none": ""}, []string{"not installed here: ", "not installed here: "}, 0},
		{"npm", map[string]string{"npm": "#!/bin/sh\n"}, []string{"not installed here: ", "not installed here: "}, 0},
		{"npm that fails", map[string]string{"npm": "#!/bin/sh\necho away >&2\nexit 1\n"}, []string{"npm: away", "npm: away"}, 2},
		{"no bun", map[string]string{"npm": "#!/bin/sh\n/bin/mkdir -p node_modules/ws; echo '{\"version\":\"8\"}' >node_modules/ws/package.json\n", "node": "#!/bin/sh\necho v20\n"},
			[]string{"the server ended", "not installed here: "}, 1}, // this node serves nothing
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("PATH", tree(t, tt.files))
			w := &workshop{source: tree(t, map[string]string{"peers/package.json": "{}"}), dir: t.TempDir(), npm: t.TempDir()}
			c := &runCommand{progress: io.Discard}
			found := c.results(t.Context(), w, entries)
			c.buildAll(t.Context(), w, testRig(t), entries, found)
			for n, want := range tt.wants {
				if got := found.Servers[n].NotRun; !strings.Contains(got, want) {
					t.Errorf("%s is not run because of %q, want %q", found.Servers[n].Name, got, want)
				}
			}
			if err := c.verdict(t.Context(), found); c.broken != tt.broken || (err != nil) != (tt.broken > 0) {
				t.Errorf("%d are broken, want %d; the verdict is %v", c.broken, tt.broken, err)
			}
		})
	}
}

func TestVersionOf(t *testing.T) {
	info := &buildinfo.BuildInfo{Deps: []*debug.Module{{Path: "a", Version: "v1.0.0"}, {Path: "b", Version: "v2.0.0"}}}
	if v, err := versionOf(info, "b"); v != "v2.0.0" || err != nil {
		t.Errorf("%q, %v", v, err)
	}
	if v, err := versionOf(info, "c"); err == nil {
		t.Errorf("what is not in it has version %q", v)
	}
}

func TestNpm(t *testing.T) {
	source := tree(t, map[string]string{"peers/package.json": "{}", "peers/node/ws.mjs": "script", "peers/node/lib/x.mjs": "more"})
	log := filepath.Join(t.TempDir(), "log")
	t.Setenv("PATH", tree(t, map[string]string{
		"npm":  "#!/bin/sh\necho $1 >>" + log + "\nmkdir -p node_modules/ws\necho '{\"version\":\"8.1.2\"}' >node_modules/ws/package.json\n",
		"node": "#!/bin/sh\necho v20.1\n",
	})+":"+os.Getenv("PATH"))
	w := &workshop{source: source, dir: t.TempDir(), npm: t.TempDir()}
	b := npmBuild{script: "node/ws.mjs", runtime: "node", module: "ws"}
	for range 2 { // the second finds everything installed
		command, version, err := b.build(t.Context(), w)
		if err != nil || version != "8.1.2 on node v20.1" || len(command) != 2 || command[1] != filepath.Join(w.npm, "node/ws.mjs") {
			t.Fatalf("%v, %q, %v", command, version, err)
		}
	}
	for _, name := range []string{"node/ws.mjs", "node/lib/x.mjs", "package.json"} {
		if _, err := os.Stat(filepath.Join(w.npm, name)); err != nil {
			t.Error(err)
		}
	}
	if calls, err := os.ReadFile(log); err != nil || string(calls) != "install\n" {
		t.Errorf("npm was called with %q, %v", calls, err)
	}
	b.module = "other"
	if _, _, err := b.build(t.Context(), w); err == nil {
		t.Error("a module that is not there has a version")
	}
}

func TestChoose(t *testing.T) {
	all, err := choose(nil)
	if err != nil || len(all) != len(catalogue) {
		t.Errorf("%d servers, %v", len(all), err)
	}
	some, err := choose([]string{"gws", floorName})
	if err != nil || len(some) != 2 || some[0].name != floorName {
		t.Errorf("%v, %v", some, err)
	}
	if _, err := choose([]string{"gws", "gsw"}); err == nil || !strings.Contains(err.Error(), `no server "gsw": there are floor, `) {
		t.Errorf("%v", err)
	}
}
