//go:build unix

package server

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"github.com/roostws/roost/poller"
)

// exhausted names, in the environment of a child process, the engine of TestServerOfFewDescriptors; with overTLS behind it the server
// speaks TLS.
const (
	exhausted = "ROOST_EXHAUSTED_ENGINE"
	overTLS   = " over TLS"
)

// pauseLine is what a server logs when it cannot accept.
const pauseLine = "accepting is paused"

// vitals is what the child tells of itself.
type vitals struct {
	Stats
	Lines int // of the log that say that accepting is paused
}

// TestServerOfFewDescriptors is the child process of TestTheServerRunsOutOfDescriptorsAndRecovers: a server that may hold 64. It prints
// its address, and its vitals for each line that it is sent.
func TestServerOfFewDescriptors(t *testing.T) {
	engine := os.Getenv(exhausted)
	if engine == "" {
		t.Skip("runs only as a child of another test")
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 64, Max: 64}); err != nil {
		t.Fatal(err)
	}
	engine, secure := strings.CutSuffix(engine, overTLS)
	c := Config{Engine: engine, Loops: 2, HandshakeTimeout: time.Hour}
	if secure {
		c.TLS = serverTLS()
	}
	c.Handler.OnMessage = echo
	var lines logLines
	c.Logger = slog.New(slog.NewTextHandler(&lines, nil))
	r := start(t, c)
	fmt.Println("\naddress", r.addr)
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		v := vitals{Stats: r.Stats()}
		lines.mu.Lock()
		v.Lines = strings.Count(lines.b.String(), pauseLine)
		lines.mu.Unlock()
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("vitals %s\n", b)
	}
}

// child is a server in a process of its own.
type child struct {
	t     *testing.T
	in    io.WriteCloser
	out   *bufio.Scanner
	said  []string // what it printed beside its answers
	began time.Time
}

// startChild returns a rig, too, that knows only the child's address, and with TLS believes every certificate: the child has its own.
func startChild(t *testing.T, engine string, secure bool) (*child, *rig) {
	r := &rig{t: t}
	if secure {
		engine, r.tls = engine+overTLS, &tls.Config{InsecureSkipVerify: true}
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestServerOfFewDescriptors$")
	cmd.Env = append(os.Environ(), exhausted+"="+engine)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &child{t: t, in: in, out: bufio.NewScanner(out), began: time.Now()}
	t.Cleanup(func() {
		in.Close()
		for c.out.Scan() {
			c.said = append(c.said, c.out.Text())
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the child: %v\n%s", err, strings.Join(c.said, "\n"))
		}
	})
	r.addr = c.answer("address")
	return c, r
}

// answer is the rest of the child's next line that begins with a word.
func (c *child) answer(word string) string {
	c.t.Helper()
	for c.out.Scan() {
		if rest, ok := strings.CutPrefix(c.out.Text(), word+" "); ok {
			return rest
		}
		c.said = append(c.said, c.out.Text())
	}
	c.t.Fatalf("the child ended without saying its %s", word)
	return ""
}

func (c *child) vitals() (v vitals) {
	c.t.Helper()
	if _, err := io.WriteString(c.in, "\n"); err != nil {
		c.t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(c.answer("vitals")), &v); err != nil {
		c.t.Fatal(err)
	}
	return v
}

func TestTheServerRunsOutOfDescriptorsAndRecovers(t *testing.T) {
	eachWay(t, func(t *testing.T, c Config) {
		for _, engine := range poller.Engines() {
			t.Run(engine, func(t *testing.T) {
				t.Parallel() // in a process of its own, and waiting most of the time
				const waiting, leaving = 100, 60
				child, r := startChild(t, engine, c.TLS != nil)
				other := r.bystander()
				var peers []*peer
				for range waiting { // the kernel's backlog takes those that the server cannot
					peers = append(peers, r.tcp())
				}
				var v vitals
				await(t, "accepting to be paused, again and again", func() bool {
					v = child.vitals()
					return v.AcceptPauses >= 30
				})
				if v.Accepted > 64 || v.Accepted < 32 {
					t.Errorf("%d connections were accepted by a process of 64 descriptors", v.Accepted)
				}
				// Each of the two loops tries again every acceptRetry ticks; more often would be a loop that spins.
				passed := time.Since(child.began)
				if most := 2 * (passed/(acceptRetry*tick) + 2); v.AcceptPauses > uint64(most) {
					t.Errorf("accepting was paused %d times in %v, more than %d", v.AcceptPauses, passed, most)
				}
				if most := int(passed/time.Second) + 1; v.Lines < 1 || v.Lines > most {
					t.Errorf("the log says %d times in %v that accepting is paused, want once a second at most", v.Lines, passed)
				}

				for _, p := range peers[:leaving] {
					p.reset()
				}
				for _, p := range peers[leaving:] { // some were accepted before, some wait in the backlog
					p.write([]byte(upgrade))
				}
				for _, p := range peers[leaving:] {
					p.wantUpgrade()
					p.send(ws.OpText, "recovered")
					p.want(ws.OpText, "recovered")
				}
				last := r.dial()
				last.send(ws.OpText, "as if nothing had been")
				last.want(ws.OpText, "as if nothing had been")
				other.finish()
				await(t, "the counters", func() bool {
					v = child.vitals()
					return v.Open == waiting-leaving+2 && v.Opened == waiting-leaving+2 && v.Reasons[ReasonHandshakeGone] == leaving
				})
				if pauses := v.AcceptPauses; child.vitals().AcceptPauses != pauses {
					t.Error("accepting is still paused now and then")
				}
			})
		}
	})
}

func TestALogLineOfAKindComesOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines logLines
		log := rarely{logger: slog.New(slog.NewTextHandler(&lines, nil))}
		count := func(s string) int { return strings.Count(lines.b.String(), s) }
		for range 1000 {
			log.warn("a", "this happens")
			log.warn("b", "so does that")
		}
		if a, b := count("this happens"), count("so does that"); a != 1 || b != 1 {
			t.Errorf("%d and %d lines at once, want 1 of each kind", a, b)
		}
		time.Sleep(time.Second - 1)
		if log.warn("a", "this happens"); count("this happens") != 1 {
			t.Error("a second line before the second was over")
		}
		time.Sleep(time.Nanosecond)
		log.warn("a", "this happens")
		log.warn("b", "so does that")
		if count("this happens") != 2 || count("not_logged=1000") != 1 || count("not_logged=999") != 1 {
			t.Errorf("after a second the log is:\n%s", lines.b.String())
		}
	})
}
