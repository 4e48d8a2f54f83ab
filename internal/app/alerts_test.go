package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"llave/internal/agent"
	"llave/internal/alert"
	"llave/internal/bottest"
	"llave/internal/bottest/world"
	"llave/internal/handoff"
)

// asks has somebody in another chat ask for a person.
func asks(w *world.World, chat int64) {
	for _, text := range []string{"hola", "persona"} {
		w.DoIn(chat, func() error { w.Phone.Say(chat, text); return nil })
	}
}

func subscribed(t *testing.T, w *world.World, login string) *bottest.PushDevice {
	t.Helper()
	d := w.Push.Device()
	if err := w.App.Alerts.Subscribe(t.Context(), login, "Firefox, Linux", []byte(d.Subscription())); err != nil {
		t.Fatal(err)
	}
	return d
}

func flush(t *testing.T, w *world.World) {
	t.Helper()
	if err := w.App.Alerts.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// pushedWords are the words of what the push service took.
func pushedWords(t *testing.T, w *world.World) (all []string) {
	t.Helper()
	for _, p := range w.Push.Got() {
		var m alert.Message
		if err := json.Unmarshal([]byte(p.Text), &m); err != nil {
			t.Fatalf("a device is told %q: %v", p.Text, err)
		}
		all = append(all, m.Text)
	}
	return all
}

// An agent on duty whose last page is closed hears of a case on the device that was subscribed: at once, in words that name no person, and
// of what comes in the same twenty seconds in one (P762).
func TestPush_wholeRoad(t *testing.T) {
	w := world.New(t, onePerson)
	w.Agent("ana", false)
	d := subscribed(t, w, "ana")
	w.Vanish("ana")
	for _, text := range []string{"hola", "1", "1", theirs, "1", "1", "me llamo Persona Uno", "persona"} {
		w.Say(text)
	}
	got := w.Push.Got()
	if len(got) != 1 {
		t.Fatalf("%d messages, refused: %v, log:\n%s", len(got), w.Push.Refused(), w.Log.String())
	}
	first := got[0]
	if first.Device != d || first.TTL != "600" || first.Topic == "" || first.Urgency != "high" || !strings.HasPrefix(first.Subject, "https://") {
		t.Errorf("got %+v", first)
	}
	var m map[string]string
	if err := json.Unmarshal([]byte(first.Text), &m); err != nil || len(m) != 2 || m["text"] != "Hay un caso nuevo en la bandeja" || m["ref"] != w.Case(world.Chat).Ref {
		t.Errorf("the device is told %s, %v", first.Text, err)
	}
	if key, err := w.App.Alerts.PublicKey(t.Context()); err != nil || key != first.Key {
		t.Errorf("signed by %s, subscribed with %s, %v", first.Key, key, err)
	}
	for i := range 3 {
		asks(w, world.Chat+2000+int64(i))
	}
	flush(t, w)
	if all := pushedWords(t, w); len(all) != 2 || all[1] != "Hay 2 casos nuevos en la bandeja" { // a person takes twelve seconds, so the burst ends once
		t.Errorf("told %q within two bursts", all)
	}
	w.Later(alert.Burst)
	flush(t, w)
	flush(t, w)
	if all := pushedWords(t, w); len(all) != 3 || all[2] != "Hay un caso nuevo en la bandeja" {
		t.Errorf("told %q", all)
	}
	if why := w.Push.Refused(); len(why) > 0 {
		t.Errorf("the push service refused: %v", why)
	}
}

// Who is on a break, has signed out, or is in quiet hours is not told, nor anybody while the desk is closed, nor the next morning.
func TestPush_onDutyAlone(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, w *world.World) error{
		"on a break": func(t *testing.T, w *world.World) error {
			return w.App.Desk.Beat(t.Context(), handoff.Actor{Login: "ana", Name: "Ana"}, true)
		},
		"signed out": func(t *testing.T, w *world.World) error { return w.App.Desk.Gone(t.Context(), "ana") },
		"quiet hours": func(t *testing.T, w *world.World) error {
			return w.App.Alerts.SetQuiet(t.Context(), "ana", "09:00", "11:00")
		},
		"disabled": func(t *testing.T, w *world.World) error { return w.App.Agents.Disable(t.Context(), "sup", "ana") },
		"made a clerk": func(t *testing.T, w *world.World) error {
			return w.App.Agents.SetRole(t.Context(), "sup", "ana", agent.Clerk)
		},
		"closed": func(t *testing.T, w *world.World) error {
			s, err := w.App.Store.Schedule.Load(t.Context())
			if err != nil {
				return err
			}
			s.ClosedNow = &handoff.Closed{By: "sup", At: w.Now()}
			return w.App.Store.Schedule.Save(t.Context(), &s)
		},
		"the next morning": func(t *testing.T, w *world.World) error { w.Later(23 * time.Hour); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			w := world.New(t, onePerson)
			w.Agent("sup", true)
			w.Agent("ana", false)
			subscribed(t, w, "ana")
			w.Vanish("ana")
			if err := prepare(t, w); err != nil {
				t.Fatal(err)
			}
			asks(w, world.Chat)
			w.Later(alert.Burst)
			flush(t, w)
			if got := pushedWords(t, w); len(got) > 0 {
				t.Errorf("told %q", got)
			}
		})
	}
}

