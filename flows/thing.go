package flows

import (
	"context"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"llave/bot"
	"llave/internal/affiliate"
)

// What a person sends that is more than words, or none, and what they change afterwards. Words under a picture never come here
// unless nothing was found in them: they are heard like any others. Files are never fetched, and nothing of them is kept.

// The events.
const (
	SentMedia, SentPhoto, SentLocation, SentContact bot.Event = "SentMedia", "SentPhoto", "SentLocation", "SentContact"
	SentVoice, SentVoiceAgain, SentOther            bot.Event = "SentVoice", "SentVoiceAgain", "SentOther"
	Edited, EditedNumber, EditedUnread              bot.Event = "Edited", "EditedNumber", "EditedUnread"
	Unseen, UnseenBesideWords                       bot.Event = "Unseen", "UnseenBesideWords"
	SentWithWords                                   bot.Event = "SentWithWords"
	LostAtDesk, EditedAtDesk                        bot.Event = "LostAtDesk", "EditedAtDesk"
)

// The slots.
const (
	slotVoice  = "voice"  // the person was told how to dictate
	slotUnseen = "unseen" // when it was last said, to somebody who writes to a person, that a picture cannot be seen: seconds since 1970
)

// thingSaid are the texts for things that have one of their own. Each is an event by its own name, as the texts of answers are.
var thingSaid = map[string]string{
	bot.ThingPoll: "got.poll", bot.ThingDice: "got.dice", bot.ThingGame: "got.dice", bot.ThingGift: "got.gift", bot.ThingStory: "got.story",
	bot.ThingPaid: "got.paid", bot.ThingGiveaway: "got.giveaway", bot.ThingChecklist: "got.checklist", bot.ThingInvoice: "got.order",
	bot.ThingOrder: "got.order", bot.ThingForm: "got.form", bot.ThingInvite: "got.invite", bot.ThingLost: "got.lost",
}

// thingRows are what is answered to a thing, by the way, wherever it is.
func thingRows() []bot.Row {
	on := bot.On
	rows := []bot.Row{
		on(SentMedia, bot.Stay, "media"), on(SentPhoto, bot.Stay, "media"), on(SentLocation, bot.Stay, "location"), on(SentContact, bot.Stay, "contact"),
		on(SentVoice, bot.Stay, "voice.help"), on(SentOther, bot.Stay, "got.other"), on(SentWithWords, bot.Stay, withWords),
		on(Edited, bot.Stay, "edited"), on(EditedNumber, bot.Stay, "edited.number"), on(EditedUnread, bot.Stay, "edited.unread"),
		on(Unseen, bot.Stay, "person.unseen"), on(UnseenBesideWords, bot.Stay, "person.unseen_words"),
		on(LostAtDesk, bot.Stay, "person.lost"), on(EditedAtDesk, bot.Stay, "person.edited"),
	}
	var said []string
	for _, key := range thingSaid {
		said = append(said, key)
	}
	slices.Sort(said)
	for _, key := range slices.Compact(said) {
		rows = append(rows, on(bot.Event(key), bot.Stay, key))
	}
	return rows
}

// hearThing hears what is sent but words, and words that are too many.
func (f *flow) hearThing(t *bot.Turn) bot.Event {
	switch t.Update.Kind {
	case bot.Location:
		if f.findsNearest(t) { // the place's own ear
			return ""
		}
		t.Miss()
		return SentLocation
	case bot.Media, bot.Unsupported, bot.Contact:
		if t.Place().Has(ComplaintThing) && slices.Contains(manyAtOnce, t.Update.Media) {
			return f.notesThing(t)
		}
		return f.thing(t)
	case bot.Edited:
		return f.lateEdit(t)
	case bot.Text:
		if utf8.RuneCountInString(t.Update.Text) > tooLong {
			t.Miss()
			return WroteTooMuch
		}
	}
	return ""
}

// withWords is what is said to a thing beside words in which nothing was found: to write is what they have done.
const withWords = "got.words"

// captioned says whether words came under something.
func captioned(t *bot.Turn) bool { return t.Update.Kind == bot.Text && t.Update.Media != "" }

// noPhotoNeeded says whether a picture is what people take for the answer here: it is said that none is needed.
func noPhotoNeeded(t *bot.Turn) bool {
	return t.Place().Has(SentPhoto) && (t.Update.Media == bot.ThingPhoto || t.Update.Media == bot.ThingDocument)
}

// unseenSaid is said before a question about words that came under something; nothing elsewhere.
func unseenSaid(t *bot.Turn) string { return when(captioned(t), t.Wording("got.unseen")+" ") }

// thing answers a thing, without words or with words in which nothing was found.
func (f *flow) thing(t *bot.Turn) bot.Event {
	u := t.Update
	switch {
	case u.Media == bot.ThingLost: // not the person's fault
		return bot.Event(thingSaid[u.Media])
	case u.Media == bot.ThingVoice:
		return f.voice(t)
	}
	t.Miss()
	switch said := thingSaid[u.Media]; {
	case u.Kind == bot.Contact:
		if u.Phone != "" {
			f.keeps(t, slotPhone, u.Phone)
		}
		return SentContact
	case said != "":
		return bot.Event(said)
	case captioned(t) && !noPhotoNeeded(t):
		return SentWithWords
	case u.Media == bot.ThingPhoto, u.Media == bot.ThingDocument:
		return SentPhoto
	case u.Media == "":
		return SentOther
	}
	return SentMedia
}

