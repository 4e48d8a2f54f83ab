package supervisor_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"llave/bot"
	"llave/internal/handoff"
	"llave/internal/store"
	"llave/internal/web/console/consoletest"
)

// lines keeps lines of a case.
func lines(d *consoletest.Desk, ref string, texts ...string) {
	d.T.Helper()
	var all []bot.Line
	for i, text := range texts {
		all = append(all, bot.Line{From: bot.FromPerson, Text: text, At: d.Clock.Now().Add(time.Duration(i) * time.Second), Seq: int64(i + 1)})
	}
	if err := d.Store.Desk.KeepLines(d.T.Context(), "telegram:9"+ref, ref, all); err != nil {
		d.T.Fatal(err)
	}
}

// notice opens a notice of an owner who says that it was not them.
func notice(d *consoletest.Desk, ref string) {
	d.T.Helper()
	if err := d.Store.Cases.Insert(d.T.Context(), store.File{Ref: ref, Topic: store.TopicNotMe, Made: d.Clock.Now()}); err != nil {
		d.T.Fatal(err)
	}
}

func TestSearch(t *testing.T) {
	d := consoletest.NewDesk(t)
	d.Keep(closedCase("C-AAAA-AA1", d.Clock.Now()))
	lines(d, "C-AAAA-AA1", "Hola, buenos días", "No me llega el CORREO de la contraseña", `<script>correo</script> contrasena`)
	sup := d.As("sup")
	sup.Get("/agentes/buscar").Want(t, http.StatusOK, `type="search"`)
	sup.Get("/agentes/buscar?q=contrase%C3%B1a+correo").Want(t, http.StatusOK,
		"2 líneas", "<mark>CORREO</mark>", "<mark>contraseña</mark>", "&lt;script&gt;<mark>correo</mark>&lt;/script&gt; <mark>contrasena</mark>",
		`href="/agentes/casos/C-AAAA-AA1?linea=2#l-2"`, "Persona", "02/03/2026 10:00", "todo lo que se guarda")
	sup.Get("/agentes/buscar?q=buenos").Want(t, http.StatusOK, "1 línea,")
	sup.Get("/agentes/buscar?q=cohete").Want(t, http.StatusOK, "Nada con esas palabras", `value="cohete"`)
	sup.Get("/agentes/buscar?q=ab").Want(t, http.StatusOK, "al menos tres letras")
	sup.Get("/agentes/buscar?q=%22%3E%3Cscript%3E").Want(t, http.StatusOK, "&#34;&gt;&lt;script&gt;")
	told := d.Told("desk_search")
	slices.Sort(told)
	if len(told) != 4 || !strings.HasPrefix(told[3], "sup: 2 ") || !strings.HasSuffix(told[3], " C-AAAA-AA1") || strings.Contains(strings.Join(told, ""), "correo") {
		t.Errorf("the audit says %q; want each search with its lines and cases, and not the words", told)
	}
	ana := d.As("ana") // agents open cases by their number
	p := ana.Get("/agentes/buscar?q=contrase%C3%B1a+correo").Want(t, http.StatusForbidden, "busca solo quien supervisa")
	if strings.Contains(p.Body, "AAAA") || len(d.Told("desk_search")) != 4 {
		t.Error("an agent has searched")
	}
	ana.Get("/agentes/buscar").Want(t, http.StatusOK, "Número de un caso")
}

