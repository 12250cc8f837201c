package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/roostws/roost/bench"
)

// loadCommand measures a WebSocket server, whichever it is.
type loadCommand struct {
	Idle     idleCommand     `cmd:"" help:"Open connections, hold them, answer pings; say how many live at the end and why each lost one went."`
	Echo     echoLoadCommand `cmd:"" help:"Send messages and time their echo: as fast as replies come, or by a schedule (--rate)."`
	Fanout   fanoutCommand   `cmd:"" help:"Publish to many subscribers; time the way to each, count who was reached."`
	Feed     feedLoadCommand `cmd:"" help:"Subscribe to a roost feed, check every chain of sequence numbers."`
	Churn    churnCommand    `cmd:"" help:"Connect and leave at a rate."`
	Storm    stormCommand    `cmd:"" help:"Drop all connections at once and come back at once; time to full service."`
	Slow     slowCommand     `cmd:"" help:"Let a share of the clients read slowly or never, measure the others."`
	HalfOpen halfOpenCommand `cmd:"" name:"halfopen" help:"Let a share of the clients vanish without a word, measure the others and how long the server takes to notice."`
	Run      fileCommand     `cmd:"" help:"Run a scenario file in YAML."`
	Compare  compareCommand  `cmd:"" help:"Show two JSON reports side by side, with ratios."`
	Agent    agentCommand    `cmd:"" default:"withargs" hidden:""`
}

// loadFlags are those of every scenario.
type loadFlags struct {
	URLs []string `arg:"" name:"url" help:"Where to connect: ws://host:port/path or wss://…. Connections go round several."`

	Conns    positive       `short:"n" default:"100" help:"Connections (${default})."`
	Duration bench.Duration `short:"d" help:"How long to measure (10s; storm: all its waves)."`
	Warmup   bench.Duration `help:"How long messages flow before they are measured."`
	Drain    bench.Duration `help:"How long replies are waited for at the end (5s; churn: the connect timeout)."`

	connectFlags `group:"connect"`
	workFlags    `group:"work"`
	outputFlags  `group:"output"`
}

// connectFlags say how connections are made.
type connectFlags struct {
	ConnectRate    frequency      `placeholder:"N" help:"Most new connections a second. Default: as fast as the server takes them."`
	AtOnce         positive       `default:"256" help:"Most handshakes under way at a time (${default})."`
	ConnectTimeout bench.Duration `default:"10s" help:"For connect and handshake together (${default})."`
	Source         []string       `placeholder:"ADDR" help:"Addresses or prefixes to connect from, such as 127.0.0.0/8, used in turn. Default: the kernel's choice, and on loopback as many as are needed."`
	Ports          string         `default:"kernel" help:"Who picks source ports: kernel, or a range such as 10000-65535 used in order (${default})."`
	Header         []string       `short:"H" sep:"none" placeholder:"'NAME: VALUE'" help:"A header of the handshake; may be given again."`
	Subprotocol    []string       `placeholder:"NAME" help:"Subprotocols to offer."`
	Origin         string         `placeholder:"URL" help:"Origin header, as a browser sends it."`
	Query          []string       `sep:"none" placeholder:"NAME=VALUE" help:"Added to the URL's query; may be given again."`
	Compress       bool           `help:"Offer permessage-deflate, without context takeover; the report says what became of it."`
	Insecure       bool           `help:"Take any certificate of a wss:// server."`
	CA             string         `name:"ca" type:"existingfile" placeholder:"FILE" help:"Certificate authorities in PEM to trust instead of the system's."`
	ServerName     string         `placeholder:"NAME" help:"Name to ask the TLS server for and to check."`
	Hello          []string       `sep:"none" placeholder:"TEXT" help:"Text message that every client sends first: a login, a subscription. {{id}} is the client's number. May be given again."`
}

