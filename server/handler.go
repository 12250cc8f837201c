package server

import (
	"github.com/gobwas/ws"
)

// Handler is what the application does with its connections. The functions of one connection run in the order OnOpen,
// OnMessage…, OnClose, one at a time; those of different connections run at once. They run on the pool, or on the connection's
// loop with Config.Inline. A panic in one ends that connection with 1011 and nothing else;
// runtime.Goexit must not be called in one.
//
// They are fields, not an interface, because a nil one costs nothing: a server that has no OnOpen makes no trip to the pool for
// it, and no method has to be written only to be empty.
type Handler struct {
	OnOpen    func(*Conn)          // the handshake is answered; nothing was read yet
	OnMessage func(*Conn, Message) // a whole text or binary message
	OnClose   func(*Conn, Close)   // the last call; the Conn is closed
}

// Message is a received message.
type Message struct {
	Op      ws.OpCode // ws.OpText or ws.OpBinary
	Payload []byte    // borrowed: valid, and free to be changed, until the handler returns; text is valid UTF-8
}

// Close tells how a connection ended.
type Close struct {
	Reason Reason
	Code   ws.StatusCode // the close code as RFC 6455 7.1.5 defines it: the first Close frame's; 1005 if that had none, 1006 without one
	Text   string        // the close reason that came with Code
	Clean  bool          // Close frames went both ways
	Err    error         // what broke, if something did: a *wsproto.ProtocolError, a syscall's error; else nil
}

// State is a connection's state, the readyState of the browser's WebSocket.
type State uint32

// The states of a connection.
const (
	Connecting State = iota // the handshake is not answered yet; no handler sees a connection in this state
	Open
	Closing // a Close frame was sent or received, or the end of the stream was reached
	Closed
)

// String is the state's name, lower case.
func (s State) String() string {
	switch s {
	case Connecting:
		return "connecting"
	case Open:
		return "open"
	case Closing:
		return "closing"
	}
	return "closed"
}

// Result is what became of a message given to Conn.Send and its kin.
type Result uint8

// The results of a send.
const (
	Queued    Result = iota // it will be written by the loop, in order
	Dropped                 // discarded, because the peer reads too slowly and Config.Slow says to drop
	Conflated               // it took the place of an unsent one with the same key
	Gone                    // the connection is closing or closed, or was closed just now for being slow
)

// String is the result's name, lower case.
func (r Result) String() string {
	switch r {
	case Queued:
		return "queued"
	case Dropped:
		return "dropped"
	case Conflated:
		return "conflated"
	}
	return "gone"
}
