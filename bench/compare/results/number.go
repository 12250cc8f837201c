package results

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// number writes three significant digits; what is only counted (no unit, a whole
// number) is written as it is.
func number(v float64, unit string) string {
	if unit == "" && v == math.Trunc(v) && math.Abs(v) < 1e6 {
		return thousands(v)
	}
	return significant(v)
}

// significant rounds to three digits.
func significant(v float64) string {
	if v == 0 {
		return "0"
	}
	// Rounded first, so that 9.999 is 10.0 and not 10.00. What was just written is read
	// without an error.
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'e', 2, 64), 64)
	digits := 2 - int(math.Floor(math.Log10(math.Abs(rounded))+1e-9))
	if digits > 0 {
		return strconv.FormatFloat(rounded, 'f', digits, 64)
	}
	return thousands(rounded)
}

// thousands writes a whole number with commas.
func thousands(v float64) string {
	text := strconv.FormatFloat(math.Abs(v), 'f', 0, 64)
	for n := len(text) - 3; n > 0; n -= 3 {
		text = text[:n] + "," + text[n:]
	}
	if v < 0 {
		return "-" + text
	}
	return text
}

// amount writes how many there are of something whose plural ends in s.
func amount(n int, what string) string {
	return thousands(float64(n)) + " " + what + verb(n, "", "s")
}

// caseName writes a case such as 1000x512 as "1,000 × 512 B", and any other as it is.
func caseName(name string) string {
	first, second, ok := strings.Cut(name, "x")
	conns, err := strconv.Atoi(first)
	size, err2 := strconv.Atoi(second)
	if !ok || err != nil || err2 != nil {
		return name
	}
	return thousands(float64(conns)) + " × " + payload(size)
}

func payload(bytes int) string {
	switch {
	case bytes >= 1<<20 && bytes%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", bytes>>20)
	case bytes >= 1<<10 && bytes%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", bytes>>10)
	}
	return thousands(float64(bytes)) + " B"
}

// duration writes microseconds in the unit that suits them, with these digits.
func duration(us float64, digits func(float64) string) string {
	switch {
	case us < 999.5:
		return digits(us) + " µs"
	case us < 999.5e3:
		return digits(us/1e3) + " ms"
	}
	return digits(us/1e6) + " s"
}

// plain writes three significant digits without zeros at the end.
func plain(v float64) string {
	text := significant(v)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}
