package doctor

import "fmt"

// files checks RLIMIT_NOFILE.
func files(m Machine, w Want) Check {
	const name = "open files (RLIMIT_NOFILE)"
	if m.FilesErr != nil {
		return unread(name, m.FilesErr)
	}
	need := w.perProcess()
	c := Check{
		Name:    name,
		Found:   count(m.Files.Hard),
		Needed:  fmt.Sprint(need),
		Verdict: OK,
		Why: fmt.Sprintf("each connection is a descriptor of its process, and %d are for the rest; "+
			"roost raises its soft limit to the hard one by itself", Reserve),
		holds: less(m.Files.Hard, Reserve),
	}
	if m.Files.Soft < m.Files.Hard {
		c.Found = fmt.Sprintf("soft %s, hard %s", count(m.Files.Soft), count(m.Files.Hard))
	}
	if m.Files.Hard < need {
		c.Verdict = Short
		who := "root"
		if m.OS == "linux" {
			who = "CAP_SYS_RESOURCE" // root of a container often lacks it
		}
		c.Why += "; raising the hard one takes " + who
		c.Mend = moreFiles(m, need)
	}
	return c
}

// moreFiles is how to get a hard limit of n.
func moreFiles(m Machine, n uint64) []Remedy {
	if m.OS != "linux" {
		return []Remedy{{byHand, fmt.Sprintf("as root, before roost starts: ulimit -Hn %d", n)}}
	}
	docker := Remedy{byDocker, fmt.Sprintf("--ulimit nofile=%d:%[1]d", n)}
	if m.contained() {
		return []Remedy{docker}
	}
	shell := Remedy{byShell, fmt.Sprintf("sudo prlimit --pid $$ --nofile=%d:%[1]d", n)}
	switch {
	case m.mayRaiseFiles():
		shell.Line = fmt.Sprintf("ulimit -Hn %d", n)
	case m.Root:
		shell = Remedy{byHand, "open files: no process here has CAP_SYS_RESOURCE, so the hard limit has to be raised where this one is started"}
	}
	return []Remedy{shell, {bySystemd, fmt.Sprintf("LimitNOFILE=%d", n)}, docker}
}

// nrOpen checks the bound of RLIMIT_NOFILE itself.
func nrOpen(m Machine, w Want) Check {
	const key = "fs.nr_open"
	have, err := m.number(file(key))
	if err != nil {
		return unread(key, err)
	}
	c := Check{
		Name: key, Found: count(have), Needed: fmt.Sprint(w.perProcess()), Verdict: OK,
		Why:   "no limit of open files can be set above it, not even by root",
		holds: less(have, Reserve),
	}
	if have < w.perProcess() {
		c.Verdict, c.Mend = Short, sysctl(key, c.Needed)
	}
	return c
}

// fileMax checks how many open files the whole machine may have.
func fileMax(m Machine, w Want) Check {
	const key = "fs.file-max"
	have, err := m.number(file(key))
	if err != nil {
		return unread(key, err)
	}
	c := Check{
		Name: key, Found: count(have), Verdict: OK,
		Why: "it bounds the open files of all processes together",
	}
	used := uint64(0) // where file-nr is hidden, nothing better is known
	if nr, err := m.numbers("proc/sys/fs/file-nr", 3); err == nil {
		used = nr[0]
		c.Found += fmt.Sprintf(", %d in use", used)
	}
	need := used + w.descriptors()
	c.Needed = fmt.Sprint(need)
	c.holds = w.holds(less(have, used))
	if have < need {
		// A tenth more, because what else runs here opens files too.
		c.Verdict, c.Mend = Short, sysctl(key, fmt.Sprint(need+need/10))
	}
	return c
}

// watches checks how many sockets a user may have in epoll sets. The kernel's
// default is 4 % of the memory, so it grows with the machine.
func watches(m Machine, w Want) Check {
	const key = "fs.epoll.max_user_watches"
	have, err := m.number(file(key))
	if err != nil {
		return unread(key, err)
	}
	c := Check{
		Name: key, Found: count(have), Needed: fmt.Sprint(w.descriptors()), Verdict: OK,
		Why:   "each connection is an entry of an epoll set, and it bounds those of a user's processes together",
		holds: w.holds(have),
	}
	if have < w.descriptors() {
		c.Verdict, c.Mend = Short, sysctl(key, c.Needed)
	}
	return c
}