// notesThing notes in a complaint that a picture came, which can be neither seen nor kept.
func (f *flow) notesThing(t *bot.Turn) bot.Event {
	t.Say("thing", t.Wording("thing."+t.Update.Media))
	t.Part()
	unread := t.Slot(slotUnread)
	if !f.gather(t) {
		return ComplaintFull
	}
	if unread == "" { // it is told itself
		t.Forget(slotUnread)
	}
	return ComplaintThing
}

// voice meets a voice message with help: the first time how to dictate, then with a person.
func (f *flow) voice(t *bot.Turn) bot.Event {
	if t.Slot(slotVoice) != "" {
		return SentVoiceAgain
	}
	t.Remember(slotVoice, "1")
	return SentVoice
}

// firstThing is what a first word is answered with that is no word, or came under something and was not understood. Who this is is
// said in any case.
func (f *flow) firstThing(t *bot.Turn) bot.Event {
	switch t.Update.Media {
	case bot.ThingVoice:
		return f.voice(t)
	case bot.ThingLost:
		return f.answersFirst(t, bot.Event(thingSaid[bot.ThingLost]))
	}
	if captioned(t) {
		return f.answersFirst(t, withWords)
	}
	return Greeted
}

// rereads hears an edit of a message whose question still stands as what the message says now. Where a number is read back,
// another one is heard too: a number is corrected so. So is what was said first, while the welcome stands; and a part of the
// complaint that is being written.
func (f *flow) rereads(t *bot.Turn) {
	was, place := t.Before(), t.Place()
	if t.Update.Kind != bot.Edited || t.Update.Blank() || place.Is(AtDesk) {
		return
	}
	if place.Is(bot.FreeText) && f.partOf(t) >= 0 {
		t.Reread()
		return
	}
	if was != nil && place.Is(AsksNumber) && t.PlaceOf(was.State).Is(AsksNumber) && f.putsNumber(t) { // it is what is asked for still, though in other words
		f.dropPart(t)
		t.Reread()
		return
	}
	if was == nil || !was.Stands(t.Conv) {
		return
	}
	first := place.Is(BeforeTerms) && t.PlaceOf(was.State).Is(FirstWord)
	number := place.Is(ReadsBack) && t.PlaceOf(was.State).Is(AsksNumber) && f.reading(t).Number != ""
	if was.State != t.Conv.State && !number && !first {
		return
	}
	f.dropPart(t) // it was a part of what the message said before
	t.Reread()
}

// putsNumber says whether a message holds a number or a code, or what was meant to be one.
func (f *flow) putsNumber(t *bot.Turn) bool {
	r := f.reading(t)
	return r.Number != "" || r.Digits >= 8 || f.isCode(t)
}

// lateEdit answers an edit of a message whose question was answered, or that the channel does not tell. It is not heard: what
// was done for the message stays done. A number or a key is deleted all the same.
func (f *flow) lateEdit(t *bot.Turn) bot.Event {
	if t.Update.Blank() {
		return EditedUnread
	}
	switch r := f.reading(t); {
	case r.Verdict == affiliate.SecretGiven:
		f.erase(t)
		t.Hide()
		return WroteSecret
	case f.partOf(t) >= 0:
		if f.gather(t) {
			return ComplaintMended
		}
	case f.putsNumber(t):
		f.erase(t)
		if r.Code != "" {
			t.Hide()
		}
		erased := ""
		if f.Erasing(t.Update.Channel) == Deleted {
			erased = t.Wording("edited.erased")
		}
		t.Say("erased", erased)
		return EditedNumber
	}
	return Edited
}

// burst is within what time things that were sent to a person are told of once.
const burst = time.Minute

// plainThings are read by an agent as well as by anybody.
var plainThings = []string{bot.ThingSticker, bot.ThingDice, bot.ThingGame}

// unseen says what the person who writes to an agent must hear at once: that what they sent cannot be seen, or has not come. ""
// when there is nothing to say, or it was said a moment ago.
func (f *flow) unseen(t *bot.Turn) bot.Event {
	u := t.Update
	said := Unseen
	switch {
	case u.Kind == bot.Edited && u.Blank():
		said = EditedAtDesk
	case u.Media == bot.ThingLost:
		said = LostAtDesk
	case u.Kind == bot.Edited, u.Kind == bot.Start, u.Kind == bot.Press, slices.Contains(plainThings, u.Media), u.Kind == bot.Text && u.Media == "":
		return ""
	}
	if said != Unseen {
		return said
	}
	if told := number(t, slotUnseen); t.Now.Sub(time.Unix(int64(told), 0)) < burst {
		return ""
	}
	t.Remember(slotUnseen, strconv.FormatInt(t.Now.Unix(), 10))
	if !u.Blank() {
		return UnseenBesideWords
	}
	return said
}

// saysTheSame says whether an edit says nothing new. Where words are kept as they are written, every change counts; of the first word
// what it wishes does.
func (f *flow) saysTheSame(ctx context.Context, t *bot.Turn) bool {
	was := t.Before()
	if was == nil || t.Place().Is(bot.FreeText, AtDesk) || t.PlaceOf(was.State).Is(bot.FreeText, AtDesk) || f.partOf(t) >= 0 {
		return false
	}
	return t.SameWords() || !t.Place().Is(BeforeTerms) && !t.PlaceOf(was.State).Is(BeforeTerms, FirstWord) && t.SameMeaning(ctx)
}
