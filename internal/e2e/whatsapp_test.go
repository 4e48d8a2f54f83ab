package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"llave/internal/bottest"
)

// One process, both channels, at once: each person is answered where they wrote, and hears there that the link was used.
func TestServe_bothChannels(t *testing.T) {
	t.Parallel()
	onBothStores(t, "both", func(t *testing.T, store ...string) {
		e := newEnvironment(t, byBoth, store...)
		e.imports(t, people)
		llave := e.serve(t)
		t.Run("", func(t *testing.T) { // ends when both have
			for i, p := range map[int]*phone{walker: e.onTelegram(t, walker), walker + 1: e.onWhatsApp(t, walker+1)} {
				t.Run("", func(t *testing.T) {
					t.Parallel()
					p.t = t
					p.comesToSend(bottest.Cedula(i))
					p.presses("Enviar enlace", "SOLICITUD DESBLOQUEO DE CLAVE")
					res, err := http.PostForm(e.letter(t, i, 0).Link("DESBLOQUEO DE CLAVE IESS"), nil)
					if err != nil {
						t.Fatal(err)
					}
					res.Body.Close()
					p.hears("Su clave ya está desbloqueada")
				})
			}
		})
		llave.stop(t)
		if n := len(e.api.Messages(int64(593990000000+walker+1))) + len(e.graph.Messages(int64(5551230000+walker))); n != 0 {
			t.Errorf("%d messages went out on the other channel", n)
		}
	})
}

// Access tokens rotate without a restart: whichever of those in the setting is accepted is used, for the same message.
func TestServe_tokensRotate(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, byWhatsApp)
	llave := e.serve(t)
	p := e.phone(t, 1)
	e.graph.SetTokens(oldGraphToken)
	p.says("hola", "Hola. Soy Llave")
	e.graph.SetTokens(graphToken)
	p.presses("Continuar", "¿Qué necesita hoy?")
	e.graph.SetTokens("EAAneither")
	p.last = p.api.Say(p.chat, "menú")
	refused := func() bool {
		calls := e.graph.Calls("messages")
		return len(calls) > 1 && calls[len(calls)-1].Status == http.StatusUnauthorized && calls[len(calls)-2].Status == http.StatusUnauthorized
	}
	if !e.graph.Wait(answerWithin, refused) {
		t.Error("a message was not tried with both tokens")
	}
	p.silent("no token is accepted")
	e.graph.SetTokens(oldGraphToken)
	p.hears("¿Qué necesita hoy?")
	llave.stop(t)
	for _, secret := range []string{graphToken, oldGraphToken, graphNumber, "wamid."} {
		if strings.Contains(llave.stdout.String()+llave.stderr.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}

// What a stranger may send to WhatsApp's webhook, and how it is registered.
func TestWhatsApp_badInput(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, byWhatsApp)
	llave := e.serve(t)
	hook := e.base + "/webhooks/whatsapp"
	ask := func(method, query, signature, body string, unsaid bool) (int, string) {
		t.Helper()
		var r io.Reader = strings.NewReader(body)
		if unsaid {
			r = io.MultiReader(r)
		}
		req, err := http.NewRequestWithContext(t.Context(), method, hook+query, r)
		if err != nil {
			t.Fatal(err)
		}
		if signature != "" {
			req.Header.Set("X-Hub-Signature-256", signature)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(text)
	}

	for _, c := range []struct {
		name, mode, token string
		want              int
	}{
		{"right", "subscribe", verifyToken, http.StatusOK},
		{"wrong token", "subscribe", verifyToken + "x", http.StatusUnauthorized},
		{"no token", "subscribe", "", http.StatusUnauthorized},
		{"another mode", "unsubscribe", verifyToken, http.StatusUnauthorized},
	} {
		q := url.Values{"hub.mode": {c.mode}, "hub.verify_token": {c.token}, "hub.challenge": {"1158201444"}}
		status, body := ask(http.MethodGet, "?"+q.Encode(), "", "", false)
		if challenge := body == "1158201444"; status != c.want || challenge != (c.want == http.StatusOK) {
			t.Errorf("register, %s: got %d %q, want %d", c.name, status, body, c.want)
		}
	}

	const empty = `{"object":"whatsapp_business_account","entry":[]}`
	long := strings.Repeat(" ", 4<<20) + empty
	for _, c := range []struct {
		name, method, signature, body string
		unsaid                        bool
		want                          int
	}{
		{"signed", http.MethodPost, sign(appSecret, empty), empty, false, http.StatusOK},
		{"not signed", http.MethodPost, "", empty, false, http.StatusUnauthorized},
		{"signed by another", http.MethodPost, sign("another", empty), empty, false, http.StatusUnauthorized},
		{"altered", http.MethodPost, sign(appSecret, empty), empty + " ", false, http.StatusUnauthorized},
		{"the older signature", http.MethodPost, "sha1=" + sign(appSecret, empty)[7:47], empty, false, http.StatusUnauthorized},
		{"not signed, not JSON", http.MethodPost, "", "{", false, http.StatusUnauthorized},
		{"not JSON", http.MethodPost, sign(appSecret, "hola"), "hola", false, http.StatusBadRequest},
		{"nothing", http.MethodPost, sign(appSecret, ""), "", false, http.StatusBadRequest},
		{"too long", http.MethodPost, sign(appSecret, long), long, false, http.StatusRequestEntityTooLarge},
		{"too long, length not said", http.MethodPost, sign(appSecret, long), long, true, http.StatusRequestEntityTooLarge},
		{"PUT", http.MethodPut, sign(appSecret, empty), empty, false, http.StatusMethodNotAllowed},
	} {
		status, body := ask(c.method, "", c.signature, c.body, c.unsaid)
		if status != c.want {
			t.Errorf("%s: got %d, want %d", c.name, status, c.want)
		}
		if c.want == http.StatusUnauthorized && body != "" {
			t.Errorf("%s: got a body: %q", c.name, body)
		}
	}
	llave.stop(t)
}

// sign is the header's value for a body.
func sign(secret, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}
