package e2e

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"llave/internal/bottest"
)

// The process that asked for the letter has ended when its button is pressed: the press, in another process, joins the same trace all
// the same, and what each had to hand over is there when it stops. Its log says so last, and its durations have units.
func TestServe_traceOverTwoProcesses(t *testing.T) {
	t.Parallel()
	c, err := bottest.StartCollector()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	e := newEnvironment(t, byWebhook, "OTEL_EXPORTER_OTLP_ENDPOINT="+c.URL(), "LLAVE_LOG_FORMAT=json")
	e.imports(t, 3)
	first := e.serve(t)
	p := e.phone(t, 1)
	p.comesToSend(bottest.Cedula(1))
	p.presses("Enviar enlace", "SOLICITUD DESBLOQUEO DE CLAVE")
	link := e.letter(t, 1, 0).Link("DESBLOQUEO DE CLAVE IESS")
	first.stop(t)
	second := e.serve(t)
	res, err := http.Post(link, "application/x-www-form-urlencoded", strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("the press: %d", res.StatusCode)
	}
	p.hears("Su clave ya está desbloqueada")
	second.stop(t)

	by := map[string]bottest.TracedSpan{}
	var press, letter bottest.TracedSpan
	for _, s := range c.Spans() {
		by[s.ID] = s
		switch {
		case s.Name == "press":
			press = s
		case s.Name == "letter" && s.Facts["llave.promise"] == "link":
			letter = s
		}
	}
	if _, _, _, broken := c.Came(); len(broken) > 0 {
		t.Errorf("the collector could not read: %v", broken)
	}
	if press.Trace == "" || press.Trace != letter.Trace || by[press.Parent].Name != "turn" || press.Parent != letter.Parent {
		t.Errorf("the press %+v and the letter %+v do not stand under one turn", press, letter)
	}
	says := false
	for _, s := range by {
		says = says || s.Name == "send" && s.Trace == press.Trace && by[s.Parent].Facts["llave.signal"] == "link_used"
	}
	if !says {
		t.Error("what the chat hears of the press is not in its trace")
	}
	turn := regexp.MustCompile(`"msg":"turn".*"turn":"[0-9a-f]{16}","trace_id":"` + press.Trace + `".*"took":"[0-9.]+(µs|ms|s)"`)
	for i, proc := range []*process{first, second} {
		log := strings.Split(strings.TrimSpace(proc.stderr.String()), "\n")
		if last := log[len(log)-1]; !strings.Contains(last, `"msg":"stopped"`) {
			t.Errorf("process %d: the last line is %s", i+1, last)
		}
		if !turn.MatchString(proc.stderr.String()) {
			t.Errorf("process %d: no turn of the trace %s, with a duration that has its unit", i+1, press.Trace)
		}
	}
}
