package handoff_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"llave/bot"
	"llave/internal/handoff"
)

// heldBy has a person of a chat wait and an agent take them.
func (dp *deskPair) heldBy(login, chat string) *bot.Handoff {
	dp.t.Helper()
	dp.must(dp.desks[0].Beat(dp.t.Context(), actor(login), false))
	h := dp.waits(chat)
	dp.must(dp.desks[0].Claim(dp.t.Context(), handoff.Deed{Once: "take-" + chat, Ref: h.Ref, Actor: actor(login)}))
	dp.must(dp.settle(dp.t.Context()))
	return dp.caseOf(chat)
}

// caseOf is the case of a chat as it is kept.
func (dp *deskPair) caseOf(chat string) *bot.Handoff {
	dp.t.Helper()
	c, err := dp.conv(chat)
	dp.must(err)
	return c.Handoff
}

// A case that is put off comes back at its moment by the store's clock, not earlier, in whichever process looks (P770). Its agent may sign
// out; when they are not there by then, it goes to the queue.
func TestPostpone_clock(t *testing.T) {
	for _, tc := range []struct {
		name   string
		here   []string // when it comes back
		status string
	}{
		{"its agent is there", []string{"ana"}, bot.HandoffHeld},
		{"nobody is", nil, bot.HandoffWaiting},
		{"a colleague is", []string{"luis"}, bot.HandoffWaiting},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dp := newDeskPair(t)
			ctx := t.Context()
			h := dp.heldBy("ana", "1")
			until := dp.clock.Now().Add(3 * time.Hour)
			dp.must(dp.desks[0].Postpone(ctx, handoff.Deed{Once: "p", Ref: h.Ref, Actor: actor("ana")}, bot.UntilTime, until))
			dp.must(dp.desks[0].Gone(ctx, "ana"))
			for _, d := range []time.Duration{time.Hour, time.Hour, 59 * time.Minute} {
				dp.must(dp.later(ctx, d))
				dp.must(dp.desks[1].Tend(ctx))
				if h = dp.caseOf("1"); !h.IsPostponed() || h.Agent != "ana" || !h.Since.IsZero() {
					t.Fatalf("before its moment: %+v", h)
				}
			}
			dp.must(dp.later(ctx, time.Minute, tc.here...))
			if h = dp.caseOf("1"); h.IsPostponed() || h.Agent != "ana" || h.Since.IsZero() {
				t.Fatalf("at its moment: %+v", h)
			}
			dp.must(dp.desks[1].Tend(ctx))
			if h = dp.caseOf("1"); h.Status != tc.status {
				t.Errorf("it is %s, want %s", h.Status, tc.status)
			}
		})
	}
}

// Whose account is disabled does not come back: what they had put off is free at once.
func TestPostpone_disabled(t *testing.T) {
	dp := newDeskPair(t)
	ctx := t.Context()
	h := dp.heldBy("nobody", "1")
	dp.must(dp.desks[0].Postpone(ctx, handoff.Deed{Once: "p", Ref: h.Ref, Actor: actor("nobody")}, bot.UntilAnswer, time.Time{}))
	dp.must(dp.desks[1].Tend(ctx))
	if h = dp.caseOf("1"); !h.IsPostponed() {
		t.Fatalf("while they are there: %+v", h)
	}
	dp.must(dp.desks[0].Gone(ctx, "nobody"))
	dp.must(dp.desks[1].Tend(ctx))
	if h = dp.caseOf("1"); !h.Waiting() {
		t.Errorf("got %+v", h)
	}
}

// Of who is not here it is asked once whether they may come back, whatever they put off: the desk is tended every five seconds.
func TestPostpone_askedOnce(t *testing.T) {
	dp := newDeskPair(t)
	ctx := t.Context()
	for _, chat := range []string{"1", "2", "3"} {
		h := dp.heldBy("ana", chat)
		dp.must(dp.desks[0].Postpone(ctx, handoff.Deed{Once: "p" + chat, Ref: h.Ref, Actor: actor("ana")}, bot.UntilAnswer, time.Time{}))
	}
	dp.must(dp.desks[0].Gone(ctx, "ana"))
	asked, known := 0, dp.desks[1].Known
	dp.desks[1].Known = func(ctx context.Context, login string) (string, bool, error) { asked++; return known(ctx, login) }
	dp.must(dp.desks[1].Tend(ctx))
	if h := dp.caseOf("3"); asked != 1 || !h.IsPostponed() {
		t.Errorf("asked %d times of one agent; the last case: %+v", asked, h)
	}
}

