package console_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"llave/bot"
	"llave/internal/handoff"
	"llave/internal/store"
)

// lines keeps lines of a case.
func (d *desk) lines(ref string, texts ...string) {
	d.t.Helper()
	var lines []bot.Line
	for i, text := range texts {
		lines = append(lines, bot.Line{From: bot.FromPerson, Text: text, At: d.clock.Now().Add(time.Duration(i) * time.Second), Seq: int64(i + 1)})
	}
	if err := d.store.Desk.KeepLines(d.t.Context(), "telegram:9"+ref, ref, lines); err != nil {
		d.t.Fatal(err)
	}
}

// notice opens a notice of an owner who says that it was not them.
func (d *desk) notice(ref string) {
	d.t.Helper()
	if err := d.store.Cases.Insert(d.t.Context(), store.File{Ref: ref, Topic: store.TopicNotMe, Made: d.clock.Now()}); err != nil {
		d.t.Fatal(err)
	}
}

func TestSearch(t *testing.T) {
	d := newDesk(t)
	d.keep(closedCase("C-AAAA-AA1", d.clock.Now()))
	d.lines("C-AAAA-AA1", "Hola, buenos días", "No me llega el CORREO de la contraseña", `<script>correo</script> contrasena`)
	ana := d.as("ana")
	ana.get("/agentes/buscar").Want(t, http.StatusOK, `type="search"`)
	ana.get("/agentes/buscar?q=contrase%C3%B1a+correo").Want(t, http.StatusOK,
		"2 líneas", "<mark>CORREO</mark>", "<mark>contraseña</mark>", "&lt;script&gt;<mark>correo</mark>&lt;/script&gt; <mark>contrasena</mark>",
		`href="/agentes/casos/C-AAAA-AA1"`, "Persona", "02/03/2026 10:00", "todo lo que se guarda")
	ana.get("/agentes/buscar?q=buenos").Want(t, http.StatusOK, "1 línea,")
	ana.get("/agentes/buscar?q=cohete").Want(t, http.StatusOK, "Nada con esas palabras", `value="cohete"`)
	ana.get("/agentes/buscar?q=ab").Want(t, http.StatusOK, "al menos tres letras")
	ana.get("/agentes/buscar?q=%22%3E%3Cscript%3E").Want(t, http.StatusOK, "&#34;&gt;&lt;script&gt;")
}

func TestSearch_caseNumber(t *testing.T) {
	d := newDesk(t)
	d.keep(closedCase("C-AAAA-AA1", d.clock.Now()))
	ana := d.as("ana")
	for _, typed := range []string{"C-AAAA-AA1", "c-aaaa-aa1", "%20caaaaaa1", "C+AAAA+AA1"} {
		ana.get("/agentes/buscar?q="+typed).To(t, "/agentes/casos/C-AAAA-AA1")
	}
	ana.get("/agentes/buscar?q=C-AAAA-AA9").Want(t, http.StatusOK, "No hay ningún caso C-AAAA-AA9")
}

// What was not looked at is said.
func TestSearch_full(t *testing.T) {
	d := newDesk(t)
	var texts []string
	for i := range 130 {
		texts = append(texts, fmt.Sprint("clave ", i))
	}
	d.lines("C-AAAA-AA1", texts...)
	d.clock.Advance(5 * time.Minute)
	p := d.as("ana").get("/agentes/buscar?q=clave").Want(t, http.StatusOK, "100 líneas", "hay más atrás", "Agregue palabras")
	if strings.Contains(p.Body, "</mark> 29<") || !strings.Contains(p.Body, "</mark> 129<") {
		t.Error("not the latest lines are shown")
	}
}

func TestClosed(t *testing.T) {
	d := newDesk(t)
	for i := range 60 {
		h := closedCase(fmt.Sprintf("C-AAAA-%03d", i), d.clock.Now().Add(-time.Duration(i)*time.Minute))
		h.AgentName = "Ana <b>"
		d.keep(h)
	}
	left := bot.Handoff{Ref: "C-BBBB-001", Status: bot.HandoffClosed, Reason: handoff.Left, Asked: d.clock.Now().AddDate(0, 0, -3), Ended: d.clock.Now()}
	d.keep(left)
	d.notice("N-0000-001")
	ana := d.as("ana")
	p := ana.get("/agentes/cerrados").Want(t, http.StatusOK, "C-AAAA-000", "C-AAAA-049", "Ana &lt;b&gt;", "4 de 5", "Resuelto", "3 min", "8 min", "lunes 2 de marzo de 2026", "pagina=2", "dia=2026-03-01")
	if strings.Contains(p.Body, "C-AAAA-050") || strings.Contains(p.Body, "N-0000") || strings.Contains(p.Body, "Día siguiente") {
		t.Errorf("the page shows too much:\n%s", p.Main())
	}
	const file = "/agentes/casos/C-AAAA-000/transcripcion.csv"
	d.as("sup").get("/agentes/cerrados").Want(t, http.StatusOK, file)
	if strings.Contains(p.Body, file) {
		t.Error("an agent is offered the file of a transcript")
	}
	ana.get("/agentes/cerrados?pagina=2").Want(t, http.StatusOK, "C-AAAA-050", "C-AAAA-059", "Anteriores")
	ana.get("/agentes/cerrados?dia=2026-02-27").Want(t, http.StatusOK, "C-BBBB-001", "La persona no esperó", "Día siguiente")
	ana.get("/agentes/cerrados?dia=%22%3E%3Cscript%3E").Want(t, http.StatusUnprocessableEntity, "No es una fecha", "&#34;&gt;&lt;script&gt;")
}
