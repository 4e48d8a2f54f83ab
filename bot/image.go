package bot

import (
	"context"
	"sync"
)

// Image shows what a text says. It goes out with the text, never instead of it.
type Image struct {
	Name string
	Hash string // of the file, in hex: a changed image is another one
	Alt  string // what is to be seen, in words
	PNG  []byte
}

// Images finds an image by its name.
type Images func(name string) (Image, bool)

// ImageIDs keeps, for every process, what a channel calls an image that it has been given once.
type ImageIDs interface {
	// Find returns the channel's name for an image, or "".
	Find(ctx context.Context, channel, hash string) (id string, err error)
	// Keep notes it, in place of an earlier one.
	Keep(ctx context.Context, channel, hash, id string) error
}

// Uploads is a channel's memory of the images it need not send whole again. It asks the store once an image and keeps
// the answer. Without a store it remembers for this process alone. It is safe for use by many goroutines.
type Uploads struct {
	channel string
	store   ImageIDs
	mu      sync.Mutex
	ids     map[string]string
}

// NewUploads makes a memory; [store] may be nil.
func NewUploads(channel string, store ImageIDs) *Uploads {
	return &Uploads{channel: channel, store: store, ids: map[string]string{}}
}

// ID returns what the channel calls the image, or "" when it does not have it. What the store cannot say is not known:
// the image is sent whole once more, which does no harm.
func (u *Uploads) ID(ctx context.Context, p Image) string {
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

// Keep notes what the channel calls the image.
func (u *Uploads) Keep(ctx context.Context, p Image, id string) error {
	u.remember(p.Hash, id)
	if u.store == nil {
		return nil
	}
	return u.store.Keep(ctx, u.channel, p.Hash, id)
}

// Drop forgets a name that the channel refused, unless another was kept meanwhile.
func (u *Uploads) Drop(p Image, id string) {
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
