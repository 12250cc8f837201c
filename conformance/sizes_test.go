package conformance

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/roostws/roost/server"
)

// sizes are those of sections 12 and 13 of the well-known WebSocket test suite, in bytes. Room is left for the blocks of what does not
// get smaller, as the limit is for what comes, too.
var sizes = []int{0, 16, 64, 256, 1024, 4096, 8192, 16384, 32768, 65536, maxMessage - 64}

// contents are what compresses well, badly, not at all, and by references that are just too far away for a window of some bits.
var contents = map[string]func(n, bits int, rnd *rand.Rand) string{
	"alike": func(n, _ int, rnd *rand.Rand) string {
		var b strings.Builder
		for vocabulary := words(rnd); b.Len() < n; {
			b.WriteString(vocabulary[rnd.IntN(len(vocabulary))])
		}
		return strings.ToValidUTF8(b.String()[:n], "")
	},
	"numbers": func(n, _ int, _ *rand.Rand) string { return pattern(n) },
	"noise":   func(n, _ int, rnd *rand.Rand) string { return noise(n, rnd) },
	"far": func(n, bits int, rnd *rand.Rand) string {
		part := noise(3<<bits/2, rnd)
		return strings.Repeat(part, n/len(part)+1)[:n]
	},
}

func noise(n int, rnd *rand.Rand) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(' ' + rnd.IntN(95))
	}
	return string(b)
}

// grow sends messages of all sizes, compressed, in frames of at most so many bytes, or whole. With fewer bits it ends at twice the window,
// which is enough to refer to what is too far away.
func (p *peer) grow(content string, bits, most int) error {
	r := row{section: "7.2"}
	for i, n := range sizes {
		if bits < 15 && n > 2<<bits {
			break
		}
		m := frame{op: byte(opText + i%2), payload: []byte(contents[content](n, bits, p.rnd))}
		r.echo = append(r.echo, m)
		f, packed := frame{op: m.op, rsv: rsv1}, p.z.compress(m.payload)
		for most > 0 && len(packed) > most {
			f.more, f.payload, packed = true, packed[:most], packed[most:]
			r.frames = append(r.frames, f)
			f = frame{}
		}
		f.payload = packed
		r.frames = append(r.frames, f)
	}
	return r.run(p)
}

// TestMessageSizes: messages of all sizes are compressed as was agreed on, both ways, whatever is in them.
func TestMessageSizes(t *testing.T) {
	targets := clientTargets()
	for _, c := range []server.Compression{server.CompressionDedicated, server.CompressionShared} {
		targets = append(targets, half(serverTargets(t, server.Config{Compression: c, CompressFrom: 1}), c == server.CompressionShared)[:2]...)
	}
	i := 0
	for bits := 8; bits <= 15; bits++ {
		for _, content := range slices.Sorted(maps.Keys(contents)) {
			for _, on := range []role{ourServer, ourClient} {
				of := slices.DeleteFunc(slices.Clone(targets), func(tt target) bool { return tt.role != on })
				tt, how, most := of[(i/2+bits)%len(of)], splits[i%len(splits)], []int{0, 256, 4000}[i/2%3]
				i++
				t.Run(fmt.Sprintf("%s/%d bits/%s", tt.name, bits, content), func(t *testing.T) {
					t.Parallel()
					name := fmt.Sprintf("permessage-deflate; server_max_window_bits=%d; client_max_window_bits=%d", bits, bits)
					if err := tt.open(t, name, how, seeded(name+content)).grow(content, bits, most); err != nil {
						t.Errorf("RFC 7692, 7.2: frames of %d bytes at most, sent %s: %v", most, how, err)
					}
					held(tt.role, tt.secure, "RFC 7692, 7.1.2, 7.2", "messages of 0 to 131008 bytes, alike, not alike, and alike just beyond the window")
				})
			}
		}
	}
}
