package console

import (
	"math"
	"slices"
	"strconv"
	"time"

	"llave/internal/handoff"
)

// A chart is drawn here as numbers and in the template as SVG. Widths are in per cent of the picture and heights in
// pixels, so that it fits any page while its letters keep their size; the same figures stand below it in a table.

// columns are upright bars side by side, in pairs.
type columns struct {
	Height int // of the picture
	Floor  int // where the bars stand
	Lines  []gridLine
	Pairs  []pair
	Empty  bool
}

// gridLine is one line of the scale.
type gridLine struct {
	Y     int
	Text  string
	TextY int
}

// pair is two bars over one label.
type pair struct {
	Label  string
	First  bar
	Second bar
	Shown  bool // the label is written under the bars
	Middle percent
}

// bar is one bar. What it stands for is Value.
type bar struct {
	X, Y, Width percent
	Height      percent
	Value       int
	Text        string
}

// percent prints as a number with a point, which is how SVG and CSS have it in every language.
type percent float64

func (p percent) String() string {
	return strconv.FormatFloat(math.Round(float64(p)*100)/100, 'f', -1, 64)
}

const (
	plotHeight = 160
	plotTop    = 18
	plotLeft   = 9.0 // per cent, for the scale
)

// hourColumns draws how many cases were asked for and got their first answer in each hour of the day.
func hourColumns(hours [24]handoff.HourFigures) columns {
	most := 0
	for _, h := range hours {
		most = max(most, h.Asked, h.Answered)
	}
	c := columns{Height: plotTop + plotHeight + 26, Floor: plotTop + plotHeight, Empty: most == 0}
	top := scaleTop(most)
	for _, v := range []int{0, top / 2, top} {
		y := c.Floor - plotHeight*v/top
		c.Lines = append(c.Lines, gridLine{y, strconv.Itoa(v), y - 4})
	}
	width := (100 - plotLeft) / 24
	for i, h := range hours {
		x := plotLeft + width*float64(i)
		one := func(at float64, v int) bar {
			high := float64(plotHeight) * float64(v) / float64(top)
			return bar{percent(x + at*width), percent(float64(c.Floor) - high), percent(0.38 * width), percent(high), v, strconv.Itoa(v)}
		}
		c.Pairs = append(c.Pairs, pair{
			Label: strconv.Itoa(i), First: one(0.1, h.Asked), Second: one(0.5, h.Answered), Shown: i%3 == 0, Middle: percent(x + width/2),
		})
	}
	return c
}

// scaleTop is the first even number from most on that a scale ends well at.
func scaleTop(most int) int {
	for step := 1; ; step *= 10 {
		for _, n := range []int{2, 4, 6, 10} {
			if n*step >= most {
				return n * step
			}
		}
	}
}

// rows are bars that lie one below the other, each under its name.
type rows struct {
	Height int
	Rows   []row
}

// row is one name with one or two bars.
type row struct {
	Name  string // as it is shown, or a word of the templates
	NameY int
	Bars  []bar
}

const (
	rowName = 22 // pixels
	rowBar  = 20
	rowGap  = 12
	barEnd  = 76.0 // per cent: the text of the longest bar stands behind it
)

// newRows lays out rows of bars whose values and texts are given; their lengths compare with each other.
func newRows(of []row) rows {
	most := 1
	for _, r := range of {
		for _, b := range r.Bars {
			most = max(most, b.Value)
		}
	}
	y := 0
	out := rows{Rows: slices.Clone(of)}
	for i := range out.Rows {
		r := &out.Rows[i]
		r.NameY = y + rowName - 6
		y += rowName
		for j := range r.Bars {
			b := &r.Bars[j]
			b.Y, b.Height, b.Width = percent(y), rowBar-4, percent(max(barEnd*float64(b.Value)/float64(most), 0.5))
			y += rowBar
		}
		y += rowGap
	}
	out.Height = y
	return out
}

// answerRows draws how long people waited for each agent's first word.
func answerRows(agents []handoff.AgentFigures) rows {
	var of []row
	for _, a := range agents {
		if q := a.FirstAnswer; q.N > 0 {
			of = append(of, row{Name: a.Name, Bars: []bar{
				{Value: int(q.P50 / time.Second), Text: length(q.P50)}, {Value: int(q.P90 / time.Second), Text: length(q.P90)},
			}})
		}
	}
	return newRows(of)
}

// reasonRows draws what cases ended for, the most frequent first. The names are the templates' to write.
func reasonRows(reasons map[string]int) rows {
	var of []row
	for reason, n := range reasons {
		of = append(of, row{Name: reason, Bars: []bar{{Value: n, Text: strconv.Itoa(n)}}})
	}
	slices.SortFunc(of, func(a, b row) int {
		if d := b.Bars[0].Value - a.Bars[0].Value; d != 0 {
			return d
		}
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return newRows(of)
}

// length writes how long something took, in the two largest units.
func length(d time.Duration) string {
	d = d.Round(time.Second)
	n := func(of time.Duration, unit string) string { return strconv.Itoa(int(of)) + " " + unit }
	two := func(a, b string, second time.Duration) string {
		if second == 0 {
			return a
		}
		return a + " " + b
	}
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return n(d/time.Second, "s")
	case d < time.Hour:
		s := d % time.Minute / time.Second
		return two(n(d/time.Minute, "min"), n(s, "s"), s)
	case d < 2*day:
		m := d % time.Hour / time.Minute
		return two(n(d/time.Hour, "h"), n(m, "min"), m)
	}
	h := d % day / time.Hour
	return two(n(d/day, "d"), n(h, "h"), h)
}
