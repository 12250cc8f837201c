package report

import (
	"bytes"
	"fmt"
	"html/template"
	"image/color"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// A chart is drawn this large, in pixels of its own, and scaled to its place: small
// enough for its text to be read on a phone.
const (
	chartWidth  = 400
	chartHeight = 215
	chartText   = 11.5
)

// chart is a picture with its title and legend, which are HTML.
type chart struct {
	Title  string
	Legend []key
	SVG    template.HTML
}

// key is one entry of a legend.
type key struct {
	Name  string
	Class string // of the page's style sheet
}

// line is one line of a chart; where a value is missing, a new run of points begins.
type line struct {
	name   string
	hue    hue
	runs   []plotter.XYs
	filled bool
	dashed bool
}

// hue stands for a colour of the page. The picture is drawn in colours that nothing
// else has, and they are replaced by variables of the style sheet, so that it follows
// the page into dark mode and onto paper.
type hue uint8

const (
	ink hue = iota // of text, centered
	rule
	shade
	hue1
	hue2
	hue3
	hue4
	soft1
	inkEnd // of text that ends where it is put
)

var variables = map[hue]string{
	ink: "--faint", rule: "--rule", shade: "--shade", soft1: "--soft1", inkEnd: "--faint",
	hue1: "--c1", hue2: "--c2", hue3: "--c3", hue4: "--c4",
}

// anchors align the labels of the axes in the browser, which alone knows how wide the
// page's font is.
var anchors = map[hue]string{ink: ";text-anchor:middle", inkEnd: ";text-anchor:end"}

func (h hue) color() color.Color { return color.RGBA{R: 0x0B, G: 0xAD, B: 0xC0 + uint8(h), A: 0xFF} }

func (h hue) class() string { return strings.TrimPrefix(variables[h], "--") }

// recolor turns the colours into variables, and the font of the layout into the page's.
var recolor = func() *strings.Replacer {
	pairs := []string{"font-family:Liberation Sans;font-variant:normal;font-weight:normal;font-style:normal;", ""}
	for h, name := range variables {
		pairs = append(pairs, fmt.Sprintf("#0BADC%X", uint8(h)), "var("+name+")"+anchors[h])
	}
	return strings.NewReplacer(pairs...)
}()

// band shades a stretch of the x axis behind everything.
type band struct{ from, to float64 }

// Plot implements plot.Plotter.
func (b band) Plot(c draw.Canvas, p *plot.Plot) {
	x, _ := p.Transforms(&c)
	c.FillPolygon(shade.color(), []vg.Point{
		{X: x(b.from), Y: c.Min.Y}, {X: x(b.to), Y: c.Min.Y}, {X: x(b.to), Y: c.Max.Y}, {X: x(b.from), Y: c.Max.Y},
	})
}

// newPlot makes an empty one in the page's style.
func newPlot() *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Padding = 5
		a.LineStyle.Width = 0 // the grid's lowest line is there already
		a.Tick.LineStyle.Width = 0
		a.Tick.Label.XAlign = draw.XLeft
		a.Tick.Label.Font = font.From(font.Font{Typeface: "Liberation", Variant: "Sans"}, chartText)
	}
	p.X.Tick.Label.Color, p.Y.Tick.Label.Color = ink.color(), inkEnd.color()
	return p
}

// render draws lines over bands.
func render(title string, p *plot.Plot, bands []band, lines []line) (chart, error) {
	c := chart{Title: title}
	for _, b := range bands {
		p.Add(b)
	}
	p.Add(&plotter.Grid{Horizontal: draw.LineStyle{Color: rule.color(), Width: 0.75}})
	for _, l := range lines {
		if err := l.add(p); err != nil {
			return c, err
		}
		c.Legend = append(c.Legend, key{l.name, l.hue.class()})
	}
	canvas := vgsvg.NewWith(vgsvg.UseWH(chartWidth, chartHeight))
	// Room for the parts of labels and lines that reach over the edge.
	p.Draw(draw.Crop(draw.New(canvas), 6, -2, 1, -4))
	var out bytes.Buffer
	if _, err := canvas.WriteTo(&out); err != nil {
		return c, err
	}
	_, body, ok := strings.Cut(out.String(), "<svg")
	_, body, found := strings.Cut(body, ">")
	if !ok || !found {
		return c, fmt.Errorf("no picture came of the chart %q", title)
	}
	// All text in it is this package's own: names of ticks.
	c.SVG = template.HTML(fmt.Sprintf(`<svg viewBox="0 0 %d %d" role="img" aria-label="%s">%s`,
		chartWidth, chartHeight, template.HTMLEscapeString(title), recolor.Replace(body)))
	return c, nil
}

func (l *line) add(p *plot.Plot) error {
	for _, run := range l.runs {
		if len(run) == 1 {
			dot, err := plotter.NewScatter(run)
			if err != nil {
				return err
			}
			dot.GlyphStyle = draw.GlyphStyle{Color: l.hue.color(), Radius: 2, Shape: draw.CircleGlyph{}}
			p.Add(dot)
			continue
		}
		drawn, err := plotter.NewLine(run)
		if err != nil {
			return err
		}
		drawn.LineStyle = draw.LineStyle{Color: l.hue.color(), Width: 1.75}
		if l.dashed {
			drawn.Width, drawn.Dashes = 1, []vg.Length{3, 2}
		}
		if l.filled {
			drawn.FillColor = soft1.color()
		}
		p.Add(drawn)
	}
	return nil
}
