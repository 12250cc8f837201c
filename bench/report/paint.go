package report

import "strings"

// paint adds the terminal's colours, or does nothing when it is off.
type paint bool

const (
	bold   = "\x1b[1m"
	dim    = "\x1b[2m"
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
)

func (p paint) in(style, text string) string {
	if !p || text == "" || style == "" {
		return text
	}
	return style + text + "\x1b[0m"
}

// pad fills text with spaces to width, counted in runes: on the left when right is true.
func pad(text string, width int, right bool) string {
	fill := strings.Repeat(" ", max(0, width-len([]rune(text))))
	if right {
		return fill + text
	}
	return text + fill
}

// grid aligns rows: the first column to the left, the others to the right. Each row
// may have a different number of cells.
func grid(rows [][]string) []string {
	var widths []int
	for _, row := range rows {
		for n, cell := range row {
			if n == len(widths) {
				widths = append(widths, 0)
			}
			widths[n] = max(widths[n], len([]rune(cell)))
		}
	}
	lines := make([]string, len(rows))
	for i, row := range rows {
		cells := make([]string, len(row))
		for n, cell := range row {
			cells[n] = pad(cell, widths[n], n > 0)
		}
		lines[i] = strings.TrimRight(strings.Join(cells, "  "), " ")
	}
	return lines
}
