package auth

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// oct is a set with one secret.
func oct(kid string, k []byte) []byte { return jwks(claims{"kty": "oct", "kid": kid, "k": b64(k)}) }

// has says whether a set verifies a token of the key with that id.
func has(t *testing.T, s *KeySet, kid string) bool {
	t.Helper()
	_, err := verifier(t, Config{Keys: s}).Verify([]byte(token(claims{"alg": "HS256", "kid": kid}, good(), secret)))
	return err == nil
}

// replace puts a file in the place of another, as deployments do.
func replace(t *testing.T, name string, content []byte) {
	t.Helper()
	next := name + ".next"
	if err := os.WriteFile(next, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, name); err != nil {
		t.Fatal(err)
	}
}

func TestAFileOfKeys(t *testing.T) {
	name := filepath.Join(t.TempDir(), "keys.json")
	replace(t, name, oct("a", secret))
	s, err := OpenKeySet(name)
	if err != nil {
		t.Fatal(err)
	}
	reload := func() error { return s.Reload(t.Context()) }
	before := s.keys.Load()
	if err := reload(); err != nil || s.keys.Load() != before {
		t.Errorf("a file that has not changed is read again: %v", err)
	}
	replace(t, name, oct("b", secret))
	if err := reload(); err != nil || has(t, s, "a") || !has(t, s, "b") {
		t.Errorf("after a change: %v", err)
	}
	replace(t, name, []byte("{"))
	for range 2 { // it stays wrong
		wantError(t, reload(), "this is no JWKS")
	}
	if !has(t, s, "b") {
		t.Error("after a bad file the old keys are gone")
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if err := reload(); !errors.Is(err, os.ErrNotExist) || !has(t, s, "b") {
		t.Errorf("without the file: %v", err)
	}
	replace(t, name, append(oct("c", secret), strings.Repeat(" ", maxJWKS)...))
	wantError(t, reload(), "more than a mebibyte")
	replace(t, name, oct("c", secret))
	if err := reload(); err != nil || !has(t, s, "c") {
		t.Errorf("when all is well again: %v", err)
	}
	if err := os.WriteFile(name, oct("longer", secret), 0o600); err != nil { // in place
		t.Fatal(err)
	}
	if err := reload(); err != nil || !has(t, s, "longer") {
		t.Errorf("after a change in place: %v", err)
	}
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, oct("the same moment", secret), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(name, time.Time{}, info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if err := reload(); err != nil || !has(t, s, "the same moment") {
		t.Errorf("after a change at the same moment: %v", err)
	}
	for _, missing := range []string{name + ".none", t.TempDir()} {
		if _, err := OpenKeySet(missing); err == nil {
			t.Errorf("%s is a file of keys", missing)
		}
	}
}

func TestKeysThatStay(t *testing.T) {
	s := keySet(t, map[string]any{"a": secret})
	s.Watch(t.Context(), time.Second, func(err error) { t.Error(err) }) // returns
	if err := s.Reload(t.Context()); err != nil || !has(t, s, "a") || has(t, s, "b") {
		t.Error(err)
	}
}

// scripted is a source of keys that is told what to return.
type scripted struct {
	mu             sync.Mutex
	reads, forgets int
	b              []byte
	err            error
}

func (s *scripted) read(context.Context) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	return s.b, s.err
}

func (s *scripted) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgets++
}

func (s *scripted) set(b []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.b, s.err = b, err
}

func (s *scripted) counts() (reads, forgets int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads, s.forgets
}

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &scripted{b: oct("a", secret)}
		s, err := newSourced(t.Context(), source)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var failures []string
		ended := make(chan struct{})
		go func() {
			s.Watch(ctx, 100*time.Second, func(err error) { failures = append(failures, err.Error()) })
			close(ended)
		}()
		wait := func(d time.Duration, reads int) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			if got, _ := source.counts(); got != reads {
				t.Fatalf("%d reads, want %d", got, reads)
			}
		}
		wait(99*time.Second, 1)
		source.set(oct("b", secret), nil)
		wait(time.Second, 2)
		if has(t, s, "c") { // asks for keys
			t.Fatal("an unknown key")
		}
		source.set(oct("c", secret), nil)
		wait(9*time.Second, 2) // but not so soon
		wait(time.Second, 3)
		if !has(t, s, "c") {
			t.Fatal("the key that was asked for is not there")
		}
		source.set(nil, errors.New("broken"))
		wait(100*time.Second, 4)
		source.set([]byte("{"), nil)
		wait(100*time.Second, 5)
		cancel()
		<-ended
		_, forgets := source.counts()
		if len(failures) != 2 || failures[0] != "broken" || !strings.Contains(failures[1], "no JWKS") || forgets != 1 || !has(t, s, "c") {
			t.Errorf("%q, forgotten %d times", failures, forgets)
		}
	})
}

func TestWatchEndsWhileItWaitsForItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &scripted{b: oct("a", secret)}
		s, err := newSourced(t.Context(), source)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		s.Watch(ctx, 0, nil) // as a second
		if got, _ := source.counts(); got != 1 {
			t.Errorf("%d reads", got)
		}
		ctx, cancel = context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		s.Watch(ctx, 0, nil)
		if got, _ := source.counts(); got != 1 {
			t.Errorf("%d reads", got)
		}
		source.set(nil, errors.New("broken"))
		ctx, cancel = context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		s.Watch(ctx, 0, nil) // nobody is told
		if got, _ := source.counts(); got != 2 {
			t.Errorf("%d reads", got)
		}
	})
}

func TestFetchedKeys(t *testing.T) {
	var answer atomic.Pointer[func(http.ResponseWriter, *http.Request)]
	set := func(f func(http.ResponseWriter, *http.Request)) { answer.Store(&f) }
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*answer.Load())(w, r) }))
	defer srv.Close()
	client := srv.Client()
	defer client.CloseIdleConnections()
	keys := func(kid, tag string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) {
			if tag != "" && r.Header.Get("If-None-Match") == tag {
				w.WriteHeader(http.StatusNotModified)
				return
			}
			if tag != "" {
				w.Header().Set("ETag", tag)
			}
			w.Write(oct(kid, secret))
		}
	}
	set(keys("a", `"1"`))
	s, err := FetchKeySet(t.Context(), srv.URL, client)
	if err != nil || !has(t, s, "a") {
		t.Fatal(err)
	}
	before := s.keys.Load()
	if err := s.Reload(t.Context()); err != nil || s.keys.Load() != before {
		t.Errorf("keys that have not changed: %v", err)
	}
	set(keys("b", `"2"`))
	if err := s.Reload(t.Context()); err != nil || !has(t, s, "b") {
		t.Errorf("keys that have changed: %v", err)
	}
	for what, f := range map[string]func(http.ResponseWriter, *http.Request){
		"answers 500":          func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		"no JWKS":              func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>")) },
		"more than a mebibyte": func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, maxJWKS+1)) },
		"answers 304":          func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(304) }, // there is no tag any more
		"unexpected EOF": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9")
			w.Write([]byte("{"))
		},
	} {
		if what == "answers 304" {
			s.source.forget()
		}
		set(f)
		wantError(t, s.Reload(t.Context()), what)
		if !has(t, s, "b") {
			t.Errorf("%s: the old keys are gone", what)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Reload(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
	for _, address := range []string{"", "http://example.com/keys", "ftp://127.0.0.1/", "https://", "/keys", "https://exa mple"} {
		_, err := FetchKeySet(t.Context(), address, client)
		wantError(t, err, "want an https address")
	}
}
