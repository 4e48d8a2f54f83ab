package bot

import (
	"context"
	"slices"
	"time"
)

// An answer may be typed twice in one moment, as a button may be tapped twice: "si", "si". The second was not meant for the question
// that the first one brought, which had not been seen yet. It is one act with the first, and nothing is said to it.

// Typed is the typed answer that brought the question that stands.
type Typed struct {
	Said   string   `bson:"said"`             // keyed hash of what it says, but for accents, capitals and marks
	Choice string   `bson:"choice,omitempty"` // the button that it stood for
	Shown  []string `bson:"shown,omitempty"`  // the buttons that it was one of
	Agrees bool     `bson:"agrees,omitempty"` // it was a plain yes
	Prompt int      `bson:"prompt"`           // stamp of the question that it brought
	Turn   string   `bson:"turn"`             // key of the turn
}

// folded names what an update says, but for accents, capitals and marks; "" where there are no words in it.
func (e *Engine) folded(u Update) string {
	const half = 16
	said := plain(u.Text)
	if said == "" {
		return ""
	}
	return Cut(e.options.Hash("folded", u.Media+"\n"+said), half)
}

// askedNow notes when the question that stands came, and the typed answer that brought it.
func (e *Engine) askedNow(t *Turn, before *Conversation, ev Event) {
	c := t.Conv
	if c.Prompt == before.Prompt {
		if t.FromPerson() && ev != Ignored { // something else was said
			c.Typed = nil
		}
		return
	}
	c.AskedAt, c.Typed = t.Now, nil
	if u := t.came; u.Kind == Text && u.Media == "" && ev != Missed && ev != MissedOften && t.choice != "" && e.goesOn(t) {
		c.Typed = &Typed{Said: e.folded(u), Choice: t.choice, Shown: slices.Clone(before.Shown), Agrees: e.agrees(t), Prompt: c.Prompt, Turn: t.Key()}
	}
}

// agrees says whether an update is a plain yes.
func (e *Engine) agrees(t *Turn) bool { return e.options.Agrees != nil && e.options.Agrees(t) }

// isUnseen says whether the question that stands cannot have been read yet: it came a moment ago, or was not sent so far.
func (c *Conversation) isUnseen(now time.Time) bool {
	return !c.AskedAt.IsZero() && now.Before(c.AskedAt.Add(PieceWait)) ||
		c.Typed != nil && c.Typed.Prompt == c.Prompt && c.Find(c.Typed.Turn+"/"+string(PromiseSay)) != nil
}

// Unseen says that the words answer a question which cannot have been read yet. What is pressed was read.
func (t *Turn) Unseen() bool { return t.came.Kind == Text && t.engine.goesOn(t) && t.unseen }

// Again says that the update is an answer that was just typed, once more, or a courtesy that belongs to what was just answered: nothing
// is said to it.
func (t *Turn) Again() bool { return t.again }

// isTypedAgain says whether an update is the answer once more that brought the question that stands.
func (e *Engine) isTypedAgain(c *Conversation, u Update, now time.Time) bool {
	last := c.Typed
	if last == nil || u.Kind != Text || u.Media != "" || last.Prompt != c.Prompt || !c.isUnseen(now) {
		return false
	}
	as := Conversation{ID: c.ID, State: c.State, Lang: c.Lang, Way: c.Way, Shown: last.Shown, Handoff: c.Handoff}
	t := e.listening(&as, u, now)
	switch {
	case !e.goesOn(t), hasDigit(u.Text) && !now.Before(c.AskedAt.Add(PieceWait)): // after that it may begin a number
		return false
	case t.choice != "" && t.choice == last.Choice:
		return true
	case hasDigit(u.Text): // a number is heard
		return false
	}
	said := e.folded(u)
	return said != "" && said == last.Said || last.Agrees && e.agrees(t)
}

// stepAgain steps what nothing is said to.
func (e *Engine) stepAgain(ctx context.Context, c Conversation, u Update, env Env) (stepped, error) {
	return e.stepAs(ctx, c, u, env, &piece{came: u, since: env.Now, again: true})
}
