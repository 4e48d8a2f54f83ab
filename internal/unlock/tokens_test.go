package unlock_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"llave/bot"
	"llave/internal/affiliate"
	"llave/internal/unlock"
)

// olderVersion makes a fresh link one of the version before, which kept the hash of all 43 characters and mailed them, and returns its
// letter and what all its "No fui yo" began with.
func (s *service) olderVersion(l unlock.Letter) (unlock.Letter, string) {
	s.t.Helper()
	d := s.document(locked)
	link, notMe := s.vault.Derive("link", d.Live.ID), s.vault.Derive("not-me", d.Live.ID)
	d.Live.KeyID = "" // such a version knows one key
	d.Live.Link, d.Live.NotMe = s.vault.Hash("link", link), s.vault.Hash("not-me", notMe)
	if err := s.store.Unlocks.Save(s.t.Context(), d); err != nil {
		s.t.Fatal(err)
	}
	l.Token, l.NotMe = link, notMe+s.vault.Derive("not-me-attempt", d.Live.ID)[:8]
	return l, notMe
}

// A token has 128 bits, in 22 characters, and eight more where it says whose letter it is in.
func TestTokens_length(t *testing.T) {
	s := newService(t)
	for conv, want := range map[string]string{"telegram:1": "^[A-Za-z0-9_-]{22}$", "whatsapp:2": "^[A-Za-z0-9_-]{30}$"} {
		if conv == "whatsapp:2" {
			s.askAs("telegram:1", locked)
		}
		l := s.askAs(conv, locked)
		if !regexp.MustCompile(want).MatchString(l.Token) {
			t.Errorf("%s: the link's token is %q, want %s", conv, l.Token, want)
		}
		if !regexp.MustCompile("^[A-Za-z0-9_-]{30}$").MatchString(l.NotMe) {
			t.Errorf("%s: No fui yo is %q, want 30 characters", conv, l.NotMe)
		}
		s = newService(t)
	}
}

// Letters of the version before lead where they led, and one that is mailed again bears the same link.
func TestTokens_ofAnOlderVersion(t *testing.T) {
	onEveryStore(t, func(t *testing.T, s *service) {
		l, _ := s.olderVersion(s.link(locked))
		s.clock.Advance(time.Second)
		if again := s.link(locked); again.Token != l.Token || again.NotMe != l.NotMe {
			t.Errorf("mailed again: %q and %q, want %q and %q", again.Token, again.NotMe, l.Token, l.NotMe)
		}
		other := s.askAs("whatsapp:2", locked)
		if _, err := s.Look(t.Context(), other.Token, "n"); len(other.Token) != 51 || err != nil {
			t.Errorf("another chat's link %q: %v", other.Token, err)
		}
		if _, err := s.Look(t.Context(), l.Token[:22], "n"); !errors.Is(err, unlock.ErrUnknown) {
			t.Errorf("the beginning of an old token: %v, want ErrUnknown", err)
		}
		s.makesKey(s.redeem(l.Token, "stranger").KeyPass)
		s.kept(locked)
		s.clock.Advance(6 * 24 * time.Hour)
		s.purge(locked)
		newer := s.link(locked) // from here on the document is found by the short beginning
		if len(newer.Token) != 22 || len(newer.NotMe) != 30 || !strings.HasPrefix(l.NotMe, newer.NotMe[:22]) {
			t.Errorf("the next letter: %q and %q after %q", newer.Token, newer.NotMe, l.NotMe)
		}
		if got := s.disown(l.NotMe); !got.Locked || !got.Dropped || s.status(locked) != affiliate.Locked {
			t.Errorf("No fui yo of the old letter: %+v, the record is %s, want it locked without a key", got, s.status(locked))
		}
	})
}

