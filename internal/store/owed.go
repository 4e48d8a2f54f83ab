package store

import (
	"context"
	"time"

	"llave/bot"
)

// owedAhead is how far ahead something may be put off that is owed now: the longest wait between two tries, and the longest time
// that a keeper is believed. owedMost is how many documents are looked at: whoever owes more than that knows enough.
const (
	owedAhead = 2 * time.Hour
	owedMost  = 20_000
)

// Owed is what is owed in one lane.
type Owed struct {
	Promises int
	Oldest   time.Time // when the oldest was made
}

// owedReads are the fields of outbox.
var owedReads = []string{"promises.lane", "promises.made", "promises.waits"}

// outbox is the part of a document that says what it owes.
type outbox struct {
	Promises []struct {
		Lane  bot.Lane  `bson:"lane"`
		Made  time.Time `bson:"made"`
		Waits bool      `bson:"waits"`
	} `bson:"promises"`
}

// Owed says what conversations and unlock documents owe the outside, by lane, but for what waits for a person's next word. Of a
// document nothing else comes over the wire: neither transcripts nor what is promised.
func (s *Store) Owed(ctx context.Context) (map[bot.Lane]Owed, error) {
	now, err := s.Now(ctx)
	if err != nil {
		return nil, err
	}
	all := map[bot.Lane]Owed{}
	for _, collection := range []string{Conversations, Unlocks} {
		q := Query{Collection: collection, Field: "wake_at", To: now.Add(owedAhead), Limit: owedMost, Only: owedReads}
		err := scan(ctx, unopened(s.engine), q, func(o outbox) bool {
			for _, p := range o.Promises {
				if p.Waits {
					continue
				}
				lane := all[p.Lane]
				lane.Promises++
				if lane.Oldest.IsZero() || p.Made.Before(lane.Oldest) {
					lane.Oldest = p.Made
				}
				all[p.Lane] = lane
			}
			return true
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}
