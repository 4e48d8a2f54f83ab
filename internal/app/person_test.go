package app_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"llave/internal/affiliate"
	"llave/internal/app"
	"llave/internal/bottest"
	"llave/internal/bottest/world"
)

// An operator erases a person beside the service, by the number that was looked up or by the chat: nothing is kept of the chat but its
// limits, its case ends, nobody is written to, and whoever writes again begins anew (P722).
func TestPerson_erase(t *testing.T) {
	for _, tt := range []struct {
		name string
		on   world.Channel
		args func(p canaries) []string
	}{
		{"by the number, by Telegram", world.Telegram, func(p canaries) []string { return []string{"-"} }},
		{"by the number, by WhatsApp", world.WhatsApp, func(p canaries) []string { return []string{p.all[2]} }},
		{"by the chat, by Telegram", world.Telegram, func(p canaries) []string { return []string{"--chat", fmt.Sprintf("telegram:%d", p.chat)} }},
		{"by the telephone, by WhatsApp", world.WhatsApp, func(p canaries) []string { return []string{"--chat", fmt.Sprintf("+%d", p.chat)} }},
		{"by the telephone as it is dialled here, by WhatsApp", world.WhatsApp, func(p canaries) []string { return []string{"--chat", fmt.Sprintf("0%d", p.chat-593e9)} }},
		{"by the user id, by WhatsApp", world.WhatsApp, func(p canaries) []string { return []string{"--chat", p.all[1]} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			w := world.NewOn(t, tt.on, "", "LLAVE_DATA_DIR="+dir)
			people := []canaries{canariesOf(w, 1), canariesOf(w, 2)}
			live(w, people)
			p, other := people[0], people[1]
			ref := w.Case(p.chat).Ref
			said := len(w.Phone.Messages(p.chat))
			if out, code := command(t, dir, p.all[2]+"\n", append([]string{"person", "erase"}, tt.args(p)...)...); code != 0 || out != "chats 1\n" {
				t.Fatalf("exit %d, %q, want one chat", code, out)
			}
			w.Later(15 * time.Second)
			if err := w.App.EndErasing(t.Context()); err != nil {
				t.Fatal(err)
			}
			k, err := w.App.Store.KeptOf(t.Context(), conversation(w, p.chat))
			if err != nil || k.Chat != "" || k.Contact != nil || len(k.Lines)+len(k.Complaints)+len(k.Cases)+len(k.Deliveries)+len(k.Sentences)+len(k.Records) > 0 {
				t.Errorf("there is %+v (%v)", k, err)
			}
			if c := k.Conversation; c == nil || c.State != "" || len(c.Tail) > 0 || c.Handoff != nil || len(c.Numbers) != 1 || len(c.Filed) != 1 {
				t.Errorf("the conversation is %+v, want its limits alone", c)
			}
			if file, found, err := w.App.Store.Desk.Case(t.Context(), ref); err != nil || !found || file.Handoff.Open() || file.Conv != "" {
				t.Errorf("the case is %+v (%v, %v), want it over, without its chat", file, found, err)
			}
			if n := len(w.Phone.Messages(p.chat)); n != said {
				t.Errorf("the person was written to %d times", n-said)
			}
			if k, err := w.App.Store.KeptOf(t.Context(), conversation(w, other.chat)); err != nil || k.Conversation == nil || len(k.Conversation.Tail) == 0 || len(k.Lines) == 0 {
				t.Errorf("of somebody else there is %+v (%v)", k, err)
			}
			got := w.DoIn(p.chat, func() error { w.Phone.Say(p.chat, "hola"); return nil })
			if len(got) != 1 || !strings.HasPrefix(got[0].Text, "Hola. Soy Llave") {
				t.Errorf("whoever writes again hears %+v", got)
			}
			if _, code := command(t, dir, "", "person", "erase", bottest.Cedula(77)); code != 0 {
				t.Errorf("of somebody of whom nothing is kept: exit %d", code)
			}
		})
	}
}

// What names nobody is a mistake in how the command was called.
func TestPerson_usage(t *testing.T) {
	dir := t.TempDir()
	world.NewOn(t, world.Telegram, "", "LLAVE_DATA_DIR="+dir)
	zero := "0102030400" // its nine digits are not taken for it: somebody left one out, and nobody reads it back
	for n := 0; !affiliate.CheckDigit(zero); n++ {
		zero = fmt.Sprint("010203040", n)
	}
	for _, args := range [][]string{{"person"}, {"person", "erase"}, {"person", "erase", "hola"}, {"person", "erase", "-"}, {"person", "erase", "--chat", "fax:1"}, {"person", "erase", strings.TrimPrefix(zero, "0")}} {
		if out, code := command(t, dir, "", args...); code != 2 {
			t.Errorf("%v: exit %d, %q, want 2", args, code, out)
		}
	}
}

// command runs a command beside the world whose store is in a folder.
func command(t *testing.T, dir, stdin string, args ...string) (stdout string, code int) {
	t.Helper()
	var out, trouble bytes.Buffer
	code = app.Main(t.Context(), args, app.IO{
		Environ: []string{
			"LLAVE_DATA_DIR=" + dir, "LLAVE_SECRET_KEY=" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32)),
		},
		Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &trouble,
	})
	if code != 0 {
		t.Log(trouble.String())
	}
	return out.String(), code
}
