// Package report counts: how many procedures were attended to, how many were completed, how many letters went out, complaints came in and
// people asked for a person, by month and by day. It is what the institution publishes of the procedure.
//
// Whatever counts is an Entry, which names nobody and is kept under the key of what made it count, so that doing it again counts nothing.
// A month is summed up from its entries each time that somebody asks, until nothing of it can come any more (Closes): then its sum takes
// the place of its entries, and outlives every retention. What the institution had counted before, or counts beside, is the sheet's.
package report

import (
	"fmt"
	"slices"
	"time"
)

// The kinds of entries.
const (
	Visit     = "visit"     // somebody came, and perhaps had the procedure attended to
	Letter    = "letter"    // a letter with a link, which the mail server took
	Complaint = "complaint" // that was filed
	Handoff   = "handoff"   // a person was asked for
)

// Entry is one thing that counts.
type Entry struct {
	ID        string        `bson:"_id"` // a keyed hash that leads to nobody
	Version   int64         `bson:"v"`
	Kind      string        `bson:"kind"`
	At        time.Time     `bson:"at"`                // to the quarter of an hour: when it began
	Reached   []string      `bson:"reached,omitempty"` // visit: its stages
	Attended  bool          `bson:"attended,omitempty"`
	Completed bool          `bson:"completed,omitempty"`
	Left      string        `bson:"left,omitempty"` // visit: why it ended short of its end
	Took      time.Duration `bson:"took,omitempty"` // visit: from its beginning until it was completed; handoff: until an agent's first word
}

// What a moment is rounded down to, so that it does not tell whose it is. Days begin at such a moment in every time zone.
const grain = 15 * time.Minute

// Until is how long after it was owed something is counted at most. Whoever ran has kept it long before; nobody ran otherwise, and what is
// found then might be of a month that is closed.
const Until = 60 * day

// lateness is how long after it began an entry may change.
const lateness = 31 * day

const day = 24 * time.Hour

// Rounded is the entry as it is kept.
func (e Entry) Rounded() Entry {
	e.At = e.At.UTC().Truncate(grain)
	return e
}

// Late says whether what was owed at [made] is counted no more at [now].
func (e Entry) Late(made, now time.Time) bool {
	return now.After(made.Add(Until)) || made.After(e.At.Add(lateness))
}

// Further says whether an entry tells more than what is kept of the same: what was promised before may be kept after.
func (e Entry) Further(kept Entry) bool {
	if len(e.Reached) != len(kept.Reached) {
		return len(e.Reached) > len(kept.Reached)
	}
	return e.Left != "" && kept.Left == "" || e.Took > 0 && kept.Took == 0
}

// Month is a month of a year, as "2025-09": so months order as their names do.
type Month string

// MonthOf is the month of a moment.
func MonthOf(at time.Time, zone *time.Location) Month { return Month(at.In(zone).Format("2006-01")) }

// ParseMonth reads a month as people type it.
func ParseMonth(s string) (Month, error) {
	at, err := time.Parse("2006-01", s)
	if err != nil || at.Format("2006-01") != s || at.Year() < 2000 || at.Year() > 2999 { // names of months order as months within four digits alone
		return "", fmt.Errorf("%q is no month: write it as 2025-09", s)
	}
	return Month(s), nil
}

// Begins is its first moment.
func (m Month) Begins(zone *time.Location) time.Time {
	at, _ := time.Parse("2006-01", string(m))
	return time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, zone)
}

// Plus is the month so many months later.
func (m Month) Plus(n int) Month {
	return Month(m.Begins(time.UTC).AddDate(0, n, 0).Format("2006-01"))
}

// Closes is the moment from which on nothing of the month can be counted any more.
func (m Month) Closes(zone *time.Location) time.Time {
	return m.Plus(1).Begins(zone).Add(lateness + Until + day)
}

// Year and Number are its parts, as the sheet has them: "2025" and "09".
func (m Month) Year() string   { return string(m[:4]) }
func (m Month) Number() string { return string(m[5:]) } // Number is the month's within its year.

