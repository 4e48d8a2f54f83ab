package console

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"llave/bot"
	"llave/internal/agent"
	"llave/internal/handoff"
	"llave/internal/web"
)

// AuditLog is what the page of the audit reads: the entries in from ≤ at < to, earliest first, until each returns false.
type AuditLog interface {
	Between(ctx context.Context, from, to time.Time, each func(agent.Deed) bool) error
}

// Where the supervisor's pages are.
const (
	supervisionPath = "/agentes/supervision"
	agentsPath      = supervisionPath + "/agentes"
	hoursPath       = supervisionPath + "/horario"
	auditPath       = supervisionPath + "/auditoria"
	answersPath     = supervisionPath + "/respuestas"
	searchPath      = "/agentes/buscar"
	closedPath      = "/agentes/cerrados"
	casePath        = "/agentes/casos/" // followed by the number of the case
)

// supervisorRoutes are the supervisor's pages, and the two lists of what is over that every agent may read.
func (c *Console) supervisorRoutes(mux *http.ServeMux) {
	mux.Handle("GET "+supervisionPath, c.supervisors(func(w http.ResponseWriter, r *http.Request, v Visit) error {
		return c.supervision(w, r, v, "")
	}))
	mux.Handle("GET "+supervisionPath+"/ahora", c.Kit.Page(c.door.ForStream(agent.Supervisor, c.presentPart)))
	mux.Handle("GET "+agentsPath, c.supervisors(c.showAgents))
	mux.Handle("POST "+agentsPath, c.supervisors(c.changeAgent))
	mux.Handle("GET "+hoursPath, c.supervisors(c.showHours))
	mux.Handle("POST "+hoursPath, c.supervisors(c.changeHours))
	mux.Handle("GET "+answersPath, c.supervisors(c.showAnswers))
	mux.Handle("POST "+answersPath, c.supervisors(c.changeAnswers))
	mux.Handle("GET "+auditPath, c.supervisors(c.showAudit))
	mux.Handle("GET /agentes/exportar.csv", c.supervisors(c.exportCases))
	mux.Handle("GET "+casePath+"{ref}/transcripcion.csv", c.supervisors(c.exportLines))
	mux.Handle("GET "+searchPath, c.page(agent.Member, c.search))
	mux.Handle("GET "+closedPath, c.page(agent.Member, c.closed))
}

// supervisors serves a page to supervisors; other agents are told that it is not theirs.
func (c *Console) supervisors(f func(w http.ResponseWriter, r *http.Request, v Visit) error) http.Handler {
	return c.page(agent.Member, func(w http.ResponseWriter, r *http.Request, v Visit) error {
		if !v.supervisor() {
			return c.show(w, r, view{Visit: v, Name: "supervisors_only", Here: hereSupervisor, Status: http.StatusForbidden})
		}
		return f(w, r, v)
	})
}

// present is the desk at this moment.
type present struct {
	At                       moment
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
func (c *Console) presentDesk(ctx context.Context) (present, error) {
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
	p := present{At: c.moment(now), Open: calendar.Open(now)}
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
func (c *Console) presentPart(w http.ResponseWriter, r *http.Request, _ Visit) error {
	p, err := c.presentDesk(r.Context())
	if err != nil {
		return unavailable(err)
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

// supervision shows the desk now and the figures of some days. exportProblem is what is wrong with the days that were to be
// exported.
func (c *Console) supervision(w http.ResponseWriter, r *http.Request, v Visit, exportProblem string) error {
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
		return unavailable(err)
	}
	report, err := c.Desk.Report(r.Context(), data.Range.begins, data.Range.ends)
	if err != nil {
		return unavailable(err)
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
	return c.show(w, r, view{Visit: v, Name: "supervisor", Here: hereSupervisor, Status: status, Data: data})
}

// detached is for what must be finished although the browser has gone away.
func detached(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(r.Context()), 20*time.Second)
}
