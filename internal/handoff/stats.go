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
	FirstAnswer Quantiles // from asking, or from the opening after it, to an agent's first word
	Handling    Quantiles // from taking to the end
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

// Report is the figures of a stretch of time, in all and by agent, and by hour of the day at the desk.
type Report struct {
	All     Figures
	Agents  []AgentFigures // in order of login
	ByHour  [24]HourFigures
	Reasons map[string]int // of the closed ones
}

// AgentFigures are one agent's.
type AgentFigures struct {
	Login, Name string
	Figures
}

// HourFigures say how many cases were asked for in an hour of the day, and how many got a first answer in it.
type HourFigures struct{ Asked, Answered int }

// Report reads the cases that were asked for in [from] ≤ asked < [to]. A case asked for while the desk was closed counts its
// wait from the next opening, as the calendar has it now.
func (d *Desk) Report(ctx context.Context, from, to time.Time) (Report, error) {
	calendar, err := d.Calendar(ctx)
	if err != nil {
		return Report{}, err
	}
	all, agents := &sums{}, map[string]*sums{}
	r := Report{Reasons: map[string]int{}}
	err = d.Store.EachCase(ctx, from, to, func(rec CaseFile) bool {
		if rec.Notice {
			return true
		}
		h := rec.Handoff
		r.ByHour[h.Asked.In(d.Zone).Hour()].Asked++
		if !h.Answered.IsZero() {
			r.ByHour[h.Answered.In(d.Zone).Hour()].Answered++
		}
		if !h.Open() {
			r.Reasons[h.Reason]++
		}
		all.add(h, calendar)
		if h.Agent != "" {
			if agents[h.Agent] == nil {
				agents[h.Agent] = &sums{name: h.AgentName}
			}
			agents[h.Agent].add(h, calendar)
		}
		return true
	})
	if err != nil {
		return Report{}, fmt.Errorf("read the cases: %w", err)
	}
	r.All = all.figures()
	for _, login := range slices.Sorted(maps.Keys(agents)) {
		r.Agents = append(r.Agents, AgentFigures{login, agents[login].name, agents[login].figures()})
	}
	return r, nil
}

// sums are figures in the making, of all cases or of one agent's.
type sums struct {
	name            string
	f               Figures
	first, handling []time.Duration
}

func (s *sums) add(h bot.Handoff, calendar Calendar) {
	s.f.Asked++
	if !h.Taken.IsZero() {
		s.f.Taken++
	}
	switch {
	case h.Open():
		s.f.Open++
	case h.Reason == Returned:
		s.f.Returned++
	case slices.Contains([]string{Left, Erased, ChangedHands}, h.Reason):
		s.f.Left++
	default:
		s.f.Resolved++
	}
	if !h.Answered.IsZero() {
		s.first = append(s.first, h.Answered.Sub(calendar.WaitFrom(h.Asked, h.Answered)))
	}
	if !h.Taken.IsZero() && !h.Ended.IsZero() {
		s.handling = append(s.handling, h.Ended.Sub(h.Taken))
	}
	if h.Rating >= 1 && h.Rating <= 5 {
		s.f.Ratings[h.Rating]++
	}
}

func (s *sums) figures() Figures {
	s.f.FirstAnswer, s.f.Handling = quantiles(s.first), quantiles(s.handling)
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
