package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/roostws/roost/auth"
	"github.com/roostws/roost/client"
	"github.com/roostws/roost/feed"
	"github.com/roostws/roost/server"
	"github.com/roostws/roost/wsproto"
)

const featuresPage = "../../docs/features.md"

// featureTypes are what names on the page may begin with. A name that begins with none of them is a field of server.Config, in the
// client's part of the table one of client.Config, or a method of server.Server.
var featureTypes = map[string]reflect.Type{
	"Config": reflect.TypeFor[server.Config](), "Server": reflect.TypeFor[*server.Server](), "Accept": reflect.TypeFor[server.Accept](), "Route": reflect.TypeFor[server.Route](), "wsproto.Request": reflect.TypeFor[*wsproto.Request](),
	"TopicConfig": reflect.TypeFor[server.TopicConfig](), "Stats": reflect.TypeFor[server.Stats](), "Report": reflect.TypeFor[server.Report](),
	"auth.Config": reflect.TypeFor[auth.Config](), "auth.Verifier": reflect.TypeFor[*auth.Verifier](), "feed.Config": reflect.TypeFor[feed.Config](),
	"client.Config": reflect.TypeFor[client.Config](), "client.SessionConfig": reflect.TypeFor[client.SessionConfig](),
	"Session": reflect.TypeFor[*client.Session](), "wsproto.Refusal": reflect.TypeFor[wsproto.Refusal](),
	"http.ResponseController": reflect.TypeFor[*http.ResponseController](),
}

// featureWords are the other names that stand as a setting. What is renamed does not compile here.
var featureWords = map[string]any{
	"SlowClose": server.SlowClose, "SlowDropOldest": server.SlowDropOldest, "SlowConflate": server.SlowConflate,
	"NewListener": server.NewListener, "Dial": client.Dial,
}

// unnamed are the fields that are no setting of a server's user, and why.
var unnamed = map[string]string{"server.Config.Rates.Tick": "the server sets it"}

// feature is a row of the page's table.
type feature struct {
	line    int
	client  bool
	setting string
	all     string
}

// features reads the table.
func features(t *testing.T) (rows []feature, page string) {
	t.Helper()
	text, err := os.ReadFile(featuresPage)
	if err != nil {
		t.Fatal(err)
	}
	ofClient := false
	for n, line := range strings.Split(string(text), "\n") {
		cells := strings.Split(line, "|")
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|---") || strings.HasPrefix(line, "| feature |") {
			continue
		}
		if len(cells) != 7 {
			t.Fatalf("line %d has %d cells, want 5: %s", n+1, len(cells)-2, line)
		}
		if strings.HasPrefix(cells[1], " **") {
			ofClient = strings.Contains(cells[1], "package client")
		}
		rows = append(rows, feature{n + 1, ofClient, cells[3], line})
	}
	if len(rows) < 100 {
		t.Fatalf("found only %d rows", len(rows))
	}
	return rows, string(text)
}

var (
	quoted    = regexp.MustCompile("`([^`]+)`")
	aName     = regexp.MustCompile(`^([a-z]+\.)?[A-Z][A-Za-z0-9]*(\.[A-Z][A-Za-z0-9]*)*$`)
	aPath     = regexp.MustCompile(`^([a-z]+\.)?[A-Z][A-Za-z0-9]*(\.[A-Z][A-Za-z0-9]*)+$`)
	flagNames = regexp.MustCompile(`--[a-z][a-z0-9-]*`)
)

// find returns the full name of what a name on the page stands for: "server.Config.Rates.Bytes", or why there is none.
func find(name string, ofClient bool) (string, error) {
	if _, ok := featureWords[name]; ok {
		return name, nil
	}
	parts := strings.Split(name, ".")
	for n := min(2, len(parts)); n > 0; n-- {
		if root := strings.Join(parts[:n], "."); featureTypes[root] != nil {
			return walk(root, featureTypes[root], parts[n:])
		}
	}
	switch {
	case ofClient && parts[0] == "Conn":
		return walk("client.Conn", reflect.TypeFor[*client.Conn](), parts[1:])
	case parts[0] == "Conn":
		return walk("server.Conn", reflect.TypeFor[*server.Conn](), parts[1:])
	case ofClient:
		return walk("client.Config", reflect.TypeFor[client.Config](), parts)
	}
	if full, err := walk("server.Config", reflect.TypeFor[server.Config](), parts); err == nil {
		return full, nil
	}
	return walk("server.Server", reflect.TypeFor[*server.Server](), parts)
}

// walk follows fields, and a method at the end.
func walk(full string, at reflect.Type, parts []string) (string, error) {
	for n, part := range parts {
		if _, ok := at.MethodByName(part); ok && n == len(parts)-1 {
			return full + "." + part, nil
		}
		if at.Kind() == reflect.Pointer {
			at = at.Elem()
		}
		if at.Kind() != reflect.Struct {
			return "", fmt.Errorf("%s has no fields", full)
		}
		f, ok := at.FieldByName(part)
		if !ok {
			return "", fmt.Errorf("%s has no %s", full, part)
		}
		full, at = full+"."+part, f.Type
	}
	return full, nil
}

