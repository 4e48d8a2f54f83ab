package talk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"llave/bot"
	"llave/internal/agent"
	"llave/internal/handoff"
	"llave/internal/web"
	"llave/internal/web/console"
)

// How a stream lives.
const (
	hoursEvery = 2 * time.Second // whether the desk is open is read
	askEvery   = time.Second     // whether the agent may go on
	pingEvery  = 5 * time.Second // a page that hears nothing for longer takes its connection for dead
	beatEvery  = 3               // of so many pings the page answers one with a word that it is there
	writeTime  = 5 * time.Second // a browser that takes nothing for so long is dropped
	readTime   = 5 * time.Second // one look at the store
)

// event is one thing that a page is told.
type event struct {
	Name string `json:"name"`
	ID   string `json:"-"` // the line up to which the page has everything
	Data any    `json:"data"`
}

// The data of events. Order is what the list is sorted by.
type (
	rowEvent struct {
		Ref   string        `json:"ref"`
		Order string        `json:"order"`
		HTML  template.HTML `json:"html"`
	}
	htmlEvent struct {
		HTML template.HTML `json:"html"`
	}
	linesEvent struct {
		HTML template.HTML `json:"html"`
		Last int64         `json:"last"`
	}
	headEvent struct {
		Shape string        `json:"shape"`
		Mine  bool          `json:"mine"`
		Head  template.HTML `json:"head"`
		Acts  template.HTML `json:"acts"`
		Write template.HTML `json:"write"`
	}
	refEvent struct {
		Ref string `json:"ref"`
	}
	pingEvent struct {
		Beat bool `json:"beat,omitempty"` // the page is to say that it is there
	}
	leftEvent struct { // a case that was the visitor's is not any more
		Ref  string        `json:"ref"`
		HTML template.HTML `json:"html"`
	}
	outEvent struct {
		To string `json:"to"`
	}
	alertEvent struct {
		What  string `json:"what"` // one of bot.Alert…
		Ref   string `json:"ref"`
		Text  string `json:"text"`
		At    int64  `json:"at"`              // in milliseconds
		Quiet bool   `json:"quiet,omitempty"` // without a sound
	}
	marksEvent struct {
		Ref   string                  `json:"ref"`
		Marks map[int64]template.HTML `json:"marks"` // by line
	}
	shutEvent struct {
		HTML template.HTML `json:"html"`
	}
)

// stream is one page's stream and what it has been sent.
type stream struct {
	c          *Room
	v          console.Visit
	out        *http.ResponseController
	w          http.ResponseWriter
	subscriber *subscriber
	filter     string
	none       bool // the page has no list

	digest  string // of the list that the page was drawn with, until the first look
	begun   bool
	rows    map[string]string // what was sent of each row
	counted counts
	held    []string // the agent's cases as the page knew them when it was connected last
	shut    shutData
	asked   time.Time        // when the hours were read last
	told    map[string]int64 // up to which alert of each case the agent has been told
	since   time.Time        // of the alerts before the first look those are new that came later
	closed  int
	notices string

	ref     string // the open conversation
	last    int64  // its last line that was sent
	shape   string // its forms as they were sent
	version int64
	again   bool // look whether the forms changed, though the conversation did not
	over    bool
	marks   map[int64]string // what became of the agents' words, as it was sent
	marked  time.Time        // when that was looked at last
	final   bool             // nothing more becomes of them
	closes  []handoff.Case   // the closed ones as they were read last
}

