package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/roostws/roost/internal/certs"
	"github.com/roostws/roost/server"
)

// tlsFlags are what a server speaks TLS by.
type tlsFlags struct {
	TLSCert       string `group:"tls" name:"tls-cert" placeholder:"FILE" help:"Speak TLS (https and wss) with this certificate, a PEM file with its chain. It is loaded again when the file changes."`
	TLSKey        string `group:"tls" name:"tls-key" placeholder:"FILE" help:"The certificate's key, a PEM file."`
	TLSSelfSigned bool   `group:"tls" name:"tls-self-signed" help:"Speak TLS with a certificate made now that nobody trusts, for trying out."`
	TLSAddr       string `group:"tls" name:"tls-addr" placeholder:"ADDR" help:"Speak TLS at this address, and plain HTTP at --addr. Default: TLS at --addr, and nothing plain."`
}

// apply sets Config.TLS.
func (f *tlsFlags) apply(_ context.Context, c *server.Config) error {
	switch {
	case f.TLSSelfSigned && (f.TLSCert != "" || f.TLSKey != ""):
		return errors.New("--tls-self-signed makes a certificate of its own: leave out --tls-cert and --tls-key")
	case (f.TLSCert == "") != (f.TLSKey == ""):
		return errors.New("--tls-cert and --tls-key belong together: give both")
	case f.TLSSelfSigned:
		host, _, _ := net.SplitHostPort(f.TLSAddr)
		cert, err := certs.SelfSigned(selfSignedHosts(host)...)
		if err != nil {
			return err
		}
		c.TLS = certs.Config(certs.Fixed(cert))
	case f.TLSCert != "":
		store, err := certs.Load(nil, certs.Files{Cert: f.TLSCert, Key: f.TLSKey})
		if err != nil {
			return fmt.Errorf("--tls-cert and --tls-key: %w", err)
		}
		c.TLS = certs.Config(store.Certificate)
	case f.TLSAddr != "":
		return errors.New("--tls-addr needs --tls-cert and --tls-key, or --tls-self-signed")
	}
	return nil
}

// selfSignedHosts are names beside those of this machine that a certificate is made for.
func selfSignedHosts(host string) (all []string) {
	if name, err := os.Hostname(); err == nil {
		all = append(all, name)
	}
	if ip := net.ParseIP(host); host != "" && (ip == nil || !ip.IsUnspecified()) {
		all = append(all, host)
	}
	return all
}

// listener is a server or what serves with one.
type listener interface {
	Listen(addr string) (net.Addr, error)
	ListenTLS(addr string) (net.Addr, error)
}

// listen has s listen as the flags want, and tells where. greeting gets the address, and an "s" where TLS is spoken.
func (f *tlsFlags) listen(s listener, addr, greeting string) error {
	secure := f.TLSSelfSigned || f.TLSCert != ""
	if !secure || f.TLSAddr != "" {
		at, err := s.Listen(addr)
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, greeting, at, "")
	}
	if !secure {
		return nil
	}
	if f.TLSAddr != "" {
		addr = f.TLSAddr
	}
	at, err := s.ListenTLS(addr)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, greeting, at, "s")
	return nil
}
