package console_test

import (
	"bufio"
	"context"
	"encoding/json"
	"html"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"llave/bot"
	"llave/flows"
	"llave/internal/bottest"
	"llave/internal/handoff"
	"llave/internal/web"
	"llave/internal/web/console"
)

// process is one more console over the desk's store, as another process would have one.
type process struct {
	*desk
	console *console.Console
}

// process starts one. change may set options.
func (d *desk) process(change ...func(*console.Options)) *process {
	d.t.Helper()
	w := *d.world
	w.server = httptest.NewUnstartedServer(nil)
	base := &url.URL{Scheme: "http", Host: w.server.Listener.Addr().String()}
	w.public = base.String()
	log := slog.New(slog.NewTextHandler(w.log, nil))
	kit, err := web.New(web.Options{PublicURL: base, Log: log})
	if err != nil {
		d.t.Fatal(err)
	}
	o := console.Options{
		Kit: kit, Desk: d.desk, Agents: w.agents, Audit: audited{d.store.Audit}, Log: log,
		StateName: func(s bot.State) string { return "lugar " + string(s) },
		Steps:     []console.Step{{State: flows.Menu, Label: "El menú"}, {State: flows.KeyStep3, Label: "Paso 3 de 5"}},
	}
	for _, f := range change {
		f(&o)
	}
	c, err := console.New(o)
	if err != nil {
		d.t.Fatal(err)
	}
	mux := http.NewServeMux()
	kit.Routes(mux)
	c.Routes(mux)
	w.server.Config.Handler = kit.Wrap(mux)
	w.server.Start()
	d.t.Cleanup(func() {
		c.Close()
		w.server.Close()
	})
	whole := *d
	whole.world = &w
	return &process{&whole, c}
}

// number is the cédula that people of the test have, and its mask.
const (
	number = "1710034065"
	masked = "171•••••65"
)

// askWithNumber has a person give a number before they ask for a person.
func (d *desk) askWithNumber(chat string) handoff.Case {
	d.t.Helper()
	for _, text := range []string{"hola", "Continuar", "desbloquear clave", number, "persona"} {
		d.write(chat, text)
	}
	return d.caseOf(chat)
}

func casePath(of handoff.Case, form string) string {
	if form == "" {
		return "/agentes/casos/" + of.Ref
	}
	return "/agentes/casos/" + of.Ref + "/" + form
}

// said are the lines of a case, each as who and what.
func (d *desk) said(of handoff.Case) []string {
	d.t.Helper()
	lines, err := d.desk.Lines(d.t.Context(), of.Ref, 0)
	if err != nil {
		d.t.Fatal(err)
	}
	var out []string
	for _, l := range lines {
		out = append(out, l.From+": "+l.Text)
	}
	return out
}

// present is what is known of an agent's console.
func (d *desk) present(login string) handoff.Presence {
	d.t.Helper()
	all, err := d.store.Desk.Present(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	for _, p := range all {
		if p.Login == login {
			return p
		}
	}
	return handoff.Presence{}
}

func (d *desk) find(ref string) handoff.Case {
	d.t.Helper()
	c, err := d.desk.Find(d.t.Context(), ref)
	if err != nil {
		d.t.Fatal(err)
	}
	return c
}

var onceField = regexp.MustCompile(`name="once" value="([^"]+)"`)

// nonce is the name that the page gives to the press of a form.
func nonce(t *testing.T, p bottest.Page, action string) string {
	t.Helper()
	_, form, found := strings.Cut(p.Body, `action="`+action+`"`)
	m := onceField.FindStringSubmatch(form)
	if !found || m == nil {
		t.Fatalf("the page has no form %s:\n%s", action, p.Main())
	}
	return m[1]
}

var textTag = regexp.MustCompile(`(?s)<p class="text">(.*?)</p>`)

// texts are what the lines of a page or piece say, as a browser reads them.
func texts(body string) []string {
	var out []string
	for _, m := range textTag.FindAllStringSubmatch(body, -1) {
		if m[1] != "" { // the piece that the script fills in is empty
			out = append(out, html.UnescapeString(m[1]))
		}
	}
	return out
}

// heard is one event of a stream.
type heard struct {
	name, id string
	data     map[string]any
	at       time.Time
}

// ear listens to a stream.
type ear struct {
	t      *testing.T
	events chan heard
	cancel context.CancelFunc
	ended  chan struct{}
}

// listen opens a stream as the browser of an agent does. query is the stream's; last, where given, the Last-Event-ID.
func (b *browser) listen(query string, last ...string) *ear {
	b.w.t.Helper()
	ctx, cancel := context.WithCancel(b.w.t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.w.server.URL+"/agentes/flujo"+query, nil)
	if err != nil {
		b.w.t.Fatal(err)
	}
	req.Header.Set("Sec-Fetch-Dest", "empty")
	if len(last) > 0 {
		req.Header.Set("Last-Event-ID", last[0])
	}
	res, err := b.Client.Do(req)
	if err != nil {
		b.w.t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		b.w.t.Fatalf("stream: got %d %s", res.StatusCode, res.Header.Get("Content-Type"))
	}
	e := &ear{t: b.w.t, events: make(chan heard, 1000), cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(e.ended)
		defer res.Body.Close()
		var h heard
		scan := bufio.NewScanner(res.Body)
		scan.Buffer(nil, 64<<20)
		for scan.Scan() {
			key, value, _ := strings.Cut(scan.Text(), ": ")
			switch key {
			case "event":
				h.name = value
			case "id":
				h.id = value
			case "data":
				_ = json.Unmarshal([]byte(value), &h.data)
			case "":
				h.at = time.Now()
				e.events <- h
				h = heard{}
			}
		}
	}()
	b.w.t.Cleanup(e.close)
	return e
}

func (e *ear) close() {
	e.cancel()
	<-e.ended
}

// wait returns the next event of a name, or of any when that is "", that is as wanted; others are passed over.
func (e *ear) wait(name string, wanted func(heard) bool) heard {
	e.t.Helper()
	limit := time.After(5 * time.Second)
	for {
		select {
		case h := <-e.events:
			if (name == "" || h.name == name) && (wanted == nil || wanted(h)) {
				return h
			}
		case <-e.ended:
			e.t.Fatalf("the stream ended before %q came", name)
		case <-limit:
			e.t.Fatalf("no %q came", name)
		}
	}
}

// none fails when an event of one of the names comes within a while.
func (e *ear) none(within time.Duration, names ...string) {
	e.t.Helper()
	limit := time.After(within)
	for {
		select {
		case h := <-e.events:
			for _, n := range names {
				if h.name == n {
					e.t.Errorf("%s came: %v", n, h.data)
				}
			}
		case <-limit:
			return
		}
	}
}

func (h heard) html() string {
	s, _ := h.data["html"].(string)
	return s
}

func saysHTML(text string) func(heard) bool {
	return func(h heard) bool { return strings.Contains(html.UnescapeString(h.html()), text) }
}
