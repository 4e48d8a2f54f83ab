package unlock

import (
	"context"
	"slices"
	"time"
)

// notMeLife is how long "No fui yo" works: letters are read late, and who finds one the next morning must be heard.
const notMeLife = 24 * time.Hour

// Purge takes what has ended off a record: the link and the sealed number when its time (or its ticket's) is over,
// the rest of the attempt a day after it was asked for. A live link or ticket stays, and what an unkept promise needs.
// It says whether a link was taken off.
func (s *Service) Purge(ctx context.Context, record string) (purged bool, err error) {
	_, err = s.change(ctx, record, func(r *Record, now time.Time) error {
		purged = false
		if r.PurgeAt.IsZero() || now.Before(r.PurgeAt) {
			return errUnchanged
		}
		r.PurgeAt = time.Time{}
		stays := func(a *Attempt) bool { // and until when
			until := a.ends(s.Limits.LinkTTL)
			last := a.Asked.Add(notMeLife)
			if !now.Before(until) && r.owes(a.ID) && now.Before(last) {
				until = now.Add(time.Minute) // its promises still need the number
			}
			if now.Before(until) {
				r.purgeBy(until)
				return true
			}
			return false
		}
		r.Used = slices.DeleteFunc(r.Used, func(a Attempt) bool { return !stays(&a) })
		if r.Live == nil || stays(r.Live) {
			return nil
		}
		purged = r.Live.Link != ""
		r.Live.Link, r.Live.Sealed, r.Live.Nonce = "", "", ""
		if last := r.Live.Asked.Add(notMeLife); now.Before(last) && r.Live.NotMe != "" {
			r.purgeBy(last)
		} else {
			r.Live = nil
		}
		return nil
	})
	return purged, err
}

// purgeBy has the record looked at by then.
func (r *Record) purgeBy(t time.Time) {
	if r.PurgeAt.IsZero() || t.Before(r.PurgeAt) {
		r.PurgeAt = t
	}
}
