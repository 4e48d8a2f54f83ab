package flows_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"llave/flows"
)

// That a catalogue lacks nothing is the engine's check, and what that reports is shown in bot. Here is what the channels
// and the people ask for in every language alike (P110).
func TestLanguages(t *testing.T) {
	languages := newEngine(t).Languages()
	var names []string
	for _, cat := range languages {
		names = append(names, cat.Language)
	}
	if want := []string{"es", "en"}; !slices.Equal(names, want) {
		t.Errorf("got languages %v, want %v", names, want)
	}
	filled := regexp.MustCompile(`\{[a-z_]+\}`)
	sorted := func(words string) []string {
		out := filled.FindAllString(words, -1)
		slices.Sort(out)
		return slices.Compact(out)
	}
	first := languages[0]
	for _, cat := range languages {
		for key, text := range cat.Texts {
			for i, words := range append([]string{text.Text}, text.Again...) {
				checkHosts(t, cat.Language+": "+key, words)
				if strings.Contains(strings.ToLower(words), "password") && key != "info.what_key" {
					t.Errorf("%s: text %q says password; the word is key", cat.Language, key)
				}
				if i > 0 && !slices.Equal(sorted(words), sorted(first.Texts[key].Again[i-1])) {
					t.Errorf("%s: text %q, asked again, fills in %v", cat.Language, key, sorted(words))
				}
			}
		}
		for id, l := range cat.Labels {
			if n := utf8.RuneCountInString(l.Title); n > 20 {
				t.Errorf("%s: label %q: title %q has %d characters, at most 20 fit", cat.Language, id, l.Title, n)
			}
		}
		if want := []string{"language_es", "language_en"}; !slices.Equal(cat.Texts["language.ask"].Buttons, want) {
			t.Errorf("%s: got buttons %v, want %v", cat.Language, cat.Texts["language.ask"].Buttons, want)
		}
		for _, c := range flows.Commands(cat) {
			if c.Description == "" {
				t.Errorf("%s: command %s has no description", cat.Language, c.Name)
			}
		}
		// what names a mail is what stands over the mail, in any language
		for _, key := range []string{"mail.subject_unlock", "mail.subject_generate"} {
			if got, want := cat.Texts[key].Text, first.Texts[key].Text; got != want {
				t.Errorf("%s: %s: got %q, want the mail's own %q", cat.Language, key, got, want)
			}
		}
	}
}

// A button that a text names is one that stands under it: "tap Next" under a button "Next".
func TestLanguages_namedButtons(t *testing.T) {
	tap := regexp.MustCompile(`(?:^|[.,] |\? |[Tt]hen |: )[Tt]ap ([A-Z][^.]*?)(?: \([a-z ]+\))?(?: on the page)?\.`)
	portal := []string{"Desbloquear", "Generar / Recuperar Clave", "Guardar", "Guardar mi clave"}
	for _, cat := range newEngine(t).Languages()[1:] {
		for key, text := range cat.Texts {
			var titles []string
			for _, id := range text.Buttons {
				titles = append(titles, cat.Labels[id].Title)
			}
			for _, words := range append([]string{text.Text}, text.Again...) {
				for _, m := range tap.FindAllStringSubmatch(words, -1) {
					if !slices.Contains(titles, m[1]) && !slices.Contains(portal, m[1]) {
						t.Errorf("%s: text %q says tap %q; its buttons are %q", cat.Language, key, m[1], titles)
					}
				}
			}
		}
	}
}
