package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// The key page while a key is being typed: the button keeps its place, whatever is said; nothing is said of a key that is
// being changed; and when the two differ only the second has to be typed again.
func TestKeyPage(t *testing.T) {
	t.Parallel()
	findBrowser(t)
	g := newGallery(t)
	for _, width := range []int64{320, 390, 1280} {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			v := newVisitor(t)
			do(v, "size the window", chromedp.EmulateViewport(width, 800))
			makingKey(v, g)
			button := func() float64 {
				return look[float64](v, `document.querySelector("main form button").getBoundingClientRect().top + scrollY`)
			}
			said := func() string { return look[string](v, `document.getElementById("fuerza").innerText`) }
			stays := button()
			at := func(when string) {
				t.Helper()
				if got := button(); got != stays {
					t.Errorf("%s: the button went from %v to %v", when, stays, got)
				}
			}
			at("at first")
			v.types("luna", "muy corta")
			at("when it is short")
			for _, more := range []struct{ keys, says string }{
				{" café río silla", "palabras de nuestros ejemplos"},
				{" tambor verde mojado", "Es fuerte"},
			} {
				// What it said before is gone as soon as the first letter has come.
				do(v, "type one letter", chromedp.SendKeys(chromedp.CSS("#clave"), more.keys[:1]))
				if got := said(); got != "" {
					t.Errorf("it says %q of a key that is being changed", got)
				}
				at("while it changes")
				v.types(more.keys[1:], more.says)
				at(more.says)
			}
			do(v, "take a letter away", chromedp.SendKeys(chromedp.CSS("#clave"), "\b"))
			if got := said(); got != "" {
				t.Errorf("it says %q of a key that is being changed", got)
			}
			v.types("o", "Es fuerte")

			do(v, "type another", chromedp.SendKeys(chromedp.CSS("#clave2"), "luna"))
			do(v, "press the button", chromedp.Steps(chromedp.Click(chromedp.CSS("main form button")), chromedp.WaitVisible(chromedp.CSS("#clave2-distinta"))))
			got := look[[]string](v, `[...document.querySelectorAll("main form input[type=password]")].map((e) => e.value).concat(document.activeElement.id, document.getElementById("clave2").getAttribute("aria-describedby"))`)
			if want := []string{"luna café río silla tambor verde mojado", "", "clave2", "clave2-distinta"}; fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("after two that differ: got %q, want %q", got, want)
			}
			do(v, "type it again", chromedp.SendKeys(chromedp.CSS("#clave2"), "l"))
			if look[bool](v, `document.getElementById("clave2-distinta").checkVisibility()`) {
				t.Error("it still says that they differ")
			}
			do(v, "type the rest", chromedp.SendKeys(chromedp.CSS("#clave2"), "una café río silla tambor verde mojado"))
			do(v, "press the button", leaving(chromedp.Click(chromedp.CSS("main form button"))))
			if title := look[string](v, `document.title`); title == "" || !look[bool](v, `document.querySelector("main").innerText.includes("Su clave nueva está lista")`) {
				t.Errorf("the key was not made: %s", title)
			}
		})
	}
}

// An answer that comes late is not put beside the key that has been typed since.
func TestKeyPage_lateAnswer(t *testing.T) {
	t.Parallel()
	findBrowser(t)
	g := newGallery(t)
	v := newVisitor(t)
	makingKey(v, g)
	// The network is slow: answers are held until the test lets them go.
	do(v, "hold answers", chromedp.Evaluate[chromedp.Void](`{
		const real = fetch;
		window.held = [];
		window.fetch = (...all) => new Promise((done) => held.push(() => done(real(all[0], {...all[1], signal: undefined}))));
	}`))
	do(v, "type", chromedp.SendKeys(chromedp.CSS("#clave"), "luna"))
	for len(look[string](v, `"x".repeat(held.length)`)) == 0 {
		time.Sleep(10 * time.Millisecond)
	}
	do(v, "type on", chromedp.SendKeys(chromedp.CSS("#clave"), "s"))
	if got := look[string](v, `(async () => { held[0](); await new Promise((done) => setTimeout(done, 300)); return document.getElementById("fuerza").innerText; })()`); got != "" {
		t.Errorf("it says %q of a key that has changed", got)
	}
}
