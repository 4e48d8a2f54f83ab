package flows

import (
	"fmt"
	"maps"
	"slices"

	"llave/bot"
	"llave/flows/meaning"
)

// What becomes of a sentence.
const (
	Acts   = "acts"   // it is answered, or done
	Asks   = "asks"   // "¿Quiso decir …?", with the likeliest
	Missed = "missed" // it is said that it was not understood
)

// Reader tells what a sentence would be taken for, without a conversation: for operators and tests.
type Reader struct {
	model   *meaning.Model
	answers answers
	places  []bot.Place
}

// Understood is what a sentence was taken for.
type Understood struct {
	Said, State string
	Meaning     string  // the likeliest
	Confidence  float64 // of all meanings that are answered alike
	Does        string
	Answer      string          // of answers.toml: a text's key, an event or an act
	Offers      []string        // the meanings that are asked about
	Next        []meaning.Guess // the next two answers, by their likeliest meanings
}

// NewReader makes a reader of the model [m]; nil is the one that is built in.
func NewReader(m *meaning.Model) (*Reader, error) {
	if m == nil {
		m = meaning.Default()
	}
	all, err := readAnswers()
	if err != nil {
		return nil, err
	}
	f := &flow{answers: all}
	r := &Reader{model: m, answers: all, places: f.places()}
	if err := all.check(m, r.places); err != nil {
		return nil, err
	}
	return r, nil
}

// States are the names of places that a sentence can be said in, "any" last.
func (r *Reader) States() (names []string) {
	for _, p := range r.places {
		if p.Name != "" && !slices.Contains(names, p.Name) {
			names = append(names, p.Name)
		}
	}
	return append(names, "any")
}

// Read tells what [said] is taken for in [state].
func (r *Reader) Read(said, state string) (Understood, error) {
	if !slices.Contains(r.States(), state) {
		return Understood{}, fmt.Errorf("no state %q: %v", state, r.States())
	}
	place := r.place(state)
	guesses := r.answers.read(r.model, said, place)
	first := guesses[0]
	u := Understood{Said: said, State: state, Meaning: first.meaning, Confidence: first.confidence, Answer: first.answer, Does: Missed}
	for _, g := range guesses[1:min(3, len(guesses))] {
		u.Next = append(u.Next, meaning.Guess{Meaning: g.meaning, Confidence: g.confidence})
	}
	if r.answers.sure(first, said) {
		u.Does = Acts
		return u, nil
	}
	for _, g := range r.answers.offers(guesses, "") {
		u.Does, u.Offers = Asks, append(u.Offers, g.meaning)
	}
	return u, nil
}

// Right says whether what [meant] is answered with in a state is what was answered, or among what was offered.
func (r *Reader) Right(u Understood, meant string) bool {
	place := r.place(u.State)
	wanted := r.answers[meant].in(place)
	switch u.Does {
	case Acts:
		return u.Answer == wanted
	case Asks:
		return slices.ContainsFunc(u.Offers, func(offered string) bool { return r.answers[offered].in(place) == wanted })
	}
	return false
}

// Alike says whether two meanings are answered alike in a state.
func (r *Reader) Alike(state, a, b string) bool {
	place := r.place(state)
	return r.answers[a].in(place) == r.answers[b].in(place)
}

func (r *Reader) place(state string) bot.Place {
	if i := slices.IndexFunc(r.places, func(p bot.Place) bool { return p.Name == state }); i >= 0 {
		return r.places[i]
	}
	return bot.Place{Name: state}
}

// TableRow is what is answered to one meaning.
type TableRow struct {
	Meaning, Any, Careful string
	At                    map[string]string // by a place's name
}

// Table is what is answered to every meaning, in alphabetical order.
func (r *Reader) Table() (rows []TableRow) {
	for _, name := range slices.Sorted(maps.Keys(r.answers)) {
		a := r.answers[name]
		rows = append(rows, TableRow{name, a.any, a.careful, maps.Clone(a.at)})
	}
	return rows
}
