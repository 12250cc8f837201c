package certs

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// lookEvery is how often the files are looked at, at most. It costs two system
// calls a pair.
const lookEvery = time.Second

// Store has the certificates of a server, loaded from files, and loads them
// again when the files change. It has no goroutine: the files are looked at in a
// handshake, once a second at most, and while they are, other handshakes go on
// with what there was.
type Store struct {
	log   *slog.Logger
	certs atomic.Pointer[[]*tls.Certificate] // in the order of Load's files

	looking sync.Mutex // protects what follows; nobody waits for it
	pairs   []pair
	looked  time.Time
}

// Load loads all the files; the error is that of the first pair that cannot be
// used. Later, a pair that cannot be used is an error in the log (nil:
// slog.Default()), once for each reason, and what was loaded of it before stays
// in use. A pair that was loaded again is logged too.
func Load(log *slog.Logger, files ...Files) (*Store, error) {
	if len(files) == 0 {
		return nil, errors.New("TLS needs a certificate and a key")
	}
	if log == nil {
		log = slog.Default()
	}
	s := &Store{log: log, pairs: make([]pair, len(files)), looked: time.Now()}
	for i := range s.pairs {
		s.pairs[i].files = files[i]
		if _, err := s.pairs[i].load(); err != nil {
			return nil, err
		}
	}
	s.publish()
	return s, nil
}

// Certificate chooses for a client: the first pair that it can use, by the name
// it asks for and the signatures it knows, else the first of all, whose name
// the client will object to. It is a tls.Config's GetCertificate, can be called
// from any goroutine, and reads files; it never fails.
func (s *Store) Certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	s.look()
	certs := *s.certs.Load()
	for _, cert := range certs {
		if len(certs) > 1 && hello.SupportsCertificate(cert) == nil {
			return cert, nil
		}
	}
	return certs[0], nil
}

// look loads what has changed, unless that was looked for a moment ago or
// somebody is at it.
func (s *Store) look() {
	if !s.looking.TryLock() {
		return
	}
	defer s.looking.Unlock()
	now := time.Now()
	if now.Sub(s.looked) < lookEvery {
		return
	}
	s.looked = now
	for i := range s.pairs {
		p := &s.pairs[i]
		news, err := p.load()
		switch {
		case !news:
		case err != nil:
			s.log.Error("a changed certificate was not loaded, the one from before stays in use", "error", err)
		default:
			s.log.Info("a certificate was loaded", "cert", p.files.Cert, "names", p.cert.Leaf.DNSNames,
				"expires", p.cert.Leaf.NotAfter)
		}
	}
	s.publish()
}

// publish shows the pairs to handshakes.
func (s *Store) publish() {
	certs := make([]*tls.Certificate, len(s.pairs))
	for i := range s.pairs {
		certs[i] = s.pairs[i].cert
	}
	s.certs.Store(&certs)
}
