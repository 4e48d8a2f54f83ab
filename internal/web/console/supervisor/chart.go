package supervisor

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"time"

	"llave/internal/handoff"
)

// A chart is drawn here as numbers and in the template as SVG. Widths are in per cent of the image and heights in
// pixels, so that it fits any page. Whatever is written stands beside the image, as text of the page.

// columns are upright bars side by side, in pairs.
type columns struct {
	Height int // of the image, which is also where the bars stand
	Top    int // what a bar as high as the image would stand for
	Lines  []int
	Pairs  []pair
	Empty  bool
}

// pair is two bars side by side.
type pair struct{ First, Second bar }

// bar is one bar. What it stands for is Value, in words Text.
type bar struct {
	X, Y, Width, Height percent
	Value               int
	Text                string
}

// percent prints as a number with a point, which is how SVG has it in every language.
type percent float64

func (p percent) String() string {
	return strconv.FormatFloat(math.Round(float64(p)*100)/100, 'f', -1, 64)
}

const plotHeight = 160

// hourColumns draws how many cases were asked for and got their first answer in each hour of the day.
func hourColumns(hours [24]handoff.HourFigures) columns {
	most := 0
	for _, h := range hours {
		most = max(most, h.Asked, h.Answered)
	}
	top := scaleTop(most)
	c := columns{Height: plotHeight, Top: top, Lines: []int{1, plotHeight / 2, plotHeight - 1}, Empty: most == 0}
	const width = 100.0 / 24
	for i, h := range hours {
		one := func(at float64, v int) bar {
			high := float64(plotHeight) * float64(v) / float64(top)
			return bar{X: percent((float64(i) + at) * width), Y: percent(plotHeight - high), Width: percent(0.38 * width), Height: percent(high), Value: v}
		}
		c.Pairs = append(c.Pairs, pair{one(0.1, h.Asked), one(0.5, h.Answered)})
	}
	return c
}

// scaleTop is the first even number from [most] on that a scale ends well at.
func scaleTop(most int) int {
	for step := 1; ; step *= 10 {
		for _, n := range []int{2, 4, 6, 10} {
			if n*step >= most {
				return n * step
			}
		}
	}
}

// row is one name with one or two bars that lie below it.
type row struct {
	Name string // as it is shown, or what the templates have the word for
	Link string // to the cases that it counts
	Bars []bar
}

// drawn gives the bars of some rows, whose values are known, lengths that compare with each other.
func drawn(of []row) []row {
	most := 1
	for _, r := range of {
		for _, b := range r.Bars {
			most = max(most, b.Value)
		}
	}
	for _, r := range of {
		for i := range r.Bars {
			r.Bars[i].Width = percent(100 * float64(r.Bars[i].Value) / float64(most))
		}
	}
	return of
}

// answerRows draws how long people waited for each agent's first word.
func answerRows(agents []handoff.Group) []row {
	var of []row
	for _, a := range agents {
		if q := a.FirstAnswer; q.N > 0 {
			of = append(of, row{Name: a.Name, Bars: []bar{
				{Value: int(q.P50 / time.Second), Text: length(q.P50)}, {Value: int(q.P90 / time.Second), Text: length(q.P90)},
			}})
		}
	}
	return drawn(of)
}

// reasonRows draws what cases ended for, the most frequent first. The names are the templates' to write.
func reasonRows(reasons map[string]int) []row {
	var of []row
	for reason, n := range reasons {
		of = append(of, row{Name: reason, Bars: []bar{{Value: n, Text: strconv.Itoa(n)}}})
	}
	slices.SortFunc(of, func(a, b row) int {
		return cmp.Or(cmp.Compare(b.Bars[0].Value, a.Bars[0].Value), cmp.Compare(a.Name, b.Name))
	})
	return drawn(of)
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
