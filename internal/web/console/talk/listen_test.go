package talk_test

import (
	"bufio"
	"context"
	"encoding/json"
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"llave/internal/bottest"
	"llave/internal/handoff"
	"llave/internal/web/console/consoletest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// number is the cédula that people of the test have, and its mask.
const (
	number = "1710034065"
	masked = "171•••••65"
)

// askWithNumber has a person give a number before they ask for a person.
func askWithNumber(d *consoletest.Desk, chat string) handoff.Case {
	d.T.Helper()
	for _, text := range []string{"hola", "Continuar", "desbloquear clave", number, "persona"} {
		d.Write(chat, text)
	}
	return d.CaseOf(chat)
}

func casePath(of handoff.Case, form string) string {
	if form == "" {
		return "/agentes/casos/" + of.Ref
	}
	return "/agentes/casos/" + of.Ref + "/" + form
}

// said are the lines of a case, each as who and what.
func said(d *consoletest.Desk, of handoff.Case) []string {
	d.T.Helper()
	lines, err := d.Desk.Lines(d.T.Context(), of.Ref, 0)
	if err != nil {
		d.T.Fatal(err)
	}
	var out []string
	for _, l := range lines {
		out = append(out, l.From+": "+l.Text)
	}
	return out
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

// listener is a browser that listens to a stream.
type listener struct {
	t      *testing.T
	events chan heard
	cancel context.CancelFunc
	ended  chan struct{}
}

// listen opens a stream as the browser of an agent does. query is the stream's; last, where given, the Last-Event-ID.
func listen(b *consoletest.Browser, query string, last ...string) *listener {
	b.Site.T.Helper()
	ctx, cancel := context.WithCancel(b.Site.T.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.Site.Server.URL+"/agentes/flujo"+query, nil)
	if err != nil {
		b.Site.T.Fatal(err)
	}
	req.Header.Set("Sec-Fetch-Dest", "empty")
	if len(last) > 0 {
		req.Header.Set("Last-Event-ID", last[0])
	}
	res, err := b.Client.Do(req)
	if err != nil {
		b.Site.T.Fatal(err)
	}
	if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		b.Site.T.Fatalf("stream: got %d %s", res.StatusCode, res.Header.Get("Content-Type"))
	}
	e := &listener{t: b.Site.T, events: make(chan heard, 1000), cancel: cancel, ended: make(chan struct{})}
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
	b.Site.T.Cleanup(e.close)
	return e
}

func (e *listener) close() {
	e.cancel()
	<-e.ended
}

// wait returns the next event of a name, or of any when that is "", that is as wanted; others are passed over.
func (e *listener) wait(name string, wanted func(heard) bool) heard {
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
func (e *listener) none(within time.Duration, names ...string) {
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
