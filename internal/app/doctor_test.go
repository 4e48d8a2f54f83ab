package app_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"llave/internal/bottest"
	"llave/internal/bottest/world"
	"llave/internal/doctor"
)

// examined runs a command that examines, and returns what it found by section and check.
func examined(t *testing.T, environ []string, args ...string) (code int, found map[string]doctor.Finding) {
	t.Helper()
	code, stdout, stderr := run(t, environ, "", args...)
	var r doctor.Report
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("exit %d, no report: %v; %q, %q", code, err, stdout, stderr)
	}
	if (code == 1) != (r.Status == doctor.Red) || code > 1 {
		t.Errorf("exit %d with a report that is %s", code, r.Status)
	}
	found = map[string]doctor.Finding{}
	for _, f := range r.Findings {
		found[f.Section+" "+f.Check] = f
	}
	return code, found
}

// A doctor beside a service that runs on the embedded store: it is asked and not disturbed, its public address is known for its own, and
// with all well nothing is red.
func TestDoctor_besideServe(t *testing.T) {
	api := newAPI(t)
	smtp, err := bottest.StartSMTP()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = smtp.Close() })
	dir := filepath.Join(t.TempDir(), "data")
	a := start(t, api, "LLAVE_DATA_DIR="+dir, "LLAVE_SMTP_URL="+smtp.URL())
	defer stop(t, a)
	environ := []string{
		"LLAVE_DATA_DIR=" + dir, "LLAVE_SMTP_URL=" + smtp.URL(), "LLAVE_ADMIN_ADDR=" + a.AdminAddr(), "LLAVE_PUBLIC_URL=http://" + a.Addr(),
		"LLAVE_SECRET_KEY=" + testKey, "LLAVE_TELEGRAM_TOKEN=" + world.Token, "LLAVE_TELEGRAM_API_URL=" + api.URL(),
	}
	readyz(t, a, 200, "ready")
	code, found := examined(t, environ, "doctor", "--json")
	if code != 0 {
		t.Errorf("exit %d: %+v", code, found)
	}
	for name, want := range map[string]string{
		"service serve": "is well", "store embedded": "held by process", "public address answer": "this service answers", "public address proxy": "none stands between",
		"telegram bot": "@example_bot", "mail sender": "taken", "files catalogue": "every text",
	} {
		if f := found[name]; f.Status != doctor.Green || !strings.Contains(f.Found, want) {
			t.Errorf("%s: got %+v, want green and %q", name, f, want)
		}
	}
	if n := smtp.Count(bottest.SMTPRcpt); n != 0 {
		t.Errorf("%d letters were begun", n)
	}

	smtp.FailAlways(bottest.SMTPMail, bottest.SMTPFault{Code: 550, Text: "not you"})
	if code, found = examined(t, environ, "doctor", "--json"); code != 1 || found["mail sender"].Status != doctor.Red || found["telegram bot"].Status != doctor.Green {
		t.Errorf("with a mail server that refuses: exit %d, %+v", code, found)
	}
}

// --send has a letter go out: to whom is named, else to LLAVE_REPORT_TO, else to the sender.
func TestDoctor_send(t *testing.T) {
	for name, tt := range map[string]struct {
		flag string
		set  []string
		to   string
	}{
		"not asked for": {"--send=", nil, ""},
		"named":         {"--send=ana@correo.example", nil, "ana@correo.example"},
		"reports":       {"--send", []string{"LLAVE_REPORT_TO=<jefe@correo.example>"}, "jefe@correo.example"},
		"sender":        {"--send", []string{"LLAVE_MAIL_FROM=IESS <clave@correo.example>"}, "clave@correo.example"},
	} {
		t.Run(name, func(t *testing.T) {
			smtp, err := bottest.StartSMTP()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = smtp.Close() })
			_, found := examined(t, append([]string{"LLAVE_DATA_DIR=" + filepath.Join(t.TempDir(), "data"), "LLAVE_SMTP_URL=" + smtp.URL()}, tt.set...), "doctor", "--json", tt.flag)
			var to []string
			for _, l := range smtp.Letters() {
				to = append(to, l.To)
			}
			if want := strings.Fields(tt.to); !slices.Equal(to, want) {
				t.Errorf("letters to %v, want %v; %+v", to, want, found["mail letter"])
			}
		})
	}
}

