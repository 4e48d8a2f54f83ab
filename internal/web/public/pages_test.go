package public

import (
	"bytes"
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"llave/bot"
	"llave/internal/affiliate"
	"llave/internal/key"
	"llave/internal/web"
)

// Every page, with what it is shown with.
var samples = map[string]any{
	"ask_unlock": sampleLink, "ask_generate": sampleLink, "done_unlock": sampleLink, "done_generate": sampleLink,
	"link_used": sampleLink, "link_expired": sampleLink, "link_unknown": sampleLink, "key_no_pass": sampleLink,
	"key_over": sampleLink, "key_done": sampleLink, "key_made_before": sampleLink, "home": anyChat{sampleChats},
	"notme_ask": anyChat{sampleChats}, "notme_late": anyChat{sampleChats}, "notme_done": notMeData{bot.SayRef("N22222222"), true, true, true, web.Wait(24 * time.Hour), sampleChats},
	"key_ask": keyData{Life: web.Wait(9 * time.Minute), Min: 8, Max: 128, Problems: []key.Problem{key.TooShort, key.HasName}, Repeat: []key.Problem{key.NotRepeated}, Chats: sampleChats},
	"privacy": privacyData{web.Wait(24 * time.Hour), web.Wait(8 * 24 * time.Hour), web.Wait(30 * 24 * time.Hour), web.Wait(365 * 24 * time.Hour), web.Wait(365 * 24 * time.Hour), web.Wait(30 * 24 * time.Hour), true, "Calle de Prueba 1, Quito", "Persona de Prueba, delegado@iess.example", sampleChats},
	"office":  sheetData{affiliate.Office{Name: "Centro de prueba", Province: "Loja", City: "Loja", Address: "Calle de Prueba 1", Hours: "lunes a viernes 08:00-16:00", Note: "Entrada por la esquina", Code: "loja"}, anyChat{sampleChats}},
}

var (
	sampleChats = []web.Chat{{Channel: "telegram", URL: "https://t.me/example_bot"}, {Channel: "whatsapp", URL: "https://wa.me/15550783881"}}
	sampleLink  = linkData{Life: web.Wait(3 * time.Minute), KeyPass: web.Wait(10 * time.Minute), Next: "/clave", Own: true, Chats: sampleChats}
)

var (
	hrefs    = regexp.MustCompile(`(?:href|src|action)="([^"]*)"`)
	ids      = regexp.MustCompile(` id="([^"]*)"`)
	inputs   = regexp.MustCompile(`<input id="([^"]*)"`)
	describe = regexp.MustCompile(`aria-(?:describedby|labelledby)="([^"]*)"`)
	inline   = regexp.MustCompile(`<style|<script>| style=| on[a-z]+=|javascript:`)
	hosts    = regexp.MustCompile(`https?://([^/"<\s]*)`)
)

func TestPages(t *testing.T) {
	all, err := web.ParseLanguages(files, "templates", assets)
	if err != nil {
		t.Fatal(err)
	}
	for lang, pages := range all {
		t.Run(lang, func(t *testing.T) { testPages(t, pages, cmp.Or(lang, "es")) })
	}
	for name := range all[""] { // what no letter leads to is in Spanish alone
		if _, ok := all["en"][name]; ok == slices.Contains([]string{"home", "privacy", "office"}, name) {
			t.Errorf("%s: is there in English: %v", name, ok)
		}
	}
	for name := range all["en"] {
		if _, ok := all[""][name]; !ok {
			t.Errorf("%s: there in English alone", name)
		}
	}
}

func testPages(t *testing.T, pages web.Pages, lang string) {
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		data, ok := samples[name]
		if !ok {
			t.Errorf("%s: no sample", name)
			continue
		}
		var b bytes.Buffer
		if err := pages.Draw(&b, name, "frame", data); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		html := b.String()
		for _, want := range []string{"<!doctype html>", `<html lang="` + lang + `">`, `name="viewport"`, "<title>", `<main id="contenido">`} {
			if strings.Count(html, want) != 1 {
				t.Errorf("%s: %q stands %d times", name, want, strings.Count(html, want))
			}
		}
		if got := strings.Count(html, "<h1"); got != 1 {
			t.Errorf("%s: %d headings of the first rank", name, got)
		}
		if bad := inline.FindString(html); bad != "" {
			t.Errorf("%s: inline %q", name, bad)
		}
		if strings.Contains(html, "ZgotmplZ") || strings.Contains(html, "<no value>") {
			t.Errorf("%s: a value was refused", name)
		}
		seen := map[string]bool{}
		for _, m := range ids.FindAllStringSubmatch(html, -1) {
			if seen[m[1]] {
				t.Errorf("%s: id %q stands twice", name, m[1])
			}
			seen[m[1]] = true
		}
		for _, m := range inputs.FindAllStringSubmatch(html, -1) {
			if !strings.Contains(html, `<label for="`+m[1]+`"`) && !strings.Contains(html, `<label class="check" for="`+m[1]+`"`) {
				t.Errorf("%s: field %q has no label", name, m[1])
			}
		}
		for _, m := range describe.FindAllStringSubmatch(html, -1) {
			for id := range strings.FieldsSeq(m[1]) {
				if !seen[id] {
					t.Errorf("%s: described by %q, which is not there", name, id)
				}
			}
		}
		for _, m := range hosts.FindAllStringSubmatch(html, -1) {
			if !slices.Contains([]string{"www.iess.gob.ec", "app.iess.gob.ec", "t.me", "wa.me"}, m[1]) {
				t.Errorf("%s: host %q", name, m[1])
			}
		}
		for _, c := range sampleChats {
			if got := strings.Count(html, `href="`+c.URL+`"`); got != 1 {
				t.Errorf("%s: leads back to %s %d times, want once", name, c.Channel, got)
			}
		}
		for _, m := range hrefs.FindAllStringSubmatch(html, -1) {
			if m[1] == "" {
				t.Errorf("%s: an empty link", name)
			}
		}
	}
}

// The page has a sentence of its own for every problem a key can have.
func TestProblems(t *testing.T) {
	all, err := web.ParseLanguages(files, "templates", assets)
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]key.Problem{} // in any language
	for lang, pages := range all {
		t.Run(lang, func(t *testing.T) { testProblems(t, pages, said) })
	}
}

func testProblems(t *testing.T, pages web.Pages, said map[string]key.Problem) {
	for _, p := range append(key.Problems(), "other") {
		var b bytes.Buffer
		if err := pages.Draw(&b, "key_ask", "problem", p); err != nil {
			t.Fatal(err)
		}
		if other, twice := said[b.String()]; twice {
			t.Errorf("%s and %s say the same: %q", p, other, b.String())
		}
		said[b.String()] = p
	}
}
