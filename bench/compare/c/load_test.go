package c

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestLoadAgreesWithTheFloor(t *testing.T) {
	each(t, func(t *testing.T, p programs) {
		for _, c := range []struct{ mode, args string }{
			{"echo", "echo PORT 1 0 0 0.5"},
			{"echo", "echo PORT 10 512 0.1 0.5"},
			{"echo", "echo PORT 600 20 0.1 0.5"},
			{"echo", "echo PORT 2 65535 0 0.5"},
			{"echo", "echo PORT 2 65536 0 0.5"},
			{"echo", "echo PORT 4 1048576 0 0.5"},
			{"slow", "echo PORT 10 100 0 0.5"},
			{"broadcast", "fan PORT 1 128 0 0.5"},
			{"broadcast", "fan PORT 600 128 0.1 0.5"},
			{"broadcast", "fan PORT 20 65536 0.1 0.5"},
			{"echo", "connect PORT 1 0 0.5"},
			{"echo", "connect PORT 50 0.1 0.5"},
		} {
			t.Run(c.args, func(t *testing.T) {
				addr, _ := p.serve(t, c.mode)
				count, seconds := p.measured(t, addr, c.args)
				if count == 0 || seconds < 0.5 || seconds > patience.Seconds() {
					t.Errorf("%d in %v s", count, seconds)
				}
			})
		}
	})
}

// run starts load; PORT in the arguments is that of addr.
func (p programs) run(t *testing.T, addr, args string) *process {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	must(t, err)
	return start(t, p.load, strings.Fields(strings.Replace(args, "PORT", port, 1))...)
}

// measured runs load and returns what it printed.
func (p programs) measured(t *testing.T, addr, args string) (count uint64, seconds float64) {
	t.Helper()
	load := p.run(t, addr, args)
	load.ends(t, 0, "")
	lines := strings.Split(load.stdout.String(), "\n")
	if len(lines) != 3 || lines[0] != "start" || lines[2] != "" {
		t.Fatalf("load printed %q", &load.stdout)
	}
	var result struct {
		Count   uint64  `json:"count"`
		Seconds float64 `json:"seconds"`
	}
	must(t, json.Unmarshal([]byte(lines[1]), &result))
	return result.Count, result.Seconds
}

// double is a server that a test can make do what servers should not do.
type double struct {
	// response is written for a handshake. Default: a right one.
	response func(right string) string
	// answer is written for the n-th data frame of the server, from 1. Default: the
	// frame goes back.
	answer func(n int64, f frame) []byte
	// fan writes the answer to all connections.
	fan bool

	mu       sync.Mutex
	conns    []net.Conn
	sources  map[string]int // connections by address
	frames   atomic.Int64
	upgrades atomic.Int64
}

// start listens until the test's end and returns the address.
func (d *double) start(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	d.sources = map[string]int{}
	var tasks sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		tasks.Wait()
	})
	tasks.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			tasks.Go(func() {
				defer conn.Close()
				d.serve(conn)
			})
		}
	})
	return l.Addr().String()
}

