package feed

import (
	"bytes"
	"encoding/json"
	"iter"
	"strconv"
	"time"
)

// reply answers one request. Fields that an operation does not have are left out.
type reply struct {
	Type       string          `json:"type"` // "reply"
	Op         string          `json:"op,omitempty"`
	ID         json.RawMessage `json:"id,omitempty"`
	OK         bool            `json:"ok"` // everything that was asked for is so now
	Error      *requestError   `json:"error,omitempty"`
	Channels   []outcome       `json:"channels,omitempty"`
	Symbols    []string        `json:"symbols,omitzero"`
	Subscribed []string        `json:"subscribed,omitzero"`
	TS         int64           `json:"ts,omitempty"`
}

// outcome is what became of one channel of a request, in the request's order.
type outcome struct {
	Ch      string        `json:"ch"`
	OK      bool          `json:"ok"`
	Symbols []string      `json:"symbols,omitzero"` // of a wildcard: what it stands for now
	Error   *requestError `json:"error,omitempty"`
}

// add adds what became of one channel.
func (r *reply) add(o outcome, m *metrics) {
	o.OK = o.Error == nil
	if !o.OK {
		r.OK = false
		m.failure(o.Error.Code)
	}
	r.Channels = append(r.Channels, o)
}

// notice tells of an error that no request is the cause of.
type notice struct {
	Type  string        `json:"type"` // "error"
	Ch    string        `json:"ch,omitempty"`
	Error *requestError `json:"error"`
}

// encode is v as JSON. Only replies pass through it: they are rare, and data messages are encoded without reflection.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("feed: a reply that is no JSON: " + err.Error()) // all types above encode
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

// appendHeartbeat appends what a connection gets that was sent nothing for a while: a counter, and the seq that it got last
// on each channel. A client whose own seq of a channel differs has lost the newest messages.
func appendHeartbeat(dst []byte, n uint64, now time.Time, last iter.Seq2[string, uint64]) []byte {
	dst = append(dst, `{"type":"heartbeat","n":`...)
	dst = strconv.AppendUint(dst, n, 10)
	dst = append(dst, `,"ts":`...)
	dst = strconv.AppendInt(dst, now.UnixMilli(), 10)
	dst = append(dst, `,"seqs":{`...)
	first := true
	for name, seq := range last {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(dst, '"')
		dst = append(dst, name...) // needs no escaping: see CheckSymbol
		dst = append(dst, `":`...)
		dst = strconv.AppendUint(dst, seq, 10)
	}
	return append(dst, `}}`...)
}
