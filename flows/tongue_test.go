package flows_test

import (
	"strings"
	"testing"

	"llave/bot"
	"llave/flows"
	"llave/flows/meaning"
)

// englishWelcome is how the welcome begins in English.
const englishWelcome = "Hello. I am Llave"

// Who begins in English is answered in English (P110), from the first word on.
func TestTongue_firstWord(t *testing.T) {
	t.Parallel()
	for _, said := range []string{
		"hello", "Hi!", "good morning", "hello i need help", "good morning, i can't log in", "hi, i can't log in to my account", "please help me with my account",
		"my account is locked", "is it free?", "i need a new password", "the guard shouted at me", "how does this work", "who is this?",
	} {
		k := newTalk(t)
		if k.says(said); !strings.Contains(k.reply.Text, "Llave") && !strings.Contains(k.reply.Text, "bot") || k.c.Lang != "en" {
			t.Errorf("%q: language %q, %q", said, k.c.Lang, k.reply.Text)
		}
	}
	for _, said := range []string{"hola", "ok", "thank you", "mi clave del IESS esta locked", "error de login", "el link no funciona", "iess", "1710034065", "ok thank you very much"} {
		k := newTalk(t)
		if k.says(said); k.c.Lang == "en" {
			t.Errorf("%q: answered in English: %q", said, k.reply.Text)
		}
	}
}

// A greeting alone is not much: the way to Spanish stands under it, and whoever goes on in Spanish is there.
func TestTongue_guessedFromAGreeting(t *testing.T) {
	t.Parallel()
	for _, said := range []string{"español", "En español, por favor", "se me bloqueó la clave del seguro"} {
		k := newTalk(t)
		k.says("hello")
		if !strings.HasPrefix(k.reply.Text, englishWelcome) || !strings.Contains(k.reply.Text, "escriba español") {
			t.Fatalf("hello: %q", k.reply.Text)
		}
		if k.says(said); k.c.Lang != "es" {
			t.Errorf("%q: language %q, %q", said, k.c.Lang, k.reply.Text)
		}
	}
}

// Who goes on in English is answered so, wherever that is; who chose Spanish stays there.
func TestTongue_later(t *testing.T) {
	t.Parallel()
	for state, said := range map[bot.State]string{
		flows.Menu: "i want to complain", flows.Complaining: "the guard shouted at me and threw me out", flows.AskNumber: "why do you need my number?", flows.AtOffice: "what do i have to bring?",
		flows.LinkSent: "the email has not arrived yet", flows.ComplaintRead: "who reads this?",
	} {
		k := at(t, state)
		if k.says(said); k.c.Lang != "en" || strings.ContainsAny(k.reply.Text, "óñ¿") && state != flows.ComplaintRead {
			t.Errorf("%q in %s: language %q, %q", said, state, k.c.Lang, k.reply.Text)
		}
		k = at(t, state)
		k.says("idioma")
		k.says("español")
		if k.says(said); k.c.Lang != "es" {
			t.Errorf("%q in %s, after Spanish was chosen: language %q", said, state, k.c.Lang)
		}
	}
}

// "yes" and "no thanks" are what "sí" and "no" are, at every question in either language.
func TestTongue_yesEverywhere(t *testing.T) {
	everywhere(t, func(t *testing.T, s bot.State) {
		for word, others := range map[string][]string{"sí": {"yes", "Yes please", "yep"}, "no": {"nope", "no thank you"}} {
			want := at(t, s)
			out := want.says(word)
			if out.Event == bot.Missed {
				continue
			}
			for _, said := range others {
				k := at(t, s)
				if got := k.says(said); got.Event != out.Event || k.c.State != want.c.State || k.reply.Text != want.reply.Text {
					t.Errorf("%q: %s, %s, %q; %q: %s, %s, %q", word, out.Event, want.c.State, want.reply.Text, said, got.Event, k.c.State, k.reply.Text)
				}
			}
		}
	})
}

// Of all that writers wrote in Spanish nothing is taken for English, and most of what was written in English is.
func TestTongue_writers(t *testing.T) {
	t.Parallel()
	all, err := meaning.BuiltIn()
	if err != nil {
		t.Fatal(err)
	}
	noticed, english := 0, 0
	for _, s := range all.Said {
		is := flows.Writes(s.Text) == "en"
		switch {
		case strings.HasPrefix(s.Writer, "en") && len(strings.Fields(s.Text)) > 3:
			english++
			if is {
				noticed++
			}
		case !strings.HasPrefix(s.Writer, "en") && is && s.Meaning != "english" && s.Meaning != "other_language":
			t.Errorf("%s: %q is taken for English", s.Writer, s.Text)
		}
	}
	if noticed*100 < 95*english {
		t.Errorf("noticed %d of %d English sentences", noticed, english)
	}
}
