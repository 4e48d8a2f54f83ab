package unlock

import (
	"slices"
	"strings"
	"time"
)

// Rename has the conversations that asked go by what [name] calls them, and says whether one was called otherwise. Of the key of a turn
// what stands behind the conversation's id, that of an update, goes by what [update] calls it then.
func (d *Document) Rename(name, update func(id string) string) (changed bool) {
	put := func(conv *string) {
		if *conv == "" {
			return
		}
		if to := name(*conv); to != *conv {
			*conv, changed = to, true
		}
	}
	for i := range d.Asks {
		if conv, rest, ok := strings.Cut(d.Asks[i].Turn, "/"); ok {
			if was := conv; conv != "" {
				if put(&conv); conv != was {
					rest = update(rest)
				}
			}
			d.Asks[i].Turn = conv + "/" + rest
		}
	}
	for _, a := range d.all() {
		a.Convs, a.Spoken = slices.Clone(a.Convs), slices.Clone(a.Spoken)
		for i := range a.Convs {
			put(&a.Convs[i])
		}
		for i := range a.Spoken {
			put(&a.Spoken[i].Conv)
		}
		put(&a.By)
	}
	return changed
}

// Busy says that a link of the document may still be used, or that it owes something.
func (d *Document) Busy(now time.Time) bool {
	return len(d.Promises) > 0 || d.Live != nil && now.Before(d.Live.Asked.Add(MaxLife)) || d.Live != nil && !d.Live.Redeemed.IsZero() && now.Before(d.Live.keyPassEnds())
}

// as is the name by which an attempt knows a conversation: of one that a version before made it may be the one of then.
func (s *Service) as(a *Attempt, conv string) string {
	if a == nil || s.Conv == nil || slices.Contains(a.Convs, conv) {
		return conv
	}
	for _, known := range a.Convs {
		if s.Conv(known) == conv {
			return known
		}
	}
	return conv
}
