package unlock

import (
	"context"
	"errors"
	"fmt"
	"time"

	"llave/bot"
)

// Purged is what a purge took away.
type Purged struct {
	Link     bool // the live link
	Document bool // all of it: nothing of it is needed any more (P735)
}

// Purge takes what has ended off a document: the link, who asked and, unless it was used, the sealed number when its time (or
// its key pass's) is over; the rest of the attempt when "No fui yo" works no more; requests that no limit counts any more; a hold that is
// over. A live link or key pass stays, and what an unkept promise needs. What nothing is left of is deleted, but for a key that was made:
// that stays until another takes its place.
func (s *Service) Purge(ctx context.Context, id string) (Purged, error) {
	for {
		d, now, err := s.load(ctx, id)
		if err != nil {
			return Purged{}, err
		}
		if d.Version == 0 || now.Before(d.PurgeAt) {
			return Purged{}, nil
		}
		was, link, open := d.Live, d.Live != nil && d.Live.Link != "", d.Live.open()
		s.drop(d, now)
		out := Purged{Link: link && (d.Live == nil || d.Live.Link == ""), Document: d.isOver()}
		if out.Document {
			err = s.Documents.Delete(ctx, id, d.Version)
		} else {
			d.Wake()
			err = s.Documents.Save(ctx, d)
		}
		switch {
		case errors.Is(err, bot.ErrConflict):
			continue
		case err != nil:
			return Purged{}, fmt.Errorf("purge unlock document: %w", err)
		}
		if out.Link && open {
			var happened steps
			happened.add(was, StepExpired, 0)
			s.tellSteps(happened)
		}
		return out, nil
	}
}

// How much later a document is looked at that has something left which has no time of its own.
const (
	lookOwed = time.Hour           // promises
	lookKey  = 30 * 24 * time.Hour // a key
)

// drop takes off a document what has ended, and sets when to look again: always, so that none is forgotten.
func (s *Service) drop(d *Document, now time.Time) {
	d.PurgeAt = time.Time{}
	older := d.Used
	d.Used = nil
	for i := range older {
		if s.stays(d, &older[i], now) {
			d.Used = append(d.Used, older[i])
		}
	}
	if d.Live != nil && !s.stays(d, d.Live, now) && (len(d.Used) == 0 || d.Live.NotMe == "") { // else the older ones are found by it
		d.Live = nil
	}
	d.TrimAsks(now.Add(-s.Limits.PerDay)) // who asked is kept no longer than it counts
	for _, a := range d.Asks {
		d.purgeBy(a.At.Add(s.Limits.PerDay))
	}
	if b := d.Bounced; b != nil && now.Before(b.Until) {
		d.purgeBy(b.Until)
	} else {
		d.Bounced = nil
	}
	if d.held(now) {
		d.purgeBy(d.Hold)
	} else {
		d.Hold = time.Time{}
	}
	if len(d.Promises) > 0 {
		d.purgeBy(now.Add(lookOwed))
	}
	if d.Key != "" {
		d.purgeBy(now.Add(lookKey))
	}
}

// isOver says whether nothing of a document is needed any more, once what has ended was dropped.
func (d *Document) isOver() bool {
	return d.Live == nil && len(d.Used) == 0 && len(d.Asks) == 0 && d.Bounced == nil && d.Hold.IsZero() && d.Key == "" && len(d.Promises) == 0
}

// lastOwed is how much longer an attempt stays that was taken back at the last moment: a day for its promises to be kept.
const lastOwed = 24 * time.Hour

// stays says whether there is still something of an attempt to keep, and takes off it what nobody needs once it is over.
func (s *Service) stays(d *Document, a *Attempt, now time.Time) bool {
	last, until := a.notMeEnds(), a.ends(s.Limits.LinkTTL)
	if !now.Before(until) && d.owes(a.ID) && now.Before(last.Add(lastOwed)) {
		until = now.Add(time.Minute) // its promises still need the number
	}
	if now.Before(until) {
		d.purgeBy(until)
		return true
	}
	if a.By != "" { // for the owner's letters
		a.Channel, _ = bot.SplitConversationID(a.By)
	}
	a.Link, a.Nonce = "", ""
	a.forget()
	if a.Redeemed.IsZero() || !now.Before(last) {
		a.Sealed = "" // else "No fui yo" must know whose record it is
	}
	if a.NotMe == "" || !now.Before(last) {
		return false
	}
	d.purgeBy(last)
	return true
}

// purgeBy has the document looked at by then.
func (d *Document) purgeBy(t time.Time) {
	if d.PurgeAt.IsZero() || t.Before(d.PurgeAt) {
		d.PurgeAt = t
	}
}