// Sum is what was counted of a month.
type Sum struct {
	Visits     int            `bson:"visits" json:"visits"`
	Attentions int            `bson:"attentions" json:"attentions"`
	Completed  int            `bson:"completed" json:"completed"`
	Letters    int            `bson:"letters" json:"letters"`
	Complaints int            `bson:"complaints" json:"complaints"`
	Handoffs   int            `bson:"handoffs" json:"handoffs"`
	Took       time.Duration  `bson:"took" json:"-"`   // the median of what completing took; zero: nobody did
	Waited     time.Duration  `bson:"waited" json:"-"` // the median of the wait for an agent's first word; zero: none was said
	Reached    map[string]int `bson:"reached" json:"reached"`
	Left       map[string]int `bson:"left" json:"left"`
	Days       []Day          `bson:"days" json:"days"`
}

// Day is what was counted of one day.
type Day struct {
	Attentions int `bson:"attentions" json:"attentions"`
	Letters    int `bson:"letters" json:"letters"`
	Complaints int `bson:"complaints" json:"complaints"`
}

// Rate is how many of the attentions were completed, of a hundred; not ok: there were none.
func (s Sum) Rate() (percent float64, ok bool) {
	if s.Attentions == 0 {
		return 0, false
	}
	return 100 * float64(s.Completed) / float64(s.Attentions), true
}

// Volumes are what the sheet says of a month.
type Volumes struct {
	Complaints int `bson:"complaints" json:"complaints"`
	Attentions int `bson:"attentions" json:"attentions"`
}

// Figures are what is known of a month.
type Figures struct {
	ID       Month     `bson:"_id"`
	Version  int64     `bson:"v"`
	Sheet    *Volumes  `bson:"sheet,omitempty"`    // what was loaded
	Own      *Sum      `bson:"own,omitempty"`      // what was counted here
	Closed   bool      `bson:"closed,omitempty"`   // nothing is added to Own any more, and the entries are gone
	Reported time.Time `bson:"reported,omitempty"` // when the month's report was written
	Running  bool      `bson:"-"`                  // the month is not over,
	Today    int       `bson:"-"`                  // and this is its day
	Partly   bool      `bson:"-"`                  // counting began within it
}

// Volumes are what the published table has: the sheet's where the month was loaded, else what was counted here.
func (f Figures) Volumes() (v Volumes, known bool) {
	switch {
	case f.Sheet != nil:
		return *f.Sheet, true
	case f.Own != nil:
		return Volumes{f.Own.Complaints, f.Own.Attentions}, true
	}
	return v, false
}

// sums adds up entries.
type sums struct {
	zone *time.Location
	of   map[Month]*summing
}

// summing is a month that is being added up.
type summing struct {
	Sum
	took, waited []time.Duration
}

func (s *sums) month(m Month) *summing {
	if s.of[m] == nil {
		days := m.Plus(1).Begins(time.UTC).Sub(m.Begins(time.UTC)) / day
		s.of[m] = &summing{Sum: Sum{Reached: map[string]int{}, Left: map[string]int{}, Days: make([]Day, days)}}
	}
	return s.of[m]
}

func (s *sums) add(e Entry) {
	m := s.month(MonthOf(e.At, s.zone))
	d := &m.Days[e.At.In(s.zone).Day()-1]
	switch e.Kind {
	case Visit:
		m.visit(e, d)
	case Letter:
		m.Letters++
		d.Letters++
	case Complaint:
		m.Complaints++
		d.Complaints++
	case Handoff:
		m.Handoffs++
		if e.Took > 0 {
			m.waited = append(m.waited, e.Took)
		}
	}
}

func (m *summing) visit(e Entry, d *Day) {
	m.Visits++
	if e.Attended {
		m.Attentions++
		d.Attentions++
	}
	if e.Completed {
		m.Completed++
		m.took = append(m.took, e.Took)
	}
	for _, stage := range e.Reached {
		m.Reached[stage]++
	}
	if e.Left != "" {
		m.Left[e.Left]++
	}
}

// sum is what the month comes to.
func (m *summing) sum() *Sum {
	done := m.Sum
	done.Took, done.Waited = median(m.took), median(m.waited)
	return &done
}

func median(all []time.Duration) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[(len(all)-1)/2]
}
