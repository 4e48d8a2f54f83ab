package supervisor

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"llave/bot"
	"llave/internal/handoff"
	"llave/internal/web"
	"llave/internal/web/console"
)

// mostDays is how many days figures may be of.
const mostDays = 366

// longDays is how many days are shown one by one; more are shown by week.
const longDays = 31

// chosen is what a supervisor chose to see: of which days, and which cases of them.
type chosen struct {
	Days    int // so many up to today; 0: From and To were typed
	Range   dayRange
	Problem string // with the days
	Typed   struct{ From, To string }
	handoff.Sieve
}

// choose reads what the address asks for.
func (c *Room) choose(r *http.Request, now time.Time) chosen {
	q := r.URL.Query()
	one := func(name string) string { return bot.Cut(strings.TrimSpace(q.Get(name)), 64) }
	ch := chosen{Sieve: handoff.Sieve{
		Agent: one("agente"), Channel: one("canal"), Meaning: one("tema"), Step: one("paso"), Hour: one("hora"), Which: one("cuales"), Reason: one("motivo"),
	}}
	if from, to := one("desde"), one("hasta"); from != "" || to != "" {
		ch.Range, ch.Problem = c.daysOf(from, to, now, mostDays)
		ch.Typed.From, ch.Typed.To = from, to
	} else {
		var err error
		if ch.Days, err = strconv.Atoi(q.Get("dias")); err != nil || !slices.Contains(periods, ch.Days) {
			ch.Days = periods[0]
		}
		ch.Range = c.lastDays(ch.Days, now)
	}
	if ch.Problem == "" {
		ch.Typed.From, ch.Typed.To = string(ch.Range.From), string(ch.Range.To)
	}
	ch.From, ch.To = ch.Range.begins, ch.Range.ends
	return ch
}

// query is what was chosen as an address has it, with further pairs of a name and a value; an empty value chooses all.
func (ch chosen) query(more ...string) string {
	q := url.Values{}
	if ch.Days > 0 {
		q.Set("dias", strconv.Itoa(ch.Days))
	} else {
		q.Set("desde", string(ch.Range.From))
		q.Set("hasta", string(ch.Range.To))
	}
	pairs := append([]string{"agente", ch.Agent, "canal", ch.Channel, "tema", ch.Meaning, "paso", ch.Step, "hora", ch.Hour, "cuales", ch.Which, "motivo", ch.Reason}, more...)
	for i := 0; i+1 < len(pairs); i += 2 {
		if q.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
			q.Del(pairs[i])
		}
		if pairs[i] == "desde" { // other days take the place of the last ones
			q.Del("dias")
		}
	}
	return q.Encode()
}

// cases is the address of the list of the cases that a figure counts.
func (ch chosen) cases(more ...string) string { return casesPath + "?" + ch.query(more...) }

// figure is one number with the cases that it counts.
type figure struct {
	Name, Value, Small string
	Link               string // "" where there is nothing to open
	Pace               string // "late": it is no good news
}

// tiles are the figures in words, each with the way to its cases.
func tiles(f handoff.Figures, target time.Duration, link func(more ...string) string) []figure {
	w := inWords(f)
	count := func(name string, n int, which string) figure {
		out := figure{Name: name, Value: strconv.Itoa(n)}
		if n > 0 {
			out.Link = link("cuales", which)
		}
		return out
	}
	late := count("Pasaron la meta de "+length(target), f.Breached, handoff.WhichBreached)
	if f.Breached > 0 {
		late.Pace = "late"
	}
	of := func(name, value, which string) figure {
		out := figure{Name: name, Value: cmp.Or(value, "—")}
		if value != "" {
			out.Link = link("cuales", which)
		}
		return out
	}
	gave := of("No esperaron: la mitad se fue a los", w.Abandoned, handoff.WhichAbandoned)
	if f.Abandoned.N > 0 {
		gave.Small = strconv.Itoa(f.Abandoned.N) + " sin atención"
	}
	stars := of("Calificación (de 5)", w.Stars, handoff.WhichRated)
	switch w.Rated {
	case 0:
	case 1:
		stars.Small = "1 voto"
	default:
		stars.Small = strconv.Itoa(w.Rated) + " votos"
	}
	return []figure{
		count("Pedidos", f.Asked, ""), count("Tomados", f.Taken, handoff.WhichTaken), count("Cerrados por un agente", f.Resolved, handoff.WhichResolved),
		count("Volvieron al bot", f.Returned, handoff.WhichReturned), count("No esperaron", f.Left, handoff.WhichLeft), count("Siguen abiertos", f.Open, handoff.WhichOpen),
		late, of("Primera respuesta: la mitad en", w.P50, handoff.WhichAnswered), of("9 de cada 10 en", w.P90, handoff.WhichAnswered), gave,
		of("Atención: la mitad en", w.Handling, handoff.WhichTaken), stars,
	}
}

