package flows

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"llave/bot"
	"llave/flows/meaning"
	"llave/internal/affiliate"
	"llave/internal/secret"
)

// Trial says sentences to the conversation itself, each to one that was made for it and stands in a given state. Nothing
// is kept or sent, nobody's record is looked up. It is for one caller at a time.
type Trial struct {
	reader *Reader
	engine *bot.Engine
	vault  *secret.Vault
	taken  *guess // by the turn that is being stepped
	choice string // the button that it was taken for
	word   string // the word that holds everywhere that it was
	number bool   // it holds a number
	forced string // the meaning that it is taken for, whatever it says
}

// Tried is what became of a sentence.
type Tried struct {
	State, Said string
	Meaning     string // "" where it was heard for something that no meaning stands for: a key typed by mistake
	Confidence  float64
	Next        []meaning.Guess
	Does        string
	Answer      string
	Buttons     []string

	effect   effect
	harm     bool     // something was sent, ended, confirmed or given up
	labels   []string // the buttons by their ids
	offers   []string // the meanings that were asked about
	language string
}

// effect is what tells one answer from another.
type effect struct{ text, state, want, wish, lang, way string }

// exampleNumber is of nobody: its third digit is no person's.
const exampleNumber = "1790000002"

// exampleRecord is the only one there is in a trial, and may be unlocked.
type exampleRecord struct{}

func (exampleRecord) Find(_ context.Context, number string) (affiliate.Record, bool, error) {
	if number != exampleNumber {
		return affiliate.Record{}, false, nil
	}
	return affiliate.Record{ID: number, Email: "ejemplo@correo.example", Status: affiliate.Locked, DataUpdatedAt: time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC)}, true, nil
}

// NewTrial makes a trial of the conversation with these options, but for the records, the vault and the desk: it has its own.
func NewTrial(o Options) (*Trial, error) {
	vault, err := secret.New(secret.NewDataKey())
	if err != nil {
		return nil, err
	}
	x := &Trial{vault: vault}
	if x.reader, err = NewReader(o.Model); err != nil {
		return nil, err
	}
	o.Records, o.Vault, o.Desk = exampleRecord{}, vault, nil
	x.engine, err = build(o, func(f *flow) []bot.Place {
		f.watch = func(g guess) { x.taken = &g }
		return x.overhear(f, f.places())
	})
	return x, err
}

// overhear has every ear tell what it took the sentence for.
func (x *Trial) overhear(f *flow, places []bot.Place) []bot.Place {
	for i, p := range places {
		hear := p.Hear
		places[i].Hear = func(ctx context.Context, t *bot.Turn) (bot.Event, error) {
			if x.forced != "" && (p.State == bot.Any) != t.Place().Is(FirstWord) {
				ev := f.answer(t, f.answers[x.forced].in(t.Place()))
				if t.Place().Is(FirstWord) {
					ev = f.answersFirst(t, ev)
				}
				return ev, nil
			}
			if p.State == bot.Any {
				x.word, x.number = f.ruledBy(t)
			}
			ev, err := hear(ctx, t)
			x.choice = t.Choice()
			return ev, err
		}
	}
	return places
}

// ruledBy says which bare word a sentence is, and whether it holds a number. The first word of all is heard for less.
func (f *flow) ruledBy(t *bot.Turn) (word string, number bool) {
	p := t.Place()
	if p.Is(FirstWord) {
		return t.Says("slow", "word_english"), f.holdsNumber(t)
	}
	r := f.reading(t)
	return t.Says(trialWords...), p.Is(AsksNumber) && (r.Code != "" || r.Digits > 0) || f.givesNumber(t) || f.isCode(t)
}

// TrialStates are the places that a sentence can be tried in, as the examples name them.
func TrialStates() []string {
	return []string{"start", "menu", "number", "confirm", "ready", "sent", "ended", "step", "tried", "office", "any"}
}

