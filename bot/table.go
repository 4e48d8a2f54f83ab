package bot

import (
	"context"
	"fmt"
	"slices"
)

// Hear decides what an update meant in one state. It reads what it needs and writes nothing: what must happen outside
// becomes a promise of the turn. It contains no sentence and names no state: what it must know of the present state is a
// trait or a row of its place (Turn.Place). An empty Event means "not for me": in the Any place the state's own Hear is
// asked next; in a state it counts as Missed.
type Hear func(ctx context.Context, t *Turn) (Event, error)

// Places that are not states: where a row may lead.
const (
	Any  State = "*" // as the place of rows: every state
	Stay State = "." // as a destination: where we are
	Back State = "<" // as a destination: the place before this one
)

// The events the engine itself needs. Every flow has rows for them in Any.
const (
	Missed      Event = "Missed"      // not understood, for the first and second time
	MissedOften Event = "MissedOften" // for the third time
	StaleButton Event = "StaleButton" // a button of an older question
	Ignored     Event = "Ignored"     // nothing to say, nothing changes
	Forgotten   Event = "Forgotten"   // an idle conversation was emptied: nothing is said
)

// NoText is the text of a row that is answered with nothing, because somebody else answers.
const NoText = "-"

// Row is one line of the table: in a state, an event leads to a state and is answered with a text. An empty Text is
// the destination's own question.
type Row struct {
	Event Event
	To    State
	Text  string

	decide Hear    // set by Either: says which of among the event is
	among  []Event // what decide may answer; each has a row
}

// On makes a row.
func On(e Event, to State, text string) Row { return Row{Event: e, To: to, Text: text} }

// Either makes a row for an event that can mean several things outside (is anybody there?): [decide] looks, and answers one
// of [among], whose own row is then followed. Any other answer is ErrNoRow.
func Either(e Event, decide Hear, among ...Event) Row {
	return Row{Event: e, To: Stay, decide: decide, among: among}
}

// Trait is a property of a place that ears go by instead of its name. A flow names its own; FreeText is the engine's.
type Trait string

// FreeText marks a place where people write in their own words, and what they write is kept. No wish is read into such
// words: only a message that is nothing but the button's words, its number or a bare word chooses anything.
const FreeText Trait = "free text"

// Place is a state with its question, its ear, its rows and its traits.
type Place struct {
	State  State
	Name   string // what it is called in the flow's data, "" where nothing there is about it; places may share a name
	Ask    string // catalogue key of the question asked here; "" for a state that is never returned to
	Hear   Hear
	Rows   []Row
	Traits []Trait
}

// In makes a place. Its rows win over rows of Any for the same event.
func In(s State, ask string, hear Hear, rows ...Row) Place {
	return Place{State: s, Ask: ask, Hear: hear, Rows: rows}
}

// With returns the place with traits.
func (p Place) With(traits ...Trait) Place {
	p.Traits = append(slices.Clip(p.Traits), traits...)
	return p
}

// Called returns the place with a name in the flow's data.
func (p Place) Called(name string) Place {
	p.Name = name
	return p
}

// Is says whether the place has one of the traits.
func (p Place) Is(traits ...Trait) bool {
	return slices.ContainsFunc(traits, func(t Trait) bool { return slices.Contains(p.Traits, t) })
}

// Has says whether the place has a row of its own for an event: whether that can be meant here.
func (p Place) Has(e Event) bool {
	_, ok := p.row(e)
	return ok
}

func (p Place) row(e Event) (Row, bool) {
	for _, r := range p.Rows {
		if r.Event == e {
			return r, true
		}
	}
	return Row{}, false
}

