package flows

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"llave/bot"
	"llave/flows/meaning"
	"llave/internal/affiliate"
)

// What is not the answer to the question that stands, nor a word that holds everywhere, is read for its meaning by a model
// that was learned from examples (flows/meaning). What is sure enough is answered (answers.toml); what may be one of some
// things is asked; what cannot be taken back is done only when it is all but certain, or by a button.

// The events of meaning. Texts that are said by the way are events of their own, see answers.rows.
const (
	SaidGoodbye, Insulted, Unclear, NotMeant bot.Event = "SaidGoodbye", "Insulted", "Unclear", "NotMeant"
	NotMeantOnce, Reworded, LowVision        bot.Event = "NotMeantOnce", "Reworded", "LowVision"
	ForAnother, HelpsAnother                 bot.Event = "ForAnother", "HelpsAnother"
	ForMinor, ForDeceased                    bot.Event = "ForMinor", "ForDeceased"
	CorrectedKey, NothingToCorrect           bot.Event = "CorrectedKey", "NothingToCorrect"
	CorrectedPlace, NothingToUndo            bot.Event = "CorrectedPlace", "NothingToUndo"
	Abroad, CannotGo, Stolen, NotMe          bot.Event = "Abroad", "CannotGo", "Stolen", "NotMe"
	Emergency, EmergencyOrWords, SaidKeyMade bot.Event = "Emergency", "EmergencyOrWords", "SaidKeyMade"
	AskedTimeLeft, WaitsWithLink             bot.Event = "AskedTimeLeft", "WaitsWithLink"
	DeadWhileNewLives, LinkDead, SaidNo      bot.Event = "DeadWhileNewLives", "LinkDead", "SaidNo"
	AnsweredFirst                            bot.Event = "AnsweredFirst"
	AskedPageLeft, PageOver                  bot.Event = "AskedPageLeft", "PageOver"
	StatusOfLink, StatusOfNothing            bot.Event = "StatusOfLink", "StatusOfNothing"
	ReadNotice                               bot.Event = "ReadNotice"
)

// From which confidence on something is done. They were chosen on writers who were held out: docs/meanings.md shows what
// comes of them.
const (
	surely  = 0.65 // answered
	certain = 0.99 // done though it cannot be taken back,
	brief   = 8    // and only when so many words were said, or fewer
	grave   = 0.90 // answered though a procedure ends with it, or a condolence that would be out of place
	unclear = 0.25 // asked; below it the sentence was not understood
	slight  = 0.10 // offered beside a likelier one
	offered = 3    // at most

	alarming = 0.85 // 911 is named, wherever it is
)

// guess is an answer that may be wanted: the confidences of all meanings that have it in this place, and the likeliest of them.
type guess struct {
	meaning    string
	answer     string
	confidence float64
}

// orAsk puts the question "¿quiso decir …?" behind every ear that a person's words reach.
func (f *flow) orAsk(places []bot.Place) []bot.Place {
	for i, p := range places {
		if p.State == bot.Any || p.Is(FirstWord, InGroup) {
			continue
		}
		places[i].Hear = func(ctx context.Context, t *bot.Turn) (bot.Event, error) {
			ev, err := p.Hear(ctx, t)
			switch {
			case err != nil || ev != "":
				return ev, err
			case captioned(t) && (p.Is(bot.FreeText) || noPhotoNeeded(t)):
				return f.thing(t), nil
			case p.Is(bot.FreeText):
				return "", nil
			case f.addsToComplaint(t):
				return ComplaintAdded, nil
			}
			guesses := f.readSaid(t)
			f.keepUnheard(t, guesses)
			if ev := f.askMeant(t, guesses); ev != "" || !captioned(t) {
				return ev, nil
			}
			return f.thing(t), nil
		}
	}
	return places
}

// readAs are the places that the examples know by another name.
var readAs = map[string]string{"stuck": "step", "portal": "tried"}

// read is what the person's words may be answered with where they stand, the likeliest first. Nothing is read into a
// button, a key or a number alone, nor in a language that the model was not taught.
func (f *flow) read(t *bot.Turn) []guess {
	if t.Choice() != "" {
		return nil
	}
	return f.readSaid(t)
}

