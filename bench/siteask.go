package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
)

func (s *agentSite) readClock(ctx context.Context) (int64, error) {
	answer, err := s.ask(ctx, http.MethodGet, "/clock", nil)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	var r reading
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxSentence))
	if err != nil {
		return 0, s.unreachable(err)
	}
	if err := json.Unmarshal(text, &r); err != nil || r.Protocol == 0 {
		return 0, fmt.Errorf("%s is none: what answers there is another program", s.who)
	}
	if err := protocolError(r.Protocol, agentProtocol); err != nil {
		return 0, fmt.Errorf("%s cannot be used: %w", s.who, err)
	}
	return r.Now, nil
}

// ask sends a request. An answer other than 200 is an error that says what the agent
// says; *statusError has the number.
func (s *agentSite) ask(ctx context.Context, method, path string, body any) (*http.Response, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://"+s.address+path, bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("%q is no agent's address: write host:port", s.address)
	}
	if s.token != "" {
		r.Header.Set("Authorization", "Bearer "+s.token)
	}
	answer, err := s.client.Do(r)
	if err != nil {
		return nil, s.unreachable(err)
	}
	if answer.StatusCode == http.StatusOK {
		return answer, nil
	}
	defer answer.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(answer.Body, maxSentence))
	return nil, &statusError{answer.StatusCode, s.refusal(answer.StatusCode, sentence(string(said)))}
}

// statusError is an agent's answer that is not 200.
type statusError struct {
	status int
	text   string
}

func (e *statusError) Error() string { return e.text }

func (s *agentSite) refusal(status int, said string) string {
	switch {
	case status == http.StatusUnauthorized && s.token == "":
		return s.who + " wants a token: give it by --token or ROOST_TOKEN"
	case status == http.StatusUnauthorized:
		return s.who + " has another token than the one given"
	case status == http.StatusConflict:
		return s.who + " is busy with another run"
	case status == http.StatusBadRequest && said != "":
		return s.who + " cannot do its part: " + said
	}
	return fmt.Sprintf("%s answers %d %s: is it an agent at all?", s.who, status, http.StatusText(status))
}

func (s *agentSite) unreachable(err error) error {
	return fmt.Errorf("%s cannot be reached: %s", s.who, reason(err))
}

// reason is the core of an error of the network, without what the message around it
// says anyway.
func reason(err error) string {
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err
	}
	if isTimeout(err) {
		return "no answer in time"
	}
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	var call *os.SyscallError
	if errors.As(err, &call) {
		err = call.Err
	}
	return err.Error()
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}
