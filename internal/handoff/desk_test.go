package handoff_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"llave/bot"
	"llave/flows"
	"llave/internal/handoff"
	"llave/internal/store"
)

// Of sixteen who take a case at the same moment, in two processes, one gets it, and the others are told who (P503).
func TestClaim_by16(t *testing.T) {
	dp := newDeskPair(t)
	for round := range 20 {
		chat := fmt.Sprint(round)
		ref := dp.waits(chat).Ref
		won := make([]error, 16)
		var all sync.WaitGroup
		for i := range won {
			all.Go(func() {
				won[i] = dp.desks[i%2].Claim(t.Context(), handoff.Deed{Once: "1", Ref: ref, Actor: actor(fmt.Sprint("agente", i))})
			})
		}
		all.Wait()
		c, err := dp.conv(chat)
		dp.must(err)
		winners := 0
		for i, err := range won {
			var taken *handoff.TakenError
			switch {
			case err == nil && c.Handoff.Agent == fmt.Sprint("agente", i):
				winners++
			case !errors.As(err, &taken) || taken.Name != c.Handoff.AgentName:
				t.Errorf("agent %d: %v, while %s has it", i, err, c.Handoff.Agent)
			}
		}
		if winners != 1 {
			t.Errorf("round %d: %d won", round, winners)
		}
	}
}

