package bot

import (
	"context"
	"sync"
)

// Picture shows what a text says. It goes out with the text, never instead of it.
type Picture struct {
	Name string
	Hash string // of the file, in hex: a changed picture is another one
	Alt  string // what is to be seen, in words
	PNG  []byte
}

// Pictures finds a picture by its name.
type Pictures func(name string) (Picture, bool)

// PictureIDs keeps, for every process, what a channel calls a picture that it has been given once.
type PictureIDs interface {
	// Find returns the channel's name for a picture, or "".
	Find(ctx context.Context, channel, hash string) (id string, err error)
	// Keep notes it, in place of an earlier one.
	Keep(ctx context.Context, channel, hash, id string) error
}

// Uploads is a channel's memory of the pictures it need not send whole again. It asks the store once a picture and keeps
// the answer. Without a store it remembers for this process alone. It is safe for use by many goroutines.
type Uploads struct {
	channel string
	store   PictureIDs
	mu      sync.Mutex
	ids     map[string]string
}

// NewUploads makes a memory; store may be nil.
func NewUploads(channel string, store PictureIDs) *Uploads {
	return &Uploads{channel: channel, store: store, ids: map[string]string{}}
}

// ID returns what the channel calls the picture, or "" when it does not have it. What the store cannot say is not known:
// the picture is sent whole once more, which does no harm.
func (u *Uploads) ID(ctx context.Context, p Picture) string {
	u.mu.Lock()
	id, known := u.ids[p.Hash]
	u.mu.Unlock()
	if known || u.store == nil {
		return id
	}
	id, err := u.store.Find(ctx, u.channel, p.Hash)
	if err != nil || id == "" {
		return ""
	}
	u.remember(p.Hash, id)
	return id
}

// Keep notes what the channel calls the picture.
func (u *Uploads) Keep(ctx context.Context, p Picture, id string) error {
	u.remember(p.Hash, id)
	if u.store == nil {
		return nil
	}
	return u.store.Keep(ctx, u.channel, p.Hash, id)
}

// Drop forgets a name that the channel refused, unless another was kept meanwhile.
func (u *Uploads) Drop(p Picture, id string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ids[p.Hash] == id {
		u.ids[p.Hash] = "" // known to be none: the store's is the refused one
	}
}

func (u *Uploads) remember(hash, id string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.ids[hash] = id
}
