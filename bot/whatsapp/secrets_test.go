package whatsapp

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"llave/bot"
)

// Other secrets are used from the next call on, in both directions.
func TestSetSecrets(t *testing.T) {
	var shown atomic.Value
	o := outboundTo(t, func(w http.ResponseWriter, r *http.Request) {
		shown.Store(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		_, _ = w.Write([]byte(`{"messages":[{"id":"wamid.1"}]}`))
	})
	send := func(want string) {
		t.Helper()
		if err := o.c.Send(t.Context(), somebody, bot.Reply{Text: "hola"}); err != nil {
			t.Fatal(err)
		}
		if got := shown.Load(); got != want {
			t.Errorf("the token that was shown is %q, want %q", got, want)
		}
	}
	register := func(token string) int {
		rec := httptest.NewRecorder()
		o.c.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, WebhookPath+"?hub.mode=subscribe&hub.challenge=1&hub.verify_token="+url.QueryEscape(token), nil))
		return rec.Code
	}
	send(string(o.c.opt.Tokens[0]))
	if err := o.c.SetSecrets(Secrets{Tokens: []Secret{"another"}, App: "another-app", Verify: "another-verify"}); err != nil {
		t.Fatal(err)
	}
	send("another")
	if got, old := register("another-verify"), register(string(o.c.opt.VerifyToken)); got != 200 || old != 401 {
		t.Errorf("registering answers %d with the new token and %d with the old, want 200 and 401", got, old)
	}
	if err := o.c.SetSecrets(Secrets{App: "a", Verify: "b"}); err == nil {
		t.Error("no token was taken for one")
	}
	send("another")
	if got := o.c.client.clean("another, another-app, " + string(o.c.opt.Tokens[0])); strings.Contains(got, "another") || strings.Contains(got, string(o.c.opt.Tokens[0])) {
		t.Errorf("a secret is left in %q", got)
	}
}
