package poller

import (
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

func TestSizes(t *testing.T) {
	if n := unsafe.Sizeof(slot{}); n != 12 {
		t.Errorf("a slot takes %d bytes", n)
	}
}

// No descriptor of an engine is left to a child process.
func TestDescriptorsAreCloseOnExec(t *testing.T) {
	open := func() map[int]bool {
		entries, err := os.ReadDir("/proc/self/fd")
		must(t, err)
		fds := map[int]bool{}
		for _, e := range entries {
			fd, err := strconv.Atoi(e.Name())
			must(t, err)
			// Not the one of the directory, which is closed by now.
			if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil {
				fds[fd] = true
			}
		}
		return fds
	}
	before := open()
	each(t, func(t *testing.T, r *rig) {
		r.script.accepted = r.ignoresAccepts()
		r.start()
		_, addr := r.listen()
		r.add()
		r.dial(addr)
		r.rests()
		found := 0
		for fd := range open() {
			flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
			if before[fd] || err != nil {
				continue
			}
			found++
			if flags&unix.FD_CLOEXEC == 0 {
				name, _ := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
				t.Errorf("descriptor %d (%s) goes to child processes", fd, name)
			}
		}
		if found < 5 {
			t.Errorf("only %d descriptors found: this shows nothing", found)
		}
	})
}

// Wake costs no system call while the loop is awake, and one for many while it sleeps.
func TestWakeRingsOnce(t *testing.T) {
	r := newRig(t, "epoll", Config{})
	e := r.engine.(*epoll)
	count := func() uint64 { // how often the bell was rung: the counter is never read
		b, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", e.bell.fd))
		must(t, err)
		var pos, flags, mnt, ino, n uint64
		if _, err := fmt.Sscanf(string(b), "pos:\t%d\nflags:\t%o\nmnt_id:\t%d\nino:\t%d\neventfd-count: %x", &pos, &flags, &mnt, &ino, &n); err != nil {
			t.Fatalf("%v: %q", err, b)
		}
		return n
	}
	r.start()
	r.do(func() {
		before := count()
		for range 100 {
			r.engine.Wake()
		}
		if n := count() - before; n != 0 {
			t.Errorf("rung %d times while the loop was awake", n)
		}
	})
	for e.state.Load() != asleep {
		time.Sleep(0)
	}
	before := count()
	held := make(chan struct{})
	r.post(func() { <-held })
	for range 100 {
		r.engine.Wake()
	}
	close(held)
	r.do(func() {})
	if n := count() - before; n < 1 || n > 2 {
		t.Errorf("rung %d times to end one sleep", n)
	}
}

// Nothing is allocated on the way of an event: read, write, wake-up and turn.
func TestNoAllocations(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		answer := make([][]byte, 2)
		r.script = nil // its closures would be measured too
		h := &echo{engine: r.engine, answer: answer}
		r.ended = make(chan error, 1)
		fd, peer := pair(t)
		r.peers = append(r.peers, peer)
		_, err := r.engine.Add(fd)
		must(t, err)
		go func() { r.ended <- r.engine.Run(h) }()
		p := pattern(100)
		avg := testing.AllocsPerRun(200, func() {
			r.engine.Wake()
			peer.Write(p)
			io.ReadFull(peer, p)
		})
		if avg != 0 {
			t.Errorf("%v allocations for an event", avg)
		}
	})
}

// A Wake that has taken asleep out when Run returns must not write to the descriptor
// that has the eventfd's number by then.
func TestBellIsSilentAfterClose(t *testing.T) {
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	must(t, err)
	other, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	must(t, err)
	defer unix.Close(other)
	b := bell{fd: fd}
	b.close()
	must(t, dupTo(other, fd))
	defer unix.Close(fd)
	b.ring()
	if n, err := unix.Read(other, make([]byte, 8)); err != unix.EAGAIN {
		t.Errorf("read %d, %v from somebody else's descriptor", n, err)
	}
}

func TestWaitsAreRoundedUp(t *testing.T) {
	for d, want := range map[time.Duration]int{
		-1: -1, 0: 0, 1: 1, time.Millisecond: 1, time.Millisecond + 1: 2, math.MaxInt64: math.MaxInt32, 1000 * time.Hour: math.MaxInt32,
	} {
		if got := milliseconds(d); got != want {
			t.Errorf("%d ns: %d ms, want %d", d, got, want)
		}
	}
}

// Waits of a fraction of a millisecond last about that long, where the kernel can: 12 in
// 20 s do also on a busy machine. Where they are rounded up, a signal ends one early now and then.
func TestWaitsOfLessThanAMillisecond(t *testing.T) {
	for _, coarse := range []bool{false, true} {
		opened, err := openEpoll(Config{Events: 16})
		must(t, err)
		e := opened.(*epoll)
		e.coarse = coarse
		var slept time.Time
		begun, turns, short := time.Now(), 0, 0
		s := &script{turn: func() time.Duration {
			if turns++; turns > 2 && time.Since(slept) < time.Millisecond { // the first wait of all only looks
				short++
			}
			if coarse && turns == 50 || !coarse && (short == 12 || time.Since(begun) > 20*time.Second) {
				e.Stop()
			}
			slept = time.Now()
			return 100 * time.Microsecond
		}}
		must(t, e.Run(s))
		if e.coarse != coarse {
			t.Skip("this kernel waits for whole milliseconds")
		}
		if coarse != (short < 12) {
			t.Errorf("coarse %v: %d of %d waits of 100 µs took less than a millisecond", coarse, short, turns-2)
		}
	}
}
