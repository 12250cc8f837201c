package doctor

import (
	"slices"
	"strings"
)

// mount is a line of /proc/self/mountinfo.
type mount struct {
	root, point string
	kind        string // file system
	options     string // of the file system: the controllers of a cgroup
	readOnly    bool
}

// mounts is what is mounted where this process lives, as far as that can be read.
func (m Machine) mounts() []mount {
	s, err := m.text("proc/self/mountinfo")
	if err != nil {
		return nil
	}
	var all []mount
	for line := range strings.Lines(s) {
		left, right, found := strings.Cut(line, " - ")
		l, r := strings.Fields(left), strings.Fields(right)
		if !found || len(l) < 6 || len(r) < 3 {
			continue
		}
		all = append(all, mount{
			root: l[3], point: l[4], kind: r[0], options: r[2],
			readOnly: has(l[5], "ro"),
		})
	}
	return all
}

// has tells whether a list with commas has a word.
func has(list, word string) bool { return slices.Contains(strings.Split(list, ","), word) }
