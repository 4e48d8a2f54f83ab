package app_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/bot"
	"llave/internal/bottest"
	"llave/internal/bottest/world"
	"llave/internal/handoff"
	"llave/internal/store"
)

// exportedChat is what `llave person export --chat` prints, as far as it is looked at here.
type exportedChat struct {
	Names        map[string]any
	Conversation struct {
		Notice    string   `json:"notice_agreed_to"`
		NoticeAt  string   `json:"notice_agreed_at"`
		Numbers   []string `json:"numbers"`
		Complaint []string `json:"complaint"`
		Said      []struct{ Text string }
	}
	Cases, Complaints []struct {
		Ref, Text string
		Lines     []struct{ Text string }
	}
	Links    []string `json:"links_asked_for"`
	Messages []any
}

// All that is kept of a chat is exported while the service runs, in words, and that it was stands in the audit; of a number what is kept
// under it. Nothing of a secret is printed (P753).
func TestPersonExport(t *testing.T) {
	for _, on := range []world.Channel{world.Telegram, world.WhatsApp} {
		t.Run(on.Name, func(t *testing.T) {
			dir := t.TempDir()
			w := world.NewOn(t, on, onePerson, "LLAVE_DATA_DIR="+dir)
			environ := []string{"LLAVE_DATA_DIR=" + dir, "LLAVE_SECRET_KEY=" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))}
			export := func(stdin string, args ...string) (code int, stdout, stderr string) {
				return run(t, environ, stdin, append([]string{"person", "export"}, args...)...)
			}
			for _, text := range []string{"hola", "1", "presentar queja", "en la ventanilla nadie me quiso atender ayer", "sí, registrar", "menú", "1", theirs, "1", "1"} {
				w.Say(text)
			}
			ana := w.Agent("ana", false)
			w.Say("persona")
			ref := w.Case(world.Chat).Ref
			deed := handoff.Deed{Once: "1", Actor: ana, Ref: ref}
			if err := w.App.Desk.Claim(t.Context(), deed); err != nil {
				t.Fatal(err)
			}
			w.Settle()
			w.Say("necesito que alguien me explique despacio")

			chat := fmt.Sprintf("%s:%d", on.Name, world.Chat)
			code, stdout, stderr := export("", "--chat", chat)
			if code != 0 || stderr != "" {
				t.Fatalf("exit %d: %s", code, stderr)
			}
			var got exportedChat
			if err := json.Unmarshal([]byte(stdout), &got); err != nil {
				t.Fatal(err)
			}
			c := got.Conversation
			if c.Notice != "4" || c.NoticeAt == "" || len(c.Numbers) != 1 || c.Numbers[0] != theirs || len(c.Said) < 10 {
				t.Errorf("the conversation: %+v", c)
			}
			if len(got.Complaints) != 1 || !strings.Contains(got.Complaints[0].Text, "nadie me quiso atender") {
				t.Errorf("the complaints: %+v", got.Complaints)
			}
			if len(got.Cases) != 1 || got.Cases[0].Ref != ref || !strings.Contains(fmt.Sprint(got.Cases[0].Lines), "me explique despacio") {
				t.Errorf("the cases: %+v", got.Cases)
			}
			if len(got.Links) != 1 {
				t.Errorf("the links: %+v", got.Links)
			}
			if (len(got.Messages) > 0) != (on.Name == "whatsapp") || (got.Names["phone"] != nil) != (on.Name == "whatsapp") {
				t.Errorf("%d messages, names %v", len(got.Messages), got.Names)
			}

			// Whatever collection says anything of the chat is among those that are exported.
			conv := w.App.Store.Book.Conv(bot.ConversationID(on.Name, fmt.Sprint(world.Chat)))
			for _, collection := range []string{store.Affiliates, store.Counters, store.Settings, store.Imports, store.Presence, store.Agents, store.Sessions, store.Tries, store.Events, store.Leases, store.Unheard} {
				if n := having(t, w, collection, func(raw bson.M) bool { return strings.Contains(fmt.Sprint(raw), conv) }); n > 0 {
					t.Errorf("%d documents of %s say something of the chat, and are not exported", n, collection)
				}
			}
			if n := having(t, w, store.Lines, func(raw bson.M) bool { return raw["conv"] == conv }); n == 0 || n != len(got.Cases[0].Lines) {
				t.Errorf("%d lines are exported, %d are kept", len(got.Cases[0].Lines), n)
			}

			code, stdout, stderr = export(theirs+"\n", "-", "--json")
			if code != 0 || strings.Count(stdout, "\n") != 1 {
				t.Fatalf("exit %d: %s\n%s", code, stderr, stdout)
			}
			for _, want := range []string{`"email":"uno@correo.example"`, `"_id":"` + theirs + `"`, `"links":[{"for":"unlock","channel":"` + on.Name + `"`, `"letters_asked_for":[`} {
				if !strings.Contains(stdout, want) {
					t.Errorf("no %s in %s", want, stdout)
				}
			}
			if token := w.Link(false); strings.Contains(stdout, token[strings.LastIndex(token, "/")+1:]) {
				t.Error("the link's token is printed")
			}
			var audit []string
			if err := w.App.Store.Audit.Between(t.Context(), w.Now().Add(-1<<40), w.Now().Add(1<<40), func(e store.AuditEntry) bool {
				if e.What == "person_export" {
					audit = append(audit, e.Who+" "+e.Detail)
				}
				return true
			}); err != nil {
				t.Fatal(err)
			}
			if slices.Sort(audit); fmt.Sprint(audit) != "[command line chat command line record]" {
				t.Errorf("the audit: %q", audit)
			}

			spaced := theirs[:3] + " " + theirs[3:6] + "-" + theirs[6:]
			if code, stdout, stderr := export(spaced+"\n", "-"); code != 0 || !strings.Contains(stdout, `"_id": "`+theirs+`"`) || !strings.Contains(stdout, `"links": [`) {
				t.Errorf("of the number as people write it: exit %d: %s\n%s", code, stderr, stdout)
			}

			for _, nobody := range [][]string{{bottest.Cedula(77)}, {"--chat", on.Name + ":77"}} {
				if code, stdout, stderr := export("", nobody...); code != 1 || stdout != "" || stderr != "llave: nothing is kept of that person\n" {
					t.Errorf("%q: exit %d, %q, %q", nobody, code, stdout, stderr)
				}
			}
			// Whoever asks must not hear that nothing is kept because somebody mistyped: a digit that is wrong, left out, or another channel.
			slip := []byte(theirs)
			slip[9] = '0' + (slip[9]-'0'+1)%10
			if code, stdout, stderr := export("", string(slip)); code != 1 || stdout != "" || !strings.Contains(stderr, "look at it again") {
				t.Errorf("a wrong digit: exit %d, %q, %q", code, stdout, stderr)
			}
			if code, stdout, _ := export("", theirs[:3]+" "+theirs[3:6]+"-"+theirs[6:]); code != 0 || !strings.Contains(stdout, theirs) {
				t.Errorf("with blanks between: exit %d, %q", code, stdout)
			}
			for _, wrong := range [][]string{{}, {"-"}, {"--chat", ""}, {"--chat", "fax:1"}, {theirs[:5]}, {theirs[:9]}} {
				if code, _, _ := export("", wrong...); code != 2 {
					t.Errorf("%q: exit %d, want 2", wrong, code)
				}
			}
		})
	}
}
