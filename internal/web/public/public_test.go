package public_test

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"llave/bot"
	"llave/internal/affiliate"
	"llave/internal/bottest"
	"llave/internal/key"
	"llave/internal/web/public"
)

const unlocked = "Su clave de acceso a los Servicios del Portal del IESS ha sido desbloqueada"

// From the letter to the new key, as a person walks it (P202).
func TestUnlockAndMakeKey(t *testing.T) {
	s := newSite(t)
	path := "/desbloqueo/" + s.letter(lockedNumber).Token
	b := s.browser()

	b.get("/clave").Want(t, 403, "Abra otra vez el enlace de su correo")
	for range 3 { // as often as scanners like, of any kind
		s.browser().get(path).Want(t, 200)
		s.browser().do(http.MethodHead, path, nil).Want(t, 200)
	}
	b.get(path).Want(t, 200, ">Desbloquear</button>", "El enlace dura 3 minutos")
	if got := s.status(lockedNumber); got != affiliate.Locked {
		t.Fatalf("looking changed the record: %s", got)
	}
	b.get("/listo").Want(t, 403, "Abra otra vez el enlace de su correo")
	b.press(path).To(t, "/listo")
	if got := s.status(lockedNumber); got != affiliate.Active {
		t.Errorf("record: got %s, want active", got)
	}
	b.get("/listo").Want(t, 200, "<h1>"+unlocked+"</h1>", `href="/clave"`, "Generar / Recuperar Clave")
	b.get(path).Want(t, 200, unlocked, `href="/clave"`)
	b.press(path).To(t, "/listo")
	b.get("/listo").Want(t, 200, unlocked)

	other := s.browser()
	other.get(path).Want(t, 410, "Este enlace ya se usó")
	other.press(path).Want(t, 410, "Este enlace ya se usó")
	other.get("/clave").Want(t, 403)
	other.get("/listo").Want(t, 403)

	b.get("/clave").Want(t, 200, `name="clave"`, `name="clave2"`, "Le quedan 10 minutos")
	refused := b.post("/clave", url.Values{"clave": {"corta"}, "clave2": {"otra"}}).
		Want(t, 422, "Es muy corta", "No es igual a la de arriba", `aria-describedby="clave-falta reglas"`, `aria-describedby="clave2-falta"`, "todavía no se guardó")
	if strings.Contains(refused.Body, `"corta"`) || strings.Contains(refused.Body, `"otra"`) {
		t.Error("what was typed is echoed")
	}
	for typed, says := range map[string]string{
		"contraseña":                      "Es fácil de adivinar",
		"mi " + lockedNumber + " secreto": "Tiene su número",
		"persona caballo azul luna":       "Tiene su nombre",
		strings.Repeat("ab1 ", 40):        "Es muy larga",
		"con\x01control azul luna":        "Tiene un signo",
	} {
		b.post("/clave", url.Values{"clave": {typed}, "clave2": {typed}}).Want(t, 422, says)
	}
	b.post("/clave", url.Values{}).Want(t, 422, "Es muy corta")
	b.post("/clave", url.Values{"clave": {goodKey}, "clave2": {goodKey}}).To(t, "/clave")
	b.get("/clave").Want(t, 200, "Su clave nueva está lista", "https://www.iess.gob.ec")
	b.post("/clave", url.Values{"clave": {goodKey}, "clave2": {goodKey}}).To(t, "/clave")
	b.post("/clave", url.Values{"clave": {goodKey + "!"}, "clave2": {goodKey + "!"}}).Want(t, 409, "Su clave ya estaba hecha")
	b.post("/clave", url.Values{"clave": {"x"}, "clave2": {"x"}}).Want(t, 409)
	b.get(path).Want(t, 200, unlocked)
	b.get("/listo").To(t, "/clave")

	s.clock.Advance(10 * time.Minute)
	b.get("/clave").Want(t, 403, "El tiempo de esta página terminó", "Generar clave")
	b.get("/listo").Want(t, 403, "El tiempo de esta página terminó")
	b.post("/clave", url.Values{"clave": {goodKey}, "clave2": {goodKey}}).Want(t, 403, "El tiempo de esta página terminó")
	b.get(path).Want(t, 410, "El tiempo de esta página terminó")
	other.get(path).Want(t, 410, "Este enlace ya se usó")
	other.get("/clave").Want(t, 403, "Abra otra vez el enlace de su correo")

	for what, want := range map[string]int{"used": 1, "key_made": 2, "used_by_other": 3} {
		if got := s.counted.n[what]; got != want {
			t.Errorf("counted %s: got %d, want %d", what, got, want)
		}
	}
	token := strings.TrimPrefix(path, "/desbloqueo/")
	for _, secret := range []string{token, lockedNumber, "example.com", goodKey} {
		if strings.Contains(s.log.String(), secret) {
			t.Errorf("the log holds %q:\n%s", secret, s.log)
		}
	}
}

