package doctor

import (
	"fmt"
	"strings"
)

// remedies is the lines of all checks that are applied in one way.
func (r Report) remedies(by string) []string {
	var lines []string
	for _, c := range r.Checks {
		for _, m := range c.Mend {
			if m.By == by {
				lines = append(lines, m.Line)
			}
		}
	}
	return lines
}

// Script is the commands that mend the machine, in order, as a shell takes them:
// what no command can do is a comment. It is empty when there is nothing to mend.
func (r Report) Script() string {
	var b strings.Builder
	r.scriptSysctls(&b)
	for _, line := range r.remedies(byShell) {
		fmt.Fprintf(&b, "%s   # for this shell and what it starts\n", line)
	}
	for _, line := range r.remedies(byHand) {
		fmt.Fprintf(&b, "# %s\n", line)
	}
	if lines := r.remedies(bySystemd); len(lines) > 0 {
		fmt.Fprintf(&b, "# in a systemd unit, under [Service]: %s\n", strings.Join(lines, " and "))
	}
	if lines := r.remedies(byDocker); len(lines) > 0 {
		fmt.Fprintf(&b, "# in docker: docker run %s IMAGE\n", strings.Join(lines, " "))
	}
	return b.String()
}

// scriptSysctls writes the kernel parameters: in a file that the next start reads too,
// or as what is the host's to set. The file grows, so that an earlier answer stays.
func (r Report) scriptSysctls(b *strings.Builder) {
	lines := r.remedies(bySysctl)
	switch {
	case len(lines) == 0:
	case r.contained:
		for _, line := range lines {
			if key, value, _ := strings.Cut(line, " = "); !namespaced(key) {
				fmt.Fprintf(b, "# on the host, as root: sysctl -w %s\n", assignment(key, value))
			}
		}
	default:
		const file = "/etc/sysctl.d/90-roost.conf"
		fmt.Fprintf(b, "%stee -a %s <<END\n%s\nEND\n", r.sudo(), file, strings.Join(lines, "\n"))
		fmt.Fprintf(b, "%ssysctl -p %s\n", r.sudo(), file)
	}
}

// sudo is what commands begin with that only root may run.
func (r Report) sudo() string {
	if r.root {
		return ""
	}
	return "sudo "
}

// Sysctls is a file for /etc/sysctl.d with what has to change, and as comments
// what is as it should be.
func (r Report) Sysctls() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# For %d WebSocket connections: roost doctor %s --sysctl\n", r.Conns, r.flags())
	for _, line := range r.remedies(bySysctl) {
		fmt.Fprintln(&b, line)
	}
	for _, c := range r.Checks {
		if c.Verdict == OK && (strings.HasPrefix(c.Name, "net.") || strings.HasPrefix(c.Name, "fs.")) {
			fmt.Fprintf(&b, "# %s: found %s, needed %s\n", c.Name, c.Found, c.Needed)
		}
	}
	return b.String()
}
