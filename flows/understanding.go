package flows

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/BurntSushi/toml"

	"llave/flows/understand"
)

// understand.toml is Spanish, understand_en.toml English. A language without such a file understands what its labels say.
//
//go:embed understand.toml understand_??.toml
var spoken embed.FS

// understandings are those that were read, by language: they never change, and reading takes a tenth of a second.
var understandings sync.Map

// Understanding is what people say in a language, and what they mean by it; nil when there is no file for the language.
func Understanding(language string) (*understand.Understanding, error) {
	read, _ := understandings.LoadOrStore(language, sync.OnceValues(func() (*understand.Understanding, error) { return readUnderstanding(language) }))
	return read.(func() (*understand.Understanding, error))()
}

func readUnderstanding(language string) (*understand.Understanding, error) {
	file := "understand_" + language + ".toml"
	if language == spanish {
		file = "understand.toml"
	}
	var rules understand.Rules
	meta, err := toml.DecodeFS(spoken, file, &rules)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return nil, fmt.Errorf("read %s: unknown entries %v", file, unknown)
	}
	u, err := understand.New(rules)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return u, nil
}