// The moments that cannot be are refused, the same each time, and change nothing.
func TestPostpone_refused(t *testing.T) {
	dp := newDeskPair(t)
	ctx := t.Context()
	h := dp.heldBy("ana", "1")
	now := dp.clock.Now()
	for name, at := range map[string]time.Time{"past": now.Add(-time.Minute), "now": now, "too far": now.Add(15 * 24 * time.Hour)} {
		for range 2 {
			err := dp.desks[0].Postpone(ctx, handoff.Deed{Once: name, Ref: h.Ref, Actor: actor("ana")}, bot.UntilTime, at)
			if !errors.Is(err, handoff.ErrNotThen) {
				t.Errorf("%s: got %v", name, err)
			}
		}
	}
	// this desk never closes but by hand, so nobody knows when it opens next
	if err := dp.desks[0].Postpone(ctx, handoff.Deed{Once: "o", Ref: h.Ref, Actor: actor("ana")}, bot.UntilOpening, time.Time{}); !errors.Is(err, handoff.ErrNotThen) {
		t.Errorf("until an opening: got %v", err)
	}
	if err := dp.desks[0].Postpone(ctx, handoff.Deed{Once: "l", Ref: h.Ref, Actor: actor("luis")}, bot.UntilAnswer, time.Time{}); !errors.Is(err, handoff.ErrNotYours) {
		t.Errorf("another's: got %v", err)
	}
	if h := dp.caseOf("1"); h.IsPostponed() {
		t.Errorf("put off: %+v", h)
	}
}

// What is said later is said once, by two processes whose clocks say the same, also when both look at once (P771).
func TestSayLater_once(t *testing.T) {
	dp := newDeskPair(t)
	ctx := t.Context()
	dp.wire.follow("1")
	h := dp.heldBy("ana", "1")
	at := dp.clock.Now().Add(2 * time.Hour)
	deed := handoff.Deed{Once: "s", Ref: h.Ref, Actor: actor("ana")}
	for range 2 { // the same press
		dp.must(dp.desks[0].SayLater(ctx, deed, "zqbxw", at, true))
	}
	if err := dp.desks[1].SayLater(ctx, handoff.Deed{Once: "s2", Ref: h.Ref, Actor: actor("ana")}, "otra", at, false); !errors.Is(err, handoff.ErrNotThen) {
		t.Errorf("a second one: got %v", err)
	}
	dp.must(dp.desks[0].Gone(ctx, "ana"))
	dp.clock.Advance(2 * time.Hour)
	done := make(chan error)
	for _, r := range dp.runners {
		go func() { done <- r.Sweep(ctx) }()
	}
	for range dp.runners {
		dp.must(<-done)
	}
	dp.must(dp.settle(ctx))
	said := slices.DeleteFunc(dp.wire.bubbles(), func(r bot.Reply) bool { return r.Text != "zqbxw" })
	if len(said) != 1 || said[0].By != name("ana") {
		t.Errorf("said %v", said)
	}
	if h := dp.caseOf("1"); !h.IsPostponed() || h.Postponed != bot.UntilAnswer {
		t.Errorf("then it waits for the answer: %+v", h)
	}
	dp.must(dp.says(1, "1", "x", "zqcxw"))
	dp.must(dp.settle(ctx))
	dp.must(dp.desks[1].Tend(ctx))
	if h := dp.caseOf("1"); h.Status != bot.HandoffWaiting || h.Since.IsZero() {
		t.Errorf("answered while nobody is there: %+v", h)
	}
}