// groupTable is a table of figures in groups.
type groupTable struct {
	ID, Title, Of string
	Rows          []groupRow
}

// groupRow is one group.
type groupRow struct {
	Name, Small string
	When        *dateWords // in place of a name
	Week        bool       // which begins then
	Link        string
	LateLink    string
	figures
}

func tableOf(id, title, of string, groups []handoff.Group, row func(g handoff.Group) groupRow) groupTable {
	t := groupTable{ID: id, Title: title, Of: of}
	for _, g := range groups {
		r := row(g)
		r.figures = inWords(g.Figures)
		t.Rows = append(t.Rows, r)
	}
	return t
}

// tables are the figures by day or week, channel, meaning and step.
func (c *Room) tables(ch chosen, report handoff.Report) []groupTable {
	with := func(name string, param ...string) groupRow {
		return groupRow{Name: name, Link: ch.cases(param...), LateLink: ch.cases(append(param, "cuales", handoff.WhichBreached)...)}
	}
	word := c.words()
	day := func(last int) func(g handoff.Group) groupRow {
		return func(g handoff.Group) groupRow {
			first := handoff.Date(g.Key)
			from, to := max(first, ch.Range.From), min(first.Plus(last), ch.Range.To)
			row := with("", "desde", string(from), "hasta", string(to))
			when := dateOf(from)
			row.When, row.Week = &when, last > 0
			return row
		}
	}
	by := tableOf("por-dia", "Por día", "Día", report.Days, day(0))
	if len(report.Days) > longDays {
		by = tableOf("por-dia", "Por semana", "Semana", report.Weeks, day(6))
	}
	return []groupTable{
		by,
		tableOf("por-tema", "De qué se trata", "Tema", mostFirst(report.Meanings), func(g handoff.Group) groupRow {
			if g.Key == "" {
				return with("No se sabe", "tema", handoff.None)
			}
			return with(c.meaningTitle(g.Key), "tema", g.Key)
		}),
		tableOf("por-paso", "En qué paso pidieron ayuda", "Paso", mostFirst(report.Steps), func(g handoff.Group) groupRow {
			return with(cmp.Or(c.StateName(bot.State(g.Key)), "Otro"), "paso", cmp.Or(g.Key, handoff.None))
		}),
		tableOf("por-canal", "Por canal", "Canal", report.Channels, func(g handoff.Group) groupRow {
			return with(word("channel", g.Key), "canal", g.Key)
		}),
	}
}

// mostFirst puts the groups first of which most was asked.
func mostFirst(groups []handoff.Group) []handoff.Group {
	slices.SortStableFunc(groups, func(a, b handoff.Group) int { return cmp.Compare(b.Asked, a.Asked) })
	return groups
}

// option is something that can be chosen from a list.
type option struct {
	Value, Name string
	On          bool
}

// options are the agents, channels and meanings that there are among the cases of some days.
func options(groups []handoff.Group, on string, name func(g handoff.Group) option) (all []option) {
	seen := false
	for _, g := range groups {
		o := name(g)
		o.On = o.Value == on
		seen = seen || o.On
		all = append(all, o)
	}
	if !seen && on != "" {
		all = append(all, option{on, on, true})
	}
	return all
}

// casesData is the list of the cases that a figure counts.
type casesData struct {
	chosen
	What   []string // which cases, in words
	Rows   []caseRow
	Count  int
	Target string
	Back   string
	Paging paging
	File   string
}

