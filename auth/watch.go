package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"
)

// maxJWKS is how many bytes a set of keys may have.
const maxJWKS = 1 << 20

// OpenKeySet reads a file with a JWKS (RFC 7517). Watch follows its changes.
func OpenKeySet(file string) (*KeySet, error) {
	return newSourced(context.Background(), &keyFile{name: file})
}

// FetchKeySet gets a JWKS from an https address, or from an http one of this machine. It waits for the answer, until ctx ends.
// Watch follows its changes. A nil client is one with a timeout of ten seconds.
func FetchKeySet(ctx context.Context, address string, client *http.Client) (*KeySet, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && isLocal(u.Hostname())) {
		return nil, fmt.Errorf("auth: keys cannot be fetched from %q: want an https address", address)
	}
	if client == nil {
		client = &http.Client{Timeout: 10 * time.Second}
	}
	return newSourced(ctx, &keyAddress{url: address, client: client})
}

func isLocal(host string) bool { return host == "localhost" || host == "127.0.0.1" || host == "::1" }

func newSourced(ctx context.Context, source keySource) (*KeySet, error) {
	s := &KeySet{source: source, wake: make(chan struct{}, 1)}
	if err := s.Reload(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Reload reads the keys again, if they have changed. After an error the old ones stay. Not for loops: it waits for a file or the
// network. Do not call it from two goroutines at once, nor while Watch runs.
func (s *KeySet) Reload(ctx context.Context) error {
	if s.source == nil {
		return nil
	}
	b, err := s.source.read(ctx)
	if err != nil || b == nil {
		return err
	}
	set, err := parseJWKS(b)
	if err != nil {
		s.source.forget()
		return err
	}
	s.keys.Store(&set)
	return nil
}

// Watch reloads the keys every so often until ctx ends; every is at least a second. A token whose key is not known brings the next
// look forward, though not to less than a tenth of every after the last. failed, which may be nil, is told what went wrong. Run it
// in a goroutine; it returns at once for keys that stay as they are.
func (s *KeySet) Watch(ctx context.Context, every time.Duration, failed func(error)) {
	if s.source == nil {
		return
	}
	every = max(every, time.Second)
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(every / 10):
		}
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-time.After(every - every/10):
		}
		if err := s.Reload(ctx); err != nil && failed != nil && ctx.Err() == nil {
			failed(err)
		}
	}
}

// keyFile is a file with keys.
type keyFile struct {
	name string
	last os.FileInfo // of the file as it was read last
}

func (f *keyFile) read(context.Context) ([]byte, error) {
	file, err := os.Open(f.name)
	if err != nil {
		return nil, fmt.Errorf("auth: the file with keys: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("auth: the file with keys: %w", err)
	}
	if f.last != nil && os.SameFile(f.last, info) && f.last.ModTime().Equal(info.ModTime()) && f.last.Size() == info.Size() {
		return nil, nil
	}
	b, err := readAll(file)
	if err != nil {
		return nil, fmt.Errorf("auth: the file with keys, %s: %w", f.name, err)
	}
	f.last = info
	return b, nil
}

func (f *keyFile) forget() { f.last = nil }

// keyAddress is an address with keys.
type keyAddress struct {
	url    string
	client *http.Client
	tag    string // the ETag of what was read last
}

func (a *keyAddress) read(ctx context.Context) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url, nil)
	if err != nil {
		return nil, fmt.Errorf("auth: fetching the keys: %w", err)
	}
	if a.tag != "" {
		req.Header.Set("If-None-Match", a.tag)
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("auth: fetching the keys: %w", err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotModified && a.tag != "":
		return nil, nil
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("auth: fetching the keys: %s answers %s", a.url, resp.Status)
	}
	b, err := readAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("auth: fetching the keys from %s: %w", a.url, err)
	}
	a.tag = resp.Header.Get("ETag")
	return b, nil
}

func (a *keyAddress) forget() { a.tag = "" }

func readAll(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxJWKS+1))
	if err == nil && len(b) > maxJWKS {
		err = errors.New("there is more than a mebibyte of them")
	}
	return b, err
}
