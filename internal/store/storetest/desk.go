package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"llave/bot"
	"llave/internal/handoff"
	"llave/internal/store"
)

// deskDay is a day on which nothing else of the suite happens.
var deskDay = time.Date(2031, 3, 3, 13, 0, 0, 0, time.UTC)

// handedOff stores a conversation with a case.
func handedOff(t *testing.T, s *store.Store, n int, h *bot.Handoff) bot.Conversation {
	t.Helper()
	c := bot.Conversation{ID: fmt.Sprintf("telegram:desk%d", n), State: "InQueue", Handoff: h}
	must(t, s.Conversations.Save(t.Context(), &c))
	return c
}

// deskQueue lists those who wait by rank and by how long they do, those an agent has, and what moved.
func deskQueue(t *testing.T, s *store.Store) {
	ctx := t.Context()
	made := map[string]bot.Conversation{}
	for i, of := range []struct {
		ref     string
		rank    int
		minutes int
		place   func(h *bot.Handoff)
	}{
		{"C-0000-001", handoff.RankUsual, 0, handoff.Wait},
		{"C-0000-002", handoff.RankUsual, 5, handoff.Wait},
		{"C-0000-003", handoff.RankSlowly, 9, handoff.Wait},
		{"C-0000-004", handoff.RankUsual, 5, handoff.Wait},
		{"C-0000-005", handoff.RankUsual, 1, handoff.Defer},
		{"C-0000-006", handoff.RankUsual, 2, func(h *bot.Handoff) { handoff.Hold(h, "ana", "Ana", deskDay) }},
		{"C-0000-007", handoff.RankUsual, 1, func(h *bot.Handoff) { handoff.Hold(h, "anabel", "Anabel", deskDay) }},
		{"C-0000-008", handoff.RankUsual, 3, func(h *bot.Handoff) { handoff.Close(h, handoff.Left, deskDay) }},
	} {
		h := handoff.New(of.ref, of.rank, "Menu", "171•••••65", deskDay.Add(time.Duration(of.minutes)*time.Minute))
		of.place(h)
		h.Moved = deskDay.Add(time.Duration(i) * time.Second)
		made[of.ref] = handedOff(t, s, i, h)
	}
	refs := func(cs []handoff.Case, err error) []string {
		t.Helper()
		must(t, err)
		var out []string
		for _, c := range cs {
			out = append(out, c.Ref)
		}
		return out
	}
	for _, tt := range []struct {
		name string
		got  []string
		want []string
	}{
		{"waiting", refs(s.Desk.Queue(ctx, handoff.QueueWaiting, 100)), []string{"C-0000-003", "C-0000-001", "C-0000-002", "C-0000-004"}},
		{"the first two", refs(s.Desk.Queue(ctx, handoff.QueueWaiting, 2)), []string{"C-0000-003", "C-0000-001"}},
		{"for the next opening", refs(s.Desk.Queue(ctx, handoff.QueueScheduled, 100)), []string{"C-0000-005"}},
		{"held", refs(s.Desk.Queue(ctx, handoff.QueueHeld, 100)), []string{"C-0000-006", "C-0000-007"}},
		{"held by one", refs(s.Desk.Queue(ctx, handoff.QueueHeld+"ana/", 100)), []string{"C-0000-006"}},
		{"moved", refs(s.Desk.Moved(ctx, deskDay.Add(5*time.Second), 100)), []string{"C-0000-006", "C-0000-007", "C-0000-008"}},
		{"moved, the first", refs(s.Desk.Moved(ctx, deskDay.Add(5*time.Second), 1)), []string{"C-0000-006"}},
	} {
		if !slices.Equal(tt.got, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, tt.got, tt.want)
		}
	}
	ahead, err := s.Desk.Ahead(ctx, made["C-0000-002"].Handoff.Queue)
	if err != nil || ahead != 2 {
		t.Errorf("ahead: got %d, %v, want 2", ahead, err)
	}

	moved := made["C-0000-001"]
	moved.Handoff = handoff.New("C-0000-009", handoff.RankUsual, "Menu", "", deskDay)
	handoff.Hold(moved.Handoff, "ana", "Ana", deskDay)
	must(t, s.Conversations.Save(ctx, &moved))
	if got := refs(s.Desk.Queue(ctx, handoff.QueueWaiting, 100)); !slices.Equal(got, []string{"C-0000-003", "C-0000-002", "C-0000-004"}) {
		t.Errorf("after one was taken: got %v", got)
	}
	for ref, want := range map[string]bool{"C-0000-009": true, "C-0000-001": false, "C-0000-008": true, "C-0000-00": false} {
		if c, found, err := s.Desk.FindCase(ctx, ref); err != nil || found != want || found && c.Handoff.Ref != ref {
			t.Errorf("%s: found %t in %s, %v, want %t", ref, found, c.ID, err, want)
		}
	}
}

