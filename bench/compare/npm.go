package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// npmBuild is a script of peers/ with what npm installs.
type npmBuild struct {
	script  string
	runtime string // node or bun
	module  string // whose version it is. Empty: the runtime's
}

func (b npmBuild) build(ctx context.Context, w *workshop) ([]string, string, error) {
	if err := w.install(ctx); err != nil {
		return nil, "", absent(err)
	}
	runtime, err := w.runtime(b.runtime)
	if err != nil {
		return nil, "", absent(err)
	}
	version, err := w.run(ctx, w.npm, runtime, "--version")
	if err != nil {
		return nil, "", err
	}
	if b.module != "" {
		own, err := moduleVersion(filepath.Join(w.npm, "node_modules", b.module))
		if err != nil {
			return nil, "", err
		}
		version = own + " on " + b.runtime + " " + version
	}
	return []string{runtime, filepath.Join(w.npm, b.script)}, version, nil
}

// errAbsent is why a server is not run whose runtime is not there, which is no failure:
// not everybody has it.
var errAbsent = errors.New("not installed here")

// absent makes it of the error of a program that is not there.
func absent(err error) error {
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("%w: %w", errAbsent, err)
	}
	return err
}

// install copies the scripts and their list of modules to the directory of npm, and
// installs the modules, once.
func (w *workshop) install(ctx context.Context) error {
	if !w.npmRan {
		w.npmRan = true
		w.npmErr = w.installNow(ctx)
	}
	return w.npmErr
}

func (w *workshop) installNow(ctx context.Context) error {
	for _, name := range []string{"package.json", "node", "bun"} {
		if err := copyAll(filepath.Join(w.source, "peers", name), filepath.Join(w.npm, name)); err != nil {
			return err
		}
	}
	_, err := w.run(ctx, w.npm, "npm", "install", "--no-audit", "--no-fund", "--loglevel=error")
	return err
}

// copyAll copies a file, or a directory with its files. What is not there is left out.
func copyAll(from, to string) error {
	info, err := os.Stat(from)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		text, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		return os.WriteFile(to, text, 0o644)
	}
	files, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := copyAll(filepath.Join(from, f.Name()), filepath.Join(to, f.Name())); err != nil {
			return err
		}
	}
	return nil
}

// runtime finds a program among what npm installed, and else in PATH.
func (w *workshop) runtime(name string) (string, error) {
	installed := filepath.Join(w.npm, "node_modules", ".bin", name)
	if _, err := os.Stat(installed); err == nil {
		return installed, nil
	}
	return exec.LookPath(name)
}

func moduleVersion(dir string) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, "package.json"))
	if err != nil {
		return "", err
	}
	var m struct {
		Version string `json:"version"`
	}
	if err := json.Unmarshal(text, &m); err != nil || m.Version == "" {
		return "", fmt.Errorf("%s has no version", dir)
	}
	return m.Version, nil
}
