package certs

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// check is for what cannot fail.
func check(err error) {
	if err != nil {
		panic(err)
	}
}

// made is a certificate and its key in PEM.
type made struct{ cert, key []byte }

// makePair makes a certificate for names. It is valid in the year 2000 too, where
// the clocks of synctest start.
func makePair(names ...string) made {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: names,
		NotBefore: time.Unix(0, 0), NotAfter: time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	check(err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	check(err)
	return made{
		cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		key:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	}
}

// rig is a store on files that a test changes.
type rig struct {
	t     *testing.T
	files Files
	store *Store
	log   bytes.Buffer
}

// age is the time of the next file that is written: a clock of the kernel's may
// stand still between two.
var age = time.Unix(1e9, 0)

func write(files Files, m made) {
	for name, content := range map[string][]byte{files.Cert: m.cert, files.Key: m.key} {
		check(os.WriteFile(name, content, 0o600))
		age = age.Add(time.Second)
		check(os.Chtimes(name, age, age))
	}
}

func filesIn(dir, name string) Files {
	return Files{Cert: filepath.Join(dir, name+".crt"), Key: filepath.Join(dir, name+".key")}
}

func newRig(t *testing.T, first made) *rig {
	r := &rig{t: t, files: filesIn(t.TempDir(), "server")}
	write(r.files, first)
	var err error
	if r.store, err = Load(slog.New(slog.NewTextHandler(&r.log, nil)), r.files); err != nil {
		t.Fatal(err)
	}
	return r
}

// shows returns the name of what the store shows now.
func (r *rig) shows() string {
	r.t.Helper()
	cert, err := r.store.Certificate(&tls.ClientHelloInfo{})
	if err != nil {
		r.t.Fatal(err)
	}
	return cert.Leaf.DNSNames[0]
}

func (r *rig) mustShow(want string) {
	r.t.Helper()
	if got := r.shows(); got != want {
		r.t.Errorf("the certificate of %s is shown, want %s's\n%s", got, want, &r.log)
	}
}

func (r *rig) mustHaveLogged(times int, text string) {
	r.t.Helper()
	if n := strings.Count(r.log.String(), text); n != times {
		r.t.Errorf("%q was logged %d times, want %d:\n%s", text, n, times, &r.log)
	}
}

const (
	logged = "a certificate was loaded"
	broken = "a changed certificate was not loaded"
)

func TestAChangedPairIsLoaded(t *testing.T) {
	a, b := makePair("a.test"), makePair("b.test")
	changes := map[string]func(Files){
		"written in place": func(f Files) { write(f, b) },
		"renamed over": func(f Files) {
			next := filesIn(filepath.Dir(f.Cert), "next")
			write(next, b)
			check(os.Rename(next.Cert, f.Cert))
			check(os.Rename(next.Key, f.Key))
		},
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, a)
				time.Sleep(lookEvery)
				r.mustShow("a.test")
				change(r.files)
				time.Sleep(lookEvery - 1)
				r.mustShow("a.test") // the files are not looked at yet
				time.Sleep(time.Nanosecond)
				r.mustShow("b.test")
				r.mustHaveLogged(1, logged)
				time.Sleep(time.Hour)
				r.mustShow("b.test")
				r.mustHaveLogged(1, logged)
				r.mustHaveLogged(0, broken)
			})
		})
	}
}

// TestALinkThatIsMovedIsSeen: so Kubernetes and certbot change certificates, and
// the files may be as long and as old as those before.
func TestALinkThatIsMovedIsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		for _, name := range []string{"one", "two"} {
			check(os.Mkdir(filepath.Join(dir, name), 0o700))
			files := filesIn(filepath.Join(dir, name), "server")
			m := makePair(name + ".test")
			m.cert = append(m.cert, bytes.Repeat([]byte("\n"), 2000-len(m.cert))...)
			m.key = append(m.key, bytes.Repeat([]byte("\n"), 2000-len(m.key))...)
			write(files, m)
			for _, f := range []string{files.Cert, files.Key} {
				check(os.Chtimes(f, time.Unix(1e9, 0), time.Unix(1e9, 0)))
			}
		}
		link := filepath.Join(dir, "live")
		check(os.Symlink("one", link))
		store, err := Load(slog.New(slog.DiscardHandler), filesIn(link, "server"))
		if err != nil {
			t.Fatal(err)
		}
		r := &rig{t: t, store: store}
		r.mustShow("one.test")
		check(os.Symlink("two", link+".new"))
		check(os.Rename(link+".new", link))
		time.Sleep(lookEvery)
		r.mustShow("two.test")
	})
}

func TestABrokenPairIsNotLoaded(t *testing.T) {
	a, b := makePair("a.test"), makePair("b.test")
	breaks := map[string]func(Files){
		"the key of another":  func(f Files) { check(os.WriteFile(f.Key, b.key, 0o600)) },
		"a certificate alone": func(f Files) { check(os.WriteFile(f.Cert, b.cert, 0o600)) },
		"no PEM":              func(f Files) { write(f, made{[]byte("no"), []byte("PEM")}) },
		"empty":               func(f Files) { write(f, made{}) },
		"half":                func(f Files) { write(f, made{b.cert[:len(b.cert)/2], b.key}) },
		"gone":                func(f Files) { check(os.Remove(f.Cert)); check(os.Remove(f.Key)) },
	}
	for name, breakIt := range breaks {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, a)
				breakIt(r.files)
				for range 3 {
					time.Sleep(lookEvery)
					r.mustShow("a.test")
				}
				r.mustHaveLogged(1, broken)
				r.mustHaveLogged(1, r.files.Cert)

				write(r.files, b) // the other half comes
				time.Sleep(lookEvery)
				r.mustShow("b.test")
				r.mustHaveLogged(1, logged)
				r.mustHaveLogged(1, broken)
			})
		})
	}
}