// What the key page's script asks while a key is being typed: the words of the rules that the button judges by.
func TestStrength(t *testing.T) {
	s := newSite(t)
	path := "/desbloqueo/" + s.letter(lockedNumber).Token
	b := s.browser()
	ask := func(typed string) bottest.Page { return b.post("/clave/fuerza", url.Values{"clave": {typed}}) }
	ask(goodKey).Want(t, 403)
	b.get(path)
	b.press(path)
	if got := b.get("/clave").Header.Get("Content-Security-Policy"); !strings.HasSuffix(got, "; connect-src 'self'") {
		t.Errorf("the page may not ask: %q", got)
	}
	for typed, says := range map[string]string{
		goodKey:                           "Es fuerte.",
		"qz7x":                            "Es muy corta",
		"contraseña":                      "Es fácil de adivinar",
		"persona caballo azul luna":       "Tiene su nombre",
		"mi " + lockedNumber + " secreto": "Tiene su número",
	} {
		p := ask(typed).Want(t, 200, says)
		if strings.Contains(p.Body, typed) || strings.Contains(p.Body, "<html") {
			t.Errorf("%q: got %s", typed, p.Body)
		}
	}
	b.do("POST", "/clave/fuerza", url.Values{"clave": {goodKey}}, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example").Want(t, 403)
	b.get("/clave/fuerza").Want(t, 405)
	limited := 0
	for range 100 {
		if ask("qz7x").Status == 429 {
			limited++
		}
	}
	if limited == 0 || limited == 100 {
		t.Errorf("of 100 more questions %d were refused, want some", limited)
	}
	b.get("/clave").Want(t, 200) // nothing was made
	b.post("/clave", url.Values{"clave": {goodKey}, "clave2": {goodKey}}).To(t, "/clave")
	for _, secret := range []string{goodKey, "qz7x", "caballo", lockedNumber} {
		if strings.Contains(s.log.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}

// slowLinks has every key wait that is to be made, and tells whose it is.
type slowLinks struct {
	public.Links
	came chan string
	goes chan struct{}
}

func (l slowLinks) MakeKey(ctx context.Context, pass, chosen string) ([]key.Problem, error) {
	l.came <- pass
	<-l.goes
	return l.Links.MakeKey(ctx, pass, chosen)
}

// With a key pass on 24 connections two keys are judged at once, and with many key passes from one address eight are asked for; who
// is beyond that reads when to try again, and everybody else gets through.
func TestMakeKey_shares(t *testing.T) {
	slow := slowLinks{came: make(chan string, 100), goes: make(chan struct{})}
	s := newSite(t, func(o *public.Options) {
		slow.Links = o.Links
		o.Links, o.Keys = slow, key.NewQueue(12, 16, time.Minute)
	})
	var holders []*browser
	for i := range 8 {
		number := bottest.Cedula(i)
		s.add(number, affiliate.Locked)
		b := s.browser()
		b.press("/desbloqueo/" + s.letter(number).Token)
		holders = append(holders, b)
	}
	release := sync.OnceFunc(func() { close(slow.goes) })
	t.Cleanup(release) // before the server ends, which waits for them
	form := url.Values{"clave": {goodKey}, "clave2": {goodKey}}
	answers := make(chan bottest.Page, 100)
	post := func(b *browser) { go func() { answers <- b.post("/clave", form) }() }
	later := func(want int, what string) {
		t.Helper()
		for range want {
			select {
			case p := <-answers:
				p.Want(t, 429, "Su clave todavía no se guardó", "Inténtelo dentro de 5 segundos", `name="clave2"`)
				if got := p.Header.Get("Retry-After"); got != "5" {
					t.Errorf("Retry-After: got %q, want 5", got)
				}
				if strings.Contains(p.Body, goodKey) {
					t.Error("what was typed is echoed")
				}
			case <-time.After(20 * time.Second):
				t.Fatalf("%s is not turned away", what)
			}
		}
	}
	// One key pass: 24 connections have two keys judged. More than 20 a minute it may not ask for at all.
	for range 20 {
		post(holders[0])
	}
	later(18, "one key pass, twenty times")
	holders[0].post("/clave/fuerza", url.Values{"clave": {goodKey}}).Want(t, 429)
	for range 4 {
		holders[0].post("/clave", form).Want(t, 429, "Su clave todavía no se guardó")
	}
	for _, b := range holders[1:7] { // six more, which are the address's eight
		post(b)
	}
	came := map[string]int{}
	for range 8 {
		select {
		case pass := <-slow.came:
			came[pass]++
		case <-time.After(20 * time.Second):
			t.Fatalf("%d keys are judged, want those of the address's share", len(came))
		}
	}
	if came[holders[0].Cookie("llave")] != 2 || len(came) != 7 {
		t.Errorf("%d key passes, the first %d times, want 7, and 2", len(came), came[holders[0].Cookie("llave")])
	}
	post(holders[7])
	later(1, "the address's ninth")
	release()
	for range 8 {
		if p := <-answers; p.Status != 303 {
			t.Errorf("got %d, want 303", p.Status)
		}
	}
	holders[7].post("/clave", form).To(t, "/clave")
	if len(answers) != 0 {
		t.Errorf("%d answers too many", len(answers))
	}
}

// Where too much waits already, a key is not judged, and may be sent again.
func TestMakeKey_busy(t *testing.T) {
	queue := key.NewQueue(1, 0, time.Minute)
	s := newSite(t, func(o *public.Options) { o.Keys = queue })
	b := s.browser()
	b.press("/desbloqueo/" + s.letter(lockedNumber).Token)
	leave, err := queue.Enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"clave": {goodKey}, "clave2": {goodKey}}
	p := b.post("/clave", form).Want(t, 503, "Su clave todavía no se guardó", "Inténtelo dentro de 5 segundos", `name="clave2"`)
	if got := p.Header.Get("Retry-After"); got != "5" {
		t.Errorf("Retry-After: got %q, want 5", got)
	}
	b.post("/clave/fuerza", url.Values{"clave": {goodKey}}).Want(t, 503)
	b.get("/clave").Want(t, 200)
	leave()
	b.post("/clave/fuerza", url.Values{"clave": {goodKey}}).Want(t, 200, "Es fuerte.")
	b.post("/clave", form).To(t, "/clave")
	if got := s.counted.n["key_later"]; got != 1 {
		t.Errorf("counted %d times, want once", got)
	}
}

// TestGenerate shows P211.
func TestGenerate(t *testing.T) {
	s := newSite(t)
	path := "/generar/" + s.letter(activeNumber).Token
	b := s.browser()
	b.get(strings.Replace(path, "generar", "desbloqueo", 1)).To(t, path)
	b.get(path).Want(t, 200, ">Generar / Recuperar Clave</button>")
	b.press(path).To(t, "/clave")
	b.get("/clave").Want(t, 200, `name="clave"`)
	b.get(path).Want(t, 200, "Ya puede hacer su clave nueva", `href="/clave"`)
	s.clock.Advance(time.Minute)
	s.browser().press(path).Want(t, 410)

	locked := "/desbloqueo/" + s.letter(lockedNumber).Token
	b.get(strings.Replace(locked, "desbloqueo", "generar", 1)).To(t, locked)
	b.press(strings.Replace(locked, "desbloqueo", "generar", 1)).To(t, "/listo")
	b.get("/listo").Want(t, 200, unlocked)
}

// The browser that pressed lost our answer, or its key pass: the same link gives the key pass again.
func TestUse_lostAnswer(t *testing.T) {
	s := newSite(t)
	path := "/desbloqueo/" + s.letter(lockedNumber).Token
	b := s.browser()
	b.get(path)
	b.press(path)
	u, _ := url.Parse(s.server.URL)
	b.Client.Jar.SetCookies(u, []*http.Cookie{{Name: "llave", Path: "/", MaxAge: -1}})
	b.get("/clave").Want(t, 403)
	s.clock.Advance(4 * time.Minute)
	again := b.get(path).Want(t, 200, unlocked)
	if c := again.Header.Values("Set-Cookie"); !strings.Contains(strings.Join(c, "\n"), "llave=") || !strings.Contains(strings.Join(c, "\n"), "Max-Age=360;") {
		t.Errorf("cookies: got %q, want a key pass for the six minutes left", c)
	}
	b.get("/clave").Want(t, 200, "Le quedan 6 minutos")
}

// Who presses without ever having got the page (cookies were cleared, a copied form) can win too. A browser that keeps no cookies
// unlocks, is told so at once, and how it goes on elsewhere; its link is used up then.
func TestUse_withoutCookie(t *testing.T) {
	s := newSite(t)
	path := "/desbloqueo/" + s.letter(lockedNumber).Token
	b := s.browser()
	b.press(path).Want(t, 200, unlocked, "no guarda «cookies»", "Generar clave")
	if b.Cookie("llave-navegador") == "" || b.Cookie("llave") == "" {
		t.Fatal("the answer gave no cookies")
	}
	b.get(path).Want(t, 200, unlocked)
	b.get("/clave").Want(t, 200)

	s = newSite(t)
	path = "/desbloqueo/" + s.letter(lockedNumber).Token
	none := s.browser()
	none.Client.Jar = nil
	none.get(path).Want(t, 200, ">Desbloquear</button>")
	if page := none.press(path).Want(t, 200, unlocked, "no guarda «cookies»"); strings.Contains(page.Main(), `href="/clave"`) {
		t.Error("a way is shown that this browser cannot go")
	}
	none.get("/clave").Want(t, 403)

	// Tapped twice, or loaded again, it is nobody that the link knows. Whoever taps is not asked whether it was them.
	if page := none.press(path).Want(t, 410, "Este enlace ya se usó", "hace un momento", "chat"); strings.Contains(page.Body, unlocked) || strings.Contains(page.Main(), `href="/clave"`) || strings.Contains(page.Body, "No fui yo") || page.Header.Get("Set-Cookie") != "" && strings.Contains(strings.Join(page.Header.Values("Set-Cookie"), " "), "llave=") {
		t.Error("the second tap is given something, or accused")
	}
	none.get(path).Want(t, 410)
	s.clock.Advance(time.Minute)
	none.press(path).Want(t, 410, "No fui yo")
	none.press("/generar/"+s.letter(activeNumber).Token).Want(t, 200, "Use otro navegador")
}

// A nonce that is none of ours is not taken over (P207).
func TestUse_foreignNonce(t *testing.T) {
	s := newSite(t)
	path := "/desbloqueo/" + s.letter(lockedNumber).Token
	b := s.browser()
	u, _ := url.Parse(s.server.URL)
	for _, v := range []string{"x", strings.Repeat("A", 200)} {
		b.Client.Jar.SetCookies(u, []*http.Cookie{{Name: "llave-navegador", Value: v, Path: "/"}})
		b.get(path)
		if got, _, _ := strings.Cut(b.Cookie("llave-navegador"), "."); got == v || len(got) != 22 {
			t.Errorf("nonce %q became %q", v, got)
		}
	}
}

func TestUse_atOnce(t *testing.T) {
	const many = 16
	press := func(s *site, path string, browsers []*browser) map[int]int {
		var wg sync.WaitGroup
		var mu sync.Mutex
		got := map[int]int{}
		for i := range many {
			wg.Go(func() {
				p := browsers[i%len(browsers)].press(path)
				mu.Lock()
				defer mu.Unlock()
				got[p.Status]++
			})
		}
		wg.Wait()
		return got
	}
	once := func(t *testing.T, s *site) {
		t.Helper()
		owed := s.promises(lockedNumber)
		for _, kind := range []bot.PromiseKind{"activate", "notice", "signal"} {
			if owed[kind] != 1 {
				t.Errorf("promises: got %v, want one %s", owed, kind)
			}
		}
		if got := s.counted.n["used"]; got != 1 {
			t.Errorf("counted used %d times, want 1", got)
		}
	}
	t.Run("one browser", func(t *testing.T) {
		s := newSite(t)
		path := "/desbloqueo/" + s.letter(lockedNumber).Token
		b := s.browser()
		b.get(path)
		if got := press(s, path, []*browser{b}); got[303] != many {
			t.Errorf("got %v, want %d times 303", got, many)
		}
		once(t, s)
		b.get(path).Want(t, 200, unlocked)
	})
	t.Run("many browsers", func(t *testing.T) {
		s := newSite(t)
		path := "/desbloqueo/" + s.letter(lockedNumber).Token
		var all []*browser
		for range many {
			b := s.browser()
			b.get(path)
			all = append(all, b)
		}
		if got := press(s, path, all); got[303] != 1 || got[410] != many-1 {
			t.Errorf("got %v, want one 303 and %d times 410", got, many-1)
		}
		once(t, s)
	})
}

func TestDeadLinks(t *testing.T) {
	s := newSite(t)
	expired := s.letter(lockedNumber)
	s.clock.Advance(3 * time.Minute)
	voided := s.letter(activeNumber)
	s.browser().press("/no-fui-yo/"+voided.NotMe).Want(t, 200)
	for _, tt := range []struct {
		name, path string
		status     int
		says       string
	}{
		{"expired", "/desbloqueo/" + expired.Token, 410, "Este enlace ya no sirve"},
		{"voided", "/generar/" + voided.Token, 410, "Este enlace ya no sirve"},
		{"unknown", "/desbloqueo/" + strings.Repeat("A", 43), 404, "Este enlace no sirve"},
		{"cut short", "/desbloqueo/" + expired.Token[:20], 404, "Este enlace no sirve"},
		{"unknown, generate", "/generar/x", 404, "Este enlace no sirve"},
		{"unknown, not me", "/no-fui-yo/x", 404, "sirve durante siete días"},
		{"the other secret of the letter", "/desbloqueo/" + expired.NotMe, 404, "Este enlace no sirve"},
	} {
		for _, method := range []string{"GET", "POST"} {
			s.clock.Advance(time.Minute) // each with a fresh limit
			p := s.browser().do(method, tt.path, nil)
			if p.Status != tt.status || !strings.Contains(p.Body, tt.says) {
				t.Errorf("%s %s: got %d\n%s, want %d with %q", method, tt.name, p.Status, p.Body, tt.status, tt.says)
			}
			if strings.Contains(p.Body, "<button") {
				t.Errorf("%s %s: a dead link has a button", method, tt.name)
			}
		}
	}
	if got := s.status(lockedNumber); got != affiliate.Locked {
		t.Errorf("record: got %s, want locked", got)
	}
}

// TestLimit shows P306.
func TestLimit(t *testing.T) {
	s := newSite(t)
	good := "/desbloqueo/" + s.letter(lockedNumber).Token
	b := s.browser()
	for range 10 {
		b.get("/desbloqueo/wrong").Want(t, 404)
	}
	p := b.get("/no-fui-yo/wrong").Want(t, 429, "Inténtelo otra vez en 1 minuto.")
	if got := p.Header.Get("Retry-After"); got != "60" {
		t.Errorf("Retry-After: got %q, want 60", got)
	}
	b.press("/generar/wrong").Want(t, 429)
	b.get(good).Want(t, 200)
	b.press(good).To(t, "/listo")
	b.get(good).Want(t, 200, unlocked)
	s.clock.Advance(time.Minute)
	b.get("/desbloqueo/wrong").Want(t, 404)
}

func TestNotMe(t *testing.T) {
	s := newSite(t)
	l := s.letter(lockedNumber)
	b := s.browser()
	b.get("/no-fui-yo/"+l.NotMe).Want(t, 200, ">No fui yo</button>")
	b.get("/desbloqueo/"+l.Token).Want(t, 200)
	number := regexp.MustCompile(`\bN[0-9A-Z]{2}\x{a0}[0-9A-Z]{3}\x{a0}[0-9A-Z]{3}\b`)
	first := number.FindString(b.press("/no-fui-yo/"+l.NotMe).Want(t, 200, "Gracias por avisar").Body)
	second := number.FindString(s.browser().press("/no-fui-yo/"+l.NotMe).Want(t, 200).Body)
	if first == "" || first != second {
		t.Errorf("case numbers: got %q and %q, want the same", first, second)
	}
	b.press("/desbloqueo/"+l.Token).Want(t, 410)

	// After it was used, the key pass is worth nothing either.
	l = s.letter(lockedNumber)
	b.press("/desbloqueo/" + l.Token)
	b.get("/clave").Want(t, 200)
	s.browser().press("/no-fui-yo/"+l.NotMe).Want(t, 200, "Bloqueamos su clave otra vez")
	b.get("/clave").Want(t, 403)

	// For seven days, and not longer.
	s.clock.Advance(7*24*time.Hour - time.Minute)
	s.browser().press("/no-fui-yo/"+l.NotMe).Want(t, 200, "Bloqueamos su clave otra vez")
	s.clock.Advance(time.Minute)
	b.get("/no-fui-yo/"+l.NotMe).Want(t, 410, "sirve durante siete días")
	s.browser().press("/no-fui-yo/"+l.NotMe).Want(t, 410, "sirve durante siete días")
}

func TestGenerateURL(t *testing.T) {
	const there = "https://clave.example/generar"
	s := newSite(t, func(o *public.Options) { o.GenerateURL = there })
	b := s.browser()
	path := "/desbloqueo/" + s.letter(lockedNumber).Token
	s.browser().press(path).Want(t, 200, unlocked, `href="`+there+`"`) // it needs no cookies there
	s.add(lockedNumber, affiliate.Locked)
	path = "/desbloqueo/" + s.letter(lockedNumber).Token
	b.get(path)
	b.press(path).To(t, "/listo")
	b.get("/listo").Want(t, 200, unlocked, `href="`+there+`"`)
	b.get(path).Want(t, 200, unlocked, `href="`+there+`"`)
	b.get("/clave").Want(t, 404, "Aquí no hay ninguna página")
	b.post("/clave", url.Values{"clave": {goodKey}, "clave2": {goodKey}}).Want(t, 404)

	// A browser's form-action would stop a redirect to another site, so the page leads there.
	path = "/generar/" + s.letter(activeNumber).Token
	b.press(path).To(t, "/listo")
	b.get("/listo").Want(t, 200, `href="`+there+`"`)
}

func TestOtherSites(t *testing.T) {
	s := newSite(t)
	l := s.letter(lockedNumber)
	b := s.browser()
	for _, path := range []string{"/desbloqueo/" + l.Token, "/no-fui-yo/" + l.NotMe, "/clave"} {
		b.do("POST", path, nil, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example").Want(t, 403, "no se hizo nada")
		b.do("POST", path, nil, "Sec-Fetch-Site", "", "Origin", "null").Want(t, 403, "no se hizo nada")
	}
	if got := s.status(lockedNumber); got != affiliate.Locked {
		t.Errorf("record: got %s, want locked", got)
	}
	b.do("POST", "/desbloqueo/"+l.Token, nil, "Sec-Fetch-Site", "", "Origin", "").Want(t, 200, unlocked)
}

func TestStoreAway(t *testing.T) {
	s := newSite(t)
	l := s.letter(lockedNumber)
	b := s.browser()
	b.press("/desbloqueo/" + l.Token)
	if err := s.engine.Close(); err != nil {
		t.Fatal(err)
	}
	b.get("/listo").Want(t, 503)
	for _, path := range []string{"/desbloqueo/" + l.Token, "/generar/x", "/no-fui-yo/" + l.NotMe, "/clave"} {
		for _, method := range []string{"GET", "POST"} {
			p := b.do(method, path, nil).Want(t, 503, "Su enlace no se ha perdido")
			if p.Header.Get("Retry-After") == "" {
				t.Errorf("%s %s: no Retry-After", method, path)
			}
		}
	}
	b.get("/privacidad").Want(t, 200, "24 horas", "8 días", "30 días", "1 año")
	b.get("/").Want(t, 200)
}

// TestHeaders shows P706.
func TestHeaders(t *testing.T) {
	s := newSite(t)
	l := s.letter(lockedNumber)
	b := s.browser()
	for _, tt := range []struct {
		path     string
		referrer string
	}{
		{"/desbloqueo/" + l.Token, "same-origin"},
		{"/no-fui-yo/" + l.NotMe, "same-origin"},
		{"/privacidad", "no-referrer"},
		{"/", "no-referrer"},
		{"/desbloqueo/wrong", "no-referrer"},
		{"/nowhere", "no-referrer"},
	} {
		h := b.get(tt.path).Header
		for name, want := range map[string]string{
			"Referrer-Policy":         tt.referrer,
			"Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
			"X-Content-Type-Options":  "nosniff",
			"Cache-Control":           "no-store",
			"Content-Type":            "text/html; charset=utf-8",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s: got %q, want %q", tt.path, name, got, want)
			}
		}
	}
	b.press("/desbloqueo/"+l.Token).To(t, "/listo")
	for _, path := range []string{"/listo", "/desbloqueo/" + l.Token} { // no form any more
		if got := b.get(path).Header.Get("Referrer-Policy"); got != "no-referrer" {
			t.Errorf("%s: Referrer-Policy: got %q, want no-referrer", path, got)
		}
	}
	for _, c := range b.get("/desbloqueo/" + l.Token).Header.Values("Set-Cookie") {
		if !strings.Contains(c, "HttpOnly") || !strings.Contains(c, "SameSite=Lax") || !strings.Contains(c, "Path=/;") {
			t.Errorf("cookie: %q", c)
		}
	}
}

// TestMethodsAndSizes shows P705.
func TestMethodsAndSizes(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	b.do("PUT", "/clave", nil).Want(t, 405, "Eso no se puede hacer aquí")
	b.do("DELETE", "/desbloqueo/x", nil).Want(t, 405)
	b.do("POST", "/listo", nil).Want(t, 405)
	b.do("POST", "/privacidad", nil).Want(t, 405)
	b.post("/clave", url.Values{"clave": {strings.Repeat("x", 100<<10)}}).Want(t, 413, "demasiado grande")
	b.post("/clave", url.Values{"clave": {goodKey}, "clave2": {goodKey}}).Want(t, 403)
}