// askIn asks for a link in a language, and returns the letter that it brings.
func (s *service) askIn(lang, conv string) unlock.Letter {
	s.t.Helper()
	record := affiliate.Hash(s.vault, locked)
	res, err := s.Reserve(s.t.Context(), bot.Ask{
		Turn: s.next(), Conv: conv, Record: record, Number: locked, Want: "unlock", Channel: "telegram", Lang: lang,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	p := promise(record, res.Attempt)
	p.What = bot.MailLink{Conv: conv, Lang: lang}
	l, err := s.Letter(s.t.Context(), p, conv)
	if err != nil {
		s.t.Fatal(err)
	}
	return l
}

// The pages of a letter's links, and the notices of what came of them, speak the language of the chat that asked for it.
func TestLanguage_isTheLetters(t *testing.T) {
	onEveryStore(t, func(t *testing.T, s *service) {
		ctx, record := t.Context(), affiliate.Hash(s.vault, locked)
		spanish, english := s.askIn("", "telegram:1"), s.askIn("en", "whatsapp:2")
		for _, l := range []unlock.Letter{spanish, english} {
			want := map[string]string{spanish.Token: "", english.Token: "en"}[l.Token]
			if v, err := s.Look(ctx, l.Token, "n"); l.Lang != want || v.Lang != want || err != nil {
				t.Errorf("letter in %q, page in %q (%v), want %q", l.Lang, v.Lang, err, want)
			}
			if chat, err := s.LookNotMe(ctx, l.NotMe); chat.Lang != want || err != nil {
				t.Errorf("No fui yo in %q (%v), want %q", chat.Lang, err, want)
			}
		}
		r := s.redeem(english.Token, "n")
		if h, err := s.KeyPass(ctx, r.KeyPass); r.Lang != "en" || h.Lang != "en" || err != nil {
			t.Errorf("pressed in %q, the key page in %q (%v)", r.Lang, h.Lang, err)
		}
		if v, err := s.Look(ctx, spanish.Token, "other"); v.Lang != "" || !errors.Is(err, unlock.ErrUsed) {
			t.Errorf("the other letter's page, used up: %q, %v", v.Lang, err)
		}
		if v, err := s.Look(ctx, english.Token, "other"); v.Lang != "en" || !errors.Is(err, unlock.ErrUsed) {
			t.Errorf("its own in another browser: %q, %v", v.Lang, err)
		}
		attempt := s.document(locked).Live.ID
		for range 3 { // however often it is cleaned up
			if o, err := s.Owner(ctx, record, attempt); o.Lang != "en" || o.Channel != "whatsapp" || err != nil {
				t.Errorf("the owner's notice: %+v, %v, want it in English of WhatsApp", o, err)
			}
			s.kept(locked)
			s.clock.Advance(24 * time.Hour)
			s.purge(locked)
		}
		if d := s.document(locked); len(d.Live.Spoken) > 3 || d.Live.Spoken[0].Conv != "" {
			t.Errorf("who asked is kept: %+v", d.Live.Spoken)
		}
		if d, err := s.NotMe(ctx, english.NotMe); d.Lang != "en" || err != nil {
			t.Errorf("No fui yo is pressed: %+v, %v", d, err)
		}
		s.clock.Advance(5 * 24 * time.Hour)
		if chat, err := s.LookNotMe(ctx, english.NotMe); chat.Lang != "en" || !errors.Is(err, unlock.ErrExpired) {
			t.Errorf("too late: %q, %v, want English and ErrExpired", chat.Lang, err)
		}
	})
}

// A chat that changes its language has letters in both: the page speaks the last one, "No fui yo" that of its letter.
func TestLanguage_changes(t *testing.T) {
	s := newService(t)
	before, after := s.askIn("en", "telegram:1"), s.askIn("es", "telegram:1")
	if before.Token != after.Token {
		t.Fatal("asked again, the same chat has another link")
	}
	if v, err := s.Look(t.Context(), before.Token, "n"); v.Lang != "es" || err != nil {
		t.Errorf("the page speaks %q (%v), want es", v.Lang, err)
	}
	for want, l := range map[string]unlock.Letter{"en": before, "es": after} {
		if chat, err := s.LookNotMe(t.Context(), l.NotMe); chat.Lang != want || err != nil {
			t.Errorf("No fui yo speaks %q (%v), want %s", chat.Lang, err, want)
		}
	}
}