// Who comes back within a day goes to the agent who had them, where they are on duty and have room (P772).
func TestReopen_routing(t *testing.T) {
	for _, tc := range []struct {
		name  string
		away  bool
		gone  bool
		room  int
		agent string
	}{
		{"on duty", false, false, 0, "ana"},
		{"on a break", true, false, 0, ""},
		{"gone", false, true, 0, ""},
		{"no room", false, false, 1, ""},
		{"room", false, false, 2, "ana"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dp := newDeskPair(t)
			ctx := t.Context()
			for _, d := range dp.desks {
				d.OpenMax = tc.room
			}
			h := dp.heldBy("ana", "1")
			dp.must(dp.desks[0].Resolve(ctx, handoff.Deed{Once: "r", Ref: h.Ref, Actor: actor("ana")}, handoff.Solved))
			dp.heldBy("ana", "2")
			dp.must(dp.desks[0].Beat(ctx, actor("ana"), tc.away))
			if tc.gone {
				dp.must(dp.desks[0].Gone(ctx, "ana"))
			}
			dp.must(dp.says(1, "1", "a", "todavía no puedo entrar"))
			dp.must(dp.says(0, "1", "b", "sí"))
			dp.must(dp.settle(ctx))
			again := dp.caseOf("1")
			if again.Ref != h.Ref || !again.Open() || again.Agent != tc.agent || again.Since.IsZero() {
				t.Fatalf("got %+v", again)
			}
			lines, err := dp.desks[0].Lines(ctx, h.Ref, 0)
			dp.must(err)
			if !slices.ContainsFunc(lines, func(l bot.Line) bool { return l.Text == "todavía no puedo entrar" }) {
				t.Errorf("what was said meanwhile does not stand in the case: %v", lines)
			}
			for i, l := range lines {
				if l.Seq != int64(i)+1 {
					t.Errorf("line %d has number %d", i+1, l.Seq)
				}
			}
		})
	}
}

// No agent takes or is given more than the limit; what is put off does not count (P775).
func TestOpenMax(t *testing.T) {
	dp := newDeskPair(t)
	ctx := t.Context()
	for _, d := range dp.desks {
		d.OpenMax = 1
	}
	first := dp.heldBy("ana", "1")
	second := dp.waits("2")
	claim := func(once string) error {
		return dp.desks[1].Claim(ctx, handoff.Deed{Once: once, Ref: second.Ref, Actor: actor("ana")})
	}
	if err := claim("a"); !errors.Is(err, handoff.ErrEnough) {
		t.Errorf("a second: got %v", err)
	}
	if err := dp.desks[0].Claim(ctx, handoff.Deed{Once: "take-1", Ref: first.Ref, Actor: actor("ana")}); err != nil {
		t.Errorf("the first once more: got %v", err)
	}
	dp.must(dp.desks[0].Beat(ctx, actor("luis"), false))
	dp.must(dp.desks[0].Claim(ctx, handoff.Deed{Once: "l", Ref: second.Ref, Actor: actor("luis")}))
	if err := dp.desks[0].Pass(ctx, handoff.Deed{Once: "p", Ref: second.Ref, Actor: actor("luis")}, "ana", ""); !errors.Is(err, handoff.ErrNoRoom) {
		t.Errorf("passed on: got %v", err)
	}
	dp.must(dp.desks[0].Postpone(ctx, handoff.Deed{Once: "o", Ref: first.Ref, Actor: actor("ana")}, bot.UntilAnswer, time.Time{}))
	for range 2 { // the answer was lost, and the browser sends it again: the colleague's room is what was passed
		if err := dp.desks[0].Pass(ctx, handoff.Deed{Once: "p2", Ref: second.Ref, Actor: actor("luis")}, "ana", ""); err != nil {
			t.Errorf("passed on: got %v", err)
		}
	}
}

// Who writes in another language is kept for who speaks it, for a while, and only while they are on duty (P775).
func TestNextFor_language(t *testing.T) {
	dp := newDeskPair(t)
	ctx := t.Context()
	now := dp.clock.Now()
	english := handoff.Case{Handoff: bot.Handoff{Ref: "en", Asked: now}, Lang: "en"}
	spanish := handoff.Case{Handoff: bot.Handoff{Ref: "es", Asked: now.Add(time.Second)}, Lang: "es"}
	speaker := actor("eva")
	speaker.Speaks = "en"
	next := func(who handoff.Actor) string {
		t.Helper()
		dp.must(dp.desks[0].Beat(ctx, who, false))
		all, err := dp.desks[1].NextFor(ctx, who, []handoff.Case{english, spanish})
		dp.must(err)
		if len(all) != 2 {
			t.Fatalf("got %v", all)
		}
		return all[0].Ref
	}
	if got := next(actor("ana")); got != "en" {
		t.Errorf("nobody on duty speaks it: got %s", got)
	}
	if got := next(speaker); got != "en" {
		t.Errorf("who speaks it: got %s", got)
	}
	if got := next(actor("ana")); got != "es" {
		t.Errorf("a colleague speaks it: got %s", got)
	}
	dp.must(dp.desks[0].Beat(ctx, speaker, true))
	if got := next(actor("ana")); got != "en" {
		t.Errorf("who is on a break: got %s", got)
	}
	dp.must(dp.desks[0].Beat(ctx, speaker, false))
	dp.clock.Advance(5 * time.Minute)
	dp.must(dp.desks[0].Beat(ctx, speaker, false))
	if got := next(actor("ana")); got != "en" {
		t.Errorf("after five minutes: got %s", got)
	}
}

