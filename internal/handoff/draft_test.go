package handoff_test

import (
	"context"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"llave/bot"
	"llave/internal/handoff"
)

// A text is sent whole: its parts are all its words in their order, each within what a message holds, and no number is cut.
func TestParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.SampledFrom([]string{"correo", "a", "1712 345 678", "ñandú.", "\n", "\n\n", "¿Sí?", strings.Repeat("x", 900), "0991234567"}), 0, 1500).Draw(t, "words")
		text := strings.TrimSpace(strings.Join(words, " "))
		parts := handoff.Parts(text)
		if got, want := strings.Join(strings.Fields(strings.Join(parts, " ")), ""), strings.Join(strings.Fields(text), ""); got != want {
			t.Fatalf("%d letters of %d", len(got), len(want))
		}
		for i, p := range parts {
			if utf8.RuneCountInString(p) > bot.LineRunes || p == "" && text != "" {
				t.Fatalf("part %d has %d letters", i, utf8.RuneCountInString(p))
			}
			if i > 0 {
				before, _ := utf8.DecodeLastRuneInString(parts[i-1])
				after, _ := utf8.DecodeRuneInString(p)
				if unicode.IsDigit(before) && unicode.IsDigit(after) {
					t.Fatalf("a number is cut between parts %d and %d", i-1, i)
				}
			}
		}
	})
}

// A draft that was on its way when its case ended is not left behind: nobody would send it any more.
func TestKeepDraft_caseEnds(t *testing.T) {
	dp := newDeskPair(t)
	ctx := t.Context()
	h := dp.heldBy("ana", "1")
	now, ended := dp.desks[0].Now, false
	dp.desks[0].Now = func(ctx context.Context) (time.Time, error) { // the case was found, and the draft is not written yet
		if !ended {
			ended = true
			dp.must(dp.desks[1].Resolve(ctx, handoff.Deed{Once: "r", Ref: h.Ref, Actor: actor("ana")}, handoff.Solved))
		}
		return now(ctx)
	}
	if _, err := dp.desks[0].KeepDraft(ctx, actor("ana"), h.Ref, "Mire otra vez.", false); err != nil {
		t.Fatal(err)
	}
	if draft, err := dp.desks[0].Draft(ctx, h.Ref, "ana"); err != nil || !ended || draft.Version != 0 {
		t.Errorf("kept: %+v, %v", draft, err)
	}
}

// Wherever the end of a message falls within a number, the number stays whole.
func TestParts_number(t *testing.T) {
	for shift := range 24 {
		parts := handoff.Parts(strings.Repeat("a", bot.LineRunes-shift) + " 1712 345 678 " + strings.Repeat("b", 100))
		if len(parts) != 2 || strings.Contains(parts[0], "1") && strings.Contains(parts[1], "8") {
			t.Errorf("shift %d: %d parts, and the number in two of them", shift, len(parts))
		}
	}
}
