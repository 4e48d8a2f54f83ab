package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"llave/internal/bottest"
	"llave/internal/mail"
)

const (
	strongKey = "caballo azul con tres lunas"
	weakKey   = "clave2025"
)

// page is one page in one state, and how a person gets there.
type page struct {
	name string
	what string // the words under its screenshot in docs/pages.md; none: no screenshot there
	look string // its title in docs/look.md where it has none there
	open func(v *visitor, g *gallery)
	// letter is a letter and no page: its second screenshot is that of a wide window.
	letter bool
}

// shots are the views that screenshots are taken in.
func (p page) shots() []view {
	if p.letter {
		return []view{views[0], views[2]}
	}
	return views[:2]
}

// inEnglish is the page as somebody sees it who chats in English.
func inEnglish(p page) page {
	open := p.open
	p.name += "-en"
	p.open = func(v *visitor, g *gallery) {
		g.lang = "en"
		open(v, g)
		g.lang = ""
	}
	if p.what != "" {
		p.what += ", for who chats in English"
	}
	return p
}

// alsoInEnglish are the pages that are opened in English too, and whether there is a screenshot of that.
var alsoInEnglish = map[string]bool{
	"unlock": true, "unlocked": true, "link-used": false, "link-expired": false, "generate": false, "generate-again": false, "not-me": false,
	"not-me-locked": false, "not-me-late": false, "key": true, "key-refused": false, "key-made": false, "key-made-before": false, "key-over": false, "unlocked-alone": false,
}

// used uses a link.
func used(v *visitor, g *gallery) {
	v.t.Helper()
	v.open(g.unlockLink())
	v.press("Desbloquear")
}

// makingKey uses a link and goes on to the key page.
func makingKey(v *visitor, g *gallery) {
	v.t.Helper()
	used(v, g)
	v.press("Generar / Recuperar Clave")
}

