package config_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"llave/internal/config"
	"llave/internal/handoff"
)

const aKey = "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3JldA==" // "secret secret …", 34 bytes

func TestLoad_defaults(t *testing.T) {
	c, err := config.Load(nil, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		what      string
		got, want any
	}{
		{"http address", c.HTTPAddr, ":8080"},
		{"admin address", c.AdminAddr, "127.0.0.1:9090"},
		{"public URL", c.PublicURL.String(), "http://localhost:8080"},
		{"embedded", c.Embedded(), true},
		{"database", c.MongoDBDatabase, "llave"},
		{"data dir", c.DataDir, "./data"},
		{"secret key", c.SecretKey == nil, true},
		{"telegram token", c.TelegramToken.Reveal(), ""},
		{"telegram API", c.TelegramAPIURL, "https://api.telegram.org"},
		{"telegram mode", c.TelegramMode, config.Polling},
		{"telegram rate", c.TelegramRate, 30},
		{"whatsapp", c.WhatsApp.On(), false},
		{"whatsapp API", c.WhatsApp.APIURL + "/" + c.WhatsApp.APIVersion, "https://graph.facebook.com/v26.0"},
		{"whatsapp rate", c.WhatsAppRate, 80},
		{"smtp", c.SMTPURL.Reveal(), ""},
		{"from", c.MailFrom, "IESS <no-responder@localhost>"},
		{"refused in a row", c.MailRefusedRow, 5},
		{"link life", c.LinkTTL, 3 * time.Minute},
		{"generate URL", c.GenerateURL == nil, true},
		{"events URL", c.EventsURL == nil, true},
		{"disclosure", c.Disclosure, config.Guided},
		{"time zone", c.Timezone.String(), "America/Guayaquil"},
		{"hours", c.OfficeHours, handoff.Hours{{First: time.Monday, Last: time.Friday, Opens: 8 * time.Hour, Closes: 17 * time.Hour}}},
		{"an agent's session", c.AgentIdle, 30 * time.Minute},
		{"an agent's silence", c.AgentSilence, 10 * time.Minute},
		{"the first answer's target", c.FirstAnswerTarget, 2 * time.Minute},
		{"an agent's conversations", c.AgentOpenMax, 0},
		{"foreign code", c.ForeignCodePattern == nil, true},
		{"proxies", len(c.TrustedProxies), 0},
		{"files and texts of one's own", c.ModelFile + c.BreachedFile + c.AbroadText + c.PortalText, ""},
		{"return addresses", c.BounceDomain, ""},
		{"limits", c.Limits, config.Limits{3, 10, 3, 6, 20, 3, 5, 10}},
		{"retention", c.Retention, config.Retention{24 * time.Hour, 192 * time.Hour, 720 * time.Hour, 8760 * time.Hour, 8760 * time.Hour, 720 * time.Hour}},
		{"log level", c.LogLevel, slog.LevelInfo},
		{"log format", c.LogFormat, config.LogFormat("")},
	} {
		if !reflect.DeepEqual(tc.got, tc.want) {
			t.Errorf("%s: got %v, want %v", tc.what, tc.got, tc.want)
		}
	}
}

