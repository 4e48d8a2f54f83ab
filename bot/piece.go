package bot

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
)

// People send one thing in pieces: a number in two messages, a sentence in five, three pictures at once. Each piece is a turn
// like any other, committed and acknowledged at once. Only what is said to it waits for a moment, and the next piece takes
// that back, with all that the piece did to the place and the count of misses: what they say together is heard as one
// sentence, and answered once. What has a meaning waits for nothing.

// PieceWait is how long what is said to the first of some pieces waits for the rest (P119).
const PieceWait = 1500 * time.Millisecond

// fewWords is how many words a piece of a sentence has at most.
const fewWords = 2

// Pieces are what came of a sentence so far: while the reply to the last of them waits, or a moment after a few words were
// answered, to which more may belong.
type Pieces struct {
	Since  time.Time `bson:"since"`          // when the first came
	Last   time.Time `bson:"last"`           // when the last did
	Turn   string    `bson:"turn"`           // key of the turn whose reply waits
	Told   string    `bson:"told,omitempty"` // keyed hash of what was answered; empty: the reply waits
	Said   string    `bson:"said,omitempty"` // all of them, sealed
	IDs    []string  `bson:"ids,omitempty"`  // the channel's names for the messages, but for those that are deleted
	Before Standing  `bson:"before"`
}

// Standing is what a turn that understood nothing changes of a conversation.
type Standing struct {
	State  State             `bson:"state"`
	Back   []State           `bson:"back,omitempty"`
	Text   string            `bson:"text,omitempty"`
	Prompt int               `bson:"prompt,omitempty"`
	Shown  []string          `bson:"shown,omitempty"`
	Slots  map[string]string `bson:"slots,omitempty"`
	Misses int               `bson:"misses,omitempty"`
	Lang   string            `bson:"lang,omitempty"`
}

func (c *Conversation) standing() Standing {
	return Standing{c.State, slices.Clone(c.Back), c.Text, c.Prompt, slices.Clone(c.Shown), maps.Clone(c.Slots), c.Misses, c.Lang}
}

// piece is the newest of the pieces of a sentence, or what may be the first.
type piece struct {
	came  Update // as it came
	since time.Time
	said  string // sealed: those before it
	ids   []string
	isOne bool // its reply waits
	rest  bool // it belongs to what was answered: nothing is said to it
}

// Piece says that more may follow within a moment: the reply waits, unless the person is written to by an agent as well.
func (t *Turn) Piece() { t.piece = true }

// Brief says whether the update is so short that it may be a piece of a sentence.
func (t *Turn) Brief() bool {
	return t.came.Kind == Text && t.choice == "" && len(strings.Fields(Clean(t.came.Text))) <= fewWords
}

// RestOfAlbum says that the update was sent at once with the one before, to which something was said.
func (t *Turn) RestOfAlbum() bool { return t.rest }

// Earlier are the channel's names for the messages of which the update is the last piece.
func (t *Turn) Earlier() []string { return t.earlier }

// isPiece says whether the reply to [t], which was heard as [ev], waits. Who sits at a terminal writes lines.
func (e *Engine) isPiece(t *Turn, ev Event) bool {
	if e.options.Open == nil || !t.FromPerson() || t.Conv.Handoff.Open() || t.came.Channel == "terminal" {
		return false
	}
	return t.piece || ev == Missed && t.Brief()
}

// gathered notes what came of a sentence so far. The reply to a piece waits for more, for as long as the first one's would have.
func (e *Engine) gathered(t *Turn, s *stepped, p piece, heard Update, was Conversation) {
	c := t.Conv
	if !s.said && !p.rest {
		return // a thumb: what waits still does
	}
	mayGoOn := !p.rest && !p.isOne && e.mayGoOn(t, s.missed, p, heard)
	if !p.rest && !p.isOne && !mayGoOn {
		c.Pieces = nil
		return
	}
	now := Pieces{Since: p.since, Last: t.Now, Turn: t.Key(), Said: p.said, IDs: slices.Clone(p.ids), Before: was.standing()}
	if id := t.came.MessageID; id != "" && !slices.ContainsFunc(t.promises, func(p Promise) bool { return p.Kind() == PromiseDelete }) {
		now.IDs = append(now.IDs, id)
	}
	switch {
	case p.rest:
		now.Told, now.Before = c.Pieces.Told, c.Pieces.Before
	case p.isOne:
		t.waits = p.since.Add(PieceWait)
	case mayGoOn:
		s.told = e.told(t)
		now.Told = s.told
		maps.DeleteFunc(now.Before.Slots, func(name, _ string) bool { return c.Slots[name] == "" }) // what the turn dropped is not kept
	}
	if heard.Kind == Text {
		now.Said = e.options.Seal(heard.Text)
	}
	c.Pieces = &now
}

