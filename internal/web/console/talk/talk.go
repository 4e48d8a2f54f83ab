package talk

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"slices"
	"strconv"

	"llave/bot"
	"llave/internal/handoff"
	"llave/internal/trace"
	"llave/internal/web"
	"llave/internal/web/console"
)

// linesShown are the lines of a conversation that its page shows at first, and how many more at a time.
const linesShown = 100

// talkData is a conversation as its page shows it.
type talkData struct {
	listed
	Place   string         // what the bot was doing, in words
	Turn    string         // id of the turn that asked for a person, by which the operators find it in the log and in traces
	Begun   console.Moment // the person's first message
	AskedAt console.Moment
	Can     may
	Shape   string // is the same as long as the same forms are
	Lines   []talkLine
	Older   int64 // the line before which there are more; 0: none
	Later   bool  // there are newer lines than those shown
	First   int64
	Latest  int64

	Until    *handoff.When // put off until then
	Late     *lateData     // what is to be said later
	Today    string        // the date, as a field of a form has it
	LateMost console.Moment
	Earlier  []earlierCase

	Steps      []Step
	Reasons    []string
	Colleagues []colleague
	Ready      []handoff.Answer

	Shown    string // what was asked for and is shown this once: "number" or "why"
	Revealed string // the whole number; Number is its mask
	Finding  handoff.Finding
	Refused  string // the form that was refused, and
	Typed    map[string]string
	SameOnce string // its name, where pressing it again is to be the same press
	Said     said
	Shut     bool // it is another's, and not for the visitor to read

	Left    bool          // it was the visitor's, and somebody or something took it away
	Silence *silence      // until when the visitor has to answer; nil: they owe no answer
	Draft   handoff.Draft // what the visitor has begun to write
	Line    int64         // the line that the page opens at; 0: the last
	Waiting int           // how many stand in the queue: the next one can be taken
}

// nextData is the form that takes the next case.
type nextData struct {
	N    int
	Once string
}

// Next is the form that takes the next case.
func (t talkData) Next() nextData { return nextData{t.Waiting, newOnce()} }

// silence is the time that an agent has to answer, as a ring shows it.
type silence struct {
	Until, Whole int64 // its end and its length, in milliseconds
	At           console.Moment
}

// formData is what every form of the page carries.
type formData struct {
	Once   string // names the press of its button
	Filter string
}

// Form is a form of the page, by the last part of its address.
func (t talkData) Form(name string) formData {
	if name == t.Refused && t.SameOnce != "" {
		return formData{t.SameOnce, t.Filter}
	}
	return formData{newOnce(), t.Filter}
}

// Was is what had been typed into a field: of the form that was refused, or as it was kept.
func (t talkData) Was(form, field string) string {
	switch {
	case form == t.Refused:
		return t.Typed[field]
	case form == formSay && field == "texto":
		return t.Draft.Text
	case form == formNote && field == "texto":
		return t.Draft.Note
	}
	return ""
}

// may is what the visitor can do with the conversation.
type may struct{ Claim, Say, Note, Pass, Release, Return, Resolve, Look, GoOn bool }

func mayDo(v console.Visit, c handoff.Case) may {
	mine := c.Held() && c.Agent == v.Agent.Login
	over := c.Held() && v.Supervisor() // what a supervisor may do with what others have
	return may{
		Claim: c.Open() && !c.Held(), Say: mine, Return: mine,
		Note: mine || c.Open() && (v.Supervisor() || c.MentionOf(v.Agent.Login) > 0),
		GoOn: mine && c.IsPostponed(),
		Pass: mine || over, Release: mine || over, Resolve: mine || over,
		Look: (mine || c.Open() && v.Supervisor()) && c.Number != "",
	}
}

// colleague is somebody to whom a conversation can be given.
type colleague struct {
	Login, Name string
	Away        bool
}

// talkLine is a line as the page shows it.
type talkLine struct {
	bot.Line
	Moment console.Moment
	Day    bool   // the first of its day: the date stands before it
	Mark   string // of an agent's words: one of handoff.Arrived…, or empty
}

func (c *Room) talkLines(lines []bot.Line, marks map[int64]string) []talkLine {
	out, before := make([]talkLine, len(lines)), console.Moment{}
	for i, l := range lines {
		out[i] = talkLine{l, c.Moment(l.At), false, marks[l.Seq]}
		out[i].Day = out[i].Moment.Day != before.Day
		before = out[i].Moment
	}
	return out
}

