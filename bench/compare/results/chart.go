package results

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Measures of a chart, in points.
const (
	chartWidth vg.Length = 640
	margin     vg.Length = 12
	rowHeight  vg.Length = 17
	barHeight  vg.Length = 10
	dotRadius  vg.Length = 4.5
	headHeight vg.Length = 56 // title, note and legend
	axesHeight vg.Length = 42 // the panels' titles and the ticks
	panelGap   vg.Length = 28
	labelRoom  vg.Length = 46 // right of the longest bar
	tickRoom   vg.Length = 46 // for the label of a logarithmic axis
)

// Colours that are read on white.
var (
	textColor  = color.RGBA{0x1c, 0x1d, 0x1f, 0xff}
	faintColor = color.RGBA{0x6b, 0x6f, 0x76, 0xff}
	ruleColor  = color.RGBA{0xe3, 0xe4, 0xe6, 0xff}
	hues       = map[Kind]color.Color{
		Ours:    color.RGBA{0x25, 0x63, 0xc9, 0xff},
		Variant: color.RGBA{0x25, 0x63, 0xc9, 0xff},
		Peer:    color.RGBA{0xb4, 0xba, 0xc4, 0xff},
		Floor:   color.RGBA{0x6b, 0x6f, 0x76, 0xff},
	}
)

// style is how a text is written: its size in points, its colour, and which part of it is put at its point.
func style(size vg.Length, c color.Color, x text.XAlignment, y text.YAlignment) text.Style {
	return text.Style{
		Color: c, XAlign: x, YAlign: y, Handler: plot.DefaultTextHandler,
		Font: font.From(font.Font{Typeface: "Liberation", Variant: "Sans"}, size),
	}
}

// fonts names those that stand in for Liberation Sans where it is not installed; the
// first have letters of the same width.
var fonts = strings.NewReplacer(
	"font-family:Liberation Sans;font-variant:normal;font-weight:normal;font-style:normal;",
	"font-family:'Liberation Sans',Arial,Helvetica,sans-serif;")

// svg draws the chart.
func (c *chart) svg() ([]byte, error) {
	height := headHeight + axesHeight + rowHeight*vg.Length(len(c.table.rows)) + margin/2
	file := vgsvg.New(chartWidth, height)
	canvas := draw.New(file)
	canvas.FillPolygon(color.White, []vg.Point{{}, {X: chartWidth}, {X: chartWidth, Y: height}, {Y: height}})
	c.head(canvas)

	names := vg.Length(0)
	for _, l := range c.table.rows {
		names = max(names, style(9, nil, 0, 0).Width(l.server.Name))
	}
	left := margin + names + 6
	width := (chartWidth - left - margin + panelGap) / vg.Length(len(c.table.columns))
	for n := range c.table.columns {
		from := left + width*vg.Length(n)
		area := draw.Crop(canvas, from, from+width-panelGap-chartWidth, margin/2, -headHeight)
		c.panel(n, width-panelGap).Draw(area)
	}
	var out bytes.Buffer
	if _, err := file.WriteTo(&out); err != nil {
		return nil, fmt.Errorf("draw %s: %w", c.file, err)
	}
	return []byte(fonts.Replace(out.String())), nil
}

// head writes the title, what is shown, and the legend.
func (c *chart) head(canvas draw.Canvas) {
	y := canvas.Max.Y - margin
	canvas.FillText(style(13, textColor, text.XLeft, text.YTop), vg.Point{X: margin, Y: y}, c.title)
	note := c.note + ". One round"
	if rounds := c.rounds(); rounds > 1 {
		note = fmt.Sprintf("%s. Median of %d rounds, lines from least to greatest", c.note, rounds)
	}
	faint := style(9, faintColor, text.XLeft, text.YTop)
	if c.table.ranks(0) {
		note += ". Less is better"
	}
	canvas.FillText(faint, vg.Point{X: margin, Y: y - 18}, note+".")
	x := chartWidth - margin
	for _, key := range []struct {
		kind Kind
		name string
	}{{Floor, "floor"}, {Peer, "peers"}, {Ours, "roost"}} {
		x -= faint.Width(key.name)
		canvas.FillText(faint, vg.Point{X: x, Y: y - 1}, key.name)
		x -= 12
		canvas.FillPolygon(hues[key.kind], box(x, y-10, x+9, y-1))
		x -= 12
	}
}

func box(x0, y0, x1, y1 vg.Length) []vg.Point {
	return []vg.Point{{X: x0, Y: y0}, {X: x1, Y: y0}, {X: x1, Y: y1}, {X: x0, Y: y1}}
}

// panel makes the plot of a column. The first one writes the servers' names at its left.
func (c *chart) panel(n int, width vg.Length) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	p.Title.Text, p.Title.Padding = c.heading(n), 4
	p.Title.TextStyle = style(9.5, textColor, text.XCenter, text.YTop)
	p.HideY()
	p.Y.Padding, p.X.Padding = 0, 0
	p.Y.Min, p.Y.Max = -0.5, float64(len(c.table.rows))-0.5
	p.X.LineStyle.Width, p.X.Tick.LineStyle.Width = 0, 0
	p.X.Tick.Length = 3
	p.X.Tick.Label = style(8, faintColor, text.XCenter, text.YTop)
	b := &bars{chart: c, column: n, label: c.label(n, significant)}
	low, high := c.extent(n)
	room := float64(width / (width - labelRoom))
	if c.log {
		b.low = below(low, high)
		p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, logarithmic{c.label(n, plain), float64(width / tickRoom)}
		p.X.Min, p.X.Max = b.low, b.low*math.Pow(high/b.low, room)
	} else {
		p.X.Tick.Marker = linear{}
		p.X.Min, p.X.Max = 0, high*room
	}
	p.Add(&plotter.Grid{Vertical: draw.LineStyle{Color: ruleColor, Width: 0.75}}, b)
	return p
}

// rounds returns of how many rounds the chart is.
func (c *chart) rounds() int {
	most := 0
	for _, v := range c.table.rows[0].cells {
		most = max(most, v.of)
	}
	return most
}

// heading is a panel's title; it says if there are not as many rounds as of others.
func (c *chart) heading(n int) string {
	text := c.table.columns[n].name
	if of := c.table.rows[0].cells[n].of; of < c.rounds() {
		text += ", " + amount(of, "round")
	}
	return text
}

// extent returns the least positive and the greatest figure of the panels that have
// the same unit as this one, so that their bars can be compared.
func (c *chart) extent(n int) (low, high float64) {
	low = math.Inf(1)
	for _, l := range c.table.rows {
		for i := range l.cells {
			if c.table.columns[i].metric.Unit != c.table.columns[n].metric.Unit {
				continue
			}
			for _, v := range []float64{l.cells[i].min, l.cells[i].median, l.cells[i].max} {
				if v > 0 {
					low, high = min(low, v), max(high, v)
				}
			}
		}
	}
	return low, high
}

// label returns how the figures of a column are written with these digits.
func (c *chart) label(n int, digits func(float64) string) func(float64) string {
	if m := c.table.columns[n].metric; c.log && m.Unit == "µs" {
		return func(us float64) string { return duration(us, digits) }
	}
	return digits
}
