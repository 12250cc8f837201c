package feed

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// What a request may hold. The server enforces the first (1009).
const (
	maxRequest = 64 << 10 // bytes of a request
	maxID      = 64       // bytes of an id as it is written
)

// The operations of a request.
const (
	opSubscribe   = "subscribe"
	opUnsubscribe = "unsubscribe"
	opList        = "list"
	opPing        = "ping"
)

// request is what a client asks for. docs/feed-protocol.md describes it.
type request struct {
	op       string
	id       json.RawMessage // a number or a string as the client wrote it; nil without one
	channels []string
}

// Code says in a word what is wrong with a request or with one of its channels. Clients may rely on it.
type Code string

// The codes of errors. A request that fails with one of the first group had no effect at all.
const (
	CodeBadJSON     Code = "bad_json"     // not one JSON object in a text message
	CodeBadRequest  Code = "bad_request"  // a field is missing, unknown, given twice, or of the wrong type
	CodeUnknownOp   Code = "unknown_op"   // no such operation
	CodeRateLimited Code = "rate_limited" // too many requests; retry_after_ms says when the next is welcome

	CodeUnknownChannel       Code = "unknown_channel"        // of one channel: there is none of that name
	CodeTooManySubscriptions Code = "too_many_subscriptions" // of a request or one channel: more than a connection may have
)

// requestError is a typed error of the protocol.
type requestError struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`

	RetryAfter int64 `json:"retry_after_ms,omitempty"`
}

func (e *requestError) Error() string { return string(e.Code) + ": " + e.Message }

func refused(code Code, format string, args ...any) *requestError {
	return &requestError{Code: code, Message: fmt.Sprintf(format, args...)}
}

func badRequest(format string, args ...any) *requestError {
	return refused(CodeBadRequest, format, args...)
}

// parseRequest reads one request strictly: one JSON object, known fields in lower case, none twice, each of its type. What
// could be read of it before an error (the id, so that the error can be told apart) is returned with the error.
func parseRequest(text []byte, maxChannels int) (r request, failure *requestError) {
	text = bytes.TrimSpace(text)
	if !json.Valid(text) || text[0] != '{' {
		return r, refused(CodeBadJSON, "a request is one JSON object")
	}
	// The text is valid JSON from here on, so no call of the decoder fails; only what it means can be wrong.
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	_, _ = d.Token() // {
	for d.More() {
		token, _ := d.Token()
		name := token.(string)
		var raw json.RawMessage
		_ = d.Decode(&raw)
		// An error does not end the walk: the id may stand behind it.
		if err := r.set(name, raw, maxChannels); err != nil && failure == nil {
			failure = err
		}
	}
	if failure == nil {
		failure = r.check()
	}
	return r, failure
}

// set takes one field in.
func (r *request) set(name string, raw json.RawMessage, maxChannels int) *requestError {
	switch name {
	case "op":
		if r.op != "" {
			return badRequest("op is given twice")
		}
		if json.Unmarshal(raw, &r.op) != nil || r.op == "" {
			return badRequest("op must be a string: subscribe, unsubscribe, list or ping")
		}
	case "id":
		if r.id != nil {
			return badRequest("id is given twice")
		}
		if c := raw[0]; (c != '"' && c != '-' && (c < '0' || c > '9')) || len(raw) > maxID {
			return badRequest("id must be a number or a string of at most %d bytes", maxID)
		}
		r.id = raw
	case "channels":
		if r.channels != nil {
			return badRequest("channels is given twice")
		}
		if json.Unmarshal(raw, &r.channels) != nil || len(r.channels) == 0 {
			return badRequest("channels must be an array of strings with at least one")
		}
		if len(r.channels) > maxChannels {
			n := len(r.channels)
			r.channels = nil
			return refused(CodeTooManySubscriptions, "%d channels: a connection may have %d", n, maxChannels)
		}
	default:
		if len(name) > maxID {
			name = name[:maxID]
		}
		return badRequest("unknown field %q: a request has op, id and channels", name)
	}
	return nil
}

// check says whether the fields fit each other.
func (r *request) check() *requestError {
	switch r.op {
	case opSubscribe, opUnsubscribe:
		if r.channels == nil {
			return badRequest("%s needs channels", r.op)
		}
	case opList, opPing:
		if r.channels != nil {
			return badRequest("%s takes no channels", r.op)
		}
	case "":
		return badRequest("op is missing: subscribe, unsubscribe, list or ping")
	default:
		return refused(CodeUnknownOp, "unknown op %.32q: there are subscribe, unsubscribe, list and ping", r.op)
	}
	return nil
}