// deskGlance: what a list reads of a conversation, a part of the document, is the case of the whole one.
func deskGlance(t *testing.T, s *store.Store) {
	ctx := t.Context()
	h := handoff.New("C-GLNC-001", handoff.RankSlowly, "Menu", "171•••••65", deskDay)
	handoff.Hold(h, "glancer", "Ana", deskDay)
	h.Moved = deskDay
	c := bot.Conversation{
		ID: "telegram:glance", State: "InQueue", Lang: "en", Way: "slow", Gone: true, Handoff: h, Turns: 7, Born: deskDay.Add(-time.Hour),
		Numbers: []bot.Seen{{ID: "a", At: deskDay}, {ID: "b", At: deskDay}},
		Tail:    []bot.Line{{From: bot.FromPerson, Text: "hola", At: deskDay}, {From: bot.FromAgent, By: "Ana", Text: "buenas", At: deskDay, Seq: 2}},
	}
	c.Promises = []bot.Promise{
		{ID: "1", What: bot.Say{Reply: &bot.Reply{Text: "uno"}}},
		{ID: "2", What: bot.Say{Reply: &bot.Reply{Text: "dos"}}, Schedule: bot.Schedule{Waits: true}},
		{ID: "3", What: bot.KeepLines{Ref: h.Ref}},
	}
	must(t, s.Conversations.Save(ctx, &c))
	empty := bot.Conversation{ID: "telegram:nothing", Handoff: handoff.New("C-GLNC-002", handoff.RankUsual, "Menu", "", deskDay)}
	handoff.Hold(empty.Handoff, "glancer", "Ana", deskDay.Add(time.Second))
	must(t, s.Conversations.Save(ctx, &empty))

	listed, err := s.Desk.Queue(ctx, handoff.QueueHeld+"glancer/", 10)
	must(t, err)
	if len(listed) != 2 || listed[0].Unsent != 2 || !listed[0].Waits || listed[0].Tried != 2 || len(listed[0].Words) != 1 || listed[0].Words[0] != "hola" || listed[0].Unread != 0 {
		t.Fatalf("listed: %+v", listed)
	}
	for _, got := range listed {
		whole, found, err := s.Desk.FindCase(ctx, got.Ref)
		must(t, err)
		if want := handoff.CaseOf(whole); !found || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

// deskLines are kept once, read in order, and forgotten by conversation or by age.
func deskLines(t *testing.T, s *store.Store) {
	ctx := t.Context()
	line := func(seq int64, from, text string) bot.Line {
		return bot.Line{From: from, Text: text, Seq: seq, At: deskDay.Add(time.Duration(seq) * time.Second)}
	}
	all := make([]bot.Line, 12)
	for i := range all {
		all[i] = line(int64(i)+1, bot.FromPerson, fmt.Sprint("línea ", i+1))
	}
	all[11].From, all[11].By = bot.FromAgent, "Ana"
	must(t, s.Desk.KeepLines(ctx, "telegram:1", "C-LNES-001", all[6:]))
	must(t, s.Desk.KeepLines(ctx, "telegram:1", "C-LNES-001", all[:8])) // some again, and out of order
	must(t, s.Desk.KeepLines(ctx, "telegram:2", "C-LNES-002", []bot.Line{line(1, bot.FromNote, "otra")}))
	must(t, s.Desk.KeepLines(ctx, "telegram:1", "C-LNES-0010", []bot.Line{line(1, bot.FromNote, "de otro caso")}))
	must(t, s.Desk.KeepLines(ctx, "telegram:1", "C-LNES-001", nil))
	for _, tt := range []struct {
		after int64
		limit int
		want  []bot.Line
	}{{0, 100, all}, {0, 3, all[9:]}, {9, 100, all[9:]}, {2, 3, all[2:5]}, {12, 100, nil}} {
		got, err := s.Desk.Lines(ctx, "C-LNES-001", tt.after, tt.limit)
		if err != nil || !slices.EqualFunc(got, tt.want, sameLine) {
			t.Errorf("after %d, %d at most: got %v, %v, want %v", tt.after, tt.limit, got, err, tt.want)
		}
	}
	var read []string
	must(t, s.Desk.EachLine(ctx, deskDay.Add(2*time.Second), deskDay.Add(5*time.Second), func(ref string, l bot.Line) bool {
		read = append(read, ref+" "+l.Text)
		return len(read) < 2
	}))
	if want := []string{"C-LNES-001 línea 4", "C-LNES-001 línea 3"}; !slices.Equal(read, want) {
		t.Errorf("each line: got %v, want %v", read, want)
	}
	n, err := s.Desk.ForgetLines(ctx, deskDay.Add(3*time.Second), 3)
	if err != nil || n != 3 {
		t.Errorf("forget three at most: got %d, %v", n, err)
	}
	n, err = s.Desk.ForgetLines(ctx, deskDay.Add(3*time.Second), 100)
	if err != nil || n != 1 { // of the two first lines of one case, and the first of two others
		t.Errorf("forget the others: got %d, %v", n, err)
	}
	if got, err := s.Desk.Lines(ctx, "C-LNES-001", 0, 100); err != nil || !slices.EqualFunc(got, all[2:], sameLine) {
		t.Errorf("after forgetting: got %v, %v", got, err)
	}
	must(t, s.Desk.KeepLines(ctx, "telegram:10", "C-LNES-003", []bot.Line{line(1, bot.FromPerson, "se queda")}))
	must(t, s.Desk.EraseLines(ctx, "telegram:1"))
	must(t, s.Desk.EraseLines(ctx, "telegram:1"))
	for ref, want := range map[string]int{"C-LNES-001": 0, "C-LNES-003": 1} {
		if got, err := s.Desk.Lines(ctx, ref, 0, 100); err != nil || len(got) != want {
			t.Errorf("%s after erasing: got %v, %v, want %d", ref, got, err, want)
		}
	}
}

func sameLine(a, b bot.Line) bool {
	return a.From == b.From && a.By == b.By && a.Text == b.Text && a.Seq == b.Seq && a.At.Equal(b.At)
}

// deskCases keep the latest of what came, in whatever order it came.
func deskCases(t *testing.T, s *store.Store) {
	ctx := t.Context()
	h := handoff.New("C-CASE-001", handoff.RankUsual, "LinkSent", "171•••••65", deskDay)
	handoff.Wait(h)
	h.Rev = 1
	must(t, s.Desk.KeepCase(ctx, "telegram:1", *h))
	first := *h
	handoff.Hold(h, "ana", "Ana", deskDay.Add(time.Minute))
	h.Rev, h.Answered = 3, deskDay.Add(2*time.Minute)
	must(t, s.Desk.KeepCase(ctx, "telegram:1", *h))
	must(t, s.Desk.KeepCase(ctx, "telegram:1", first))
	r, found, err := s.Desk.Case(ctx, h.Ref)
	must(t, err)
	if !found || !r.Open || r.Notice || r.Conv != "telegram:1" || !r.Made.Equal(deskDay) || r.Handoff.Agent != "ana" || r.Handoff.Rev != 3 || !r.Handoff.Answered.Equal(h.Answered) {
		t.Errorf("got %+v, found %t", r, found)
	}
	handoff.Close(h, handoff.Solved, deskDay.Add(time.Hour))
	h.Rev, h.Rating = 4, 5
	must(t, s.Desk.KeepCase(ctx, "telegram:1", *h))
	if r, _, err = s.Desk.Case(ctx, h.Ref); err != nil || r.Open || r.Handoff.Reason != handoff.Solved || r.Handoff.Rating != 5 {
		t.Errorf("closed: got %+v, %v", r, err)
	}
	if _, found, err = s.Desk.Case(ctx, "C-CASE-000"); err != nil || found {
		t.Errorf("no such case: found %t, %v", found, err)
	}

	must(t, s.Cases.Insert(ctx, store.File{Ref: "N-CASE-002", Topic: store.TopicNotMe, Made: deskDay.Add(time.Minute)}))
	must(t, s.Cases.Insert(ctx, store.File{Ref: "C-CASE-003", Topic: "done_unlock", Made: deskDay.Add(2 * time.Minute), Status: store.Closed}))
	must(t, s.Desk.KeepCase(ctx, "telegram:2", bot.Handoff{Ref: "C-CASE-004", Status: bot.HandoffWaiting, Asked: deskDay.Add(time.Hour), Rev: 1}))
	list := func(limit int) (refs []string) {
		must(t, s.Desk.EachCase(ctx, deskDay, deskDay.Add(time.Hour), func(r handoff.CaseFile) bool {
			refs = append(refs, r.Ref)
			if r.Notice != (r.Ref == "N-CASE-002") {
				t.Errorf("%s: a notice: %t", r.Ref, r.Notice)
			}
			return len(refs) < limit
		}))
		return refs
	}
	if got, want := list(100), []string{"N-CASE-002", "C-CASE-001"}; !slices.Equal(got, want) {
		t.Errorf("each case: got %v, want %v", got, want)
	}
	if got := list(1); len(got) != 1 {
		t.Errorf("the latest: got %v", got)
	}

	must(t, s.Desk.KeepCase(ctx, "telegram:1", bot.Handoff{Ref: "C-CASE-005", Status: bot.HandoffWaiting, Asked: deskDay.Add(2 * time.Hour), Rev: 1}))
	of, err := s.Desk.CasesOf(ctx, "telegram:1")
	must(t, err)
	if len(of) != 2 || of[0].Ref != "C-CASE-005" || of[1].Ref != "C-CASE-001" {
		t.Errorf("cases of a chat: got %+v", of)
	}

	closed := func(ref, by string) bool {
		t.Helper()
		done, err := s.Desk.CloseNotice(ctx, ref, by, "hablé con la persona")
		must(t, err)
		return done
	}
	if !closed("N-CASE-002", "sup") || closed("N-CASE-002", "ana") || closed("C-CASE-001", "sup") || closed("N-CASE-000", "sup") {
		t.Error("a notice is closed once, and nothing else is")
	}
	if r, _, err = s.Desk.Case(ctx, "N-CASE-002"); err != nil || r.Open || r.By != "sup" || r.Answer != "hablé con la persona" {
		t.Errorf("notice: got %+v, %v", r, err)
	}
}

// deskPresence says who was there last, and the ready answers are one document.
func deskPresence(t *testing.T, s *store.Store) {
	ctx := t.Context()
	must(t, s.Desk.Beat(ctx, handoff.Presence{Login: "luis", Name: "Luis", At: deskDay}))
	must(t, s.Desk.Beat(ctx, handoff.Presence{Login: "ana", Name: "Ana", At: deskDay}))
	must(t, s.Desk.Beat(ctx, handoff.Presence{Login: "luis", Name: "Luis", At: deskDay.Add(time.Minute), Away: true}))
	there, err := s.Desk.Present(ctx)
	must(t, err)
	if len(there) != 2 || there[0].Login != "ana" || there[1].Login != "luis" || !there[1].Away || !there[1].At.Equal(deskDay.Add(time.Minute)) || there[0].Away {
		t.Errorf("got %+v", there)
	}
	a, err := s.Desk.Answers(ctx)
	if err != nil || a.Version != 0 || len(a.List) != 0 {
		t.Errorf("no answers yet: got %+v, %v", a, err)
	}
	rival := a
	a.List = []handoff.Answer{{Name: "hola", Text: "Buenos días, soy {agente}."}}
	must(t, s.Desk.SaveAnswers(ctx, &a))
	wantErr(t, "answers that somebody else saved meanwhile", s.Desk.SaveAnswers(ctx, &rival), store.ErrConflict)
	if got, err := s.Desk.Answers(ctx); err != nil || got.Version != 1 || !slices.Equal(got.List, a.List) {
		t.Errorf("got %+v, %v", got, err)
	}
}

// deskRaces has sixteen do the same at once: keep the revisions of a case in any order, keep the same lines, say that a
// console is there, close a notice. Nothing is lost, and what happens once happens once.
func deskRaces(t *testing.T, s *store.Store) {
	ctx := t.Context()
	const writers = 16
	made := deskDay.AddDate(0, 0, 1)
	must(t, s.Cases.Insert(ctx, store.File{Ref: "N-RACE-001", Topic: store.TopicNotMe, Made: made}))
	var lines []bot.Line
	for seq := range int64(writers) {
		lines = append(lines, bot.Line{From: bot.FromPerson, Text: fmt.Sprint(seq + 1), Seq: seq + 1, At: made})
	}
	var closed atomic.Int64
	problems := make(chan error, 5*writers)
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			rev := int64((i*7)%writers) + 1
			problems <- s.Desk.KeepCase(ctx, "telegram:race", bot.Handoff{Ref: "C-RACE-001", Status: bot.HandoffWaiting, Asked: made, Rev: rev, Rating: int(rev)})
			problems <- s.Desk.KeepLines(ctx, "telegram:race", "C-RACE-001", lines[i/2:])
			problems <- s.Desk.KeepLines(ctx, "telegram:race", "C-RACE-001", lines[:i+1])
			problems <- s.Desk.Beat(ctx, handoff.Presence{Login: "race", Name: "Persona", At: made})
			done, err := s.Desk.CloseNotice(ctx, "N-RACE-001", fmt.Sprint(i), "")
			if done {
				closed.Add(1)
			}
			problems <- err
		})
	}
	all.Wait()
	close(problems)
	for err := range problems {
		must(t, err)
	}
	if n := closed.Load(); n != 1 {
		t.Errorf("the notice was closed %d times", n)
	}
	if r, _, err := s.Desk.Case(ctx, "C-RACE-001"); err != nil || r.Handoff.Rev != writers || r.Handoff.Rating != writers {
		t.Errorf("got revision %d, %v, want the last", r.Handoff.Rev, err)
	}
	if got, err := s.Desk.Lines(ctx, "C-RACE-001", 0, 100); err != nil || !slices.EqualFunc(got, lines, sameLine) {
		t.Errorf("got %v, %v", got, err)
	}
}

