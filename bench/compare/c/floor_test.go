package c

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestHandshake(t *testing.T) {
	each(t, func(t *testing.T, p programs) {
		addr, _ := p.serve(t, "echo")
		probe := dial(t, addr)
		for name, request := range map[string]string{
			"as in the RFC":  sample,
			"in lower case":  strings.ReplaceAll(sample, "Sec-WebSocket-Key", "sec-websocket-key"),
			"no space":       strings.ReplaceAll(sample, "Key: ", "Key:"),
			"long":           strings.Replace(sample, "Host", "Cookie: "+strings.Repeat("x", 7000)+"\r\nHost", 1),
			"bytes behind":   sample + string(masked(text, []byte("early"))),
			"a part behind":  sample + string(masked(text, []byte("early"))[:3]),
			"a large behind": sample + string(masked(text, pattern(1<<20))[:100000]),
		} {
			t.Run(name, func(t *testing.T) {
				c := connect(t, addr)
				c.write([]byte(request))
				c.upgraded()
				switch name {
				case "a part behind":
					c.write(masked(text, []byte("early"))[3:])
					fallthrough
				case "bytes behind":
					c.gets(text, []byte("early"))
				case "a large behind":
					c.write(masked(text, pattern(1<<20))[100000:])
					c.gets(text, pattern(1<<20))
				}
			})
		}
		t.Run("byte by byte", func(t *testing.T) {
			c := connect(t, addr)
			for i := range sample {
				c.write([]byte(sample[i : i+1]))
				probe.settled()
			}
			c.upgraded()
		})
		t.Run("without a key", func(t *testing.T) {
			for _, line := range []string{"", "Sec-WebSocket-Key: short\r\n"} {
				c := connect(t, addr)
				c.write([]byte("GET / HTTP/1.1\r\n" + line + "\r\n"))
				response, err := http.ReadResponse(c.r, nil)
				must(t, err)
				if response.StatusCode != http.StatusBadRequest {
					t.Errorf("status %d", response.StatusCode)
				}
				c.ended()
			}
		})
		t.Run("without an end", func(t *testing.T) {
			c := connect(t, addr)
			c.write(bytes.Repeat([]byte("x"), 8<<10))
			c.ended()
		})
	})
}

func TestEcho(t *testing.T) {
	each(t, func(t *testing.T, p programs) {
		addr, _ := p.serve(t, "echo")
		c := dial(t, addr)
		for _, size := range []int{0, 1, 7, 8, 63, 64, 125, 126, 1000, 65535, 65536, 256 << 10, 300000, 1 << 20, 7 << 19, 4 << 20} {
			for _, op := range []byte{text, data} {
				go c.Write(masked(op, pattern(size)))
				c.gets(op, pattern(size))
			}
		}
		c.write(masked(data, pattern(4<<20+1))[:100])
		c.gets(closing, []byte{1009 >> 8, 1009 & 255})
		c.ended()
	})
}

func TestSplitFrames(t *testing.T) {
	each(t, func(t *testing.T, p programs) {
		addr, _ := p.serve(t, "echo")
		c, probe := dial(t, addr), dial(t, addr)
		for _, size := range []int{0, 5, 130, 300000} {
			whole := masked(data, pattern(size))
			for cut := 1; cut < len(whole) && cut < 20; cut++ {
				c.write(whole[:cut])
				probe.settled()
				c.write(whole[cut:])
				c.gets(data, pattern(size))
			}
		}
		for _, b := range masked(text, []byte("byte by byte")) {
			c.write([]byte{b})
			probe.settled()
		}
		c.gets(text, []byte("byte by byte"))
	})
}

func TestManyFramesInOneWrite(t *testing.T) {
	each(t, func(t *testing.T, p programs) {
		addr, _ := p.serve(t, "echo")
		c := dial(t, addr)
		var all []byte
		add := func(op byte, payload []byte) { all = append(all, masked(op, payload)...) }
		for i := range 100 {
			add(text, pattern(i))
			add(ping, pattern(i))
			add(pong, pattern(i))
			add(data, pattern(i*100))
		}
		add(data, pattern(1<<20))
		add(closing, []byte{3, 232, 'b', 'y', 'e'})
		add(text, []byte("behind the end"))
		go c.Write(all)
		for i := range 100 {
			c.gets(text, pattern(i))
			c.gets(pong, pattern(i))
			c.gets(data, pattern(i*100))
		}
		c.gets(data, pattern(1<<20))
		c.gets(closing, []byte{3, 232, 'b', 'y', 'e'})
		c.ended()
	})
}