// colleagues are the others who are there.
func (c *Room) colleagues(ctx context.Context, v console.Visit, holder string) ([]colleague, error) {
	there, err := c.Desk.Colleagues(ctx)
	if err != nil {
		return nil, err
	}
	var out []colleague
	for _, p := range there {
		if p.Login != holder {
			out = append(out, colleague{p.Login, p.Name, p.Away})
		}
	}
	slices.SortFunc(out, func(a, b colleague) int {
		if a.Away != b.Away && a.Away {
			return 1
		} else if a.Away != b.Away {
			return -1
		}
		return compareNames(a.Name, b.Name)
	})
	return out, nil
}

// talkHead reads all of a conversation but its lines.
func (c *Room) talkHead(ctx context.Context, v console.Visit, filter string, of handoff.Case) (talkData, error) {
	now, err := c.Desk.Now(ctx)
	if err != nil {
		return talkData{}, fmt.Errorf("read the store's clock: %w", err)
	}
	if !handoff.MayRead(v.Actor(), of) {
		t := talkData{listed: listed{Case: handoff.Case{Handoff: bot.Handoff{Ref: of.Ref, Status: of.Status, Agent: of.Agent, AgentName: of.AgentName, Ended: of.Ended}, Channel: of.Channel, Version: of.Version}, Filter: filter}, Shut: true}
		t.Before, t.Lost, t.LostBy, t.LostByName = of.Before, of.Lost, of.LostBy, of.LostByName
		t.Shape, t.Left = shape(t), left(v, of)
		t.Draft, err = c.Desk.Draft(ctx, of.Ref, v.Agent.Login)
		return t, err
	}
	t := talkData{listed: c.listed(v, filter, of, now), Can: mayDo(v, of), Begun: c.Moment(of.Born), AskedAt: c.Moment(of.Asked), Steps: c.Steps, Reasons: handoff.Reasons, Place: c.StateName(of.From), Turn: trace.ID(of.Trace)}
	t.Left = left(v, of)
	if t.Mine && !of.Silent.IsZero() {
		t.Silence = &silence{of.Silent.UnixMilli(), c.Desk.Silence.Milliseconds(), c.Moment(of.Silent)}
	}
	if t.Draft, err = c.Desk.Draft(ctx, of.Ref, v.Agent.Login); err != nil {
		return t, err
	}
	if t.Can.Pass {
		if t.Colleagues, err = c.colleagues(ctx, v, of.Agent); err != nil {
			return t, err
		}
	}
	if t.Can.Say {
		if t.Ready, err = c.readyFor(ctx, v, of); err != nil {
			return t, err
		}
	}
	if err := c.later(ctx, v, &t, now); err != nil {
		return t, err
	}
	t.Shape = shape(t)
	return t, nil
}

// left says whether a case was taken away from the visitor, who has not done it themself.
func left(v console.Visit, of handoff.Case) bool {
	me := v.Agent.Login
	return of.Before == me && of.LostBy != me && !(of.Held() && of.Agent == me)
}

// shape is a text that changes when the forms of the page do.
func shape(t talkData) string {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s %s %v %v %v %v %v %v", t.Status, t.Agent, t.Can, t.Colleagues, t.Ready, t.Until, t.Late, len(t.Earlier))
	return strconv.FormatUint(h.Sum64(), 36)
}

// talk reads a conversation. [after] is the line after which it is shown, negative for its latest part.
func (c *Room) talk(ctx context.Context, v console.Visit, filter, ref string, after int64) (talkData, error) {
	of, err := c.Desk.Find(ctx, ref)
	if err != nil {
		return talkData{}, err
	}
	t, err := c.talkHead(ctx, v, filter, of)
	if err != nil || t.Shut {
		return t, err
	}
	if err := c.Desk.Read(ctx, v.Actor(), ref); err != nil {
		return t, err
	}
	latest := after < 0
	if latest {
		after = max(0, of.Lines-linesShown)
	}
	lines, err := c.Desk.Lines(ctx, ref, after)
	if err != nil {
		return t, err
	}
	marks, err := c.Desk.Marks(ctx, of, lines)
	if err != nil {
		return t, err
	}
	t.Lines = c.talkLines(lines, marks)
	if n := len(lines); n > 0 {
		t.First, t.Latest = lines[0].Seq, lines[n-1].Seq
		t.Later = !latest && t.Latest < of.Lines
		if t.First > 1 {
			t.Older = t.First
		}
	}
	return t, nil
}