// What a deed is refused for, and by whom it may be done at all.
func TestDeeds_refused(t *testing.T) {
	dp := newDeskPair(t)
	ctx, desk := t.Context(), dp.desks[0]
	ref := dp.waits("1").Ref
	for _, login := range []string{"ana", "luis", "sup"} {
		dp.must(desk.Beat(ctx, actor(login), false))
	}
	n := 0
	deed := func(who string) handoff.Deed {
		n++
		return handoff.Deed{Once: fmt.Sprint(n), Ref: ref, Actor: actor(who)}
	}
	nowhere := deed("ana")
	nowhere.Ref = "C-0000-000"
	dp.must(desk.Claim(ctx, deed("ana")))
	dp.must(desk.Claim(ctx, deed("ana"))) // has it already
	for _, tt := range []struct {
		name string
		do   func() error
		want error
	}{
		{"no such case", func() error { return desk.Say(ctx, nowhere, "Hola") }, handoff.ErrNoCase},
		{"another's: say", func() error { return desk.Say(ctx, deed("luis"), "Hola") }, handoff.ErrNotYours},
		{"another's: note", func() error { return desk.Note(ctx, deed("luis"), "Hola") }, handoff.ErrNotYours},
		{"another's: pass", func() error { return desk.Pass(ctx, deed("luis"), "sup", "") }, handoff.ErrNotYours},
		{"another's: release", func() error { return desk.Release(ctx, deed("luis")) }, handoff.ErrNotYours},
		{"another's: return", func() error { return desk.Return(ctx, deed("luis"), flows.Menu) }, handoff.ErrNotYours},
		{"another's: resolve", func() error { return desk.Resolve(ctx, deed("luis"), handoff.Solved) }, handoff.ErrNotYours},
		{"another's: link", func() error { return desk.SendLink(ctx, deed("luis")) }, handoff.ErrNotYours},
		{"another's: office", func() error { return desk.Office(ctx, deed("luis")) }, handoff.ErrNotYours},
		{"another's: number", func() error { _, err := desk.Reveal(ctx, deed("luis")); return err }, handoff.ErrNotYours},
		{"another's: why", func() error { _, err := desk.Why(ctx, deed("luis")); return err }, handoff.ErrNotYours},
		{"a supervisor does not speak for others", func() error { return desk.Say(ctx, deed("sup"), "Hola") }, handoff.ErrNotYours},
		{"to oneself", func() error { return desk.Pass(ctx, deed("ana"), "ana", "") }, handoff.ErrNotYours},
		{"to somebody who is not there", func() error { return desk.Pass(ctx, deed("ana"), "eva", "") }, handoff.ErrNotHere},
		{"to nobody", func() error { return desk.Pass(ctx, deed("ana"), "nobody", "") }, handoff.ErrNotHere},
		{"to no step", func() error { return desk.Return(ctx, deed("ana"), flows.Rating) }, handoff.ErrNotYours},
		{"without a number: link", func() error { return desk.SendLink(ctx, deed("ana")) }, handoff.ErrNoNumber},
		{"without a number: reveal", func() error { _, err := desk.Reveal(ctx, deed("ana")); return err }, handoff.ErrNoNumber},
		{"without a number: why", func() error { _, err := desk.Why(ctx, deed("ana")); return err }, handoff.ErrNoNumber},
		{"nothing to say", func() error { return desk.Say(ctx, deed("ana"), " \n") }, nil},
		{"a supervisor notes", func() error { return desk.Note(ctx, deed("sup"), "Hola") }, nil},
		{"a supervisor passes", func() error { return desk.Pass(ctx, deed("sup"), "luis", "") }, nil},
		{"a supervisor releases", func() error { return desk.Release(ctx, deed("sup")) }, nil},
		{"nobody's: say", func() error { return desk.Say(ctx, deed("ana"), "Hola") }, handoff.ErrNotYours},
		{"taken again", func() error { return desk.Claim(ctx, deed("luis")) }, nil},
		{"a supervisor resolves", func() error { return desk.Resolve(ctx, deed("sup"), handoff.Misuse) }, nil},
		{"over: claim", func() error { return desk.Claim(ctx, deed("luis")) }, handoff.ErrNoCase},
		{"over: say", func() error { return desk.Say(ctx, deed("luis"), "Hola") }, handoff.ErrNotYours},
	} {
		if err := tt.do(); !errors.Is(err, tt.want) || tt.want == nil && err != nil {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
	if err := desk.Resolve(ctx, deed("luis"), "boredom"); err == nil {
		t.Error("resolved for no reason")
	}
}

// The number and the record are shown to who has the conversation, once it is written down (P507).
func TestReveal(t *testing.T) {
	dp := newDeskPair(t)
	ctx, desk := t.Context(), dp.desks[0]
	ref := dp.waits("1").Ref
	dp.must(dp.says(0, "1", "n", known))
	deed := handoff.Deed{Once: "1", Ref: ref, Actor: actor("ana")}
	dp.must(desk.Claim(ctx, deed))
	number, err := desk.Reveal(ctx, deed)
	f, werr := desk.Why(ctx, handoff.Deed{Once: "2", Ref: ref, Actor: actor("sup")})
	if err != nil || werr != nil || number != known || !f.Known {
		t.Errorf("got %q, %v and %+v, %v", number, err, f, werr)
	}
	for prefix, want := range map[string]string{"case_reveal/ana/" + ref + "/1/": "ana case_reveal " + ref, "case_why/sup/" + ref + "/2/": "sup case_why " + ref} {
		said := ""
		for id, line := range dp.audit { // by the hour
			if strings.HasPrefix(id, prefix) {
				said += line
			}
		}
		if said != want {
			t.Errorf("%s: written down %q, want %q", prefix, said, want)
		}
	}
	desk.Audit = func(context.Context, string, string, string, string) error { return errors.New("cannot write") }
	if number, err = desk.Reveal(ctx, deed); err == nil || number != "" {
		t.Errorf("not written down: got %q, %v", number, err)
	}
}

// Who waits is told a position when it has halved; an agent who is gone frees what they had, and so does one who leaves.
func TestTend(t *testing.T) {
	dp := newDeskPair(t)
	ctx := t.Context()
	var refs []string
	for i := range 5 {
		dp.clock.Advance(time.Second)
		refs = append(refs, dp.waits(fmt.Sprint(i)).Ref)
	}
	last := func() bot.Handoff {
		t.Helper()
		dp.must(dp.desks[0].Tend(ctx))
		dp.must(dp.settle(ctx))
		c, err := dp.conv("4")
		dp.must(err)
		return *c.Handoff
	}
	dp.wire.follow("4")
	ref := refs[4]
	for _, tt := range []struct{ take, told int }{{0, 5}, {1, 5}, {2, 2}, {1, 1}} { // the positions 5, 4, 2, 1
		dp.must(dp.desks[1].Beat(ctx, actor("ana"), false))
		for range tt.take {
			dp.must(dp.desks[1].Claim(ctx, handoff.Deed{Once: refs[0], Ref: refs[0], Actor: actor("ana")}))
			refs = refs[1:]
		}
		if got := last().Told; got != tt.told {
			t.Errorf("%d taken: told %d, want %d", tt.take, got, tt.told)
		}
	}
	if n := len(dp.wire.bubbles()); n != 2 {
		t.Errorf("%d bubbles, want one for each half", n)
	}
	deed := handoff.Deed{Once: "last", Ref: ref, Actor: actor("luis")}
	dp.must(dp.desks[0].Beat(ctx, actor("luis"), false))
	dp.must(dp.desks[0].Claim(ctx, deed))
	dp.clock.Advance(59 * time.Second)
	if got := last(); !got.Held() {
		t.Errorf("gone for 59 s: %s", got.Status)
	}
	dp.clock.Advance(time.Second)
	if got := last(); !got.Waiting() || got.Agent != "" {
		t.Errorf("gone for 60 s: %s", got.Status)
	}
	held, err := dp.store.Desk.Queue(ctx, handoff.QueueHeld, 100)
	if err != nil || len(held) != 0 {
		t.Errorf("%d still held, %v", len(held), err)
	}
	dp.must(dp.desks[0].Beat(ctx, actor("luis"), false))
	deed.Once = "again"
	dp.must(dp.desks[0].Claim(ctx, deed))
	dp.must(dp.desks[0].Gone(ctx, "luis"))
	if c, err := dp.conv("4"); err != nil || c.Handoff.Held() {
		t.Errorf("signed out: %+v, %v", c.Handoff, err)
	}
	if staffed, err := dp.desks[0].Staffed(ctx); err != nil || staffed {
		t.Errorf("somebody is there: %t, %v", staffed, err)
	}
}

// The queue follows the hours, also when two processes tend it at once (P505).
func TestTend_hours(t *testing.T) {
	dp := newDeskPair(t)
	ctx := t.Context()
	dp.waits("1")
	dp.wire.follow("1")
	for i, closed := range []bool{true, false, true, false} {
		s, err := dp.store.Schedule.Load(ctx)
		dp.must(err)
		if s.Reopen(); closed {
			dp.must(s.Close("sup", dp.clock.Now(), time.Time{}, ""))
		}
		dp.must(dp.store.Schedule.Save(ctx, &s))
		var both sync.WaitGroup
		for _, d := range dp.desks {
			both.Go(func() {
				for range 3 {
					if err := d.Tend(ctx); err != nil {
						t.Error(err)
					}
				}
			})
		}
		both.Wait()
		dp.must(dp.settle(ctx))
		c, err := dp.conv("1")
		dp.must(err)
		if c.Handoff.Waiting() == closed || len(dp.wire.bubbles()) != i+1 {
			t.Errorf("closed %t: %s, %d bubbles, want %d", closed, c.Handoff.Status, len(dp.wire.bubbles()), i+1)
		}
		dp.clock.Advance(5 * time.Second)
	}
}

// The inbox has every open case in the order of its lists, and what moved; a case and its lines are found while the
// conversation has it and afterwards (P502).
func TestInbox(t *testing.T) {
	dp := newDeskPair(t)
	ctx, desk := t.Context(), dp.desks[0]
	var refs []string
	for i := range 4 {
		dp.clock.Advance(time.Minute)
		refs = append(refs, dp.waits(fmt.Sprint(i)).Ref)
	}
	dp.must(desk.Claim(ctx, handoff.Deed{Once: "1", Ref: refs[2], Actor: actor("ana")}))
	dp.must(desk.Claim(ctx, handoff.Deed{Once: "2", Ref: refs[3], Actor: actor("ana")}))
	dp.must(desk.Resolve(ctx, handoff.Deed{Once: "3", Ref: refs[3], Actor: actor("ana")}, handoff.Solved))
	dp.must(dp.settle(ctx))
	all, err := desk.Inbox(ctx)
	dp.must(err)
	var got []string
	for _, c := range all {
		got = append(got, c.Ref)
		if c.Channel != "telegram" || c.Turns != 2 || c.Gone || c.Unsent != 0 {
			t.Errorf("%s: %+v", c.Ref, c)
		}
	}
	if want := []string{refs[2], refs[0], refs[1]}; !slices.Equal(got, want) {
		t.Errorf("inbox: got %v, want %v", got, want)
	}
	moved, err := desk.Moved(ctx, dp.clock.Now())
	if err != nil || len(moved) != 2 || !slices.ContainsFunc(moved, func(c handoff.Case) bool { return c.Ref == refs[3] && !c.Open() }) {
		t.Errorf("moved: got %+v, %v", moved, err)
	}
	dp.must(dp.says(0, "3", "again", "persona"))
	dp.must(dp.settle(ctx))
	c, err := desk.Find(ctx, refs[3])
	if err != nil || c.Open() || c.Reason != handoff.Solved || c.Conv != "telegram:3" {
		t.Errorf("a case that is over: got %+v, %v", c, err)
	}
	if _, err = desk.Find(ctx, "C-0000-000"); !errors.Is(err, handoff.ErrNoCase) {
		t.Errorf("no case: got %v", err)
	}
	lines, err := desk.Lines(ctx, refs[3], 0)
	if err != nil || len(lines) == 0 || lines[0].Text != "hola" {
		t.Errorf("its lines: got %v, %v", lines, err)
	}
	closed, err := desk.Closed(ctx, handoff.Actor{Supervisor: true}, dp.clock.Now().Add(-time.Hour), dp.clock.Now().Add(time.Hour), 10)
	if err != nil || len(closed) != 1 || closed[0].Ref != refs[3] {
		t.Errorf("closed: got %+v, %v", closed, err)
	}
}

// Lines that are not kept yet are read from what the conversation owes; none is skipped by who reads on and on.
func TestLines_owed(t *testing.T) {
	dp := newDeskPair(t)
	ctx, desk := t.Context(), dp.desks[0]
	ref := dp.waits("1").Ref
	c, err := dp.conv("1")
	dp.must(err)
	from := c.Handoff.Lines
	line := func(seq int64) bot.Line {
		return bot.Line{From: bot.FromPerson, Text: fmt.Sprint(seq), Seq: seq, At: dp.clock.Now()}
	}
	var kept, owed []bot.Line
	for seq := from + 1; seq <= from+handoff.LinesAtOnce+20; seq++ {
		kept = append(kept, line(seq))
	}
	for seq := from + handoff.LinesAtOnce + 18; seq <= from+handoff.LinesAtOnce+25; seq++ { // some of them are kept meanwhile
		owed = append(owed, line(seq))
	}
	dp.must(dp.store.Desk.KeepLines(ctx, c.ID, ref, kept))
	c.Promises = append(c.Promises, bot.Promise{ID: "lines", What: bot.KeepLines{Ref: ref, Conv: c.ID, Lines: owed}})
	dp.must(dp.store.Conversations.Save(ctx, &c))
	after := from
	for after < from+handoff.LinesAtOnce+25 {
		lines, err := desk.Lines(ctx, ref, after)
		if err != nil || len(lines) == 0 {
			t.Fatalf("after %d: %d lines, %v", after, len(lines), err)
		}
		for _, l := range lines {
			if after++; l.Seq != after {
				t.Fatalf("line %d follows line %d", l.Seq, after-1)
			}
		}
	}
	last, err := desk.Lines(ctx, ref, 0)
	if err != nil || last[len(last)-1].Seq != after {
		t.Errorf("the last: %d lines, %v", len(last), err)
	}
}

// A search finds what was said, whatever the accents, says how far back it looked, and wants something to look for.
func TestSearch(t *testing.T) {
	looks := handoff.Deed{Once: "x", Actor: handoff.Actor{Login: "sup", Supervisor: true}}
	dp := newDeskPair(t)
	ctx, desk := t.Context(), dp.desks[0]
	ref := dp.waits("1").Ref
	for i, words := range []string{"se me trabó la página", "La PAGINA sigue trabada", "otra cosa"} {
		dp.clock.Advance(time.Second)
		dp.must(dp.says(0, "1", fmt.Sprint("s", i), words))
	}
	dp.must(dp.settle(ctx))
	for _, tt := range []struct {
		words string
		limit int
		want  []string
	}{
		{"página trab", 10, []string{"La PAGINA sigue trabada", "se me trabó la página"}}, {"pagina", 1, []string{"La PAGINA sigue trabada"}},
		{"trabada otra", 10, nil}, {"asked", 10, nil},
	} {
		hits, _, err := desk.Search(ctx, looks, tt.words, tt.limit)
		var got []string
		for _, hit := range hits {
			got = append(got, hit.Line.Text)
			if hit.Ref != ref {
				t.Errorf("%q: case %s", tt.words, hit.Ref)
			}
		}
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%q: got %v, %v, want %v", tt.words, got, err, tt.want)
		}
	}
	if _, _, err := desk.Search(ctx, looks, " a b ", 10); !errors.Is(err, handoff.ErrTooShort) {
		t.Errorf("two letters: got %v", err)
	}
}

// What a supervisor sees of some cases: how long people waited is counted from the opening, and by the last agent.
func TestReport(t *testing.T) {
	dp := newDeskPair(t)
	ctx, desk := t.Context(), dp.desks[0]
	desk.Hours, _ = handoff.ParseHours("mon-fri 08:00-17:00")
	day := time.Date(2026, 3, 3, 0, 0, 0, 0, time.UTC) // a Tuesday
	dp.clock.Advance(day.Add(12 * time.Hour).Sub(dp.clock.Now()))
	at := func(hour, minute int) time.Time {
		return day.Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute)
	}
	for i, c := range []bot.Handoff{
		{Status: bot.HandoffClosed, Reason: handoff.Solved, Agent: "ana", AgentName: "Ana", Meaning: "not_arrived", From: "LinkSent", Asked: at(9, 0), Taken: at(9, 1), Answered: at(9, 2), Ended: at(9, 11), Rating: 5},
		{Status: bot.HandoffClosed, Reason: handoff.InPerson, Agent: "ana", AgentName: "Ana", Asked: at(3, 0), Taken: at(8, 3), Answered: at(8, 4), Ended: at(8, 23), Rating: 3},
		{Status: bot.HandoffClosed, Reason: handoff.Returned, Agent: "luis", AgentName: "Luis", Asked: at(10, 0), Taken: at(10, 9), Answered: at(10, 10), Ended: at(10, 12)},
		{Status: bot.HandoffClosed, Reason: handoff.Left, Asked: at(10, 30), Ended: at(10, 40)},
		{Status: bot.HandoffHeld, Agent: "luis", AgentName: "Luis", Asked: at(11, 0), Taken: at(11, 1)},
		{Status: bot.HandoffWaiting, Asked: at(11, 30)},
		{Status: bot.HandoffWaiting, Asked: at(24, 0)}, // the next day
	} {
		c.Ref, c.Rev = fmt.Sprintf("C-REPT-%03d", i), 1
		dp.must(dp.store.Desk.KeepCase(ctx, "telegram:1", c))
	}
	for _, closed := range []bool{false, true} { // by hand, which changes nothing of what was
		s, err := dp.store.Schedule.Load(ctx)
		dp.must(err)
		if closed {
			dp.must(s.Close("sup", at(12, 0), time.Time{}, ""))
			dp.must(dp.store.Schedule.Save(ctx, &s))
		}
		r, err := desk.Report(ctx, handoff.Sieve{From: day, To: day.AddDate(0, 0, 1)})
		dp.must(err)
		want := handoff.Figures{
			Asked: 6, Taken: 4, Resolved: 2, Returned: 1, Left: 1, Open: 2, Breached: 5,
			FirstAnswer: handoff.Quantiles{N: 3, P50: 4 * time.Minute, P90: 10 * time.Minute},
			Handling:    handoff.Quantiles{N: 3, P50: 10 * time.Minute, P90: 20 * time.Minute},
			Abandoned:   handoff.Quantiles{N: 1, P50: 10 * time.Minute, P90: 10 * time.Minute},
			Ratings:     [6]int{3: 1, 5: 1},
		}
		if r.All != want {
			t.Errorf("closed %t:\ngot  %+v\nwant %+v", closed, r.All, want)
		}
		if len(r.Agents) != 2 || r.Agents[0].Key != "ana" || r.Agents[0].Resolved != 2 || r.Agents[1].Name != "Luis" || r.Agents[1].Open != 1 || r.Agents[1].Returned != 1 {
			t.Errorf("agents: %+v", r.Agents)
		}
		if r.ByHour[10].Asked != 2 || r.ByHour[8].Answered != 1 || r.Reasons[handoff.Solved] != 1 || len(r.Reasons) != 4 {
			t.Errorf("hours %v, reasons %v", r.ByHour, r.Reasons)
		}
		if len(r.Days) != 1 || r.Days[0].Key != "2026-03-03" || r.Weeks[0].Key != "2026-03-02" || r.Channels[0].Key != "telegram" || r.Channels[0].Asked != 6 {
			t.Errorf("days %v, weeks %v, channels %v", r.Days, r.Weeks, r.Channels)
		}
		if len(r.Meanings) != 2 || r.Meanings[0].Asked != 5 || r.Meanings[1].Key != "not_arrived" || len(r.Steps) != 2 || r.Steps[1].Key != "LinkSent" {
			t.Errorf("meanings %v, steps %v", r.Meanings, r.Steps)
		}
		if mean, n := r.All.Rating(); mean != 4 || n != 2 {
			t.Errorf("rating: %v of %d", mean, n)
		}
	}
	if mean, n := (handoff.Figures{}).Rating(); mean != 0 || n != 0 {
		t.Errorf("no rating: %v of %d", mean, n)
	}
}