// mayGoOn says whether more words may belong to those that were answered. Nothing is kept of some that hold a number.
func (e *Engine) mayGoOn(t *Turn, missed bool, p piece, heard Update) bool {
	if e.options.Open == nil || !t.FromPerson() || t.Conv.Handoff.Open() || t.came.Channel == "terminal" || heard.Kind != Text {
		return false
	}
	return !missed && !t.emptied && !t.hidden && (p.said != "" || t.Brief()) && !e.isWhole(t) && e.options.Mask(heard.Text) == heard.Text
}

// isWhole says of an update that it is no piece of a sentence: the words of a button, or what the flow knows.
func (e *Engine) isWhole(t *Turn) bool {
	return t.choice != "" || e.options.Whole != nil && e.options.Whole(t)
}

// told names what a turn says: the same for the same words.
func (e *Engine) told(t *Turn) string {
	const half = 16 // of a hash, which is enough to tell two bubbles apart
	for _, p := range t.promises {
		if say, ok := p.What.(Say); ok {
			return Cut(e.options.Hash("told", say.Reply.Text), half)
		}
	}
	return ""
}

// reply is the bubble that waits for more pieces, or nil.
func (c *Conversation) reply() *Promise {
	if c.Pieces == nil || c.Pieces.Told != "" {
		return nil
	}
	return c.Find(c.Pieces.Turn + "/" + string(PromiseSay))
}

// isGathering says whether more pieces are waited for. Until then nobody has begun to send a reply that waits.
func (c *Conversation) isGathering(now time.Time) bool {
	return c.Pieces != nil && now.Before(c.Pieces.Since.Add(PieceWait)) && (c.Pieces.Told != "" || c.reply() != nil)
}

// ReplyDue is when the reply that waits for more pieces is due, or zero.
func (c *Conversation) ReplyDue() time.Time {
	if p := c.reply(); p != nil && p.Tries == 0 {
		return p.NotBefore
	}
	return time.Time{}
}

// EndPieces forgets the pieces whose reply was sent.
func (c *Conversation) EndPieces() {
	if c.Pieces != nil && c.Pieces.Told == "" && c.reply() == nil {
		c.Pieces = nil
	}
}

// release has what waits for more pieces said now.
func (c *Conversation) release() {
	if c.reply() != nil {
		for i := range c.Promises {
			if c.Pieces.made(c.Promises[i]) {
				c.Promises[i].NotBefore = time.Time{}
			}
		}
	}
	c.Pieces = nil
}

// made says whether a promise was made by the last piece, and waits as its reply does.
func (p *Pieces) made(promise Promise) bool {
	return promise.ID == p.Turn+"/"+string(PromiseSay) || promise.ID == p.Turn+"/"+string(PromiseUnheard)
}

// stood is the conversation where it was before the pieces.
func (c *Conversation) stood() Conversation {
	as, b := c.Clone(), c.Pieces.Before
	as.Pieces = nil
	as.State, as.Back, as.Text, as.Prompt = b.State, slices.Clone(b.Back), b.Text, b.Prompt
	as.Shown, as.Slots, as.Misses, as.Lang = slices.Clone(b.Shown), maps.Clone(b.Slots), b.Misses, b.Lang
	return as
}

// takeBack is the conversation as if nothing had been said to the pieces yet, and how many bubbles are withdrawn for it.
func (c *Conversation) takeBack() (as Conversation, withdrawn int) {
	as = c.stood()
	as.Promises = slices.DeleteFunc(as.Promises, func(p Promise) bool {
		made := c.Pieces.made(p)
		if made && p.Kind() == PromiseSay {
			withdrawn++
		}
		return made
	})
	for i, l := range slices.Backward(as.Tail) {
		if l.From == FromBot {
			if l.At.Equal(c.Pieces.Last) {
				as.Tail = slices.Delete(as.Tail, i, i+1)
			}
			break
		}
	}
	return as, withdrawn
}

