package bot

import (
	"time"
)

// A button that was pressed has done its work (P120). Pressed again at once it does nothing, wherever that is; and where the
// channel can change what it has sent, the keyboard is taken off the bubble and the choice written into it.

const (
	// doubleTap is for how long a second press of the button that was just answered is the same tap. A person whose screen
	// shows nothing new yet taps again.
	doubleTap = 10 * time.Second
	// doubleTapStands is the same where the button's question still stands. There it may well be pressed again on purpose:
	// "Repetir" is.
	doubleTapStands = 2 * time.Second
	// SpendFor is for how long a keyboard is worth taking off: who presses an old button later is told so (StaleButton).
	SpendFor = time.Minute
)

// Tap is the button that was answered last.
type Tap struct {
	Prompt int       `bson:"prompt"`
	Button string    `bson:"button"`
	At     time.Time `bson:"at"`
}

// isTwice says whether a press is the second tap of the one that was answered last.
func (c *Conversation) isTwice(u Update, now time.Time) bool {
	last := c.Tapped
	if u.Kind != Press || last == nil || last.Prompt != u.Prompt || last.Button != u.Button {
		return false
	}
	within := doubleTap
	if u.Prompt == c.Prompt {
		within = doubleTapStands
	}
	return now.Sub(last.At) < within
}

// tap remembers the press that the turn has answered, and forgets the last one when something else was answered.
func (e *Engine) tap(t *Turn, ev Event) {
	switch {
	case !t.FromPerson() || ev == Ignored:
	case t.Update.Kind == Press:
		t.Conv.Tapped = &Tap{t.Update.Prompt, t.Update.Button, t.Now}
	default:
		t.Conv.Tapped = nil
	}
}

// Bubble is the bubble of ours under which a button was pressed, as a channel tells of it that can change it.
type Bubble struct {
	ID     string   // the channel's name for it
	Text   string   // what it says; empty where that must not be written again: it is protected, or stands under an image
	Links  []Button // its buttons that open a page, and those
	Copies []Copy   // that copy something: they send nothing
}

// Asked is the newest bubble with the keyboard of a question, as the channel that sent it calls it. It is written with what became of
// the sending, which is written anyway.
type Asked struct {
	Bubble string   `bson:"bubble"`
	Prompt int      `bson:"prompt"`
	Links  []Button `bson:"links,omitempty"`  // see Bubble
	Copies []Copy   `bson:"copies,omitempty"` // too
}

// AskedIn is what is noted of a reply that was sent as a bubble of that name; nil where it has no keyboard to take off.
func (r Reply) AskedIn(bubble string) *Asked {
	asked := Asked{Bubble: bubble, Prompt: r.Prompt, Copies: r.Copies}
	for _, b := range r.Buttons {
		if b.URL != "" {
			asked.Links = append(asked.Links, b)
		}
	}
	if bubble == "" || len(asked.Links) == len(r.Buttons) {
		return nil
	}
	return &asked
}

// Sent notes the bubble of the question that stands. One that was answered meanwhile is left as it is.
func (c *Conversation) Sent(asked *Asked) {
	if asked != nil && asked.Prompt == c.Prompt {
		c.Asked = asked
	}
}

// Spend takes the keyboard off a bubble of ours. Where it has a text the bubble says that from then on: a press brings what the bubble
// says. Of a question that was answered by typing only the keyboard goes; the answer stands below it.
type Spend struct {
	Bubble string   `bson:"bubble,omitempty"`
	Text   string   `bson:"body,omitempty"`
	Links  []Button `bson:"links,omitempty"`  // buttons that stay
	Copies []Copy   `bson:"copies,omitempty"` // too
}

func (Spend) Kind() PromiseKind { return PromiseSpend } // Kind is PromiseSpend.
func (Spend) Lane() Lane        { return LaneEdit }     // Lane is that of edits.
func (Spend) Told() bool        { return false }        // Told is false: nobody waits for it.

// spend owes the taking off of the keyboard of the question that the turn has answered, unless that still stands.
//
// The text has come with the press and goes back with the choice under it. It is kept until then as the transcript keeps it:
// not at all where it could hold a number. One that was filled in is protected, and the channel says so; the mask is asked
// in case it was not. Nor is it kept where the turn was asked to forget everything.
func (e *Engine) spend(t *Turn, before *Conversation, ev Event) {
	u, asked := t.Update, before.Asked
	if ev == Ignored || ev == Missed || ev == MissedOften || t.Conv.Prompt == before.Prompt || !t.FromPerson() {
		return
	}
	t.Conv.Asked = nil
	if u.Kind != Press && asked != nil && asked.Prompt == before.Prompt {
		t.Promise(Promise{What: Spend{Bubble: asked.Bubble, Links: asked.Links, Copies: asked.Copies}, Until: t.Now.Add(SpendFor)})
	}
	answered := u.Kind == Press && u.Button != "" && t.choice == u.Button
	if u.Bubble == nil || u.Bubble.ID == "" || !answered {
		return
	}
	what := Spend{Bubble: u.Bubble.ID, Links: u.Bubble.Links, Copies: u.Bubble.Copies}
	title := e.tongue(before).Labels[u.Button].Title // as the bubble has it: the press may have chosen another language
	if text := u.Bubble.Text; text != "" && title != "" && !t.emptied && e.options.Mask(text) == text && !e.fillsSecret(before) {
		what.Text = text + "\n\n✓ " + title
	}
	t.Promise(Promise{What: what, Until: t.Now.Add(SpendFor)})
}

// fillsSecret says whether what may only be opened to be sent is filled into the question that stands: its bubble is not written anew,
// whatever the channel tells of it.
func (e *Engine) fillsSecret(c *Conversation) bool {
	for _, name := range placeholder.FindAllString(e.question(c, c.Text).Text, -1) {
		if e.options.Secrets[name[1:len(name)-1]] != nil {
			return true
		}
	}
	return false
}
