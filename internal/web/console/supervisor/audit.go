package supervisor

import (
	"net/http"
	"slices"
	"strings"

	"llave/bot"
	"llave/internal/agent"
	"llave/internal/handoff"
	"llave/internal/web/console"
)

const auditDays = 92 // in one list at most

// auditData is the page of the audit.
type auditData struct {
	From, To string
	Who      string
	Problem  string
	Rows     []auditRow
	Paging   paging
}

// auditRow is one entry, its detail taken apart for the template "audit-detail".
type auditRow struct {
	At        console.Moment
	Who, What string
	Kind      string // "case": Ref and Rest; "hours": Change, Date and Rest; "search": Rest, Change and Refs; "role": Login and Rest; "unheard" and "": Rest alone
	Ref       string
	Refs      []string // of a search: the cases it showed
	Login     string
	Change    string
	Date      string
	Rest      string
}

// isCase says whether a word is the number of a case.
func isCase(word string) bool {
	_, ok := bot.ParseRef(word)
	return ok && word[0] == 'C'
}

// auditRow reads the detail of an entry as whoever wrote it down put it together.
func (c *Room) auditRow(e agent.AuditEntry) auditRow {
	row := auditRow{At: c.Moment(e.At), Who: e.Who, What: e.What, Rest: e.Detail}
	first, rest, _ := strings.Cut(e.Detail, " ")
	switch {
	case e.What == "case_return" && rest != "":
		row.Kind, row.Ref, row.Rest = "case", first, c.StateName(bot.State(rest))
	case strings.HasPrefix(e.What, "case_") && isCase(first):
		row.Kind, row.Ref, row.Rest = "case", first, rest
	case e.What == handoff.AuditHours:
		row.Kind, row.Change, row.Rest = "hours", first, rest
		switch first {
		case "week":
			row.Rest = spanishDays.Replace(rest)
		case "day":
			row.Date, row.Rest, _ = strings.Cut(rest, " ")
		}
	case e.What == handoff.AuditSearch:
		row.Kind = "search"
		row.Rest, rest, _ = strings.Cut(e.Detail, " ")
		row.Change, rest, _ = strings.Cut(rest, " ")
		row.Refs = strings.Fields(rest)
	case e.What == "agent_signed_in" && strings.HasPrefix(e.Detail, "recovery "):
		row.Kind, row.Rest = "recovery", rest
	case e.What == "limit_met":
		row.Kind = "limit"
	case e.What == auditUnheard:
		row.Kind, row.Rest = "unheard", c.meaningTitle(e.Detail)
	case e.What == "agent_added", e.What == "agent_role":
		row.Kind = "role"
		row.Login, row.Rest, _ = strings.Cut(e.Detail, ", ")
	}
	return row
}

// showAudit lists who did what in a range of days, the latest first. The log is read from its beginning, so the last rows
// up to the page that is wanted are kept and no more.
func (c *Room) showAudit(w http.ResponseWriter, r *http.Request, v console.Visit) error {
	now, err := c.now(r)
	if err != nil {
		return err
	}
	query := r.URL.Query()
	days, problem := c.daysOf(query.Get("desde"), query.Get("hasta"), now, auditDays)
	data := auditData{From: string(days.From), To: string(days.To), Who: strings.TrimSpace(bot.Cut(query.Get("quien"), 64)), Problem: problem}
	if problem != "" {
		data.From, data.To = bot.Cut(query.Get("desde"), 20), bot.Cut(query.Get("hasta"), 20)
		return c.show(w, r, console.View{Visit: v, Name: "audit", Here: console.HereSupervisor, Status: http.StatusUnprocessableEntity, Data: data})
	}
	page := pageOf(r)
	last := newTail[agent.AuditEntry](page*pageSize + 1)
	err = c.Audit.Between(r.Context(), days.begins, days.ends, func(e agent.AuditEntry) bool {
		if data.Who == "" || strings.EqualFold(e.Who, data.Who) {
			last.add(e)
		}
		return r.Context().Err() == nil
	})
	if err != nil {
		return console.Unavailable(err)
	}
	all := last.all()
	slices.Reverse(all)
	for _, e := range all[min((page-1)*pageSize, len(all)):min(page*pageSize, len(all))] {
		data.Rows = append(data.Rows, c.auditRow(e))
	}
	data.Paging = newPaging(r, page, len(all) > page*pageSize)
	return c.show(w, r, console.View{Visit: v, Name: "audit", Here: console.HereSupervisor, Data: data})
}

// tail keeps the last of many.
type tail[T any] struct {
	most int
	list []T
	next int // where the next goes once the list is full
}

func newTail[T any](most int) *tail[T] { return &tail[T]{most: most} }

func (t *tail[T]) add(v T) {
	if len(t.list) < t.most {
		t.list = append(t.list, v)
		return
	}
	t.list[t.next] = v
	t.next = (t.next + 1) % t.most
}

// all returns what was kept, in the order it came.
func (t *tail[T]) all() []T { return slices.Concat(t.list[t.next:], t.list[:t.next]) }
