package app_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"llave/internal/app"
	"llave/internal/bottest"
	"llave/internal/bottest/world"
	"llave/internal/config"
)

// front is a platform that shows what the bot is.
type front struct {
	name     string
	settings []string
	parts    []string // of what it shows
	profile  func() map[string]string
	set      func(part, text string) // as an operator does
	calls    func() (reads, writes int)
	down     func()
	up       func() error
}

func telegramFront(t *testing.T) front {
	t.Helper()
	api := bottest.NewBotAPI(world.Token)
	if err := api.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(api.Close)
	return front{
		name:     "telegram",
		settings: []string{"LLAVE_TELEGRAM_TOKEN=" + world.Token, "LLAVE_TELEGRAM_API_URL=" + api.URL()},
		parts:    []string{"commands", "commands/en", "description", "description/en", "menu_button", "short_description", "short_description/en"},
		profile:  api.Profile, set: api.SetProfile, down: api.Down, up: api.Up,
		calls: func() (reads, writes int) {
			for _, c := range api.Calls("") {
				switch {
				case strings.HasPrefix(c.Method, "setMy"), c.Method == "setChatMenuButton":
					writes++
				case strings.HasPrefix(c.Method, "getMy"), c.Method == "getChatMenuButton":
					reads++
				}
			}
			return reads, writes
		},
	}
}

func whatsappFront(t *testing.T) front {
	t.Helper()
	g := bottest.NewGraph(bottest.GraphOptions{
		Tokens: []string{"EAAtest"}, PhoneNumberID: "106540352242922", AppSecret: "app-secret-of-the-test", VerifyToken: "verify-token-of-the-test",
	})
	if err := g.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return front{
		name: "whatsapp",
		settings: []string{
			"LLAVE_WHATSAPP_TOKEN=EAAold,EAAtest", "LLAVE_WHATSAPP_PHONE_NUMBER_ID=106540352242922", "LLAVE_WHATSAPP_APP_SECRET=app-secret-of-the-test",
			"LLAVE_WHATSAPP_VERIFY_TOKEN=verify-token-of-the-test", "LLAVE_WHATSAPP_API_URL=" + g.URL(),
		},
		parts:   []string{"about", "commands", "description", "prompts"},
		profile: g.Profile, set: g.SetProfile, down: g.Down, up: g.Up,
		calls: func() (reads, writes int) {
			for _, c := range append(g.Calls("conversational_automation"), g.Calls("whatsapp_business_profile")...) {
				switch {
				case c.Status != http.StatusOK:
				case len(c.Params) > 1: // more than its token
					writes++
				default:
					reads++
				}
			}
			return reads, writes
		},
	}
}

// onFronts runs a test on both.
func onFronts(t *testing.T, test func(t *testing.T, f front)) {
	for _, open := range []func(t *testing.T) front{telegramFront, whatsappFront} {
		f := open(t)
		t.Run(f.name, func(t *testing.T) { test(t, f) })
	}
}

// start runs a process until the test or [stop] ends it.
func (f front) start(t *testing.T, dir string, settings ...string) (log *bottest.Buffer, a *app.App, stop func()) {
	t.Helper()
	environ := append([]string{
		"LLAVE_HTTP_ADDR=127.0.0.1:0", "LLAVE_ADMIN_ADDR=127.0.0.1:0", "LLAVE_DATA_DIR=" + dir, "LLAVE_SMTP_URL=smtp://127.0.0.1:1?tls=none",
		"LLAVE_SECRET_KEY=" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32)),
	}, append(f.settings, settings...)...)
	c, err := config.Load(environ, t.TempDir(), config.NeedMail)
	if err != nil {
		t.Fatal(err)
	}
	log = &bottest.Buffer{}
	a, err = app.New(t.Context(), app.Options{Config: c, Log: slog.New(slog.NewJSONHandler(log, nil)), LocalURL: true, NoSweep: true})
	if err != nil {
		t.Fatal(err)
	}
	stop = func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := a.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
	}
	t.Cleanup(stop)
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return log, a, stop
}

// until waits for something.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for late := time.Now().Add(20 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("never: %s", what)
		}
	}
}

// whole says whether everything is shown.
func (f front) whole() bool { return slices.Equal(slices.Sorted(maps.Keys(f.profile())), f.parts) }

// A first start introduces the bot, in each language that the platform has a place for; a second one finds it so and writes nothing
// (P621).
func TestIntroduce(t *testing.T) {
	onFronts(t, func(t *testing.T, f front) {
		dir := t.TempDir()
		log, _, stop := f.start(t, dir)
		until(t, "everything is shown", f.whole)
		until(t, "the log says so", func() bool { return strings.Contains(log.String(), "the bot was introduced") })
		stop()
		shown := f.profile()
		for part, want := range map[string]string{
			"telegram description": "nunca le pido", "telegram description/en": "never ask", "telegram short_description": "bot", "telegram short_description/en": "bot",
			"telegram commands": `{"command":"estado","description":"En qué paso vamos"}`, "telegram commands/en": `"command":"menu"`, "telegram menu_button": "commands",
			"whatsapp about": "desbloquear", "whatsapp description": "un bot", "whatsapp prompts": `"Quiero desbloquear mi clave"`,
			"whatsapp commands": `{"command_name":"persona","command_description":"Hablar con una persona"}`,
		} {
			on, name, _ := strings.Cut(part, " ")
			if on == f.name && !strings.Contains(strings.ToLower(shown[name]), strings.ToLower(want)) {
				t.Errorf("%s is %q, want %q in it", part, shown[name], want)
			}
		}
		before, writes := f.calls()
		if writes != len(f.parts) {
			t.Errorf("%d writes, want one a part, %d", writes, len(f.parts))
		}
		_, _, stop = f.start(t, dir)
		until(t, "it is looked at again", func() bool { reads, _ := f.calls(); return reads >= 2*before })
		stop()
		if _, again := f.calls(); again != writes || !maps.Equal(f.profile(), shown) {
			t.Errorf("a second start wrote %d times, and shows %v", again-writes, f.profile())
		}
	})
}