// settings are the names in the table's third column, in full.
func settings(t *testing.T) map[string]bool {
	t.Helper()
	named := map[string]bool{}
	rows, _ := features(t)
	for _, row := range rows {
		for _, q := range quoted.FindAllStringSubmatch(row.setting, -1) {
			if !aName.MatchString(q[1]) {
				continue
			}
			full, err := find(q[1], row.client)
			if err != nil {
				t.Errorf("line %d tells of %s: %v", row.line, q[1], err)
			}
			named[full] = true
		}
	}
	return named
}

// fields lists those of a configuration, and those of the parts of it that are ours.
func fields(name string, of reflect.Type) (all []string) {
	for f := range of.Fields() {
		full := name + "." + f.Name
		if f.Type.Kind() == reflect.Struct && f.Type.PkgPath() == "github.com/roostws/roost/gate" {
			if inner := fields(full, f.Type); len(inner) > 0 {
				all = append(all, inner...)
				continue
			}
		}
		if f.IsExported() {
			all = append(all, full)
		}
	}
	return all
}

// The page names every setting there is, and none that there is not.
func TestThePageHasEverySetting(t *testing.T) {
	named := settings(t)
	all := slices.Concat(fields("server.Config", reflect.TypeFor[server.Config]()), fields("auth.Config", reflect.TypeFor[auth.Config]()),
		fields("client.Config", reflect.TypeFor[client.Config]()), fields("client.SessionConfig", reflect.TypeFor[client.SessionConfig]()))
	if len(all) < 80 {
		t.Fatalf("found only %d settings: %v", len(all), all)
	}
	for _, full := range all {
		ok := named[full] || unnamed[full] != ""
		for name := range named {
			ok = ok || strings.HasPrefix(name, full+".")
		}
		if !ok {
			t.Errorf("docs/features.md lacks %s", full)
		}
	}
}

// What stands in the other columns and below the table exists, too, as far as it says of what it is.
func TestThePageNamesOnlyWhatThereIs(t *testing.T) {
	rows, page := features(t)
	_, below, ok := strings.Cut(page, "\n## ")
	if !ok {
		t.Fatal("there is nothing below the table")
	}
	for _, row := range append(rows, feature{all: below}) {
		for _, q := range quoted.FindAllStringSubmatch(row.all, -1) {
			if first, _, _ := strings.Cut(q[1], "."); !aPath.MatchString(q[1]) || first == "context" {
				continue
			}
			if _, err := find(q[1], row.client); err != nil {
				t.Errorf("line %d tells of %s: %v", row.line, q[1], err)
			}
		}
	}
}

// serverFlags are the flags of the commands that serve: all of roost echo, which are those of every server and three of its own, and
// all of roost feed.
func serverFlags(t *testing.T) (echo, both []string) {
	t.Helper()
	k, err := kong.New(&cli{}, kong.Writers(io.Discard, io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range k.Model.Children {
		for _, f := range command.Flags {
			switch {
			case f.Name == "help":
			case command.Name == "echo":
				echo = append(echo, "--"+f.Name)
				both = append(both, "--"+f.Name)
			case command.Name == "feed":
				both = append(both, "--"+f.Name)
			}
		}
	}
	if len(echo) < 25 {
		t.Fatalf("found only the flags %v", echo)
	}
	return echo, both
}

func TestThePageHasEveryFlag(t *testing.T) {
	_, page := features(t)
	told := flagNames.FindAllString(page, -1)
	echo, both := serverFlags(t)
	for _, name := range echo {
		if !slices.Contains(told, name) {
			t.Errorf("docs/features.md lacks %s", name)
		}
	}
	for _, name := range told {
		if !slices.Contains(both, name) {
			t.Errorf("docs/features.md tells of %s, which neither roost echo nor roost feed has", name)
		}
	}
}

// The README's table is the short form of the page's.
func TestTheReadmesTableNamesWhatThereIs(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## What is supported\n")
	section, _, _ = strings.Cut(section, "\n## ")
	_, flags := serverFlags(t)
	rows := 0
	for line := range strings.Lines(section) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| feature |") {
			continue
		}
		if rows++; len(cells) != 6 {
			t.Fatalf("a row has %d cells, want 4: %s", len(cells)-2, line)
		}
		for _, q := range quoted.FindAllStringSubmatch(cells[3], -1) {
			if !aName.MatchString(q[1]) {
				continue
			}
			if _, err := find(q[1], false); err != nil {
				t.Errorf("README.md tells of %s: %v", q[1], err)
			}
		}
		for _, name := range flagNames.FindAllString(line, -1) {
			if !slices.Contains(flags, name) {
				t.Errorf("README.md tells of %s, which neither roost echo nor roost feed has", name)
			}
		}
	}
	if rows < 10 || rows > 20 {
		t.Errorf("the table has %d rows", rows)
	}
}

// docs/deploy.md tells of flags that some command has.
func TestTheFlagsForDeployingExist(t *testing.T) {
	text, err := os.ReadFile("../../docs/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	k, err := kong.New(&cli{}, kong.Writers(io.Discard, io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	var flags []string
	for _, command := range k.Model.Children {
		for _, f := range command.Flags {
			flags = append(flags, "--"+f.Name)
		}
	}
	told := flagNames.FindAllString(string(text), -1)
	if len(told) < 30 {
		t.Fatalf("found only %v", told)
	}
	for _, name := range told {
		if name != "--jwt-" && !slices.Contains(flags, name) { // --jwt-… stands for several
			t.Errorf("docs/deploy.md tells of %s, which no command has", name)
		}
	}
}