// readSaid is read of the words alone, also where an answer was found in them that the place has no use for.
func (f *flow) readSaid(t *bot.Turn) []guess {
	if t.Update.Kind != bot.Text || !slices.Contains(taught, t.Language()) ||
		f.reading(t).Verdict == affiliate.SecretGiven {
		return nil
	}
	guesses := f.answers.read(f.model, t.Text(), t.Place())
	if met := greeted.FindStringSubmatch(bot.Fold(t.Text())); met != nil && len(guesses) > 0 && guesses[0].confidence < surely { // the greeting outweighs what is said after it
		words := strings.Fields(t.Text())
		rest := f.answers.read(f.model, strings.Join(words[len(strings.Fields(met[1])):], " "), t.Place())
		if len(rest) > 0 && begins(rest[0].answer) && f.answers.sure(rest[0], t.Text()) {
			guesses = rest
		}
	}
	if len(guesses) > 0 {
		t.Guessed(guesses[0].confidence)
	}
	return guesses
}

// greeted finds a greeting before two words or more.
var greeted = regexp.MustCompile(`^((?:(?:hola|ola|buen[oa]s?|buen|dias?|tardes?|noches?|saludos|estimad[oa]s?|senor(?:a|ita|es)?|disculpe|hello|hi|hey|good|morning|afternoon|evening|day)[,.!;]*\s+)+)\S+\s+\S`)

// read is what [said] may be answered with in a place.
func (all answers) read(m *meaning.Model, said string, p bot.Place) (guesses []guess) {
	state := p.Name
	if as, ok := readAs[state]; ok {
		state = as
	}
	for _, may := range m.Read(said, state) {
		answer := all[may.Meaning].in(p)
		i := slices.IndexFunc(guesses, func(g guess) bool { return g.answer == answer })
		if topic, _, _ := strings.Cut(answer, "."); i < 0 || topic == "next" { // many meanings have it where they say little: together they are not likelier
			guesses = append(guesses, guess{may.Meaning, answer, may.Confidence})
			continue
		}
		guesses[i].confidence += may.Confidence
	}
	if plain := plainly(said, p); plain != "" && all[plain].in(p) != "" {
		answer := all[plain].in(p)
		guesses = slices.DeleteFunc(guesses, func(g guess) bool { return g.answer == answer })
		guesses = append(guesses, guess{plain, answer, 1})
	}
	slices.SortStableFunc(guesses, func(a, b guess) int { return cmp.Compare(b.confidence, a.confidence) })
	return guesses
}

// denied finds what puts a sentence in doubt that would send something: a denial, a delay, a question.
var denied = regexp.MustCompile(`[?¿]|\b(no|ni|nunca|todavia|aun|espere|esperese|esperame|luego|despues|not|dont|don't|yet|wait|later|should|shall|can i|do i)\b`)

// unwanted finds that somebody does not want what they name: "no quiero poner una queja".
var unwanted = regexp.MustCompile(`\b(no|ya no|nunca|tampoco) (la |lo |me |le )?(quiero|queria|quisiera|deseo|necesito|pido|pienso|voy a)\b|\b(do not|dont|don't|didnt|didn't|no longer) (want|need|wish)\b`)

// sure says whether a guess is answered without asking.
func (all answers) sure(g guess, said string) bool {
	if begins(g.answer) && unwanted.MatchString(bot.Fold(said)) {
		return false
	}
	if weighty(g.answer) && g.confidence < grave {
		return false
	}
	switch all[g.meaning].careful {
	case carefulButton:
		return false
	case carefulSure:
		if !acting(g.answer) {
			return g.confidence >= surely
		}
		return g.confidence >= certain && len(strings.Fields(said)) <= brief && !denied.MatchString(bot.Fold(said))
	}
	return g.confidence >= surely
}

// weighty says whether an answer ends a procedure, or is a condolence.
func weighty(answer string) bool { return answer == string(Entered) || answer == "deceased" }