// pages is every page of the public site in every state, and the letters.
func pages() []page {
	visit := func(path string) func(v *visitor, g *gallery) {
		return func(v *visitor, g *gallery) { v.open(g.base + path) }
	}
	list := []page{
		{name: "home", what: "The first page", open: visit("/")},
		{name: "privacy", what: "The privacy notice", open: visit("/privacidad")},
		{name: "office", what: "The sheet to take along to an office", open: visit("/oficina/loja")},
		{name: "office-dark", what: "The sheet to take along to an office, in the dark", open: func(v *visitor, g *gallery) {
			v.dark(true)
			v.open(g.base + "/oficina/loja")
		}},
		{name: "unlock", what: "The mailed link: one button", open: func(v *visitor, g *gallery) { v.open(g.unlockLink()) }},
		{name: "unlocked", what: "The key is unlocked", open: func(v *visitor, g *gallery) { used(v, g) }},
		{name: "link-used", what: "The link was used in another browser", open: func(v *visitor, g *gallery) {
			link := g.unlockLink()
			other := newVisitor(v.t)
			other.open(link)
			other.press("Desbloquear")
			v.open(link)
		}},
		{name: "link-expired", what: "The link is too old", open: func(v *visitor, g *gallery) {
			link := g.unlockLink()
			g.clock.Advance(3 * time.Minute)
			v.open(link)
		}},
		{name: "link-unknown", open: visit("/desbloqueo/" + madeUpToken)},
		{name: "generate", look: "The mailed link to a new key", open: func(v *visitor, g *gallery) { v.open(g.generateLink()) }},
		{name: "generate-again", open: func(v *visitor, g *gallery) {
			link := g.generateLink()
			v.open(link)
			v.press("Generar / Recuperar Clave")
			v.open(link)
		}},
		{name: "not-me", what: "«No fui yo»", open: func(v *visitor, g *gallery) { v.open(g.notMeLink()) }},
		{name: "not-me-done", open: func(v *visitor, g *gallery) {
			v.open(g.notMeLink())
			v.press("No fui yo")
			// The case's number is the only thing of the page that is another each time.
			do(v, "set the number", chromedp.Evaluate[chromedp.Void](`document.querySelector(".case").textContent = "N00\u00a0000\u00a0000"`))
		}},
		{name: "not-me-locked", what: "«No fui yo», after somebody used the link", open: func(v *visitor, g *gallery) {
			v.open(g.usedNotMeLink())
			v.press("No fui yo")
			do(v, "set the number", chromedp.Evaluate[chromedp.Void](`document.querySelector(".case").textContent = "N00\u00a0000\u00a0000"`))
		}},
		{name: "not-me-late", open: func(v *visitor, g *gallery) {
			link := g.notMeLink()
			g.clock.Advance(7 * 24 * time.Hour)
			v.open(link)
		}},
		{name: "key", what: "A new key", open: func(v *visitor, g *gallery) { makingKey(v, g) }},
		{name: "key-weak", what: "While a weak key is being typed", open: func(v *visitor, g *gallery) {
			makingKey(v, g)
			v.types(weakKey, "fácil de adivinar")
		}},
		{name: "key-strong", what: "While a strong key is being typed, and shown", open: func(v *visitor, g *gallery) {
			makingKey(v, g)
			do(v, "show what is typed", chromedp.Click(chromedp.CSS("#mostrar")))
			v.types(strongKey, "fuerte")
		}},
		{name: "key-refused", what: "A key that was refused", open: func(v *visitor, g *gallery) {
			makingKey(v, g)
			v.choose("corta")
		}},
		{name: "key-differs", what: "The second time was another", open: func(v *visitor, g *gallery) {
			makingKey(v, g)
			v.differ(strongKey, strongKey+"s")
		}},
		{name: "key-mended", open: func(v *visitor, g *gallery) {
			makingKey(v, g)
			v.choose("corta")
			v.types(strongKey, "fuerte")
			if look[bool](v, `document.querySelector("main").innerText.includes("Es muy corta")`) {
				v.t.Error("what was wrong before is still there")
			}
		}},
		{name: "key-made", what: "The key is made", open: func(v *visitor, g *gallery) {
			makingKey(v, g)
			v.choose(strongKey)
		}},
		{name: "key-made-before", open: func(v *visitor, g *gallery) {
			makingKey(v, g)
			late := chromedp.Evaluate[chromedp.Void](`{
				const form = document.createElement("form");
				form.method = "post"; form.action = "/clave";
				form.innerHTML = '<input name="clave" value="otra clave de mar y sol"><input name="clave2" value="otra clave de mar y sol">';
				document.body.append(form); form.submit();
			}`)
			v.choose(strongKey)
			do(v, "send another key", leaving(late))
		}},
		{name: "key-elsewhere", open: visit("/clave")},
		{name: "key-over", what: "The time of the key page is over", open: func(v *visitor, g *gallery) {
			makingKey(v, g)
			g.clock.Advance(10 * time.Minute)
			v.open(g.base + "/clave")
		}},
		{name: "unlocked-alone", what: "The key is unlocked, in a browser that keeps no cookies", open: func(v *visitor, g *gallery) {
			v.open(g.unlockLink())
			if _, err := chromedp.Call(v.ctx, network.ClearBrowserCookies, cdp.Empty{}); err != nil {
				v.t.Fatal(err)
			}
			v.press("Desbloquear")
		}},
	}
	for _, status := range []string{"400", "403", "404", "405", "413", "429", "500", "503"} {
		p := page{name: "error-" + status, open: visit("/error/" + status)}
		if status == "503" {
			p.what = "Nothing works for a moment"
		}
		list = append(list, p)
	}
	for _, p := range list {
		if shot, ok := alsoInEnglish[p.name]; ok {
			p = inEnglish(p)
			if !shot {
				p.what = ""
			}
			list = append(list, p)
		}
	}
	return append(list, letters()...)
}

// shownLetters are the letters with screenshots in docs/pages.md.
var shownLetters = map[mail.Kind]string{mail.Unlock: "The letter that unlocks", mail.Generate: "The letter that leads to a new key", mail.Unlocked: "The letter that tells that the key was unlocked"}

// letters are the letters of every kind, in every language that has it; those that are shown in the dark too.
func letters() (list []page) {
	for _, kind := range mail.Kinds {
		list = append(list, letterPage(kind, "", false))
		if kind != mail.Disowned && kind != mail.Monthly { // the institution reads Spanish
			list = append(list, letterPage(kind, "en", false))
		}
		if shownLetters[kind] != "" {
			list = append(list, letterPage(kind, "", true))
		}
	}
	return append(list, letterPage(mail.Unlock, "en", true))
}

func letterPage(kind mail.Kind, lang string, dark bool) page {
	p := page{name: "mail-" + string(kind), what: shownLetters[kind], letter: true, open: func(v *visitor, g *gallery) {
		v.dark(dark)
		do(v, "open the letter", chromedp.Navigate(g.base+"/carta/"+string(kind)+"/"+lang))
	}}
	if lang != "" {
		p.name += "-" + lang
		p.what += ", in English"
		if kind != mail.Unlock || dark {
			p.what = ""
		}
	}
	if dark {
		p.name += "-dark"
		if p.what != "" {
			p.what += ", in the dark"
		}
	}
	return p
}

// view is how large the window is, in the pixels that a style sheet counts in.
type view struct {
	name          string
	width, height int64
}

