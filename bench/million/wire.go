//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// prefix begins the lines by which the guest tells the host something. All other lines
// are for people.
const prefix = "@million "

// told is such a line. One field is set.
type told struct {
	Sample  *sample  `json:"sample,omitempty"`
	Outcome *outcome `json:"outcome,omitempty"`
}

// sample is how the guest stands. Memory is in bytes.
type sample struct {
	At         time.Duration // since the first connection
	Phase      string        // of the load
	Open       int64         // connections
	Server     int64         // resident in the server
	ServerAnon int64         // of that, what is no file
	Client     int64         // resident in the load
	ClientAnon int64         // of that, what is no file
	Free       int64         // MemFree: the guest has no files that could make it less than what is available
	Slab       int64
}

// anon is what both processes have that is no file.
func (s sample) anon() int64 { return s.ServerAnon + s.ClientAnon }

// outcome is what the guest found.
type outcome struct {
	Error string `json:",omitempty"` // why there is nothing else

	Opened, Failed, Lost int64
	Alive                int64 // when the load began to close them
	Pings                int64 // answered by the clients
	ClientEach           float64
	Ramp                 time.Duration // from the first to the last connection
	Before               sample        // no connection yet
	Held                 sample        // at the end of the hold
	Failures             []string      `json:",omitempty"`

	Delivered int64         // clients that got the message
	P50, P99  time.Duration // from the message's way into the server to a client
	Last      time.Duration
}

// tell writes a line for the host.
func tell(w io.Writer, t told) error {
	text, err := json.Marshal(t)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s%s\n", prefix, text)
	return err
}

// hear reads such a line. It is false for any other one.
func hear(line string) (told, bool) {
	var t told
	_, text, ok := strings.Cut(line, prefix)
	if !ok || json.Unmarshal([]byte(text), &t) != nil {
		return told{}, false
	}
	return t, true
}