// begins says whether an answer begins or ends something that a person has to want.
func begins(answer string) bool {
	return slices.Contains([]string{"unlock", "generate", "office", "complaint", "own_data", "AskedPerson", "cancel", "another"}, answer)
}

// acting says whether an answer has consequences that only a careful meaning has.
func acting(answer string) bool {
	return slices.Contains([]string{"send", "resend", "yes", string(Entered), string(WentOn)}, answer)
}

// hearMeaning answers what was understood. A number that comes with a wish is read at once.
func (f *flow) hearMeaning(t *bot.Turn) bot.Event {
	switch {
	case f.digitsWhereLinkLives(t):
		return f.partOfOther(t)
	case f.givesNumber(t):
		if ev := f.numberAndWish(t); ev != "" {
			return ev
		}
		if ev := f.numberElsewhere(t); ev != "" || f.triesNumber(t) || t.Place().Is(AsksNumber, ReadsBack) {
			return ev
		}
	case f.isCode(t):
		return f.numberElsewhere(t) // "": the place's ear reads it
	case f.givesPart(t):
		if ev := f.partElsewhere(t); ev != "" || t.Place().Is(BeforeTerms, AsksNumber, ReadsBack) {
			return ev
		}
	case t.Place().Is(AsksNumber) && f.reading(t).Verdict != affiliate.NoNumber, f.besidePart(t):
		return "" // the place's ear reads it
	case t.Place().Has(Rated) && t.Choice() == "":
		if label := within(t); label != "" {
			t.Choose(label)
			return ""
		}
	case t.Place().Has(FoundOffices) && f.namesTown(t):
		return "" // a city that is called as something else is
	}
	if t.Place().Is(LinkLives) && t.Choice() == "" && t.Says("word_done") != "" {
		return "sent.pressed" // done with what? Nothing is sent for it
	}
	ev, _ := f.understands(t)
	return ev
}

// understands answers what the words were most likely to mean; not ok where that is not sure enough.
func (f *flow) understands(t *bot.Turn) (ev bot.Event, ok bool) {
	guesses := f.read(t)
	if len(guesses) == 0 || !f.answers.sure(guesses[0], t.Text()) {
		return "", false
	}
	if f.watch != nil {
		f.watch(guesses[0])
	}
	t.Forget(slotOpenly)
	if g := guesses[0]; g.meaning == "yes" && slices.Contains([]string{"send", "resend"}, g.answer) && !slices.Contains(t.Conv.Shown, g.answer) { // the yes is to another question
		return f.answer(t, "yes"), true
	}
	mayBeHalf(t, guesses[0])
	return f.answer(t, guesses[0].answer), true
}

// answer is the event of an answer of the table.
func (f *flow) answer(t *bot.Turn, answer string) bot.Event {
	if do := acts[answer]; do != nil {
		return do(f, t)
	}
	return bot.Event(answer)
}

// within is the button whose words stand in a longer message, the longest of them, unless a "no" stands before: "me pareció
// muy bien".
func within(t *bot.Turn) string {
	if strings.ContainsAny(t.Text(), "?¿") {
		return ""
	}
	words := strings.Fields(bot.Fold(t.Text()))
	for n := min(3, len(words)); n > 0; n-- {
		for i := 0; i+n <= len(words); i++ {
			label := t.Shows(strings.Join(words[i:i+n], " "))
			if label != "" && (i == 0 || words[i-1] != "no") {
				return label
			}
		}
	}
	return ""
}

// givesNumber says that the message holds a number, or what was meant to be one.
func (f *flow) givesNumber(t *bot.Turn) bool {
	if t.Update.Kind != bot.Text {
		return false
	}
	r := f.reading(t)
	return r.Number != "" || r.Digits >= 8
}

// numberAndWish hears "soy 171 003 4065 y quiero desbloquear": the wish is kept and the number is read. Where a number
// is asked for, or one alone means something, the state's own ear reads it.
func (f *flow) numberAndWish(t *bot.Turn) bot.Event {
	w := f.wishedWith(t)
	if w == "" || t.Place().Is(BeforeTerms) {
		return ""
	}
	t.Remember(slotWant, w)
	return f.readNumber(t)
}

