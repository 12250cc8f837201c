package main

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/roostws/roost/bench/compare/results"
	"github.com/roostws/roost/internal/certs"
)

// writeCertificate makes the certificate of all servers, in a new directory below dir.
func writeCertificate(dir string) (string, error) {
	pair, err := certs.SelfSigned()
	if err != nil {
		return "", err
	}
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		return "", err
	}
	into, err := os.MkdirTemp(dir, "tls-")
	if err != nil {
		return "", err
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: pair.Certificate[0]},
		"key.pem":  {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(filepath.Join(into, name), pem.EncodeToMemory(block), 0o600); err != nil {
			return "", err
		}
	}
	return into, nil
}

// shaking is about how long TLS handshakes take.
func shaking(conns int) time.Duration { return time.Duration(conns) * 700 * time.Microsecond }

func wssTrials(r *rig) []trial {
	cases := []echoCase{{conns: 200, size: 20}, {conns: 1000, size: 512}}
	if r.quick {
		cases = cases[:1]
	}
	var trials []trial
	for _, c := range cases {
		trials = append(trials, trial{
			work: results.WSS, name: fmt.Sprintf("%dx%d", c.conns, c.size),
			takes: r.warmup + r.seconds + opening(c.conns) + shaking(c.conns) + starting, measure: c.measureTLS,
		})
	}
	if r.quick {
		return trials
	}
	n := r.stages().all()
	return append(trials, trial{
		work: results.WSS, name: "idle", takes: starting + opening(n) + shaking(n) + 2*r.calm, once: true, measure: idleTLS,
	})
}

// measureTLS finds what the server can do. The floor's echo is plain.
func (e echoCase) measureTLS(ctx context.Context, r *rig, p *program) outcome {
	o := newOutcome()
	s, err := r.start(ctx, p, echoMode, p.kind != results.Floor)
	if o.failed(err) {
		return o
	}
	defer s.end()
	e.closedLoop(ctx, r, s, &o)
	return o
}

// idleTLS takes the slope of memory. The floor has none to speak of.
func idleTLS(ctx context.Context, r *rig, p *program) outcome {
	o := newOutcome()
	s, err := r.start(ctx, p, echoMode, p.kind != results.Floor)
	if o.failed(err) {
		return o
	}
	defer s.end()
	idleCase{}.slope(ctx, r, s, &o)
	delete(o.values, "kernel_bytes")
	return o
}