// ExamplesPlace is what the examples call a place: "any" where they know none of it.
func ExamplesPlace(place string) string {
	if as, ok := readAs[place]; ok {
		return as
	}
	if !slices.Contains(TrialStates(), place) {
		return "any"
	}
	return place
}

// TrialLanguages are those that sentences can be tried in.
func TrialLanguages() []string { return slices.Clone(taught) }

// Meanings are those that the model knows.
func (x *Trial) Meanings() []string { return x.reader.model.Meanings() }

// The road to where a link was sent and used; what does not lie on it is reached from its beginning.
var trialRoad = []string{"menu", "number", "confirm", "ready", "sent", "step", "tried"}

// place is where a state's name is: the menu for any, the middle of several steps.
func (x *Trial) place(state string) bot.Place {
	if state == "any" {
		state = "menu"
	}
	some := slices.DeleteFunc(slices.Clone(x.reader.places), func(p bot.Place) bool { return p.Name != state })
	if state == "step" {
		return some[len(some)/2]
	}
	return some[0]
}

// The link of a trial was sent a minute ago.
const (
	trialLeft    = 2 * time.Minute
	trialAttempt = "a1"
)

// stand is a conversation that stands in a state.
func (x *Trial) stand(state, language string, now time.Time) bot.Conversation {
	p := x.place(state)
	c := bot.Conversation{ID: "trial:1", Lang: language}
	if p.Is(FirstWord) {
		return c
	}
	c.State, c.Text, c.Prompt, c.Born, c.LastAt = p.State, p.Ask, 1, now.Add(-5*time.Minute), now.Add(-20*time.Second)
	c.Shown = x.shown(p.Ask, language)
	way := []string{"menu"}
	if i := slices.Index(trialRoad, p.Name); i >= 0 {
		way = trialRoad[:i]
	} else if p.Is(LinkOver) {
		way = trialRoad[:slices.Index(trialRoad, "step")]
	}
	for _, name := range way {
		c.Back = append(c.Back, x.place(name).State)
	}
	for _, before := range x.reader.places {
		if before.State == p.State {
			break
		}
		if before.Name == "step" && p.Name == "step" {
			c.Back = append(c.Back, before.State)
		}
	}
	c.Slots = map[string]string{slotNotice: strconv.Itoa(lawUnheardNotice)} // nobody is asked about it
	if slices.Contains(way, "number") {
		c.Slots[slotWant] = "unlock"
		c.Slots[slotNumber] = x.vault.Seal(secret.Number.Of(c.ID), exampleNumber)
		c.Slots[slotRecord] = affiliate.Hash(x.vault, exampleNumber)
	}
	if p.Is(ReadsBack) {
		c.Slots[slotGiven] = x.vault.Seal(secret.Given.Of(c.ID), exampleNumber)
	}
	if slices.Contains(way, "ready") {
		c.Attempt = trialAttempt
	}
	switch {
	case p.Is(LinkLives):
		c.Timers = []bot.Timer{{Signal: bot.SignalLinkExpired, Attempt: c.Attempt, At: now.Add(trialLeft)}}
	case p.Is(InKey):
		c.Slots[slotUsed] = strconv.FormatInt(now.Add(-trialLeft).Unix(), 10)
	case p.Is(LinkOver):
		c.Slots[slotEnded] = "1"
	}
	return c
}

// shown are the buttons under a question.
func (x *Trial) shown(ask, language string) (ids []string) {
	for _, cat := range x.engine.Languages() {
		if cat.Language == language {
			ids = slices.DeleteFunc(slices.Clone(cat.Texts[ask].Buttons), func(id string) bool { return cat.Labels[id].URL != "" })
		}
	}
	return ids
}

