package bot

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"
)

// What has a meaning is answered at once, and more words may come all the same: "quiero recuperar la clave", then "que tenía". What
// was answered is not taken back. For a moment it is known what it was, so that the rest is heard with it: where all of it comes to
// just what was answered, it was the end of that; after a "no" it is what is denied; and the same bubble is not said again.

// Answered are words that were answered a moment ago.
type Answered struct {
	Since  time.Time `bson:"since"`          // when the first came
	At     time.Time `bson:"at,omitempty"`   // when they were answered; zero where an earlier version wrote it
	Told   string    `bson:"told"`           // keyed hash of the bubble that it was answered with
	Said   string    `bson:"said,omitempty"` // all of them, sealed; empty where nothing can be their rest
	Long   bool      `bson:"long,omitempty"` // they were more than a few: only what comes to the same answer is their rest
	IDs    []string  `bson:"ids,omitempty"`
	Before Standing  `bson:"before"`
}

// isResting says whether more may come to words that were answered.
func (c *Conversation) isResting(now time.Time) bool {
	return c.Answered != nil && now.Before(c.Answered.at().Add(PieceWait))
}

// at is when they were answered: what waited for more was answered later than it came.
func (a *Answered) at() time.Time {
	if a.At.IsZero() {
		return a.Since
	}
	return a.At
}

// answered notes what was answered, where more words may belong to it.
func (e *Engine) answered(t *Turn, s *stepped, p piece, heard Update, was Conversation) {
	c := t.Conv
	before := c.Answered
	c.Answered = nil
	goesOn := p.rest || s.again
	switch {
	case !goesOn && (s.told == "" || s.missed || t.emptied):
		return
	case s.again && before.Said == "", !p.rest && !e.mayGoOn(t, p, heard), was.Handoff.Open() != c.Handoff.Open(): // all that is known is what was said to them
		c.Answered = &Answered{Since: p.since, At: t.Now, Told: s.told}
		if s.again {
			c.Answered.Since, c.Answered.At = before.Since, before.at()
		}
		return
	}
	now := &Answered{Since: p.since, At: t.Now, Told: s.told, Said: e.saidSoFar(c.ID, heard, p.said), IDs: t.messages(p.ids), Before: was.standing()}
	now.Long = !goesOn && p.said == "" && !isBrief(heard.Text)
	if goesOn {
		now.Told, now.Before, now.Since, now.At, now.Long = before.Told, before.Before, before.Since, before.at(), before.Long
		if _, whole, ok := e.sentence(c.ID, before.Said, heard); ok && p.said == "" { // it was heard by itself
			now.Said, now.IDs = e.options.Seal(c.ID, SealedSaid, whole.Text), t.messages(before.IDs)
		}
	} else {
		maps.DeleteFunc(now.Before.Slots, func(name, _ string) bool { return c.Slots[name] == "" }) // what the turn dropped is not kept
	}
	c.Answered = now
}

// longest is how many bytes are kept at most of words to which more may belong.
const longest = 160

// mayGoOn says whether more words may belong to those that were answered. Nothing is kept of some that hold a number.
func (e *Engine) mayGoOn(t *Turn, p piece, heard Update) bool {
	return !t.hidden && (p.said != "" || len(heard.Text) <= longest) && t.mask(heard.Text) == heard.Text
}

// told names what a turn says: the same for the same bubble.
func (e *Engine) told(t *Turn) string {
	const half = 16 // of a hash, which is enough to tell two bubbles apart
	for _, p := range t.promises {
		if say, ok := p.What.(Say); ok {
			bubble := say.Reply.Text
			for _, b := range say.Reply.Buttons {
				bubble += "\n" + b.ID
			}
			return Cut(e.options.Hash("told", bubble), half)
		}
	}
	return ""
}

// onceOnly takes back a bubble that was said a moment ago to words of which these are more. What the turn did stays; the bubble on the
// screen is the question that stands.
func (e *Engine) onceOnly(t *Turn, s *stepped, was *Conversation) {
	c := t.Conv
	if !was.isResting(t.Now) || s.told == "" || s.told != was.Answered.Told || c.Text != was.Text || e.isWhole(t) {
		return
	}
	t.promises = slices.DeleteFunc(t.promises, func(p Promise) bool { return p.Kind() == PromiseSay })
	c.Prompt, s.again, s.out.Text = was.Prompt, true, ""
}

