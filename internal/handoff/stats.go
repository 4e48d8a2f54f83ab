package handoff

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"llave/bot"
)

// Figures are what a supervisor sees of some cases.
type Figures struct {
	Asked       int // were asked for
	Taken       int // an agent took them
	Resolved    int // an agent closed them
	Returned    int // an agent gave them back to the bot
	Left        int // the person did not wait
	Open        int
	Breached    int       // waited longer than the target: for the first answer, or until they left, or until now
	FirstAnswer Quantiles // from asking, or from the opening after it, to an agent's first word
	Handling    Quantiles // from taking to the end
	Abandoned   Quantiles // how long those waited who left before an agent took them
	Ratings     [6]int    // how many gave 1 to 5; none at 0
}

// Quantiles are of some lengths of time. Both are zero when N is.
type Quantiles struct {
	N        int
	P50, P90 time.Duration
}

// Rating is the mean of the ratings, and how many there are.
func (f Figures) Rating() (mean float64, n int) {
	sum := 0
	for stars, count := range f.Ratings {
		n += count
		sum += stars * count
	}
	if n == 0 {
		return 0, 0
	}
	return float64(sum) / float64(n), n
}

// Report is the figures of a stretch of time: in all, by hour of the day at the desk, and in groups.
type Report struct {
	All      Figures
	Agents   []Group // by login
	Days     []Group // by date, earliest first
	Weeks    []Group // by the Monday that each begins with
	Channels []Group
	Meanings []Group // by what the person wrote; "" where it was not understood
	Steps    []Group // by where the bot was
	ByHour   [24]HourFigures
	Reasons  map[string]int // of the closed ones
}

// Group is the figures of cases that have something in common.
type Group struct {
	Key, Name string
	Figures
}

// HourFigures say how many cases were asked for in an hour of the day, and how many got a first answer in it.
type HourFigures struct{ Asked, Answered int }

// Sieve chooses cases. What is empty chooses all.
type Sieve struct {
	From, To                      time.Time // From ≤ asked < To
	Agent, Channel, Meaning, Step string
	Hour                          string // of the day at the desk in which it was asked for: "08"
	Which                         string // one of those below
	Reason                        string
}

// Which cases a figure counts.
const (
	WhichTaken     = "taken"
	WhichResolved  = "resolved"
	WhichReturned  = "returned"
	WhichLeft      = "left"
	WhichOpen      = "open"
	WhichBreached  = "breached"
	WhichAnswered  = "answered"
	WhichAbandoned = "abandoned"
	WhichRated     = "rated"
)

// None chooses those in which something is not known: "meaning" has none.
const None = "-"

// Counted is a case with what the figures make of it.
type Counted struct {
	CaseFile
	Channel  string
	Waited   time.Duration // to the first answer, to the end, or until now
	Answered bool
	Breached bool
	Left     bool // the person did not wait
	Gave     bool // and no agent had taken it
}

// count looks at a case by the calendar that holds.
func (d *Desk) count(rec CaseFile, calendar Calendar, now time.Time) Counted {
	h := rec.Handoff
	channel, _ := bot.SplitConversationID(rec.Conv)
	until, answered := now, !h.Answered.IsZero()
	switch {
	case answered:
		until = h.Answered
	case !h.Ended.IsZero():
		until = h.Ended
	}
	c := Counted{CaseFile: rec, Channel: channel, Answered: answered, Waited: max(until.Sub(calendar.WaitFrom(h.Asked, until)), 0)}
	c.Breached = c.Waited > d.Target && h.Status != bot.HandoffScheduled
	c.Left = !h.Open() && slices.Contains([]string{Left, Erased, ChangedHands}, h.Reason)
	c.Gave = c.Left && h.Taken.IsZero()
	return c
}

// which says whether a case is among those that a figure counts.
func (c Counted) which(name string) bool {
	h := c.Handoff
	switch name {
	case "":
		return true
	case WhichTaken:
		return !h.Taken.IsZero()
	case WhichOpen:
		return h.Open()
	case WhichReturned:
		return !h.Open() && h.Reason == Returned
	case WhichLeft:
		return c.Left
	case WhichResolved:
		return !h.Open() && h.Reason != Returned && !c.Left
	case WhichBreached:
		return c.Breached
	case WhichAnswered:
		return c.Answered
	case WhichAbandoned:
		return c.Gave
	case WhichRated:
		return h.Rating >= 1 && h.Rating <= 5
	}
	return false
}

func same(want, is string) bool { return want == "" || want == is || want == None && is == "" }