// `serve --check` says what is wrong with settings and files, asks nobody, and opens and makes nothing.
func TestServe_check(t *testing.T) {
	api := newAPI(t)
	dir := t.TempDir()
	environ := []string{
		"LLAVE_DATA_DIR=" + filepath.Join(dir, "data"), "LLAVE_SMTP_URL=smtp://127.0.0.1:1?tls=none", "LLAVE_TELEGRAM_TOKEN=" + world.Token, "LLAVE_TELEGRAM_API_URL=" + api.URL(),
		"LLAVE_MONGODB_URI=mongodb://db.invalid/", "LLAVE_SECRET_KEY=" + testKey,
	}
	code, found := examined(t, environ, "serve", "--check", "--json")
	if code != 0 || found["files catalogue"].Status != doctor.Green || found["settings channels"].Status != doctor.Green {
		t.Errorf("exit %d: %+v", code, found)
	}
	code, found = examined(t, append(environ, "LLAVE_OFFICES_FILE=/nowhere/offices.csv"), "serve", "--check", "--json")
	if code != 1 || found["files offices"].Status != doctor.Red {
		t.Errorf("without the offices: exit %d: %+v", code, found)
	}
	code, found = examined(t, append(environ, "LLAVE_LINK_TTL=soon", "LLAVE_DISCLOSURE=none"), "serve", "--check", "--json")
	if code != 1 || len(found) != 2 || found["settings LLAVE_LINK_TTL"].Status != doctor.Red {
		t.Errorf("with two mistakes: exit %d: %+v", code, found)
	}
	if code, stdout, stderr := run(t, environ, "", "serve", "--check"); code != 0 || !strings.Contains(stdout, "green   catalogue") || stderr != "" {
		t.Errorf("for people: exit %d, %q, %q", code, stdout, stderr)
	}
	if n := len(api.Calls("")); n != 0 {
		t.Errorf("Telegram was asked %d times", n)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("it left %v (%v)", entries, err)
	}
}

// Settings that cannot be read are said with what helps: a file that is not there, and a folder that is not the service's. What is wrong
// is not said to be missing too.
func TestDoctor_unreadable(t *testing.T) {
	code, found := examined(t, nil, "doctor", "--json")
	if f := found["settings .env"]; code != 1 || f.Status != doctor.Yellow || !strings.Contains(f.Do, "docker exec") || found["settings LLAVE_SMTP_URL"].Status != doctor.Red {
		t.Errorf("elsewhere: exit %d, %+v", code, found)
	}
	code, found = examined(t, []string{"LLAVE_SMTP_URL=smtp://127.0.0.1:1?tls=none", "LLAVE_TELEGRAM_TOKEN_FILE=/nowhere/token"}, "doctor", "--json")
	if f := found["settings LLAVE_TELEGRAM_TOKEN_FILE"]; code != 1 || !strings.Contains(f.Do, "mounted") || len(found) != 1 {
		t.Errorf("no secret's file: exit %d, %+v", code, found)
	}
	for _, wrong := range [][]string{
		{"LLAVE_SMTP_URL=smtp://u:pa/ss@mail.example:587"}, {"LLAVE_SMTP_URL=smtp://u:pa%zz@mail.example:587"}, {"LLAVE_SMTP_URL_FILE=/nowhere/smtp"},
		{"LLAVE_SMTP_URL=smtp://127.0.0.1:1?tls=none", "LLAVE_EVENTS_URL=https://events.example", "LLAVE_EVENTS_SECRET=secret"},
	} {
		code, found := examined(t, wrong, "doctor", "--json")
		if code != 1 || len(found) != 1 {
			t.Errorf("%s: exit %d, want one mistake: %+v", wrong, code, found)
		}
		for _, f := range found {
			if strings.Contains(wrong[0], "u:pa") && !strings.Contains(f.Found, "%") {
				t.Errorf("%s: no word of %%XX: %+v", wrong, f)
			}
		}
	}
}