// A note that names a colleague lets them read and answer in a note while the case is open, and nothing else (P777).
func TestNote_mentions(t *testing.T) {
	dp := newDeskPair(t)
	ctx := t.Context()
	h := dp.heldBy("ana", "1")
	dp.must(dp.desks[0].Beat(ctx, actor("luis"), false))
	luis := handoff.Deed{Once: "n", Ref: h.Ref, Actor: actor("luis")}
	read := func() bool {
		of, err := dp.desks[0].Find(ctx, h.Ref)
		dp.must(err)
		return handoff.MayRead(actor("luis"), of)
	}
	if err := dp.desks[0].Note(ctx, luis, "hola"); !errors.Is(err, handoff.ErrNotYours) || read() {
		t.Errorf("before: %v, reads %t", err, read())
	}
	dp.must(dp.desks[0].Note(ctx, handoff.Deed{Once: "m", Ref: h.Ref, Actor: actor("ana")}, "¿Qué dices, @luis? Escriba a luis@correo.example o a @nobody."))
	if got := dp.caseOf("1").Mentioned; got != "luis:"+got[len("luis:"):] || !read() {
		t.Errorf("mentioned %q, reads %t", got, read())
	}
	long := "@luis: " + strings.Repeat("hay mucho que decir. ", 3*bot.LineRunes/20)
	dp.must(dp.desks[0].Note(ctx, handoff.Deed{Once: "long", Ref: h.Ref, Actor: actor("ana")}, long))
	c, err := dp.conv("1")
	dp.must(err)
	if told := slices.DeleteFunc(c.Alerts, func(a bot.Alert) bool { return a.To != "luis" }); len(told) != 2 || c.Handoff.MentionOf("luis") != 1+c.Handoff.Lines-int64(len(handoff.Parts(long))) {
		t.Errorf("of two notes, one of them in %d parts, luis is told %+v, and named in line %d of %d", len(handoff.Parts(long)), told, c.Handoff.MentionOf("luis"), c.Handoff.Lines)
	}
	luis.Once = "n2"
	dp.must(dp.desks[1].Note(ctx, luis, "Que vaya a la oficina."))
	if err := dp.desks[1].Say(ctx, handoff.Deed{Once: "s", Ref: h.Ref, Actor: actor("luis")}, "hola"); !errors.Is(err, handoff.ErrNotYours) {
		t.Errorf("says: got %v", err)
	}
	dp.must(dp.desks[0].Resolve(ctx, handoff.Deed{Once: "r", Ref: h.Ref, Actor: actor("ana")}, handoff.Solved))
	if read() {
		t.Error("it is over, and read all the same")
	}
}

