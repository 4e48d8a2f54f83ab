package flows

import (
	"context"
	"slices"

	"llave/bot"
	"llave/flows/understand"
	"llave/internal/affiliate"
)

// What is not the answer to the question that stands, nor a word that holds everywhere, is read for its meaning
// (understand.toml). What is understood for sure is done or answered; what may be one of two things is asked; what cannot
// be taken back is only done when it is all that was said. Questions about the procedure are answered by the way, from
// its sheet, and the conversation is where it was.

// The events of meaning.
const (
	AskedCost, AskedHours, AskedDocuments   bot.Event = "AskedCost", "AskedHours", "AskedDocuments"
	AskedLaw, AskedReach, AskedWhatKey      bot.Event = "AskedLaw", "AskedReach", "AskedWhatKey"
	AskedTrust, AskedAboutMail, SaidGoodbye bot.Event = "AskedTrust", "AskedAboutMail", "SaidGoodbye"
	Insulted, Unclear, NotMeant             bot.Event = "Insulted", "Unclear", "NotMeant"
	ForAnother, HelpsAnother                bot.Event = "ForAnother", "HelpsAnother"
	ForMinor, ForDeceased                   bot.Event = "ForMinor", "ForDeceased"
	CorrectedKey, NothingToCorrect          bot.Event = "CorrectedKey", "NothingToCorrect"
	CorrectedPlace, NothingToUndo           bot.Event = "CorrectedPlace", "NothingToUndo"
)

// answers are the intents that are answered by the way.
var answers = map[string]bot.Event{
	"cost": AskedCost, "hours": AskedHours, "documents": AskedDocuments, "law": AskedLaw, "contact": AskedReach, "what_key": AskedWhatKey,
	"trust": AskedTrust, "thanks": SaidThanks, "goodbye": SaidGoodbye, "insult": Insulted, "repeat": AskedRepeat,
	"help": AskedHelp, "status": AskedStatus,
}

// firsts are the intents of somebody who has not agreed to go on that are kept until they have.
var firsts = []string{"unlock", "generate", "in_person", "agent", "complaint", "my_data", "another", "minor", "deceased"}

// orAsk puts the question "¿quiso decir …?" behind every ear that a person's words reach.
func (f *flow) orAsk(places []bot.Place) []bot.Place {
	for i, p := range places {
		if p.State == bot.Any || p.Is(FirstWord, bot.FreeText, InGroup) {
			continue
		}
		places[i].Hear = func(ctx context.Context, t *bot.Turn) (bot.Event, error) {
			if ev, err := p.Hear(ctx, t); err != nil || ev != "" {
				return ev, err
			}
			return f.askMeant(t), nil
		}
	}
	return places
}

// read is what the person's words mean where they stand. Nothing is read into a button, a key or a number alone, nor where
// nobody has written down what people say in the language.
func (f *flow) read(t *bot.Turn) understand.Meaning {
	spoken := f.spoken[t.Language()]
	if spoken == nil || t.Update.Kind != bot.Text || t.Choice() != "" && !f.guessed(t) {
		return understand.Meaning{}
	}
	if r := affiliate.ParseNumber(t.Text(), f.parsing(t)); r.Verdict == affiliate.SecretGiven ||
		t.Place().Is(AsksNumber) && (r.Verdict == affiliate.Forgotten || r.Verdict == affiliate.WantsForeign) {
		return understand.Meaning{}
	}
	var expected []string
	switch p := t.Place(); {
	case p.Is(LinkLives, LinkOver):
		expected = []string{"not_arrived", "no_mailbox"}
	case p.Is(FirstLink):
		expected = []string{"no_mailbox"}
	}
	return spoken.Read(t.Text(), expected...)
}

// hearMeaning does or answers what was understood for sure. A number that comes with a wish is read at once.
func (f *flow) hearMeaning(t *bot.Turn) bot.Event {
	m := f.read(t)
	switch {
	case f.givesNumber(t):
		return f.numberAndWish(t, m)
	case t.Choice() != "" && (m.Outcome == understand.Nothing || m.Intents[0] == choices[t.Choice()]):
		return ""
	case m.Outcome == understand.Unsure && t.Choice() != "":
		t.Choose("") // the question is asked by the state's own ear
		return ""
	case m.Outcome == understand.Sure:
		return f.does(t, m.Intents[0])
	case hearsWishes(t.Place()):
		return f.wish(t, t.Meant(wishes...))
	}
	return ""
}

