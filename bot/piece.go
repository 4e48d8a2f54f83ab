package bot

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"
)

// People send one thing in pieces: a number in two messages, a sentence in five, three pictures at once. Each piece is a turn
// like any other, committed and acknowledged at once. Only what is said to it waits for a moment, and the next piece takes
// that back, with all that the piece did to the place and the count of misses: what they say together is heard as one
// sentence, and answered once. What has a meaning waits for nothing.

// PieceWait is how long what is said to the first of some pieces waits for the rest (P119).
const PieceWait = 1500 * time.Millisecond

// fewWords is how many words a piece of a sentence has at most.
const fewWords = 2

// Pieces are what came of a sentence so far, while the reply to the last of them waits.
type Pieces struct {
	Since  time.Time `bson:"since"`          // when the first came
	Last   time.Time `bson:"last"`           // when the last did
	Turn   string    `bson:"turn"`           // key of the last one's turn
	Said   string    `bson:"said,omitempty"` // all of them, sealed
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
}

func (c *Conversation) standing() Standing {
	return Standing{c.State, slices.Clone(c.Back), c.Text, c.Prompt, slices.Clone(c.Shown), maps.Clone(c.Slots), c.Misses}
}

// piece is the newest of the pieces of a sentence, or what may be the first.
type piece struct {
	came  Update // as it came
	since time.Time
	said  string // sealed: those before it
	isOne bool
}

// Piece says that more may follow within a moment: the reply waits, unless the person is written to by an agent as well.
func (t *Turn) Piece() { t.piece = true }

// Brief says whether the update is so short that it may be a piece of a sentence.
func (t *Turn) Brief() bool {
	return t.came.Kind == Text && t.choice == "" && len(strings.Fields(Clean(t.came.Text))) <= fewWords
}

// RestOfAlbum says that the update was sent at once with the one before, to which something was said.
func (t *Turn) RestOfAlbum() bool { return t.rest }

// isPiece says whether the reply to [t], which was heard as [ev], waits. Who sits at a terminal writes lines.
func (e *Engine) isPiece(t *Turn, ev Event) bool {
	if e.options.Open == nil || !t.FromPerson() || t.Conv.Handoff.Open() || t.came.Channel == "terminal" {
		return false
	}
	return t.piece || ev == Missed && t.Brief()
}

// await has the reply of the turn wait for more pieces, for as long as the first one's would have.
func (e *Engine) await(t *Turn, p piece, heard Update, stood Standing) {
	t.waits = p.since.Add(PieceWait)
	said := p.said
	if heard.Kind == Text {
		said = e.options.Seal(heard.Text)
	}
	t.Conv.Pieces = &Pieces{Since: p.since, Last: t.Now, Turn: t.Key(), Said: said, Before: stood}
}

// reply is the bubble that waits for more pieces, or nil.
func (c *Conversation) reply() *Promise {
	if c.Pieces == nil {
		return nil
	}
	return c.Find(c.Pieces.Turn + "/" + string(PromiseSay))
}

// awaits says whether more pieces are waited for: until then nobody has begun to send the reply.
func (c *Conversation) awaits(now time.Time) bool {
	return c.reply() != nil && now.Before(c.Pieces.Since.Add(PieceWait))
}

// ReplyDue is when the reply that waits for more pieces is due, or zero.
func (c *Conversation) ReplyDue() time.Time {
	if p := c.reply(); p != nil && p.Tries == 0 {
		return p.NotBefore
	}
	return time.Time{}
}

// EndPieces forgets the pieces once their reply was sent.
func (c *Conversation) EndPieces() {
	if c.reply() == nil {
		c.Pieces = nil
	}
}

// release has what waits for more pieces said now.
func (c *Conversation) release() {
	if c.Pieces == nil {
		return
	}
	for i := range c.Promises {
		if c.Pieces.made(c.Promises[i]) {
			c.Promises[i].NotBefore = time.Time{}
		}
	}
	c.Pieces = nil
}

// made says whether a promise was made by the last piece, and waits as its reply does.
func (p *Pieces) made(promise Promise) bool {
	return promise.ID == p.Turn+"/"+string(PromiseSay) || promise.ID == p.Turn+"/"+string(PromiseUnheard)
}

// takeBack is the conversation as if the pieces had said nothing yet, and how many bubbles are withdrawn for it.
func (c *Conversation) takeBack() (as Conversation, withdrawn int) {
	as = c.Clone()
	p, b := as.Pieces, as.Pieces.Before
	as.Pieces = nil
	as.State, as.Back, as.Text, as.Prompt = b.State, slices.Clone(b.Back), b.Text, b.Prompt
	as.Shown, as.Slots, as.Misses = slices.Clone(b.Shown), maps.Clone(b.Slots), b.Misses
	as.Promises = slices.DeleteFunc(as.Promises, func(promise Promise) bool {
		if !p.made(promise) {
			return false
		}
		if promise.Kind() == PromiseSay {
			withdrawn++
		}
		return true
	})
	as.Tail = slices.DeleteFunc(as.Tail, func(l Line) bool { return l.From == FromBot && l.At.Equal(p.Last) })
	return as, withdrawn
}

// gathers says whether the update is something that the person does while more pieces are waited for.
func (c *Conversation) gathers(u Update, now time.Time) bool {
	switch u.Kind {
	case Signal, Desk, Blocked, Unblocked, Undelivered:
		return false
	}
	return c.awaits(now)
}

// gather steps an update that comes while the reply to a piece waits. It is heard as the end of what was said so far, or else
// by itself, or else it is one more piece.
func (e *Engine) gather(ctx context.Context, c Conversation, u Update, env Env) (s stepped, err error) {
	base, withdrawn := c.takeBack()
	for i, heard := range e.hearings(base, u, *c.Pieces, env.Now) {
		p := &piece{came: u, since: c.Pieces.Since, said: c.Pieces.Said}
		as, err := e.stepAs(ctx, base, heard, env, p)
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
	said, err := e.options.Open(p.Said)
	if err != nil || said == "" || u.Kind != Text {
		return []Update{u}
	}
	sentence := u
	sentence.Text = said + " " + u.Text
	t := &Turn{Conv: &base, Update: u, came: u, Now: now, engine: e, choice: e.chosen(&base, u)}
	if t.choice != "" || e.options.Whole != nil && e.options.Whole(t) {
		return []Update{u, sentence}
	}
	return []Update{sentence, u}
}
