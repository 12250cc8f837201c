package main

import (
	"net"
	"strings"
	"testing"
)

// TestFlagsWithoutUse are refused: who gave one expected something of it.
func TestFlagsWithoutUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "ws://" + l.Addr().String() + "/"
	l.Close()
	const post = " --post http://127.0.0.1:1/"
	for _, tt := range []struct{ args, flag, beside string }{
		{"halfopen --on echo" + post, "--post", "--on echo"},
		{"halfopen --post http://127.0.0.1:1/", "--post", "--on echo"},
		{"halfopen --on echo --publishers 2", "--publishers", "--on echo"},
		{"halfopen --on echo --publish-to " + url, "--publish-to", "--on echo"},
		{"halfopen --on echo --stamp json:x", "--stamp", "--on echo"},
		{"halfopen --on echo --channels x", "--channels", "--on echo"},
		{"halfopen --on feed --rate 5", "--rate", "--on feed"},
		{"halfopen --on fanout --channels x", "--channels", "--on fanout"},
		{"slow --on feed --size 5", "--size", "--on feed"},
		{"slow --on feed --text", "--text", "--on feed"},
		{"slow --on feed --template load.go", "--template", "--on feed"},
		{"slow --on feed --rate 5", "--rate", "--on feed"},
		{"slow --on feed" + post, "--post", "--on feed"},
		{"slow --on fanout --channels x", "--channels", "--on fanout"},
		{"fanout --stamp json:x --rate 5", "--rate", "--stamp"},
		{"fanout --stamp json:x --size 99", "--size", "--stamp"},
		{"fanout --stamp json:x --text", "--text", "--stamp"},
		{"fanout --stamp json:x --publishers 2", "--publishers", "--stamp"},
		{"fanout --stamp json:x --publish-to " + url, "--publish-to", "--stamp"},
		{"fanout --stamp json:x" + post, "--post", "--stamp"},
		{"slow --stamp json:x --rate 5", "--rate", "--stamp"},
	} {
		err := run(t.Context(), strings.Fields("load "+tt.args+" "+url))
		want := tt.flag + " has no use with " + tt.beside + ": leave it out"
		if err == nil || err.Error() != want || status(err) != exitUsage {
			t.Errorf("roost load %s: %v, want %q", tt.args, err, want)
		}
	}
	// With a use they go on to the server that is not there.
	for _, args := range []string{
		"halfopen --rate 5 --size 9 --text", "halfopen --on fanout --rate 5", "halfopen --on feed --channels x",
		"slow --rate 5 --publishers 2 --size 99", "slow --on feed --channels x", "slow --stamp json:x", "fanout --stamp json:x",
	} {
		err := run(t.Context(), strings.Fields("load "+args+" "+url))
		if err == nil || !strings.Contains(err.Error(), "refused") || status(err) != exitUsage {
			t.Errorf("roost load %s: %v", args, err)
		}
	}
}

// TestNoTimeIsSaidAsItWasWritten, not as the nanosecond that it is kept as.
func TestNoTimeIsSaidAsItWasWritten(t *testing.T) {
	for _, args := range []string{"idle -d 0s", "idle --connect-timeout 0s"} {
		err := run(t.Context(), strings.Fields("load "+args+" ws://127.0.0.1:1/"))
		if err == nil || !strings.Contains(err.Error(), ": 0s is not between") || status(err) != exitUsage {
			t.Errorf("roost load %s: %v", args, err)
		}
	}
}
