package live

import "strings"

// remembered is how many seconds a curve goes back.
const remembered = 60

// series has a value for each of the last seconds; those without one are zero.
type series struct {
	values []float64 // the newest last
	second int       // of the newest
}

// add counts v into second; with is what makes one value of two. What is older
// than the newest is dropped.
func (s *series) add(second int, v float64, with func(a, b float64) float64) {
	switch newest := len(s.values) - 1; {
	case newest < 0:
		s.values = append(s.values, v)
		s.second = second
	case second == s.second:
		s.values[newest] = with(s.values[newest], v)
	case second > s.second:
		s.values = append(s.values, make([]float64, min(second-s.second, remembered))...)
		s.values[len(s.values)-1] = v
		s.values = s.values[max(0, len(s.values)-remembered):]
		s.second = second
	}
}

// seen returns the newest values, width of them at most.
func (s *series) seen(width int) []float64 { return s.values[max(0, len(s.values)-width):] }

var bars = []rune(" ▁▂▃▄▅▆▇█")

// curve draws values as high as their share of top, which is the greatest. Zero is
// blank, and what is more than zero is not.
func curve(values []float64, top float64) string {
	var b strings.Builder
	for _, v := range values {
		level := 0
		if v > 0 {
			level = max(1, int(v/top*float64(len(bars)-1)+0.5))
		}
		b.WriteRune(bars[level])
	}
	return b.String()
}

// bar draws share, 0 to 1, of width columns. An unknown share, less than 0, is empty.
func bar(share float64, width int) string {
	full := int(max(share, 0)*float64(width) + 0.5)
	return strings.Repeat("█", full) + strings.Repeat("░", width-full)
}