// Entry is one text of a catalogue.
type Entry struct {
	Text    string   `toml:"text"`
	Again   []string `toml:"again"`   // the same question in other words, for the first and the second miss
	Buttons []string `toml:"buttons"` // ids of labels, in order
	Yes     string   `toml:"yes"`     // the button that a plain "yes" stands for here, though its own words have none
	Offers  bool     `toml:"offers"`  // shows those of its buttons that Turn.Offer named
	Aside   bool     `toml:"aside"`   // an answer by the way: the question stays what it was ({question}, {again})
	Place   string   `toml:"place"`   // where we were, for "Estábamos en …"
	Image   string   `toml:"image"`   // name of an image that shows the same
	Hint    string   `toml:"hint"`    // stands in the empty input field, where the channel can
	Link    bool     `toml:"link"`    // speaks of a link that lives: Turn.Withdraw takes it back
}

// Label is a button's title and what else people say for it. A label without a title is a wish or a word that is
// only typed.
type Label struct {
	Title string   `toml:"title"`
	Words []string `toml:"words"`
	URL   string   `toml:"url"` // a public page; pressing it sends nothing

	Main   bool   `toml:"main"`   // stands out where it is the first under a text
	Copies string `toml:"copies"` // name of what is filled in: a button that copies it goes with every text that says it, where the channel can
}

// Catalogue is one language, a locale: every text and every label.
type Catalogue struct {
	Language string // "es"
	Texts    map[string]Entry
	Labels   map[string]Label
}

// check says which buttons have no title.
func (cat Catalogue) check() (problems []error) {
	for key, text := range cat.Texts {
		if text.Yes != "" && !slices.Contains(text.Buttons, text.Yes) {
			problems = append(problems, fmt.Errorf("%s: text %q takes a yes for %q, which is no button of it", cat.Language, key, text.Yes))
		}
		for _, id := range text.Buttons {
			if l, ok := cat.Labels[id]; !ok || l.Title == "" {
				problems = append(problems, fmt.Errorf("%s: text %q shows button %q, which has no title", cat.Language, key, id))
			}
		}
	}
	return problems
}

// unlike says what a language lacks of the first one, or has too much: texts and labels, the buttons under a text, and what
// the flow fills in.
func (cat Catalogue) unlike(first Catalogue) (problems []error) {
	bad := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf(cat.Language+": "+format, args...))
	}
	for key, text := range first.Texts {
		own, ok := cat.Texts[key]
		if !ok {
			bad("text %q is missing", key)
			continue
		}
		switch {
		case own.Text == "" && text.Text != "":
			bad("text %q is empty", key)
		case !slices.Equal(own.Buttons, text.Buttons):
			bad("text %q has buttons %v, not %v", key, own.Buttons, text.Buttons)
		case (own.Hint == "") != (text.Hint == ""):
			bad("text %q has a hint in one language only", key)
		case own.Image != text.Image:
			bad("text %q has image %q, not %q", key, own.Image, text.Image)
		case own.Aside != text.Aside || own.Offers != text.Offers || own.Link != text.Link || (own.Place == "") != (text.Place == "") || len(own.Again) != len(text.Again):
			bad("text %q is of another sort", key)
		case !slices.Equal(filled(own), filled(text)):
			bad("text %q fills in %v, not %v", key, filled(own), filled(text))
		}
	}
	for key := range cat.Texts {
		if _, ok := first.Texts[key]; !ok {
			bad("text %q is nobody's", key)
		}
	}
	for id, l := range first.Labels {
		if own, ok := cat.Labels[id]; !ok || (own.Title == "") != (l.Title == "") || own.URL != l.URL || own.Main != l.Main || own.Copies != l.Copies {
			bad("label %q is missing or of another sort", id)
		}
	}
	for id := range cat.Labels {
		if _, ok := first.Labels[id]; !ok {
			bad("label %q is nobody's", id)
		}
	}
	return problems
}

// inWay returns the key of a text as it is said in a way of speaking: "key.way" where the catalogue has that, else the key.
func (cat Catalogue) inWay(key, way string) string {
	if _, ok := cat.Texts[key+"."+way]; ok && way != "" {
		return key + "." + way
	}
	return key
}

// filled are the names that the flow fills into a text, each once, in order of the alphabet.
func filled(e Entry) []string {
	names := placeholder.FindAllString(e.Text, -1)
	slices.Sort(names)
	return slices.Compact(names)
}