func TestFragmentsGoBackAsTheyCome(t *testing.T) {
	each(t, func(t *testing.T, p programs) {
		addr, _ := p.serve(t, "echo")
		c := dial(t, addr)
		for _, f := range []frame{{text, []byte("frag")}, {0, []byte("men")}, {final, []byte("ted")}} {
			c.write(f.encode(nil, []byte{1, 2, 3, 4}))
			got, err := readFrame(c.r)
			must(t, err)
			if got.first != f.first || !bytes.Equal(got.payload, f.payload) {
				t.Errorf("got %v, expected %v", got, f)
			}
		}
	})
}

func TestBroadcast(t *testing.T) {
	each(t, func(t *testing.T, p programs) {
		addr, _ := p.serve(t, "broadcast")
		var all []*client
		for range 5 {
			all = append(all, dial(t, addr))
		}
		late := connect(t, addr) // without a handshake it gets nothing
		for i, size := range []int{0, 1, 128, 1024, 65536, 300000, 4 << 20} {
			sender := all[i%5]
			go sender.Write(append(masked(text, pattern(size)), masked(ping, []byte{byte(i)})...))
			for _, c := range all {
				c.gets(text, pattern(size))
			}
			sender.gets(pong, []byte{byte(i)})
		}
		late.write([]byte(sample))
		late.upgraded()
		all[0].write(masked(closing, []byte{3, 232}))
		all[0].gets(closing, []byte{3, 232})
		all[0].ended()
		all[1].write(masked(data, []byte("without it")))
		for _, c := range append(all[1:], late) {
			c.gets(data, []byte("without it"))
		}
	})
}

// A subscriber that does not read is dropped, and holds nobody up.
func TestBroadcastDropsWhoLags(t *testing.T) {
	const size, messages = 64 << 10, 1024
	each(t, func(t *testing.T, p programs) {
		addr, server := p.serve(t, "broadcast")
		lagging, c := dial(t, addr), dial(t, addr)
		before := descriptors(t, server)
		for range messages {
			c.write(masked(data, pattern(size)))
			c.gets(data, pattern(size))
		}
		if n := descriptors(t, server); n != before-1 {
			t.Errorf("%d descriptors, %d before", n, before)
		}
		n, _ := io.Copy(io.Discard, lagging.r)
		if n == 0 || n >= size*messages {
			t.Errorf("the lagging one got %d bytes", n)
		}
	})
}

func TestSlow(t *testing.T) {
	const wait = 5 * time.Millisecond
	each(t, func(t *testing.T, p programs) {
		addr, _ := p.serve(t, "slow")
		a, b := dial(t, addr), dial(t, addr)
		for i := range 10 {
			begin := time.Now()
			a.write(masked([]byte{text, data}[i%2], []byte("slow")))
			b.settled()
			if d := time.Since(begin); d < wait {
				t.Errorf("the loop was blocked for %v", d)
			}
			a.gets([]byte{text, data}[i%2], []byte("slow"))
		}
		shortest := time.Hour
		for range 100 {
			begin := time.Now()
			a.write(masked(text, []byte("fast")))
			a.gets(text, []byte("fast"))
			a.write(masked(ping, []byte("s")))
			a.gets(pong, []byte("s"))
			shortest = min(shortest, time.Since(begin))
		}
		if shortest >= wait {
			t.Errorf("a message that asks for no wait takes %v", shortest)
		}
	})
}