// choices are the buttons that do what cannot be taken back, each with the intent that says the same.
var choices = map[string]string{"send": "send", "resend": "send", "yes": "yes", "erase": "erase", "erase_yes": "yes", "restart": ""}

// guessed says that such a button was heard inside a longer message, which may be about something else.
func (f *flow) guessed(t *bot.Turn) bool {
	_, careful := choices[t.Choice()]
	return careful && t.Update.Kind == bot.Text && t.Says(t.Choice()) == ""
}

// givesNumber says that the message holds a number, or what was meant to be one.
func (f *flow) givesNumber(t *bot.Turn) bool {
	if t.Update.Kind != bot.Text {
		return false
	}
	r := affiliate.ParseNumber(t.Text(), f.parsing(t))
	return r.Number != "" || r.Digits >= 8
}

// numberAndWish hears "soy 171 003 4065 y quiero desbloquear": the wish is kept and the number is read. Where a number
// is asked for, or one alone means something, the state's own ear reads it.
func (f *flow) numberAndWish(t *bot.Turn, m understand.Meaning) bot.Event {
	w := t.Meant("unlock", "generate")
	if m.Is("unlock", "generate") {
		w = m.Intents[0]
	}
	if w == "" && m.Is("another") {
		w = want(t)
	}
	place := t.Place()
	if w == "" || place.Is(BeforeTerms) {
		return ""
	}
	if !place.Is(AsksNumber, ReadsBack) {
		f.dropNumber(t)
	}
	t.Remember(slotWant, w)
	return f.readNumber(t)
}

// hearsWishes says whether what people come for is heard in a place beside the answer to its question.
func hearsWishes(p bot.Place) bool { return !p.Is(FirstWord, BeforeTerms, bot.FreeText, InGroup) }

// does is the event of an intent that was meant, by words that leave no doubt or by the button that was offered.
func (f *flow) does(t *bot.Turn, intent string) bot.Event {
	if ev, ok := answers[intent]; ok {
		return ev
	}
	switch intent {
	case "hello":
		if cameBack(t) {
			return ""
		}
		return SaidHello
	case "slowly":
		t.Pace(slow)
		return AskedSlow
	case "yes":
		t.Choose(t.Shows(t.Wording("said.yes")))
		return ""
	case "no":
		t.Choose(t.Shows(t.Wording("said.no")))
		return ""
	case "language":
		return AskedLanguage
	}
	if t.Place().Is(BeforeTerms) {
		return f.keepsFirst(t, intent)
	}
	return f.doesWish(t, intent)
}

// doesWish is the event of what is only done for somebody who has agreed to go on.
func (f *flow) doesWish(t *bot.Turn, intent string) bot.Event {
	place := t.Place()
	switch intent {
	case "erase":
		return AskedErase // which asks whether to
	case "menu":
		return AskedMenu
	case "back":
		return f.goesBack(t)
	case "cancel":
		f.dropNumber(t)
		return Cancelled
	case "correct":
		return f.corrects(t)
	case "how_mail":
		if place.Has(AskedMailHelp) {
			return AskedMailHelp
		}
		return AskedAboutMail
	case "not_arrived":
		if place.Has(NotArrived) {
			return NotArrived
		}
		return AskedAboutMail
	case "no_mailbox":
		return NoMailbox
	case "send":
		t.Choose(sending(place))
		return ""
	}
	return f.wish(t, intent)
}

// sending is the button that has a link sent in a place, or "".
func sending(p bot.Place) string {
	switch {
	case p.Is(FirstLink):
		return "send"
	case p.Is(LinkLives, LinkOver):
		return "resend"
	}
	return ""
}

// keepsFirst hears somebody who has not agreed to go on yet.
func (f *flow) keepsFirst(t *bot.Turn, intent string) bot.Event {
	switch {
	case intent == "agent":
		return AskedPerson
	case slices.Contains(firsts, intent):
		t.Remember(slotWish, intent)
		return Greeted
	case intent == "cancel":
		t.Empty()
		return Declined
	}
	return ""
}

