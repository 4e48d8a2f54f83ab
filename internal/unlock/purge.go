package unlock

import (
	"context"
	"time"

	"llave/bot"
)

// Purge takes what has ended off a document: the link, who asked and, unless it was used, the sealed number when its time (or
// its key pass's) is over; the rest of the attempt when "No fui yo" works no more. A live link or key pass stays, and what an
// unkept promise needs. It says whether a link was taken off.
func (s *Service) Purge(ctx context.Context, id string) (purged bool, err error) {
	var happened steps
	_, err = s.change(ctx, id, func(d *Document, now time.Time) error {
		purged, happened = false, nil
		if d.PurgeAt.IsZero() || now.Before(d.PurgeAt) {
			return errUnchanged
		}
		d.PurgeAt = time.Time{}
		link, open := d.Live != nil && d.Live.Link != "", d.Live.open()
		was := d.Live
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
		if d.TrimAsks(now.Add(-s.Limits.PerDay)); len(d.Asks) > 0 { // who asked is kept no longer than it counts
			d.purgeBy(d.Asks[0].At.Add(s.Limits.PerDay))
		}
		if b := d.Bounced; b != nil && now.Before(b.Until) {
			d.purgeBy(b.Until)
		} else {
			d.Bounced = nil
		}
		purged = link && (d.Live == nil || d.Live.Link == "")
		if purged && open {
			happened.add(was, StepExpired, 0)
		}
		return nil
	})
	if err == nil {
		s.tellSteps(happened)
	}
	return purged, err
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