// TestAnotherReasonIsLoggedToo, and the same one again when it comes back.
func TestAnotherReasonIsLoggedToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := makePair("a.test")
		r := newRig(t, a)
		for i, m := range []made{{cert: a.cert}, {key: a.key}, a, {cert: a.cert}} {
			write(r.files, m)
			time.Sleep(lookEvery)
			r.mustShow("a.test")
			r.mustHaveLogged([]int{1, 2, 2, 3}[i], broken)
		}
		r.mustHaveLogged(1, logged)
	})
}

func TestOneBrokenPairDoesNotStopTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, makePair("a.test"))
		second := filesIn(t.TempDir(), "second")
		write(second, makePair("b.test"))
		var err error
		if r.store, err = Load(slog.New(slog.NewTextHandler(&r.log, nil)), r.files, second); err != nil {
			t.Fatal(err)
		}
		check(os.Remove(r.files.Key))
		write(second, makePair("c.test"))
		time.Sleep(lookEvery)
		r.mustShow("a.test")
		r.mustHaveLogged(1, broken)
		r.mustHaveLogged(1, logged)
		if got := serverOf(t, r.store, "c.test"); got != "c.test" {
			t.Errorf("the second pair is that of %s", got)
		}
	})
}

func TestLoadFails(t *testing.T) {
	good := filesIn(t.TempDir(), "good")
	write(good, makePair("a.test"))
	bad := filesIn(t.TempDir(), "bad")
	tests := map[string]struct {
		files []Files
		says  string
	}{
		"no files":           {nil, "needs a certificate"},
		"the second is gone": {[]Files{good, bad}, "bad.crt"},
		"the key is another": {[]Files{{Cert: good.Cert, Key: good.Cert}}, "cannot be used"},
		"the key is gone":    {[]Files{{Cert: good.Cert, Key: bad.Key}}, "bad.key"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if s, err := Load(nil, tt.files...); s != nil || err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("Load: %v, want %q", err, tt.says)
			}
		})
	}
}

// serverOf shakes hands with a server that has the store's certificates, and
// returns the first name of the one that it showed.
func serverOf(t *testing.T, s *Store, name string) string {
	t.Helper()
	a, b := sockets(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = tls.Server(b, Config(s.Certificate)).Handshake() // the client tells
	}()
	client := tls.Client(a, &tls.Config{ServerName: name, InsecureSkipVerify: true})
	if err := client.Handshake(); err != nil {
		t.Fatal(err)
	}
	<-done
	return client.ConnectionState().PeerCertificates[0].DNSNames[0]
}

func TestTheNameChooses(t *testing.T) {
	dir := t.TempDir()
	for name, names := range map[string][]string{"0": {"first.test"}, "1": {"second.test", "other.test"}, "2": {"*.wild.test"}} {
		write(filesIn(dir, name), makePair(names...))
	}
	s, err := Load(nil, filesIn(dir, "0"), filesIn(dir, "1"), filesIn(dir, "2"))
	if err != nil {
		t.Fatal(err)
	}
	for asked, want := range map[string]string{
		"first.test": "first.test", "second.test": "second.test", "other.test": "second.test",
		"a.wild.test": "*.wild.test", "wild.test": "first.test", "unknown.test": "first.test", "": "first.test",
	} {
		if got := serverOf(t, s, asked); got != want {
			t.Errorf("%q gets the certificate of %s, want %s", asked, got, want)
		}
	}
}

// TestManyHandshakesAtOnce is for the race detector.
func TestManyHandshakesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, makePair("a.test"))
		write(r.files, makePair("b.test"))
		time.Sleep(lookEvery)
		var group sync.WaitGroup
		for range 50 {
			group.Go(func() {
				if name := r.shows(); name != "a.test" && name != "b.test" {
					t.Errorf("the certificate of %s is shown", name)
				}
			})
		}
		group.Wait()
		r.mustShow("b.test")
		r.mustHaveLogged(1, logged)
	})
}

// TestNobodyWaitsForTheFiles while somebody else looks at them.
func TestNobodyWaitsForTheFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, makePair("a.test"))
		write(r.files, makePair("b.test"))
		time.Sleep(lookEvery)
		r.store.looking.Lock()
		r.mustShow("a.test")
		r.store.looking.Unlock()
		r.mustShow("b.test")
	})
}

// TestFilesThatComeBackAreNews though they are those that were loaded.
func TestFilesThatComeBackAreNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, makePair("a.test"))
		away := r.files.Key + ".away"
		for i := range 2 {
			check(os.Rename(r.files.Key, away))
			time.Sleep(lookEvery)
			r.mustShow("a.test")
			r.mustHaveLogged(i+1, broken)
			check(os.Rename(away, r.files.Key))
			time.Sleep(lookEvery)
			r.mustShow("a.test")
			r.mustHaveLogged(i+1, logged)
		}
	})
}
