package flows

import (
	"cmp"
	_ "embed"
	"fmt"
	"maps"
	"slices"

	"github.com/BurntSushi/toml"

	"llave/bot"
)

//go:embed meanings.toml
var namesFile string

// Named is a meaning or a place, and what people call it.
type Named struct{ Name, Title string }

// Names are what people of the institution read for meanings and places.
type Names struct {
	Meanings []Named // in the order of their titles
	Places   map[string]string
	Stages   []Named // of a visit, in the order of the road
	Reasons  []Named // of leaving
}

// ReadNames reads meanings.toml.
func ReadNames() (Names, error) {
	var file struct {
		Meanings map[string]string `toml:"meanings"`
		Places   map[string]string `toml:"places"`
		Stages   map[string]string `toml:"stages"`
		Reasons  map[string]string `toml:"reasons"`
	}
	if _, err := toml.Decode(namesFile, &file); err != nil {
		return Names{}, fmt.Errorf("read meanings.toml: %w", err)
	}
	names := Names{Places: file.Places}
	for _, stage := range Stages {
		names.Stages = append(names.Stages, Named{stage, file.Stages[stage]})
	}
	for _, why := range LeftReasons {
		names.Reasons = append(names.Reasons, Named{why, file.Reasons[why]})
	}
	for _, name := range slices.Sorted(maps.Keys(file.Meanings)) {
		names.Meanings = append(names.Meanings, Named{name, file.Meanings[name]})
	}
	slices.SortStableFunc(names.Meanings, func(a, b Named) int { return cmp.Compare(bot.Fold(a.Title), bot.Fold(b.Title)) })
	return names, nil
}
