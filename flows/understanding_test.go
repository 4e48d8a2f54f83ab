package flows_test

import (
	"encoding/csv"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"llave/flows"
	"llave/flows/understand"
)

// told is a labelled sentence; expected are the intents that the question which stands makes likelier.
type told struct{ text, intent, expected string }

// sentences reads a file of "sentence,intent" rows; "nothing" is a sentence about something else.
func sentences(t testing.TB, file string) []told {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []told
	for _, r := range rows[1:] {
		out = append(out, told{r[0], r[1], r[2]})
	}
	return out
}

func understanding(t testing.TB) *understand.Understanding { return understandingOf(t, "es") }

func understandingOf(t testing.TB, language string) *understand.Understanding {
	t.Helper()
	u, err := flows.Understanding(language)
	if err != nil || u == nil {
		t.Fatalf("understand %s: got %v, %v", language, u, err)
	}
	return u
}

// careful are the intents whose deed cannot be taken back.
var careful = []string{"erase", "cancel", "send", "yes", "no"}

// tally counts what came of labelled sentences. A sentence is right when its intent is sure, or is the first that is
// asked for; one about something else when it is not sure of anything.
type tally struct {
	right, sure, all int
	confused         map[string]map[string]int
}

func judge(t *testing.T, u *understand.Understanding, list []told) tally {
	t.Helper()
	s := tally{confused: map[string]map[string]int{}}
	for _, c := range list {
		m := u.Read(c.text, strings.Fields(c.expected)...)
		got := "nothing"
		if len(m.Intents) > 0 {
			got = m.Intents[0]
		}
		if c.intent == "nothing" && m.Outcome == understand.Unsure {
			got = "nothing"
		}
		s.all++
		if got == c.intent {
			s.right++
			if m.Outcome == understand.Sure {
				s.sure++
			}
		} else {
			t.Logf("%q: got %s %v, want %s", c.text, m.Outcome, m.Intents, c.intent)
		}
		if s.confused[c.intent] == nil {
			s.confused[c.intent] = map[string]int{}
		}
		s.confused[c.intent][got]++
		if m.Outcome == understand.Sure && got != c.intent && slices.Contains(careful, got) {
			t.Errorf("%q: was taken for sure as %s, which cannot be undone; it is %s", c.text, got, c.intent)
		}
	}
	return s
}

func (s tally) table() string {
	var b strings.Builder
	b.WriteString("intent        right   taken for\n")
	var names []string
	for n := range s.confused {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		all, wrong := 0, []string{}
		for got, k := range s.confused[n] {
			all += k
			if got != n {
				wrong = append(wrong, pad(got, 0)+"×"+num(k))
			}
		}
		slices.Sort(wrong)
		b.WriteString(pad(n, 14) + pad(num(s.confused[n][n])+"/"+num(all), 8) + strings.Join(wrong, " ") + "\n")
	}
	return b.String()
}

func pad(s string, n int) string { return s + strings.Repeat(" ", max(n-len(s), 0)) }
func num(n int) string           { return strconv.Itoa(n) }

func TestUnderstanding(t *testing.T) {
	list := sentences(t, "testdata/understand.csv")
	if len(list) < 400 {
		t.Errorf("%d sentences, want 400", len(list))
	}
	s := judge(t, understanding(t), list)
	accuracy := float64(s.right) / float64(s.all)
	t.Logf("%d of %d right (%.1f %%), %d of them without asking\n%s", s.right, s.all, 100*accuracy, s.sure, s.table())
	if accuracy < 0.95 {
		t.Errorf("accuracy %.3f, want 0.95", accuracy)
	}
}

// English knows what Spanish knows, and no more: an intent that only one of them has would be asked for in vain.
func TestUnderstanding_english(t *testing.T) {
	u := understandingOf(t, "en")
	if got, want := u.Intents(), understanding(t).Intents(); !slices.Equal(got, want) {
		t.Errorf("got intents %v, want %v", got, want)
	}
	list := sentences(t, "testdata/understand_en.csv")
	s := judge(t, u, list)
	accuracy := float64(s.right) / float64(s.all)
	t.Logf("%d of %d right (%.1f %%), %d of them without asking\n%s", s.right, s.all, 100*accuracy, s.sure, s.table())
	if len(list) < 100 || accuracy < 0.95 {
		t.Errorf("accuracy %.3f of %d sentences, want 0.95 of 100", accuracy, len(list))
	}
}

// A language without a file of its own is understood by its labels.
func TestUnderstanding_noFile(t *testing.T) {
	if u, err := flows.Understanding("qu"); u != nil || err != nil {
		t.Errorf("got %v, %v, want neither", u, err)
	}
}

// The rules were not tuned on these: their accuracy is what a stranger meets.
func TestUnderstanding_heldOut(t *testing.T) {
	for language, file := range map[string]string{"es": "testdata/understand_held_out.csv", "en": "testdata/understand_en_held_out.csv"} {
		s := judge(t, understandingOf(t, language), sentences(t, file))
		t.Logf("%s: %d of %d right (%.1f %%), %d of them without asking\n%s", language, s.right, s.all, 100*float64(s.right)/float64(s.all), s.sure, s.table())
	}
}

func FuzzUnderstanding(f *testing.F) {
	u := understanding(f)
	f.Add("me bloquearon la clave")
	f.Add("no, no, ¿qué? ñ\xff 🙂 pero")
	f.Fuzz(func(t *testing.T, text string) {
		m := u.Read(text)
		switch {
		case len(m.Intents) > 3, (m.Outcome == understand.Nothing) != (len(m.Intents) == 0):
			t.Fatalf("%q: %s %v", text, m.Outcome, m.Intents)
		}
		for _, i := range m.Intents {
			if !slices.Contains(u.Intents(), i) {
				t.Fatalf("%q: %q is no intent", text, i)
			}
		}
	})
}

func BenchmarkUnderstanding(b *testing.B) {
	u := understanding(b)
	list := sentences(b, "testdata/understand.csv")
	i := 0
	for b.Loop() {
		u.Read(list[i%len(list)].text)
		i++
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N), "µs/message")
}
