package flows_test

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"llave/bot"
)

// What every Spanish text keeps to (P108).
const (
	longText  = 15 // words from which a text is judged by itself
	leastEasy = 65
	meanEasy  = 80
)

// What step by step keeps to.
const (
	slowSentences = 3
	slowSentence  = 12 // words
	slowWords     = 40
	slowChoices   = 3
)

// globalWords are labels that are heard everywhere: no choice of the moment.
var globalWords = []string{"menu", "back", "repeat"}

// filling stands for what the flow fills in.
func filling(cat bot.Catalogue) *strings.Replacer {
	return strings.NewReplacer(
		"{question}", "", "{again}", "", "{life}", "3 minutos", "{subject}", cat.Texts["mail.subject_unlock"].Text, "{number}", "000 000 000 0",
		"{erase}", cat.Texts["number.keep"].Text, "{offices_ask}", cat.Texts["in_person.near"].Text, "{place_or_hours}", cat.Texts["in_person.near"].Text, "{when}", "en 5 minutos",
		"{place}", "la espera del enlace", "{ticket_note}", strings.ReplaceAll(cat.Texts["status.ticket"].Text, "{ticket}", "C00000000"),
		"{ticket}", "C00000000", "{case}", "C00000000", "{ref}", "Q00000000", "{privacy_url}", "https://llave.example/privacidad",
		"{offices}", "", "{near_offices}", "", "{unseen}", "", "{nearest}", "Oficina Norte, a unos 5 km", "{near_address}", "", "{near_today}", "Hoy atiende de 08:00 a 17:00.", "{near_sheet}", "Hoja para llevar: https://llave.example/oficina/norte", "{holiday}", "Navidad", "{url}", "https://llave.example/oficina/norte", "{hours}", "de 08:00 a 17:00", "{spot}", "3", "{agent}", "Ana", "{clock}", "08:00", "{weekday}", "lunes", "{day}", "5", "{month}", "enero",
		"{opening}", "el lunes 5 de enero, desde las 08:00", "{lines}", "50", "{unheard}", " "+strings.ReplaceAll(cat.Texts["unheard.days"].Text, "{n}", "30"), "{count}", "9", "{abroad}", "", "{portal}", cat.Texts["portal.way"].Text, "{host}", "llave.example", "{press}", "Desbloquear", "{left}", "2 minutos", "{late}", "", "{answer}", "", "{moment}", "el lunes 5 de enero a las 08:00", "{kept}", cat.Texts["remind.kept"].Text, "{reminder}", "", "{complaint}", "", "{step}", "1", "{news}", " "+cat.Texts["resume.unlocked"].Text,
		"{todo}", " "+strings.ReplaceAll(cat.Texts["status.todo"].Text, "{subject}", cat.Texts["mail.subject_unlock"].Text), "{start}", "99", "{n}", "3", "{erased}", cat.Texts["edited.erased"].Text,
		"{written}", "", "{thing}", "documento", "{remains}", cat.Texts["number.keep"].Text, "{lost}", " "+cat.Texts["complaint.lost"].Text, "{meanwhile}", " "+cat.Texts["complaint.link_over"].Text,
	)
}

type judged struct {
	key  string
	text string
	reading
}

// spoken are all texts of a catalogue with what they say when asked again, in order of their keys.
func spoken(cat bot.Catalogue) []judged {
	fill := filling(cat)
	var out []judged
	for _, key := range slices.Sorted(maps.Keys(cat.Texts)) {
		for i, words := range append([]string{cat.Texts[key].Text}, cat.Texts[key].Again...) {
			name := key
			if i > 0 {
				name = fmt.Sprintf("%s, again %d", key, i)
			}
			words = fill.Replace(words)
			if r := read(words); r.Words > 0 {
				out = append(out, judged{name, words, r})
			}
		}
	}
	return out
}

func mean(of []judged) float64 {
	sum := 0.0
	for _, j := range of {
		sum += j.score()
	}
	return sum / float64(len(of))
}