// workFlags say who works.
type workFlags struct {
	Loops     int      `help:"Event loops of each process. Default: one per processor."`
	Engine    string   `default:"auto" help:"What waits for the sockets: epoll, netpoll or auto (${default})."`
	Procs     int      `default:"1" placeholder:"N" help:"Processes that share the work; each has file descriptors and event loops of its own (${default})."`
	Agents    []string `placeholder:"HOST:PORT" help:"Agents that share the work, on this and other machines (roost load --agent)."`
	Token     string   `env:"ROOST_TOKEN" placeholder:"SECRET" help:"The agents' token."`
	ServerPID int      `name:"server-pid" placeholder:"PID" help:"The server's process on this machine: its CPU and memory, and the kernel's, come into the report."`
}

// outputFlags say where results go.
type outputFlags struct {
	JSON   string   `name:"json" type:"path" placeholder:"FILE" help:"Write the report as JSON (docs/load-report.md)."`
	HDR    string   `name:"hdr" type:"path" placeholder:"FILE" help:"Write an HdrHistogram log, a line a second."`
	HTML   string   `name:"html" type:"path" placeholder:"FILE" help:"Write the report as one HTML page with charts."`
	Assert []string `sep:"none" placeholder:"'p99<20ms'" help:"Exit with 1 unless this holds; may be given again."`
	Quiet  bool     `short:"q" help:"Plain lines instead of the live view, also on a terminal."`
}

// messageFlags are for scenarios that send.
type messageFlags struct {
	Size     string `placeholder:"BYTES" help:"Bytes of a message: 512, a range 64-1024, or shares 64:80%,1024:20% (128)."`
	Text     bool   `help:"Send text instead of binary messages."`
	Template string `type:"existingfile" placeholder:"FILE" help:"Send the lines of a file in turn, as text; {{seq}} {{now}} {{rand}} {{id}} {{mark}} are filled in."`
}

func (m *messageFlags) apply(c *bench.Config) error {
	c.Messages.Size = m.Size
	if m.Text {
		c.Messages.Type = "text"
	}
	if m.Template == "" {
		return nil
	}
	text, err := os.ReadFile(m.Template)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimRight(line, "\r\n"); line != "" {
			c.Messages.Templates = append(c.Messages.Templates, line)
		}
	}
	if len(c.Messages.Templates) == 0 {
		return fmt.Errorf("%s has no line to send", m.Template)
	}
	return nil
}

// config is what the flags say that all scenarios have.
func (f *loadFlags) config(scenario string) (bench.Config, error) {
	c := bench.Config{
		Scenario: scenario, Targets: f.URLs, Conns: int(f.Conns),
		Warmup: f.Warmup, Duration: f.Duration, Drain: f.Drain,
		Connect: bench.Connect{
			Rate: float64(f.ConnectRate), AtOnce: int(f.AtOnce), Timeout: f.ConnectTimeout,
			Sources: f.Source, Ports: f.Ports, Headers: f.Header, Subprotocols: f.Subprotocol,
			Origin: f.Origin, Query: f.Query, Compress: f.Compress, Insecure: f.Insecure, ServerName: f.ServerName,
		},
		Loops: f.Loops, Engine: f.Engine,
	}
	c.Messages.Hello = f.Hello
	if f.CA != "" {
		pem, err := os.ReadFile(f.CA)
		if err != nil {
			return c, err
		}
		c.Connect.CA = string(pem)
	}
	return c, nil
}

type idleCommand struct{ loadFlags }

// Run holds connections.
func (s *idleCommand) Run(ctx context.Context) error {
	c, err := s.config(bench.Idle)
	return s.start(ctx, c, err)
}

type echoLoadCommand struct {
	loadFlags
	messageFlags `group:"messages"`
	Rate         frequency `group:"messages" short:"r" placeholder:"N" help:"Messages a second in all, on a schedule made in advance (open loop). Default: each reply makes the next message leave (closed loop)."`
	InFlight     positive  `group:"messages" default:"1" help:"Closed loop: messages of a connection under way (${default})."`
	Reply        string    `group:"messages" default:"same" enum:"same,any" help:"What answers a message: the same one, or any that comes next on its connection (${default})."`
	Backlog      positive  `group:"messages" default:"65536" help:"Open loop: messages of a connection that may be due or under way (${default})."`
}

