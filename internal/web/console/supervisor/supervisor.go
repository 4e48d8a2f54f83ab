package supervisor

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"llave/bot"
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
			longest = max(longest, now.Sub(calendar.WaitFrom(k.Asked, now)))
		default:
			p.Scheduled++
		}
	}
	if longest >= 0 {
		p.Longest = length(longest)
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
	Present present
	Days    int
	Periods []int
	Range   dayRange
	All     figures
	Agents  []agentFigures
	Hours   [24]handoff.HourFigures
	ByHour  columns
	Answers []row
	Reasons []row

	Export struct{ From, To, Problem string }
}

// figures are handoff.Figures in words.
type figures struct {
	handoff.Figures
	P50, P90, Handling string // "" when there are none
	Stars              string
	Rated              int
}

type agentFigures struct {
	Login, Name string
	figures
}

func inWords(f handoff.Figures) figures {
	out := figures{Figures: f}
	if f.FirstAnswer.N > 0 {
		out.P50, out.P90 = length(f.FirstAnswer.P50), length(f.FirstAnswer.P90)
	}
	if f.Handling.N > 0 {
		out.Handling = length(f.Handling.P50)
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

// supervision shows the desk now and the figures of some days. [exportProblem] is what is wrong with the days that were to be
// exported.
func (c *Room) supervision(w http.ResponseWriter, r *http.Request, v console.Visit, exportProblem string) error {
	days, err := strconv.Atoi(r.FormValue("dias"))
	if err != nil || !slices.Contains(periods, days) {
		days = periods[0]
	}
	now, err := c.now(r)
	if err != nil {
		return err
	}
	data := supervisionData{Days: days, Periods: periods, Range: c.lastDays(days, now)}
	if data.Present, err = c.presentDesk(r.Context()); err != nil {
		return console.Unavailable(err)
	}
	report, err := c.Desk.Report(r.Context(), data.Range.begins, data.Range.ends)
	if err != nil {
		return console.Unavailable(err)
	}
	data.All, data.Hours = inWords(report.All), report.ByHour
	for _, a := range report.Agents {
		data.Agents = append(data.Agents, agentFigures{a.Login, a.Name, inWords(a.Figures)})
	}
	data.ByHour, data.Answers, data.Reasons = hourColumns(report.ByHour), answerRows(report.Agents), reasonRows(report.Reasons)
	data.Export.From, data.Export.To = string(data.Range.From), string(data.Range.To)
	status := http.StatusOK
	if exportProblem != "" {
		data.Export.From, data.Export.To, data.Export.Problem = bot.Cut(r.FormValue("desde"), 20), bot.Cut(r.FormValue("hasta"), 20), exportProblem
		status = http.StatusUnprocessableEntity
	}
	return c.show(w, r, console.View{Visit: v, Name: "supervisor", Here: console.HereSupervisor, Status: status, Data: data})
}
