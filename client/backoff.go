package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/gobwas/ws"
)

const (
	// longestRetryAfter bounds what a server may ask for.
	longestRetryAfter = time.Hour
	// afterAbuse is the least wait when the server closed with 4429: too many requests, to which a Close frame can add no number.
	afterAbuse = 30 * time.Second

	statusTooManyRequests ws.StatusCode = 4429
	statusUnauthorized    ws.StatusCode = 4401
)

// backoff is how long to wait before each try: exponential, with full jitter, so that the clients of a server that was restarted do
// not come back in waves: a random time between zero and base doubled with each try that failed, but no more than limit
// (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
type backoff struct {
	base, limit time.Duration
	random      func(n int64) int64 // at least 0, less than n
	tries       int                 // that failed since the last one that lasted
}

func newBackoff(base, limit time.Duration) backoff {
	return backoff{base: base, limit: limit, random: rand.Int64N}
}

// next returns the wait after err, which a server may have lengthened. Its jitter is added to what the server asked for, as all its
// clients were told the same.
func (b *backoff) next(err error) time.Duration {
	window := b.base
	for i := 0; i < b.tries && window < b.limit; i++ {
		window *= 2
	}
	b.tries++
	return askedFor(err, time.Now()) + time.Duration(b.random(int64(min(window, b.limit))+1))
}

func (b *backoff) reset() { b.tries = 0 }

// askedFor is how long the server wants not to be tried: Retry-After of a 429 and a 503, in seconds or as a date (RFC 9110, section
// 10.2.3).
func askedFor(err error, now time.Time) time.Duration {
	var closed *CloseError
	if errors.As(err, &closed) && closed.Code == statusTooManyRequests {
		return afterAbuse
	}
	var refused *HandshakeError
	if !errors.As(err, &refused) || refused.Status != http.StatusTooManyRequests && refused.Status != http.StatusServiceUnavailable {
		return 0
	}
	value := refused.Header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil {
		return min(time.Duration(seconds)*time.Second, longestRetryAfter)
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(0, at.Sub(now)), longestRetryAfter)
	}
	return 0
}

// Hopeless is the GiveUp of a Session that has none: it reports whether err is one that another try will not mend. These are
//
//   - a URL or a Config that cannot work;
//   - handshakes refused with 400, 401, 403, 404, 426, and 407 by a proxy;
//   - Close frames with 1002, 1003, 1007, 1008, 1010 (we are what the server will not have), and 4401 (the token is not good).
//
// An application that can get a new token in OnConnect should not give up at 401 and 4401.
func Hopeless(err error) bool {
	var wrong mistake
	var refused *HandshakeError
	var closed *CloseError
	switch {
	case errors.As(err, &wrong):
		return true
	case errors.As(err, &refused):
		return slices.Contains([]int{400, 401, 403, 404, 407, 426}, refused.Status)
	case errors.As(err, &closed):
		return slices.Contains([]ws.StatusCode{
			ws.StatusProtocolError, ws.StatusUnsupportedData, ws.StatusInvalidFramePayloadData, ws.StatusPolicyViolation,
			ws.StatusMandatoryExt, statusUnauthorized,
		}, closed.Code)
	}
	return false
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return contextError(ctx)
	}
}
