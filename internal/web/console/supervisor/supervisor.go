package supervisor

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"llave/internal/handoff"
	"llave/internal/web"
	"llave/internal/web/console"
)

// present is the desk at this moment.
type present struct {
	At                       console.Moment
	Open                     bool
	Waiting, Scheduled, Held int
	Longest                  string // the longest wait in the queue; "" when nobody waits
	Pace                     string // of that wait, by the target
	Duty                     []duty
}

// duty is one agent who is there, or has conversations although their console is gone.
type duty struct {
	Name  string
	Held  int
	Away  bool
	There bool // the console is
}

// presentDesk reads the desk as it is. A wait counts from the opening for whoever asked before it.
func (c *Room) presentDesk(ctx context.Context) (present, error) {
	now, err := c.Desk.Now(ctx)
	if err != nil {
		return present{}, err
	}
	calendar, err := c.Desk.Calendar(ctx)
	if err != nil {
		return present{}, err
	}
	cases, err := c.Desk.Inbox(ctx)
	if err != nil {
		return present{}, err
	}
	there, err := c.Desk.Colleagues(ctx)
	if err != nil {
		return present{}, err
	}
	p := present{At: c.Moment(now), Open: calendar.Open(now)}
	byLogin := map[string]*duty{}
	for _, a := range there {
		byLogin[a.Login] = &duty{Name: a.Name, Away: a.Away, There: true}
	}
	longest := time.Duration(-1)
	for _, k := range cases {
		switch {
		case k.Held():
			p.Held++
			if byLogin[k.Agent] == nil {
				byLogin[k.Agent] = &duty{Name: k.AgentName}
			}
			byLogin[k.Agent].Held++
		case k.Waiting():
			p.Waiting++
			longest = max(longest, now.Sub(calendar.WaitFrom(k.AskedLast(), now)))
		default:
			p.Scheduled++
		}
	}
	if longest >= 0 {
		p.Longest, p.Pace = length(longest), handoff.Pace(longest, c.Desk.Target)
	}
	for _, d := range byLogin {
		p.Duty = append(p.Duty, *d)
	}
	slices.SortFunc(p.Duty, func(a, b duty) int { return cmp.Compare(a.Name, b.Name) })
	return p, nil
}

// presentPart is the piece of the page that its script fetches anew.
func (c *Room) presentPart(w http.ResponseWriter, r *http.Request, _ console.Visit) error {
	p, err := c.presentDesk(r.Context())
	if err != nil {
		return console.Unavailable(err)
	}
	return web.ShowPart(w, c.pages, "supervisor", "present", p)
}

// periods are the stretches of days that the figures may be of.
var periods = []int{1, 7, 30}

// supervisionData is the supervisor's first page.
type supervisionData struct {
	chosen
	Present    present
	Periods    []int
	Target     string
	Tiles      []figure
	AgentTable groupTable
	Tables     []groupTable
	Hours      [24]hourRow
	ByHour     columns
	Answers    []row
	Reasons    []row
	Who        []option // to choose from
	Channels   []option
	Meanings   []option
	Unheard    []unheardRow // what was not understood, most often first
	Files      struct{ Cases, Figures string }
}

// unheardShown is how many sentences stand on the first page.
const unheardShown = 5

// hourRow is an hour of the day with the way to its cases.
type hourRow struct {
	handoff.HourFigures
	Link string
}

// figures are handoff.Figures in words.
type figures struct {
	handoff.Figures
	P50, P90, Handling, Abandoned string // "" when there are none
	Stars                         string
	Rated                         int
}

func inWords(f handoff.Figures) figures {
	out := figures{Figures: f}
	if f.FirstAnswer.N > 0 {
		out.P50, out.P90 = length(f.FirstAnswer.P50), length(f.FirstAnswer.P90)
	}
	if f.Handling.N > 0 {
		out.Handling = length(f.Handling.P50)
	}
	if f.Abandoned.N > 0 {
		out.Abandoned = length(f.Abandoned.P50)
	}
	mean, n := f.Rating()
	if out.Rated = n; n > 0 {
		out.Stars = comma(mean)
	}
	return out
}

// comma writes a number with one decimal as it is written in Spanish.
func comma(f float64) string {
	tenths := int(f*10 + 0.5)
	return strconv.Itoa(tenths/10) + "," + strconv.Itoa(tenths%10)
}

// supervision shows the desk now and the figures of some days.
func (c *Room) supervision(w http.ResponseWriter, r *http.Request, v console.Visit) error {
	now, err := c.now(r)
	if err != nil {
		return err
	}
	ch := c.choose(r, now)
	ch.Hour, ch.Which, ch.Reason = "", "", "" // they belong to the list of cases
	data := supervisionData{chosen: ch, Periods: periods, Target: length(c.Desk.Target)}
	if data.Present, err = c.presentDesk(r.Context()); err != nil {
		return console.Unavailable(err)
	}
	data.Files.Cases, data.Files.Figures = exportPath+"?"+ch.query(), figuresPath+"?"+ch.query()
	if ch.Problem != "" {
		return c.show(w, r, console.View{Visit: v, Name: "supervisor", Here: console.HereSupervisor, Status: http.StatusUnprocessableEntity, Data: data})
	}
	report, err := c.Desk.Report(r.Context(), ch.Sieve)
	if err != nil {
		return console.Unavailable(err)
	}
	whole := report
	if ch.Agent != "" || ch.Channel != "" || ch.Meaning != "" { // what there is to choose from
		if whole, err = c.Desk.Report(r.Context(), handoff.Sieve{From: ch.From, To: ch.To}); err != nil {
			return console.Unavailable(err)
		}
	}
	word := c.words()
	data.Who = options(whole.Agents, ch.Agent, func(g handoff.Group) option { return option{Value: g.Key, Name: g.Name} })
	data.Channels = options(whole.Channels, ch.Channel, func(g handoff.Group) option { return option{Value: g.Key, Name: word("channel", g.Key)} })
	data.Meanings = options(mostFirst(slices.Clone(whole.Meanings)), ch.Meaning, func(g handoff.Group) option {
		return option{Value: cmp.Or(g.Key, handoff.None), Name: cmp.Or(c.meaningTitle(g.Key), "No se sabe")}
	})
	data.Tiles = tiles(report.All, c.Desk.Target, ch.cases)
	data.AgentTable = tableOf("por-agente", "Por agente", "Agente", report.Agents, func(g handoff.Group) groupRow {
		return groupRow{Name: g.Name, Small: g.Key, Link: ch.cases("agente", g.Key), LateLink: ch.cases("agente", g.Key, "cuales", handoff.WhichBreached)}
	})
	data.Tables = c.tables(ch, report)
	for hour, h := range report.ByHour {
		data.Hours[hour] = hourRow{h, ch.cases("hora", fmt.Sprintf("%02d", hour))}
	}
	data.ByHour, data.Answers, data.Reasons = hourColumns(report.ByHour), answerRows(report.Agents), reasonRows(report.Reasons)
	for i := range data.Reasons {
		data.Reasons[i].Link = ch.cases("motivo", data.Reasons[i].Name)
	}
	if c.Sentences != nil {
		rows, err := c.Sentences.Often(r.Context(), unheardShown)
		if err != nil {
			return console.Unavailable(err)
		}
		for _, row := range rows {
			data.Unheard = append(data.Unheard, c.unheardRow(row))
		}
	}
	return c.show(w, r, console.View{Visit: v, Name: "supervisor", Here: console.HereSupervisor, Data: data})
}
