package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/bot"
	"llave/internal/handoff"
	"llave/internal/unlock"
)

// DeskTable is what the help desk reads of everything: the conversations that have a case, the lines of their transcripts,
// the case files, and who is there. Conversations themselves are written by the runner alone.
type DeskTable struct {
	engine        Engine
	conversations *Documents[bot.Conversation]
	lines         *Documents[storedLine]
	cases         *Documents[File]
	presence      *Documents[handoff.Presence]
	answers       *Documents[handoff.Answers]
	line          *Documents[handoff.Line]
	drafts        *Documents[handoff.Draft]
}

func newDesk(engine Engine, conversations *Documents[bot.Conversation]) *DeskTable {
	return &DeskTable{
		engine: engine, conversations: conversations,
		lines:    NewDocuments(engine, Lines, func(l *storedLine) (*string, *int64) { return &l.ID, &l.Version }),
		cases:    NewDocuments(engine, Cases, func(f *File) (*string, *int64) { return &f.Ref, &f.Version }),
		presence: NewDocuments(engine, Presence, func(p *handoff.Presence) (*string, *int64) { return &p.Login, &p.Version }),
		drafts:   NewDocuments(engine, Drafts, func(d *handoff.Draft) (*string, *int64) { return &d.ID, &d.Version }),
		answers:  NewDocuments(engine, Settings, func(a *handoff.Answers) (*string, *int64) { return &a.ID, &a.Version }),
		line:     NewDocuments(engine, Settings, func(l *handoff.Line) (*string, *int64) { return &l.ID, &l.Version }),
	}
}

// Ahead is how many cases stand in the queue before the one with that key.
func (t *DeskTable) Ahead(ctx context.Context, queue string) (int, error) {
	n, err := t.engine.Count(ctx, Query{Collection: Conversations, Field: "handoff.queue", From: handoff.QueueWaiting, To: queue})
	return int(n), err
}

// Between returns the keys of the cases that stand in the queue from one key to another, that one not included.
func (t *DeskTable) Between(ctx context.Context, from, to string) (keys []string, err error) {
	err = t.shown(ctx, Query{Field: "handoff.queue", From: from, To: to}, func(key string) { keys = append(keys, key) })
	return keys, err
}

// MovedRefs returns which cases moved at a moment or later.
func (t *DeskTable) MovedRefs(ctx context.Context, since time.Time) (map[string]bool, error) {
	refs := map[string]bool{}
	err := t.shown(ctx, Query{Field: "handoff.moved", From: since, Only: []string{"handoff.ref"}}, func(ref string) { refs[ref] = true })
	return refs, err
}

// shown calls each with the one field that is asked for, or else the one that is looked through, of conversations. It opens none.
func (t *DeskTable) shown(ctx context.Context, q Query, each func(value string)) error {
	if q.Collection = Conversations; len(q.Only) == 0 {
		q.Only = []string{q.Field}
	}
	err := unopened(t.engine).Scan(ctx, q, func(raw bson.Raw) bool {
		if value, ok := Lookup(raw, q.Only[0]); ok {
			if s, ok := value.StringValueOK(); ok {
				each(s)
			}
		}
		return true
	})
	if err != nil {
		return fmt.Errorf("scan the queue: %w", err)
	}
	return nil
}

// Line returns who is about to stand in the queue.
func (t *DeskTable) Line(ctx context.Context) (handoff.Line, error) {
	return t.line.Load(ctx, handoff.LineID)
}

// SaveLine stores it as Documents.Save does.
func (t *DeskTable) SaveLine(ctx context.Context, l *handoff.Line) error { return t.line.Save(ctx, l) }

// Queue returns at most limit cases whose queue key begins with a prefix, in their order.
func (t *DeskTable) Queue(ctx context.Context, prefix string, limit int) ([]handoff.Case, error) {
	return t.list(ctx, Query{Field: "handoff.queue", From: prefix, To: prefix + "\U0010ffff", Limit: limit})
}

// Moved returns the cases that moved at a moment or later, in that order.
func (t *DeskTable) Moved(ctx context.Context, since time.Time, limit int) ([]handoff.Case, error) {
	return t.list(ctx, Query{Field: "handoff.moved", From: since, Limit: limit})
}

// glance is the part of a conversation's document that a list shows: of its tail a glimpse, of its promises what they
// are. The rest is most of the document; it is not decoded, because consoles read the lists many times a minute. A glance is
// read only: it becomes a case, never a conversation, since one with so little in it would erase a chat where it was saved.
type glance struct {
	ID       string        `bson:"_id"`
	Version  int64         `bson:"v"`
	State    bot.State     `bson:"state"`
	Lang     string        `bson:"lang"`
	Way      string        `bson:"way"`
	Numbers  []struct{}    `bson:"numbers"` // how many
	Tail     bson.RawValue `bson:"tail"`
	Alerts   []bot.Alert   `bson:"alerts"`
	Gone     bool          `bson:"gone"`
	Handoff  bot.Handoff   `bson:"handoff"`
	Turns    int64         `bson:"turns"`
	Born     time.Time     `bson:"born"`
	Timers   []bot.Timer   `bson:"timers"`
	LastAt   time.Time     `bson:"last_at"`
	Late     *bot.Late     `bson:"late"`
	Promises []struct {
		Kind  bot.PromiseKind `bson:"kind"`
		Waits bool            `bson:"waits"`
	} `bson:"promises"`
}

