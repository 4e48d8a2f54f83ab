package flows_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"llave/bot"
	"llave/flows"
	"llave/internal/affiliate"
)

// That a catalogue lacks nothing is the engine's check, and what that reports is shown in bot. Here is what the channels
// and the people ask for in every language alike (P110).
func TestLanguages(t *testing.T) {
	languages := newEngine(t).Languages()
	var names []string
	for _, cat := range languages {
		names = append(names, cat.Language)
	}
	files, err := filepath.Glob("??.toml")
	if err != nil || len(files) != len(names) || names[0] != "es" {
		t.Errorf("got languages %v of files %v, want one of each, Spanish first (%v)", names, files, err)
	}
	var buttons []string
	for _, name := range names {
		buttons = append(buttons, "language_"+name)
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
		if !slices.Equal(cat.Texts["language.ask"].Buttons, buttons) {
			t.Errorf("%s: got buttons %v, want %v", cat.Language, cat.Texts["language.ask"].Buttons, buttons)
		}
		shown := flows.Introduction(cat)
		for _, fits := range []struct {
			text string
			most int
		}{{shown.Description, 512}, {shown.Short, 120}} {
			if n := utf8.RuneCountInString(fits.text); n == 0 || n > fits.most {
				t.Errorf("%s: what the bot is takes %d characters, want 1 to %d: %q", cat.Language, n, fits.most, fits.text)
			}
		}
		if len(shown.Prompts) > 4 {
			t.Errorf("%s: %d prompts, at most 4 are shown", cat.Language, len(shown.Prompts))
		}
		for _, p := range shown.Prompts {
			if n := utf8.RuneCountInString(p); n == 0 || n > 80 {
				t.Errorf("%s: the prompt %q has %d characters, want 1 to 80", cat.Language, p, n)
			}
		}
		for _, c := range shown.Commands {
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

// TestLanguages_files holds that no catalogue and no understanding lies there unread: a language is called by two letters,
// and what people say in it belongs to a language there is.
func TestLanguages_files(t *testing.T) {
	read := map[string]bool{}
	for _, cat := range newEngine(t).Languages() {
		read[cat.Language+".toml"] = true
	}
	read["answers.toml"], read["meanings.toml"] = true, true
	files, err := filepath.Glob("*.toml")
	if err != nil || len(files) < 3 {
		t.Fatalf("got files %v, %v", files, err)
	}
	for _, file := range files {
		if !read[file] {
			t.Errorf("nobody reads %s: a catalogue is called by its language's two letters", file)
		}
	}
}

// TestLanguages_inConsole holds that the desk has a word for every language that is spoken with people.
func TestLanguages_inConsole(t *testing.T) {
	const file = "../internal/web/console/talk/templates/desk.part.html"
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, cat := range newEngine(t).Languages() {
		if !strings.Contains(string(page), `eq . "`+cat.Language+`"`) {
			t.Errorf("agents read %q where the language's name should be: it has no word under \"Idioma\" in %s", cat.Language, file)
		}
	}
}

// typedIn is what people type in a language that the program must know by more than its catalogue: a key by mistake
// (internal/affiliate/mask.go) and a yes that is denied (bot/answer.go).
var typedIn = map[string]struct{ key, denied string }{
	"es": {"mi clave es Abc123$x", "no, no está bien"},
	"en": {"my password is Abc123$x", "no, that's not right"},
}

func TestLanguages_typed(t *testing.T) {
	e := newEngine(t)
	said := map[string]string{}
	for _, cat := range e.Languages() {
		say, known := typedIn[cat.Language]
		for _, phrase := range []string{say.key, say.denied} {
			if other := said[phrase]; known && other != "" {
				t.Errorf("%s: %q is what is typed in %s: say it in this language", cat.Language, phrase, other)
			}
			said[phrase] = cat.Language
		}
		if !known {
			t.Errorf("%s: say above how a key is typed by mistake, and a yes denied, in this language", cat.Language)
			continue
		}
		if hidden := affiliate.MaskAll(say.key); strings.Contains(hidden, "Abc123") {
			t.Errorf("%s: the key in %q is not recognised", cat.Language, say.key)
		}
		c := bot.Conversation{ID: "webchat:1", State: flows.ConfirmNumber, Text: "number.read_back", Lang: cat.Language, LastAt: time.Now(),
			Shown: e.Languages()[0].Texts["number.read_back"].Buttons, Back: []bot.State{flows.AskNumber}, Slots: map[string]string{"record": "r"}}
		u := bot.Update{ID: "1", Channel: "webchat", Chat: "1", Kind: bot.Text, Text: say.denied}
		if _, out, err := e.Step(t.Context(), c, u, bot.Env{Now: time.Now()}); err != nil || out.Event != flows.Corrected {
			t.Errorf("%s: %q is heard as %s (%v), want %s", cat.Language, say.denied, out.Event, err, flows.Corrected)
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
