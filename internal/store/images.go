package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ImageID is what a channel calls an image that it has been given. An image is known by its hash, so a changed one is
// given anew, and what nobody shows any more is as small as this.
type ImageID struct {
	Key     string    `bson:"_id"` // channel and hash
	Version int64     `bson:"v"`
	Name    string    `bson:"name"` // the channel's
	At      time.Time `bson:"at"`
}

// ImageTable keeps the channels' names for our images, for every process.
type ImageTable struct {
	engine    Engine
	documents *Documents[ImageID]
}

func newImages(engine Engine) *ImageTable {
	return &ImageTable{engine, NewDocuments(engine, Settings, func(p *ImageID) (*string, *int64) { return &p.Key, &p.Version })}
}

// imageKey is the id of a stored name. It begins with the word that earlier versions had for an image, and stays: with
// another each image would be uploaded again.
func imageKey(channel, hash string) string { return "picture/" + channel + "/" + hash }

// Find returns the channel's name for the image with that hash, or "".
func (t *ImageTable) Find(ctx context.Context, channel, hash string) (string, error) {
	p, _, err := t.documents.Find(ctx, imageKey(channel, hash))
	if err != nil {
		return "", fmt.Errorf("find image: %w", err)
	}
	return p.Name, nil
}

// Keep notes the channel's name for an image, in place of an earlier one. Of two that are noted at once one remains: both
// serve.
func (t *ImageTable) Keep(ctx context.Context, channel, hash, name string) error {
	p, err := t.documents.Load(ctx, imageKey(channel, hash))
	if err != nil {
		return fmt.Errorf("keep image: %w", err)
	}
	if p.At, err = t.engine.Now(ctx); err != nil {
		return fmt.Errorf("read the store's clock: %w", err)
	}
	p.Name = name
	if err := t.documents.Save(ctx, &p); err != nil && !errors.Is(err, ErrConflict) {
		return fmt.Errorf("keep image: %w", err)
	}
	return nil
}
