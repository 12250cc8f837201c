package doctor

import "fmt"

// MaxConns is the most connections that can be asked for: no Linux process can
// have twice as many descriptors (fs.nr_open ends below 2^31).
const MaxConns = 1 << 30

// Reserve is how many descriptors a process needs beside one for each connection:
// standard streams, epoll sets, wake-ups, listeners, scrapes of metrics, logs.
const Reserve = 64

// Role is what runs on the machine.
type Role string

// The roles.
const (
	Server Role = "server" // one process that accepts all connections
	Client Role = "client" // one process that makes all connections
	Both   Role = "both"   // one of each, over loopback
)

// Want is what the machine is to do.
type Want struct {
	// Conns is the number of connections, 1 to MaxConns.
	Conns int `json:"conns"`
	// Role is what runs here.
	Role Role `json:"role"`
	// Targets is at how many addresses and ports the server is reached; 0 means 1.
	// It counts for Client only.
	Targets int `json:"target_addresses,omitempty"`
	// Sources is from how many addresses of this machine the connections are made;
	// 0 means 1. It counts for Client only.
	Sources int `json:"source_addresses,omitempty"`
}

// withDefaults returns w with its zeros replaced, or an error that says what cannot be meant.
func (w Want) withDefaults() (Want, error) {
	if w.Conns < 1 || w.Conns > MaxConns {
		return w, fmt.Errorf("%d connections cannot be asked for: want 1 to %d", w.Conns, MaxConns)
	}
	if w.Role != Server && w.Role != Client && w.Role != Both {
		return w, fmt.Errorf("%q is no role: want server, client or both", w.Role)
	}
	if w.Targets < 0 || w.Targets > maxAddresses || w.Sources < 0 || w.Sources > maxAddresses {
		return w, fmt.Errorf("%d target and %d source addresses cannot be asked for: want 1 to %d of each", w.Targets, w.Sources, maxAddresses)
	}
	w.Targets, w.Sources = max(w.Targets, 1), max(w.Sources, 1)
	return w, nil
}

// maxAddresses keeps products of addresses and ports far from overflowing.
const maxAddresses = 1 << 20

// flags is w as the command line that asked for it.
func (w Want) flags() string {
	s := fmt.Sprintf("--conns %d", w.Conns)
	if w.Role != Both {
		s += " --role " + string(w.Role)
	}
	if w.Targets > 1 {
		s += fmt.Sprintf(" --target-addresses %d", w.Targets)
	}
	if w.Sources > 1 {
		s += fmt.Sprintf(" --source-addresses %d", w.Sources)
	}
	return s
}

// processes is how many processes of roost run here.
func (w Want) processes() uint64 {
	if w.Role == Both {
		return 2
	}
	return 1
}

// perProcess is how many descriptors one process needs.
func (w Want) perProcess() uint64 { return uint64(w.Conns) + Reserve }

// sockets is how many ends of connections are on this machine.
func (w Want) sockets() uint64 { return uint64(w.Conns) * w.processes() }

// descriptors is how many descriptors all processes need together.
func (w Want) descriptors() uint64 { return w.perProcess() * w.processes() }

// holds turns room for so many descriptors over all processes into connections.
func (w Want) holds(descriptors uint64) uint64 {
	return less(descriptors/w.processes(), Reserve)
}

// less is a - b, or 0.
func less(a, b uint64) uint64 { return a - min(a, b) }

// Validate says in one sentence what of w cannot be meant, if anything.
func (w Want) Validate() error {
	_, err := w.withDefaults()
	return err
}
