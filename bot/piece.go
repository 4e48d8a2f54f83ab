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
// that back. There are two sorts:
//
//   - A fragment (Turn.Piece) means nothing yet. What it did to the place and the count of misses is taken back with its reply, and
//     what all of them say together is heard as one sentence. Where the next message is no part of it, slots that were named stay.
//   - A part (Turn.Part) is done: what it did stays. Only the reply gives way to the next one's.
//
// What has a meaning waits for nothing; what may still be its end is in rest.go.

// PieceWait is how long what is said to the first of some pieces waits for the rest (P119).
const PieceWait = 1500 * time.Millisecond

// fewWords is how many words a piece of a sentence has at most.
const fewWords = 2

// Pieces are what came so far while the reply to the last of it waits.
type Pieces struct {
	Since  time.Time `bson:"since"`          // when the first came
	Last   time.Time `bson:"last"`           // when the last did
	Turn   string    `bson:"turn"`           // key of the turn whose reply waits
	Said   string    `bson:"said,omitempty"` // all of them, sealed
	IDs    []string  `bson:"ids,omitempty"`  // the channel's names for the messages, but for those that are deleted
	Each   string    `bson:"each,omitempty"` // what each of those says, sealed together
	Before Standing  `bson:"before"`
	Kept   []string  `bson:"kept,omitempty"`   // slots that stay where what comes next is no part of it
	Done   bool      `bson:"done,omitempty"`   // a part: all but the reply stays
	Unread bool      `bson:"unread,omitempty"` // nobody has read the question that stands: it is asked in the reply that waits
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

// stoodAt is the conversation where it stood then.
func (c *Conversation) stoodAt(b Standing) Conversation {
	as := c.Clone()
	as.Pieces, as.Answered = nil, nil
	as.State, as.Back, as.Text, as.Prompt = b.State, slices.Clone(b.Back), b.Text, b.Prompt
	as.Shown, as.Slots, as.Misses, as.Lang = slices.Clone(b.Shown), maps.Clone(b.Slots), b.Misses, b.Lang
	return as
}

// piece is the newest of the pieces of a sentence, or what may be the first.
type piece struct {
	came   Update // as it came
	since  time.Time
	said   string // sealed: those before it
	ids    []string
	each   []string // what those say
	isOne  bool     // its reply waits
	rest   bool     // it belongs to what was answered: nothing is said to it
	again  bool     // it is a courtesy behind what was answered: nothing is said to it either
	part   bool     // the one before was a part
	unread bool     // so is the question that stands
}

// Piece says that more may follow within a moment: the reply waits, unless the person is written to by an agent. What the turn did
// is taken back by what follows. Where that turns out to be no part of it, the slots [kept] stay as the turn leaves them.
func (t *Turn) Piece(kept ...string) { t.piece, t.kept = true, kept }

// Part says that the turn is a part of something that may go on at once. What it did stays; only the reply waits, and what is
// said to the next message takes its place.
func (t *Turn) Part() { t.part = true }

// AfterPart says that the update came in one breath with a part: what was said to that cannot be what it answers.
func (t *Turn) AfterPart() bool { return t.afterPart }

// Unread says that the question that stands was never read: it was asked in a reply that the update took back. An answer by the way
// asks it whole.
func (t *Turn) Unread() bool { return t.unread }

// Brief says whether the update is so short that it may be a piece of a sentence.
func (t *Turn) Brief() bool {
	return t.came.Kind == Text && t.choice == "" && isBrief(t.came.Text)
}

func isBrief(text string) bool { return len(strings.Fields(Clean(text))) <= fewWords }

// Earlier are the channel's names for the messages of which the update is the last piece.
func (t *Turn) Earlier() []string { return t.earlier }

// EarlierSaid is what each of them says; none where that is not known.
func (t *Turn) EarlierSaid() []string { return t.earlierSaid }

// Own is what the message itself says, of a sentence of which it is the last piece; else all that is heard.
func (t *Turn) Own() string { return Clean(t.came.Text) }

// goesOn says whether there may be more than one message to what the person does. Who sits at a terminal writes lines; who is with an
// agent, or waits for one, waits for nothing else.
func (e *Engine) goesOn(t *Turn) bool {
	h := t.Conv.Handoff
	return e.options.Open != nil && t.FromPerson() && t.came.Channel != "terminal" && !h.Held() && !h.Waiting()
}

// isPiece says whether the reply to [t], which was heard as [ev], waits.
func (e *Engine) isPiece(t *Turn, ev Event) bool {
	return e.goesOn(t) && (t.piece || t.part || ev == Missed && t.Brief())
}

// isWhole says of an update that the flow knows it for no piece of a sentence.
func (e *Engine) isWhole(t *Turn) bool { return e.options.Whole != nil && e.options.Whole(t) }

// gathered notes what came so far. The reply to a piece waits for more, for as long as the first one's would have.
func (e *Engine) gathered(t *Turn, s *stepped, p piece, heard Update, was Conversation) {
	c := t.Conv
	if !s.said && !p.rest {
		return // a thumb: what waits still does
	}
	c.Pieces = nil
	if !p.isOne {
		e.answered(t, s, p, heard, was)
		return
	}
	t.waits = p.since.Add(PieceWait)
	ids := t.messages(p.ids)
	each := p.each
	if len(ids) > len(p.ids) {
		each = append(slices.Clip(each), t.Own())
	}
	c.Pieces = &Pieces{
		Since: p.since, Last: t.Now, Turn: t.Key(), Said: e.saidSoFar(c.ID, heard, p.said), IDs: ids, Before: was.standing(), Kept: t.kept, Done: t.part,
		Each: e.options.Seal(c.ID, SealedEach, strings.Join(each, eachEnd)), Unread: t.unread || t.part && t.asks,
	}
}

// eachEnd stands between what pieces say.
const eachEnd = "\x1e"

// each is what each of some pieces says, in the order of their messages. An earlier version kept none.
func (e *Engine) each(c *Conversation) []string {
	p := c.Pieces
	said, err := e.options.Open(c.ID, SealedEach, p.Each)
	if each := strings.Split(said, eachEnd); err == nil && len(each) == len(p.IDs) {
		return each
	}
	return nil
}

// saidSoFar is what was heard, sealed, where it was words.
func (e *Engine) saidSoFar(conv string, heard Update, before string) string {
	if heard.Kind != Text {
		return before
	}
	return e.options.Seal(conv, SealedSaid, heard.Text)
}

// messages are the channel's names for these messages and the turn's own, unless it is deleted.
func (t *Turn) messages(before []string) []string {
	all := slices.Clone(before)
	if id := t.came.MessageID; id != "" && !slices.ContainsFunc(t.promises, func(p Promise) bool { return p.Kind() == PromiseDelete }) {
		all = append(all, id)
	}
	return all
}

// reply is the bubble that waits for more pieces, or nil.
func (c *Conversation) reply() *Promise {
	if c.Pieces == nil {
		return nil
	}
	return c.Find(c.Pieces.Turn + "/" + string(PromiseSay))
}

// isGathering says whether more pieces are waited for. Until then nobody has begun to send a reply that waits.
func (c *Conversation) isGathering(now time.Time) bool {
	return c.reply() != nil && now.Before(c.Pieces.Since.Add(PieceWait))
}

// ReplyDue is when the reply that waits for more pieces is due, or zero.
func (c *Conversation) ReplyDue() time.Time {
	if p := c.reply(); p != nil && p.Tries == 0 {
		return p.NotBefore
	}
	return time.Time{}
}

// EndPieces forgets the pieces whose reply was sent, but for when a part came.
func (c *Conversation) EndPieces() {
	switch p := c.Pieces; {
	case p == nil, c.reply() != nil:
	case p.Done:
		c.Pieces = &Pieces{Last: p.Last, Done: true}
	default:
		c.Pieces = nil
	}
}

// inBreath says whether what comes now comes in one breath with a part, of which the reply may have been sent meanwhile.
func (c *Conversation) inBreath(now time.Time) bool {
	return c.Pieces != nil && c.Pieces.Done && now.Before(c.Pieces.Last.Add(PieceWait))
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
	c.Pieces, c.Answered = nil, nil
}

// waitsWithReply are the kinds of promise that wait as the reply does that they were made with.
var waitsWithReply = []PromiseKind{PromiseSay, PromiseUnheard, PromiseLines}

// made says whether a promise was made by the last piece, and waits as its reply does.
func (p *Pieces) made(promise Promise) bool {
	return slices.ContainsFunc(waitsWithReply, func(k PromiseKind) bool { return promise.ID == p.Turn+"/"+string(k) })
}

// takeBack is the conversation as if nothing had been said to the pieces yet: [done] with all that they did, [undone] as if they had
// not come. Their lines stay in the transcript. withdrawn is how many bubbles that takes back.
func (c *Conversation) takeBack() (done, undone Conversation, withdrawn int) {
	done = c.Clone()
	done.Pieces = nil
	done.Promises = slices.DeleteFunc(done.Promises, func(p Promise) bool {
		if !c.Pieces.made(p) || p.Kind() == PromiseLines || p.Kind() == PromiseUnheard && c.Pieces.Done {
			return false
		}
		if p.Kind() == PromiseSay {
			withdrawn++
		}
		return true
	})
	if withdrawn > 0 {
		done.unsay(c.Pieces)
	}
	undone = done.stoodAt(c.Pieces.Before)
	undone.Answered = done.Answered // the bubble before is the newest again
	return done, undone, withdrawn
}

// unsay takes what was said to the last piece out of the transcript, and out of the lines that an agent will read.
func (c *Conversation) unsay(pieces *Pieces) {
	for i, l := range slices.Backward(c.Tail) {
		if l.From == FromBot {
			if l.At.Equal(pieces.Last) {
				c.Tail = slices.Delete(c.Tail, i, i+1)
			}
			break
		}
	}
	kept := c.Find(pieces.Turn + "/" + string(PromiseLines))
	if kept == nil || c.Handoff == nil {
		return
	}
	owed := kept.What.(KeepLines)
	first := owed.Lines[0].Seq
	lines := slices.DeleteFunc(slices.Clone(owed.Lines), func(l Line) bool { return l.From == FromBot && l.At.Equal(pieces.Last) })
	c.Handoff.Lines -= int64(len(owed.Lines) - len(lines))
	for i := range lines {
		lines[i].Seq = first + int64(i)
	}
	owed.Lines = lines
	kept.What, kept.NotBefore = owed, time.Time{}
	if len(lines) == 0 {
		c.Drop(kept.ID)
	}
}

// isDeed says whether the update is something that the person does, rather than what becomes of the chat.
func (u Update) isDeed() bool {
	switch u.Kind {
	case Signal, Desk, Blocked, Unblocked, Undelivered:
		return false
	}
	return true
}

// hearing is one way to hear an update: as what, and of what conversation.
type hearing struct {
	as Update
	in Conversation
}

// gather steps an update that comes while the reply to a piece waits. It is heard as the end of what was said so far, or else
// by itself, or else it is one more piece.
func (e *Engine) gather(ctx context.Context, c Conversation, u Update, env Env) (best stepped, err error) {
	done, undone, withdrawn := c.takeBack()
	best.sense = -1
	ids, each := c.Pieces.IDs, e.each(&c)
	if c.Pieces.Done { // it is the first of something else
		ids, each = nil, nil
	}
	for _, h := range e.hearings(c.Pieces, done, undone, u, env.Now) {
		s, err := e.stepAs(ctx, h.in, h.as, env, &piece{
			came: u, since: c.Pieces.Since, said: c.Pieces.Said, ids: ids, each: each, part: c.Pieces.Done, unread: withdrawn > 0 && c.Pieces.Unread,
		})
		if err != nil {
			return s, err
		}
		if s.sense > best.sense { // of two that were understood as little the first
			best = s
		}
		if s.sense == understood {
			break
		}
	}
	if !best.said { // a thumb: nothing was taken back for it
		return e.step(ctx, c, u, env)
	}
	best.out.Withdrawn += withdrawn
	for _, name := range c.Pieces.Kept { // what the sentence has left as it was before the last piece
		was, is, kept := undone.Slots[name], best.next.Slots[name], done.Slots[name]
		if is == was && kept != "" && (was != "" || !hasDigit(u.Text)) {
			if best.next.Slots == nil {
				best.next.Slots = map[string]string{}
			}
			best.next.Slots[name] = kept
		}
	}
	return best, nil
}

// hearings are what an update may be heard as after those pieces, in order.
func (e *Engine) hearings(p *Pieces, done, undone Conversation, u Update, now time.Time) []hearing {
	alone := hearing{u, done}
	if p.Done {
		return []hearing{alone}
	}
	alone.in = undone.Clone()
	for _, name := range p.Kept {
		if value, is := done.Slots[name]; is {
			if alone.in.Slots == nil {
				alone.in.Slots = map[string]string{}
			}
			alone.in.Slots[name] = value
		}
	}
	said, sentence, ok := e.sentence(undone.ID, p.Said, u)
	if !ok {
		return []hearing{alone}
	}
	together := hearing{sentence, undone}
	switch t := e.listening(&undone, u, now); {
	case isFigures(u.Text) && !hasDigit(said) && t.choice == "" && !t.Place().Is(FreeText): // a part of a number is the end of no words
		return []hearing{alone}
	case e.isWhole(t), len(p.Kept) > 0 && !hasDigit(u.Text): // what is kept waits for digits
		return []hearing{alone, together}
	case t.choice != "" && (hasDigit(u.Text) || hasDigit(said) && isBareAnswer(u.Text)): // "1710" "sí": no number ends so
		return []hearing{alone, together}
	case t.choice != "" && (denials(plain(said)) > 0 || isOpen(said) && isCounted(u.Text)), isArticle(u.Text):
		return []hearing{together} // "no quiero" "queja", "los" "dos": alone it would be something else
	case t.choice != "" && !isCounted(u.Text) && !isBareAnswer(u.Text):
		return []hearing{alone, together}
	}
	return []hearing{together, alone}
}

// isFigures says whether there is nothing in a text but digits, more than an hour or a day has.
func isFigures(text string) bool {
	const fewest = 3
	text = strings.Join(strings.Fields(Clean(text)), "")
	return len(text) >= fewest && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsDigit(r) })
}

// listening is a turn that is asked what it holds, and not stepped.
func (e *Engine) listening(c *Conversation, u Update, now time.Time) *Turn {
	return &Turn{Conv: c, Update: u, came: u, Now: now, engine: e, choice: e.chosen(c, u)}
}

// sentence is the update as the end of what was said, if that was anything.
func (e *Engine) sentence(conv, sealed string, u Update) (said string, whole Update, ok bool) {
	if u.Kind != Text || sealed == "" {
		return "", u, false
	}
	said, err := e.options.Open(conv, SealedSaid, sealed)
	u.Text = said + " " + u.Text
	return said, u, err == nil
}