// A subscription that has ended is dropped at the first message; a service that is away is asked again, for as long as it is news.
func TestPush_deadAndAway(t *testing.T) {
	w := world.New(t, onePerson)
	w.Agent("ana", false)
	dead, away := subscribed(t, w, "ana"), subscribed(t, w, "ana")
	w.Vanish("ana")
	w.Push.Answers(dead, http.StatusGone)
	w.Push.Answers(away, http.StatusForbidden) // our clock is wrong, or our key: the device is as good as it was
	asks(w, world.Chat)
	b, err := w.App.Alerts.Bell(t.Context(), "ana")
	if err != nil || len(b.Devices) != 1 || len(b.Owed) != 1 {
		t.Fatalf("%d devices, %d owed, %v; want the one that is away, and what it was not told", len(b.Devices), len(b.Owed), err)
	}
	w.Push.Answers(away, 0)
	w.Later(alert.Burst)
	flush(t, w)
	if got := pushedWords(t, w); len(got) != 1 {
		t.Errorf("told %q once the service is back", got)
	}
	w.Push.Answers(away, http.StatusServiceUnavailable)
	w.Later(alert.Burst)
	asks(w, world.Chat+2000)
	w.Later(11 * time.Minute)
	w.Push.Answers(away, 0)
	flush(t, w)
	if got := pushedWords(t, w); len(got) != 1 {
		t.Errorf("told %q of what is no news", got)
	}
	if b, _ = w.App.Alerts.Bell(t.Context(), "ana"); len(b.Owed) > 0 {
		t.Errorf("still owed: %+v", b.Owed)
	}
}

