package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
)

//go:embed report.html
var pageFile string

var page = template.Must(template.New("report").Parse(pageFile))

// pageView is what the page shows.
type pageView struct {
	Span
	SinceDay      string
	Columns       []string
	Rows          [][]string
	FigureColumns []string
	Own           []Figures
	Lists         []pageList
}

type pageList struct {
	ID, Title, Of string
	Shares        []Share
}

// Width is the length of its bar, of a hundred.
func (s Share) Width() string { return hundredths(s.Percent) }

// Of100 is how many of a hundred, in words.
func (s Share) Of100() string { return Tenths(s.Percent) }

// WriteHTML writes a page of its own that needs nothing from anywhere.
func (s Span) WriteHTML(w io.Writer, names Names, b Book) error {
	v := pageView{Span: s, SinceDay: s.Since.In(b.Zone).Format("2006-01-02"), Columns: Columns, FigureColumns: FigureColumns, Own: s.Counted()}
	for _, f := range slices.Backward(s.Months) {
		v.Rows = append(v.Rows, f.cells())
	}
	total := s.Total()
	v.Lists = []pageList{
		{"hasta-donde", "Hasta dónde llegaron", "Paso", names.Funnel(total)},
		{"por-que", "Por qué se fueron antes de terminar", "Motivo", names.Leaving(total)},
	}
	var out bytes.Buffer
	if err := page.Execute(&out, v); err != nil {
		return fmt.Errorf("draw the report: %w", err)
	}
	_, err := w.Write(out.Bytes())
	return err
}
