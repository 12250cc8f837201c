package results

import (
	"fmt"
	"io"
	"strings"
)

// WriteMarkdown writes the page of the comparison. It shows the charts of WriteCharts
// as files of the same directory.
func (r *Run) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString("# WebSocket servers compared\n\n")
	r.writeMethod(&b)
	r.writeServers(&b)
	for n := range sections {
		sections[n].markdown(&b, r)
	}
	return write(w, b.String())
}

func write(w io.Writer, page string) error {
	if _, err := io.WriteString(w, page); err != nil {
		return fmt.Errorf("write the results as Markdown: %w", err)
	}
	return nil
}

// writeMethod says how it was measured, and what that cannot say.
func (r *Run) writeMethod(b *strings.Builder) {
	m := &r.Machine
	lines := [][2]string{
		{"machine", fmt.Sprintf("%s, %s, %s GiB", escape(m.CPU), amount(m.Processors, "processor"), plain(float64(m.Memory)/(1<<30)))},
		{"system", escape(m.System) + ", kernel " + escape(m.Kernel)},
		{"compilers", escape(m.Go) + ", " + escape(m.CC)},
	}
	for n := range r.Settings {
		lines = append(lines, r.Settings[n].lines()...)
	}
	b.WriteString("## How it was measured\n\n| | |\n|---|---|\n")
	for _, line := range lines {
		fmt.Fprintf(b, "| %s | %s |\n", line[0], line[1])
	}
	b.WriteString("\n")
	for _, sentence := range method {
		b.WriteString("- " + sentence + "\n")
	}
	b.WriteString("\nWhat the figures cannot say:\n\n")
	for _, sentence := range r.caveats() {
		b.WriteString("- " + sentence + "\n")
	}
	b.WriteString("\nHow to read the tables: a cell is the median (least to greatest) of its rounds. Rows are in the order of the first column that is ranked. " +
		"▸ is roost. A peer's cell is **bold** where its median beats the better of roost-inline and roost-pool in a ranked column; " +
		"roost on another engine (netpoll) does not count in that. " +
		"– is what was not measured, n/a a ratio without a floor.\n")
}

// lines are a session's lines of the table.
func (s *Settings) lines() [][2]string {
	return [][2]string{
		{"**" + s.label() + "**", strings.ReplaceAll(code(s.Command), "|", `\|`)},
		{"when", s.when()},
		{"extent", fmt.Sprintf("%s; each case %s s after a warm-up of %s s", amount(s.Rounds, "round"), plain(s.Seconds), plain(s.Warmup))},
		{"processors", fmt.Sprintf("server on %d, client on %d", s.ServerCPU, s.ClientCPU)},
	}
}

// method is how all sessions measure.
var method = []string{
	"The server is one process on one processor, the client is on another, and they speak over loopback, without compression, and without TLS but where it says so. So servers in Go run with GOMAXPROCS=1. GOMAXPROCS, GOGC, GOMEMLIMIT, GODEBUG and NODE_OPTIONS are removed from their environment.",
	"In a round every server is measured once in each case, in an order that is shuffled anew for each round, with the round's number as the seed.",
	"The floor, a minimal server in C, is measured first, after every third server and last in each case of a round; a ratio is a server's figure divided by the mean of the floor's figures right before and right after it.",
	"CPU is the time that the server's process used, its own and the kernel's, divided by the messages, deliveries or handshakes of the same time.",
	"The client is roost's package bench; a second client in C, which shares nothing with it, repeats the closed loop of echo, and measures the rates of fan-out and of handshakes.",
	"The floor and the C client are built with -O3 -march=native, programs in Go for the baseline amd64, which is Go's default.",
}

func (r *Run) caveats() []string {
	all := []string{
		"One processor for each server: how a server spreads over more is not measured.",
		"Loopback has no network card, no loss and no distance, and it charges the receiver's path through TCP to the sender. Part of the client's work shares caches and memory with the server.",
		"A kernel with CONFIG_IRQ_TIME_ACCOUNTING does not count the time of soft interrupts to processes: there a part of the network's cost is in no server's figure.",
		"The floor checks almost nothing. It is a yardstick, not a server to use.",
		"Bun's server is JavaScript on Bun's fork of uWebSockets; native uWebSockets is not measured.",
		"The authors of roost wrote the programs of the peers, each the way its own documentation does it. Whoever knows a better way is asked to send it.",
	}
	if few := r.fewest(); few < 3 {
		all = append(all, fmt.Sprintf("With %s the spread is hardly known: this run shows that all works, and not who is faster.", amount(few, "round")))
	}
	for _, note := range r.Machine.Notes {
		all = append(all, escape(note))
	}
	for _, s := range r.Settings {
		for _, note := range s.Notes {
			all = append(all, s.label()+": "+escape(note))
		}
	}
	return all
}

func (r *Run) writeServers(b *strings.Builder) {
	b.WriteString("\n## The servers\n\n| server | version | what it is |\n|---|---|---|\n")
	var not []string
	for n := range r.Servers {
		s := &r.Servers[n]
		if s.NotRun != "" {
			not = append(not, fmt.Sprintf("- %s: %s", s.Name, escape(s.NotRun)))
			continue
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", s.label(), escape(s.Version), escape(s.About))
	}
	if len(not) > 0 {
		b.WriteString("\nNot run:\n\n" + strings.Join(not, "\n") + "\n")
	}
}

// escape makes a text from outside one line of Markdown that means nothing but itself.
var escape = func() func(string) string {
	var pairs []string
	for _, c := range `\|*_<>[]` + "`" {
		pairs = append(pairs, string(c), `\`+string(c))
	}
	marks := strings.NewReplacer(pairs...)
	return func(text string) string { return marks.Replace(strings.Join(strings.Fields(text), " ")) }
}()