// list reads the cases of a query of conversations.
func (t *DeskTable) list(ctx context.Context, q Query) (all []handoff.Case, err error) {
	q.Collection = Conversations
	var broken error
	err = scan(ctx, t.engine, q, func(g glance) bool {
		var c handoff.Case
		c, broken = g.asCase()
		all = append(all, c)
		return broken == nil
	})
	return all, errors.Join(err, broken)
}

// asCase is handoff.CaseOf of the whole document.
func (g *glance) asCase() (c handoff.Case, err error) {
	channel, _ := bot.SplitConversationID(g.ID)
	c = handoff.Case{
		Handoff: g.Handoff, Conv: g.ID, Channel: channel, Version: g.Version, Gone: g.Gone, Slowly: g.Way != "",
		State: g.State, Lang: g.Lang, Born: g.Born, Turns: g.Turns, Tried: len(g.Numbers), LastAt: g.LastAt, Late: g.Late,
	}
	for _, p := range g.Promises {
		if p.Kind == bot.PromiseSay {
			c.Unsent++
			c.Waits = c.Waits || p.Waits
		}
	}
	for _, t := range g.Timers {
		if t.Signal == bot.SignalAgentSilent {
			c.Silent = t.At
		}
	}
	c.Alerts = g.Alerts
	c.Glimpse, err = glimpse(g.Handoff, g.Tail)
	return c, err
}

// glimpse reads as much of an array of lines as a list shows, from its end.
func glimpse(h bot.Handoff, tail bson.RawValue) (of handoff.Glimpse, err error) {
	array, ok := tail.ArrayOK()
	if !ok {
		return of, nil
	}
	lines, err := array.Values()
	if err != nil {
		return of, fmt.Errorf("read the last lines: %w", err)
	}
	var broken error
	of = handoff.GlimpseOf(h, func(yield func(bot.Line) bool) {
		for _, raw := range slices.Backward(lines) {
			var l bot.Line
			if broken = raw.Unmarshal(&l); broken != nil || !yield(l) {
				return
			}
		}
	})
	if broken != nil {
		return of, fmt.Errorf("read the last lines: %w", broken)
	}
	return of, nil
}

// FindCase returns the conversation whose latest case has that number, and whether there is one.
func (t *DeskTable) FindCase(ctx context.Context, ref string) (bot.Conversation, bool, error) {
	return t.conversations.FindBy(ctx, "handoff.ref", ref)
}

// storedLine is a line of a handed-off chat.
type storedLine struct {
	ID       string `bson:"_id"` // ref/00000001
	Version  int64  `bson:"v"`
	Ref      string `bson:"ref"`
	Conv     string `bson:"conv"`
	bot.Line `bson:",inline"`
}

func lineID(ref string, seq int64) string { return fmt.Sprintf("%s/%08d", ref, seq) }

// KeepLines keeps [lines] of a case. Keeping them again changes nothing.
func (t *DeskTable) KeepLines(ctx context.Context, conv, ref string, lines []bot.Line) error {
	docs := make([]bson.Raw, 0, len(lines))
	for _, l := range lines {
		raw, err := bson.Marshal(storedLine{ID: lineID(ref, l.Seq), Ref: ref, Conv: conv, Line: l})
		if err != nil {
			return fmt.Errorf("keep lines: %w", err)
		}
		docs = append(docs, raw)
	}
	if err := t.engine.BulkUpsert(ctx, Lines, docs); err != nil {
		return fmt.Errorf("keep lines: %w", err)
	}
	return nil
}

// Lines returns at most [limit] kept lines of a case after the one with that number, in order; of more the last ones when
// [after] is 0.
func (t *DeskTable) Lines(ctx context.Context, ref string, after int64, limit int) ([]bot.Line, error) {
	kept, err := t.lines.Scan(ctx, Query{From: lineID(ref, after+1), To: ref + "0", Descending: after == 0, Limit: limit})
	if err != nil {
		return nil, err
	}
	lines := make([]bot.Line, len(kept))
	for i, l := range kept {
		lines[i] = l.Line
	}
	if after == 0 {
		slices.Reverse(lines)
	}
	return lines, nil
}

// EachLine calls [each] for the lines of all cases in [from] ≤ at < [to], the latest first, until it returns false.
func (t *DeskTable) EachLine(ctx context.Context, from, to time.Time, each func(ref string, l bot.Line) bool) error {
	return t.lines.each(ctx, Query{Field: "at", From: from, To: to, Descending: true}, func(l storedLine) bool { return each(l.Ref, l.Line) })
}

