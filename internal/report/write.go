package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// Names are the words for stages and for reasons of leaving, in the order in which they are told.
type Names struct {
	Stages, Reasons []Name
}

// Name is a stored name and the words for it.
type Name struct{ Key, Words string }

// Share is a line of a list: how many, and how many of a hundred.
type Share struct {
	Name
	N       int
	Percent float64
}

// Funnel is how many visits came to each stage.
func (n Names) Funnel(s Sum) []Share { return shares(n.Stages, s.Reached, s.Visits) }

// Leaving is why visits ended short of their end, the most frequent reason first.
func (n Names) Leaving(s Sum) []Share {
	total := 0
	for _, of := range s.Left {
		total += of
	}
	all := slices.DeleteFunc(shares(n.Reasons, s.Left, total), func(one Share) bool { return one.N == 0 })
	slices.SortStableFunc(all, func(a, b Share) int { return cmp.Compare(b.N, a.N) })
	return all
}

func shares(names []Name, counts map[string]int, of int) (all []Share) {
	for _, n := range names {
		s := Share{Name: n, N: counts[n.Key]}
		if of > 0 {
			s.Percent = 100 * float64(s.N) / float64(of)
		}
		all = append(all, s)
	}
	return all
}

// Total adds up what was counted here, but for medians, which cannot be added.
func (s Span) Total() Sum {
	t := Sum{Reached: map[string]int{}, Left: map[string]int{}}
	for _, f := range s.Months {
		if f.Own == nil {
			continue
		}
		t.Visits += f.Own.Visits
		t.Attentions += f.Own.Attentions
		t.Completed += f.Own.Completed
		t.Letters += f.Own.Letters
		t.Complaints += f.Own.Complaints
		t.Handoffs += f.Own.Handoffs
		for k, n := range f.Own.Reached {
			t.Reached[k] += n
		}
		for k, n := range f.Own.Left {
			t.Left[k] += n
		}
	}
	return t
}

// Counted are the months of which something was counted here, the latest first.
func (s Span) Counted() (all []Figures) {
	for _, f := range slices.Backward(s.Months) {
		if f.Own != nil {
			all = append(all, f)
		}
	}
	return all
}

// FigureColumns are what was counted of a month, beside the year and the month.
var FigureColumns = []string{"Visitas", "Atenciones", "Completas", "Completas %", "Tiempo mediano", "Correos", "Quejas", "Pidieron persona", "Espera mediana"}

// FigureCells are what was counted of a month, in words.
func (f Figures) FigureCells() []string {
	o, n := f.Own, strconv.Itoa
	rate, took, waited := "—", "—", "—"
	if r, ok := o.Rate(); ok {
		rate = Tenths(r)
	}
	if o.Took > 0 {
		took = Length(o.Took)
	}
	if o.Waited > 0 {
		waited = Length(o.Waited)
	}
	return []string{n(o.Visits), n(o.Attentions), n(o.Completed), rate, took, n(o.Letters), n(o.Complaints), n(o.Handoffs), waited}
}

// Tenths writes a number with one decimal as it is written in Spanish.
func Tenths(f float64) string {
	return strings.Replace(strconv.FormatFloat(f, 'f', 1, 64), ".", ",", 1)
}

// Length writes how long something took, in its two largest units.
func Length(d time.Duration) string {
	switch d = d.Round(time.Second); {
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	case d < day:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%d d %d h", d/day, d%day/time.Hour)
}

// WriteTable writes the sheet's table and, where anything was counted here, what was, the latest month first.
func (s Span) WriteTable(w io.Writer, names Names) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(cells ...string) { fmt.Fprintln(t, strings.Join(cells, "\t")) }
	line(Columns...)
	for _, f := range slices.Backward(s.Months) {
		line(f.cells()...)
	}
	counted := s.Counted()
	if len(counted) == 0 {
		return t.Flush()
	}
	fmt.Fprintln(t, "\nContado por Llave:")
	line(append(slices.Clone(Columns[:2]), FigureColumns...)...)
	for _, f := range counted {
		line(append(f.cells()[:2], f.FigureCells()...)...)
	}
	total := s.Total()
	list := func(title string, all []Share) {
		if len(all) == 0 {
			return
		}
		fmt.Fprintln(t, "\n"+title)
		for _, one := range all {
			line(one.Words, strconv.Itoa(one.N), Tenths(one.Percent)+" %")
		}
	}
	list("Hasta dónde llegaron:", names.Funnel(total))
	list("Por qué se fueron antes de terminar:", names.Leaving(total))
	return t.Flush()
}

// shownMonth is a month in JSON.
type shownMonth struct {
	Year       int      `json:"year"`
	Month      int      `json:"month"`
	Complaints int      `json:"complaints"`
	Attentions int      `json:"attentions"`
	Source     string   `json:"source"` // "sheet" or "counted": whose these two are
	Sheet      *Volumes `json:"sheet"`
	Counted    *shown   `json:"counted"`
	Running    bool     `json:"running"`
	Partly     bool     `json:"partly"`
}

// shown is what was counted, in JSON.
type shown struct {
	Sum
	Rate   *float64 `json:"completion_rate"`
	Took   *float64 `json:"median_completion_seconds"`
	Waited *float64 `json:"median_first_answer_seconds"`
}

func (f Figures) shown() shownMonth {
	v, _ := f.Volumes()
	number := func(s string) int { n, _ := strconv.Atoi(s); return n }
	m := shownMonth{
		Year: number(f.ID.Year()), Month: number(f.ID.Number()), Complaints: v.Complaints, Attentions: v.Attentions,
		Source: "counted", Sheet: f.Sheet, Running: f.Running, Partly: f.Partly,
	}
	if f.Sheet != nil {
		m.Source = "sheet"
	}
	if f.Own == nil {
		return m
	}
	seconds := func(d time.Duration) *float64 {
		if d == 0 {
			return nil
		}
		s := d.Seconds()
		return &s
	}
	m.Counted = &shown{Sum: *f.Own, Took: seconds(f.Own.Took), Waited: seconds(f.Own.Waited)}
	if r, ok := f.Own.Rate(); ok {
		r /= 100
		m.Counted.Rate = &r
	}
	return m
}

// WriteJSON writes all that is known, the latest month first.
func (s Span) WriteJSON(w io.Writer) error {
	all := struct {
		From    Month        `json:"from"`
		To      Month        `json:"to"`
		Since   *time.Time   `json:"counted_since"`
		Months  []shownMonth `json:"months"`
		Missing []Month      `json:"missing"`
	}{From: s.From, To: s.To, Months: []shownMonth{}, Missing: append([]Month{}, s.Missing...)}
	if !s.Since.IsZero() {
		since := s.Since.UTC()
		all.Since = &since
	}
	for _, f := range slices.Backward(s.Months) {
		all.Months = append(all.Months, f.shown())
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(all)
}