func TestLoad_production(t *testing.T) {
	c, err := config.Load([]string{
		"PATH=/bin", "LLAVE_PUBLIC_URL=https://llave.example/", "LLAVE_MONGODB_URI=mongodb://u:p@db.example/?replicaSet=rs",
		"LLAVE_SECRET_KEY=" + aKey + ", " + aKey, "LLAVE_TELEGRAM_TOKEN=1:abc", "LLAVE_TELEGRAM_MODE=webhook",
		"LLAVE_TELEGRAM_API_URL=http://botapi.internal:8081/", "LLAVE_SMTP_URL=smtps://u:p%2F@mail.example:465",
		"LLAVE_TRUSTED_PROXIES=10.1.2.3/8, 2001:db8::1", "LLAVE_FOREIGN_CODE_PATTERN=^[A-Z]{2}[0-9]{6}$",
		"LLAVE_GENERATE_URL=https://portal.example/clave", "LLAVE_EVENTS_URL=https://iam.example/hook", "LLAVE_EVENTS_SECRET=whsec_" + aKey,
		"LLAVE_MODEL_FILE=own.bin", "LLAVE_BREACHED_FILE=/var/stolen.txt", "LLAVE_ABROAD_TEXT= Llame al consulado ", "LLAVE_PORTAL_TEXT=¿Dónde? En Trámites.", "LLAVE_PRIVACY_ADDRESS= Calle de Prueba 1, Quito ", "LLAVE_PRIVACY_OFFICER=delegado_datos@iess.example, 02 000 0000",
		"LLAVE_REPORT_TO=<mesa@example.org>", "LLAVE_LIMIT_MAILS_DAY=7", "LLAVE_MAIL_REFUSED_ROW=0", "LLAVE_LIMIT_COMPLAINTS_HOUR=1", "LLAVE_LIMIT_COMPLAINTS_DAY=2", "LLAVE_RETENTION_IDLE=48h", "LLAVE_RETENTION_UNHEARD=0", "LLAVE_LOG_LEVEL=DEBUG", "LLAVE_LOG_FORMAT=json",
	}, t.TempDir(), config.NeedMail)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		what      string
		got, want any
	}{
		{"public URL", c.PublicURL.String(), "https://llave.example"},
		{"embedded", c.Embedded(), false},
		{"keys", len(c.SecretKey), 2},
		{"telegram", c.TelegramToken.Reveal(), "1:abc"},
		{"telegram mode", c.TelegramMode, config.Webhook},
		{"telegram API", c.TelegramAPIURL, "http://botapi.internal:8081"},
		{"smtp", c.SMTPURL.Reveal(), "smtps://u:p%2F@mail.example:465"},
		{"proxies", fmt.Sprint(c.TrustedProxies), "[10.0.0.0/8 2001:db8::1/128]"},
		{"foreign code", c.ForeignCodePattern.MatchString("EC123456"), true},
		{"generate URL", c.GenerateURL.String(), "https://portal.example/clave"},
		{"events URL", c.EventsURL.String(), "https://iam.example/hook"},
		{"model", c.ModelFile, "own.bin"},
		{"stolen keys", c.BreachedFile, "/var/stolen.txt"},
		{"words for people abroad", c.AbroadText, "Llame al consulado."},
		{"the way into the portal", c.PortalText, "¿Dónde? En Trámites."},
		{"where the institution lives", c.PrivacyAddress, "Calle de Prueba 1, Quito"},
		{"who protects data there", c.PrivacyOfficer, "delegado_datos@iess.example, 02 000 0000"},
		{"mails a day", c.Limits.MailsDay, 7},
		{"refused in a row", c.MailRefusedRow, 0},
		{"who is told when nobody is at the desk", c.ReportTo, "mesa@example.org"},
		{"complaints an hour", c.Limits.ComplaintsHour, 1},
		{"complaints a day", c.Limits.ComplaintsDay, 2},
		{"idle", c.Retention.Idle, 48 * time.Hour},
		{"sentences that were not understood", c.Retention.Unheard, time.Duration(0)},
		{"log level", c.LogLevel, slog.LevelDebug},
		{"log format", c.LogFormat, config.JSON},
	} {
		if !reflect.DeepEqual(tc.got, tc.want) {
			t.Errorf("%s: got %v, want %v", tc.what, tc.got, tc.want)
		}
	}
}

