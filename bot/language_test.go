package bot_test

import (
	"maps"
	"strings"
	"testing"

	"llave/bot"
)

// english is the small flow in a second language, with nothing missing.
func english() bot.Catalogue {
	return bot.Catalogue{Language: "en", Texts: map[string]bot.Entry{
		"door":      {Text: "Do you come in?", Again: []string{"In or out?", "Say yes or no."}, Buttons: []string{"yes", "no"}},
		"hall":      {Text: "You are in the hall, {who}.", Buttons: []string{"down", "letter"}},
		"cellar":    {Text: "You are in the cellar.", Buttons: []string{"down"}},
		"missed":    {Text: "I did not understand. {again}", Aside: true},
		"help":      {Text: "Let me help. {question}", Aside: true},
		"stale":     {Text: "That button is an old one. {question}", Aside: true},
		"mailed":    {Text: "The letter goes to {secret}.", Buttons: []string{"down"}},
		"told":      {Text: "It is over.", Aside: true},
		"forbidden": {Text: "x"},
	}, Labels: map[string]bot.Label{
		"yes": {Title: "Yes", Words: []string{"of course"}}, "no": {Title: "Don't enter", Words: []string{"of course not", "i don't want to"}},
		"down": {Title: "Down"}, "letter": {Title: "Send"}, "back": {Words: []string{"back"}}, "help": {Words: []string{"help"}},
	}}
}

// inTwoLanguages are the options with a second catalogue. The first one's maps are copied: they are every test's.
func inTwoLanguages(second bot.Catalogue) bot.Options {
	o := options()
	o.Languages[0].Texts, o.Languages[0].Labels = maps.Clone(texts), maps.Clone(labels)
	o.Languages = append(o.Languages, second)
	return o
}

// A catalogue that lacks anything, or says another thing than the first one, is refused with everything that is wrong in it.
func TestNewEngine_incompleteCatalogue(t *testing.T) {
	entry := func(key string, change func(*bot.Entry)) func(bot.Catalogue) {
		return func(c bot.Catalogue) {
			e := c.Texts[key]
			change(&e)
			c.Texts[key] = e
		}
	}
	label := func(id string, l bot.Label) func(bot.Catalogue) { return func(c bot.Catalogue) { c.Labels[id] = l } }
	for _, c := range []struct {
		name  string
		spoil func(bot.Catalogue)
		want  string
	}{
		{"missing text", func(c bot.Catalogue) { delete(c.Texts, "hall") }, `en: text "hall" is missing`},
		{"empty text", entry("hall", func(e *bot.Entry) { e.Text = "" }), `en: text "hall" is empty`},
		{"nobody's text", func(c bot.Catalogue) { c.Texts["attic"] = bot.Entry{Text: "x"} }, `en: text "attic" is nobody's`},
		{"missing button", entry("door", func(e *bot.Entry) { e.Buttons = []string{"yes"} }), `en: text "door" has buttons [yes], not [yes no]`},
		{"other order of buttons", entry("door", func(e *bot.Entry) { e.Buttons = []string{"no", "yes"} }), `en: text "door" has buttons [no yes]`},
		{"missing placeholder", entry("hall", func(e *bot.Entry) { e.Text = "You are in the hall." }), `en: text "hall" fills in [], not [{who}]`},
		{"other placeholder", entry("mailed", func(e *bot.Entry) { e.Text = "It goes to {who}." }), `en: text "mailed" fills in [{who}], not [{secret}]`},
		{"asked again less often", entry("door", func(e *bot.Entry) { e.Again = e.Again[:1] }), `en: text "door" is of another sort`},
		{"no aside", entry("help", func(e *bot.Entry) { e.Aside = false }), `en: text "help" is of another sort`},
		{"link", entry("told", func(e *bot.Entry) { e.Link = true }), `en: text "told" is of another sort`},
		{"place", entry("door", func(e *bot.Entry) { e.Place = "the door" }), `en: text "door" is of another sort`},
		{"offers", entry("door", func(e *bot.Entry) { e.Offers = true }), `en: text "door" is of another sort`},
		{"image", entry("door", func(e *bot.Entry) { e.Image = "door" }), `en: text "door" has image "door", not ""`},
		{"missing label", func(c bot.Catalogue) { delete(c.Labels, "back") }, `en: label "back" is missing`},
		{"label without its title", label("down", bot.Label{Words: []string{"down"}}), `shows button "down", which has no title`},
		{"word with a title", label("back", bot.Label{Title: "Back"}), `en: label "back" is missing or of another sort`},
		{"nobody's label", label("fly", bot.Label{Title: "Fly"}), `en: label "fly" is nobody's`},
	} {
		t.Run(c.name, func(t *testing.T) {
			second := english()
			c.spoil(second)
			_, err := bot.NewEngine(inTwoLanguages(second), places()...)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
	if _, err := bot.NewEngine(inTwoLanguages(english()), places()...); err != nil {
		t.Errorf("nothing missing: got %v", err)
	}
	twice := english()
	twice.Language = "es"
	if _, err := bot.NewEngine(inTwoLanguages(twice), places()...); err == nil || !strings.Contains(err.Error(), `language "es" stands twice`) {
		t.Errorf("the same language twice: got %v", err)
	}
}

// What is said to a conversation in another language is heard in that one, and in the first one too.
func TestStep_otherLanguage(t *testing.T) {
	e, err := bot.NewEngine(inTwoLanguages(english()), places()...)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		said string
		want bot.Event
	}{
		{"yes", "Entered"}, {"Yes, please!", "Entered"}, {"please, yes", "Entered"}, {"sí", "Entered"}, {"claro", "Entered"}, {"one", "Entered"},
		{"the first one", "Entered"}, {"1 please", "Entered"}, {"Of course", "Entered"},
		{"don't enter", "Refused"}, {"DON’T ENTER", "Refused"}, {"dont enter", "Refused"}, {"of course not", "Refused"}, {"option two", "Refused"},
		{"the second", "Refused"}, {"no, thank you", "Refused"}, {"no", "Refused"}, {"I don't want to", "Refused"},
		{"help", "AskedHelp"}, {"please help", "AskedHelp"}, {"ayuda", "AskedHelp"},
		{"it is not of course", bot.Missed}, {"never of course", bot.Missed}, {"three", bot.Missed}, {"hm", bot.Missed},
	} {
		t.Run(c.said, func(t *testing.T) {
			k := newTalk(t)
			k.e = e
			k.says("hola")
			k.c.Lang = "en"
			if out := k.says(c.said); out.Event != c.want {
				t.Errorf("got %s, want %s", out.Event, c.want)
			}
		})
	}
}