// views are a small phone, a screen of 1280 by 900 that its owner has zoomed to 200 %, and one that is not zoomed.
var views = []view{{"320", 320, 640}, {"200", 640, 450}, {"wide", 1280, 900}}

// Every page in every state, narrow, zoomed and wide: nothing that axe-core objects to, nothing to be scrolled sideways,
// every target large enough, and the whole page to be used from the keyboard. The screenshots in docs/ are taken on the way.
// In a small sweep each page has one look by axe-core or by the keyboard, the next one the next day; under the race detector a
// part of the pages is opened.
func TestPages(t *testing.T) {
	t.Parallel()
	findBrowser(t)
	sweep := bottest.NewSweep(t)
	g := newGallery(t)
	album := newAlbum(t)
	for i, p := range pages() {
		if !*update && !sweep.Takes(i, 1) {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			v := newVisitor(t)
			p.open(v, g)
			album.open(v, p)
			lang := look[string](v, `document.documentElement.lang`)
			if want := map[bool]string{true: "en", false: "es"}[strings.Contains(p.name, "-en")]; lang != want {
				t.Errorf("the page is in %s, want %s", lang, want)
			}
			for _, text := range look[[]string](v, `[...document.querySelectorAll("h1, h2, p, li, label, button")].map((e) => e.innerText)`) {
				readable(t, lang, text)
			}
			for _, view := range views {
				do(v, "size the window", chromedp.EmulateViewport(view.width, view.height))
				album.take(v, p, view)
				v.layout(t, view)
				switch {
				case view.name == "320" && sweep.Full().Takes(i, 3), view.name == "wide" && sweep.Full().Takes(i+1, 3): // 200 % is laid out as wide is
					v.axe(t)
				}
			}
			if sweep.Full().Takes(i+2, 3) {
				v.keyboard(t)
			}
			v.largeLetters(t)
		})
	}
	album.close(t)
}

// The page of `llave demo`, before and after the first words of the chat.
func TestPages_demo(t *testing.T) {
	t.Parallel()
	findBrowser(t)
	addr := freeAddr(t)
	demo := start(t, []string{"LLAVE_HTTP_ADDR=" + addr}, "demo")
	demo.waitOK(t, "http://"+addr+"/", 20*time.Second)
	v := newVisitor(t)
	v.open("http://" + addr + "/")
	check := func(t *testing.T) {
		for _, view := range views {
			do(v, "size the window", chromedp.EmulateViewport(view.width, view.height))
			v.layout(t, view)
			v.axe(t, "frame-tested") // what stands in the frame is looked at as a page of its own
		}
	}
	t.Run("fresh", check)
	do(v, "start the chat", chromedp.Click(chromedp.Search(`//button[normalize-space()="Empezar"]`)))
	do(v, "wait for the answer", chromedp.WaitVisible(chromedp.CSS(".chat-line.bot")))
	t.Run("chatting", check)
	demo.stop(t)
}

// differ types a key and another, presses the button, and waits until the page says that they differ.
func (v *visitor) differ(key, again string) {
	v.t.Helper()
	v.types(key, "fuerte")
	do(v, "type another", chromedp.Steps(
		chromedp.SendKeys(chromedp.CSS("#clave2"), again),
		chromedp.Click(chromedp.CSS("main form button")), chromedp.WaitVisible(chromedp.CSS("#clave2-distinta")),
	))
}

// types types a key without sending it, and waits until the page says so much of it.
func (v *visitor) types(key, says string) {
	v.t.Helper()
	do(v, "type a key", chromedp.SendKeys(chromedp.CSS("#clave"), key))
	do(v, "wait for "+says, chromedp.WaitVisible(chromedp.Search(`//*[@id="fuerza"]//*[contains(., "`+says+`")]`)))
}

// do does something in the browser.
func do(v *visitor, what string, act chromedp.Action[chromedp.Void]) {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.ctx, pageWithin)
	defer cancel()
	if _, err := chromedp.Run(ctx, act); err != nil {
		v.t.Fatalf("%s: %v", what, err)
	}
}

// click presses something with the mouse once it has been in one place for a tenth of a second and no message of the agent is
// still going out: a line that comes moves what is below it from under the hand.
func click(css string) chromedp.Action[chromedp.Void] {
	return chromedp.Steps(
		chromedp.WaitVisible(chromedp.CSS(css)),
		chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`(async () => {
			const place = () => { const e = document.querySelector(%q); return e ? JSON.stringify(e.getBoundingClientRect()) : ""; };
			for (let was = "", same = 0; same < 100; ) {
				const before = performance.now();
				await new Promise((done) => requestAnimationFrame(done));
				const is = document.querySelector("#pendientes > *") ? "" : place();
				same = is && is === was ? same + performance.now() - before : 0;
				was = is;
			}
		})()`, css), chromedp.EvalAwaitPromise),
		chromedp.Click(chromedp.CSS(css)),
	)
}

