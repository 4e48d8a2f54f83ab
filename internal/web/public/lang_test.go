package public_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// What mail programs glue to a link is not of it, however it comes: the browser is sent on to the right address, the button works, and
// nothing is counted as a wrong link.
func TestLink_glued(t *testing.T) {
	s := newSite(t)
	unlock, generate := s.letter(lockedNumber), s.letter(activeNumber)
	paths := map[string]string{
		"/desbloqueo/" + unlock.Token: ">Desbloquear</button>", "/generar/" + generate.Token: ">Generar / Recuperar Clave</button>", "/no-fui-yo/" + unlock.NotMe: ">No fui yo</button>",
	}
	signs := []string{".", ",", ";", ":", ">", ")", "]", `"`, "'", "…", "»", ").", `>"`, ".)]", "&gt;", "*", "”", "%", " ", "?"}
	for path, says := range paths {
		for _, sign := range signs {
			b := s.browser()
			b.get(path+url.PathEscape(sign)).To(t, path)
			b.get(path).Want(t, 200, says)
			b.do(http.MethodHead, path+url.PathEscape(sign), nil).To(t, path)
		}
	}
	for _, sign := range []string{".", ">", `"`, "'", ")]", "…", "»"} { // as a careless program sends it
		raw(t, s, "GET /desbloqueo/"+unlock.Token+sign, http.StatusSeeOther)
	}
	b := s.browser()
	b.get("/desbloqueo/" + unlock.Token)
	b.press("/desbloqueo/"+unlock.Token+url.PathEscape(">.")).To(t, "/listo")
	b.press("/generar/"+generate.Token+"%29").To(t, "/clave")
	s.browser().press("/no-fui-yo/"+unlock.NotMe+"%C2%BB").Want(t, 200, "Gracias por avisar")
	if n := s.counted.n["unknown"] + s.counted.n["limited"]; n != 0 {
		t.Errorf("%d counted as wrong links", n)
	}
	// What is wrong without the sign is wrong with it, and counted; nothing leads out of here.
	b = s.browser()
	for i, path := range []string{"/desbloqueo/" + strings.Repeat("A", 22) + "%2E", "/desbloqueo/%2F%2Fevil.example", "/generar/...", "/no-fui-yo/%3E"} {
		if p := b.get(path); p.Location != "" {
			p.To(t, "/desbloqueo/"+strings.Repeat("A", 22))
			p = b.get(p.Location).Want(t, 404)
		} else {
			p.Want(t, 404)
		}
		if n := s.counted.n["unknown"]; n != i+1 {
			t.Errorf("%s: %d counted, want %d", path, n, i+1)
		}
	}
}

// raw sends a request line as it is.
func raw(t *testing.T, s *site, line string, want int) {
	t.Helper()
	c, err := net.Dial("tcp", s.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", line)
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != want {
		t.Errorf("%s: got %d, want %d", line, res.StatusCode, want)
	}
}

// From a letter in English to the new key: every page is in English, with the fixed names as they are.
func TestEnglish(t *testing.T) {
	s := newSite(t)
	l := s.letterIn("en", lockedNumber)
	path, b := "/desbloqueo/"+l.Token, s.browser()
	english := `<html lang="en">`
	b.get(path).Want(t, 200, english, ">Desbloquear</button>", ">Unlock</p>", "The link works for 3 minutes")
	b.press(path).To(t, "/listo")
	if got := b.get("/listo").Want(t, 200, english, unlocked, "Your key for the services of the IESS portal was unlocked", ">Generar / Recuperar Clave</a>", "You have 10 minutes").Header.Get("Content-Language"); got != "en" {
		t.Errorf("Content-Language is %q, want en", got)
	}
	b.get("/clave").Want(t, 200, english, "You have 10 minutes left", ">Guardar mi clave</button>")
	b.post("/clave", url.Values{"clave": {"corta"}, "clave2": {"otra"}}).Want(t, 422, english, "It is too short", "It is not the same as the one above", "Your key was not saved yet")
	b.post("/clave/fuerza", url.Values{"clave": {"qz7x"}}).Want(t, 200, "It is still weak", "It is too short")
	b.post("/clave", url.Values{"clave": {goodKey}, "clave2": {goodKey}}).To(t, "/clave")
	b.get("/clave").Want(t, 200, english, "Your new key is ready")
	b.post("/clave", url.Values{"clave": {goodKey + "!"}, "clave2": {goodKey + "!"}}).Want(t, 409, english)

	second := s.letterIn("en", activeNumber)
	s.browser().press("/generar/"+second.Token).Want(t, 200, english, "This browser keeps no cookies")

	other := s.browser() // a letter tells its language to any browser
	other.get(path).Want(t, 410, english, "This link was used")
	other.get("/clave").Want(t, 403, english, "Open the link in your email again")
	other.do("POST", path, nil, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example").Want(t, 403, english)
	other.get("/desbloqueo/wrong").Want(t, 404, english, "This link does not work")
	other.get("/privacidad").Want(t, 200, `<html lang="es">`)
	other.get("/nowhere").Want(t, 404, `<html lang="es">`)
	other.get("/no-fui-yo/"+l.NotMe).Want(t, 200, english, ">No fui yo</button>", ">It was not me</p>")
	other.press("/no-fui-yo/"+l.NotMe).Want(t, 200, english, "We locked your key again")
	b.get("/clave").Want(t, 403, english, "The time of this page is over")
	s.clock.Advance(8 * 24 * time.Hour)
	other.get("/no-fui-yo/"+l.NotMe).Want(t, 410, english, "works for seven days")

	b.get("/desbloqueo/"+s.letter(lockedNumber).Token).Want(t, 200, `<html lang="es">`)
	b.get("/clave").Want(t, 403, `<html lang="es">`) // the last letter was in Spanish
}

// Where no letter tells the language, the browser does; Spanish wins wherever it is asked for at all.
func TestEnglish_ofTheBrowser(t *testing.T) {
	s := newSite(t)
	for accepts, want := range map[string]string{
		"": "es", "en-US,en;q=0.9": "en", "en": "en", "en-GB, en;q=0.5, *;q=0.1": "en", "en-US,en;q=0.9,es-EC;q=0.8": "es", "es-EC,es;q=0.9,en;q=0.8": "es", "fr": "es", "qu": "es", ";;,": "es",
	} {
		for path, status := range map[string]int{"/desbloqueo/wrong": 404, "/no-fui-yo/wrong": 404, "/clave": 403, "/desbloqueo/a/b": 404, "/": 200} {
			lang := want
			if path == "/" {
				lang = "es"
			}
			s.clock.Advance(time.Minute)
			s.browser().do("GET", path, nil, "Accept-Language", accepts).Want(t, status, `<html lang="`+lang+`">`)
		}
	}
	l := s.letter(lockedNumber)
	s.browser().do("GET", "/desbloqueo/"+l.Token, nil, "Accept-Language", "en").Want(t, 200, `<html lang="es">`)
	b := s.browser()
	b.SetCookie("llave-navegador", "no-nonce.tlh")
	b.get("/clave").Want(t, 403, `<html lang="es">`)
	b.get("/desbloqueo/"+l.Token).Want(t, 200, `<html lang="es">`)
}
