package supervisor

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"llave/bot"
	"llave/internal/affiliate"
	"llave/internal/handoff"
	"llave/internal/web"
	"llave/internal/web/console"
)

// hoursData is the page of the desk's hours.
type hoursData struct {
	Version  int64
	Door     handoff.Door
	Next     *handoff.When // when it opens or, open now, closes next
	ByHand   *closedByHand
	Week     []spanWords
	Usual    []spanWords // the setting's
	Own      bool        // the week is not the setting's
	Days     []dayRow    // from today on
	Past     int         // how many days before today are still kept
	Years    []yearRow
	Today    handoff.Date
	Done     string
	Conflict bool

	Back bool // from the preview: what was typed is to be changed, and nothing is wrong with it
	Rows []weekRow

	DayFields spanFields    // of a day that is different
	Preview   *hoursPreview // what would be saved; nil: nothing is about to be

	Failed   string            // the form that was refused
	WrongDay int               // of the week's rows, the one with what is wrong
	Wrong    map[string]string // field → what is wrong with it: the template "hours-problem" has the words
	Part     string            // of the week, what could not be read
	Typed    hoursTyped
}

// hoursTyped is what stands in the fields.
type hoursTyped struct {
	Week             string             // in one line
	Rows             [7][]handoff.Times // by day, from Sunday on
	Date, Name, Kind string
	Spans            []handoff.Times // of the day
	Until, Note      string
}

// weekRow is a day of the week.
type weekRow struct {
	Day    int
	Fields spanFields
	Wrong  string
}

// spanFields are the fields of the spans of one day: those that are set, and at least one more to fill in.
type spanFields struct {
	Suffix  string // of the fields' names
	Pairs   []spanPair
	Wrong   string
	Problem string // id of what says what is wrong
}

type spanPair struct {
	N int
	handoff.Times
}

func fieldsOf(all []handoff.Times, suffix, wrong, problem string) spanFields {
	f := spanFields{Suffix: suffix, Wrong: wrong, Problem: problem}
	for i, t := range append(slices.Clone(all), make([]handoff.Times, max(1, 2-len(all)))...) {
		f.Pairs = append(f.Pairs, spanPair{i + 1, t})
	}
	return f
}

// closedByHand is a closing that holds.
type closedByHand struct {
	By, Note string
	At       console.Moment
	Until    *handoff.When
}

// spanWords is a span in the words of the template "span-words".
type spanWords struct {
	First, Last   int
	Opens, Closes string
}

// dateWords is a date in the words of the template "date-words".
type dateWords struct {
	ISO                       string
	Weekday, Day, Month, Year int
}

// dayRow is a day that supervisors set.
type dayRow struct {
	handoff.Exception
	When dateWords
}

// yearRow is a year's national days of rest.
type yearRow struct {
	Year int
	Days []holidayRow
}

type holidayRow struct {
	Name  string
	When  dateWords
	Civic *dateWords // which is remembered, when that is another day
	Set   bool       // supervisors set something else for the day
}

func dateOf(d handoff.Date) dateWords {
	return dateWords{string(d), int(d.Weekday()), d.Day(), int(d.Month()), d.Year()}
}

func wordsOf(h handoff.Hours) []spanWords {
	var out []spanWords
	for _, s := range h {
		_, clock, _ := strings.Cut(s.String(), " ")
		opens, closes, _ := strings.Cut(clock, "-")
		out = append(out, spanWords{int(s.First), int(s.Last), opens, closes})
	}
	return out
}

// The days of the week as supervisors read them; what is kept has the English ones.
var spanishDays = strings.NewReplacer("mon", "lun", "tue", "mar", "wed", "mié", "thu", "jue", "fri", "vie", "sat", "sáb", "sun", "dom")

