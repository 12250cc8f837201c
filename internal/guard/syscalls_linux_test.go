package guard

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// mostCalls is what one message may cost, by work: the server receives an echo's and sends one
// answer; it receives nothing for a publication. The clients write and read. The conductor's
// own messages are in the figures: three to a round of talkers, one to a publication.
var mostCalls = map[string]map[string]float64{
	"echo":    {"recvfrom": 1.02, "sendto": 1.02, "write": 1.02, "read": 1.02},
	"publish": {"recvfrom": 0.02, "sendto": 1.02, "write": 0.02, "read": 1.02},
}

// mostOthers is what all other calls together may come to, a message: the waits, which
// a turn's messages share. There are three to a round of talkers.
const mostOthers = 0.05

// ofTheClock are the runtime's calls that come with time and not with messages.
var ofTheClock = []string{"nanosleep", "futex", "sched_yield", "madvise", "mmap", "tgkill", "getpid", "rt_sigreturn", "restart_syscall"}

// calls is how many system calls a process has made, by name.
type calls map[string]float64

// traced counts the system calls of n operations, and of what comes before them.
func traced(t *testing.T, program, name string, n int) calls {
	t.Helper()
	table := filepath.Join(t.TempDir(), "calls")
	run(t, "strace", "-f", "-c", "-o", table, program, doWork, name, strconv.Itoa(n))
	text, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	c, err := parseCalls(string(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return c
}

// parseCalls reads the table of strace -c: % time, seconds, usecs/call, calls, errors if there were any, and the name.
func parseCalls(table string) (calls, error) {
	c := calls{}
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) < 5 || f[len(f)-1] == "total" || f[len(f)-1] == "syscall" || strings.HasPrefix(f[0], "-") {
			continue
		}
		n, err := strconv.ParseFloat(f[3], 64)
		if err != nil {
			return nil, fmt.Errorf("strace's table has a line that is not understood: %q", line)
		}
		c[f[len(f)-1]] = n
	}
	if len(c) == 0 {
		return nil, fmt.Errorf("strace's table is empty")
	}
	return c, nil
}

// per is what each of n messages cost, where c is what they and the start cost, and start the start alone.
func (c calls) per(n int, start calls) calls {
	each := calls{}
	for name, count := range c {
		each[name] = (count - start[name]) / float64(n)
	}
	return each
}

// excess tells which calls are more than most allows.
func (c calls) excess(most map[string]float64) (found []string) {
	others := 0.0
	var which []string
	for _, name := range slices.Sorted(maps.Keys(c)) {
		limit, known := most[name]
		switch {
		case known && c[name] > limit:
			found = append(found, fmt.Sprintf("%.3f %s a message, %.2f is the most", c[name], name, limit))
		case !known && !slices.Contains(ofTheClock, name) && c[name] > 0:
			others += c[name]
			which = append(which, fmt.Sprintf("%.3f %s", c[name], name))
		}
	}
	if others > mostOthers {
		found = append(found, fmt.Sprintf("%.3f other calls a message (%s), %.2f is the most", others, strings.Join(which, ", "), mostOthers))
	}
	return found
}

// TestAMessageCostsOneCallEachWay: many connections that are ready at once share the waits.
func TestAMessageCostsOneCallEachWay(t *testing.T) {
	skipUnlessPlain(t)
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("no system calls are counted: strace is not installed")
	}
	if out, err := exec.Command("strace", "-f", "-c", "-o", os.DevNull, "true").CombinedOutput(); err != nil {
		t.Skipf("no system calls are counted: strace may not trace here (%v): %s", err, out)
	}
	program := binary(t)
	for name, round := range map[string]int{"echo": talkers, "publish": subscribers} {
		t.Run(name, func(t *testing.T) {
			n := 12 * subscribers // the start's waits differ by some hundred from run to run
			each := traced(t, program, name, round+n).per(n, traced(t, program, name, round))
			for _, call := range slices.Sorted(maps.Keys(mostCalls[name])) {
				t.Logf("%.3f %s a message, %.2f is the most", each[call], call, mostCalls[name][call])
			}
			for _, e := range each.excess(mostCalls[name]) {
				t.Errorf("%s: %s; the limits are in syscalls_linux_test.go", name, e)
			}
		})
	}
}

const someCalls = `% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ------------------
 28.38    0.918303        2301       300         1 futex
  1.02    0.033004          46       102           sendto
  0.93    0.030056          42       150         9 recvfrom
  0.93    0.030056          42        30           epoll_pwait
------ ----------- ----------- --------- --------- ------------------
100.00    3.235736         227       582        10 total
`

func TestCallsBeyondTheLimitsAreFound(t *testing.T) {
	c, err := parseCalls(someCalls)
	if err != nil {
		t.Fatal(err)
	}
	each := c.per(100, calls{"sendto": 2, "epoll_pwait": 20})
	found := each.excess(map[string]float64{"sendto": 1, "recvfrom": 1.02})
	want := []string{"1.500 recvfrom a message, 1.02 is the most", "0.100 other calls a message (0.100 epoll_pwait), 0.05 is the most"}
	if !slices.Equal(found, want) {
		t.Errorf("found %q, want %q", found, want)
	}
	if found := each.excess(map[string]float64{"sendto": 1, "recvfrom": 2, "epoll_pwait": 1}); found != nil {
		t.Errorf("found %q within the limits", found)
	}
	for _, table := range []string{"", "------ -----------\n", "  1.02    0.033004          46       many           sendto\n"} {
		if _, err := parseCalls(table); err == nil {
			t.Errorf("%q is no table", table)
		}
	}
}