// What an operator wrote stays: before a first start, and in place of what we wrote. What we wrote is replaced, by a version that
// says it in other words, where it still stands.
func TestIntroduce_operators(t *testing.T) {
	onFronts(t, func(t *testing.T, f front) {
		dir, own := t.TempDir(), map[string]string{"description": "Atención del IESS"}
		list := `[{"command":"citas","description":"Citas"}]`
		if f.name == "whatsapp" {
			list = `[{"command_name":"citas","command_description":"Citas"}]`
		} else {
			own["menu_button"] = "web_app"
		}
		for part, text := range own {
			f.set(part, text)
		}
		others := func(log *bottest.Buffer) func() bool {
			return func() bool { return strings.Contains(log.String(), "what others wrote of the bot stays") }
		}
		log, _, stop := f.start(t, dir)
		until(t, "the log says that it stays", others(log))
		stop()
		// one description is for everybody: nothing of ours stands beside it in another language
		want := slices.DeleteFunc(slices.Clone(f.parts), func(part string) bool { return part == "description/en" })
		if got := slices.Sorted(maps.Keys(f.profile())); !slices.Equal(got, want) {
			t.Errorf("shown is %q, want %q", got, want)
		}
		own["commands"] = list
		f.set("commands", list)
		_, before := f.calls()
		log, _, stop = f.start(t, dir)
		until(t, "the log says that it stays", others(log))
		stop()
		shown := f.profile()
		for part, text := range own {
			if shown[part] != text {
				t.Errorf("%s is %q, want the operator's %q", part, shown[part], text)
			}
		}
		if _, after := f.calls(); after != before {
			t.Errorf("%d writes beside an operator's words", after-before)
		}
	})
}

// Switched off, nothing is asked and nothing written.
func TestIntroduce_off(t *testing.T) {
	onFronts(t, func(t *testing.T, f front) {
		log, _, stop := f.start(t, t.TempDir(), "LLAVE_INTRODUCE=off")
		if f.name == "telegram" {
			until(t, "the bot knows its name", func() bool { return strings.Contains(log.String(), "telegram bot") })
		}
		time.Sleep(50 * time.Millisecond)
		stop()
		if reads, writes := f.calls(); reads+writes > 0 || len(f.profile()) > 0 {
			t.Errorf("%d reads and %d writes, shown is %v", reads, writes, f.profile())
		}
	})
}

// A platform that is away holds up nothing: the process is ready, and says once that the bot is not introduced.
func TestIntroduce_away(t *testing.T) {
	onFronts(t, func(t *testing.T, f front) {
		f.down()
		log, a, stop := f.start(t, t.TempDir())
		res, err := http.Get("http://" + a.AdminAddr() + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK {
			t.Errorf("not ready: %d %s", res.StatusCode, body)
		}
		const warning = "the bot is not introduced everywhere"
		until(t, "the log says so", func() bool { return strings.Contains(log.String(), warning) })
		if err := f.up(); err != nil {
			t.Fatal(err)
		}
		until(t, "everything is shown once it is back", f.whole)
		stop()
		if n := strings.Count(log.String(), warning); n != 1 {
			t.Errorf("%d warnings, want one", n)
		}
		for line := range strings.Lines(log.String()) {
			var l struct{ Msg, Level string }
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				t.Errorf("%v: %s", err, line)
			}
			if strings.Contains(line, world.Token) || strings.Contains(line, "106540352242922") {
				t.Errorf("a secret in %s", line)
			}
		}
	})
}

// What WhatsApp offers to be asked first, and its commands, are understood as what they say, as the first words of a chat too.
func TestIntroduce_understood(t *testing.T) {
	f := whatsappFront(t)
	_, _, stop := f.start(t, t.TempDir())
	until(t, "everything is shown", f.whole)
	stop()
	var prompts []string
	var commands []struct {
		Name string `json:"command_name"`
	}
	if err := json.Unmarshal([]byte(f.profile()["prompts"]), &prompts); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(f.profile()["commands"]), &commands); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"Quiero desbloquear mi clave": "número de cédula", "Quiero generar una clave nueva": "número de cédula",
		"¿Dónde me atienden en persona?": "Centro de Atención", "Quiero hablar con una persona": "caso",
		"/menu": "¿Qué necesita hoy?", "/estado": "un trámite en marcha", "/persona": "caso", "/ayuda": "Puede escribir en cualquier momento", "/cancelar": "lo dejamos ahí",
	}
	for _, c := range commands {
		prompts = append(prompts, "/"+c.Name)
	}
	for _, words := range prompts {
		w := world.NewOn(t, world.WhatsApp, onePerson)
		said := w.Say(words)
		if said += "\n" + w.Say("1"); strings.HasPrefix(words, "/") {
			said = w.Say(words)
		}
		expected, known := want[words]
		if !known || !strings.Contains(said, expected) {
			t.Errorf("%q is answered with %q, want %q", words, said, expected)
		}
	}
}