// Every value that cannot be meant is refused, by name, saying what is expected; a secret is not repeated.
func TestLoad_refuses(t *testing.T) {
	for _, pair := range []string{
		"LLAVE_HTTP_ADDR=8080", "LLAVE_HTTP_ADDR=:http", "LLAVE_ADMIN_ADDR=:99999",
		"LLAVE_PUBLIC_URL=llave.example", "LLAVE_PUBLIC_URL=http://llave.example", "LLAVE_PUBLIC_URL=https://llave.example/a",
		"LLAVE_PUBLIC_URL=ftp://llave.example", "LLAVE_PUBLIC_URL=https://", "LLAVE_PUBLIC_URL=https://u:hidden@llave.example",
		"LLAVE_MONGODB_URI=postgres://u:hidden@db", "LLAVE_MONGODB_DATABASE=a/b", "LLAVE_PPROF=yes",
		"LLAVE_MONGODB_URI=mongodb://u:P@hidden/7@db", "LLAVE_MONGODB_URI=mongodb://u:P/hidden@db", "LLAVE_MONGODB_URI=mongodb://u:P@hidden@db", "LLAVE_MONGODB_URI=mongodb://u:P?hidden@db",
		"LLAVE_MONGODB_URI=mongodb://u:hidden%zz@db", "LLAVE_MONGODB_URI=mongodb://u:hid:den@db", "LLAVE_MONGODB_URI=mongodb://u:hid#den@db", "LLAVE_MONGODB_URI=mongodb://hidden hidden/", "LLAVE_MONGODB_URI=mongodb://u:hid#den",
		"LLAVE_SECRET_KEY=hidden", "LLAVE_SECRET_KEY=hidden!", "LLAVE_SECRET_KEY=" + aKey + ",",
		"LLAVE_TELEGRAM_TOKEN=hidden", "LLAVE_TELEGRAM_API_URL=api.telegram.org", "LLAVE_TELEGRAM_MODE=push",
		"LLAVE_TELEGRAM_WEBHOOK_SECRET=hidden hidden", "LLAVE_TELEGRAM_RATE=0", "LLAVE_TELEGRAM_RATE=many",
		"LLAVE_WHATSAPP_API_VERSION=26", "LLAVE_WHATSAPP_TEMPLATE=Con Espacios",
		"LLAVE_SMTP_URL=mail.example:25", "LLAVE_SMTP_URL=smtp://u:hidden@mail.example?tls=none",
		"LLAVE_SMTP_URL=smtps://u:hidden@localhost?tls=none", "LLAVE_SMTP_URL=smtp://u:hidden@localhost?tls=maybe",
		"LLAVE_SMTP_URL=smtp://u:hidden@localhost?auth=plain", "LLAVE_SMTP_URL=smtp://u:hid/den@mail.example:587",
		"LLAVE_MAIL_FROM=IESS", "LLAVE_MAIL_FROM=IESS <a@example.99>", "LLAVE_MAIL_FROM=IESS <\"a,b\"@example.org>", "LLAVE_MAIL_FROM=IE\u202eSS <a@example.org>",
		"LLAVE_MAIL_BOUNCE_DOMAIN=rebotes.example.99", "LLAVE_MAIL_BOUNCE_DOMAIN=a.example-", "LLAVE_MAIL_BOUNCE_DOMAIN=a.-example", "LLAVE_MAIL_BOUNCE_DOMAIN=xn--99999999.example", "LLAVE_MAIL_BOUNCE_DOMAIN=xn--a.example",
		"LLAVE_REPORT_TO=a@b.example>", "LLAVE_REPORT_TO=<a@b.example", "LLAVE_REPORT_TO=<>",
		"LLAVE_MAIL_BOUNCE_DOMAIN=localhost", "LLAVE_MAIL_BOUNCE_DOMAIN=b@example.org", "LLAVE_MAIL_BOUNCE_DOMAIN=ñandú.example",
		"LLAVE_MAIL_BOUNCE_DOMAIN=" + strings.Repeat("a.", 99) + "example", "LLAVE_BOUNCE_ADDR=25", "LLAVE_BOUNCE_ADDR=smtp:127.0.0.1:25", "LLAVE_BOUNCE_ADDR=lmtp:", "LLAVE_BOUNCE_ADDR=lmtp:socket",
		"LLAVE_LINK_TTL=3", "LLAVE_LINK_TTL=11m", "LLAVE_LINK_TTL=-3m", "LLAVE_AGENT_IDLE=4m", "LLAVE_AGENT_IDLE=13h", "LLAVE_AGENT_SILENCE=0", "LLAVE_AGENT_SILENCE=25h", "LLAVE_FIRST_ANSWER_TARGET=9s", "LLAVE_FIRST_ANSWER_TARGET=25h", "LLAVE_AGENT_OPEN_MAX=-1", "LLAVE_AGENT_OPEN_MAX=some",
		"LLAVE_GENERATE_URL=http://portal.example", "LLAVE_DISCLOSURE=open", "LLAVE_TIMEZONE=Guayaquil", "LLAVE_TIMEZONE=Local",
		"LLAVE_OFFICE_HOURS=always", "LLAVE_OFFICE_HOURS=mon-fri 17:00-08:00", "LLAVE_OFFICE_HOURS=mon-fri 08:00-17:00,",
		"LLAVE_OFFICE_HOURS=mon-xyz 08:00-17:00", "LLAVE_TRUSTED_PROXIES=10.0.0.0/33", "LLAVE_TRUSTED_PROXIES=proxy",
		"LLAVE_FOREIGN_CODE_PATTERN=[", "LLAVE_ABROAD_TEXT=" + strings.Repeat("á", 201), "LLAVE_ABROAD_TEXT=una\notra", "LLAVE_ABROAD_TEXT= ",
		"LLAVE_PORTAL_TEXT=Vea <b>aquí</b>", "LLAVE_PRIVACY_ADDRESS=<b>Quito</b>", "LLAVE_PRIVACY_OFFICER=\xff", "LLAVE_PORTAL_TEXT=Toque {portal}", "LLAVE_PORTAL_TEXT=\xff", "LLAVE_LIMIT_NUMBERS_HOUR=-1", "LLAVE_LIMIT_COMPLAINTS_HOUR=0", "LLAVE_LIMIT_COMPLAINTS_DAY=few", "LLAVE_RETENTION_IDLE=1s", "LLAVE_RETENTION_UNHEARD=23h", "LLAVE_RETENTION_UNHEARD=-1s", "LLAVE_LOG_LEVEL=loud", "LLAVE_LOG_FORMAT=xml",
	} {
		name, _, _ := strings.Cut(pair, "=")
		_, err := config.Load([]string{pair}, t.TempDir())
		switch {
		case err == nil:
			t.Errorf("%s: got no error", pair)
		case !strings.HasPrefix(err.Error(), name+": ") || strings.Contains(err.Error(), "\n"):
			t.Errorf("%s: got %q, want one line that begins with the name", pair, err)
		case strings.Contains(err.Error(), "hid"):
			t.Errorf("%s: the error repeats a secret: %q", pair, err)
		}
	}
}