// Who sends, and does not read, is not read from either: he gets all when he reads.
func TestEchoesThatNobodyReads(t *testing.T) {
	const size, messages = 64 << 10, 1024
	each(t, func(t *testing.T, p programs) {
		addr, server := p.serve(t, "echo")
		c, other := dial(t, addr), dial(t, addr)
		other.settled()
		before := resident(t, server)
		one := masked(data, pattern(size))
		sent := 0
		for stuck := false; !stuck && sent < len(one)*messages; {
			must(t, c.SetWriteDeadline(time.Now().Add(time.Second)))
			n, err := c.Write(one[sent%len(one):])
			sent += n
			if stuck = timedOut(err); !stuck {
				must(t, err)
			}
		}
		if sent == len(one)*messages {
			t.Error("the floor reads on while nobody takes its echoes")
		}
		if grown := resident(t, server) - before; !strings.Contains(t.Name(), "sanitized") && grown > 8<<20 {
			t.Errorf("the floor grew by %d bytes", grown)
		}
		other.settled()
		go func() {
			c.SetWriteDeadline(time.Now().Add(patience))
			for sent < len(one)*messages {
				n, err := c.Write(one[sent%len(one):])
				if sent += n; err != nil {
					t.Errorf("cannot send on: %v", err)
					return
				}
			}
		}()
		for range messages {
			c.gets(data, pattern(size))
		}
	})
}

// A Close waits for the answers before it, which the socket may not take at once.
func TestCloseBehindAnswers(t *testing.T) {
	each(t, func(t *testing.T, p programs) {
		addr, _ := p.serve(t, "echo")
		probe := dial(t, addr)
		for messages := 50; messages < 1500; messages += 50 {
			c := dial(t, addr)
			all := bytes.Repeat(masked(data, pattern(1000)), messages)
			go c.Write(append(all, masked(closing, []byte{3, 232})...))
			probe.settled()
			for range messages {
				c.gets(data, pattern(1000))
			}
			c.gets(closing, []byte{3, 232})
			c.ended()
			c.Close()
		}
	})
}

func TestNothingStaysOfWhoLeaves(t *testing.T) {
	each(t, func(t *testing.T, p programs) {
		addr, server := p.serve(t, "echo")
		dial(t, addr).settled()
		before := descriptors(t, server)
		large := masked(data, pattern(4<<20))
		for range 5 {
			connect(t, addr).Close()
			half := connect(t, addr)
			half.write([]byte(sample[:20]))
			half.Close()
			for _, n := range []int{1, 5, 20, 400000, len(large)} {
				c := dial(t, addr)
				must(t, c.SetWriteDeadline(time.Now().Add(time.Second)))
				if _, err := c.Write(large[:n]); !timedOut(err) {
					must(t, err)
				}
				c.Close()
			}
		}
		await(t, "the descriptors to be closed", func() bool { return descriptors(t, server) == before })
	})
}

func TestSignals(t *testing.T) {
	each(t, func(t *testing.T, p programs) {
		for _, mode := range []string{"echo", "broadcast", "slow"} {
			for _, signal := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
				addr, server := p.serve(t, mode)
				c := dial(t, addr)
				c.settled()
				must(t, server.cmd.Process.Signal(signal))
				server.ends(t, 0, "")
				c.ended()
			}
		}
	})
}

func TestTakenPort(t *testing.T) {
	each(t, func(t *testing.T, p programs) {
		addr, _ := p.serve(t, "echo")
		start(t, p.floor, "--addr", addr, "--mode", "echo").ends(t, 1, "cannot listen on "+addr)
	})
}

func TestFloorFlags(t *testing.T) {
	each(t, func(t *testing.T, p programs) {
		for _, args := range []string{
			"", "--addr 127.0.0.1:0", "--mode echo", "--addr 127.0.0.1:0 --mode fast", "--addr 127.0.0.1 --mode echo",
			"--addr :0 --mode echo", "--addr 127.0.0.1:65536 --mode echo", "--addr 127.0.0.1:x --mode echo",
			"--addr 127.0.0.1: --mode echo", "--addr localhost.localdomain:0 --mode echo", "--addr 127.0.0.1:0 --mode",
			"--addr 127.0.0.1:0 --mode echo more", "--addr 127.0.0.1:0 --mode echo --fast",
		} {
			start(t, p.floor, strings.Fields(args)...).ends(t, 2, "usage: floor")
		}
	})
}

// resident is the process's memory in bytes.
func resident(t *testing.T, p *process) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	must(t, err)
	_, after, _ := strings.Cut(string(status), "VmRSS:")
	kilobytes, err := strconv.Atoi(strings.Fields(after)[0])
	must(t, err)
	return kilobytes << 10
}

// descriptors is how many the process has open.
func descriptors(t *testing.T, p *process) int {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	must(t, err)
	return len(entries)
}
