package store

import (
	"context"
	"fmt"
	"slices"
)

// What comes by a channel of a chat that was erased need not be a word of its person's: it is delivered once more, or says that they
// blocked us. The chat must have its address before it is known which, and is to lose it again then. So whatever comes is counted in the
// entry (content.Came) until the person is heard, and who takes the address away does it in a replace that a later one makes fail.

// comes notes that something comes of a chat which was erased, and says whether it is one. [there]: it has its address still.
func (e *entry) comes(there bool) bool {
	if e.Came == 0 && (there || e.storedEntry.Version == 0) {
		return false
	}
	e.Came = max(e.Came, 1) + 1
	return true
}

// saveCame is save, of an entry in which it may have been noted that something came.
func (b *AddressBook) saveCame(ctx context.Context, e *entry, came bool) error {
	err := b.save(ctx, e)
	if err == nil && came {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.back[e.ID] = append(b.back[e.ID], e.Came)
	}
	return err
}

// comesTo is comes, of a chat whose person has names.
func (b *AddressBook) comesTo(ctx context.Context, c *Contact) error {
	e := *c.entry
	came := e.comes(true)
	if err := b.saveCame(ctx, &e, came); err != nil {
		return err
	}
	c.entry, c.Version = &e, e.storedEntry.Version
	return nil
}

// heard is the first of what came of a chat and was not heard yet; 0: nothing.
func (b *AddressBook) heard(id string) (n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if all := b.back[id]; len(all) > 0 {
		slices.Sort(all)
		if n, b.back[id] = all[0], all[1:]; len(all) == 1 {
			delete(b.back, id)
		}
	}
	return n
}

// Heard is called when what came of a chat was heard. Of one that was erased the address goes again, unless its person has said
// something since, or something else has come meanwhile; one that it has for the answer goes as if nothing had come.
func (s *Store) Heard(ctx context.Context, conv string) error {
	n := s.Book.heard(conv)
	if n == 0 {
		return nil
	}
	x, err := s.erasures().Load(ctx, conv)
	if err == nil {
		err = again(func() error {
			e, err := s.Book.load(ctx, conv)
			if err != nil || e.Came == 0 {
				return err
			}
			c, err := s.Conversations.Load(ctx, conv) // after the entry, which whoever writes changes first
			switch {
			case err != nil:
				return err
			case c.LastAt.After(e.Born):
				e.Came = 0
			case e.Came != n:
				return nil
			case x.Version > 0:
				e.Came = 1
			default:
				e.letGo()
			}
			return s.Book.save(ctx, &e)
		})
	}
	if err != nil {
		return fmt.Errorf("forget again whom an erased chat was with: %w", err)
	}
	return nil
}
