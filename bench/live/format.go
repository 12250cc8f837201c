package live

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// none stands for a value that there is not.
const none = "-"

// count writes n with commas: 12,345.
func count(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// rate writes n in d as events a second: 52,310/s, below ten with a decimal.
func rate(n int64, d time.Duration) string {
	if d <= 0 {
		return none
	}
	v := float64(n) / d.Seconds()
	if v > 0 && v < 9.95 {
		return strconv.FormatFloat(v, 'f', 1, 64) + "/s"
	}
	return count(int64(math.Round(v))) + "/s"
}

// bytesRate writes n bytes in d as bytes a second.
func bytesRate(n int64, d time.Duration) string {
	if d <= 0 {
		return none
	}
	return size(int64(float64(n)/d.Seconds())) + "/s"
}

// size writes bytes in powers of 1024 with three digits: 6.38 MiB. Less than
// zero is what the system does not tell.
func size(n int64) string {
	if n < 0 {
		return none
	}
	units := []string{" B", " KiB", " MiB", " GiB", " TiB"}
	v := float64(n)
	// 999.5 rounds to 1000, which is a fourth digit.
	for len(units) > 1 && v >= 999.5 {
		v /= 1024
		units = units[1:]
	}
	return digits(v) + units[0]
}

// span writes a measured duration with three digits: 210µs, 1.2ms, 8ms, 1m30s.
func span(d time.Duration) string {
	units := []struct {
		of   time.Duration
		name string
	}{{time.Nanosecond, "ns"}, {time.Microsecond, "µs"}, {time.Millisecond, "ms"}, {time.Second, "s"}}
	for n, u := range units {
		v := float64(d) / float64(u.of)
		if v < 999.5 && (n < 3 || v < 59.95) {
			return digits(v) + u.name
		}
	}
	return clock(d)
}

// digits writes v, below 999.5, with three digits and no zeros at the end.
func digits(v float64) string {
	decimals := 2
	switch {
	case v >= 99.95:
		decimals = 0
	case v >= 9.995:
		decimals = 1
	}
	s := strconv.FormatFloat(v, 'f', decimals, 64)
	if decimals > 0 {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// clock writes d in whole seconds: 12s, 1m30s, 2h5m.
func clock(d time.Duration) string {
	s := d.Round(time.Second).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// percent writes a share: 43%.
func percent(share float64) string {
	return strconv.Itoa(int(math.Round(100*share))) + "%"
}

// printable replaces what could steer a terminal: examples of failures hold what
// a peer sent.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
}
