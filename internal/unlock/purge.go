package unlock

import (
	"context"
	"slices"
	"time"
)

// notMeLife is how long "No fui yo" works: letters are read late, and who finds one the next morning must be heard.
const notMeLife = 24 * time.Hour

// Purge takes what has ended off a document: the link and the sealed number when its time (or its key pass's) is over,
// the rest of the attempt a day after it was asked for. A live link or key pass stays, and what an unkept promise needs.
// It says whether a link was taken off.
func (s *Service) Purge(ctx context.Context, id string) (purged bool, err error) {
	_, err = s.change(ctx, id, func(d *Document, now time.Time) error {
		purged = false
		if d.PurgeAt.IsZero() || now.Before(d.PurgeAt) {
			return errUnchanged
		}
		d.PurgeAt = time.Time{}
		stays := func(a *Attempt) bool { // and until when
			until := a.ends(s.Limits.LinkTTL)
			last := a.Asked.Add(notMeLife)
			if !now.Before(until) && d.owes(a.ID) && now.Before(last) {
				until = now.Add(time.Minute) // its promises still need the number
			}
			if now.Before(until) {
				d.purgeBy(until)
				return true
			}
			return false
		}
		d.Used = slices.DeleteFunc(d.Used, func(a Attempt) bool { return !stays(&a) })
		if d.Live == nil || stays(d.Live) {
			return nil
		}
		purged = d.Live.Link != ""
		d.Live.Link, d.Live.Sealed, d.Live.Nonce = "", "", ""
		if last := d.Live.Asked.Add(notMeLife); now.Before(last) && d.Live.NotMe != "" {
			d.purgeBy(last)
		} else {
			d.Live = nil
		}
		return nil
	})
	return purged, err
}

// purgeBy has the document looked at by then.
func (d *Document) purgeBy(t time.Time) {
	if d.PurgeAt.IsZero() || t.Before(d.PurgeAt) {
		d.PurgeAt = t
	}
}
