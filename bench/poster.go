package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/roostws/roost/bench/report"
)

// poster publishes over HTTP, for servers whose messages come from their backend.
type poster struct {
	l      *loop
	url    string
	client *http.Client
	ctx    context.Context
	cancel context.CancelFunc
	under  int // requests under way; of the loop
	awaits int // of those, how many are measured
	over   bool
	tasks  sync.WaitGroup
}

// maxPosts is how many requests are under way at most. One that is due meanwhile is
// unsent.
const maxPosts = 64

func newPoster(l *loop, url string) *poster {
	ctx, cancel := context.WithCancel(context.Background())
	return &poster{
		l: l, url: url, ctx: ctx, cancel: cancel,
		client: &http.Client{
			Timeout:   time.Duration(l.config.Connect.Timeout),
			Transport: &http.Transport{MaxIdleConnsPerHost: maxPosts, Proxy: http.ProxyFromEnvironment},
		},
	}
}

// post sends a body. It is called on the loop and does not wait.
func (p *poster) post(body []byte, measured bool) {
	if p.under == maxPosts {
		if measured {
			p.l.rec.Unsent++
		}
		return
	}
	p.under++
	if measured {
		p.awaits++
	}
	p.tasks.Go(func() {
		kind, err := p.send(body)
		p.l.post(func() { p.posted(kind, err, measured) })
	})
}

func (p *poster) posted(kind string, err error, measured bool) {
	p.under--
	if err != nil {
		p.l.rec.failure(kind, err.Error())
	}
	if !measured || p.over {
		return
	}
	p.awaits--
	if err != nil {
		p.l.rec.Unsent++
	} else {
		p.l.rec.Published++
	}
}

// finish counts the requests that are still under way: whether they published is not
// known.
func (p *poster) finish() {
	p.over = true
	p.l.rec.Unsent += int64(p.awaits)
}

func (p *poster) send(body []byte) (kind string, err error) {
	r, err := http.NewRequestWithContext(p.ctx, http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return report.PublishFailed, err
	}
	r.Header.Set("Content-Type", "application/octet-stream")
	if p.l.config.Messages.Type == "text" {
		r.Header.Set("Content-Type", "text/plain; charset=utf-8")
	}
	answer, err := p.client.Do(r)
	if err != nil {
		return report.PublishFailed, err
	}
	defer answer.Body.Close()
	// Read to its end, the connection can be used again.
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 1<<20))
	if answer.StatusCode/100 != 2 {
		return report.PublishFailed, fmt.Errorf("posting a message was answered with %s", answer.Status)
	}
	return "", nil
}

func (p *poster) idle() bool { return p.under == 0 }

func (p *poster) close() {
	p.cancel()
	p.tasks.Wait()
	p.client.CloseIdleConnections()
}
