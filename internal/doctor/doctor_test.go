package doctor

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"llave/internal/bottest"
	"llave/internal/config"
)

// The secrets of the tests: no finding may hold one.
const (
	botToken    = "7000000001:AAcanary-token_of_the_doctor"
	graphToken  = "EAAcanary-token-of-the-doctor"
	graphNumber = "106540352242922"
	appSecret   = "canary-app-secret-of-the-doctor"
	verifyToken = "canary-verify-token-of-the-doctor"
	smtpPass    = "canary-smtp-password"
	mongoPass   = "canary-mongo-password"
	eventsKey   = "Y2FuYXJ5LWV2ZW50cy1zZWNyZXQtb2YtdGhlLWRvY3Rvcg=="
)

var secretKey = base64.StdEncoding.EncodeToString([]byte("canary secret key of the doctor, which is long"))

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clinic is what a doctor asks in tests.
type clinic struct {
	t    *testing.T
	env  []string
	opt  Options
	dns  *bottest.DNS
	smtp *bottest.SMTP
}

// newClinic has a mail server and a name server, both well; everything else is off.
func newClinic(t *testing.T) *clinic {
	t.Helper()
	dns, err := bottest.StartDNS()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dns.Close)
	smtp := startSMTP(t, bottest.SMTPOptions{})
	return &clinic{t, []string{
		"LLAVE_DATA_DIR=" + filepath.Join(t.TempDir(), "data"), "LLAVE_SMTP_URL=" + smtp.URL(), "LLAVE_HTTP_ADDR=127.0.0.1:0", "LLAVE_ADMIN_ADDR=" + nowhere(t),
		"LLAVE_MAIL_FROM=IESS <no-responder@correo.example>",
	}, Options{Flow: func() error { return nil }, EnvFile: "/nowhere/.env", Resolver: dns.Resolver(), Within: 5 * time.Second}, dns, smtp}
}

func startSMTP(t *testing.T, o bottest.SMTPOptions) *bottest.SMTP {
	t.Helper()
	smtp, err := bottest.StartSMTPWith(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = smtp.Close() })
	return smtp
}