type caseRow struct {
	closedRow
	Status, Meaning, Step string
	Late                  bool
}

// listCases lists the cases that a figure counts, the latest first.
func (c *Room) listCases(w http.ResponseWriter, r *http.Request, v console.Visit) error {
	now, err := c.now(r)
	if err != nil {
		return err
	}
	ch := c.choose(r, now)
	data := casesData{chosen: ch, Target: length(c.Desk.Target), Back: supervisionPath + "?" + ch.query("hora", "", "cuales", "", "motivo", "", "paso", ""), File: exportPath + "?" + ch.query()}
	if ch.Problem != "" {
		return c.show(w, r, console.View{Visit: v, Name: "cases", Here: console.HereSupervisor, Status: http.StatusUnprocessableEntity, Data: data})
	}
	data.What = c.inWordsOf(ch)
	page := pageOf(r)
	err = c.Desk.EachCounted(r.Context(), ch.Sieve, func(k handoff.Counted) bool {
		if data.Count++; data.Count > (page-1)*pageSize && data.Count <= page*pageSize {
			data.Rows = append(data.Rows, c.caseRow(k))
		}
		return r.Context().Err() == nil
	})
	if err != nil {
		return console.Unavailable(err)
	}
	data.Paging = newPaging(r, page, data.Count > page*pageSize)
	return c.show(w, r, console.View{Visit: v, Name: "cases", Here: console.HereSupervisor, Data: data})
}

func (c *Room) caseRow(k handoff.Counted) caseRow {
	h := k.Handoff
	row := caseRow{
		closedRow: closedRow{
			Ref: h.Ref, Channel: k.Channel, Reason: h.Reason, Agent: h.AgentName, Rating: h.Rating,
			Asked: c.Moment(h.Asked), Taken: c.Moment(h.Taken), Answered: c.Moment(h.Answered), Ended: c.Moment(h.Ended), Waited: length(k.Waited),
		},
		Status: h.Status, Step: c.StateName(h.From), Late: k.Breached,
	}
	if h.Meaning != "" {
		row.Meaning = c.meaningTitle(h.Meaning)
	}
	if !h.Taken.IsZero() && !h.Ended.IsZero() {
		row.Took = length(h.Ended.Sub(h.Taken))
	}
	return row
}

// inWordsOf says which cases were chosen.
func (c *Room) inWordsOf(ch chosen) (what []string) {
	word := c.words()
	add := func(is, before, name string) {
		switch is {
		case "":
		case handoff.None:
			what = append(what, before+"no se sabe")
		default:
			what = append(what, before+name)
		}
	}
	add(ch.Which, "", word("which", ch.Which))
	add(ch.Agent, "agente: ", ch.Agent)
	add(ch.Channel, "canal: ", word("channel", ch.Channel))
	add(ch.Meaning, "tema: ", c.meaningTitle(ch.Meaning))
	add(ch.Step, "paso: ", cmp.Or(c.StateName(bot.State(ch.Step)), "otro"))
	add(ch.Reason, "terminó: ", word("reason", ch.Reason))
	if ch.Hour != "" {
		what = append(what, "pedidos a las "+ch.Hour+" h")
	}
	return what
}

