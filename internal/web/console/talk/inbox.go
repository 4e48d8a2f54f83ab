package talk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
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

// The filters of the inbox are console.HereWaiting, console.HereMine, console.HereClosed and, for supervisors, console.HereAll.
var filters = []string{console.HereWaiting, console.HereMine, console.HereClosed, console.HereAll}

// filterOf is the filter that an address asks for, as far as the visitor may have it.
func filterOf(v console.Visit, asked string) string {
	if !slices.Contains(filters, asked) || asked == console.HereAll && !v.Supervisor() {
		return console.HereWaiting
	}
	return asked
}

// in says whether an open case belongs to a filter.
func in(filter string, v console.Visit, c handoff.Case) bool {
	switch {
	case !c.Open():
		return false
	case filter == console.HereWaiting:
		return !c.Held()
	case filter == console.HereMine:
		return isMine(v, c)
	}
	return filter == console.HereAll
}

// isMine says whether an open case stands among the visitor's: they have it, or a note names them.
func isMine(v console.Visit, c handoff.Case) bool {
	return c.Held() && c.Agent == v.Agent.Login || c.MentionOf(v.Agent.Login) > 0
}

// sortKey is the text by which the rows of a list are ordered: those who wait as they stand in the queue, those for the next
// opening after them, and of an agent's own first who waits for an answer, the longest first.
func sortKey(c handoff.Case) string {
	switch {
	case !c.Open():
		return fmt.Sprintf("9/%013d", max(0, 9_999_999_999_999-c.Ended.UnixMilli()))
	case c.Status == bot.HandoffScheduled:
		return "3/" + c.Queue
	case !c.Held():
		return "2/" + c.Queue
	case !c.Since.IsZero():
		return fmt.Sprintf("0/%013d/%s", c.Since.UnixMilli(), c.Ref)
	case c.IsPostponed():
		return fmt.Sprintf("4/%013d/%s", c.Until.UnixMilli(), c.Ref)
	}
	return fmt.Sprintf("1/%013d/%s", c.Asked.UnixMilli(), c.Ref)
}

// listed is one row of the list.
type listed struct {
	handoff.Case
	Filter  string
	SortKey string
	Mine    bool
	Named   bool // a note names the visitor
	Here    bool // its conversation is open beside the list
	From    console.Moment
	Wait    web.Span // how long they have waited, when they do
	Since   int64    // since when, in milliseconds; 0: they do not wait
	Mark    string   // tells two states of the row apart
	Words   string   // what the person said last, but for a bare wish for somebody
	Topic   string   // what it is about
	Paced   int64    // since when their wait counts against the target, in milliseconds: from the opening on; 0: it does not
	Pace    string   // one of handoff.Pace…, of whose wait counts
}

const excerpt = 120 // runes of what was said in the list

// topic is what a case is about in words: what the person's words came to, else where the bot was.
func (c *Room) topic(h bot.Handoff) string {
	if h.Meaning != "" && c.MeaningName != nil {
		return c.MeaningName(h.Meaning)
	}
	return c.StateName(h.From)
}

// words are the person's last ones that tell something; else the last ones.
func (c *Room) words(said []string) string {
	for _, s := range said {
		if !c.asksPerson(s) {
			return bot.Cut(s, excerpt)
		}
	}
	if len(said) == 0 {
		return ""
	}
	return bot.Cut(said[0], excerpt)
}

