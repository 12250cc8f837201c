package doctor

import (
	"fmt"

	"github.com/roostws/roost/poller"
)

// Fits raises the soft limit of open files of this process to the hard one and
// returns nil if conns connections and [Reserve] descriptors more fit it and the
// machine's memory, else one sentence that says what is missing. [Both] is a server and
// a client process: the descriptors are those of one, the memory that of both. Where a
// limit cannot be read, it does not count. Call it before sockets are opened.
func Fits(conns int, role Role) error {
	soft, err := poller.RaiseFileLimit()
	m := This()
	if err == nil || soft > 0 {
		m.Files = Limit{Soft: soft, Hard: soft}
	} else {
		m.FilesErr = err
	}
	return fits(m, Want{Conns: conns, Role: role})
}

// fits is Fits for any machine.
func fits(m Machine, w Want) error {
	w, err := w.withDefaults()
	if err != nil {
		return err
	}
	if need := w.perProcess(); m.FilesErr == nil && m.Files.Soft < need {
		return fmt.Errorf("%d connections need %d file descriptors and this process may open %d: raise the hard limit "+
			"(ulimit -Hn, LimitNOFILE= in systemd, --ulimit nofile= in docker), or see roost doctor %s",
			w.Conns, need, m.Files.Soft, w.flags())
	}
	if m.OS != "linux" {
		return nil
	}
	for _, c := range []Check{available(m, w), cgroupMemory(m, w)} {
		if c.Verdict == Short {
			return fmt.Errorf("%d connections need %s of memory and there is %s: ask for at most %d, or see roost doctor %s",
				w.Conns, c.Needed, c.Found, c.holds, w.flags())
		}
	}
	return nil
}