// showTalk is the list with a conversation beside it.
func (c *Room) showTalk(w http.ResponseWriter, r *http.Request, v console.Visit) error {
	return c.askTalk(w, r, v, 0, func(*talkData) {})
}

// askTalk draws the page of a conversation, after [change] has put in what this answer says beside it.
func (c *Room) askTalk(w http.ResponseWriter, r *http.Request, v console.Visit, status int, change func(t *talkData)) error {
	filter := filterOf(v, r.FormValue("ver"))
	after := int64(-1)
	if before, err := strconv.ParseInt(r.FormValue("antes"), 10, 64); err == nil && before > 0 {
		after = max(0, before-1-linesShown)
	}
	line, err := strconv.ParseInt(r.FormValue("linea"), 10, 64) // one that a search found
	if err == nil && line > 0 {
		after = max(0, line-1-linesShown/2)
	}
	t, err := c.talk(r.Context(), v, filter, r.PathValue("ref"), after)
	if err != nil {
		return talkFailed(err)
	}
	d, err := c.deskData(r.Context(), v, filter)
	if err != nil {
		return console.Unavailable(err)
	}
	t.Said.Code = r.FormValue("dicho")
	change(&t)
	if t.Shut && status == 0 && t.Said.Code == "" {
		status = http.StatusForbidden
	}
	for i := range d.Rows {
		d.Rows[i].Here = d.Rows[i].Ref == t.Ref
	}
	t.Waiting = d.Counts.Waiting
	t.Line = max(0, line)
	d.Talk = &t
	return c.showDesk(w, r, v, d, status)
}

// olderLines is the piece of a conversation before a line, for the script.
func (c *Room) olderLines(w http.ResponseWriter, r *http.Request, v console.Visit) error {
	before, err := strconv.ParseInt(r.FormValue("antes"), 10, 64)
	if err != nil || before < 1 {
		return &web.Error{Status: http.StatusBadRequest}
	}
	of, err := c.Desk.Find(r.Context(), r.PathValue("ref"))
	if err != nil {
		return talkFailed(err)
	}
	if !handoff.MayRead(v.Actor(), of) {
		return &web.Error{Status: http.StatusForbidden}
	}
	if err := c.Desk.Read(r.Context(), v.Actor(), of.Ref); err != nil {
		return console.Unavailable(err)
	}
	lines, err := c.Desk.Lines(r.Context(), r.PathValue("ref"), max(1, before-linesShown)-1)
	if err != nil {
		return console.Unavailable(err)
	}
	lines = slices.DeleteFunc(lines, func(l bot.Line) bool { return l.Seq >= before })
	marks, err := c.Desk.Marks(r.Context(), of, lines)
	if err != nil {
		return console.Unavailable(err)
	}
	t := talkData{Lines: c.talkLines(lines, marks)}
	t.Ref, t.Filter = r.PathValue("ref"), filterOf(v, r.FormValue("ver"))
	if len(lines) > 0 && lines[0].Seq > 1 {
		t.Older = lines[0].Seq
	}
	return web.ShowPart(w, c.pages, "inbox", "older-lines", t)
}

// newsData is the frame in the page of somebody without script who has a conversation open: it reloads itself, so that the
// page need not, and says whether there is something new.
type newsData struct {
	Ref, Filter string
	New         int64
	Gone        bool // not the visitor's any more
}

func (c *Room) news(w http.ResponseWriter, r *http.Request, v console.Visit) error {
	of, err := c.Desk.Find(r.Context(), r.PathValue("ref"))
	if err != nil {
		return talkFailed(err)
	}
	since, _ := strconv.ParseInt(r.FormValue("desde"), 10, 64)
	d := newsData{
		Ref: of.Ref, Filter: filterOf(v, r.FormValue("ver")), New: max(0, of.Lines-since), Gone: !mayDo(v, of).Note,
	}
	if !handoff.MayRead(v.Actor(), of) {
		d.New = 0
	}
	w.Header().Set("Refresh", "20")
	return web.Show(w, c.pages, web.View{Name: "news", Form: true, Policy: web.Framed(console.Policy), Data: d})
}

// talkFailed is the answer to a conversation that cannot be shown.
func talkFailed(err error) error {
	if errors.Is(err, handoff.ErrNoCase) {
		return &web.Error{Status: http.StatusNotFound}
	}
	return console.Unavailable(err)
}
