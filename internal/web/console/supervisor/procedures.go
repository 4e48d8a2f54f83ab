package supervisor

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"llave/internal/report"
	"llave/internal/web/console"
)

// Procedures is what was counted of the procedure, by month and by day.
type Procedures interface {
	Read(ctx context.Context, from, to report.Month) (report.Span, error)
}

// monthsShown are as many as the procedure's sheet has.
const monthsShown = 24

// proceduresData is the page of the procedure: months, and one of them by day.
type proceduresData struct {
	From, To      report.Month
	Months        []monthRow // the latest first
	MonthCharts   []report.Chart
	Before, After string // the pages of other months; "" where there are none

	Month     report.Month
	Known     bool // something was counted of it
	Running   bool
	Partly    bool
	Since     console.Moment
	Tiles     []figure
	DayCharts []report.Chart
	Funnel    []report.Share
	Leaving   []report.Share
	At        console.Moment
}

// monthRow is a month in the table of the sheet.
type monthRow struct {
	Month                        report.Month
	Link                         string
	Complaints, Attentions, Rate string
	Sheet                        bool // its two volumes are the sheet's
	On                           bool
}

// showProcedures shows how many procedures, letters and complaints there were.
func (c *Room) showProcedures(w http.ResponseWriter, r *http.Request, v console.Visit) error {
	now, err := c.now(r)
	if err != nil {
		return err
	}
	running := report.MonthOf(now, c.Desk.Zone)
	to := monthAsked(r, "hasta", running, running)
	month := monthAsked(r, "mes", to, running)
	if month > to || month < to.Plus(1-monthsShown) {
		to = month
	}
	span, err := c.Procedures.Read(r.Context(), to.Plus(1-monthsShown), to)
	if err != nil {
		return console.Unavailable(err)
	}
	data := proceduresData{From: span.From, To: span.To, MonthCharts: span.MonthCharts(), Month: month, At: c.Moment(span.At)}
	link := func(hasta, mes report.Month) string {
		return proceduresPath + "?hasta=" + string(hasta) + "&mes=" + string(mes)
	}
	data.Before = link(span.From.Plus(-1), span.From.Plus(-1))
	if to < running {
		next := min(to.Plus(monthsShown), running)
		data.After = link(next, next)
	}
	for _, f := range slices.Backward(span.Months) {
		data.Months = append(data.Months, rowOf(f, link(to, f.ID), f.ID == month))
		if f.ID == month {
			c.chooseMonth(&data, f, span.Since)
		}
	}
	return c.show(w, r, console.View{Visit: v, Name: "procedures", Here: console.HereSupervisor, Data: data})
}

// chooseMonth fills in what is shown of one month.
func (c *Room) chooseMonth(data *proceduresData, f report.Figures, since time.Time) {
	data.Running, data.Partly = f.Running, f.Partly
	if f.Own == nil {
		return
	}
	data.Known, data.Since = true, c.Moment(since)
	for i, value := range f.FigureCells() {
		data.Tiles = append(data.Tiles, figure{Name: report.FigureColumns[i], Value: value})
	}
	data.DayCharts = f.DayCharts()
	data.Funnel, data.Leaving = c.Words.Funnel(*f.Own), c.Words.Leaving(*f.Own)
}

func rowOf(f report.Figures, link string, on bool) monthRow {
	volumes, _ := f.Volumes()
	row := monthRow{
		Month: f.ID, Link: link, On: on, Sheet: f.Sheet != nil, Rate: "—",
		Complaints: strconv.Itoa(volumes.Complaints), Attentions: strconv.Itoa(volumes.Attentions),
	}
	if f.Own == nil {
		return row
	}
	if rate, ok := f.Own.Rate(); ok {
		row.Rate = report.Tenths(rate) + " %"
	}
	return row
}

// monthAsked is the month that an address asks for, the latest at most; what is none is [instead].
func monthAsked(r *http.Request, name string, instead, latest report.Month) report.Month {
	m, err := report.ParseMonth(r.URL.Query().Get(name))
	if err != nil {
		return instead
	}
	return min(m, latest)
}