// wishedWith is what is wished for in a message with a number, or "".
func (f *flow) wishedWith(t *bot.Turn) string {
	guesses := f.read(t)
	if len(guesses) == 0 || guesses[0].confidence < surely {
		return ""
	}
	switch guesses[0].meaning {
	case "generate", "forgot_again":
		return "generate"
	case "unlock", "survivor":
		return "unlock"
	case "relative":
		return want(t)
	}
	return ""
}

// hearEmergency hears that somebody's life is in danger, wherever they are: it is answered before all else, ends nothing,
// and an agent who is there sees a mark.
func (f *flow) hearEmergency(t *bot.Turn) bot.Event {
	if t.Update.Kind != bot.Text && t.Update.Kind != bot.Edited || !f.inDanger(t.Text(), t.Language()) {
		return ""
	}
	if t.Place().Is(AtDesk) && lost(t.Conv.Handoff) {
		return ""
	}
	said := alarms(f, t)
	switch {
	case t.Place().Is(AtDesk):
		f.forAgent(t)
	case t.Place().Is(bot.FreeText) && t.Slot(slotDanger) != "": // said again: it belongs to what is being written
		t.Add("emergency")
		return ""
	case t.Place().Is(bot.FreeText):
		t.Remember(slotDanger, "1")
		return EmergencyOrWords
	}
	return said
}

// forAnother hears that somebody writes for another: nobody is refused, nor asked to pretend.
func (f *flow) forAnother(t *bot.Turn) bot.Event {
	if isAbout(t) || t.Place().Is(AsksNumber) {
		return HelpsAnother
	}
	f.dropNumber(t)
	return ForAnother
}

// placesLookedFor are the texts under which "corregir" means the place that was looked for.
var placesLookedFor = []string{"in_person.offices", "in_person.nearest", "in_person.no_office", "in_person.no_list", "in_person.which"}

