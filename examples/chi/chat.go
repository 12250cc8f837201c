package main

import (
	"cmp"
	"encoding/json"
	"slices"
	"sync"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/gate"
	"github.com/roostws/roost/server"
)

// roomRoute is where all rooms' limits are.
const roomRoute = "/ws/{room}"

// chat is rooms that exist while somebody is in them.
type chat struct {
	server *server.Server

	mu    sync.Mutex
	rooms map[string]*room
}

// room is guarded by chat.mu.
type room struct {
	topic   *server.Topic
	members int
}

// member is the value of a connection.
type member struct {
	name, room string
	topic      *server.Topic // since OnOpen
}

// line is what everybody in a room gets.
type line struct {
	From string `json:"from"`
	Did  string `json:"did,omitempty"` // "join" or "leave"
	Text string `json:"text,omitempty"`
}

func newChat(s settings) (*chat, error) {
	c := &chat{rooms: make(map[string]*room)}
	var err error
	c.server, err = server.New(server.Config{
		PerAddress: s.perAddress,
		Routes: []server.Route{{
			Pattern:    roomRoute,
			MaxConns:   s.maxConns,
			MaxMessage: 4 << 10,
			Rates:      gate.RatesConfig{Messages: 5, MessageBurst: 20},
			Handler:    server.Handler{OnOpen: c.join, OnMessage: c.say, OnClose: c.leave},
		}},
	})
	return c, err
}

func (c *chat) join(conn *server.Conn) {
	m := conn.Value().(*member)
	c.mu.Lock()
	r := c.rooms[m.room]
	if r == nil {
		r = &room{topic: c.server.NewTopic(m.room, server.TopicConfig{})}
		c.rooms[m.room] = r
	}
	r.members++
	c.mu.Unlock()
	m.topic = r.topic
	if conn.Subscribe(m.topic) == nil { // else it has left already
		m.publish(line{From: m.name, Did: "join"})
	}
}

func (c *chat) say(conn *server.Conn, msg server.Message) {
	m := conn.Value().(*member)
	m.publish(line{From: m.name, Text: string(msg.Payload)})
}

func (c *chat) leave(conn *server.Conn, _ server.Close) {
	m := conn.Value().(*member)
	c.mu.Lock()
	r := c.rooms[m.room]
	if r.members--; r.members == 0 {
		delete(c.rooms, m.room)
	}
	c.mu.Unlock()
	m.publish(line{From: m.name, Did: "leave"})
}

func (m *member) publish(l line) {
	payload, err := json.Marshal(l)
	if err != nil {
		panic(err) // there are only strings in it
	}
	m.topic.Publish(server.Publication{Op: ws.OpText, Payload: payload})
}

// occupancy is a room in the list.
type occupancy struct {
	Room    string `json:"room"`
	Members int    `json:"members"`
}

// occupied returns the rooms that there are, by name.
func (c *chat) occupied() []occupancy {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]occupancy, 0, len(c.rooms))
	for name, r := range c.rooms {
		all = append(all, occupancy{name, r.members})
	}
	slices.SortFunc(all, func(a, b occupancy) int { return cmp.Compare(a.Room, b.Room) })
	return all
}