// No message goes to an address that is not a push service's, or not public, whatever a browser says.
func TestPush_endpoints(t *testing.T) {
	w := world.New(t, onePerson)
	d := w.Push.Device()
	for _, endpoint := range []string{
		"http://push.example.com/send/1", "https://127.0.0.1/send/1", "https://[::1]/x", "https://10.0.0.1/x", "https://169.254.169.254/latest", "https://localhost/x",
		"https://push.example.com:8443/x", "https://u:p@push.example.com/x", "https://mongodb/x", "https://db.internal/x", "https://2130706433/x", "file:///etc/passwd", "",
		"https://push.example.com/" + strings.Repeat("x", 2000),
	} {
		given := strings.Replace(d.Subscription(), d.Endpoint(), endpoint, 1)
		if err := w.App.Alerts.Subscribe(t.Context(), "ana", "", []byte(given)); err != alert.ErrSubscription {
			t.Errorf("%.60q: %v", endpoint, err)
		}
	}
	for name, given := range map[string]string{
		"no point of the curve": regexp.MustCompile(`"p256dh":"[^"]*"`).ReplaceAllString(d.Subscription(), `"p256dh":"`+strings.Repeat("B", 87)+`"`),
		"a short secret":        regexp.MustCompile(`"auth":"[^"]*"`).ReplaceAllString(d.Subscription(), `"auth":"AAAA"`),
		"no JSON":               "x",
	} {
		if err := w.App.Alerts.Subscribe(t.Context(), "ana", "", []byte(given)); err != alert.ErrSubscription {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Neither keys, nor addresses, nor an agent's chat lie open in the store.
func TestPush_sealed(t *testing.T) {
	w := world.New(t, onePerson)
	w.Agent("ana", false)
	d := subscribed(t, w, "ana")
	b, _, err := w.App.Store.Bells.Find(t.Context(), "ana")
	if err != nil {
		t.Fatal(err)
	}
	if kept := fmt.Sprintf("%+v", b); strings.Contains(kept, d.Endpoint()) || strings.Contains(kept, bottest.PushHost) {
		t.Errorf("kept: %s", kept)
	}
}

// An agent links their own Telegram by a code, once: it is written to like a device, another chat cannot use the code again, nor one that is
// made up, and no conversation begins with it (P763).
func TestAlertChat(t *testing.T) {
	w := world.New(t, onePerson)
	w.Agent("ana", false)
	const own, stranger = world.Chat + 3000, world.Chat + 3001
	say := func(chat int64, text string) string {
		t.Helper()
		var all []string
		for _, m := range w.DoIn(chat, func() error { w.Phone.Say(chat, text); return nil }) {
			all = append(all, m.Text)
		}
		return strings.Join(all, "\n")
	}
	code, err := w.App.Alerts.NewCode(t.Context(), "ana")
	if err != nil {
		t.Fatal(err)
	}
	if got := say(stranger, "vincular AAAAA-AAAA2"); !strings.Contains(got, "Ese código no sirve") {
		t.Errorf("a code that is made up: %q", got)
	}
	if got := say(own, "/vincular "+strings.ToLower(code)); !strings.Contains(got, "Listo: aquí le avisaremos") {
		t.Errorf("the code: %q", got)
	}
	if got := say(stranger, "vincular "+code); !strings.Contains(got, "Ese código no sirve") {
		t.Errorf("a code that was used: %q", got)
	}
	late, err := w.App.Alerts.NewCode(t.Context(), "ana")
	if err != nil {
		t.Fatal(err)
	}
	w.Later(alert.CodeLives)
	if got := say(stranger, "vincular "+late); !strings.Contains(got, "Ese código no sirve") {
		t.Errorf("a code whose time is over: %q", got)
	}
	for _, chat := range []int64{own, stranger} {
		if known, err := w.App.Store.Knows(t.Context(), conversation(w, chat)); err != nil || known {
			t.Errorf("a conversation began: %v", err)
		}
	}
	w.Vanish("ana")
	before := len(w.Phone.Messages(own))
	asks(w, world.Chat)
	got := w.Phone.Messages(own)[before:]
	if len(got) != 1 || !strings.HasPrefix(got[0].Text, "Hay un caso nuevo en la bandeja\n") || !strings.HasSuffix(got[0].Text, "/agentes/casos/"+w.Case(world.Chat).Ref) {
		t.Errorf("the agent's own chat reads %+v", got)
	}
	if err := w.App.Alerts.Unlink(t.Context(), "ana"); err != nil {
		t.Fatal(err)
	}
	w.Later(alert.Burst)
	before = len(w.Phone.Messages(own))
	asks(w, world.Chat+2000)
	if got := w.Phone.Messages(own)[before:]; len(got) > 0 {
		t.Errorf("after it was taken off: %+v", got)
	}
}
