package interop

import (
	"encoding/json"
	"testing"

	"github.com/roostws/roost/server"
)

// agreed is what the scripts of this file say that they have seen.
type agreed struct {
	Version    string
	Cipher     string
	Compressed bool
	Takeover   bool // messages may refer to earlier ones, both ways
	Window     int  // bits of the larger one
	Payload    int  // bytes of the messages that came back
	Resumed    bool
}

// The scripts have messages of many sizes echoed: text and binary, that can be compressed and that cannot, whole and in fragments.

func TestPythonWebsocketsOverTLS(t *testing.T) {
	t.Parallel()
	clientsOverTLS(t, python(t), "testdata/wss.py", false)
}

func TestNodeWsOverTLS(t *testing.T) {
	t.Parallel()
	node, env := nodeWs(t)
	clientsOverTLS(t, node, "testdata/wss.js", true, env...)
}

// clientsOverTLS runs a script with both versions of TLS and with all ways to compress. resumes tells that its second connection goes on
// with the session of the first.
func clientsOverTLS(t *testing.T, program, script string, resumes bool, env ...string) {
	for _, tt := range []struct {
		name        string
		versions    []string
		compression server.Compression
		offer       string
		want        agreed
	}{
		{"not offered", []string{"1.3"}, server.CompressionDedicated, "nothing", agreed{}},
		{"declined", []string{"1.2"}, server.CompressionOff, "default", agreed{}},
		{"shared", []string{"1.2", "1.3"}, server.CompressionShared, "default", agreed{Compressed: true, Window: 15}},
		{"dedicated", []string{"1.2", "1.3"}, server.CompressionDedicated, "default", agreed{Compressed: true, Takeover: true, Window: 15}},
		{"shared, small windows", []string{"1.2"}, server.CompressionShared, "small", agreed{Compressed: true, Window: 9}},
		{"dedicated, small windows", []string{"1.3"}, server.CompressionDedicated, "small", agreed{Compressed: true, Takeover: true, Window: 9}},
	} {
		for _, version := range tt.versions {
			t.Run("TLS "+version+", "+tt.name, func(t *testing.T) {
				s := startTLS(t, server.Config{Inline: version == "1.2", Compression: tt.compression, CompressFrom: 1}, 0)
				said := runWith(t, env, program, script, s.addr, s.ca, version, tt.offer)
				var got agreed
				if err := json.Unmarshal([]byte(said), &got); err != nil {
					t.Fatalf("%v in %q", err, said)
				}
				want := tt.want
				want.Version, want.Cipher, want.Payload, want.Resumed = "TLSv"+version, got.Cipher, got.Payload, resumes
				if got != want {
					t.Errorf("it has seen %+v, want %+v", got, want)
				}
				s.wantClose(server.ReasonPeer, 4001, "going", true)
				s.wantClose(server.ReasonLocal, 4000, "enough", true)
				s.await("all have gone", func(s server.Stats) bool { return s.Open == 0 && s.Opened == 2 })
				stats := s.Stats()
				if n := min(stats.BytesIn, stats.BytesOut); !got.Compressed && n < uint64(got.Payload) {
					t.Errorf("%d bytes of messages went as %d", got.Payload, n)
				}
				if n := max(stats.BytesIn, stats.BytesOut); got.Compressed && n > uint64(got.Payload)/4 {
					t.Errorf("%d bytes of messages went as %d: they are not compressed", got.Payload, n)
				}
			})
		}
	}
}
