package bench

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/prometheus/procfs"

	"github.com/roostws/roost/bench/report"
)

// serverProbe looks at the server's process and at the kernel's memory.
type serverProbe struct {
	fs      procfs.FS
	process procfs.Proc
}

func newServerProbe(pid int) (*serverProbe, error) {
	f, err := procfs.NewDefaultFS()
	if err != nil {
		return nil, fmt.Errorf("the server's process cannot be watched: %w", err)
	}
	p, err := f.Proc(pid)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no process %d to watch as the server's", pid)
	}
	if err != nil {
		return nil, fmt.Errorf("process %d cannot be watched as the server's: %w", pid, err)
	}
	return &serverProbe{f, p}, nil
}

// look takes a sample. What cannot be read, as after the process' end, is -1.
func (p *serverProbe) look() *report.Server {
	s := &report.Server{CPU: -1, RSS: -1, Threads: -1, FDs: -1, TCP: -1, Slab: -1}
	if stat, err := p.process.Stat(); err == nil {
		s.CPU = time.Duration(stat.CPUTime() * float64(time.Second))
		s.RSS = int64(stat.ResidentMemory())
		s.Threads = int64(stat.NumThreads)
	}
	if n, err := p.process.FileDescriptorsLen(); err == nil {
		s.FDs = int64(n)
	}
	if sockets, err := p.fs.NetSockstat(); err == nil {
		for _, protocol := range sockets.Protocols {
			if protocol.Protocol == "TCP" && protocol.Mem != nil {
				s.TCP = int64(*protocol.Mem) * int64(os.Getpagesize())
			}
		}
	}
	if memory, err := p.fs.Meminfo(); err == nil && memory.SlabBytes != nil {
		s.Slab = int64(*memory.SlabBytes)
	}
	return s
}
