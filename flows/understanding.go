package flows

import (
	_ "embed"
	"fmt"

	"github.com/BurntSushi/toml"

	"llave/flows/understand"
)

//go:embed understand.toml
var spoken string

// Understanding reads understand.toml: what people say in Spanish, and what they mean by it.
func Understanding() (*understand.Understanding, error) {
	var rules understand.Rules
	meta, err := toml.Decode(spoken, &rules)
	if err != nil {
		return nil, fmt.Errorf("read understand.toml: %w", err)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return nil, fmt.Errorf("read understand.toml: unknown entries %v", unknown)
	}
	u, err := understand.New(rules)
	if err != nil {
		return nil, fmt.Errorf("read understand.toml: %w", err)
	}
	return u, nil
}