// nowhere is an address that nobody listens on.
func nowhere(t *testing.T) string {
	t.Helper()
	addr, err := bottest.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

func (c *clinic) set(env ...string) *clinic {
	c.env = append(c.env, env...)
	return c
}

// report tries all, or what [try] says. None of it may hold a secret.
func (c *clinic) report(try func(context.Context, Options) Report) Report {
	c.t.Helper()
	conf, err := config.Load(c.env, c.t.TempDir())
	if err != nil {
		c.t.Fatal(err)
	}
	o := c.opt
	o.Config = conf
	r := try(c.t.Context(), o)
	http.DefaultClient.CloseIdleConnections()
	said, err := json.Marshal(r)
	if err != nil {
		c.t.Fatal(err)
	}
	_, half, _ := strings.Cut(botToken, ":")
	for _, canary := range []string{half, graphToken, graphNumber, appSecret, verifyToken, smtpPass, mongoPass, eventsKey, secretKey} {
		if bytes.Contains(said, []byte(canary)) {
			c.t.Errorf("the report holds a secret, %q: %s", canary, said)
		}
	}
	return r
}

// finds tries all and compares one finding.
func (c *clinic) finds(section, check string, status Status, words string) Finding {
	c.t.Helper()
	return c.compare(c.report(Check), section, check, status, words)
}

func (c *clinic) compare(r Report, section, check string, status Status, words string) Finding {
	c.t.Helper()
	i := slices.IndexFunc(r.Findings, func(f Finding) bool { return f.Section == section && f.Check == check })
	if i < 0 {
		c.t.Errorf("%s, %s: nothing was found; want %s %q; all: %+v", section, check, status, words, r.Findings)
		return Finding{}
	}
	f := r.Findings[i]
	if f.Status != status || !strings.Contains(f.Found, words) {
		c.t.Errorf("%s, %s: got %s %q, want %s %q", section, check, f.Status, f.Found, status, words)
	}
	if (f.Do == "") != (f.Status == Green) {
		c.t.Errorf("%s, %s: %s, and what to do is %q", section, check, f.Status, f.Do)
	}
	return f
}

// lacks says that nothing of that name was looked at.
func (c *clinic) lacks(section, check string) {
	c.t.Helper()
	for _, f := range c.report(Check).Findings {
		if f.Section == section && f.Check == check {
			c.t.Errorf("%s, %s was looked at: %+v", section, check, f)
		}
	}
}

// The worst finding is the report's, in words and as JSON.
func TestReport(t *testing.T) {
	f := func(s Status) Finding { return Finding{"mail", "server", s, "found", "do"} }
	for _, tt := range []struct {
		findings []Finding
		want     Status
	}{
		{nil, Green}, {[]Finding{f(Green)}, Green}, {[]Finding{f(Yellow), f(Green)}, Yellow}, {[]Finding{f(Green), f(Red), f(Yellow)}, Red},
	} {
		got := Green
		for _, one := range tt.findings {
			got = worse(got, one.Status)
		}
		if got != tt.want {
			t.Errorf("%v: got %s, want %s", tt.findings, got, tt.want)
		}
	}
	r := Report{Red, []Finding{{"mail", "server", Green, "it answers", ""}, {"mail", "sign-in", Red, "refused", "mend it"}, {"store", "version", Yellow, "old", "upgrade"}}}
	var plain, coloured bytes.Buffer
	if err := errors.Join(r.Write(&plain, false), r.Write(&coloured, true)); err != nil {
		t.Fatal(err)
	}
	const want = `mail
  green   server          it answers
  red     sign-in         refused
                           → mend it
store
  yellow  version         old
                           → upgrade

1 green, 1 yellow, 1 red
`
	if plain.String() != want {
		t.Errorf("got\n%s\nwant\n%s", plain.String(), want)
	}
	for _, code := range colours {
		if !strings.Contains(coloured.String(), code) || strings.Contains(plain.String(), code) {
			t.Errorf("colour %q is not where it belongs", code)
		}
	}
	unreadable := Unreadable(errors.Join(errors.New("LLAVE_A: is wrong: expected b"), errors.New("no shape")))
	if got := unreadable.Findings; unreadable.Status != Red || len(got) != 2 || got[0].Check != "LLAVE_A" || got[0].Found != "is wrong: expected b" || got[1].Check != "settings" {
		t.Errorf("settings that cannot be read: %+v", unreadable)
	}
}

// Who never answers holds up nobody for longer than the limit: the other sections are done, and it is red (P620).
func TestCheck_bounded(t *testing.T) {
	c := newClinic(t)
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(silent.Close)
	c.opt.Within = 300 * time.Millisecond
	c.set("LLAVE_TELEGRAM_TOKEN="+botToken, "LLAVE_TELEGRAM_API_URL="+silent.URL, "LLAVE_EVENTS_URL="+silent.URL, "LLAVE_EVENTS_SECRET=whsec_"+eventsKey)
	c.finds("telegram", "bot", Red, "")
	c.finds("events", "receiver", Red, "no answer in time")
	c.finds("mail", "sender", Green, "")
	s := &section{ctx: t.Context(), name: "any", within: time.Millisecond, hide: newSecrets(config.Config{})}
	hang := make(chan struct{})
	if s.check("deaf", func(context.Context) result { <-hang; return good("") }) || !strings.Contains(s.findings[0].Found, "no answer within") {
		t.Errorf("one that does not heed its context: %+v", s.findings)
	}
	close(hang)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if r := Check(ended, c.opt.with(t, c.env)); r.Status != Red {
		t.Errorf("one that was ended is %s", r.Status)
	}
}

// with is the options with settings.
func (o Options) with(t *testing.T, env []string) Options {
	t.Helper()
	conf, err := config.Load(env, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	o.Config = conf
	return o
}

// Nothing is changed anywhere: the platforms are asked only what changes nothing, no recipient is named, and no file is left (P620).
func TestCheck_changesNothing(t *testing.T) {
	c := newClinic(t)
	api := newAPI(t, c)
	g := newGraph(t, c)
	before := files(t, filepath.Dir(c.dataDir()))
	c.report(Check)
	for _, call := range api.Calls("") {
		if call.Method != "getMe" && call.Method != "getWebhookInfo" {
			t.Errorf("Telegram was asked for %s", call.Method)
		}
	}
	for _, call := range g.Calls("") {
		if !slices.Contains([]string{"phone_number", "debug_token", "phone_numbers", "subscribed_apps", "subscriptions", "message_templates"}, call.Method) {
			t.Errorf("WhatsApp was asked for %s", call.Method)
		}
	}
	if n := c.smtp.Count(bottest.SMTPRcpt); n != 0 || len(c.smtp.Letters()) != 0 || c.smtp.Count(bottest.SMTPMail) == 0 {
		t.Errorf("the mail server heard %d recipients", n)
	}
	if after := files(t, filepath.Dir(c.dataDir())); !slices.Equal(before, after) {
		t.Errorf("files before %v, after %v", before, after)
	}
}

func (c *clinic) dataDir() string {
	for _, e := range slices.Backward(c.env) {
		if dir, ok := strings.CutPrefix(e, "LLAVE_DATA_DIR="); ok {
			return dir
		}
	}
	return ""
}

func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// What needs nobody else asks nobody (P620).
func TestCheckFiles_asksNobody(t *testing.T) {
	c := newClinic(t)
	api := newAPI(t, c)
	g := newGraph(t, c)
	r := c.report(CheckFiles)
	if len(r.Findings) < 10 {
		t.Errorf("only %d findings", len(r.Findings))
	}
	for _, f := range r.Findings {
		if f.Section != "settings" && f.Section != "files" {
			t.Errorf("%s was looked at", f.Section)
		}
	}
	if n := len(api.Calls("")) + len(g.Calls("")) + len(c.smtp.Attempts()) + len(c.dns.Asked()); n != 0 {
		t.Errorf("%d questions were asked", n)
	}
}

// What others tell may hold a secret of ours: it is taken out.
func TestSecrets(t *testing.T) {
	conf, err := config.Load([]string{
		"LLAVE_TELEGRAM_TOKEN=" + botToken, "LLAVE_WHATSAPP_TOKEN=EAAother-token-of-ours," + graphToken, "LLAVE_WHATSAPP_PHONE_NUMBER_ID=" + graphNumber,
		"LLAVE_WHATSAPP_APP_SECRET=" + appSecret, "LLAVE_WHATSAPP_VERIFY_TOKEN=" + verifyToken, "LLAVE_SMTP_URL=smtp://u:p%40ss-word-1@mail.example:587",
		"LLAVE_MONGODB_URI=mongodb://u:" + mongoPass + "@db.example/", "LLAVE_SECRET_KEY=" + secretKey,
		"LLAVE_EVENTS_URL=https://events.example", "LLAVE_EVENTS_SECRET=whsec_" + eventsKey,
	}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	hide := newSecrets(conf)
	for _, s := range []string{
		botToken, strings.TrimPrefix(botToken, "7000000001:"), graphToken, "EAAother-token-of-ours", graphNumber, appSecret, verifyToken, "p%40ss-word-1", "p@ss-word-1", mongoPass, secretKey, eventsKey,
	} {
		if got := hide.clean("it says " + s + "!"); got != "it says [redacted]!" {
			t.Errorf("got %q", got)
		}
	}
	r := newDoctor(Options{Config: conf}).run(t.Context(), []part{{"any", func(_ *doctor, s *section) { s.add("one", bad("not "+mongoPass, "it says %s", botToken)) }}})
	if f := r.Findings[0]; f.Found != "it says [redacted]" || f.Do != "not [redacted]" {
		t.Errorf("a finding reads %+v", f)
	}
}

// findsIn is finds of what needs nobody else.
func (c *clinic) findsIn(section, check string, status Status, words string) {
	c.t.Helper()
	c.compare(c.report(CheckFiles), section, check, status, words)
}

// What serve warns of at start is found here too.
func TestDoctor_unsafeSettings(t *testing.T) {
	newClinic(t).set("LLAVE_PPROF=on").finds("settings", "LLAVE_PPROF", Yellow, "profiles")
	c := newClinic(t).set("LLAVE_SECOND_FACTOR=optional")
	c.finds("settings", "LLAVE_SECOND_FACTOR", Yellow, "a password alone")
}
