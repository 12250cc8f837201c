package report

import (
	"math"
	"strconv"
	"strings"
	"unicode"
)

// Numbers as people read them: three significant digits and a unit.

// duration writes microseconds.
func duration(us float64) string {
	switch {
	case us <= 0:
		return "0 µs"
	case us < 999.5:
		return significant(us) + " µs"
	case us < 999.5e3:
		return significant(us/1e3) + " ms"
	}
	return significant(us/1e6) + " s"
}

func seconds(s float64) string { return duration(s * 1e6) }

// size writes bytes.
func size(b float64) string {
	sign := ""
	if b < 0 {
		sign, b = "-", -b
	}
	unit := 0
	for ; b >= 1023.5 && unit < 4; unit++ {
		b /= 1024
	}
	if unit == 0 {
		return sign + strconv.FormatFloat(math.Round(b), 'f', 0, 64) + " B"
	}
	return sign + significant(b) + [...]string{"", " KiB", " MiB", " GiB", " TiB"}[unit]
}

// percent writes a share; it never rounds up to all, nor down to none.
func percent(share float64) string {
	p := 100 * share
	switch {
	case p == 0:
		return "0 %"
	case p < 0.01:
		return "< 0.01 %"
	case p < 100 && p >= 99.995:
		return "> 99.99 %"
	case p < 100 && p >= 99.5:
		return strconv.FormatFloat(math.Floor(p*100)/100, 'f', 2, 64) + " %"
	}
	return significant(p) + " %"
}

// rate writes a number that need not be whole.
func rate(v float64) string {
	if v == math.Trunc(v) {
		return count(int64(v))
	}
	return significant(v)
}

// count writes a whole number with commas.
func count(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return sign + digits
}

// significant writes three digits, or the whole number when it has more.
func significant(v float64) string {
	switch abs := math.Abs(v); {
	case abs >= 99.95:
		return count(int64(math.Round(v)))
	case abs >= 9.995:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// longest bounds a text that came from outside, in runes.
const longest = 300

// printable makes a text from outside safe for a terminal: escape sequences, line
// breaks and marks that turn the direction of writing become U+FFFD.
func printable(text string) string {
	n := 0
	safe := strings.Map(func(r rune) rune {
		switch n++; {
		case n > longest:
			return -1
		case n == longest:
			return '…'
		case !unicode.IsPrint(r):
			return unicode.ReplacementChar
		}
		return r
	}, text)
	return safe
}