// stream sends what changes since the page was drawn, or since it was last connected ("Last-Event-ID", or "desde"): rows of its
// list, lines of its conversation, counts.
func (c *Room) stream(w http.ResponseWriter, r *http.Request, v console.Visit) error {
	sub, ok := c.live.join()
	if !ok {
		return &web.Error{Status: http.StatusServiceUnavailable, RetryAfter: 2 * time.Second}
	}
	defer c.live.leave(sub)
	q := r.URL.Query()
	after := r.Header.Get("Last-Event-ID")
	if after == "" {
		after = q.Get("desde")
	}
	s := &stream{
		c: c, v: v, w: w, out: http.NewResponseController(w), subscriber: sub, filter: filterOf(v, q.Get("ver")), none: !q.Has("ver"),
		held: strings.Fields(q.Get("tenia")), digest: q.Get("sello"), ref: q.Get("caso"), shape: q.Get("forma"), rows: map[string]string{}, told: map[string]int64{},
	}
	if ms, err := strconv.ParseInt(q.Get("avisado"), 10, 64); err == nil {
		s.since = time.UnixMilli(ms)
	}
	s.shut.Shut = q.Has("cerrado")
	s.last, _ = strconv.ParseInt(after, 10, 64)
	s.version, _ = strconv.ParseInt(q.Get("v"), 10, 64)

	web.Secure(w.Header(), "", false)
	h := w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("X-Accel-Buffering", "no")       // a proxy is not to hold it back
	_ = s.out.SetReadDeadline(time.Time{}) // the server's limits are for requests that end
	s.run(r.Context())
	return nil
}

// run ends when the browser goes or takes nothing, when the agent may not go on, or when the process stops.
func (s *stream) run(ctx context.Context) {
	if !s.send(event{Name: "ping", Data: pingEvent{true}}) {
		return
	}
	pings := 0
	ask, ping := time.NewTicker(askEvery), time.NewTicker(pingEvery)
	defer ask.Stop()
	defer ping.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.c.live.closing:
			return
		case <-s.subscriber.woken:
			if !s.look(ctx) {
				return
			}
		case <-ask.C:
			if !s.mayGoOn(ctx) || !s.sayHours(ctx) || !s.sayMarks(ctx) {
				return
			}
		case <-ping.C:
			pings++
			beat := pings%beatEvery == 0
			if !s.send(event{Name: "ping", Data: pingEvent{beat}}) {
				return
			}
			if s.again = s.again || beat; beat && !s.look(ctx) { // who else is there is no move of the conversation
				return
			}
		}
	}
}

// mayGoOn asks whether the agent is still signed in. An account that was disabled gives back what it had at once.
func (s *stream) mayGoOn(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	a, err := s.c.Live(ctx, s.v)
	switch {
	case err == nil:
		s.v.Agent = a
		return true
	case !console.Ended(err):
		return ctx.Err() == nil || errors.Is(ctx.Err(), context.DeadlineExceeded) // the store is away: go on
	}
	if a, err := s.c.Agents.Find(ctx, s.v.Agent.Login); errors.Is(err, agent.ErrNotFound) || err == nil && a.Disabled {
		if err := s.c.Desk.Gone(ctx, s.v.Agent.Login); err != nil {
			s.c.Log.Error("free the conversations of an agent", "err", err)
		}
	}
	s.send(event{Name: "out", Data: outEvent{console.SignInPath}})
	return false
}

// send writes [events] in the form of the protocol. It returns false when the browser does not take them.
func (s *stream) send(events ...event) bool {
	if len(events) == 0 {
		return true
	}
	var b bytes.Buffer
	for _, e := range events {
		data, err := json.Marshal(e.Data) // on one line
		if err != nil {
			s.c.Log.Error("encode event", "event", e.Name, "err", err)
			return false
		}
		if e.ID != "" {
			fmt.Fprintf(&b, "id: %s\n", e.ID)
		}
		fmt.Fprintf(&b, "event: %s\ndata: %s\n\n", e.Name, data)
	}
	_ = s.out.SetWriteDeadline(time.Now().Add(writeTime))
	if _, err := s.w.Write(b.Bytes()); err != nil {
		return false
	}
	return s.out.Flush() == nil
}