// hourForms are what may be changed. Each changes the schedule and says for the audit what it did, or why it cannot. Numbers
// in what people write there are masked.
var hourForms = map[string]func(c *Room, s *handoff.Schedule, t hoursTyped, v console.Visit, now time.Time) (detail string, err error){
	"semana": func(_ *Room, s *handoff.Schedule, t hoursTyped, _ console.Visit, _ time.Time) (string, error) {
		if err := s.SetHours(t.Week); err != nil {
			return "", err
		}
		return strings.TrimSpace("week " + s.Hours), nil
	},
	"filas": func(_ *Room, s *handoff.Schedule, t hoursTyped, _ console.Visit, _ time.Time) (string, error) {
		var week [7][]handoff.Span
		for day, spans := range t.Rows {
			var err error
			if week[day], err = handoff.TidySpans(spans); err != nil {
				return "", &rowError{day, err}
			}
		}
		if err := s.SetWeek(week); err != nil {
			return "", err
		}
		return "week " + s.Hours, nil
	},
	"dia": func(c *Room, s *handoff.Schedule, t hoursTyped, _ console.Visit, now time.Time) (string, error) {
		d := handoff.Exception{Date: handoff.Date(t.Date), Name: affiliate.MaskAll(t.Name), Open: t.Kind != "cerrado"}
		if t.Kind == "horas" {
			if len(t.Spans) == 0 {
				return "", handoff.ErrDayTimes
			}
			d.SetSpans(t.Spans)
		}
		if err := s.SetDay(d, c.Desk.Hours, handoff.DateOf(now.In(c.Desk.Zone))); err != nil {
			return "", err
		}
		return strings.TrimSpace("day " + t.Date + " " + dayChange(s, d.Date)), nil
	},
	"quitar": func(_ *Room, s *handoff.Schedule, t hoursTyped, _ console.Visit, _ time.Time) (string, error) {
		if !handoff.Date(t.Date).Valid() {
			return "", handoff.ErrNoDate
		}
		s.DropDay(handoff.Date(t.Date))
		return "drop " + t.Date, nil
	},
	"cerrar": func(c *Room, s *handoff.Schedule, t hoursTyped, v console.Visit, now time.Time) (string, error) {
		until, err := c.until(t.Until)
		if err != nil {
			return "", err
		}
		if err := s.Close(v.Agent.Login, now, until, affiliate.MaskAll(t.Note)); err != nil {
			return "", err
		}
		return strings.TrimSpace("closed " + c.cell(until)), nil
	},
	"abrir": func(_ *Room, s *handoff.Schedule, _ hoursTyped, _ console.Visit, _ time.Time) (string, error) {
		s.Reopen()
		return "reopened", nil
	},
}

// dayChange says how a day is set, as it is kept.
func dayChange(s *handoff.Schedule, date handoff.Date) string {
	i := slices.IndexFunc(s.Days, func(d handoff.Exception) bool { return d.Date == date })
	switch {
	case !s.Days[i].Open:
		return "closed"
	case s.Days[i].Opens != "":
		return timesText(s.Days[i].Spans())
	}
	return "open"
}

// timesText is "08:00-12:30, 13:30-17:00".
func timesText(all []handoff.Times) string {
	var out []string
	for _, t := range all {
		out = append(out, t.Opens+"-"+t.Closes)
	}
	return strings.Join(out, ", ")
}

// rowError is what is wrong with a day of the week.
type rowError struct {
	day int
	err error
}

func (e *rowError) Error() string { return e.err.Error() }
func (e *rowError) Unwrap() error { return e.err }

// typedSpans reads the pairs of fields of some spans; those that are both empty are left out. Where one of a pair is empty the other may
// hold whole spans, as people write them: "08h00-17h00", "08:00 a 12:30 y 13:30 a 17:00".
func typedSpans(form url.Values, suffix string) (all []handoff.Times) {
	opens, closes := form["abre"+suffix], form["cierra"+suffix]
	for i := range min(len(opens), len(closes), 20) {
		t := handoff.Times{Opens: bot.Cut(strings.TrimSpace(opens[i]), 60), Closes: bot.Cut(strings.TrimSpace(closes[i]), 60)}
		if t.Opens == "" || t.Closes == "" {
			if whole, err := handoff.ReadTimes(t.Opens + t.Closes); err == nil {
				all = append(all, timesOf(whole)...)
				continue
			}
		}
		if t.Opens != "" || t.Closes != "" {
			all = append(all, t)
		}
	}
	return all
}