// corrects leads to the entry in question: the number, the place that was looked for, or what is entered elsewhere.
func (f *flow) corrects(t *bot.Turn) bot.Event {
	switch p := t.Place(); {
	case p.Has(CorrectedPlace) && slices.Contains(placesLookedFor, t.Conv.Text):
		return CorrectedPlace
	case p.Is(InKey):
		return CorrectedKey
	case p.Is(ReadsBack):
		f.dropRead(t)
		return Corrected
	case p.Is(AsksNumber):
		dropGiven(t)
		return Corrected
	case p.Is(NeedsNumber), p.Has(CorrectedPlace) && (f.wasAsked(t) || slices.Contains(t.Conv.Shown, correctNumber)):
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
	back := t.Conv.Back
	if t.Conv.Text == "key.made" {
		return NothingToUndo
	}
	if t.Slot(slotAnew) != "" && t.Place().Is(bot.FreeText) { // the old one stands
		t.Forget(slotAnew)
		return readsComplaint(t)
	}
	if t.Place().Is(ReadsBack) && t.Slot(slotRecord) != "" { // what the chat is about is what it was about
		dropGiven(t)
	}
	if t.Place().Is(InKey) && len(back) > 0 && t.PlaceOf(back[len(back)-1]).Is(NeedsNumber, AsksNumber) {
		return NothingToUndo
	}
	return WentBack
}

// offers are the guesses that are asked about: up to three, each with a button of its own; [yes] is the button of the place
// that a yes stands for, or "". None when the likeliest is too unlikely.
func (all answers) offers(guesses []guess, yes string) (some []guess) {
	if len(guesses) == 0 || guesses[0].confidence < unclear {
		return nil
	}
	var labels []string
	for _, g := range guesses {
		label := all.button(g, yes)
		if label == "" || g.answer == "next.now" || g.confidence < slight || len(some) == offered || slices.Contains(labels, label) {
			continue
		}
		some, labels = append(some, g), append(labels, label)
	}
	return some
}

// button stands for a guess under "¿quiso decir …?", or "".
func (all answers) button(g guess, yes string) string {
	if g.answer == "yes" || g.meaning == "yes" {
		return yes
	}
	return all[g.meaning].offer
}

// askMeant asks which of up to three of [guesses] was meant.
func (f *flow) askMeant(t *bot.Turn, guesses []guess) bot.Event {
	yes := t.Shows(t.Wording("said.yes"))
	if t.Place().Is(BeforeTerms) || slices.Contains(notOnAGuess, yes) {
		yes = ""
	}
	some := f.answers.offers(guesses, yes)
	if len(some) == 0 || t.Choice() != "" || f.givesNumber(t) {
		return ""
	}
	var labels, titles []string
	for _, g := range some {
		label := f.answers.button(g, yes)
		labels, titles = append(labels, label), append(titles, t.Title(label))
	}
	said := titles[len(titles)-1]
	if before := titles[:len(titles)-1]; len(before) > 0 {
		said = strings.Join(before, ", ") + t.Wording("meant.or") + said
	}
	t.Say("guess", said)
	t.Offer(append(labels, "none")...)
	if t.Conv.Text != askedMeant {
		t.Remember(slotAsked, t.Conv.Text)
		t.Remember(slotAskedPrompt, strconv.Itoa(t.Conv.Prompt))
	}
	if slices.Contains(labels, "complaint") {
		f.keepsTold(t)
	}
	t.Miss()
	pieceOfSentence(t)
	return Unclear
}

// askedMeant is the question "¿quiso decir …?".
const askedMeant = "meant.ask"

// hearMeant hears the answer to that question, or to one that an answer of the table asked: its buttons are heard anywhere.
func (f *flow) hearMeant(t *bot.Turn) bot.Event {
	choice, asked := t.Choice(), t.Conv.Text
	if asked != askedMeant && !f.asks[asked] {
		return ""
	}
	told, _ := f.kept(t, slotFirst) // what cannot be opened is not there
	t.Forget(slotFirst)
	named := func(label string) bool {
		return t.Update.Kind != bot.Text || bot.Fold(strings.TrimSpace(t.Text())) == bot.Fold(t.Title(label))
	}
	if asked == askedMeant && t.Says("yes", "word_yes", "word_nod") != "" && (choice == "" || !named(choice)) {
		shown := slices.DeleteFunc(slices.Clone(t.Conv.Shown), func(label string) bool { return label == "slow" }) // it stands there for itself
		if len(shown) != 2 {                                                                                       // yes, but to which?
			return AskedRepeat
		}
		choice = shown[0]
	}
	if asked == askedMeant && t.FromPerson() { // whatever comes, the question before it stands again
		t.Ask(t.Slot(slotAsked))
		t.Forget(slotAsked, slotAskedPrompt)
		if label := t.Shows(t.Text()); choice == "" && t.Update.Kind == bot.Text && (named(label) || !acting(label)) { // its buttons are on the screen too
			t.Choose(label)
			return ""
		}
	}
	t.Choose(choice)
	switch choice {
	case "":
		return ""
	case "none":
		return f.notMeant(t)
	case "no_mailbox":
		return NoMailbox
	case "in_person":
		return wishing("in_person")(f, t)
	case "complaint":
		f.takesTold(t, told)
	case "agent":
		return AskedPerson
	case "another":
		return f.another(t)
	case "entered":
		if !t.Place().Has(Entered) { // the place's own ear
			return SaidKeyMade
		}
		return ""
	}
	for _, name := range f.model.Meanings() {
		if f.answers[name].offer == choice {
			t.Forget(slotOpenly)
			return f.answer(t, f.answers[name].in(t.Place()))
		}
	}
	return ""
}

// notMeant asks openly, once; after that the place's own question comes back with its buttons.
func (f *flow) notMeant(t *bot.Turn) bot.Event {
	if t.Slot(slotOpenly) != "" {
		t.Forget(slotOpenly)
		return NotMeant
	}
	t.Remember(slotOpenly, "1")
	return NotMeantOnce
}
