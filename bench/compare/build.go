package main

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// program is a server of the catalogue that can be started.
type program struct {
	entry
	command []string
	version string
}

// workshop is where things are built.
type workshop struct {
	source string // bench/compare
	dir    string // for what is built
	npm    string // for what npm installs
	npmErr error
	npmRan bool
}

// builder makes one server. It returns the command that starts it, and its version.
type builder interface {
	build(ctx context.Context, w *workshop) (command []string, version string, err error)
}

// buildLimit is how long one build may take.
const buildLimit = 5 * time.Minute

// run runs a command in the directory dir. The error is the last line that it wrote.
func (w *workshop) run(ctx context.Context, dir, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, buildLimit)
	defer cancel()
	var said lastLine
	var out strings.Builder
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stderr, cmd.Stdout = dir, &said, &out
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	switch {
	case err == nil:
		return strings.TrimSpace(out.String()), nil
	case ctx.Err() != nil:
		return "", fmt.Errorf("%s: %w", name, context.Cause(ctx))
	case said.String() != "":
		return "", fmt.Errorf("%s: %s", name, said.String())
	}
	return "", err
}

// goBuild builds a directory of peers/.
type goBuild struct {
	dir    string
	module string // whose version it is. Empty: this repository's
}

func (b goBuild) build(ctx context.Context, w *workshop) ([]string, string, error) {
	binary := filepath.Join(w.dir, b.dir)
	if _, err := os.Stat(binary); err != nil {
		if _, err := w.run(ctx, w.source, "go", "build", "-o", binary, "./peers/"+b.dir); err != nil {
			return nil, "", err
		}
	}
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return nil, "", err
	}
	if b.module == "" {
		return []string{binary}, w.revision(ctx), nil
	}
	version, err := versionOf(info, b.module)
	return []string{binary}, version, err
}

func versionOf(info *buildinfo.BuildInfo, module string) (string, error) {
	for _, m := range info.Deps {
		if m.Path == module {
			return m.Version, nil
		}
	}
	return "", fmt.Errorf("%s is built without %s", info.Path, module)
}

// revision is what of this repository is measured, as far as git can tell.
func (w *workshop) revision(ctx context.Context) string {
	text, err := w.run(ctx, w.source, "git", "describe", "--always", "--dirty")
	if err != nil {
		return "this tree"
	}
	return text
}

// ccBuild builds a C file.
type ccBuild struct{ file string }

func (b ccBuild) build(ctx context.Context, w *workshop) ([]string, string, error) {
	binary := filepath.Join(w.dir, strings.TrimSuffix(filepath.Base(b.file), ".c")+"-c")
	if _, err := w.run(ctx, w.source, "cc", "-O3", "-march=native", "-o", binary, b.file); err != nil {
		return nil, "", err
	}
	return []string{binary}, w.compiler(ctx), nil
}

// compiler is the C compiler's name and version.
func (w *workshop) compiler(ctx context.Context) string {
	text, err := w.run(ctx, w.source, "cc", "--version")
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(text, "\n")
	return line
}
