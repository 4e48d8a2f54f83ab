package console

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"

	"llave/internal/agent"
	"llave/internal/key"
	"llave/internal/web"
)

// The door's pages, in every state.
func TestDoor_pages(t *testing.T) {
	pages, err := web.ParsePages(files, "templates", assets)
	if err != nil {
		t.Fatal(err)
	}
	wait, idle := web.Wait(14*time.Minute), web.Wait(30*time.Minute)
	ana := agent.Agent{Login: "ana", Name: "Persona <b>Uno</b>", Role: agent.Member}
	on := ana
	on.TOTP, on.Role = "sealed", agent.Supervisor
	problems := []key.Problem{key.TooShort, key.HasName}
	for _, c := range []struct {
		page string
		data any
	}{
		{"signin", signInData{Back: Home, Why: "none", Idle: idle}},
		{"signin", signInData{Back: Home, Why: "idle", Idle: idle}},
		{"signin", signInData{Back: Home, Why: "over"}},
		{"signin", signInData{Back: Home, Why: "revoked"}},
		{"signin", signInData{Back: Home, Why: "left"}},
		{"signin", signInData{Back: Home, Wrong: true, Login: `"><script>`}},
		{"signin", signInData{Back: Home, Wrong: true, Wait: wait}},
		{"signin", signInData{Back: Home, Busy: true, Login: "ana", Wait: web.Wait(busyWait)}},
		{"signin", signInData{Back: Home, Word: true}},
		{"signin", signInData{Back: Home, Word: true, Wrong: true}},
		{"signin_code", signInData{Back: Home}},
		{"signin_code", signInData{Back: Home, Wrong: true}},
		{"signin_code", signInData{Back: Home, Wrong: true, Wait: wait}},
		{"account", accountData{Agent: ana}},
		{"account", accountData{Agent: ana, Secret: "AAAA BBBB", Link: "otpauth://totp/x", EnrolmentCode: enrolmentPath}},
		{"account", accountData{Agent: ana, Failed: "confirm", Secret: "AAAA BBBB", EnrolmentCode: enrolmentPath}},
		{"account", accountData{Agent: ana, Failed: "password", Problems: problems, Repeat: true, Secret: "AAAA BBBB", EnrolmentCode: enrolmentPath}},
		{"account", accountData{Agent: on, Failed: "password", Present: true, Wait: wait}},
		{"account", accountData{Agent: on, Failed: "end", Present: true}},
		{"account", accountData{Agent: on, Failed: "end", Code: true, Required: true}},
		{"account", accountData{Agent: on, Failed: "recovery", Present: true}},
		{"account", accountData{Agent: on, Done: "recovery", Recovery: []string{"aaaaa-bbbbb"}}},
		{"account", accountData{Agent: on, Done: "totp_on", Recovery: []string{"aaaaa-bbbbb"}, Sessions: []sessionRow{{ID: "a", Here: true}, {ID: "b", Browser: "<b>", Network: "10.0.x.x"}}}},
		{"account", accountData{Agent: ana, Failed: "begin", Present: true}},
		{"account", accountData{Agent: ana, Failed: "password", Same: true}},
		{"account", accountData{Agent: ana, Failed: "begin", Busy: true, Wait: web.Wait(busyWait)}},
		{"account", accountData{Agent: ana, Owes: agent.OwesPassword}},
		{"account", accountData{Agent: ana, Owes: agent.OwesSecondFactor}},
		{"account", accountData{Agent: ana, Owes: agent.OwesSecondFactor, Secret: "AAAA BBBB", EnrolmentCode: enrolmentPath}},
		{"confirm", confirmData{Login: "ana", Back: Home}},
		{"confirm", confirmData{Login: "ana", Back: Home, Wrong: true}},
		{"confirm", confirmData{Login: "ana", Back: Home, Wrong: true, Wait: wait}},
		{"confirm", confirmData{Login: "ana", Back: Home, Busy: true, Wait: web.Wait(busyWait)}},
	} {
		var b bytes.Buffer
		if err := pages.Draw(&b, c.page, "frame", c.data); err != nil {
			t.Errorf("%s %+v: %v", c.page, c.data, err)
			continue
		}
		checkPage(t, c.page, b.String())
	}
}

var (
	ids      = regexp.MustCompile(` id="([^"]*)"`)
	inputs   = regexp.MustCompile(`<input id="([^"]*)"`)
	describe = regexp.MustCompile(`aria-(?:describedby|labelledby)="([^"]*)"`)
	inline   = regexp.MustCompile(`<style|<script[^>]*>[^<]| style=| on[a-z]+=|javascript:|<b>`)
)

// checkPage holds one page to what every page promises.
func checkPage(t *testing.T, name, html string) {
	t.Helper()
	for _, want := range []string{"<!doctype html>", `<html lang="es">`, "<title>", `<main id="contenido">`, "<h1"} {
		if n := strings.Count(html, want); n != 1 {
			t.Errorf("%s: %q stands %d times", name, want, n)
		}
	}
	if n := strings.Count(html, " autofocus"); n > 1 {
		t.Errorf("%s: %d fields want the focus:\n%s", name, n, html)
	}
	if bad := inline.FindString(html); bad != "" {
		t.Errorf("%s: inline %q", name, bad)
	}
	if strings.Contains(html, "ZgotmplZ") || strings.Contains(html, "<no value>") {
		t.Errorf("%s: a value was refused", name)
	}
	seen := map[string]bool{}
	for _, m := range ids.FindAllStringSubmatch(html, -1) {
		if seen[m[1]] {
			t.Errorf("%s: id %q stands twice", name, m[1])
		}
		seen[m[1]] = true
	}
	for _, m := range inputs.FindAllStringSubmatch(html, -1) {
		if !strings.Contains(html, `<label for="`+m[1]+`"`) {
			t.Errorf("%s: field %q has no label", name, m[1])
		}
	}
	for _, m := range describe.FindAllStringSubmatch(html, -1) {
		for id := range strings.FieldsSeq(m[1]) {
			if !seen[id] {
				t.Errorf("%s: described by %q, which is not there", name, id)
			}
		}
	}
}

// Every problem of a password has a sentence of its own.
func TestPasswordProblems(t *testing.T) {
	pages, err := web.ParsePages(files, "templates", assets)
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]key.Problem{}
	for _, p := range []key.Problem{key.TooShort, key.TooLong, key.HasName, key.Unreadable, key.TooEasy, "other"} {
		var b bytes.Buffer
		if err := pages.Draw(&b, "account", "password-problem", p); err != nil {
			t.Fatal(err)
		}
		if other, twice := said[b.String()]; twice {
			t.Errorf("%s and %s say the same: %q", p, other, b.String())
		}
		said[b.String()] = p
	}
}
