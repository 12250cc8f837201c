package client

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roostws/roost/wsproto"
)

func TestTheWindowOfTheBackoff(t *testing.T) {
	b := newBackoff(500*time.Millisecond, 3*time.Second)
	least, most := func(int64) int64 { return 0 }, func(n int64) int64 { return n - 1 }
	for _, want := range []time.Duration{500, 1000, 2000, 3000, 3000} {
		b.random = most
		if got := b.next(nil); got != want*time.Millisecond {
			t.Errorf("after %d tries %v at most, want %v", b.tries, got, want*time.Millisecond)
		}
		b.tries--
		b.random = least
		if got := b.next(nil); got != 0 {
			t.Errorf("after %d tries %v at least", b.tries, got)
		}
	}
	b.reset()
	b.random = most
	if got := b.next(nil); got != 500*time.Millisecond {
		t.Errorf("after a reset %v at most", got)
	}
	b.tries = 1 << 30 // doubling ends at the limit
	if got := b.next(nil); got != 3*time.Second {
		t.Errorf("at last %v at most", got)
	}
	b.base = 5 * time.Second
	if got := b.next(nil); got != 3*time.Second {
		t.Errorf("with a base above the limit %v at most", got)
	}
}

func TestTheJitterIsFull(t *testing.T) {
	b := newBackoff(time.Second, time.Second)
	low, high := 0, 0
	for range 1000 {
		switch w := b.next(nil); {
		case w < 0 || w > time.Second:
			t.Fatalf("waits %v", w)
		case w < 100*time.Millisecond:
			low++
		case w > 900*time.Millisecond:
			high++
		}
	}
	if low < 20 || high < 20 { // 100 each are to be expected
		t.Errorf("of 1000 waits %d are in the first tenth and %d in the last", low, high)
	}
}

func TestWhatAServerAsksFor(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	after := func(status int, value string) error {
		return fmt.Errorf("wrapped: %w", &HandshakeError{Status: status, Header: http.Header{"Retry-After": {value}}})
	}
	tests := []struct {
		err  error
		want time.Duration
	}{
		{nil, 0},
		{errUnreachable, 0},
		{after(429, "7"), 7 * time.Second},
		{after(503, "0"), 0},
		{after(503, "3600"), time.Hour},
		{after(503, "3601"), time.Hour},
		{after(503, "4294967295"), time.Hour},
		{after(503, "4294967296"), 0},
		{after(503, "-1"), 0},
		{after(503, "soon"), 0},
		{after(503, ""), 0},
		{after(500, "7"), 0},
		{after(429, "Fri, 02 Jan 2026 03:04:15 GMT"), 10 * time.Second},
		{after(429, "Fri, 02 Jan 2026 03:04:00 GMT"), 0},
		{after(429, "Sat, 03 Jan 2026 03:04:15 GMT"), time.Hour},
		{&HandshakeError{Status: 429}, 0},
		{&goneError{&CloseError{Code: 4429}}, 30 * time.Second},
		{&goneError{&CloseError{Code: 1013}}, 0},
	}
	for _, tt := range tests {
		if got := askedFor(tt.err, now); got != tt.want {
			t.Errorf("%v: %v, want %v", tt.err, got, tt.want)
		}
		b := newBackoff(time.Second, time.Second)
		b.random = func(n int64) int64 { return n - 1 }
		if got := b.next(tt.err); tt.want == 7*time.Second && got != 8*time.Second {
			t.Errorf("%v: waits %v, without jitter", tt.err, got)
		}
	}
}

func TestHopeless(t *testing.T) {
	hopeless := map[int]bool{400: true, 401: true, 403: true, 404: true, 407: true, 426: true}
	for status := 100; status < 600; status++ {
		if got := Hopeless(fmt.Errorf("wrapped: %w", &HandshakeError{Status: status})); got != hopeless[status] {
			t.Errorf("%d: %v", status, got)
		}
	}
	codes := map[ws.StatusCode]bool{1002: true, 1003: true, 1007: true, 1008: true, 1010: true, 4401: true}
	for code := ws.StatusCode(1000); code < 5000; code++ {
		if got := Hopeless(&goneError{&CloseError{Code: code}}); got != codes[code] {
			t.Errorf("%d: %v", code, got)
		}
	}
	for _, err := range []error{nil, errUnreachable, ErrSilent, &wsproto.ProtocolError{Code: 1002}, errors.New("x")} {
		if Hopeless(err) {
			t.Errorf("%v", err)
		}
	}
}
