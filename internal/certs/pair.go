package certs

import (
	"crypto/tls"
	"fmt"
	"os"
)

// Files names a certificate and its key, both in PEM. The first file has the
// certificate of the server and behind it those that lead to the authority.
type Files struct{ Cert, Key string }

// pair is what was last loaded from Files.
type pair struct {
	files   Files
	cert    *tls.Certificate
	seen    [2]os.FileInfo // of the files, before they were loaded last
	problem string         // why what is there now could not be loaded; "" if it was
}

// load loads the files if they have changed, or could not be loaded the last
// time. It tells whether anything is new: a certificate, or a problem. When the
// files are broken, the certificate that was loaded before stays.
func (p *pair) load() (news bool, err error) {
	seen, err := p.files.stat()
	if err == nil && p.problem == "" && p.cert != nil && sameFiles(seen, p.seen) {
		return false, nil
	}
	var cert tls.Certificate
	if err == nil {
		if cert, err = tls.LoadX509KeyPair(p.files.Cert, p.files.Key); err != nil {
			err = fmt.Errorf("the certificate %s and the key %s cannot be used: %w", p.files.Cert, p.files.Key, err)
		}
	}
	if err != nil {
		news = p.problem != err.Error()
		p.problem = err.Error()
		return news, err
	}
	p.cert, p.seen, p.problem = &cert, seen, ""
	return true, nil
}

// stat looks at the files before they are read, so that a change between the
// two is seen the next time.
func (f Files) stat() (seen [2]os.FileInfo, err error) {
	for i, name := range [2]string{f.Cert, f.Key} {
		if seen[i], err = os.Stat(name); err != nil { // follows links, as Kubernetes and certbot make
			return seen, fmt.Errorf("the certificate cannot be loaded: %w", err)
		}
	}
	return seen, nil
}

func sameFiles(a, b [2]os.FileInfo) bool {
	for i := range a {
		if !os.SameFile(a[i], b[i]) || a[i].Size() != b[i].Size() || !a[i].ModTime().Equal(b[i].ModTime()) {
			return false
		}
	}
	return true
}
