package store

import (
	"context"
	"fmt"
	"time"

	"llave/internal/handoff"
)

// Draft returns what an agent has begun to write in a case; of version 0 when there is nothing. One that cannot be opened any more,
// because its chat was forgotten, is nothing.
func (t *DeskTable) Draft(ctx context.Context, ref, login string) (handoff.Draft, error) {
	return t.drafts.Load(ctx, handoff.DraftID(ref, login))
}

// SaveDraft stores a draft as Documents.Save does.
func (t *DeskTable) SaveDraft(ctx context.Context, d *handoff.Draft) error {
	return t.drafts.Save(ctx, d)
}

// DropDraft removes a draft as it was read; ErrConflict when it has moved on.
func (t *DeskTable) DropDraft(ctx context.Context, d handoff.Draft) error {
	return t.drafts.Delete(ctx, d.ID, d.Version)
}

// EraseDrafts forgets what agents have begun to write in the cases of a conversation.
func (t *DeskTable) EraseDrafts(ctx context.Context, conv string) error {
	if _, err := t.engine.DeleteRange(ctx, Query{Collection: Drafts, Field: "conv", From: conv, To: conv + "\x00"}); err != nil {
		return fmt.Errorf("erase drafts: %w", err)
	}
	return nil
}

// ForgetDrafts removes at most [limit] drafts that nobody has changed for their retention, and says how many.
func (t *DeskTable) ForgetDrafts(ctx context.Context, now time.Time, limit int) (int64, error) {
	return t.engine.DeleteRange(ctx, Query{Collection: Drafts, Field: "at", To: now.Add(-draftsKept), Limit: limit})
}
