package supervisor

import (
	"net/http"
	"slices"
	"strings"
	"time"

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
	What     string
	Ref      string
	Deeds    []string // that can be chosen
	Problem  string   // with the days
	BadRef   bool     // what was typed is no case's number
	Rows     []auditRow
	Paging   paging
}

// auditDeeds are what can be looked for, in the order in which they are offered; the template "audit-what" has the words.
var auditDeeds = []string{
	"case_claim", "case_release", "case_pass", "case_return", "case_resolve", "case_postpone", "case_resume", "case_read", "case_reveal", "case_why", "case_link", "case_limit", "case_export",
	"case_counter", "case_counter_wrong",
	"desk_search", "desk_hours", "desk_answers", "unheard_assigned", "notice_closed", "not_me", "key_revoked",
	"agent_signed_in", "agent_signed_out", "agent_sign_in_failed", "agent_code_wrong", "agent_password_wrong", "agent_locked", "agent_guessed", "agent_session_ended", "agent_sessions_ended",
	"agent_added", "agent_disabled", "agent_enabled", "agent_renamed", "agent_role", "agent_password", "agent_totp_begun", "agent_totp_on", "agent_totp_off", "agent_recovery",
	"agent_speaks", "agent_device_told", "agent_chat_told",
	"limit_met", "person_erase", "person_export", "breach_noted", "breach_changed", "breach_told",
}

// auditSieve says which entries are looked for.
type auditSieve struct {
	logins []string // of those with that login or name; nil: anybody's
	what   string
	ref    string
}

func (s auditSieve) passes(e agent.AuditEntry) bool {
	return (s.logins == nil || slices.ContainsFunc(s.logins, func(login string) bool { return strings.EqualFold(login, e.Who) })) &&
		(s.what == "" || s.what == e.What) && (s.ref == "" || slices.ContainsFunc(strings.Fields(e.Detail), func(word string) bool { return word == s.ref }))
}

// namesOf are what the accounts are called, by login.
func (c *Room) namesOf(r *http.Request) (map[string]string, error) {
	all, err := c.Agents.List(r.Context())
	if err != nil {
		return nil, console.Unavailable(err)
	}
	names := map[string]string{}
	for _, a := range all {
		names[a.Login] = a.Name
	}
	return names, nil
}

// called are the logins of those who are called so: by their login, or by a name in which every word stands.
func called(who string, names map[string]string) []string {
	logins := []string{who}
	words := strings.Fields(bot.Fold(who))
	for login, name := range names {
		name = bot.Fold(name)
		if !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(name, word) }) {
			logins = append(logins, login)
		}
	}
	return logins
}

// auditRow is one entry, its detail taken apart for the template "audit-detail".
type auditRow struct {
	At        console.Moment
	Who, What string
	Name      string // of whose login it is
	Kind      string // "case": Ref and Rest; "hours": Change, Date and Rest; "search": Rest, Change and Refs; "role": Login and Rest; "unheard" and "": Rest alone
	Ref       string
	Refs      []string // of a search: the cases it showed
	Login     string
	Change    string
	Date      string
	Rest      string
}

// asRead is a moment of the audit as people read it: "02/03/2026 16:30".
func asRead(kept string) string {
	for layout, read := range map[string]string{"2006-01-02": "02/01/2006", "2006-01-02 15:04:05": "02/01/2006 15:04"} {
		if t, err := time.Parse(layout, kept); err == nil {
			return t.Format(read)
		}
	}
	return kept
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
			row.Date = asRead(row.Date)
		case "drop", "closed":
			row.Rest = asRead(rest)
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
	data := auditData{
		From: string(days.From), To: string(days.To), Who: strings.TrimSpace(bot.Cut(query.Get("quien"), 64)), What: query.Get("que"), Ref: strings.TrimSpace(bot.Cut(query.Get("caso"), 20)),
		Deeds: auditDeeds, Problem: problem,
	}
	if !slices.Contains(auditDeeds, data.What) {
		data.What = ""
	}
	sieve := auditSieve{what: data.What}
	if data.Ref != "" {
		ref, ok := bot.ParseRef(data.Ref)
		sieve.ref, data.BadRef = ref, !ok
	}
	if problem != "" || data.BadRef {
		if problem != "" {
			data.From, data.To = bot.Cut(query.Get("desde"), 20), bot.Cut(query.Get("hasta"), 20)
		}
		return c.show(w, r, console.View{Visit: v, Name: "audit", Here: console.HereSupervisor, Status: http.StatusUnprocessableEntity, Data: data})
	}
	names, err := c.namesOf(r)
	if err != nil {
		return err
	}
	if data.Who != "" {
		sieve.logins = called(data.Who, names)
	}
	page := pageOf(r)
	last := newTail[agent.AuditEntry](page*pageSize + 1)
	err = c.Audit.Between(r.Context(), days.begins, days.ends, func(e agent.AuditEntry) bool {
		if sieve.passes(e) {
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
		row := c.auditRow(e)
		row.Name = names[e.Who]
		data.Rows = append(data.Rows, row)
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