// until reads the end of a closing; empty: there is none.
func (c *Room) until(typed string) (time.Time, error) {
	if typed = strings.TrimSpace(typed); typed == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04"} {
		if t, err := time.ParseInLocation(layout, typed, c.Desk.Zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, handoff.ErrUntil
}

// hourProblems say which field an error is about, and how the template calls it.
var hourProblems = []struct {
	err            error
	field, problem string
}{
	{handoff.ErrHours, "week", "hours"},
	{handoff.ErrNoDate, "date", "no_date"},
	{handoff.ErrPastDate, "date", "past"},
	{handoff.ErrFarDate, "date", "far"},
	{handoff.ErrDayName, "name", "name"},
	{handoff.ErrDayTimes, "times", "times"},
	{handoff.ErrOverlap, "times", "overlap"},
	{handoff.ErrManySpans, "times", "many_spans"},
	{handoff.ErrDayHours, "times", "day_hours"},
	{handoff.ErrTooMany, "date", "too_many"},
	{handoff.ErrUntil, "until", "until"},
	{handoff.ErrCloseNote, "note", "note"},
}

func (c *Room) showHours(w http.ResponseWriter, r *http.Request, v console.Visit) error {
	s, err := c.Desk.Schedules.Load(r.Context())
	if err != nil {
		return console.Unavailable(err)
	}
	data := hoursData{Done: r.URL.Query().Get("hecho")}
	if data.Done == "filas" {
		data.Done = "semana"
	}
	if _, ok := hourForms[data.Done]; !ok {
		data.Done = ""
	}
	return c.drawHours(w, r, v, s, data)
}

// drawHours shows a schedule, and in the fields what was typed or, where nothing was, what is set.
func (c *Room) drawHours(w http.ResponseWriter, r *http.Request, v console.Visit, s handoff.Schedule, data hoursData) error {
	now, err := c.now(r)
	if err != nil {
		return err
	}
	calendar := handoff.Calendar{Hours: c.Desk.Hours, Schedule: s, Zone: c.Desk.Zone}
	data.Version, data.Door, data.Today = s.Version, calendar.State(now), calendar.Today(now)
	next, known := calendar.NextOpening(now)
	if data.Door.Open {
		next, known = calendar.NextClosing(now)
	}
	if known {
		data.Next = c.when(next, now)
	}
	if by := s.ClosedNow; by.Holds(now) {
		data.ByHand = &closedByHand{By: by.By, Note: by.Note, At: c.Moment(by.At)}
		if !by.Until.IsZero() {
			data.ByHand.Until = c.when(by.Until, now)
		}
	}
	week := c.Desk.Hours
	if s.Hours != "" {
		if own, err := handoff.ParseHours(s.Hours); err == nil {
			week, data.Own = own, true
		}
	}
	data.Week, data.Usual = wordsOf(week), wordsOf(c.Desk.Hours)
	set := map[handoff.Date]bool{}
	for _, d := range s.Days {
		if set[d.Date] = true; d.Date < data.Today {
			data.Past++
			continue
		}
		data.Days = append(data.Days, dayRow{d, dateOf(d.Date)})
	}
	for _, year := range []int{data.Today.Year(), data.Today.Year() + 1} {
		row := yearRow{Year: year}
		for _, h := range handoff.Holidays(year) {
			day := holidayRow{Name: h.Name, When: dateOf(h.Date), Set: set[h.Date]}
			if h.Civic != h.Date {
				civic := dateOf(h.Civic)
				day.Civic = &civic
			}
			row.Days = append(row.Days, day)
		}
		data.Years = append(data.Years, row)
	}
	if data.Failed == "quitar" { // the date was not typed
		data.Typed = hoursTyped{}
	}
	if data.Failed != "semana" {
		data.Typed.Week = spanishDays.Replace(week.String())
	}
	if data.Failed != "filas" {
		for day, spans := range s.Week(c.Desk.Hours) {
			data.Typed.Rows[day] = timesOf(spans)
		}
	}
	data.Rows = weekRows(data.Typed.Rows, data.WrongDay, data.Wrong["row"])
	data.DayFields = fieldsOf(data.Typed.Spans, "", data.Wrong["times"], "horas-dia-falta")
	if data.Typed.Kind == "" {
		data.Typed.Kind = "cerrado"
	}
	status := http.StatusOK
	switch {
	case data.Conflict:
		status = http.StatusConflict
	case data.Failed != "" && !data.Back:
		status = http.StatusUnprocessableEntity
	}
	return c.show(w, r, console.View{Visit: v, Name: "hours", Here: console.HereSupervisor, Status: status, Data: data})
}

func timesOf(spans []handoff.Span) (all []handoff.Times) {
	for _, s := range spans {
		opens, closes := s.Clocks()
		all = append(all, handoff.Times{Opens: opens, Closes: closes})
	}
	return all
}

// weekRows are the days from Monday on.
func weekRows(typed [7][]handoff.Times, wrongDay int, wrong string) (rows []weekRow) {
	for i := range typed {
		day := (i + 1) % 7
		row := weekRow{Day: day}
		if wrong != "" && day == wrongDay {
			row.Wrong = wrong
		}
		n := strconv.Itoa(day)
		row.Fields = fieldsOf(typed[day], "-"+n, row.Wrong, "fila-"+n+"-falta")
		rows = append(rows, row)
	}
	return rows
}

func (c *Room) when(at, now time.Time) *handoff.When {
	w := handoff.WhenOf(at, now, c.Desk.Zone)
	return &w
}

// changeHours saves what a form asks for if nobody has saved since the page was drawn, writes it down, and lets the queue
// follow at once.
func (c *Room) changeHours(w http.ResponseWriter, r *http.Request, v console.Visit) error {
	form, err := web.Form(r)
	if err != nil {
		return err
	}
	do := form.Get("hacer")
	change, ok := hourForms[do]
	version, err := strconv.ParseInt(form.Get("version"), 10, 64)
	if !ok || err != nil {
		return &web.Error{Status: http.StatusBadRequest}
	}
	data := hoursData{Failed: do, Typed: hoursTyped{
		Week: bot.Cut(form.Get("semana"), 1000), Date: bot.Cut(strings.TrimSpace(form.Get("fecha")), 20), Name: bot.Cut(form.Get("nombre"), 200), Kind: form.Get("tipo"),
		Spans: typedSpans(form, ""), Until: bot.Cut(form.Get("hasta"), 30), Note: bot.Cut(form.Get("nota"), 1000),
	}}
	for day := range data.Typed.Rows {
		data.Typed.Rows[day] = typedSpans(form, "-"+strconv.Itoa(day))
	}
	ctx, cancel := console.Detached(r)
	defer cancel()
	s, err := c.Desk.Schedules.Load(ctx)
	if err != nil {
		return console.Unavailable(err)
	}
	now, err := c.now(r)
	if err != nil {
		return err
	}
	if s.Version != version {
		data.Conflict = true
		return c.drawHours(w, r, v, s, data)
	}
	was := s
	detail, err := change(c, &s, data.Typed, v, now)
	if err != nil {
		if !data.refuse(err) {
			return err
		}
		return c.drawHours(w, r, v, was, data)
	}
	seen := form.Get("visto")
	if seen == "corregir" {
		return c.drawHours(w, r, v, was, hoursData{Failed: do, Back: true, Typed: data.Typed})
	}
	preview, err := c.preview(ctx, hoursChange{do, was, s, data.Typed}, now)
	if err != nil {
		return err
	}
	if seen != preview.Effect { // not seen, or something else would come of it by now
		preview.Fields, preview.Again = hiddenFields(form), seen != ""
		return c.drawHours(w, r, v, was, hoursData{Preview: preview})
	}
	err = c.Desk.Schedules.Save(ctx, &s)
	if errors.Is(err, bot.ErrConflict) {
		if s, err = c.Desk.Schedules.Load(ctx); err == nil {
			data.Conflict = true
			return c.drawHours(w, r, v, s, data)
		}
	}
	if err != nil {
		return console.Unavailable(err)
	}
	// Named by the version, an edit is written down once.
	if err := c.Desk.Audit(ctx, handoff.AuditHours+"/"+strconv.FormatInt(s.Version, 10), v.Agent.Login, handoff.AuditHours, detail); err != nil {
		return console.Unavailable(err)
	}
	c.tend(ctx)
	return web.Redirect(w, r, hoursPath+"?hecho="+do)
}

// refuse has the page show what is wrong with the form, and says whether [err] is of that sort.
func (data *hoursData) refuse(err error) bool {
	var row *rowError
	for _, p := range hourProblems {
		if !errors.Is(err, p.err) {
			continue
		}
		if data.Wrong = map[string]string{p.field: p.problem}; errors.As(err, &row) {
			data.Wrong, data.WrongDay = map[string]string{"row": p.problem}, row.day
		}
		break
	}
	var part *handoff.HoursError
	if errors.As(err, &part) {
		data.Part = part.Part
	}
	return data.Wrong != nil
}

// tend lets the queue follow the hours now. The job that does so every few seconds makes up for what goes wrong here.
func (c *Room) tend(ctx context.Context) {
	if err := c.Desk.Tend(ctx); err != nil {
		c.Log.Warn("tend the queue", "err", err)
	}
}