// Return addresses are on when both of their settings are there; one alone names the other.
func TestLoad_bounces(t *testing.T) {
	for addr, want := range map[string]config.BounceListener{
		":2525":                     {Network: "tcp", Addr: ":2525"},
		"lmtp:127.0.0.1:24":         {LMTP: true, Network: "tcp", Addr: "127.0.0.1:24"},
		"lmtp:/run/llave/lmtp.sock": {LMTP: true, Network: "unix", Addr: "/run/llave/lmtp.sock"},
	} {
		c, err := config.Load([]string{"LLAVE_MAIL_BOUNCE_DOMAIN=Rebotes.Example.org", "LLAVE_BOUNCE_ADDR=" + addr}, t.TempDir())
		if err != nil || c.BounceDomain != "rebotes.example.org" || c.BounceAddr != want {
			t.Errorf("%s: got %q, %+v, %v; want the domain in small letters and %+v", addr, c.BounceDomain, c.BounceAddr, err, want)
		}
	}
	for set, missing := range map[string]string{"LLAVE_BOUNCE_ADDR=:2525": "LLAVE_MAIL_BOUNCE_DOMAIN", "LLAVE_MAIL_BOUNCE_DOMAIN=rebotes.example.org": "LLAVE_BOUNCE_ADDR"} {
		if _, err := config.Load([]string{set}, t.TempDir()); err == nil || !strings.HasPrefix(err.Error(), missing+": is missing") {
			t.Errorf("%s alone: got %v, want that %s is missing", set, err, missing)
		}
	}
}