func (c *Room) listed(v console.Visit, filter string, of handoff.Case, now time.Time) listed {
	r := listed{
		Case: of, Filter: filter, SortKey: sortKey(of), Mine: of.Held() && of.Agent == v.Agent.Login, Named: of.MentionOf(v.Agent.Login) > 0, From: c.Moment(of.Asked),
		Mark: of.Ref + "." + strconv.FormatInt(of.Version, 10), Words: c.words(of.Words), Topic: c.topic(of.Handoff),
	}
	var since time.Time
	switch {
	case !of.Open():
		r.From = c.Moment(of.Ended)
	case of.Held():
		since = of.Since
	default:
		since = of.AskedLast()
	}
	if !since.IsZero() {
		r.Since, r.Wait = since.UnixMilli(), web.Wait(max(now.Sub(since).Truncate(time.Minute), time.Second))
	}
	if !since.IsZero() && of.Status != bot.HandoffScheduled {
		if calendar := c.calendar.Load(); calendar != nil {
			since = calendar.WaitFrom(since, now)
		}
		r.Paced, r.Pace = since.UnixMilli(), handoff.Pace(now.Sub(since), c.Desk.Target)
	}
	return r
}

// list returns the rows of a filter in order.
func (c *Room) list(v console.Visit, filter string, cases []handoff.Case, now time.Time) []listed {
	var out []listed
	for _, of := range cases {
		if in(filter, v, of) || filter == console.HereClosed && !of.Open() {
			out = append(out, c.listed(v, filter, of, now))
		}
	}
	slices.SortFunc(out, func(a, b listed) int { return cmp.Compare(a.SortKey, b.SortKey) })
	return out
}

// digest is a text that is the same for the same rows in the same state.
func digest(rows []listed) string {
	h := fnv.New64a()
	for _, r := range rows {
		fmt.Fprintf(h, "%s;", r.Mark)
	}
	return strconv.FormatUint(h.Sum64(), 36)
}

// counts are how many cases each filter has.
type counts struct {
	Waiting    int `json:"waiting"` // in the queue now
	Later      int `json:"later"`   // for the next opening
	Mine       int `json:"mine"`
	Unanswered int `json:"unanswered"` // of mine
	All        int `json:"all"`
	Closed     int `json:"closed"` // closedMost at most
	Notices    int `json:"notices"`

	Held string `json:"held"` // the numbers of mine, for the page to come back with
}

// Calls are what waits for the agent: who is in the queue, and who of their own waits for an answer.
func (n counts) Calls() int { return n.Waiting + n.Unanswered }

// Queue are those that no agent has.
func (n counts) Queue() int { return n.Waiting + n.Later }

func count(v console.Visit, cases []handoff.Case, notices int) counts {
	n := counts{Notices: notices}
	var held []string
	for i := range cases {
		c := &cases[i]
		switch {
		case !c.Open():
			continue
		case c.Waiting():
			n.Waiting++
		case !c.Held():
			n.Later++
		case c.Agent == v.Agent.Login && !c.Since.IsZero():
			n.Unanswered++
		}
		if isMine(v, *c) {
			n.Mine++
		}
		if c.Held() && c.Agent == v.Agent.Login {
			held = append(held, c.Ref+" ")
		}
		n.All++
	}
	slices.Sort(held)
	n.Held = strings.Join(held, "")
	return n
}

// How far back the closed cases of the list go, and how many there are at most.
const (
	closedDays = 7
	closedMost = 200
)

// closedCases are the visitor's own closed cases of the last days, or everybody's for a supervisor. The record of one that was
// closed a moment ago may not be kept yet: its conversation has it.
func (c *Room) closedCases(ctx context.Context, v console.Visit, now time.Time) ([]handoff.Case, error) {
	records, err := c.Desk.Closed(ctx, v.Actor(), now.AddDate(0, 0, -closedDays), now.Add(time.Minute), closedMost)
	if err != nil {
		return nil, fmt.Errorf("read closed cases: %w", err)
	}
	moved, err := c.Desk.Moved(ctx, now)
	if err != nil {
		return nil, err
	}
	var out []handoff.Case
	for _, of := range moved {
		if !of.Open() && (of.Agent == v.Agent.Login || v.Supervisor()) {
			out = append(out, of)
		}
	}
	late := len(out)
	for _, r := range records {
		if slices.ContainsFunc(out[:late], func(of handoff.Case) bool { return of.Ref == r.Ref }) {
			continue
		}
		channel, _ := bot.SplitConversationID(r.Conv)
		if out = append(out, handoff.Case{Handoff: r.Handoff, Conv: r.Conv, Channel: channel, Version: r.Handoff.Rev}); len(out) >= closedMost {
			break
		}
	}
	return out, nil
}