// Every figure counts just the cases that it opens, whatever it is looked through by (P782).
func TestReport_opensItsCases(t *testing.T) {
	dp := newDeskPair(t)
	ctx, desk := t.Context(), dp.desks[0]
	from := dp.clock.Now()
	reasons := []string{handoff.Solved, handoff.Returned, handoff.Left, handoff.Erased, ""}
	for i := range 60 {
		h := bot.Handoff{Ref: fmt.Sprintf("C-OPEN-%03d", i), Rev: 1, Asked: from.Add(time.Duration(i) * time.Minute), Status: bot.HandoffHeld, From: bot.State([]string{"Menu", "LinkSent"}[i%2])}
		if i%3 > 0 {
			h.Agent, h.AgentName, h.Taken = "ana", "Ana", h.Asked.Add(time.Minute)
		}
		if i%4 > 1 {
			h.Answered = h.Asked.Add(time.Duration(i) * 10 * time.Second)
		}
		if h.Reason = reasons[i%5]; h.Reason != "" {
			h.Status, h.Ended, h.Rating, h.Meaning = bot.HandoffClosed, h.Asked.Add(time.Hour), i%6, []string{"", "not_arrived"}[i%2]
		}
		dp.must(dp.store.Desk.KeepCase(ctx, []string{"telegram:1", "whatsapp:1"}[i%2], h))
	}
	dp.clock.Advance(3 * time.Hour)
	for _, s := range []handoff.Sieve{
		{}, {Agent: "ana"}, {Agent: handoff.None}, {Channel: "whatsapp"}, {Meaning: "not_arrived"}, {Meaning: handoff.None}, {Step: "LinkSent"}, {Hour: "15"}, {Reason: handoff.Left},
		{Agent: "ana", Channel: "telegram", Hour: "15"},
	} {
		s.From, s.To = from, from.Add(24*time.Hour)
		r, err := desk.Report(ctx, s)
		dp.must(err)
		_, rated := r.All.Rating()
		for which, want := range map[string]int{
			"": r.All.Asked, handoff.WhichTaken: r.All.Taken, handoff.WhichResolved: r.All.Resolved, handoff.WhichReturned: r.All.Returned, handoff.WhichLeft: r.All.Left,
			handoff.WhichOpen: r.All.Open, handoff.WhichBreached: r.All.Breached, handoff.WhichAnswered: r.All.FirstAnswer.N, handoff.WhichAbandoned: r.All.Abandoned.N,
			handoff.WhichRated: rated,
		} {
			s, n := s, 0
			s.Which = which
			dp.must(desk.EachCounted(ctx, s, func(handoff.Counted) bool { n++; return true }))
			if n != want {
				t.Errorf("%+v, %q: the figure is %d and opens %d cases", s, which, want, n)
			}
		}
		if s.Agent == "" && s.Channel == "" && s.Meaning == "" && s.Step == "" && s.Reason == "" && s.Hour == "" && (r.All.Asked != 60 || r.All.Abandoned.N == 0 || r.All.Breached == 0) {
			t.Errorf("in all: %+v", r.All)
		}
	}
}

