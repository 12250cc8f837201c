package results

import (
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// bars draws a column of a chart; on a logarithmic axis there are dots.
type bars struct {
	chart  *chart
	column int
	low    float64 // where bars begin
	label  func(float64) string
}

// Plot implements plot.Plotter.
func (b *bars) Plot(canvas draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&canvas)
	if b.chart.table.columns[b.column].ratio {
		canvas.StrokeLine2(draw.LineStyle{Color: textColor, Width: 0.75, Dashes: []vg.Length{3, 2}},
			x(1), canvas.Min.Y, x(1), canvas.Max.Y)
	}
	rows := b.chart.table.rows
	for n := range rows {
		middle := y(float64(len(rows) - 1 - n))
		if b.column == 0 {
			name := color.Color(textColor)
			if kind := rows[n].server.Kind; kind == Ours || kind == Variant {
				name = hues[Ours]
			}
			canvas.FillText(style(9, name, text.XRight, text.YCenter), vg.Point{X: canvas.Min.X - 6, Y: middle}, rows[n].server.Name)
		}
		b.bar(canvas, x, middle, &rows[n])
	}
}

// bar draws one, with its spread and its figure.
func (b *bars) bar(canvas draw.Canvas, x func(float64) vg.Length, middle vg.Length, l *row) {
	c := &l.cells[b.column]
	if c.count == 0 {
		canvas.FillText(style(8, faintColor, text.XLeft, text.YCenter), vg.Point{X: canvas.Min.X + 4, Y: middle}, "not measured")
		return
	}
	// What is less than the axis has, such as no memory at all, has no bar.
	at := func(v float64) vg.Length { return x(max(v, b.low)) }
	if !b.chart.log {
		canvas.FillPolygon(hues[l.server.Kind], box(at(b.low), middle-barHeight/2, at(c.median), middle+barHeight/2))
	}
	if c.count > 1 {
		line := draw.LineStyle{Color: textColor, Width: 0.75}
		canvas.StrokeLine2(line, at(c.min), middle, at(c.max), middle)
		for _, end := range []float64{c.min, c.max} {
			canvas.StrokeLine2(line, at(end), middle-2.5, at(end), middle+2.5)
		}
	}
	if b.chart.log { // on such an axis a bar's length means nothing
		dot := draw.GlyphStyle{Color: hues[l.server.Kind], Radius: dotRadius, Shape: draw.CircleGlyph{}}
		canvas.DrawGlyph(dot, vg.Point{X: at(c.median), Y: middle})
	}
	canvas.FillText(style(8, textColor, text.XLeft, text.YCenter), vg.Point{X: at(c.max) + dotRadius + 2, Y: middle}, b.label(c.median))
}