// look asks the page that is open something.
func look[T any](v *visitor, script string) T {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.ctx, pageWithin)
	defer cancel()
	answer, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		v.t.Fatalf("ask the page %.60q: %v", script, err)
	}
	return answer
}

// targets is a script's function: what can be pressed on the page, with its words and its box. A box to tick is as large
// as its label, and so is one of several to choose from.
const targets = `(() => {
	const shown = (e) => e.checkVisibility() && e.getClientRects().length > 0 && !e.disabled;
	return [...document.querySelectorAll("a[href], button, input:not([type=hidden]), summary, select, textarea")].filter(shown)
		.filter((e) => !e.matches(".skip")).map((e) => e.type === "checkbox" || e.type === "radio" ? e.closest("label") : e);
})()`

// layout wants nothing to be wider than the window, and every target to be 44 pixels high and wide.
func (v *visitor) layout(t *testing.T, view view) {
	t.Helper()
	if got := look[int64](v, `document.documentElement.scrollWidth`); got > view.width {
		t.Errorf("%s: the page is %d pixels wide, the window %d", view.name, got, view.width)
	}
	small := look[[]string](v, targets+`.map((e) => ({e, box: e.getBoundingClientRect()}))
		.filter(({box}) => box.height < 44 || box.width < 44 || box.right > innerWidth + 0.5 || box.left < 0)
		.map(({e, box}) => e.outerHTML.slice(0, 120) + " is " + box.width + " by " + box.height + " at " + box.left)`)
	for _, s := range small {
		t.Errorf("%s: too small, or out of the window: %s", view.name, s)
	}
}

// keyboard walks the page with the Tab key and wants to come to every target, to see where it is (a ring of two pixels or
// more, or the browser's own), and nothing to lie over it. Of several to choose one from it comes to one; within a field for
// a date it stops at every part.
func (v *visitor) keyboard(t *testing.T) {
	t.Helper()
	count := look[int](v, targets+`.reduce((n, e) => n + (/^(date|time)/.test(e.type) ? 8 : 1), 0)`)
	do(v, "start at the top", chromedp.Evaluate[chromedp.Void](`document.activeElement.blur(); scrollTo(0, 0); window.walked = new Set(); undefined`))
	for range count + 2 {
		do(v, "press Tab", chromedp.KeyEvent(kb.Tab))
		fault := look[string](v, `(async () => {
			await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))); // it is scrolled to by then
			const e = document.activeElement;
			if (e === document.body) return "";
			if (walked.size > 1 && e === walked.values().next().value) return "round";
			const group = e.type === "radio" ? [...document.getElementsByName(e.name)] : [e];
			for (const one of group) walked.add(e.type === "checkbox" || e.type === "radio" ? one.closest("label") : one);
			if (!e.matches(":focus")) return ""; // a part of it that has a ring of its own
			const style = getComputedStyle(e), box = e.getBoundingClientRect(), name = e.outerHTML.slice(0, 80);
			if (style.outlineStyle === "none" || style.outlineStyle !== "auto" && parseFloat(style.outlineWidth) < 2) return name + " has no ring";
			if (box.left < 0 || box.top < 0 || box.bottom > innerHeight + 1) return name + " is not to be seen: " + box.top + " to " + box.bottom;
			const top = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
			return e.contains(top) ? "" : name + " is covered";
		})()`)
		if fault == "round" {
			break
		}
		if fault != "" {
			t.Errorf("keyboard: %s", fault)
		}
	}
	for _, name := range look[[]string](v, targets+`.filter((e) => !walked.has(e)).map((e) => e.outerHTML.slice(0, 80))`) {
		t.Errorf("keyboard: the Tab key does not come to %s", name)
	}
}

// largeLetters sets the letters, and only them, to twice their size in a window of 640 pixels.
func (v *visitor) largeLetters(t *testing.T) {
	t.Helper()
	do(v, "size the window", chromedp.EmulateViewport(640, 900))
	do(v, "double the letters", chromedp.Evaluate[chromedp.Void](
		`{ const root = document.documentElement; root.style.fontSize = 2 * parseFloat(getComputedStyle(root).fontSize) + "px"; }`))
	if got := look[int64](v, `document.documentElement.scrollWidth`); got > 640 {
		t.Errorf("letters of twice the size: the page is %d pixels wide, the window 640", got)
	}
}
