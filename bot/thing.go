package bot

import "strings"

// What a person can send that is more than words, or none: Update.Media. The catalogue of the first language has a word for
// each ("thing.photo"), which transcripts show; nothing else of it is kept.
const (
	ThingPhoto     = "photo"
	ThingVideo     = "video"
	ThingVoice     = "voice"
	ThingAudio     = "audio"
	ThingDocument  = "document"
	ThingSticker   = "sticker"
	ThingPoll      = "poll"
	ThingDice      = "dice"
	ThingGame      = "game"
	ThingGift      = "gift"
	ThingStory     = "story"
	ThingPaid      = "paid_media" // to be looked at for money
	ThingGiveaway  = "giveaway"
	ThingChecklist = "checklist"
	ThingInvoice   = "invoice"
	ThingOrder     = "order"
	ThingForm      = "form"   // a form that was filled in
	ThingInvite    = "invite" // to a group
	ThingLost      = "lost"   // the channel has the message no more: it says only that there was one
)

// Things are all of them.
var Things = []string{
	ThingPhoto, ThingVideo, ThingVoice, ThingAudio, ThingDocument, ThingSticker, ThingPoll, ThingDice, ThingGame, ThingGift, ThingStory,
	ThingPaid, ThingGiveaway, ThingChecklist, ThingInvoice, ThingOrder, ThingForm, ThingInvite, ThingLost,
}

// Brings fills in a thing of [kind] (Media, Unsupported) and what is written under it. Words under a picture are words: the
// update is a Text then, which bears the thing's name.
func (u *Update) Brings(kind Kind, thing, caption string) {
	u.Kind, u.Media, u.Text = Text, thing, caption
	if u.Blank() {
		u.Kind, u.Text = kind, ""
	}
}

// personLine is what a transcript shows of an update: the words, and of what is more than words the name, in the agents'
// language.
func (e *Engine) personLine(u Update, labels map[string]Label) string {
	switch {
	case u.Kind == Press:
		if l, ok := labels[u.Button]; ok {
			return "[" + l.Title + "]"
		}
		return "[?]"
	case u.Kind == Text && u.Media == "" && !u.Changed:
		return Clean(u.Text)
	}
	var marks []string
	if u.Changed || u.Kind == Edited {
		marks = append(marks, "("+e.thing(string(Edited))+")")
	}
	switch {
	case u.Media != "":
		marks = append(marks, "("+e.thing(u.Media)+")")
	case u.Kind != Text && u.Kind != Edited:
		marks = append(marks, "("+e.thing(string(u.Kind))+")")
	}
	return strings.TrimSpace(strings.Join(append(marks, Clean(u.Text)), " "))
}

// Thing is the word for what the update brings besides words, in the agents' language, or "".
func (t *Turn) Thing() string {
	if t.Update.Media == "" {
		return ""
	}
	return t.engine.thing(t.Update.Media)
}

// thing is the word for what somebody did or sent, in the agents' language.
func (e *Engine) thing(name string) string {
	if word := e.options.Languages[0].Texts["thing."+name].Text; word != "" {
		return word
	}
	return name
}