func TestReadability(t *testing.T) {
	cat := newEngine(t).Languages()[0]
	all := spoken(cat)
	var long []judged
	for _, j := range all {
		if j.Words < longText {
			continue
		}
		long = append(long, j)
		if j.score() < leastEasy {
			t.Errorf("%s: %.1f, want %d or more: %q", j.key, j.score(), leastEasy, j.text)
		}
	}
	for what, m := range map[string]float64{"all texts": mean(all), "texts of 15 words or more": mean(long)} {
		if m < meanEasy {
			t.Errorf("mean of %s: %.1f, want %d or more", what, m, meanEasy)
		}
	}
	var page strings.Builder
	fmt.Fprintf(&page, "# How easy the texts are\n\nGenerated from `flows/es.toml`: `go test ./flows -run Readability -update`. INFLESZ: 80 and more is very easy, 65 easy, 55 normal.\n"+
		"Numbers and addresses are no words. What is filled in is written out as an example.\n\n%d texts, mean %.1f; %d of %d words or more, mean %.1f, none below %d.\n\n"+
		"| text | sentences | words | longest sentence | INFLESZ |\n|---|--:|--:|--:|--:|\n", len(all), mean(all), len(long), longText, mean(long), leastEasy)
	for _, j := range all {
		fmt.Fprintf(&page, "| `%s` | %d | %d | %d | %.0f |\n", j.key, j.Sentences, j.Words, j.Longest, j.score())
	}
	const file = "../docs/texts.md"
	if *update {
		if err := os.WriteFile(file, []byte(page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(file); err != nil || string(want) != page.String() {
		t.Errorf("docs/texts.md is not the catalogue's (%v); run with -update", err)
	}
}

// hurry are words that press. The link's life is the one time that is told.
var hurry = regexp.MustCompile(`(?i)\b(rápid|apúr|apur|pronto|urgente|enseguida|ya mismo|ahorita|antes de que|minuto|segundo)`)

// Whatever is said to who goes step by step, whether written for that or the same as ever, is short, has few choices, is
// answered by numbers too, and does not press (P109).
func TestSlow_limits(t *testing.T) {
	e := newEngine(t)
	cat := e.Languages()[0]
	fill := filling(cat)
	again := cat.Texts["ready.ask.slow"].Again[0] // two sentences, as long as they get
	check := func(key, words string) {
		r := read(words)
		if r.Sentences > slowSentences || r.Longest > slowSentence || r.Words > slowWords {
			t.Errorf("%s: %d sentences, the longest of %d words, %d words: %q", key, r.Sentences, r.Longest, r.Words, words)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(cat.Texts)) {
		text := cat.Texts[key]
		if _, other := cat.Texts[key+".slow"]; other || slices.Contains(unhurried, key) || strings.HasPrefix(key, "mail.subject_") || strings.HasPrefix(key, "command.") || strings.HasPrefix(key, "intro.") {
			continue
		}
		check(key, fill.Replace(text.Text))
		for i, words := range text.Again {
			words = fill.Replace(words)
			check(fmt.Sprintf("%s, again %d", key, i+1), words)
			if n := read(words).Sentences; n > slowSentences-1 {
				t.Errorf("%s, again %d: %d sentences leave no place for an aside: %q", key, i+1, n, words)
			}
		}
		if strings.Contains(text.Text, "{again}") {
			check(key+" with {again}", fill.Replace(strings.ReplaceAll(text.Text, "{again}", again)))
		}
		choices := slices.DeleteFunc(slices.Clone(text.Buttons), func(id string) bool { return slices.Contains(globalWords, id) })
		if len(choices) > slowChoices {
			t.Errorf("%s: %d choices: %v", key, len(choices), choices)
		}
		if strings.HasSuffix(key, ".slow") || text.Image != "" {
			if found := hurry.FindString(strings.ReplaceAll(text.Text, "{life}", "")); found != "" {
				t.Errorf("%s presses: %q", key, found)
			}
		}
		if text.Image != "" && len(text.Buttons) > slowChoices {
			t.Errorf("%s: %d buttons leave no place for the image on WhatsApp", key, len(text.Buttons))
		}
	}
}

var counted = regexp.MustCompile(`Paso (\d) de (\d)`)

// Steps are counted from the mail to the portal without a gap, and each has its image.
func TestSlow_steps(t *testing.T) {
	cat := newEngine(t).Languages()[0]
	steps := map[string]bool{}
	for key, text := range cat.Texts {
		m := counted.FindStringSubmatch(text.Text)
		if m == nil || !strings.HasSuffix(key, ".slow") && text.Image == "" {
			continue
		}
		steps[m[1]+"/"+m[2]] = true
		if text.Image == "" {
			t.Errorf("%s is a step without an image", key)
		}
	}
	got := slices.Sorted(maps.Keys(steps))
	want := []string{"1/9", "2/9", "3/9", "4/9", "5/9", "6/9", "7/9", "8/9", "9/9"} // in one count: help within a step has none of its own
	if !slices.Equal(got, want) {
		t.Errorf("steps %v, want %v", got, want)
	}
}

// unhurried are the texts that step by step leaves as they are: what was asked to be read in full, or is a list of which
// only a part is shown.
var unhurried = []string{"welcome.notice", "in_person.offices", "language.ask", "meant.ask"}
