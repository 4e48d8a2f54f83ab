package store

import (
	"context"
	"errors"
	"fmt"
)

// introsKept are so many hashes of each part: what was written last, and before that, should two versions start at once.
const introsKept = 3

// intro is what we have written about the bot in a channel, as hashes by the part's name.
type intro struct {
	ID      string              `bson:"_id"`
	Version int64               `bson:"v"`
	Wrote   map[string][]string `bson:"wrote"`
}

// IntroTable remembers what we wrote where a channel shows what the bot is, so that nobody else's words are written over.
type IntroTable struct{ documents *Documents[intro] }

func newIntros(engine Engine) *IntroTable {
	return &IntroTable{NewDocuments(engine, Settings, func(i *intro) (*string, *int64) { return &i.ID, &i.Version })}
}

// Wrote returns hashes of what was written of a part lately.
func (t *IntroTable) Wrote(ctx context.Context, channel, part string) ([]string, error) {
	i, _, err := t.documents.Find(ctx, "intro/"+channel)
	if err != nil {
		return nil, fmt.Errorf("find an introduction: %w", err)
	}
	return i.Wrote[part], nil
}

// Keep notes what is written of a part now.
func (t *IntroTable) Keep(ctx context.Context, channel, part, hash string) error {
	for {
		i, err := t.documents.Load(ctx, "intro/"+channel)
		if err != nil {
			return fmt.Errorf("load an introduction: %w", err)
		}
		if i.Wrote == nil {
			i.Wrote = map[string][]string{}
		}
		list := append([]string{hash}, i.Wrote[part]...)
		for n := 1; n < len(list); n++ {
			if list[n] == hash {
				list = append(list[:n], list[n+1:]...)
				break
			}
		}
		i.Wrote[part] = list[:min(len(list), introsKept)]
		if err := t.documents.Save(ctx, &i); !errors.Is(err, ErrConflict) {
			return err
		}
	}
}