// passes says whether a case is among those that are chosen.
func (s Sieve) passes(c Counted, zone *time.Location) bool {
	h := c.Handoff
	return same(s.Agent, h.Agent) && same(s.Channel, c.Channel) && same(s.Meaning, h.Meaning) && same(s.Step, string(h.From)) &&
		same(s.Hour, h.Asked.In(zone).Format("15")) && (s.Reason == "" || !h.Open() && h.Reason == s.Reason) && c.which(s.Which)
}

// EachCounted calls each for the cases that a sieve chooses, the latest first, until it returns false. A case asked for while the
// desk was closed counts its wait from the next opening, as the calendar has it now.
func (d *Desk) EachCounted(ctx context.Context, s Sieve, each func(Counted) bool) error {
	calendar, err := d.Calendar(ctx)
	if err != nil {
		return err
	}
	now, err := d.Now(ctx)
	if err != nil {
		return fmt.Errorf("read the store's clock: %w", err)
	}
	err = d.Store.EachCase(ctx, s.From, s.To, func(rec CaseFile) bool {
		if rec.Notice {
			return true
		}
		c := d.count(rec, calendar, now)
		return !s.passes(c, d.Zone) || each(c)
	})
	if err != nil {
		return fmt.Errorf("read the cases: %w", err)
	}
	return nil
}

// Report reads the figures of the cases that a sieve chooses.
func (d *Desk) Report(ctx context.Context, s Sieve) (Report, error) {
	all := &sums{}
	var agents, days, weeks, channels, meanings, steps grouped
	r := Report{Reasons: map[string]int{}}
	err := d.EachCounted(ctx, s, func(c Counted) bool {
		h := c.Handoff
		asked := h.Asked.In(d.Zone)
		r.ByHour[asked.Hour()].Asked++
		if c.Answered {
			r.ByHour[h.Answered.In(d.Zone).Hour()].Answered++
		}
		if !h.Open() {
			r.Reasons[h.Reason]++
		}
		all.add(c)
		if h.Agent != "" {
			agents.add(h.Agent, h.AgentName, c)
		}
		days.add(string(DateOf(asked)), "", c)
		weeks.add(string(DateOf(asked.AddDate(0, 0, -(int(asked.Weekday())+6)%7))), "", c)
		channels.add(c.Channel, "", c)
		meanings.add(h.Meaning, "", c)
		steps.add(string(h.From), "", c)
		return true
	})
	if err != nil {
		return Report{}, err
	}
	r.All = all.figures()
	r.Agents, r.Days, r.Weeks, r.Channels, r.Meanings, r.Steps = agents.groups(), days.groups(), weeks.groups(), channels.groups(), meanings.groups(), steps.groups()
	return r, nil
}

// grouped are figures in the making by a key.
type grouped map[string]*sums

func (g *grouped) add(key, name string, c Counted) {
	if *g == nil {
		*g = grouped{}
	}
	if (*g)[key] == nil {
		(*g)[key] = &sums{name: name}
	}
	(*g)[key].add(c)
}

// groups are in order of their keys.
func (g grouped) groups() (all []Group) {
	for _, key := range slices.Sorted(maps.Keys(g)) {
		all = append(all, Group{key, g[key].name, g[key].figures()})
	}
	return all
}

// sums are figures in the making.
type sums struct {
	name                       string
	f                          Figures
	first, handling, abandoned []time.Duration
}

func (s *sums) add(c Counted) {
	h := c.Handoff
	s.f.Asked++
	for which, n := range map[string]*int{
		WhichTaken: &s.f.Taken, WhichOpen: &s.f.Open, WhichReturned: &s.f.Returned, WhichLeft: &s.f.Left, WhichResolved: &s.f.Resolved, WhichBreached: &s.f.Breached,
	} {
		if c.which(which) {
			*n++
		}
	}
	if c.Answered {
		s.first = append(s.first, c.Waited)
	}
	if c.Gave {
		s.abandoned = append(s.abandoned, c.Waited)
	}
	if !h.Taken.IsZero() && !h.Ended.IsZero() {
		s.handling = append(s.handling, h.Ended.Sub(h.Taken))
	}
	if c.which(WhichRated) {
		s.f.Ratings[h.Rating]++
	}
}

func (s *sums) figures() Figures {
	s.f.FirstAnswer, s.f.Handling, s.f.Abandoned = quantiles(s.first), quantiles(s.handling), quantiles(s.abandoned)
	return s.f
}

// quantiles are by nearest rank.
func quantiles(of []time.Duration) Quantiles {
	if len(of) == 0 {
		return Quantiles{}
	}
	slices.SortFunc(of, cmp.Compare[time.Duration])
	rank := func(p int) time.Duration { return of[(len(of)*p+99)/100-1] }
	return Quantiles{len(of), rank(50), rank(90)}
}