// Earlier cases of the chat stand beside the new one for who has it; each look is written down, and nobody else looks (P774).
func TestEarlier(t *testing.T) {
	dp := newDeskPair(t)
	ctx := t.Context()
	h := dp.heldBy("ana", "1")
	dp.must(dp.desks[0].Note(ctx, handoff.Deed{Once: "n", Ref: h.Ref, Actor: actor("ana")}, "Le ayuda su hija."))
	dp.must(dp.desks[0].Resolve(ctx, handoff.Deed{Once: "r", Ref: h.Ref, Actor: actor("ana")}, handoff.Solved))
	dp.must(dp.settle(ctx))
	dp.must(dp.later(ctx, time.Minute))
	for i, words := range []string{"persona", "otra cosa"} {
		dp.must(dp.says(0, "1", string(rune('a'+i)), words))
	}
	dp.must(dp.settle(ctx))
	again := dp.caseOf("1")
	if again.Ref == h.Ref || !again.Waiting() {
		t.Fatalf("got %+v", again)
	}
	look := func(login string) int {
		t.Helper()
		of, err := dp.desks[0].Find(ctx, again.Ref)
		dp.must(err)
		earlier, err := dp.desks[0].Earlier(ctx, actor(login), of)
		dp.must(err)
		notes := 0
		for _, e := range earlier {
			if e.Ref != h.Ref {
				t.Errorf("%s is no earlier case", e.Ref)
			}
			notes += len(e.Notes)
		}
		return notes
	}
	audited := func(login string) bool {
		dp.mu.Lock()
		defer dp.mu.Unlock()
		for _, line := range dp.audit {
			if line == login+" "+handoff.AuditRead+" "+h.Ref {
				return true
			}
		}
		return false
	}
	if look("luis") != 0 || audited("luis") {
		t.Error("who has not taken it sees what was before")
	}
	dp.must(dp.desks[0].Beat(ctx, actor("luis"), false))
	dp.must(dp.desks[0].Claim(ctx, handoff.Deed{Once: "c", Ref: again.Ref, Actor: actor("luis")}))
	if look("luis") != 1 || !audited("luis") {
		t.Errorf("who has it sees %d notes; written down: %t", look("luis"), audited("luis"))
	}
	dp.mu.Lock()
	clear(dp.audit)
	dp.mu.Unlock()
	if _, lines, err := dp.desks[1].EarlierLines(ctx, actor("luis"), again.Ref, h.Ref); err != nil || len(lines) == 0 || !audited("luis") {
		t.Errorf("lines: %d, %v; written down: %t", len(lines), err, audited("luis"))
	}
	if _, _, err := dp.desks[0].EarlierLines(ctx, actor("eva"), again.Ref, h.Ref); !errors.Is(err, handoff.ErrNotYours) {
		t.Errorf("another: got %v", err)
	}
	other := dp.heldBy("luis", "2")
	if _, _, err := dp.desks[0].EarlierLines(ctx, actor("luis"), other.Ref, h.Ref); !errors.Is(err, handoff.ErrNoCase) {
		t.Errorf("of another chat: got %v", err)
	}
	if look("sup") != 1 || !audited("sup") {
		t.Error("a supervisor does not see what was before")
	}
}

// A clerk looks up cases by their number; wrong ones are bounded, and each look is written down (P776).
func TestLookUp(t *testing.T) {
	dp := newDeskPair(t)
	ctx := t.Context()
	h := dp.heldBy("ana", "1")
	n := int64(0)
	dp.desks[0].Tries = func(_ context.Context, login string, by int64) (int64, error) {
		if login != "vera" {
			t.Errorf("counts for %s", login)
		}
		n += by
		return n, nil
	}
	clerk := handoff.Actor{Login: "vera", Name: "Vera"}
	look := func(once, code string) (handoff.Counter, error) {
		return dp.desks[0].LookUp(ctx, handoff.Deed{Once: once, Actor: clerk}, code)
	}
	for i := range 20 {
		found, err := look("right"+string(rune('a'+i)), h.Ref)
		if err != nil || found.Ref != h.Ref || found.Status != bot.HandoffHeld || found.Looked {
			t.Fatalf("right: got %+v, %v", found, err)
		}
	}
	if dp.audit[handoff.AuditCounter+"/vera/"+h.Ref+"/righta"] != "vera "+handoff.AuditCounter+" "+h.Ref {
		t.Error("a look is not written down")
	}
	for i := range 10 {
		if _, err := look("wrong"+string(rune('a'+i)), "C22222222"); !errors.Is(err, handoff.ErrNoCase) {
			t.Fatalf("wrong: got %v", err)
		}
	}
	if dp.audit[handoff.AuditCounterWrong+"/vera//wronga"] != "vera "+handoff.AuditCounterWrong+" " {
		t.Error("a wrong one is not written down, or with what was typed")
	}
	if _, err := look("more", h.Ref); !errors.Is(err, handoff.ErrTries) {
		t.Errorf("after ten wrong ones: got %v", err)
	}
}
