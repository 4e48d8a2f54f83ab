package app_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"llave/internal/app"
	"llave/internal/bottest"
	"llave/internal/bottest/world"
)

// traced is a world whose turns are sent to a collector, over the wire. It is read after quiet.
func traced(t *testing.T, settings ...string) (*world.World, *bottest.Collector) {
	t.Helper()
	c, err := bottest.StartCollector()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	all := append([]string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + c.URL(), "OTEL_BSP_SCHEDULE_DELAY=50"}, settings...)
	for _, s := range all { // the library reads the process's own: they must be gone after the test
		name, v, _ := strings.Cut(s, "=")
		t.Setenv(name, v)
	}
	return world.New(t, onePerson, all...), c
}

// stopped ends the process, which hands over what is left.
func stopped(t *testing.T, w *world.World) {
	t.Helper()
	w.Settle()
	w.Phone.HangUp()
	if err := w.App.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// lines are the log's, by their message.
func lines(t *testing.T, log string) map[string][]map[string]any {
	t.Helper()
	by := map[string][]map[string]any{}
	for s := bufio.NewScanner(strings.NewReader(log)); s.Scan(); {
		var one map[string]any
		if err := json.Unmarshal(s.Bytes(), &one); err != nil {
			t.Fatalf("%v: %s", err, s.Text())
		}
		msg, _ := one["msg"].(string)
		by[msg] = append(by[msg], one)
	}
	return by
}

// From "Enviar enlace" to the chat that says the link was used is one trace: the channel, the turn with its commit, the letter, the
// message, and minutes later the press with the turn that it causes. Each turn has an id of its own, the same in the log. Nothing
// that is sent says who it is.
func TestTrace_askToPress(t *testing.T) {
	w, c := traced(t, "OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20of-the-test", "OTEL_SERVICE_NAME=llave-quito")
	for _, text := range []string{"hola", "1", "1", theirs, "1", "1"} {
		w.Say(text)
	}
	link := w.Link(false)
	w.Later(time.Minute)
	if status, page := w.Post(w.Browser, link, nil); status != http.StatusOK {
		t.Fatalf("the press: %d %s", status, page)
	}
	stopped(t, w)

	about, headers, raw, broken := c.Came()
	if len(broken) > 0 {
		t.Fatalf("the collector could not read: %v", broken)
	}
	if about["service.name"] != "llave-quito" || about["service.instance.id"] == "" || headers.Get("Authorization") != "Bearer of-the-test" {
		t.Errorf("sent by %v with %v, want the operator's name and header", about, headers)
	}
	spans := c.Spans()
	by := map[string]bottest.TracedSpan{}
	for _, s := range spans {
		if _, twice := by[s.ID]; twice {
			t.Errorf("span %s %s came twice", s.ID, s.Name)
		}
		by[s.ID] = s
	}
	above := func(s bottest.TracedSpan) (names []string) {
		for s.Parent != "" {
			up, ok := by[s.Parent]
			if !ok {
				t.Fatalf("the parent of %s is nowhere", s.Name)
			}
			s, names = up, append(names, up.Name)
		}
		return names
	}
	press := slices.IndexFunc(spans, func(s bottest.TracedSpan) bool { return s.Name == "press" })
	if press < 0 {
		t.Fatalf("no press among %d spans", len(spans))
	}
	story := map[string]int{}
	for _, s := range spans {
		if s.Trace == spans[press].Trace {
			story[s.Name]++
		}
	}
	for _, name := range []string{"channel telegram", "turn", "step", "commit", "letter", "send", "press", "signal"} {
		if story[name] == 0 {
			t.Errorf("the trace of the press has no %q: %v", name, story)
		}
	}
	if got, want := above(spans[press]), []string{"turn", "channel telegram"}; !slices.Equal(got, want) {
		t.Errorf("the press stands under %q, want the turn that asked: %q", got, want)
	}
	used := slices.IndexFunc(spans, func(s bottest.TracedSpan) bool { return s.Name == "turn" && s.Facts["llave.signal"] == "link_used" })
	if used < 0 || !slices.Contains(above(spans[used]), "press") {
		t.Errorf("the turn that says the link was used does not stand under the press")
	}
	answered := slices.ContainsFunc(spans, func(s bottest.TracedSpan) bool {
		return s.Name == "send" && used >= 0 && s.Parent == spans[used].ID
	})
	if !answered {
		t.Error("what that turn says to the chat does not stand under it")
	}

	// Each message of the person has a trace of its own, and each turn of the log is one of these.
	log := lines(t, w.Log.String())
	seen, own := map[string]bool{}, map[string]bool{}
	for _, l := range log["turn"] {
		id, _ := l["turn"].(string)
		s, ok := by[id]
		if !ok || s.Name != "turn" || s.Trace != l["trace_id"] || s.Facts["llave.turn"] != id || seen[id] {
			t.Errorf("the turn %v of the log is the span %+v", l, s)
		}
		seen[id] = true
		if l["kind"] != "signal" && own[s.Trace] {
			t.Errorf("two messages of the person share the trace %s", s.Trace)
		}
		own[s.Trace] = true
	}
	for _, what := range []string{"letter sent", "message sent"} {
		for _, l := range log[what] {
			if id, _ := l["turn"].(string); !seen[id] && what == "message sent" {
				t.Errorf("%v is of no turn of the log", l)
			}
		}
		if len(log[what]) == 0 {
			t.Errorf("no line says %q", what)
		}
	}
	if n := len(w.SMTP.Letters()); len(log["letter sent"]) != n {
		t.Errorf("%d lines of letters that went out, %d letters arrived", len(log["letter sent"]), n)
	}

	token := link[strings.LastIndex(link, "/")+1:]
	for _, secret := range []string{theirs, token, "example", "telegram:", "hola", "of-the-test", "127.0.0.1:1"} {
		if bytes.Contains(raw, []byte(secret)) {
			t.Errorf("%q was sent to the collector", secret)
		}
	}
	facts := map[string]bool{}
	for _, s := range spans {
		for name := range s.Facts {
			facts[name] = true
		}
	}
	allowed := []string{"llave.bubbles", "llave.channel", "llave.event", "llave.from", "llave.kind", "llave.promise", "llave.signal", "llave.text", "llave.to", "llave.tries", "llave.turn"}
	for _, name := range slices.Sorted(maps.Keys(facts)) {
		if !slices.Contains(allowed, name) {
			t.Errorf("spans say %q: is nobody named by it?", name)
		}
	}
}

// The sampler that the operator sets decides for the whole story, in whichever process: a share of none sends nothing, and the log
// has its ids all the same.
func TestTrace_sampler(t *testing.T) {
	w, c := traced(t, "OTEL_TRACES_SAMPLER=parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG=0")
	for _, text := range []string{"hola", "1", "1", theirs, "1", "1"} {
		w.Say(text)
	}
	w.Post(w.Browser, w.Link(false), nil)
	stopped(t, w)
	if n := len(c.Spans()); n != 0 {
		t.Errorf("%d spans were sent, want none", n)
	}
	turns := lines(t, w.Log.String())["turn"]
	if len(turns) < 6 {
		t.Fatalf("%d turns", len(turns))
	}
	for _, l := range turns {
		if id, _ := l["turn"].(string); len(id) != 16 {
			t.Errorf("a turn without an id: %v", l)
		}
	}
}

// Without OpenTelemetry's variables nothing is sent, and the log has the story in one id all the same.
func TestTrace_off(t *testing.T) {
	w := world.New(t, onePerson)
	for _, text := range []string{"hola", "1", "1", theirs, "1", "1"} {
		w.Say(text)
	}
	w.Post(w.Browser, w.Link(false), nil)
	stopped(t, w)
	log := lines(t, w.Log.String())
	at := slices.IndexFunc(log["turn"], func(l map[string]any) bool { return l["signal"] == "link_used" })
	if at < 0 {
		t.Fatal("no turn says that the link was used")
	}
	used := log["turn"][at]
	if !slices.ContainsFunc(log["letter sent"], func(l map[string]any) bool { return l["trace_id"] == used["trace_id"] }) {
		t.Errorf("the letter and the press that it led to have no id in common: %v, %v", log["letter sent"], used)
	}
	asked := slices.ContainsFunc(log["turn"], func(l map[string]any) bool {
		return l["trace_id"] == used["trace_id"] && l["turn"] != used["turn"]
	})
	if !asked {
		t.Error("nor has the turn that asked")
	}
}

// What a conversation hears of its letter, that it was sent or that the mailbox refuses it, is a turn like any other: it has a line and an
// id of its own, in the trace of the turn that asked, and what it says to the person, where it does, is of it.
func TestTrace_letterHeard(t *testing.T) {
	for _, exported := range []bool{true, false} {
		for signal, refuses := range map[string]bool{"mail_sent": false, "mail_refused": true} {
			t.Run(fmt.Sprintf("%s/%t", signal, exported), func(t *testing.T) {
				var w *world.World
				var c *bottest.Collector
				if exported {
					w, c = traced(t)
				} else {
					w = world.New(t, onePerson)
				}
				if refuses {
					w.SMTP.RefuseRcpt("uno@correo.example", bottest.SMTPFault{Code: 550, Enhanced: "5.1.1", Text: "no such user"})
				}
				for _, text := range []string{"hola", "1", "1", theirs, "1", "1"} {
					w.Say(text)
				}
				stopped(t, w)
				log := lines(t, w.Log.String())
				heard := slices.IndexFunc(log["turn"], func(l map[string]any) bool { return l["signal"] == signal })
				if heard < 0 {
					t.Fatalf("no turn heard %s", signal)
				}
				turn, told := log["turn"][heard], 0
				asked := map[any]bool{}
				for i, l := range log["turn"] {
					if l["trace_id"] == turn["trace_id"] && i != heard {
						asked[l["turn"]] = true
					}
				}
				if id, _ := turn["turn"].(string); len(id) != 16 || asked[id] || len(asked) != 1 {
					t.Errorf("the turn %v stands beside %v in its trace, want the one that asked", turn, asked)
				}
				for _, l := range log["message sent"] {
					if l["turn"] == turn["turn"] {
						told++
					}
				}
				if told == 0 && refuses { // that it went out needs no word
					t.Error("what it says to the person is not of it")
				}
				if !exported {
					return
				}
				for _, s := range c.Spans() {
					if s.ID == turn["turn"] && s.Name == "turn" && s.Facts["llave.signal"] == signal && asked[s.Parent] {
						return
					}
				}
				t.Error("no span of it stands under the turn that asked")
			})
		}
	}
}

// The case knows the turn that asked for a person.
func TestTrace_case(t *testing.T) {
	w := world.New(t, onePerson)
	w.Agent("ana", false)
	for _, text := range []string{"hola", "1", "persona", "1"} {
		w.Say(text)
	}
	h := w.Case(world.Chat)
	if h == nil {
		t.Fatal("there is no case")
	}
	if !strings.Contains(w.Log.String(), `"turn":"`+regexp.MustCompile(`^00-[0-9a-f]{32}-([0-9a-f]{16})-0[01]$`).ReplaceAllString(h.Trace, "$1")+`"`) {
		t.Errorf("the case is of the turn %q, which the log does not have", h.Trace)
	}
}

// A collector that is away, or a mistake in the variables: the one is a warning and holds nothing up, the other an error at the
// start that names the variable and not its value.
func TestTrace_wrong(t *testing.T) {
	for setting, want := range map[string]string{
		"OTEL_EXPORTER_OTLP_PROTOCOL=grpc":            "OTEL_EXPORTER_OTLP_PROTOCOL: expected http/protobuf",
		"OTEL_EXPORTER_OTLP_HEADERS=s3cret-no-equals": "OTEL_EXPORTER_OTLP_HEADERS: expected name=value",
		"OTEL_TRACES_SAMPLER=sometimes":               "OTEL_TRACES_SAMPLER: expected one of",
		"OTEL_EXPORTER_OTLP_ENDPOINT=collector:4317":  "OTEL_EXPORTER_OTLP_ENDPOINT: expected an address",
	} {
		environ := []string{
			"LLAVE_DATA_DIR=" + t.TempDir(), "LLAVE_HTTP_ADDR=127.0.0.1:0", "LLAVE_ADMIN_ADDR=127.0.0.1:0", "LLAVE_SMTP_URL=smtp://127.0.0.1:1?tls=none",
			"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1", setting,
		}
		var out bytes.Buffer
		code := app.Main(t.Context(), []string{"serve"}, app.IO{Environ: environ, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out})
		if code != 1 || !strings.Contains(out.String(), want) || strings.Contains(out.String(), "s3cret") {
			t.Errorf("%s: exit %d: %s", setting, code, out.String())
		}
	}
}