func (d *double) serve(conn net.Conn) {
	conn.SetDeadline(time.Now().Add(patience))
	r := bufio.NewReaderSize(conn, 512)
	request, err := http.ReadRequest(r)
	if err != nil {
		return
	}
	sum := sha1.Sum([]byte(request.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	response := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n"
	if d.response != nil {
		response = d.response(response)
	}
	d.upgrades.Add(1)
	d.mu.Lock()
	d.conns = append(d.conns, conn)
	host, _, _ := net.SplitHostPort(conn.RemoteAddr().String())
	d.sources[host]++
	d.mu.Unlock()
	conn.Write([]byte(response))
	for {
		f, err := readFrame(r)
		if err != nil {
			return
		}
		d.reply(conn, f)
	}
}

func (d *double) reply(conn net.Conn, f frame) {
	bytes := f.encode(nil, nil)
	if n := d.frames.Add(1); d.answer != nil {
		bytes = d.answer(n, f)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	to := []net.Conn{conn}
	if d.fan {
		to = d.conns
	}
	for _, c := range to {
		if bytes == nil {
			c.Close()
		}
		c.Write(bytes)
	}
}

// after makes an answer that is right until the n-th frame.
func after(n int64, wrong func(f frame) []byte) func(int64, frame) []byte {
	return func(number int64, f frame) []byte {
		if number < n {
			return f.encode(nil, nil)
		}
		return wrong(f)
	}
}

func flipped(f frame) []byte {
	b := f.encode(nil, nil)
	b[len(b)-1] ^= 1
	return b
}

func nothing(frame) []byte  { return []byte{} }
func hangUp(frame) []byte   { return nil }
func twice(f frame) []byte  { return f.encode(f.encode(nil, nil), nil) }
func asText(f frame) []byte { return frame{final | text, f.payload}.encode(nil, nil) }
func shorter(f frame) []byte {
	return frame{f.first, f.payload[1:]}.encode(nil, nil)
}

func TestLoadFindsWrongServers(t *testing.T) {
	const echo, fan, churn = "echo PORT 4 100 0.1 60", "fan PORT 4 100 0.1 60", "connect PORT 4 0.1 60"
	refuses := func(string) string { return "HTTP/1.1 403 Forbidden\r\n\r\n" }
	cases := []struct {
		name   string
		server *double
		works  []string
		says   string
	}{
		{"flips a byte", &double{answer: after(50, flipped)}, []string{echo, fan}, "came back changed"},
		{"shortens", &double{answer: after(50, shorter)}, []string{echo, fan}, "came back changed"},
		{"answers as text", &double{answer: after(50, asText)}, []string{echo, fan}, "came back changed"},
		{"drops one", &double{answer: after(50, nothing)}, []string{echo, fan}, "nothing came for 5 s"},
		{"answers twice", &double{answer: after(50, twice)}, []string{echo, fan}, "bytes too many came"},
		{"hangs up", &double{answer: after(50, hangUp)}, []string{echo, fan}, "closed a connection while messages were due"},
		{"refuses", &double{response: refuses}, []string{echo, fan, churn}, "refused a handshake: HTTP/1.1 403 Forbidden"},
		{"says nothing", &double{response: func(string) string { return "" }}, []string{echo, fan, churn}, "nothing came for 5 s"},
		{"speaks first", &double{response: func(right string) string { return right + "\x82\x00" }},
			[]string{echo, fan, churn}, "2 bytes came behind a handshake"},
	}
	each(t, func(t *testing.T, p programs) {
		for _, c := range cases {
			for _, work := range c.works {
				server := &double{response: c.server.response, answer: c.server.answer, fan: work == fan}
				t.Run(c.name+" "+strings.Fields(work)[0], func(t *testing.T) {
					t.Parallel()
					p.run(t, server.start(t), work).ends(t, 1, c.says)
				})
			}
		}
	})
}

// One message of many is lost, and all others go on: found out when the run ends.
func TestLoadMissesOneMessage(t *testing.T) {
	lost := func(n int64, f frame) []byte {
		if n == 5 {
			return []byte{}
		}
		return f.encode(nil, nil)
	}
	each(t, func(t *testing.T, p programs) {
		d := &double{answer: lost}
		load := p.run(t, d.start(t), "echo PORT 4 100 0 1")
		load.ends(t, 1, "nothing came for 5 s")
		if !strings.Contains(load.stdout.String(), `"count"`) {
			t.Errorf("the others did not go on: %q", &load.stdout)
		}
	})
}

// All is right, and yet there is no figure: a first answer that takes longer than the run.
func TestLoadThatMeasuresNothing(t *testing.T) {
	each(t, func(t *testing.T, p programs) {
		d := &double{answer: func(_ int64, f frame) []byte {
			<-time.After(time.Second)
			return f.encode(nil, nil)
		}}
		p.run(t, d.start(t), "echo PORT 1 100 0 0.1").ends(t, 1, "nothing was measured")
	})
}

// A server that hears nobody, and one that is not there.
func TestLoadWithoutAServer(t *testing.T) {
	each(t, func(t *testing.T, p programs) {
		for _, work := range []string{"echo PORT 4 100 0 1", "fan PORT 4 100 0 1", "connect PORT 4 0 1"} {
			p.run(t, freeAddr(t), work).ends(t, 1, "onnection refused")
		}
	})
}

func TestLoadCountsWhatTheServerCounts(t *testing.T) {
	each(t, func(t *testing.T, p programs) {
		d := &double{}
		count, _ := p.measured(t, d.start(t), "echo PORT 8 20 0 0.5")
		if n := uint64(d.frames.Load()); count == 0 || count > n || n > count+1000 {
			t.Errorf("load counted %d echoes, the server %d", count, n)
		}
		d = &double{fan: true}
		count, _ = p.measured(t, d.start(t), "fan PORT 8 20 0 0.5")
		if n := uint64(d.frames.Load()) * 8; count == 0 || count > n || n > count+1000 {
			t.Errorf("load counted %d deliveries, the server %d", count, n)
		}
		d = &double{}
		count, _ = p.measured(t, d.start(t), "connect PORT 8 0 0.5")
		if n := uint64(d.upgrades.Load()); count == 0 || count > n || n > count+1000 {
			t.Errorf("load counted %d handshakes, the server %d", count, n)
		}
	})
}

// Above 10,000 connections one source address has too few ports.
func TestLoadSpreadsSources(t *testing.T) {
	each(t, func(t *testing.T, p programs) {
		d := &double{}
		p.measured(t, d.start(t), "echo PORT 10001 1 0 1")
		want := map[string]int{"127.0.0.1": 10000, "127.0.0.2": 1}
		if fmt.Sprint(d.sources) != fmt.Sprint(want) {
			t.Errorf("connections from %v, expected %v", d.sources, want)
		}
	})
}

func TestLoadFlags(t *testing.T) {
	each(t, func(t *testing.T, p programs) {
		for _, args := range []string{
			"", "echo", "drum 1 1 1 1 1", "echo 9000 1 1 1", "echo 9000 1 1 1 1 1", "echo 0 1 1 1 1", "echo 65536 1 1 1 1",
			"echo x 1 1 1 1", "fan 9000 0 1 1 1", "echo 9000 1 4194305 1 1", "echo 9000 1 -1 1 1", "echo 9000 1 1 -1 1",
			"echo 9000 1 1 1 0", "echo 9000 1 1 1 nan", "echo 9000 1 1 1 1s", "connect 9000 1 1 1 1", "connect 9000 1x 1 1",
		} {
			start(t, p.load, strings.Fields(args)...).ends(t, 2, "usage: load")
		}
	})
}