// Say says a sentence in a state, in a language that the conversation is in.
func (x *Trial) Say(said, state, language string) (Tried, error) {
	if !slices.Contains(TrialStates(), state) || !slices.Contains(taught, language) {
		return Tried{}, fmt.Errorf("no state %q or no language %q", state, language)
	}
	u, err := x.reader.Read(said, x.place(state).Name)
	if err != nil {
		return Tried{}, err
	}
	tried := Tried{State: state, Said: said, Meaning: u.Meaning, Confidence: u.Confidence, Next: u.Next, language: language}
	x.taken, x.choice, x.word, x.number = nil, "", "", false
	out, err := x.step(&tried, said)
	if err != nil {
		return Tried{}, err
	}
	tried.Does = Acts
	switch {
	case x.taken != nil:
	case out.Event == Unclear:
		tried.Does, tried.offers = Asks, x.asked(tried.labels)
	case out.Event == bot.Missed, out.Event == bot.MissedOften:
		tried.Does = Missed
	case out.Event == Emergency && u.Meaning == "emergency":
	default:
		err = x.ruled(&tried, out)
	}
	tried.harm = harmful(out) || tried.Meaning == "yes" && confirms(out)
	return tried, err
}

// step says a sentence to a conversation of its own, and writes down what came of it.
func (x *Trial) step(tried *Tried, said string) (bot.Outcome, error) {
	now := time.Now()
	c := x.stand(tried.State, tried.language, now)
	granted := bot.Reservation{Granted: true, Attempt: trialAttempt, Ends: now.Add(trialLeft)}
	if len(c.Timers) == 0 { // none lives: another one
		granted.Attempt = trialAttempt + "+"
	}
	next, out, err := x.engine.Step(context.Background(), c, bot.Update{ID: "1", Kind: bot.Text, Text: said, Channel: "trial", Chat: "1"}, bot.Env{Now: now, Reservation: &granted})
	if err != nil {
		return out, err
	}
	tried.effect = effect{state: string(next.State), want: next.Slots[slotWant], wish: next.Slots[slotWish], lang: next.Lang, way: next.Way}
	for _, p := range next.Promises {
		if say, ok := p.What.(bot.Say); ok {
			err = errors.Join(err, x.tell(tried, next.ID, *say.Reply))
		}
	}
	tried.effect.text = tried.Answer
	return out, err
}

// tell writes down what is said.
func (x *Trial) tell(tried *Tried, conv string, reply bot.Reply) (err error) {
	tried.Answer = reply.Text
	if reply.Sealed {
		tried.Answer, err = OpenReply(x.vault, conv, reply.Text)
	}
	tried.Buttons, tried.labels = nil, nil
	for _, b := range reply.Buttons {
		tried.Buttons, tried.labels = append(tried.Buttons, b.Title), append(tried.labels, b.ID)
	}
	return err
}

// asked are the meanings that buttons under "¿quiso decir …?" stand for; the place's own button is its yes.
func (x *Trial) asked(labels []string) (meanings []string) {
	for _, label := range labels {
		n := len(meanings)
		for _, name := range x.Meanings() {
			if x.reader.answers[name].offer == label {
				meanings = append(meanings, name)
			}
		}
		if n == len(meanings) && label != "none" {
			meanings = append(meanings, "yes")
		}
	}
	return meanings
}

// does is what a meaning does in the state of [tried].
func (x *Trial) does(tried Tried, meant string) (effect, error) {
	x.forced = meant
	defer func() { x.forced = "" }()
	_, err := x.step(&tried, tried.Said)
	return tried.effect, err
}

// trialMeanings are what the words that hold everywhere mean, in the order in which they are looked for.
var trialMeanings = []struct{ label, meaning string }{
	{"word_menu", "menu"}, {"word_back", "back"}, {"word_repeat", "repeat"}, {"word_help", "help"}, {"word_person", "person"},
	{"word_cancel", "cancel"}, {"word_language", "other_language"}, {"word_english", "english"}, {"word_status", "status"},
	{"word_hello", "hello"}, {"word_thanks", "thanks"}, {"word_correct", "correct"}, {"word_lost", "not_understood"}, {"word_wait", "wait"}, {"slow", "slow"}, {"yes", "yes"},
}