// gatherRest steps an update that comes a moment after a few words were answered. It counts as a message. Digits, a button, and what is
// said where free text is kept are never the end of something else.
func (e *Engine) gatherRest(ctx context.Context, c Conversation, u Update, env Env) (stepped, error) {
	if u.Kind == Text && isCourteous(u.Text) {
		now := c.Clone()
		if t := e.listening(&now, u, env.Now); t.choice == "" && !e.isWhole(t) && !t.Place().Is(FreeText) {
			return e.meets(ctx, c, u, env)
		}
	}
	if u.Kind != Text || !isBrief(u.Text) || hasDigit(u.Text) || c.Answered.Long && isOpen(u.Text) { // more than that is to follow
		return e.step(ctx, c, u, env)
	}
	said, sentence, ok := e.sentence(c.ID, c.Answered.Said, u)
	if !ok {
		return e.step(ctx, c, u, env)
	}
	now := c.Clone()
	t := e.listening(&now, u, env.Now)
	denied := denials(plain(said)) > 0
	bound := isArticle(u.Text) || isOpen(said) && isCounted(u.Text) || denied && len(strings.Fields(plain(said))) > 1 // alone it would be something else
	switch {
	case t.choice != "" && !bound, e.isWhole(t), t.Place().Is(FreeText):
		return e.step(ctx, c, u, env)
	}
	p := piece{came: u, since: c.Answered.Since, said: c.Answered.Said, ids: c.Answered.IDs}
	as, err := e.stepAs(ctx, c.stoodAt(c.Answered.Before), sentence, env, &p)
	end := err == nil && !as.missed && as.told == c.Answered.Told && c.cameTo(as.next, t.Key()) // one that cannot be stepped is heard by itself
	if end && !(denied && isOpen(said)) {                                                       // unless it has a meaning of its own, and is not what is denied
		if alone, err := e.step(ctx, c, u, env); err == nil && alone.sense == understood {
			return alone, nil
		}
	}
	switch {
	case end, isArticle(u.Text) && !denied && !c.Answered.Long:
		p.rest = true
		s, err := e.stepAs(ctx, c, sentence, env, &p)
		if as.next.Recent != nil {
			s.next.Recent = as.next.Recent
		}
		return s, err
	case (denied || bound) && !c.Answered.Long:
		p.since = env.Now // its own reply is the first that waits
		return e.stepAs(ctx, c, sentence, env, &p)
	}
	return e.step(ctx, c, u, env)
}

// meets steps a courtesy that comes with what was answered: nothing is said to it, and more may come still.
func (e *Engine) meets(ctx context.Context, c Conversation, u Update, env Env) (stepped, error) {
	s, err := e.stepAs(ctx, c, u, env, &piece{came: u, since: env.Now, again: true})
	if err == nil && s.next.Answered != nil {
		met := *s.next.Answered
		met.At = env.Now
		s.next.Answered = &met
	}
	return s, err
}

// Again says that the update is a courtesy that belongs to what was just answered: nothing is said to it.
func (t *Turn) Again() bool { return t.again }

// cameTo says whether a turn of that key left a conversation where this one stands, and owes nothing but words.
func (c *Conversation) cameTo(next Conversation, key string) bool {
	a, b := c.standing(), next.standing()
	return a.State == b.State && slices.Equal(a.Back, b.Back) && a.Text == b.Text && a.Prompt == b.Prompt && slices.Equal(a.Shown, b.Shown) &&
		maps.Equal(a.Slots, b.Slots) && a.Misses == b.Misses && a.Lang == b.Lang && c.Attempt == next.Attempt &&
		!slices.ContainsFunc(next.Promises, func(p Promise) bool {
			return strings.HasPrefix(p.ID, key+"/") && p.Kind() != PromiseSay && p.Kind() != PromiseUnheard
		})
}
