package live

import (
	"testing"
	"time"
)

func TestFormats(t *testing.T) {
	tests := []struct{ got, want string }{
		{count(0), "0"},
		{count(999), "999"},
		{count(1000), "1,000"},
		{count(1234567), "1,234,567"},
		{count(-1234), "-1,234"},
		{count(-123), "-123"},

		{rate(0, time.Second), "0/s"},
		{rate(1, 0), "-"},
		{rate(1, 2*time.Second), "0.5/s"},
		{rate(9, time.Second), "9.0/s"},
		{rate(995, 100*time.Second), "10/s"},
		{rate(52310, time.Second), "52,310/s"},
		{bytesRate(1, 0), "-"},
		{bytesRate(3<<20, 2*time.Second), "1.5 MiB/s"},

		{size(-1), "-"},
		{size(0), "0 B"},
		{size(999), "999 B"},
		{size(1000), "0.98 KiB"},
		{size(1 << 20), "1 MiB"},
		{size(121_000_000), "115 MiB"},
		{size(3 << 50), "3072 TiB"},

		{span(0), "0ns"},
		{span(999), "999ns"},
		{span(time.Microsecond), "1µs"},
		{span(210 * time.Microsecond), "210µs"},
		{span(1234 * time.Microsecond), "1.23ms"},
		{span(1200 * time.Microsecond), "1.2ms"},
		{span(8 * time.Millisecond), "8ms"},
		{span(12345 * time.Microsecond), "12.3ms"},
		{span(9995 * time.Microsecond), "10ms"},
		{span(100 * time.Millisecond), "100ms"},
		{span(999499 * time.Microsecond), "999ms"},
		{span(999500 * time.Microsecond), "1s"},
		{span(59940 * time.Millisecond), "59.9s"},
		{span(59950 * time.Millisecond), "1m"},
		{span(90 * time.Second), "1m30s"},

		{clock(0), "0s"},
		{clock(12 * time.Second), "12s"},
		{clock(10 * time.Minute), "10m"},
		{clock(90 * time.Second), "1m30s"},
		{clock(time.Hour), "1h"},
		{clock(time.Hour + time.Second), "1h0m1s"},
		{clock(2*time.Hour + 30*time.Minute), "2h30m"},

		{percent(0.434), "43%"},
		{percent(1.3), "130%"},

		{printable("dial: \x1b[2J\r\nno µ"), "dial:  [2J  no µ"},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}