// gathers says whether the update is something that the person does while more pieces are waited for.
func (c *Conversation) gathers(u Update, now time.Time) bool {
	switch u.Kind {
	case Signal, Desk, Blocked, Unblocked, Undelivered:
		return false
	}
	return c.isGathering(now)
}

// gather steps an update that comes while the reply to a piece waits. It is heard as the end of what was said so far, or else
// by itself, or else it is one more piece.
func (e *Engine) gather(ctx context.Context, c Conversation, u Update, env Env) (s stepped, err error) {
	if c.Pieces.Told != "" {
		return e.gatherRest(ctx, c, u, env)
	}
	base, withdrawn := c.takeBack()
	for i, heard := range e.hearings(base, u, *c.Pieces, env.Now) {
		as, err := e.stepAs(ctx, base, heard, env, &piece{came: u, since: c.Pieces.Since, said: c.Pieces.Said, ids: c.Pieces.IDs})
		if err != nil {
			return as, err
		}
		if i == 0 || !as.missed || heard.Text != u.Text { // of two that were not understood the sentence
			s = as
		}
		if !as.missed {
			break
		}
	}
	if !s.said { // a thumb: nothing was taken back for it
		return e.step(ctx, c, u, env)
	}
	s.out.Withdrawn += withdrawn
	return s, nil
}

// hearings are what an update may be heard as after those pieces, in order.
func (e *Engine) hearings(base Conversation, u Update, p Pieces, now time.Time) []Update {
	sentence, ok := e.sentence(p, u)
	switch {
	case !ok:
		return []Update{u}
	case e.isWhole(&Turn{Conv: &base, Update: u, came: u, Now: now, engine: e, choice: e.chosen(&base, u)}):
		return []Update{u, sentence}
	}
	return []Update{sentence, u}
}

// sentence is the update as the end of those pieces, if they said anything.
func (e *Engine) sentence(p Pieces, u Update) (Update, bool) {
	if u.Kind != Text || p.Said == "" {
		return u, false
	}
	said, err := e.options.Open(p.Said)
	u.Text = said + " " + u.Text
	return u, err == nil
}

// gatherRest steps an update that comes a moment after a few words were answered. Where the words and it together would have come to
// just the same, it was their end, and the same is not said twice. It counts as a message. Digits, and what is said where free text
// is kept, are never the end of something else.
func (e *Engine) gatherRest(ctx context.Context, c Conversation, u Update, env Env) (stepped, error) {
	now := c.Clone()
	t := &Turn{Conv: &now, Update: u, came: u, Now: env.Now, engine: e, choice: e.chosen(&now, u)}
	sentence, ok := e.sentence(*c.Pieces, u)
	if !ok || !t.Brief() || e.isWhole(t) || t.Place().Is(FreeText) || strings.ContainsFunc(u.Text, unicode.IsDigit) {
		return e.step(ctx, c, u, env)
	}
	p := piece{came: u, since: c.Pieces.Since, said: c.Pieces.Said, ids: c.Pieces.IDs}
	as, err := e.stepAs(ctx, c.stood(), sentence, env, &p)
	if err != nil || as.missed || as.told != c.Pieces.Told || !c.cameTo(as.next, t.Key()) { // one that cannot be stepped is heard by itself
		return e.step(ctx, c, u, env)
	}
	p.rest = true
	s, err := e.stepAs(ctx, c, sentence, env, &p)
	s.next.Recent = as.next.Recent
	return s, err
}

// cameTo says whether a turn of that key left a conversation where this one stands, and owes nothing but words.
func (c *Conversation) cameTo(next Conversation, key string) bool {
	a, b := c.standing(), next.standing()
	return a.State == b.State && slices.Equal(a.Back, b.Back) && a.Text == b.Text && a.Prompt == b.Prompt && slices.Equal(a.Shown, b.Shown) &&
		maps.Equal(a.Slots, b.Slots) && a.Misses == b.Misses && a.Lang == b.Lang && c.Attempt == next.Attempt &&
		!slices.ContainsFunc(next.Promises, func(p Promise) bool {
			return strings.HasPrefix(p.ID, key+"/") && p.Kind() != PromiseSay && p.Kind() != PromiseUnheard
		})
}
