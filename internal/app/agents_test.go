package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"llave/internal/agent"
	"llave/internal/app"
	"llave/internal/config"
	"llave/internal/store"
)

func TestAgents(t *testing.T) {
	environ := []string{"LLAVE_DATA_DIR=" + t.TempDir()}
	const good, other = "sopa verde con nube y tambor\n", "tambor lento bajo la nube gris\r\nsecond line\n"
	type account struct {
		Login, Name, Role, State string
		Code                     bool       `json:"second_factor"`
		LastIn                   *time.Time `json:"last_sign_in"`
	}
	list := func() (all []account) {
		t.Helper()
		code, stdout, stderr := run(t, environ, "", "agents", "list", "--json")
		if err := json.Unmarshal([]byte(stdout), &all); err != nil || code != 0 {
			t.Fatalf("list: exit %d, %q (%v), stderr %q", code, stdout, err, stderr)
		}
		return all
	}
	for _, c := range []struct {
		stdin string
		args  string
		code  int
		says  string
	}{
		{good, "add sup --name Persona_Uno --role supervisor", 0, "Persona Uno (supervisor) can sign in as sup"},
		{good, "add SUP --name Persona_Dos", 1, "login is taken"},
		{good, "add ana --name Persona_Dos", 0, "ana"},
		{"", "add eva --name Persona_Tres", 1, "standard input"},
		{"\n", "add eva --name Persona_Tres", 1, "first line is empty"},
		{"corta\n", "add eva --name Persona_Tres", 1, "12 characters at least"},
		{"aaaaaaaaaaaaaaa\n", "add eva --name Persona_Tres", 1, "easily guessed"},
		{"la persona canta de noche\n", "add eva --name Persona_Tres", 1, "part of the name"},
		{"", "disable ana", 0, "cannot sign in any more"},
		{"", "disable ana", 0, "cannot sign in any more"},
		{"", "disable nadie", 1, "no such agent"},
		{"", "disable sup", 0, "cannot sign in any more"}, // the last one: here it may be
		{"", "disable --enable sup", 0, "can sign in"},
		{other, "password sup", 0, "new password"},
		{other, "password nadie", 1, "no such agent"},
		{"", "password sup", 1, "standard input"},
		{other, "password sup --no-totp", 0, "new password"},
	} {
		args := strings.Fields(c.args)
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "_", " ")
		}
		code, stdout, stderr := run(t, environ, c.stdin, append([]string{"agents"}, args...)...)
		if code != c.code || !strings.Contains(stderr, c.says) || stdout != "" {
			t.Errorf("%s: got exit %d, stdout %q, stderr %q, want %d and %q", c.args, code, stdout, stderr, c.code, c.says)
		}
	}
	want := []account{{"ana", "Persona Dos", "agent", "disabled", false, nil}, {"sup", "Persona Uno", "supervisor", "active", false, nil}}
	if got := list(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	_, stdout, _ := run(t, environ, "", "agents", "list")
	golden(t, "agents_list.txt", stdout)
	signsIn(t, environ, "sup", "tambor lento bajo la nube gris")
}

// signsIn opens the store that the commands wrote, and signs in as the console would.
func signsIn(t *testing.T, environ []string, login, password string) {
	t.Helper()
	c, err := config.Load(environ, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := app.OpenStore(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Engine().Close()
	agents, err := app.OpenAgents(ctx, c, s)
	if err != nil {
		t.Fatal(err)
	}
	if in, err := agents.SignIn(ctx, login, password, agent.From{Source: "192.0.2.1"}); err != nil || in.Code {
		t.Errorf("sign in: got %v, code %v", err, in.Code)
	}
	var audit []string
	now, err := s.Now(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Audit.Between(ctx, time.Time{}, now.Add(time.Minute), func(e store.AuditEntry) bool {
		audit = append(audit, e.Who+": "+e.What)
		return true
	}); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(strings.Join(audit, "\n"), "command line: agent_password"); n != 2 {
		t.Errorf("the audit has %d new passwords, want 2:\n%q", n, audit)
	}
}

// Where no password comes, the message says how to give one.
func TestAgents_noPassword(t *testing.T) {
	environ := []string{"LLAVE_DATA_DIR=" + t.TempDir()}
	code, _, stderr := run(t, environ, "", "agents", "add", "maria.s", "--name", "María", "--role", "supervisor")
	if code != 1 || !strings.Contains(stderr, "run this in a terminal") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}
