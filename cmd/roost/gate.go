package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/roostws/roost/gate"
	"github.com/roostws/roost/server"
)

// gateFlags are who may come in, and how much of everything.
type gateFlags struct {
	AllowOrigin []string `group:"gate" aliases:"origin" placeholder:"ORIGIN" help:"A web origin whose pages may connect beside those of this server, such as https://app.example.com or https://*.example.com; * stands for all. Can be given several times."`

	MaxConnsPerIP   int      `group:"gate" name:"max-conns-per-ip" placeholder:"N" help:"Connections of one address at once, more get 429 (no limit)."`
	HandshakesPerIP float64  `group:"gate" name:"handshakes-per-ip" placeholder:"N" help:"Handshakes of one address a second, with a burst of ten seconds' worth; more get 429 (no limit)."`
	Unlimited       []string `group:"gate" placeholder:"CIDR" help:"Addresses that these two do not hold for."`
	MessageRate     int      `group:"gate" placeholder:"N" help:"Messages a second that one connection may send; more end it with 4429 (no limit)."`
	ByteRate        int      `group:"gate" placeholder:"N" help:"Bytes a second that one connection may send; more end it with 4429 (no limit)."`

	ProxyProtocol gate.ProxyMode        `group:"gate" default:"off" placeholder:"MODE" help:"The PROXY protocol of a proxy in front: off, optional or required (${default})."`
	Forwarded     gate.ForwardingHeader `group:"gate" default:"off" placeholder:"HEADER" help:"The header in which a proxy in front tells the client's address: off, x-forwarded-for or forwarded (${default})."`
	TrustedProxy  []string              `group:"gate" placeholder:"CIDR" help:"Where the proxies are whose word is believed. Can be given several times."`

	Compress compression `group:"gate" default:"off" placeholder:"HOW" help:"permessage-deflate: off, shared (no memory for a connection) or dedicated (smaller messages, for up to 36 KiB a connection) (${default})."`
}

// compression is a server.Compression on the command line.
type compression server.Compression

// UnmarshalText reads off, shared or dedicated.
func (c *compression) UnmarshalText(text []byte) error {
	for i, name := range []string{"off", "shared", "dedicated"} {
		if name == string(text) {
			*c = compression(i)
			return nil
		}
	}
	return fmt.Errorf("%q is no kind of compression: want off, shared or dedicated", text)
}

func (f *gateFlags) apply(_ context.Context, c *server.Config) error {
	trusted, err := gate.ParsePrefixes(f.TrustedProxy...)
	if err != nil {
		return fmt.Errorf("--trusted-proxy: %w", err)
	}
	exempt, err := gate.ParsePrefixes(f.Unlimited...)
	if err != nil {
		return fmt.Errorf("--unlimited: %w", err)
	}
	believes := f.ProxyProtocol != gate.ProxyOff || f.Forwarded != gate.ForwardingOff
	if believes && trusted.Empty() {
		return errors.New("--proxy-protocol and --forwarded need --trusted-proxy: say where the proxies are, else anybody could claim any address")
	}
	if !believes && !trusted.Empty() {
		return errors.New("--trusted-proxy has no effect without --proxy-protocol or --forwarded")
	}
	c.ProxyProtocol = gate.ProxyProtocol{Mode: f.ProxyProtocol, Trusted: trusted}
	c.Forwarding = gate.Forwarding{Header: f.Forwarded, Trusted: trusted}
	c.PerAddress = gate.LimiterConfig{Conns: f.MaxConnsPerIP, Handshakes: f.HandshakesPerIP, Exempt: exempt}
	c.Rates = gate.RatesConfig{Messages: f.MessageRate, Bytes: f.ByteRate}
	if f.ByteRate > 0 { // a message of the largest size must be able to come
		c.Rates.ByteBurst = max(f.ByteRate, server.DefaultMaxMessage)
	}
	c.Compression = server.Compression(f.Compress)
	return nil
}
