package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// Limit is a resource limit: what holds, and what a process may raise it to.
type Limit struct{ Soft, Hard uint64 }

// Machine is what is examined, and as which process.
type Machine struct {
	OS       string // as runtime.GOOS
	FS       fs.FS  // the root directory
	Files    Limit  // RLIMIT_NOFILE of this process
	FilesErr error  // why Files is unknown
	Procs    int    // GOMAXPROCS as it is
	ProcsEnv string // GOMAXPROCS as the environment says; empty without
	Root     bool   // whether commands need no sudo
	PageSize int    // bytes
}

// This is the machine and process that asks.
func This() Machine {
	m := Machine{
		OS:       runtime.GOOS,
		FS:       os.DirFS("/"),
		Procs:    runtime.GOMAXPROCS(0),
		ProcsEnv: os.Getenv("GOMAXPROCS"),
		Root:     os.Geteuid() == 0,
		PageSize: os.Getpagesize(),
	}
	m.Files, m.FilesErr = fileLimit()
	return m
}

// text reads a small file.
func (m Machine) text(name string) (string, error) {
	b, err := fs.ReadFile(m.FS, name)
	return strings.TrimSpace(string(b)), err
}

// number reads a file that holds one number.
func (m Machine) number(name string) (uint64, error) {
	n, err := m.numbers(name, 1)
	if err != nil {
		return 0, err
	}
	return n[0], nil
}

// numbers reads a file that holds n numbers. What is above 63 bits becomes the
// largest number of 63, so that sums do not overflow.
func (m Machine) numbers(name string, n int) ([]uint64, error) {
	s, err := m.text(name)
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(s)
	out := make([]uint64, 0, n)
	for _, f := range fields {
		v, err := strconv.ParseUint(f, 10, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			break
		}
		out = append(out, min(v, math.MaxInt64))
	}
	if len(out) != n || len(fields) != n {
		return nil, fmt.Errorf("/%s holds %.40q, where %s expected", name, s, plural(n))
	}
	return out, nil
}

// field finds the value of a line "key: value" or "key value" in a file.
func (m Machine) field(name, key string) (string, error) {
	s, err := m.text(name)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(s) {
		if name, value, _ := strings.Cut(strings.Replace(line, ":", " ", 1), " "); name == key {
			return strings.TrimSpace(value), nil
		}
	}
	return "", fmt.Errorf("/%s has no line %q", name, key)
}

// meminfo reads a line of /proc/meminfo, in bytes.
func (m Machine) meminfo(key string) (uint64, error) {
	s, err := m.field("proc/meminfo", key)
	if err != nil {
		return 0, err
	}
	kib, err := strconv.ParseUint(strings.TrimSuffix(s, " kB"), 10, 50)
	if err != nil {
		return 0, fmt.Errorf("/proc/meminfo says %.40q for %s, where kilobytes are expected", s, key)
	}
	return kib << 10, nil
}

// mayRaiseFiles tells whether this process may raise its own hard limit: it has
// CAP_SYS_RESOURCE, and not only in a user namespace, where it does not count.
func (m Machine) mayRaiseFiles() bool {
	const capSysResource = 24
	s, err := m.field("proc/self/status", "CapEff")
	if err != nil {
		return false
	}
	caps, err := strconv.ParseUint(s, 16, 64)
	return err == nil && caps>>capSysResource&1 == 1 && m.firstUserNamespace()
}

// firstUserNamespace tells whether user ids here are the machine's own.
func (m Machine) firstUserNamespace() bool {
	s, err := m.numbers("proc/self/uid_map", 3)
	return err == nil && s[0] == 0 && s[1] == 0 && s[2] == math.MaxUint32
}

// contained tells whether sysctls cannot be set from here: /proc/sys is read-only,
// as in docker, or root here is not root of the machine.
func (m Machine) contained() bool {
	for _, mt := range m.mounts() {
		if mt.point == "/proc/sys" {
			return mt.readOnly
		}
	}
	s, err := m.text("proc/self/uid_map")
	return err == nil && s != "" && !m.firstUserNamespace()
}

// plural is what numbers expects, in words.
func plural(n int) string {
	if n == 1 {
		return "a number is"
	}
	return fmt.Sprintf("%d numbers are", n)
}
