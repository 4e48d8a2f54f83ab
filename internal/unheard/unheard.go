// Package unheard is what becomes of sentences that the bot did not understand: kept without whose they are, so that a
// supervisor can say what they meant and the model can learn from them (P413).
//
// Equal sentences in a place are one row that counts how often it was said. For a day it also knows, by a keyed hash, which
// chats said it: so keeping the same turn twice counts once, and whoever has their data erased takes their part of the row
// with it. After that day the hashes are dropped, and nobody can tell any more whose the sentence was.
package unheard

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"

	"llave/bot"
)

const (
	// Runes is how much of a sentence is kept.
	Runes = 200
	// Known is how long it is known which chats said a sentence.
	Known = 24 * time.Hour
	// mostTellers bounds a row. One that so many chats said within a day remains whoever of them asks for erasure.
	mostTellers = 300
)

// NotOurs is what a row is assigned to that means nothing that is done here.
const NotOurs = "-"

// ErrNoRow means that there is no such row any more.
var ErrNoRow = errors.New("no such sentence")

// Teller is one chat that said a sentence within the last day.
type Teller struct {
	Who   string    `bson:"who"`  // keyed hash of the chat
	Last  string    `bson:"last"` // keyed hash of the turn in which it said it last: counted already
	At    time.Time `bson:"at"`
	Times int64     `bson:"times"`
}

// Row is one sentence in one place.
type Row struct {
	ID         string    `bson:"_id"` // of place and sentence
	Version    int64     `bson:"v"`
	Place      string    `bson:"place"` // bot.Place.Name
	Lang       string    `bson:"lang"`
	Said       string    `bson:"said"`       // masked and cut, as it was said first
	Meaning    string    `bson:"meaning"`    // the likeliest, as it was read last
	Confidence float64   `bson:"confidence"` // of it
	Times      int64     `bson:"times"`
	First      time.Time `bson:"first"`
	Last       time.Time `bson:"last"`
	Assigned   string    `bson:"assigned,omitempty"` // the meaning that a supervisor gave it, or NotOurs
	Tellers    []Teller  `bson:"tellers,omitempty"`  // earliest first
	DropAt     time.Time `bson:"drop_at,omitempty"`  // when the first of them is dropped
}

// Telling is one time that a sentence was said.
type Telling struct {
	Who, Turn  string // keyed hashes of the chat, and of the turn
	At         time.Time
	Place      string
	Lang       string
	Said       string // masked
	Meaning    string
	Confidence float64
}

// ID names the row of a telling: words that differ by case, accents or signs alone are the same.
func (t Telling) ID() string {
	words := strings.FieldsFunc(bot.Fold(t.Said), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	sum := sha256.Sum256([]byte(t.Place + "\n" + strings.Join(words, " ")))
	return hex.EncodeToString(sum[:16])
}

// Add counts a telling, and says whether that changed the row: one that came before does not.
func (r *Row) Add(t Telling) bool {
	i := slices.IndexFunc(r.Tellers, func(o Teller) bool { return o.Who == t.Who })
	teller := Teller{Who: t.Who, Last: t.Turn, At: t.At, Times: 1}
	if i >= 0 {
		if r.Tellers[i].Last == t.Turn {
			return false
		}
		teller.Times += r.Tellers[i].Times
		r.Tellers = slices.Delete(r.Tellers, i, i+1)
	}
	if r.Times == 0 {
		r.Place, r.Lang, r.Said, r.First = t.Place, t.Lang, bot.Cut(t.Said, Runes), t.At
	}
	r.Times++
	r.Meaning, r.Confidence = t.Meaning, t.Confidence
	if t.At.Before(r.First) {
		r.First = t.At
	}
	if t.At.After(r.Last) {
		r.Last = t.At
	}
	r.Tellers = append(r.Tellers, teller)
	slices.SortStableFunc(r.Tellers, func(a, b Teller) int { return a.At.Compare(b.At) })
	if extra := len(r.Tellers) - mostTellers; extra > 0 {
		r.Tellers = slices.Delete(r.Tellers, 0, extra)
	}
	r.wake()
	return true
}

// Erase takes away what a chat said within the last day, and says whether that changed the row. When Times is zero
// afterwards nobody else said it, and the row must go.
func (r *Row) Erase(who string) bool {
	i := slices.IndexFunc(r.Tellers, func(o Teller) bool { return o.Who == who })
	if i < 0 {
		return false
	}
	r.Times -= r.Tellers[i].Times
	r.Tellers = slices.Delete(r.Tellers, i, i+1)
	r.wake()
	return true
}

// Drop forgets the chats that said it longer ago than Known, and says whether that changed the row.
func (r *Row) Drop(now time.Time) bool {
	before := len(r.Tellers)
	r.Tellers = slices.DeleteFunc(r.Tellers, func(o Teller) bool { return !now.Before(o.At.Add(Known)) })
	r.wake()
	return len(r.Tellers) != before
}

func (r *Row) wake() {
	r.DropAt = time.Time{}
	if len(r.Tellers) > 0 {
		r.DropAt = r.Tellers[0].At.Add(Known)
	}
}
