package guard

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"time"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/server"
	"github.com/roostws/roost/wsproto"
)

// message is what is echoed and published.
const message = "twenty bytes of text"

const (
	// talkers is how many connections send at once: so many that what a turn
	// costs once, the conductor's messages included, is little to each.
	talkers = 400
	// subscribers is to how many connections one publication goes.
	subscribers = 1000
)

// A conductor is a connection on which each message makes the next step of a work.
// The step runs in the handler, on the loop: clients and server share one goroutine
// and take turns in an order that neither the clock nor the scheduler can change.
type conductor struct {
	peer
	step  func()
	heard int           // messages of others, since the step that sent them
	done  chan struct{} // closed by the last step
}

var cue = wsproto.AppendMaskedFrame(nil, ws.OpBinary, nil, maskKey)

// again has a step follow in the loop's next turn.
func (c *conductor) again() { c.write(cue) }

// run takes the steps, and returns when the last one is done.
func (c *conductor) run(step func()) {
	c.step = step
	begin()
	c.again()
	select {
	case <-c.done:
	case <-time.After(hung):
		fail("the server has lost a message: nothing happens any more")
	}
}

// hung is after how long a run, which takes seconds, is given up.
const hung = 2 * time.Minute

// serve starts an inline server of one loop, for a conductor and n peers. It is never
// shut down: the process ends. The sockets are Unix ones: the server makes the same calls,
// and what is written is there at once, where a busy kernel delivers TCP's later.
func serve(c server.Config, n int, prepare func(*server.Server)) (*conductor, []peer) {
	conduct := &conductor{done: make(chan struct{})}
	c.Inline, c.Loops = true, 1
	c.HandshakeTimeout = time.Minute // everything takes fifty times as long while it is counted
	c.Handler.OnMessage = func(c *server.Conn, m server.Message) {
		if m.Op == ws.OpBinary {
			conduct.step()
			return
		}
		conduct.heard++
		c.Send(m.Op, m.Payload)
	}
	s, err := server.New(c)
	must(err)
	prepare(s)
	addr := fmt.Sprintf("@roost-guard-%d", os.Getpid())
	l, err := net.Listen("unix", addr)
	must(err)
	peers := dial(addr, n)
	go s.Serve(l) // it finds all at once: a start with few waits
	open(peers)
	last := dial(addr, 1)
	open(last)
	conduct.peer = last[0]
	return conduct, peers
}

// echo sends n messages through a server, in rounds: each talker sends one; when all
// are answered, each takes its answer in.
func echo(n int) {
	conduct, peers := serve(server.Config{}, talkers, func(*server.Server) {})
	frame := wsproto.AppendMaskedFrame(nil, ws.OpText, []byte(message), maskKey)
	reply := make([]byte, len(frame)-len(maskKey))
	sent, answered := 0, false
	conduct.run(func() {
		switch {
		case conduct.heard < sent: // a turn does not handle all
			conduct.again()
			return
		case sent > 0 && !answered: // the answers have left by the end of this turn
			answered = true
			conduct.again()
			return
		}
		for _, p := range peers[:sent] {
			p.read(reply)
		}
		if n == 0 {
			close(conduct.done)
			return
		}
		for _, p := range peers {
			p.write(frame)
		}
		n -= talkers
		sent, answered, conduct.heard = talkers, false, 0
		conduct.again()
	})
}

// publish brings n messages to subscribers, in n/subscribers publications.
func publish(n int) {
	var topic *server.Topic
	var c server.Config
	opened := 0
	c.Handler.OnOpen = func(c *server.Conn) {
		if opened++; opened <= subscribers { // the conductor comes last
			must(c.Subscribe(topic))
		}
	}
	conduct, peers := serve(c, subscribers, func(s *server.Server) { topic = s.NewTopic("guard", server.TopicConfig{}) })
	for late := time.Now().Add(hung); topic.Subscribers() < subscribers; runtime.Gosched() {
		if time.Now().After(late) {
			fail("only %d of %d peers are subscribed, and no more come", topic.Subscribers(), subscribers)
		}
	}
	got := make([]byte, len(wsproto.AppendFrame(nil, ws.OpText, []byte(message))))
	sent := 0
	conduct.run(func() {
		for _, p := range peers[:sent] {
			p.read(got)
		}
		if n == 0 {
			close(conduct.done)
			return
		}
		topic.Publish(server.Publication{Op: ws.OpText, Payload: []byte(message)}) // leaves by the end of this turn
		n -= subscribers
		sent = subscribers
		conduct.again()
	})
}