// Run sends messages that come back.
func (s *echoLoadCommand) Run(ctx context.Context) error {
	c, err := s.config(bench.Echo)
	if err == nil {
		err = s.messageFlags.apply(&c)
	}
	c.Echo = bench.EchoConfig{Rate: float64(s.Rate), InFlight: int(s.InFlight), Reply: s.Reply, Backlog: int(s.Backlog)}
	return s.start(ctx, c, err)
}

// publishFlags are for scenarios in which something is published.
type publishFlags struct {
	messageFlags
	Rate       frequency `short:"r" placeholder:"N" help:"Publications a second in all, on a schedule (10); of halfopen's echo messages, or without it a closed loop."`
	Publishers positive  `placeholder:"N" help:"Connections of their own that publish (1)."`
	PublishTo  string    `placeholder:"URL" help:"The publishers' URL. Default: the first one."`
	Post       string    `placeholder:"URL" help:"Publish by an HTTP POST of each message to this URL instead."`
	Stamp      string    `placeholder:"WHERE" help:"The server publishes by itself and puts its time into the messages: json:PATH or int64le:OFFSET, with ,s ,ms ,us or ,ns behind it."`
}

// unused says so when a flag was given that nothing makes use of.
func unused(beside string, given map[string]bool) error {
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if given[name] {
			return fmt.Errorf("%s has no use with %s: leave it out", name, beside)
		}
	}
	return nil
}

func (m *messageFlags) given() map[string]bool {
	return map[string]bool{"--size": m.Size != "", "--text": m.Text, "--template": m.Template != ""}
}

func (p *publishFlags) publishing() map[string]bool {
	return map[string]bool{"--publishers": p.Publishers > 0, "--publish-to": p.PublishTo != "", "--post": p.Post != "", "--stamp": p.Stamp != ""}
}

// on fills in what goes on beside clients that misbehave, and refuses flags of what
// does not.
func (p *publishFlags) on(c *bench.Config, traffic string, channels []string) error {
	c.On = traffic
	beside := "--on " + traffic
	rate := map[string]bool{"--rate": p.Rate > 0}
	followed := map[string]bool{"--channels": len(channels) > 0}
	switch traffic {
	case bench.Feed:
		c.Feed.Channels = channels
		return cmp.Or(unused(beside, rate), unused(beside, p.publishing()), unused(beside, p.given()))
	case bench.Echo:
		c.Echo.Rate = float64(p.Rate)
		if err := cmp.Or(unused(beside, p.publishing()), unused(beside, followed)); err != nil {
			return err
		}
		return p.messageFlags.apply(c)
	}
	if err := unused(beside, followed); err != nil {
		return err
	}
	return p.apply(c)
}

func (p *publishFlags) apply(c *bench.Config) error {
	if p.Stamp != "" {
		rest := p.publishing()
		delete(rest, "--stamp")
		rest["--rate"] = p.Rate > 0
		if err := cmp.Or(unused("--stamp", rest), unused("--stamp", p.given())); err != nil {
			return err
		}
	}
	if p.Post != "" {
		rest := p.publishing()
		delete(rest, "--post")
		if err := unused("--post", rest); err != nil {
			return err
		}
	}
	c.Fanout = bench.FanoutConfig{Rate: float64(p.Rate), Publishers: int(p.Publishers), PublishTo: p.PublishTo, Post: p.Post, Stamp: p.Stamp}
	return p.messageFlags.apply(c)
}

type fanoutCommand struct {
	loadFlags
	publishFlags `group:"messages"`
}

