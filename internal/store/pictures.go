package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// PictureID is what a channel calls a picture that it has been given. A picture is known by its hash, so a changed one is
// given anew, and what nobody shows any more is as small as this.
type PictureID struct {
	Key     string    `bson:"_id"` // channel and hash
	Version int64     `bson:"v"`
	Name    string    `bson:"name"` // the channel's
	At      time.Time `bson:"at"`
}

// PictureTable keeps the channels' names for our pictures, for every process.
type PictureTable struct {
	engine    Engine
	documents *Documents[PictureID]
}

func newPictures(engine Engine) *PictureTable {
	return &PictureTable{engine, NewDocuments(engine, Settings, func(p *PictureID) (*string, *int64) { return &p.Key, &p.Version })}
}

func pictureKey(channel, hash string) string { return "picture/" + channel + "/" + hash }

// Find returns the channel's name for the picture with that hash, or "".
func (t *PictureTable) Find(ctx context.Context, channel, hash string) (string, error) {
	p, _, err := t.documents.Find(ctx, pictureKey(channel, hash))
	if err != nil {
		return "", fmt.Errorf("find picture: %w", err)
	}
	return p.Name, nil
}

// Keep notes the channel's name for a picture, in place of an earlier one. Of two that are noted at once one remains: both
// serve.
func (t *PictureTable) Keep(ctx context.Context, channel, hash, name string) error {
	p, err := t.documents.Load(ctx, pictureKey(channel, hash))
	if err != nil {
		return fmt.Errorf("keep picture: %w", err)
	}
	if p.At, err = t.engine.Now(ctx); err != nil {
		return fmt.Errorf("read the store's clock: %w", err)
	}
	p.Name = name
	if err := t.documents.Save(ctx, &p); err != nil && !errors.Is(err, ErrConflict) {
		return fmt.Errorf("keep picture: %w", err)
	}
	return nil
}