// EraseLines forgets every line of a conversation.
func (t *DeskTable) EraseLines(ctx context.Context, conv string) error {
	_, err := t.engine.DeleteRange(ctx, Query{Collection: Lines, Field: "conv", From: conv, To: conv + "\x00"})
	if err != nil {
		return fmt.Errorf("erase lines: %w", err)
	}
	return nil
}

// ForgetLines removes at most limit lines older than a moment, and says how many.
func (t *DeskTable) ForgetLines(ctx context.Context, before time.Time, limit int) (int64, error) {
	return t.engine.DeleteRange(ctx, Query{Collection: Lines, Field: "at", To: before, Limit: limit})
}

// KeepCase keeps a case file as its conversation has it. One that came before changes nothing.
func (t *DeskTable) KeepCase(ctx context.Context, conv string, h bot.Handoff) error {
	for {
		f, err := t.cases.Load(ctx, h.Ref)
		if err != nil {
			return fmt.Errorf("keep case: %w", err)
		}
		if f.Handoff != nil && f.Handoff.Rev >= h.Rev {
			return nil
		}
		f.Topic, f.Body, f.Conv, f.Made, f.Status, f.Handoff = TopicPerson, string(h.From), conv, h.Asked, Open, &h
		if !h.Open() {
			f.Status = Closed
		}
		if err = t.cases.Save(ctx, &f); !errors.Is(err, ErrConflict) {
			return err
		}
	}
}

// Case returns a case file, and whether there is one.
func (t *DeskTable) Case(ctx context.Context, ref string) (handoff.CaseFile, bool, error) {
	f, found, err := t.cases.Find(ctx, ref)
	return caseFileOf(f), found, err
}

// EachCase calls [each] for the cases with a person, and the notices of owners who say that it was not them, that were made
// in [from] ≤ made < [to], the latest first, until it returns false.
func (t *DeskTable) EachCase(ctx context.Context, from, to time.Time, each func(handoff.CaseFile) bool) error {
	return t.cases.each(ctx, Query{Field: "made", From: from, To: to, Descending: true}, func(f File) bool {
		if f.Handoff == nil && f.Topic != TopicNotMe {
			return true // closed by the bot alone
		}
		return each(caseFileOf(f))
	})
}

// CasesOf returns the cases and notices of a chat, the latest first.
func (t *DeskTable) CasesOf(ctx context.Context, conv string) ([]handoff.CaseFile, error) {
	files, err := t.cases.Scan(ctx, Query{Field: "conv", From: conv, To: conv + "\x00"})
	if err != nil {
		return nil, err
	}
	var out []handoff.CaseFile
	for _, f := range files {
		if f.Handoff != nil {
			out = append(out, caseFileOf(f))
		}
	}
	slices.SortFunc(out, func(a, b handoff.CaseFile) int { return b.Made.Compare(a.Made) })
	return out, nil
}

func caseFileOf(f File) handoff.CaseFile {
	r := handoff.CaseFile{Ref: f.Ref, Conv: f.Conv, Made: f.Made, Notice: f.Topic == TopicNotMe, AfterUse: f.Body == unlock.AfterUse, Overtaken: f.Body == unlock.Overtaken || f.Body == unlock.OvertakenKey, Open: f.Status == Open, Answer: f.Answer, By: f.By}
	if f.Handoff != nil {
		r.Handoff = *f.Handoff
	}
	return r
}

// CloseNotice closes the notice of an owner with what was found. It says whether this call did: false when it was closed
// before, or is no notice.
func (t *DeskTable) CloseNotice(ctx context.Context, ref, by, answer string) (bool, error) {
	for {
		f, found, err := t.cases.Find(ctx, ref)
		if err != nil || !found || f.Topic != TopicNotMe || f.Status != Open {
			return false, err
		}
		f.Status, f.By, f.Answer = Closed, by, answer
		err = t.cases.Save(ctx, &f)
		if err == nil || !errors.Is(err, ErrConflict) {
			return err == nil, err
		}
	}
}

// Beat notes that an agent's console is there.
func (t *DeskTable) Beat(ctx context.Context, p handoff.Presence) error {
	for {
		stored, err := t.presence.Load(ctx, p.Login)
		if err != nil {
			return fmt.Errorf("note presence: %w", err)
		}
		p.Version = stored.Version
		if err = t.presence.Save(ctx, &p); !errors.Is(err, ErrConflict) {
			return err
		}
	}
}

// Present returns every agent that has ever been there, with when it was last.
func (t *DeskTable) Present(ctx context.Context) ([]handoff.Presence, error) {
	return t.presence.Scan(ctx, Query{})
}

// Answers returns the ready answers that supervisors wrote.
func (t *DeskTable) Answers(ctx context.Context) (handoff.Answers, error) {
	return t.answers.Load(ctx, handoff.AnswersID)
}

// SaveAnswers stores them as Documents.Save does.
func (t *DeskTable) SaveAnswers(ctx context.Context, a *handoff.Answers) error {
	return t.answers.Save(ctx, a)
}