// look compares how things stand with what was sent, and sends the difference. A store that is away is no reason to end.
func (s *stream) look(ctx context.Context) bool {
	p, known := s.c.live.look(s.subscriber)
	if !known {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	events, err := s.changes(ctx, p)
	if err != nil {
		s.subscriber.retry(ctx)
		if ctx.Err() == nil {
			s.c.Log.Warn("the desk cannot be shown", "err", err)
		}
	}
	return s.send(events...) && s.sayMarks(ctx)
}

// changes are the events for what is not yet sent. What could not be read is not taken for sent.
func (s *stream) changes(ctx context.Context, p snapshot) ([]event, error) {
	now, err := s.c.Desk.Now(ctx)
	if err != nil {
		return nil, err
	}
	events, err := s.openTalk(ctx, p)
	if err != nil {
		return events, err
	}
	if p.typed {
		events = append(events, event{Name: "typing", Data: refEvent{s.ref}})
	}
	if !s.begun || p.closed != s.closed {
		if s.closes, err = s.c.closedCases(ctx, s.v, now); err != nil {
			return events, err
		}
	}
	list, err := s.list(p, now)
	events = append(events, list...)
	if err != nil {
		return events, err
	}
	n := count(s.v, p.cases, len(p.notices))
	if n.Closed = len(s.closes); n != s.counted || !s.begun {
		s.counted = n
		events = append(events, event{Name: "counts", Data: n})
	}
	alerts, err := s.alerts(ctx, p, now)
	events = append(events, alerts...)
	if err != nil {
		return events, err
	}
	lost, err := s.departures(p)
	events = append(events, lost...)
	if err != nil {
		return events, err
	}
	s.begun, s.closed = true, p.closed
	return events, nil
}

// list are the rows that changed. The first time they are sent all together unless the page has them already, so that
// what went while nobody was connected goes from the page too.
func (s *stream) list(p snapshot, now time.Time) ([]event, error) {
	if s.none {
		return nil, nil
	}
	whole := !s.begun
	cases := p.cases
	if s.filter == console.HereClosed {
		if whole = whole || p.closed != s.closed; !whole {
			return nil, nil
		}
		cases = s.closes
	}
	rows := s.c.list(s.v, s.filter, cases, now)
	for i := range rows {
		rows[i].Here = rows[i].Ref == s.ref
	}
	events, err := s.noticeList(p)
	if err != nil {
		return nil, err
	}
	changed := s.changedRows
	if whole {
		changed = s.wholeList
	}
	more, err := changed(rows)
	return append(events, more...), err
}

// noticeList are the notices of the queue's lists, when they are others than before.
func (s *stream) noticeList(p snapshot) ([]event, error) {
	marks := noticeMarks(p.notices)
	if marks == s.notices || s.filter != console.HereWaiting && s.filter != console.HereAll {
		return nil, nil
	}
	var events []event
	if s.begun || len(p.notices) > 0 {
		html, err := s.c.part("notices", s.c.noticesOf(p.notices, p.cases, s.filter))
		if err != nil {
			return nil, err
		}
		events = append(events, event{Name: "notices", Data: htmlEvent{html}})
	}
	s.notices = marks
	return events, nil
}

// wholeList is every row, unless the page was drawn with just these.
func (s *stream) wholeList(rows []listed) ([]event, error) {
	var events []event
	if s.begun || digest(rows) != s.digest {
		html, err := s.c.part("rows", rows)
		if err != nil {
			return nil, err
		}
		events = append(events, event{Name: "list", Data: htmlEvent{html}})
	}
	clear(s.rows)
	for _, r := range rows {
		s.rows[r.Ref] = r.Mark
	}
	return events, nil
}

// changedRows are the rows that are new or look other than before, and those that went.
func (s *stream) changedRows(rows []listed) ([]event, error) {
	var events []event
	listed := map[string]bool{}
	for _, r := range rows {
		listed[r.Ref] = true
		if s.rows[r.Ref] == r.Mark {
			continue
		}
		html, err := s.c.part("row", &r)
		if err != nil {
			return events, err
		}
		events = append(events, event{Name: "row", Data: rowEvent{r.Ref, r.SortKey, html}})
		s.rows[r.Ref] = r.Mark
	}
	for ref := range s.rows {
		if !listed[ref] {
			events = append(events, event{Name: "gone", Data: refEvent{ref}})
			delete(s.rows, ref)
		}
	}
	return events, nil
}

func noticeMarks(notices []handoff.CaseFile) string {
	var b bytes.Buffer
	for _, n := range notices {
		b.WriteString(n.Ref + " ")
	}
	return b.String()
}

// closing says that the desk closed or opened, or that there is another word of it.
func (s *stream) closing(ctx context.Context, now time.Time) ([]event, error) {
	if s.none || time.Since(s.asked) < hoursEvery {
		return nil, nil
	}
	s.asked = time.Now()
	shut, err := s.c.shut(ctx, now)
	if err != nil || shut == s.shut {
		return nil, err
	}
	html, err := s.c.part("shut", shut)
	if err != nil {
		return nil, err
	}
	s.shut = shut
	return []event{{Name: "shut", Data: shutEvent{html}}}, nil
}

// sayHours sends what there is to say of the desk's hours. A store that is away is no reason to end.
func (s *stream) sayHours(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	now, err := s.c.Desk.Now(ctx)
	if err != nil {
		return true
	}
	events, err := s.closing(ctx, now)
	return err != nil || s.send(events...)
}

// marksEvery is how often it is looked what became of the agents' words: what a channel reports of them moves no case.
const marksEvery = 2 * time.Second

// sayMarks sends what became of the agents' words in the open conversation, where that is another than before.
func (s *stream) sayMarks(ctx context.Context) bool {
	if s.ref == "" || s.final || time.Since(s.marked) < marksEvery {
		return true
	}
	of, found := s.c.live.find(s.ref)
	if !found || !handoff.MayRead(s.v.Actor(), of) {
		return true
	}
	s.marked = time.Now()
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	lines, err := s.c.Desk.Lines(ctx, s.ref, max(0, of.Lines-linesShown))
	if err != nil {
		return true // the next look may
	}
	marks, err := s.c.Desk.Marks(ctx, of, lines)
	if err != nil {
		return true
	}
	fresh := map[int64]template.HTML{}
	for line, mark := range marks {
		if s.marks[line] == mark {
			continue
		}
		html, err := s.c.part("mark", mark)
		if err != nil {
			s.c.Log.Error("draw a mark", "err", err)
			return true
		}
		fresh[line] = html
	}
	s.marks, s.final = marks, s.c.Desk.MarksFinal(of, marks)
	if len(fresh) == 0 {
		return true
	}
	return s.send(event{Name: "marks", Data: marksEvent{s.ref, fresh}})
}

// alertsLate is how long ago an alert may have come that a page is told of when it begins to listen.
const alertsLate = 5 * time.Minute

// alerts are what the agent is to be told of wherever they look (P760): of what came before the page began to listen, what it missed
// while it was not connected.
func (s *stream) alerts(ctx context.Context, p snapshot, now time.Time) ([]event, error) {
	var events []event
	for _, c := range p.cases {
		for _, a := range c.Alerts {
			if a.Ref != c.Ref || a.N <= s.told[c.Ref] {
				continue
			}
			s.told[c.Ref] = a.N
			missed := !s.since.IsZero() && a.At.After(s.since) && now.Sub(a.At) < alertsLate
			if !a.For(s.v.Agent.Login) || !s.begun && !missed || a.What == bot.AlertNew && !c.Waiting() {
				continue
			}
			text, err := s.c.part("alert-words", a)
			if err != nil {
				return events, err
			}
			events = append(events, event{Name: "alert", Data: alertEvent{What: a.What, Ref: a.Ref, Text: string(text), At: a.At.UnixMilli()}})
		}
	}
	if len(events) == 0 || s.c.Hushed == nil {
		return events, nil
	}
	quiet, err := s.c.Hushed(ctx, s.v.Agent.Login)
	for i := range events {
		e := events[i].Data.(alertEvent)
		e.Quiet = quiet
		events[i].Data = e
	}
	return events, err
}

// departures are the cases that were the agent's and were taken away from them: each says where it went (P765).
func (s *stream) departures(p snapshot) ([]event, error) {
	var events []event
	var held []string
	for _, c := range p.cases {
		if in(console.HereMine, s.v, c) {
			held = append(held, c.Ref)
			continue
		}
		if !slices.Contains(s.held, c.Ref) || !left(s.v, c) {
			continue
		}
		html, err := s.c.part("left", &listed{Case: c})
		if err != nil {
			return nil, err
		}
		events = append(events, event{Name: "left", Data: leftEvent{c.Ref, html}})
	}
	s.held = held
	return events, nil
}

// openTalk are the lines and forms of the open conversation that changed.
func (s *stream) openTalk(ctx context.Context, p snapshot) ([]event, error) {
	if s.ref == "" {
		return nil, nil
	}
	of, found := p.find(s.ref)
	switch {
	case found && of.Version == s.version && !s.again, !found && s.over:
		return nil, nil
	case !found: // it is closed, or its conversation has moved on
		var err error
		if of, err = s.c.Desk.Find(ctx, s.ref); errors.Is(err, handoff.ErrNoCase) {
			s.over = true
			return nil, nil
		} else if err != nil {
			return nil, err
		}
	}
	if handoff.MayRead(s.v.Actor(), of) {
		s.c.live.watch(s.subscriber, of.Conv)
	} else {
		s.c.live.watch(s.subscriber, "") // whether the person writes is not theirs to know any more
	}
	t, err := s.c.talkHead(ctx, s.v, s.filter, of)
	if err != nil {
		return nil, err
	}
	s.again = false
	if of.Version == s.version && t.Shape == s.shape {
		return nil, nil
	}
	var lines []bot.Line
	if !t.Shut {
		if err := s.c.Desk.Read(ctx, s.v.Actor(), of.Ref); err != nil {
			return nil, err
		}
		if lines, err = s.lines(ctx); err != nil {
			return nil, err
		}
	}
	marks, err := s.c.Desk.Marks(ctx, of, lines)
	if err != nil {
		return nil, err
	}
	t.Lines = s.c.talkLines(lines, marks)
	if len(lines) > 0 {
		t.Latest = lines[len(lines)-1].Seq
	}
	events, err := s.c.talkEvents(t)
	if err != nil {
		return nil, err
	}
	s.last, s.version, s.over, s.shape = max(s.last, t.Latest), of.Version, !found, t.Shape
	s.marked, s.final = time.Time{}, false // what was said may have gone out
	return events, nil
}

// lines are those of the open conversation that were not sent. They are numbered without gaps: where there seems to be one
// the store was read while it was being written, and is read again.
func (s *stream) lines(ctx context.Context) ([]bot.Line, error) {
	for again := false; ; again = true {
		after := s.last
		if after == 0 {
			after = -1 // from the first on
		}
		lines, err := s.c.Desk.Lines(ctx, s.ref, after)
		if err != nil || again || len(lines) == 0 || s.last == 0 || lines[len(lines)-1].Seq == s.last+int64(len(lines)) {
			return lines, err
		}
	}
}

// talkEvents are what brings a page up to date with a conversation: its lines from some point on, then its head and forms.
func (c *Room) talkEvents(t talkData) ([]event, error) {
	var events []event
	if len(t.Lines) > 0 {
		html, err := c.part("lines", &t)
		if err != nil {
			return nil, err
		}
		events = append(events, event{"lines", strconv.FormatInt(t.Latest, 10), linesEvent{html, t.Latest}})
	}
	h := headEvent{Shape: t.Shape, Mine: t.Can.Say}
	for _, p := range []struct {
		name string
		into *template.HTML
	}{{"talk-head", &h.Head}, {"talk-acts", &h.Acts}, {"talk-write", &h.Write}} {
		var err error
		if *p.into, err = c.part(p.name, &t); err != nil {
			return nil, err
		}
	}
	return append(events, event{Name: "head", Data: h}), nil
}

// retry wakes the stream again in a moment.
func (sub *subscriber) retry(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(lookEvery):
	}
	sub.wake()
}