// deskTaken has sixteen take a case at once, each as one replace of the conversation it read: one does.
func deskTaken(t *testing.T, s *store.Store) {
	h := handoff.New("C-TAKE-001", handoff.RankUsual, "Menu", "", deskDay)
	handoff.Wait(h)
	handedOff(t, s, 100, h)
	const writers = 16
	won := make(chan string, writers)
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			who := fmt.Sprint("agente", i)
			taken, err := take(t.Context(), s, "C-TAKE-001", who)
			if err != nil {
				t.Error(err)
			}
			if taken {
				won <- who
			}
		})
	}
	all.Wait()
	close(won)
	var winners []string
	for who := range won {
		winners = append(winners, who)
	}
	c, found, err := s.Desk.FindCase(t.Context(), "C-TAKE-001")
	must(t, err)
	if !found || len(winners) != 1 || c.Handoff.Agent != winners[0] {
		t.Errorf("%v won, %+v has it", winners, c.Handoff)
	}
	held, err := s.Desk.Queue(t.Context(), handoff.QueueHeld+"agente", 100)
	if err != nil || len(held) != 1 {
		t.Errorf("held: %v, %v", held, err)
	}
}

func take(ctx context.Context, s *store.Store, ref, who string) (bool, error) {
	for {
		c, found, err := s.Desk.FindCase(ctx, ref)
		if err != nil || !found || c.Handoff.Held() {
			return false, err
		}
		handoff.Hold(c.Handoff, who, who, deskDay)
		if err := s.Conversations.Save(ctx, &c); !errors.Is(err, store.ErrConflict) {
			return err == nil, err
		}
	}
}