// Run publishes to many.
func (s *fanoutCommand) Run(ctx context.Context) error {
	c, err := s.config(bench.Fanout)
	if err == nil {
		err = s.publishFlags.apply(&c)
	}
	return s.start(ctx, c, err)
}

type feedLoadCommand struct {
	loadFlags
	Channels []string `default:"ticker:*" help:"Channels to subscribe to (${default})."`
}

// Run checks a feed.
func (s *feedLoadCommand) Run(ctx context.Context) error {
	c, err := s.config(bench.Feed)
	c.Feed.Channels = s.Channels
	return s.start(ctx, c, err)
}

type churnCommand struct {
	loadFlags
	Rate  frequency      `short:"r" default:"100" help:"New connections a second, on a schedule (${default})."`
	Hold  bench.Duration `default:"1s" help:"How long each stays (${default})."`
	Abort bool           `help:"End them by a reset instead of a close handshake."`
}

// Run connects and leaves.
func (s *churnCommand) Run(ctx context.Context) error {
	c, err := s.config(bench.Churn)
	c.Churn = bench.ChurnConfig{Rate: float64(s.Rate), Hold: s.Hold, Abort: s.Abort}
	return s.start(ctx, c, err)
}

type stormCommand struct {
	loadFlags
	Waves positive       `default:"3" help:"How often all drop and come back (${default})."`
	Every bench.Duration `default:"10s" help:"From one wave to the next (${default})."`
	Close bool           `help:"Drop by a close handshake instead of a reset."`
}

// Run makes storms.
func (s *stormCommand) Run(ctx context.Context) error {
	c, err := s.config(bench.Storm)
	c.Storm = bench.StormConfig{Waves: int(s.Waves), Every: s.Every, Close: s.Close}
	return s.start(ctx, c, err)
}

type slowCommand struct {
	loadFlags
	On           string `default:"fanout" enum:"fanout,feed" help:"What all do: fanout or feed (${default})."`
	publishFlags `group:"messages"`
	Channels     []string `placeholder:"NAME" help:"With --on feed: channels to subscribe to (ticker:*)."`
	Share        share    `default:"0.1" help:"Share of the clients that is slow, 0 to 1 (${default})."`
	Read         int      `placeholder:"BYTES" help:"How many bytes a second each of them reads. Default: none ever."`
}

// Run measures beside slow readers.
func (s *slowCommand) Run(ctx context.Context) error {
	c, err := s.config(bench.Slow)
	if err == nil {
		err = s.publishFlags.on(&c, s.On, s.Channels)
	}
	c.Slow = bench.SlowConfig{Share: float64(s.Share), Rate: s.Read}
	return s.start(ctx, c, err)
}

type halfOpenCommand struct {
	loadFlags
	On           string `default:"echo" enum:"echo,fanout,feed" help:"What all do: echo, fanout or feed (${default})."`
	publishFlags `group:"messages"`
	Channels     []string `placeholder:"NAME" help:"With --on feed: channels to subscribe to (ticker:*)."`
	Share        share    `default:"0.1" help:"Share of the clients that vanishes, 0 to 1 (${default})."`
	How          string   `default:"silent" enum:"silent,reset" help:"silent: the socket stays and nobody reads it. reset: by SO_LINGER 0. Loopback has no third way (${default})."`
}

// Run measures beside clients that vanish.
func (s *halfOpenCommand) Run(ctx context.Context) error {
	c, err := s.config(bench.HalfOpen)
	if err == nil {
		err = s.publishFlags.on(&c, s.On, s.Channels)
	}
	c.HalfOpen = bench.HalfOpenConfig{Share: float64(s.Share), How: s.How}
	return s.start(ctx, c, err)
}

// start makes a run of what the flags say.
func (f *loadFlags) start(ctx context.Context, c bench.Config, err error) error {
	if err != nil {
		return usageError{err}
	}
	return runLoad(ctx, c, &f.workFlags, &f.outputFlags)
}