var trialWords = func() (labels []string) {
	for _, w := range trialMeanings {
		labels = append(labels, w.label)
	}
	return labels
}()

// ruled finds the meaning of what a rule heard before the model was asked, where there is one, and is sure of it. A first
// word that is answered with the welcome, as it would be were it nothing, was not understood.
func (x *Trial) ruled(tried *Tried, out bot.Outcome) error {
	guesses := append([]meaning.Guess{{Meaning: tried.Meaning, Confidence: tried.Confidence}}, tried.Next...)
	name := x.rule(tried.Said, out)
	if name == "" && out.Event == Greeted && out.From != out.To {
		same, err := x.does(*tried, tried.Meaning)
		if same != tried.effect {
			tried.Does = Missed
		}
		return err
	}
	if name == "" && out.Event != WroteSecret {
		for _, g := range x.reader.model.Read(tried.Said, tried.State) {
			same, err := x.does(*tried, g.Meaning)
			if err != nil {
				return err
			}
			if same == tried.effect {
				name = g.Meaning
				break
			}
		}
	}
	tried.Meaning, tried.Confidence = name, 1
	tried.Next = slices.DeleteFunc(guesses, func(g meaning.Guess) bool { return g.Meaning == name })
	tried.Next = tried.Next[:min(2, len(tried.Next))]
	return nil
}

// rule is the meaning of a number, of a bare word or of a button.
func (x *Trial) rule(said string, out bot.Outcome) string {
	bare := strings.Trim(bot.Fold(said), " .,!¡?¿")
	switch {
	case out.Event == WroteSecret:
		return ""
	case out.Event == Emergency:
		return "emergency"
	case x.number && x.choice == "":
		return "number"
	case bare == "no":
		return "no"
	}
	for _, w := range trialMeanings {
		if w.label == x.word {
			return w.meaning
		}
	}
	for _, name := range x.Meanings() {
		if x.choice != "" && x.reader.answers[name].offer == x.choice {
			return name
		}
	}
	return ""
}

// harmful says whether something was sent, ended or given up; confirms, whether something was confirmed.
func harmful(out bot.Outcome) bool {
	return slices.Contains([]bot.Event{LinkAskedAgain, LinkAskedUnsaid, LinkAsked, Cancelled, Declined, Erased, NoMailbox}, out.Event)
}

func confirms(out bot.Outcome) bool {
	return slices.Contains([]bot.Event{Eligible, NotEligible, Unsaid, TooManyNumbers, Entered}, out.Event)
}

// Verdict is what is to be said of a sentence whose meaning is known.
type Verdict struct {
	Right       bool // its answer was given
	First       bool // the likeliest meaning is answered as it is
	WithinThree bool // it was given, or is that of the likeliest three
	Offered     bool // it was asked whether that was meant
	Dangerous   bool // another was carried out that cannot be taken back
}

// Judge compares what became of a sentence with what should have: meanings that are answered alike are one.
func (x *Trial) Judge(tried Tried, meant string) (Verdict, error) {
	wanted, err := x.does(tried, meant)
	if err != nil {
		return Verdict{}, err
	}
	alike := func(name string) bool { return name == meant || x.reader.Alike(x.place(tried.State).Name, name, meant) }
	v := Verdict{Right: tried.Does == Acts && (tried.Meaning == meant || tried.effect == wanted)}
	v.Offered = tried.Does == Asks && slices.ContainsFunc(tried.offers, alike)
	v.First = v.Right || alike(tried.Meaning)
	v.WithinThree = v.First || v.Offered || slices.ContainsFunc(tried.Next, func(g meaning.Guess) bool { return alike(g.Meaning) })
	v.Dangerous = tried.harm && !v.Right
	return v, nil
}
