package doctor

import (
	"errors"
	"io/fs"
	"math"
	"path"
	"strconv"
	"strings"
)

// cgroup is one group that this process is in.
type cgroup struct {
	dir  string // relative to the root
	name string // as it is told to a user
	v2   bool
}

// cgroups is the groups of a controller, from that of this process up to the root of
// what is visible. It is empty where there are none.
func (m Machine) cgroups(controller string) []cgroup {
	own, v2, found := m.ownCgroup(controller)
	if !found {
		return nil
	}
	at := m.cgroupMount(controller, v2)
	rel := own
	if at.root != "/" {
		// Without a cgroup namespace, what is mounted begins at the container's group.
		under := strings.TrimPrefix(own, at.root)
		rel = "/"
		if under != own && (under == "" || under[0] == '/') {
			rel = path.Clean("/" + under)
		}
	}
	var all []cgroup
	for ; ; rel = path.Dir(rel) {
		all = append(all, cgroup{dir: strings.TrimPrefix(path.Join(at.point, rel), "/"), name: rel, v2: v2})
		if rel == "/" {
			return all
		}
	}
}

// ownCgroup is the path of this process' group, from /proc/self/cgroup. A controller
// that version 1 has is not in version 2.
func (m Machine) ownCgroup(controller string) (own string, v2, found bool) {
	s, err := m.text("proc/self/cgroup")
	if err != nil {
		return "", false, false
	}
	for line := range strings.Lines(s) {
		part := strings.SplitN(strings.TrimSpace(line), ":", 3)
		switch {
		case len(part) != 3:
		case has(part[1], controller):
			return path.Clean("/" + part[2]), false, true
		case part[1] == "":
			own, v2, found = path.Clean("/"+part[2]), true, true
		}
	}
	return own, v2, found
}

// cgroupMount is where a controller is mounted, or the usual place.
func (m Machine) cgroupMount(controller string, v2 bool) mount {
	for _, mt := range m.mounts() {
		if v2 && mt.kind == "cgroup2" || !v2 && mt.kind == "cgroup" && has(mt.options, controller) {
			return mt
		}
	}
	if v2 {
		return mount{root: "/", point: "/sys/fs/cgroup"}
	}
	return mount{root: "/", point: "/sys/fs/cgroup/" + controller}
}

// limit reads a number of a group that may be "max". A file that does not exist
// is no limit: the root has none, and containers hide some.
func (m Machine) limit(g cgroup, name string) (n uint64, limited bool, err error) {
	file := path.Join(g.dir, name)
	if s, err := m.text(file); errors.Is(err, fs.ErrNotExist) || err == nil && s == "max" {
		return 0, false, nil
	}
	n, err = m.number(file)
	return n, err == nil && n < unlimited, err
}

// room is what a limit of memory leaves.
type room struct {
	left, used  uint64 // bytes
	file, group string // whose limit it is; empty if there is none
}

// cgroupRoom is the smallest memory that any of this process' groups leaves.
func (m Machine) cgroupRoom() (room, error) {
	least := room{left: math.MaxUint64}
	for _, g := range m.cgroups("memory") {
		limits := []string{"memory.limit_in_bytes"}
		if g.v2 {
			limits = []string{"memory.max", "memory.high"}
		}
		for _, name := range limits {
			n, limited, err := m.limit(g, name)
			if err != nil {
				return room{}, err
			}
			used := m.cgroupUsed(g)
			if left := less(n, used); limited && left < least.left {
				least = room{left: left, used: used, file: name, group: g.name}
			}
		}
	}
	return least, nil
}

// cgroupUsed is the memory of a group that it cannot give back, in bytes; 0 where that is hidden.
func (m Machine) cgroupUsed(g cgroup) uint64 {
	current, cache := "memory.usage_in_bytes", "total_inactive_file"
	if g.v2 {
		current, cache = "memory.current", "inactive_file"
	}
	used, err := m.number(path.Join(g.dir, current))
	if err != nil {
		return 0
	}
	s, err := m.field(path.Join(g.dir, "memory.stat"), cache)
	if err != nil {
		return used
	}
	reclaimable, _ := strconv.ParseUint(s, 10, 63) // 0 where it makes no sense
	return less(used, reclaimable)
}