// forAnother hears that somebody writes for another: nobody is refused, nor asked to pretend.
func (f *flow) forAnother(t *bot.Turn) bot.Event {
	if t.Slot(slotRecord) != "" || t.Place().Is(AsksNumber) {
		return HelpsAnother
	}
	f.dropNumber(t)
	return ForAnother
}

// corrects leads to the entry in question: the number, the place that was looked for, or what is entered elsewhere.
func (f *flow) corrects(t *bot.Turn) bot.Event {
	switch p := t.Place(); {
	case p.Has(CorrectedPlace) && (t.Conv.Text == "in_person.offices" || t.Conv.Text == "in_person.no_office"):
		return CorrectedPlace
	case p.Is(InKey):
		return CorrectedKey
	case p.Is(AsksNumber, NeedsNumber), p.Has(CorrectedPlace) && f.wasAsked(t):
		f.dropNumber(t)
		return Corrected
	case p.Is(bot.FreeText):
		return AskedRepeat
	}
	return NothingToCorrect
}

// wasAsked says whether the number was asked for on the way here.
func (f *flow) wasAsked(t *bot.Turn) bool {
	return slices.ContainsFunc(t.Conv.Back, func(s bot.State) bool { return t.PlaceOf(s).Is(AsksNumber) })
}

// goesBack undoes one step, up to what was already done: a link that was used is not waited for again, a key that was
// made is not made again.
func (f *flow) goesBack(t *bot.Turn) bot.Event {
	if t.Conv.Text == "key.made" {
		return NothingToUndo
	}
	if back := t.Conv.Back; t.Place().Is(InKey) && len(back) > 0 && t.PlaceOf(back[len(back)-1]).Is(NeedsNumber) {
		return NothingToUndo
	}
	return WentBack
}

// offers are the labels of what a person may be asked to choose from. What was typed and cannot be offered is not in it.
var offers = []string{"unlock", "generate", "in_person", "agent", "complaint", "my_data", "menu", "back", "repeat", "slow", "language",
	"not_arrived", "no_mailbox", "correct_it", "cost", "hours", "documents", "law", "contact_us", "what_key", "trust", "for_other", "minor",
	"deceased", "erase", "cancel_it", "help_me", "where", "send", "resend", "how_mail"}

// offerOf is the label that stands for an intent, or "".
func offerOf(intent string, p bot.Place) string {
	label := intent
	switch intent {
	case "send":
		label = sending(p)
	case "slowly":
		label = "slow"
	case "contact":
		label = "contact_us"
	case "correct":
		label = "correct_it"
	case "cancel":
		label = "cancel_it"
	case "help":
		label = "help_me"
	case "status":
		label = "where"
	case "another":
		label = "for_other"
	}
	if !slices.Contains(offers, label) {
		return ""
	}
	return label
}

// askMeant asks which of two things was meant.
func (f *flow) askMeant(t *bot.Turn) bot.Event {
	m := f.read(t)
	if m.Outcome != understand.Unsure || f.givesNumber(t) {
		return ""
	}
	var labels []string
	place := t.Place()
	for _, intent := range m.Intents {
		if l := offerOf(intent, place); l != "" && len(labels) < 2 && (!place.Is(BeforeTerms) || answers[intent] != "" || slices.Contains(firsts, intent)) {
			labels = append(labels, l)
		}
	}
	if len(labels) == 0 {
		return ""
	}
	guess := t.Title(labels[0])
	if len(labels) > 1 {
		guess += t.Wording("meant.or") + t.Title(labels[1])
	}
	t.Say("guess", guess)
	t.Offer(append(labels, "none")...)
	t.Miss()
	return Unclear
}

// hearMeant hears the answer to that question.
func (f *flow) hearMeant(t *bot.Turn) bot.Event {
	choice := t.Choice()
	if t.Conv.Text != "meant.ask" || choice == "" {
		return ""
	}
	switch choice {
	case "none":
		return NotMeant
	case "send", "resend": // the state's own ear sends
		return ""
	}
	for _, intent := range f.spoken[spanish].Intents() {
		if offerOf(intent, t.Place()) == choice {
			return f.does(t, intent)
		}
	}
	return ""
}