func TestSearch_caseNumber(t *testing.T) {
	d := consoletest.NewDesk(t)
	d.Keep(closedCase("C-AAAA-AA1", d.Clock.Now()))
	ana := d.As("ana")
	for _, typed := range []string{"C-AAAA-AA1", "c-aaaa-aa1", "%20caaaaaa1", "C+AAAA+AA1"} {
		ana.Get("/agentes/buscar?q="+typed).To(t, "/agentes/casos/C-AAAA-AA1")
	}
	ana.Get("/agentes/buscar?q=C-AAAA-AA9").Want(t, http.StatusOK, "No hay ningún caso C-AAAA-AA9")

	d.Keep(closedCase("C7KH4M9TX", d.Clock.Now()))
	for _, typed := range []string{"C7KH4M9TX", "c7k+h4m+9tx", "C7K%C2%A0H4M%C2%A09TX", "c-7kh4m9tx", "C7KH4N9TX"} {
		ana.Get("/agentes/buscar?q="+typed).To(t, "/agentes/casos/C7KH4M9TX")
	}
	ana.Get("/agentes/buscar?q=c7kh4m9tt").Want(t, http.StatusOK, "No hay ningún caso C7KH4M9TT")
	notice(d, "N7KH4M9TX")
	ana.Get("/agentes/buscar?q=n7k+h4m+9tx").To(t, "/agentes/avisos/N7KH4M9TX")
	lines(d, "C7KH4M9TX", "mis cuidados")
	d.As("sup").Get("/agentes/buscar?q=cuidados").Want(t, http.StatusOK, "1 línea,") // it may be read as a number, and is a word
}

// What was not looked at is said.
func TestSearch_full(t *testing.T) {
	d := consoletest.NewDesk(t)
	var texts []string
	for i := range 130 {
		texts = append(texts, fmt.Sprint("clave ", i))
	}
	lines(d, "C-AAAA-AA1", texts...)
	d.Clock.Advance(5 * time.Minute)
	p := d.As("sup").Get("/agentes/buscar?q=clave").Want(t, http.StatusOK, "100 líneas", "hay más atrás", "Agregue palabras")
	if strings.Contains(p.Body, "</mark> 29<") || !strings.Contains(p.Body, "</mark> 129<") {
		t.Error("not the latest lines are shown")
	}
}

func TestClosed(t *testing.T) {
	d := consoletest.NewDesk(t)
	for i := range 60 {
		h := closedCase(fmt.Sprintf("C-AAAA-%03d", i), d.Clock.Now().Add(-time.Duration(i)*time.Minute))
		h.AgentName = "Ana <b>"
		d.Keep(h)
	}
	left := bot.Handoff{Ref: "C-BBBB-001", Status: bot.HandoffClosed, Reason: handoff.Left, Asked: d.Clock.Now().AddDate(0, 0, -3), Ended: d.Clock.Now()}
	d.Keep(left)
	notice(d, "N-0000-001")
	ana := d.As("ana")
	p := ana.Get("/agentes/cerrados").Want(t, http.StatusOK, "C-AAAA-000", "C-AAAA-049", "Ana &lt;b&gt;", "4 de 5", "Resuelto", "3 min", "8 min", "lunes 2 de marzo de 2026", "pagina=2", "dia=2026-03-01")
	if strings.Contains(p.Body, "C-AAAA-050") || strings.Contains(p.Body, "N-0000") || strings.Contains(p.Body, "Día siguiente") {
		t.Errorf("the page shows too much:\n%s", p.Main())
	}
	const file = "/agentes/casos/C-AAAA-000/transcripcion.csv"
	d.As("sup").Get("/agentes/cerrados").Want(t, http.StatusOK, file)
	if strings.Contains(p.Body, file) {
		t.Error("an agent is offered the file of a transcript")
	}
	ana.Get("/agentes/cerrados?pagina=2").Want(t, http.StatusOK, "C-AAAA-050", "C-AAAA-059", "Anteriores")
	if p := ana.Get("/agentes/cerrados?dia=2026-02-27"); strings.Contains(p.Body, "C-BBBB-001") {
		t.Error("an agent sees a case that was never theirs")
	}
	d.As("sup").Get("/agentes/cerrados?dia=2026-02-27").Want(t, http.StatusOK, "C-BBBB-001", "La persona no esperó", "Día siguiente")
	ana.Get("/agentes/cerrados?dia=%22%3E%3Cscript%3E").Want(t, http.StatusUnprocessableEntity, "No es una fecha", "&#34;&gt;&lt;script&gt;")
}
