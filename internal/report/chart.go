package report

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"
)

// Chart is upright bars, one a month or one a day. It is drawn as SVG that takes its colours from the page; whatever is written stands
// beside it, and its points are the rows of its table.
type Chart struct {
	ID     string // of the page
	Title  string
	Of     string // what is counted, in the plural
	By     string // "Mes" or "Día"
	Points []Point
}

// Point is a bar.
type Point struct {
	Name  string // as it stands in the table
	Short string // and below the bars
	N     int
	None  bool // nothing is known of it: that is not zero
}

// Top is what a bar as high as the chart stands for.
func (c Chart) Top() int {
	most := 0
	for _, p := range c.Points {
		most = max(most, p.N)
	}
	for step := 1; ; step *= 10 {
		for _, n := range []int{2, 4, 6, 10} {
			if n*step >= most {
				return n * step
			}
		}
	}
}

// Empty says whether there is nothing to draw.
func (c Chart) Empty() bool {
	for _, p := range c.Points {
		if p.N > 0 {
			return false
		}
	}
	return true
}

// Axis are the names of four of the bars, each where a quarter of them begins; of fewer, of all.
func (c Chart) Axis() (names []string) {
	quarters := min(4, len(c.Points))
	for i := range quarters {
		names = append(names, c.Points[i*len(c.Points)/quarters].Short)
	}
	return names
}

const chartHeight = 160

// SVG draws the bars, with a description for who does not see them.
func (c Chart) SVG() template.HTML {
	var b strings.Builder
	id := template.HTMLEscapeString(c.ID)
	fmt.Fprintf(&b, `<svg class="chart" width="100%%" height="%d" role="img" aria-labelledby="%s-t %s-d">`, chartHeight, id, id)
	fmt.Fprintf(&b, `<title id="%s-t">%s</title><desc id="%s-d">%s</desc>`, id, template.HTMLEscapeString(c.Title), id, template.HTMLEscapeString(c.Desc()))
	for _, y := range []int{1, chartHeight / 2, chartHeight - 1} {
		fmt.Fprintf(&b, `<line class="grid" x1="0" x2="100%%" y1="%d" y2="%d"/>`, y, y)
	}
	width, top := 100/float64(max(1, len(c.Points))), float64(c.Top())
	for i, p := range c.Points {
		high := chartHeight * float64(p.N) / top
		fmt.Fprintf(&b, `<rect class="a" x="%s%%" y="%s" width="%s%%" height="%s"><title>%s: %s</title></rect>`,
			hundredths((float64(i)+0.15)*width), hundredths(chartHeight-high), hundredths(0.7*width), hundredths(high), template.HTMLEscapeString(p.Name), p.Value())
	}
	b.WriteString("</svg>")
	return template.HTML(b.String()) // numbers, and words that were escaped
}

// Desc says what is seen.
func (c Chart) Desc() string {
	most := Point{}
	for _, p := range c.Points {
		if p.N > most.N {
			most = p
		}
	}
	return fmt.Sprintf("Una barra por %s. La más alta: %s (%d). Las mismas cifras están en la tabla de abajo.", strings.ToLower(c.By), most.Name, most.N)
}

// Value is the number as the table has it.
func (p Point) Value() string {
	if p.None {
		return "—"
	}
	return strconv.Itoa(p.N)
}

func hundredths(f float64) string {
	return strconv.FormatFloat(math.Round(f*100)/100, 'f', -1, 64)
}

var monthNames = []string{"enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre"}

// Words is the month as people say it: "septiembre de 2025".
func (m Month) Words() string { return m.name() + " de " + m.Year() }

func (m Month) name() string { return monthNames[m.Begins(time.UTC).Month()-1] }

// MonthCharts are the attentions, the letters and the complaints of each month.
func (s Span) MonthCharts() []Chart {
	of := map[Month]Figures{}
	for _, f := range s.Months {
		of[f.ID] = f
	}
	charts := []Chart{
		{ID: "mes-atenciones", Title: "Atenciones por mes", Of: "atenciones", By: "Mes"},
		{ID: "mes-correos", Title: "Correos con enlace por mes", Of: "correos", By: "Mes"},
		{ID: "mes-quejas", Title: "Quejas por mes", Of: "quejas", By: "Mes"},
	}
	for m := s.From; m <= s.To; m = m.Plus(1) {
		f := of[m]
		v, known := f.Volumes()
		letters := 0
		if f.Own != nil {
			letters = f.Own.Letters
		}
		short := m.name()[:3] + " " + m.Year()[2:]
		for i, p := range []Point{{N: v.Attentions, None: !known}, {N: letters, None: f.Own == nil}, {N: v.Complaints, None: !known}} {
			p.Name, p.Short = m.Words(), short
			charts[i].Points = append(charts[i].Points, p)
		}
	}
	return charts
}

// DayCharts are the attentions, the letters and the complaints of each day of a month, as they were counted here.
func (f Figures) DayCharts() []Chart {
	charts := []Chart{
		{ID: "dia-atenciones", Title: "Atenciones por día", Of: "atenciones", By: "Día"},
		{ID: "dia-correos", Title: "Correos con enlace por día", Of: "correos", By: "Día"},
		{ID: "dia-quejas", Title: "Quejas por día", Of: "quejas", By: "Día"},
	}
	if f.Own == nil {
		return charts
	}
	for i, d := range f.Own.Days {
		if f.Running && i >= f.Today {
			break
		}
		name := fmt.Sprintf("%d de %s", i+1, f.ID.name())
		for j, n := range []int{d.Attentions, d.Letters, d.Complaints} {
			charts[j].Points = append(charts[j].Points, Point{Name: name, Short: strconv.Itoa(i + 1), N: n})
		}
	}
	return charts
}
