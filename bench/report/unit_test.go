package report

import (
	"strings"
	"testing"
)

func TestUnits(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{duration(0), "0 µs"}, {duration(-3), "0 µs"}, {duration(0.5), "0.50 µs"}, {duration(9.994), "9.99 µs"}, {duration(9.996), "10.0 µs"},
		{duration(99.94), "99.9 µs"}, {duration(99.96), "100 µs"}, {duration(999.4), "999 µs"}, {duration(999.5), "1.00 ms"},
		{duration(18345), "18.3 ms"}, {duration(999499), "999 ms"}, {duration(999500), "1.00 s"}, {duration(3.6e9), "3,600 s"},
		{size(0), "0 B"}, {size(1023), "1023 B"}, {size(1023.5), "1.00 KiB"}, {size(1024), "1.00 KiB"}, {size(1.5 * (1 << 20)), "1.50 MiB"}, {size(3 << 30), "3.00 GiB"},
		{size(1 << 50), "1,024 TiB"}, {size(-2048), "-2.00 KiB"}, {size(1048000), "1,023 KiB"}, {size(1048300), "1.00 MiB"},
		{percent(0), "0 %"}, {percent(1), "100 %"}, {percent(0.5), "50.0 %"}, {percent(0.00001), "< 0.01 %"}, {percent(0.999999), "> 99.99 %"},
		{percent(0.9996), "99.96 %"}, {percent(1.2), "120 %"},
		{count(0), "0"}, {count(999), "999"}, {count(1000), "1,000"}, {count(12345678), "12,345,678"}, {count(-1234), "-1,234"},
		{rate(0), "0"}, {rate(10), "10"}, {rate(0.25), "0.25"}, {rate(12345.6), "12,346"},
		{cores.format(1.5), "1.50"}, {perTime.format(10), "10/s"}, {whole.format(12345), "12,345"}, {octets.format(2048), "2.00 KiB"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

func TestPrintableLeavesNothingForTheTerminal(t *testing.T) {
	if got := printable("a\x1b[31mb\nc\u202ed\x00é%"); got != "a\ufffd[31mb\ufffdc\ufffdd\ufffdé%" {
		t.Errorf("%q", got)
	}
	if got := printable(strings.Repeat("é", longest-1)); strings.Contains(got, "…") {
		t.Error("a text that fits was cut")
	}
	if got := []rune(printable(strings.Repeat("é", longest+5))); len(got) != longest || got[longest-1] != '…' {
		t.Errorf("a text of %d runes was cut to %d", longest+5, len(got))
	}
}