// exportFigures sends the figures of what was chosen as CSV.
func (c *Room) exportFigures(w http.ResponseWriter, r *http.Request, v console.Visit) error {
	now, err := c.now(r)
	if err != nil {
		return err
	}
	ch := c.choose(r, now)
	if ch.Problem != "" {
		return c.supervision(w, r, v)
	}
	report, err := c.Desk.Report(r.Context(), ch.Sieve)
	if err != nil {
		return console.Unavailable(err)
	}
	if err := c.audit(r, v, handoff.AuditExport, string(ch.Range.From)+" "+string(ch.Range.To)); err != nil {
		return err
	}
	f := newFile(w, "cifras_"+string(ch.Range.From)+"_"+string(ch.Range.To)+".csv", []string{
		"por", "cuál", "pedidos", "tomados", "cerrados por un agente", "volvieron al bot", "no esperaron", "siguen abiertos", "pasaron la meta",
		"primera respuesta, mitad en segundos", "primera respuesta, 9 de cada 10 en segundos", "atención, mitad en segundos", "calificación media", "votos",
	})
	row := func(by, which string, g handoff.Figures) {
		seconds := func(q handoff.Quantiles, d time.Duration) string {
			if q.N == 0 {
				return ""
			}
			return strconv.FormatInt(int64(d/time.Second), 10)
		}
		n := strconv.Itoa
		words := inWords(g)
		f.row(by, which, n(g.Asked), n(g.Taken), n(g.Resolved), n(g.Returned), n(g.Left), n(g.Open), n(g.Breached),
			seconds(g.FirstAnswer, g.FirstAnswer.P50), seconds(g.FirstAnswer, g.FirstAnswer.P90), seconds(g.Handling, g.Handling.P50), words.Stars, n(words.Rated))
	}
	row("todo", string(ch.Range.From)+" a "+string(ch.Range.To), report.All)
	for _, g := range report.Agents {
		row("agente", g.Name, g.Figures)
	}
	for _, t := range c.tables(ch, report) {
		for _, g := range t.Rows {
			name := g.Name
			if g.When != nil {
				name = g.When.ISO
			}
			row(strings.ToLower(t.Of), name, g.Figures)
		}
	}
	return f.end(nil)
}

// boardData is the desk at this moment, for a screen on the wall.
type boardData struct {
	Present present
	Target  string
	Queue   []boardRow
	More    int // who wait and are not listed
	Held    []boardRow
	Every   int // seconds from one look to the next
}

// boardRow is one case on the board.
type boardRow struct {
	Ref, Channel, Meaning, Agent string
	Waits                        string // how long the person has waited for an answer; "" when they have one
	Pace                         string
	Later                        bool // its agent put it off
}

// boardMost is how many of those that wait the board lists.
const boardMost = 30

// lookAtBoard reads the board.
func (c *Room) lookAtBoard(r *http.Request) (b boardData, err error) {
	ctx := r.Context()
	b.Target, b.Every = length(c.Desk.Target), boardEvery
	if b.Present, err = c.presentDesk(ctx); err != nil {
		return b, console.Unavailable(err)
	}
	now, err := c.now(r)
	if err != nil {
		return b, err
	}
	calendar, err := c.Desk.Calendar(ctx)
	if err != nil {
		return b, console.Unavailable(err)
	}
	all, err := c.Desk.Inbox(ctx)
	if err != nil {
		return b, console.Unavailable(err)
	}
	for _, k := range all {
		row := boardRow{Ref: k.Ref, Channel: k.Channel, Agent: k.AgentName, Meaning: c.StateName(k.From), Later: k.IsPostponed()}
		if k.Meaning != "" {
			row.Meaning = c.meaningTitle(k.Meaning)
		}
		since := k.AskedLast()
		if k.Held() {
			since = k.Since
		}
		if !since.IsZero() {
			wait := max(now.Sub(calendar.WaitFrom(since, now)), 0)
			row.Waits, row.Pace = length(wait), handoff.Pace(wait, c.Desk.Target)
		}
		switch {
		case k.Held():
			b.Held = append(b.Held, row)
		case k.Waiting() && len(b.Queue) < boardMost:
			b.Queue = append(b.Queue, row)
		case k.Waiting():
			b.More++
		}
	}
	return b, nil
}

// boardEvery is how many seconds the board waits between two looks.
const boardEvery = 5

func (c *Room) showBoard(w http.ResponseWriter, r *http.Request, v console.Visit) error {
	b, err := c.lookAtBoard(r)
	if err != nil {
		return err
	}
	return c.show(w, r, console.View{Visit: v, Name: "board", Here: console.HereSupervisor, Data: b})
}

// boardPart is the piece of the board that its script fetches anew.
func (c *Room) boardPart(w http.ResponseWriter, r *http.Request, _ console.Visit) error {
	b, err := c.lookAtBoard(r)
	if err != nil {
		return err
	}
	return web.ShowPart(w, c.pages, "board", "board", b)
}