// Notices of owners are closed once, with what was found.
func TestCloseNotice(t *testing.T) {
	dp := newDeskPair(t)
	ctx := t.Context()
	dp.must(dp.store.Cases.Insert(ctx, store.File{Ref: "N-0000-001", Topic: store.TopicNotMe, Made: dp.clock.Now()}))
	open, err := dp.desks[0].Notices(ctx)
	if err != nil || len(open) != 1 || !open[0].Notice {
		t.Fatalf("got %+v, %v", open, err)
	}
	deed := handoff.Deed{Once: "1", Ref: "N-0000-001", Actor: actor("sup")}
	dp.must(dp.desks[0].CloseNotice(ctx, deed, " era su hija "))
	clear(dp.audit) // as when the process had died before it was written down
	dp.must(dp.desks[1].CloseNotice(ctx, deed, "era su hija"))
	if err := dp.desks[1].CloseNotice(ctx, deed, "otra cosa"); !errors.Is(err, handoff.ErrNotYours) {
		t.Errorf("with something else: got %v", err)
	}
	if err := dp.desks[1].CloseNotice(ctx, handoff.Deed{Once: "2", Ref: deed.Ref, Actor: actor("ana")}, "era su hija"); !errors.Is(err, handoff.ErrNotYours) {
		t.Errorf("by somebody else: got %v", err)
	}
	r, _, err := dp.store.Desk.Case(ctx, "N-0000-001")
	if err != nil || r.Open || r.Answer != "era su hija" || r.By != "sup" || !strings.Contains(dp.audit["notice_closed/sup/N-0000-001/1"], "N-0000-001") {
		t.Errorf("got %+v, %v; written down %v", r, err, dp.audit)
	}
	if open, err = dp.desks[0].Notices(ctx); err != nil || len(open) != 0 {
		t.Errorf("still open: %+v, %v", open, err)
	}
}