// TestLoad_reportsEverythingAtOnce shows P601.
func TestLoad_reportsEverythingAtOnce(t *testing.T) {
	_, err := config.Load([]string{
		"LLAVE_PUBLIC_ULR=https://llave.example", "LLAVE_COLOUR=blue", "LLAVE_LINK_TTL=soon", "LLAVE_MONGODB_URI=mongodb://db/",
		"LLAVE_WHATSAPP_TOKEN=hidden", "LLAVE_WHATSAPP_PHONE_NUMBER_ID=1", "LLAVE_EVENTS_SECRET=hidden",
		"LLAVE_MAIL_FROM=IESS <no-responder@example.99>",
	}, t.TempDir(), config.NeedMail)
	if err == nil {
		t.Fatal("got no error")
	}
	got := strings.Split(err.Error(), "\n")
	want := []string{
		"LLAVE_COLOUR: there is no such setting; `llave help config` lists those that exist",
		"LLAVE_PUBLIC_ULR: there is no such setting; did you mean LLAVE_PUBLIC_URL?",
		"LLAVE_MAIL_FROM: is no sender; expected Name <mailbox@host>",
		`LLAVE_LINK_TTL: "soon" cannot be; expected a time from 1s to 10m0s, written like 90s, 3m or 24h`,
		"LLAVE_EVENTS_SECRET: is no Standard Webhooks secret; expected whsec_ and 24 to 64 bytes in base64",
		"LLAVE_SECRET_KEY: is needed with MongoDB, the same in every process; expected 32 bytes or more in base64, such as `openssl rand -base64 32` prints",
		"LLAVE_SMTP_URL: is needed to send letters; expected smtp://user:pass@host:587 or smtps://user:pass@host:465",
		"LLAVE_WHATSAPP_APP_SECRET: is missing or wrong while LLAVE_WHATSAPP_TOKEN is set; expected all of them or none",
		"LLAVE_WHATSAPP_VERIFY_TOKEN: is missing or wrong while LLAVE_WHATSAPP_TOKEN is set; expected all of them or none",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestLoad_file(t *testing.T) {
	dir := t.TempDir()
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, ".env"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("# ours\nLLAVE_HTTP_ADDR=:1\nexport LLAVE_DATA_DIR=\"/srv/llave\"\nLLAVE_DISCLOSURE=uniform\nOTHER=1\n")
	c, err := config.Load([]string{"LLAVE_HTTP_ADDR=:2", "LLAVE_DISCLOSURE="}, dir)
	if err != nil {
		t.Fatal(err)
	}
	if c.HTTPAddr != ":2" || c.DataDir != "/srv/llave" || c.Disclosure != config.Uniform {
		t.Errorf("got %s %s %s, want the environment's :2, the file's directory, and the file's uniform over an empty value", c.HTTPAddr, c.DataDir, c.Disclosure)
	}

	write("OTEL_SERVICE_NAME=\"llave quito\"\nOTEL_TRACES_SAMPLER=always_on\nLLAVE_HTTP_ADDR=:1\n")
	c, err = config.Load([]string{"OTEL_TRACES_SAMPLER=always_off", "OTEL_ANYTHING=1", "OTHER=2"}, dir)
	if want := map[string]string{"OTEL_SERVICE_NAME": "llave quito", "OTEL_TRACES_SAMPLER": "always_off", "OTEL_ANYTHING": "1"}; err != nil || !maps.Equal(c.Telemetry, want) {
		t.Errorf("OpenTelemetry's own: got %q (%v), want %q", c.Telemetry, err, want)
	}

	write("LLAVE_HTTP_ADR=:1\n")
	if _, err := config.Load(nil, dir); err == nil || err.Error() != "LLAVE_HTTP_ADR (in .env): there is no such setting; did you mean LLAVE_HTTP_ADDR?" {
		t.Errorf("a wrong name in the file: got %v", err)
	}

	write("LLAVE_SECRET_KEY: \"hidden\nand so on\n")
	if _, err := config.Load(nil, dir); err == nil || !strings.HasPrefix(err.Error(), ".env: ") || strings.Contains(err.Error(), "hidden") {
		t.Errorf("a damaged file: got %v, want an error about .env that repeats nothing of it", err)
	}
}

// However a configuration is printed, no secret is seen.
func TestConfig_printsNoSecret(t *testing.T) {
	c, err := config.Load([]string{
		"LLAVE_MONGODB_URI=mongodb://u:hidden@db/", "LLAVE_SECRET_KEY=" + aKey, "LLAVE_TELEGRAM_TOKEN=1:hidden",
		"LLAVE_TELEGRAM_WEBHOOK_SECRET=hidden", "LLAVE_SMTP_URL=smtp://u:hidden@mail.example", "LLAVE_WHATSAPP_TOKEN=hidden",
		"LLAVE_WHATSAPP_PHONE_NUMBER_ID=1", "LLAVE_WHATSAPP_APP_SECRET=hidden", "LLAVE_WHATSAPP_VERIFY_TOKEN=hidden",
	}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var printed strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&printed, verb+"\n", c)
		fmt.Fprintf(&printed, verb+"\n", c.TelegramToken)
	}
	slog.New(slog.NewTextHandler(&printed, nil)).Info("x", "config", c, "token", c.TelegramToken)
	slog.New(slog.NewJSONHandler(&printed, nil)).Info("x", "token", c.TelegramToken)
	if err := json.NewEncoder(&printed).Encode(c); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"hidden", "secret secret", "68696464656e", "[]byte", "115 101 99"} {
		if strings.Contains(printed.String(), secret) {
			t.Errorf("%q is seen in\n%s", secret, printed.String())
		}
	}
}

func TestEnsureSecretKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	var all sync.WaitGroup
	keys := make([]string, 8)
	for i := range keys {
		all.Go(func() {
			k, err := config.EnsureSecretKey(dir)
			if err != nil {
				t.Error(err)
				return
			}
			keys[i] = string(k[0])
		})
	}
	all.Wait()
	for i := range keys {
		if keys[i] != keys[0] || len(keys[i]) != 32 {
			t.Errorf("process %d got another key than the first, or %d bytes", i, len(keys[i]))
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Fatalf("got %d files, %v, want secret.key alone", len(files), err)
	}
	info, err := files[0].Info()
	if err != nil || info.Name() != "secret.key" || info.Mode() != 0o600 {
		t.Errorf("got %v %v, %v, want secret.key -rw-------", info.Name(), info.Mode(), err)
	}

	path := filepath.Join(dir, "secret.key")
	if err := os.WriteFile(path, []byte("hidden\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := config.EnsureSecretKey(dir); err == nil || strings.Contains(err.Error(), "hidden") || !strings.Contains(err.Error(), path) {
		t.Errorf("a damaged file: got %v, want an error that names it and repeats nothing of it", err)
	}
}

var update = flag.Bool("update", false, "write the table of settings into README.md")

// The README's table is this one.
func TestMarkdown_inREADME(t *testing.T) {
	const path, begin, end = "../../README.md", "<!-- settings: written by the test of internal/config -->\n", "<!-- end of settings -->"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), begin)
	table, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("README.md has lost the lines %q and %q", strings.TrimSpace(begin), end)
	}
	if table == config.Markdown() {
		return
	}
	if !*update {
		t.Fatal("README.md's table of settings is behind internal/config/settings.go; run go test ./internal/config -update")
	}
	if err := os.WriteFile(path, []byte(before+begin+config.Markdown()+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// What a terminal is shown has every name, and no line that wraps on a wide one.
func TestTable(t *testing.T) {
	table := config.Table()
	for row := range strings.SplitSeq(config.Markdown(), "\n") {
		if name, _, ok := strings.Cut(strings.TrimPrefix(row, "| `"), "`"); ok && strings.HasPrefix(name, "LLAVE_") && !strings.Contains(table, name+" ") {
			t.Errorf("%s is missing", name)
		}
	}
	for line := range strings.SplitSeq(table, "\n") {
		if len(line) > 160 || strings.Contains(line, "`") {
			t.Errorf("line too long, or with markup: %q", line)
		}
	}
}
