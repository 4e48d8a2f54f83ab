package flows

import (
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/BurntSushi/toml"

	"llave/bot"
	"llave/flows/meaning"
)

//go:embed answers.toml
var answersFile string

// How carefully a meaning is taken. See answers.toml.
const (
	carefulSure   = "sure"
	carefulButton = "button"
)

// answer is what is answered to a meaning.
type answer struct {
	offer   string            // the label that stands for it, or ""
	careful string            // "", carefulSure or carefulButton
	any     string            // the answer
	at      map[string]string // by a place's name, the answer instead
}

// in is the answer in a place.
func (a answer) in(p bot.Place) string {
	if own, ok := a.at[p.Name]; ok {
		return own
	}
	return a.any
}

// answers are those of all meanings.
type answers map[string]answer

// readAnswers reads answers.toml, once: nobody changes what it returns.
var readAnswers = sync.OnceValues(func() (answers, error) {
	var rows map[string]map[string]string
	if _, err := toml.Decode(answersFile, &rows); err != nil {
		return nil, fmt.Errorf("read answers.toml: %w", err)
	}
	all := answers{}
	for name, cells := range rows {
		a := answer{offer: cells["offer"], careful: cells["careful"], any: cells["any"], at: maps.Clone(cells)}
		for _, key := range []string{"offer", "careful", "any"} {
			delete(a.at, key)
		}
		all[name] = a
	}
	return all, nil
})

// isText says whether an answer is a text of the catalogue; isEvent, whether it is an event of the map. Any other is an act.
func isText(answer string) bool { return strings.Contains(answer, ".") }
func isEvent(answer string) bool {
	return !isText(answer) && answer != "" && unicode.IsUpper(rune(answer[0]))
}

// texts are those that an answer says, in alphabetical order.
func (all answers) texts() (keys []string) {
	for _, a := range all {
		for _, cell := range append(slices.Collect(maps.Values(a.at)), a.any) {
			if isText(cell) {
				keys = append(keys, cell)
			}
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// rows are those of the texts that answers say: by the way, wherever it is. Each event is named by its text.
func (all answers) rows() (rows []bot.Row) {
	for _, key := range all.texts() {
		rows = append(rows, bot.On(bot.Event(key), bot.Stay, key))
	}
	return rows
}

// lacking are the meanings that [m] does not know though there is an answer to them, and those it knows without one.
func (all answers) lacking(m *meaning.Model) (unknown, unanswered []string) {
	known := m.Meanings()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !slices.Contains(known, name) {
			unknown = append(unknown, name)
		}
	}
	for _, name := range known {
		if _, ok := all[name]; !ok {
			unanswered = append(unanswered, name)
		}
	}
	return unknown, unanswered
}

// LoadModel reads a model of what sentences mean from a file, and holds that the conversation can use it.
func LoadModel(file string) (*meaning.Model, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	m, err := meaning.Open(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w (llave train)", file, err)
	}
	all, err := readAnswers()
	if err != nil {
		return nil, err
	}
	switch unknown, unanswered := all.lacking(m); {
	case len(unknown) > 0:
		return nil, fmt.Errorf("%s: this model does not know %s: it has to be learned again (llave train)", file, strings.Join(unknown, ", "))
	case len(unanswered) > 0:
		return nil, fmt.Errorf("%s: this model knows %s, to which this version has no answer: it has to be learned again (llave train)", file, strings.Join(unanswered, ", "))
	}
	return m, nil
}

// check says what is wrong with the table for the meanings of [m] and the places of the map: everything at once.
func (all answers) check(m *meaning.Model, places []bot.Place) error {
	var problems []error
	bad := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("answers.toml: "+format, args...))
	}
	unknown, unanswered := all.lacking(m)
	for _, name := range unanswered {
		bad("no answer to %q, which the model knows", name)
	}
	for _, name := range unknown {
		bad("%q is nothing that the model knows", name)
	}
	anywhere := places[slices.IndexFunc(places, func(p bot.Place) bool { return p.State == bot.Any })]
	for _, name := range slices.Sorted(maps.Keys(all)) {
		a := all[name]
		if a.any == "" || a.careful != "" && a.careful != carefulSure && a.careful != carefulButton {
			bad("%s: needs any; careful is %q or %q", name, carefulSure, carefulButton)
		}
		for place := range a.at {
			if !slices.ContainsFunc(places, func(p bot.Place) bool { return p.Name == place }) {
				bad("%s: no place is called %q", name, place)
			}
		}
		for _, p := range places {
			if p.Name == "" {
				continue
			}
			switch cell := a.in(p); {
			case isText(cell):
			case isEvent(cell):
				if !p.Has(bot.Event(cell)) && !anywhere.Has(bot.Event(cell)) {
					bad("%s: %s has no row for %s", name, p.State, cell)
				}
			case acts[cell] == nil:
				bad("%s: no act is called %q", name, cell)
			}
		}
	}
	return errors.Join(problems...)
}
