package e2e

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"llave/internal/bottest"
)

// finding is what `llave doctor --json` prints of one check.
type finding struct{ Section, Check, Status, Found, Do string }

// doctor runs one beside what runs, and returns its exit code and what it found, by section and check.
func (e *environment) doctor(t *testing.T, args ...string) (code int, found map[string]finding) {
	t.Helper()
	code, stdout, stderr := outcome(t, e.env, "", append([]string{"doctor", "--json"}, args...)...)
	var r struct{ Findings []finding }
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("exit %d: %v: %q %q", code, err, stdout, stderr)
	}
	for _, secret := range []string{strings.TrimPrefix(token, "7000000001:"), hookSecret, graphToken, oldGraphToken, graphNumber, appSecret, verifyToken, e.setting("LLAVE_SECRET_KEY")} {
		if strings.Contains(stdout+stderr, secret) {
			t.Errorf("the doctor prints the secret %q", secret)
		}
	}
	found = map[string]finding{}
	for _, f := range r.Findings {
		found[f.Section+" "+f.Check] = f
	}
	return code, found
}

// `llave health` waits for a service that is being started. Beside it a doctor finds nothing red but what was broken: the mail server,
// the Bot API, the account's subscription; and each is well again once it was mended (P620).
func TestDoctor(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, byBoth, "LLAVE_SECRET_KEY="+base64.StdEncoding.EncodeToString([]byte("a secret key that has many different bytes")))
	p := start(t, e.env, "serve")
	if code, stdout, stderr := outcome(t, e.env, "", "health", "--wait", "30s"); code != 0 || !strings.HasPrefix(stdout, "ready") && !strings.HasPrefix(stdout, "degraded") {
		t.Fatalf("health: exit %d, %q %q", code, stdout, stderr)
	}
	if err := e.graph.SetWebhook(e.base + "/webhooks/whatsapp"); err != nil {
		t.Fatal(err)
	}
	if !e.api.Wait(answerWithin, func() bool { return e.api.WebhookURL() != "" }) {
		t.Fatal("no webhook")
	}
	red := func(want ...string) {
		t.Helper()
		code, found := e.doctor(t)
		for name, f := range found {
			expected := false
			for _, w := range want {
				expected = expected || w == name
			}
			if (f.Status == "red") != expected && f.Section != "service" { // it may have heard of it, or not yet
				t.Errorf("with %v broken: %+v", want, f)
			}
			if f.Status != "green" && f.Do == "" {
				t.Errorf("nothing to do: %+v", f)
			}
		}
		if (code == 1) != (len(want) > 0) {
			t.Errorf("with %v broken: exit %d", want, code)
		}
	}
	red()
	e.smtp.FailAlways(bottest.SMTPMail, bottest.SMTPFault{Code: 530, Text: "sign in first"})
	red("mail sender")
	e.smtp.Heal()
	e.api.Down()
	red("telegram bot")
	if err := e.api.Up(); err != nil {
		t.Fatal(err)
	}
	e.graph.Unsubscribe()
	red("whatsapp subscription")
	p.stop(t)
	if code, _, stderr := outcome(t, e.env, "", "health"); code != 1 || !strings.Contains(stderr, e.admin) {
		t.Errorf("health of nobody: exit %d, %q", code, stderr)
	}
	code, found := e.doctor(t)
	if f := found["public address answer"]; code != 1 || f.Status != "red" || found["service serve"].Status != "yellow" {
		t.Errorf("with nobody serving: exit %d, %+v, %+v", code, f, found["service serve"])
	}
}
