// A server that load_others_test.go starts, with the module gorilla/websocket. It says what roost load has done to it. It is a
// module of its own, so that roost does not depend on that one. Arguments: echo or broadcast, the time between
// two pings in milliseconds (0: none), and for TLS the files of a certificate and of its key. DEFLATE=1 in the environment has
// it compress for clients that offer it.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// counts is what happened.
type counts struct {
	Opened        int64 `json:"opened"`
	Clean         int64 `json:"clean"`
	Received      int64 `json:"received"`
	ReceivedBytes int64 `json:"received_bytes"`
	Sent          int64 `json:"sent"`
	SentBytes     int64 `json:"sent_bytes"`
	Pongs         int64 `json:"pongs"`
}

// hub knows all connections. As each may have one writer at a time, mu is held to write too.
type hub struct {
	broadcast bool
	pause     time.Duration // between two pings; 0: none
	upgrader  websocket.Upgrader

	mu     sync.Mutex
	conns  map[*websocket.Conn]bool
	counts counts
	left   sync.WaitGroup
}

func (h *hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, err := h.upgrader.Upgrade(w, r, nil)
	if err != nil {
		log.Print(err)
		return
	}
	defer c.Close()
	c.SetPongHandler(func(string) error {
		h.mu.Lock()
		h.counts.Pongs++
		h.mu.Unlock()
		return nil
	})
	h.mu.Lock()
	h.conns[c] = true
	h.counts.Opened++
	h.left.Add(1)
	h.mu.Unlock()
	over := make(chan struct{})
	if h.pause > 0 {
		go h.ping(c, over)
	}
	err = h.read(c)
	close(over)
	h.mu.Lock()
	delete(h.conns, c)
	if websocket.IsCloseError(err, websocket.CloseNormalClosure) {
		h.counts.Clean++
	} else {
		log.Print(err)
	}
	h.mu.Unlock()
	h.left.Done()
}

func (h *hub) ping(c *websocket.Conn, over <-chan struct{}) {
	ticker := time.NewTicker(h.pause)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			c.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second))
		case <-over:
			return
		}
	}
}

func (h *hub) read(c *websocket.Conn) error {
	for {
		kind, message, err := c.ReadMessage()
		if err != nil {
			return err
		}
		h.mu.Lock()
		h.counts.Received++
		h.counts.ReceivedBytes += int64(len(message))
		if h.broadcast {
			for other := range h.conns {
				h.send(other, kind, message)
			}
		} else {
			h.send(c, kind, message)
		}
		h.mu.Unlock()
	}
}

// send needs mu.
func (h *hub) send(c *websocket.Conn, kind int, message []byte) {
	if err := c.WriteMessage(kind, message); err != nil {
		log.Print(err)
		return
	}
	h.counts.Sent++
	h.counts.SentBytes += int64(len(message))
}

func main() {
	pause, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	h := &hub{broadcast: os.Args[1] == "broadcast", pause: time.Duration(pause) * time.Millisecond, conns: map[*websocket.Conn]bool{}}
	h.upgrader.EnableCompression = os.Getenv("DEFLATE") == "1"
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(l.Addr())
	go func() {
		if len(os.Args) > 3 {
			log.Fatal(http.ServeTLS(l, h, os.Args[3], os.Args[4]))
		}
		log.Fatal(http.Serve(l, h))
	}()
	io.Copy(io.Discard, os.Stdin)
	h.left.Wait()
	json.NewEncoder(os.Stdout).Encode(h.counts)
}