// deskData is what the page of the desk shows: the list, and a conversation or a notice beside it.
type deskData struct {
	Filter  string
	All     bool // may see everybody's
	Rows    []listed
	Digest  string
	Counts  counts
	Notices []noticeData
	Next    string // names the press of the button that takes the next one
	Now     int64  // the store's clock, in milliseconds
	Target  int64  // within which the desk means to answer, in milliseconds
	Shut    shutData
	Said    string
	Talk    *talkData
	Notice  *noticeData
}

// shutData is what the list says of a desk that is closed. It can be compared.
type shutData struct {
	Shut    bool
	Unknown bool // and nobody knows until when
	Opens   handoff.When
	By      string // who closed it by hand, and
	Note    string // what they have to say to colleagues
}

// shut says whether the desk is closed, and until when.
func (c *Room) shut(ctx context.Context, now time.Time) (d shutData, err error) {
	calendar, err := c.Desk.Calendar(ctx)
	if err != nil {
		return d, err
	}
	if c.calendar.Store(&calendar); calendar.Open(now) {
		return d, nil
	}
	opens, known := calendar.NextOpening(now)
	d = shutData{Shut: true, Unknown: !known, Opens: handoff.WhenOf(opens, now, c.Desk.Zone)}
	if by := calendar.Schedule.ClosedNow; by.Holds(now) {
		d.Note = by.Note
		if name, found, err := c.Desk.Known(ctx, by.By); err == nil && found {
			d.By = name
		}
	}
	return d, nil
}

// noticeData is a notice of the owner of a record that it was not them.
type noticeData struct {
	Ref       string
	From      console.Moment
	After     bool // the link had been used
	Overtaken bool // and a later one since
	Open      bool
	By        string
	Answer    string
	Case      string // the open case of the chat that asked, where there is one
	Once      string
	Typed     string
	Filter    string
	Here      bool
	Said      string
}

// With is the notice with what its page says beside it.
func (n noticeData) With(what string) noticeData {
	n.Said = what
	return n
}

// SaidOf is that for the template "said".
func (n noticeData) SaidOf() said { return said{Code: n.Said} }

// inbox is the list alone.
func (c *Room) inbox(w http.ResponseWriter, r *http.Request, v console.Visit) error {
	d, err := c.deskData(r.Context(), v, filterOf(v, r.FormValue("ver")))
	if err != nil {
		return console.Unavailable(err)
	}
	d.Said = r.FormValue("dicho")
	return c.showDesk(w, r, v, d, 0)
}

// deskData reads the list of a filter.
func (c *Room) deskData(ctx context.Context, v console.Visit, filter string) (deskData, error) {
	now, err := c.Desk.Now(ctx)
	if err != nil {
		return deskData{}, fmt.Errorf("read the store's clock: %w", err)
	}
	open, err := c.Desk.Inbox(ctx)
	if err != nil {
		return deskData{}, err
	}
	notices, err := c.Desk.Notices(ctx)
	if err != nil {
		return deskData{}, err
	}
	shut, err := c.shut(ctx, now)
	if err != nil {
		return deskData{}, err
	}
	d := deskData{Shut: shut, Filter: filter, All: v.Supervisor(), Counts: count(v, open, len(notices)), Next: newOnce(), Now: now.UnixMilli(), Target: c.Desk.Target.Milliseconds()}
	closed, err := c.closedCases(ctx, v, now)
	if err != nil {
		return deskData{}, err
	}
	d.Counts.Closed = len(closed)
	rows := open
	if filter == console.HereClosed {
		rows = closed
	}
	d.Rows = c.list(v, filter, rows, now)
	d.Digest = digest(d.Rows)
	if filter == console.HereWaiting || filter == console.HereAll {
		d.Notices = c.noticesOf(notices, open, filter)
	}
	return d, nil
}

