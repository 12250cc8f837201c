package feed

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/time/rate"

	"github.com/roostws/roost/server"
)

// StatusTooManyRequests is the close code for a client whose requests were refused too often; private use (RFC 6455 7.4.2),
// after HTTP's 429.
const StatusTooManyRequests ws.StatusCode = 4429

// session is what the feed keeps for a connection from its first request on.
type session struct {
	feed *Feed
	conn *server.Conn

	mu        sync.Mutex // a handler holds it from a reply to the subscriptions that belong after it
	following [streams]bool
	subs      []*channel // sorted by index
	requests  *rate.Limiter
	refused   *rate.Limiter
}

func newSession(f *Feed, c *server.Conn) *session {
	return &session{
		feed: f, conn: c,
		requests: rate.NewLimiter(rate.Limit(f.config.RequestRate), f.config.RequestBurst),
		refused:  rate.NewLimiter(1, f.config.MaxRefused),
	}
}

// handle answers one request.
func (s *session) handle(m server.Message, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var r request
	failure := refused(CodeBadJSON, "a request is a text message, not a binary one")
	if m.Op == ws.OpText {
		r, failure = parseRequest(m.Payload, s.feed.config.MaxSubscriptions)
	}
	if failure == nil {
		failure = s.admit(now)
	}
	s.feed.metrics.request(r.op)
	if failure != nil {
		s.refuse(&r, failure, now)
		return
	}
	out := reply{Type: "reply", Op: r.op, ID: r.id, OK: true}
	switch r.op {
	case opSubscribe:
		s.subscribe(&out, r.channels)
	case opUnsubscribe:
		s.unsubscribe(&out, r.channels)
	case opList:
		out.Symbols = s.feed.board.listed()
		out.Subscribed = s.names()
		s.send(out)
	case opPing:
		out.TS = now.UnixMilli()
		s.send(out)
	}
}

// admit takes a request from the bucket.
func (s *session) admit(now time.Time) *requestError {
	r := s.requests.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait == 0 {
		return nil
	}
	r.CancelAt(now)
	failure := refused(CodeRateLimited, "too many requests: %v a second, and %d at once, are welcome", s.feed.config.RequestRate, s.feed.config.RequestBurst)
	failure.RetryAfter = wait.Milliseconds() + 1
	return failure
}

// refuse answers a request that fails as a whole, and closes the connection of a client that does not learn from it.
func (s *session) refuse(r *request, failure *requestError, now time.Time) {
	s.feed.metrics.failure(failure.Code)
	s.send(reply{Type: "reply", Op: r.op, ID: r.id, Error: failure})
	if !s.refused.AllowN(now, 1) {
		s.conn.Close(StatusTooManyRequests, fmt.Sprintf("too many refused requests, the last for %s", failure.Code))
	}
}

func (s *session) send(v any) { s.conn.Send(ws.OpText, encode(v)) }

// subscribe answers first and subscribes then: no data comes before the reply.
func (s *session) subscribe(out *reply, names []string) {
	var added []*channel
	for _, name := range names {
		o := outcome{Ch: name}
		var chs []*channel
		chs, o.Error = s.resolve(name)
		if k, wildcard := wildcards[name]; wildcard && o.Error == nil {
			s.following[k] = true
			o.Symbols = symbols(chs)
		}
		for _, ch := range chs {
			if i, found := s.search(ch); !found {
				s.subs = slices.Insert(s.subs, i, ch)
				added = append(added, ch)
			}
		}
		out.add(o, s.feed.metrics)
	}
	s.send(out)
	for _, ch := range added {
		// It fails only when the connection is closing, and then nobody misses anything.
		_ = s.conn.Subscribe(ch.topic)
	}
	if len(added) > 0 || s.followsAny() {
		s.feed.subscribed()
	}
}

// resolve returns the channels that a name to be subscribed to stands for, as far as there is room for them.
func (s *session) resolve(name string) (chs []*channel, failure *requestError) {
	k, wildcard := wildcards[name]
	if wildcard {
		chs = s.feed.board.follow(s, k)
	} else if ch := s.feed.board.find(name); ch != nil {
		chs = []*channel{ch}
	} else {
		return nil, refused(CodeUnknownChannel, "there is no such channel: list names the symbols")
	}
	room := s.feed.config.MaxSubscriptions - len(s.subs)
	for _, ch := range chs {
		if _, found := s.search(ch); !found {
			room--
		}
	}
	if room >= 0 {
		return chs, nil
	}
	if wildcard && !s.following[k] {
		s.feed.board.unfollow(s, k)
	}
	return nil, s.tooMany()
}

func (s *session) tooMany() *requestError {
	return refused(CodeTooManySubscriptions, "a connection may have %d subscriptions", s.feed.config.MaxSubscriptions)
}

// unsubscribe ends subscriptions and answers then: no data comes after the reply.
func (s *session) unsubscribe(out *reply, names []string) {
	for _, name := range names {
		o := outcome{Ch: name}
		if k, wildcard := wildcards[name]; wildcard {
			s.following[k] = false
			s.feed.board.unfollow(s, k)
			o.Symbols = symbols(s.leaveAll(k))
		} else if ch := s.feed.board.find(name); ch != nil {
			if i, found := s.search(ch); found {
				s.subs = slices.Delete(s.subs, i, i+1)
				_ = s.conn.Unsubscribe(ch.topic)
			}
		} else {
			o.Error = refused(CodeUnknownChannel, "there is no such channel: list names the symbols")
		}
		out.add(o, s.feed.metrics)
	}
	s.send(out)
}

// leaveAll ends the subscriptions to all channels of a stream, which it returns.
func (s *session) leaveAll(k stream) (left []*channel) {
	s.subs = slices.DeleteFunc(s.subs, func(ch *channel) bool {
		if ch.stream() != k {
			return false
		}
		left = append(left, ch)
		_ = s.conn.Unsubscribe(ch.topic)
		return true
	})
	return left
}

// offer subscribes a follower of a wildcard to a channel that is new.
func (s *session) offer(ch *channel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, found := s.search(ch)
	if found || !s.following[ch.stream()] {
		return
	}
	if len(s.subs) >= s.feed.config.MaxSubscriptions {
		s.send(notice{Type: "error", Ch: ch.name, Error: s.tooMany()})
		return
	}
	s.subs = slices.Insert(s.subs, i, ch)
	_ = s.conn.Subscribe(ch.topic)
}

// end forgets the session; its connection is closed, and with it all its subscriptions.
func (s *session) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range streams {
		if s.following[k] {
			s.following[k] = false
			s.feed.board.unfollow(s, k)
		}
	}
}

func (s *session) followsAny() bool { return slices.Contains(s.following[:], true) }

// search returns ch's place in subs, and whether it is there.
func (s *session) search(ch *channel) (int, bool) {
	return slices.BinarySearchFunc(s.subs, ch, func(a, b *channel) int { return a.index - b.index })
}

// names lists what the connection is subscribed to.
func (s *session) names() []string {
	names := make([]string, len(s.subs))
	for i, ch := range s.subs {
		names[i] = ch.name
	}
	return names
}

func symbols(chs []*channel) []string {
	names := make([]string, len(chs))
	for i, ch := range chs {
		names[i] = ch.symbol
	}
	return names
}