func (c *Room) noticesOf(of []handoff.CaseFile, open []handoff.Case, filter string) []noticeData {
	var out []noticeData
	for _, n := range of {
		out = append(out, c.noticeOf(n, open, filter))
	}
	return out
}

func (c *Room) noticeOf(n handoff.CaseFile, open []handoff.Case, filter string) noticeData {
	d := noticeData{Ref: n.Ref, From: c.Moment(n.Made), After: n.AfterUse, Overtaken: n.Overtaken, Open: n.Open, By: n.By, Answer: n.Answer, Once: newOnce(), Filter: filter}
	for _, of := range open {
		if of.Conv == n.Conv {
			d.Case = of.Ref
		}
	}
	return d
}

// showDesk draws the page. Without script it reloads itself unless something may be being typed into it.
func (c *Room) showDesk(w http.ResponseWriter, r *http.Request, v console.Visit, d deskData, status int) error {
	q := url.Values{"ver": {d.Filter}, "sello": {d.Digest}, "avisado": {strconv.FormatInt(d.Now, 10)}}
	if d.Shut.Shut {
		q.Set("cerrado", "")
	}
	reload := console.Home + "?" + url.Values{"ver": {d.Filter}, console.ReloadParam: {""}}.Encode()
	switch {
	case d.Talk != nil && d.Talk.Shut:
		reload = ""
	case d.Talk != nil:
		q.Set("caso", d.Talk.Ref)
		q.Set("desde", strconv.FormatInt(d.Talk.Latest, 10))
		q.Set("forma", d.Talk.Shape)
		q.Set("v", strconv.FormatInt(d.Talk.Version, 10))
		reload = ""
		if !d.Talk.Can.Note {
			reload = "/agentes/casos/" + d.Talk.Ref + "?" + url.Values{"ver": {d.Filter}, console.ReloadParam: {""}}.Encode()
		}
	case d.Notice != nil:
		reload = ""
	}
	if status != 0 { // what was typed stands in the page
		reload = ""
	}
	return c.show(w, r, console.View{Visit: v, Name: "inbox", Here: d.Filter, Status: status, Stream: q.Encode(), Reload: reload, Data: d})
}

// next takes the first case of the queue: of several who press at once each gets another, and one press that comes twice gets
// one.
func (c *Room) next(w http.ResponseWriter, r *http.Request, v console.Visit) error {
	form, err := web.Form(r)
	if err != nil {
		return err
	}
	once := form.Get("once")
	if !isOnce(once) {
		return &web.Error{Status: http.StatusBadRequest}
	}
	ctx, cancel := console.Detached(r)
	defer cancel()
	switch ref, err := c.takeNext(ctx, v, once); {
	case errors.Is(err, handoff.ErrEnough):
		return web.Redirect(w, r, enoughPath)
	case err != nil:
		return console.Unavailable(err)
	case ref == "":
		return web.Redirect(w, r, nobodyPath)
	default:
		return web.Redirect(w, r, taken(ref))
	}
}

// taken is the page of a case that has just become the visitor's.
func taken(ref string) string { return console.CasePath + ref + "?ver=" + console.HereMine }

// takeNext takes the first case of the queue that is for the visitor and says which; "" when nobody waits.
func (c *Room) takeNext(ctx context.Context, v console.Visit, once string) (ref string, err error) {
	open, err := c.Desk.Inbox(ctx)
	if err != nil {
		return "", err
	}
	press := func(ref string) handoff.Deed {
		return handoff.Deed{Once: once + "-" + ref, Ref: ref, Actor: v.Actor()}
	}
	for _, of := range open {
		if !in(console.HereMine, v, of) {
			continue
		}
		if came, err := c.Desk.Came(ctx, press(of.Ref)); err != nil {
			return "", err
		} else if came {
			return of.Ref, nil
		}
	}
	waiting := slices.DeleteFunc(slices.Clone(open), func(of handoff.Case) bool { return !of.Waiting() })
	waiting, err = c.Desk.NextFor(ctx, v.Actor(), waiting)
	if err != nil {
		return "", err
	}
	for _, of := range waiting {
		err := c.Desk.Claim(ctx, press(of.Ref))
		var other *handoff.TakenError
		if errors.As(err, &other) || errors.Is(err, handoff.ErrNoCase) || errors.Is(err, handoff.ErrNotYours) {
			continue
		}
		if err != nil {
			return "", err
		}
		c.live.hurry()
		return of.Ref, nil
	}
	return "", nil
}

// showNotice is the list with a notice beside it.
func (c *Room) showNotice(w http.ResponseWriter, r *http.Request, v console.Visit) error {
	return c.askNotice(w, r, v, refusedClosing{})
}

// refusedClosing is why a notice was not closed, and what was typed; zero when nothing was.
type refusedClosing struct {
	said, typed string
	status      int
}

func (c *Room) askNotice(w http.ResponseWriter, r *http.Request, v console.Visit, was refusedClosing) error {
	record, found, err := c.Desk.Store.Case(r.Context(), r.PathValue("ref"))
	switch {
	case err != nil:
		return console.Unavailable(err)
	case !found || !record.Notice:
		return &web.Error{Status: http.StatusNotFound}
	}
	filter := console.HereWaiting
	if filterOf(v, r.FormValue("ver")) == console.HereAll {
		filter = console.HereAll
	}
	d, err := c.deskData(r.Context(), v, filter)
	if err != nil {
		return console.Unavailable(err)
	}
	open, err := c.Desk.Inbox(r.Context())
	if err != nil {
		return console.Unavailable(err)
	}
	n := c.noticeOf(record, open, filter)
	n.Typed = was.typed
	d.Notice, d.Said = &n, was.said
	for i := range d.Notices {
		d.Notices[i].Here = d.Notices[i].Ref == n.Ref
	}
	return c.showDesk(w, r, v, d, was.status)
}

// nobodyPath is the list that says that the queue was empty.
const nobodyPath = console.Home + "?ver=" + console.HereWaiting + "&dicho=nadie"

// enoughPath is the list that says that the visitor has as many as one may.
const enoughPath = console.Home + "?ver=" + console.HereWaiting + "&dicho=" + saidEnough

// closeNotice closes a notice with what was found, which has to be written. Numbers in it are masked.
func (c *Room) closeNotice(w http.ResponseWriter, r *http.Request, v console.Visit) error {
	form, err := web.Form(r)
	if err != nil {
		return err
	}
	typed, once := form.Get("texto"), form.Get("once")
	switch {
	case !isOnce(once):
		return &web.Error{Status: http.StatusBadRequest}
	case isBlank(typed):
		return c.askNotice(w, r, v, refusedClosing{saidEmpty, typed, http.StatusUnprocessableEntity})
	case isLong(typed):
		return c.askNotice(w, r, v, refusedClosing{saidLong, typed, http.StatusUnprocessableEntity})
	}
	ctx, cancel := console.Detached(r)
	defer cancel()
	err = c.Desk.CloseNotice(ctx, handoff.Deed{Once: once, Ref: r.PathValue("ref"), Actor: v.Actor()}, affiliate.MaskAll(typed))
	switch {
	case errors.Is(err, handoff.ErrNotYours):
		return c.askNotice(w, r, v, refusedClosing{saidNoticeClosed, typed, http.StatusConflict})
	case err != nil:
		return c.askNotice(w, r, v, refusedClosing{saidLater, typed, http.StatusServiceUnavailable})
	}
	return web.Redirect(w, r, console.Home+"?ver="+console.HereWaiting+"&dicho=aviso")
}
