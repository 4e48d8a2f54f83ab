package supervisor_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"llave/internal/bottest"
	"llave/internal/handoff"
	"llave/internal/web/console/consoletest"
)

const hoursPage = "/agentes/supervision/horario"

func schedule(d *consoletest.Desk) handoff.Schedule {
	d.T.Helper()
	s, err := d.Store.Schedule.Load(d.T.Context())
	if err != nil {
		d.T.Fatal(err)
	}
	return s
}

// save sends a form of the hours, looks at what would come of it, and saves that.
func save(t *testing.T, sup *consoletest.Browser, fields ...string) bottest.Page {
	t.Helper()
	p := sup.Post(hoursPage, fields...)
	_, rest, found := strings.Cut(p.Body, `<button name="visto" value="`)
	if !found {
		return p
	}
	effect, _, _ := strings.Cut(rest, `"`)
	return sup.Post(hoursPage, append(fields, "visto", effect)...)
}

func TestHours_page(t *testing.T) {
	d := consoletest.NewDesk(t)
	d.As("sup").Get(hoursPage).Want(t, http.StatusOK,
		"La atención está <strong>abierta</strong>", "Cierra hoy a las 17:00", "lunes a viernes, de 08:00 a 17:00", `value="lun-vie 08:00-17:00"`,
		"<h3>2026</h3>", "<h3>2027</h3>", "Viernes Santo", "viernes 3 de abril de 2026", "(por el 24 de mayo)", `name="abre-1" type="text" autocomplete="off" maxlength="60" value="08:00"`,
	)
	d.Clock.Advance(8 * time.Hour)
	d.As("sup").Get(hoursPage).Want(t, http.StatusOK, "<strong>cerrada</strong>: no es hora de atención", "Abre mañana a las 08:00")
	d.Clock.Advance(3 * 24 * time.Hour)
	d.As("sup").Get(hoursPage).Want(t, http.StatusOK, "Abre mañana a las 08:00")
	d.Clock.Advance(24 * time.Hour)
	d.As("sup").Get(hoursPage).Want(t, http.StatusOK, "Abre el lunes 9 de marzo a las 08:00")
}

func TestHours_week(t *testing.T) {
	d := consoletest.NewDesk(t)
	sup := d.As("sup")
	save(t, sup, "hacer", "semana", "version", "0", "semana", "lun-vie 08:00-12:30, LUN-VIE 13:30-17:00, sábado 09:00-12:00").To(t, hoursPage+"?hecho=semana")
	if got, want := schedule(d).Hours, "mon-fri 08:00-12:30, mon-fri 13:30-17:00, sat 09:00-12:00"; got != want {
		t.Errorf("hours: got %q, want %q", got, want)
	}
	sup.Get(hoursPage+"?hecho=semana").Want(t, http.StatusOK, "Listo: el horario", "sábado, de 09:00 a 12:00", `value="lun-vie 08:00-12:30, lun-vie 13:30-17:00, sáb 09:00-12:00"`)
	save(t, sup, "hacer", "semana", "version", "1", "semana", "mon-thu 07:00-24:00").To(t, hoursPage+"?hecho=semana")
	save(t, sup, "hacer", "semana", "version", "2", "semana", `lun-vie 8:00 17:00, "><script>, vie 09:00-10:00`).
		Want(t, http.StatusUnprocessableEntity, "No se entiende «lun-vie 8:00 17:00»", `value="lun-vie 8:00 17:00, &#34;&gt;&lt;script&gt;, vie 09:00-10:00"`, `aria-describedby="horas-falta horas-regla"`)
	save(t, sup, "hacer", "semana", "version", "2", "semana", "").To(t, hoursPage+"?hecho=semana")
	if s := schedule(d); s.Hours != "" || s.Version != 3 {
		t.Errorf("the setting's hours are not back: %+v", s)
	}
	want := []string{"sup: week mon-fri 08:00-12:30, mon-fri 13:30-17:00, sat 09:00-12:00", "sup: week mon-thu 07:00-24:00", "sup: week"}
	if got := d.Told(handoff.AuditHours); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("audit: got %q, want %q", got, want)
	}
	sup.Get("/agentes/supervision/auditoria").Want(t, http.StatusOK, "Cambió el horario", "semana: la de la configuración", "semana: lun-jue 07:00-24:00")
}

// Into one field of a row, or of a day, whole spans may be typed as they stand on a door.
func TestHours_wholeSpans(t *testing.T) {
	d := consoletest.NewDesk(t)
	sup := d.As("sup")
	save(t, sup, "hacer", "filas", "version", "0", "abre-1", "08h00-17h00", "cierra-1", "", "abre-2", "", "cierra-2", "08:00 - 12:30, 13:30 - 17:00", "abre-3", "8h00 a 12h00 y 13h00 a 16h30", "cierra-3", "").
		To(t, hoursPage+"?hecho=filas")
	if got, want := schedule(d).Hours, "mon 08:00-17:00, tue 08:00-12:30, tue 13:30-17:00, wed 08:00-12:00, wed 13:00-16:30"; got != want {
		t.Errorf("hours: got %q, want %q", got, want)
	}
	save(t, sup, "hacer", "dia", "version", "1", "fecha", "2026-03-07", "tipo", "horas", "abre", "09h00 a 11h00", "cierra", "").To(t, hoursPage+"?hecho=dia")
	if days := schedule(d).Days; len(days) != 1 || days[0].Opens != "09:00" || days[0].Closes != "11:00" {
		t.Errorf("days: got %+v", days)
	}
	for _, half := range []string{"08:00", "ocho a cinco", "08:00-12:30 y 12:00-17:00"} {
		save(t, sup, "hacer", "filas", "version", "2", "abre-1", half, "cierra-1", "").Want(t, http.StatusUnprocessableEntity, "No se guardó nada", `id="fila-1-falta"`)
	}
}

func TestHours_days(t *testing.T) {
	d := consoletest.NewDesk(t)
	sup := d.As("sup")
	day := func(version string, fields ...string) bottest.Page {
		return save(t, sup, append([]string{"hacer", "dia", "version", version}, fields...)...)
	}
	day("0", "fecha", "2026-03-05", "nombre", "Fiesta <local>", "tipo", "cerrado").To(t, hoursPage+"?hecho=dia")
	day("1", "fecha", "2026-03-07", "nombre", "", "tipo", "horas", "abre", "09:00", "cierra", "11:00").To(t, hoursPage+"?hecho=dia")
	day("2", "fecha", "2026-04-03", "nombre", "Se trabaja", "tipo", "abierto").To(t, hoursPage+"?hecho=dia")
	sup.Get(hoursPage).Want(t, http.StatusOK, "jueves 5 de marzo de 2026", "Fiesta &lt;local&gt;, cerrado", "abierto de 09:00 a 11:00", "abierto en el horario de siempre", "cambiado arriba")

	for _, tt := range []struct {
		fields []string
		says   []string
	}{
		{[]string{"fecha", "2026-02-30", "nombre", "X", "tipo", "cerrado"}, []string{"No es una fecha", `value="2026-02-30"`}},
		{[]string{"fecha", "2026-03-01", "nombre", "X", "tipo", "cerrado"}, []string{"Ese día ya pasó"}},
		{[]string{"fecha", "2029-03-01", "nombre", "X", "tipo", "cerrado"}, []string{"Faltan más de dos años"}},
		{[]string{"fecha", "2026-03-10", "nombre", "", "tipo", "cerrado"}, []string{"Ponga un nombre"}},
		{[]string{"fecha", "2026-03-10", "nombre", strings.Repeat("a", 81), "tipo", "cerrado"}, []string{"Ponga un nombre", strings.Repeat("a", 81)}},
		{[]string{"fecha", "2026-03-10", "nombre", "Tarde", "tipo", "horas", "abre", "11:00", "cierra", "09:00"}, []string{"a qué hora abre", `value="11:00"`, `value="09:00"`, `value="horas" checked`}},
		{[]string{"fecha", "2026-03-10", "nombre", "Tarde", "tipo", "horas"}, []string{"a qué hora abre"}},
		{[]string{"fecha", "2026-03-08", "nombre", "Domingo", "tipo", "abierto"}, []string{"La semana no tiene horas ese día"}},
		{[]string{"fecha", `"><script>`, "nombre", `"><img src=x>`, "tipo", "cerrado"}, []string{"&#34;&gt;&lt;script&gt;", "&#34;&gt;&lt;img src=x&gt;"}},
	} {
		p := day("3", tt.fields...).Want(t, http.StatusUnprocessableEntity, append(tt.says, `aria-invalid="true"`, "No se guardó nada")...)
		if strings.Contains(p.Body, "<script>") || strings.Contains(p.Body, "<img src=x") {
			t.Error("what was typed is markup in the page")
		}
	}
	save(t, sup, "hacer", "quitar", "version", "3", "fecha", "2026-03-05").To(t, hoursPage+"?hecho=quitar")
	save(t, sup, "hacer", "quitar", "version", "4", "fecha", "nunca").Want(t, http.StatusUnprocessableEntity, "No es una fecha")
	if s := schedule(d); len(s.Days) != 2 || s.Version != 4 {
		t.Errorf("days: got %+v", s)
	}
	if got := d.Told(handoff.AuditHours); len(got) != 4 || got[1] != "sup: day 2026-03-07 09:00-11:00" || got[3] != "sup: drop 2026-03-05" {
		t.Errorf("audit: got %q", got)
	}
}

// Closing by hand is effective at once: who waits is put off, and lifting it puts them back.
func TestHours_closeNow(t *testing.T) {
	d := consoletest.NewDesk(t)
	sup := d.As("sup")
	d.Ask("1")
	if c := d.CaseOf("1"); !c.Waiting() {
		t.Fatalf("the case is %s", c.Status)
	}
	save(t, sup, "hacer", "cerrar", "version", "0", "hasta", "2026-03-02T12:30", "nota", "Corte de luz <b> 1710034065").To(t, hoursPage+"?hecho=cerrar")
	if c := d.CaseOf("1"); c.Waiting() {
		t.Error("the case still waits in the queue")
	}
	sup.Get(hoursPage).Want(t, http.StatusOK, "porque se cerró a mano", "Abre hoy a las 12:30", "Corte de luz &lt;b&gt; 171•", "La cerró <strong>sup</strong>", "Levantar el cierre")
	sup.Get("/agentes/supervision/auditoria").Want(t, http.StatusOK, "cerró hasta 02/03/2026 12:30")
	if note := schedule(d).ClosedNow.Note; strings.Contains(note, "1710034065") {
		t.Errorf("a number is kept in the note: %q", note)
	}
	save(t, sup, "hacer", "abrir", "version", "1").To(t, hoursPage+"?hecho=abrir")
	if c := d.CaseOf("1"); !c.Waiting() {
		t.Error("the case is not back in the queue")
	}
	save(t, sup, "hacer", "cerrar", "version", "2").To(t, hoursPage+"?hecho=cerrar")
	sup.Get(hoursPage).Want(t, http.StatusOK, "No se sabe cuándo abre", "sin hora de fin")
	save(t, sup, "hacer", "cerrar", "version", "3", "hasta", "2026-03-02T09:00", "nota", "Mi nota").Want(t, http.StatusUnprocessableEntity, "entre ahora y dentro de 60 días", `value="2026-03-02T09:00"`, `value="Mi nota"`)
	save(t, sup, "hacer", "cerrar", "version", "3", "hasta", "luego").Want(t, http.StatusUnprocessableEntity, "entre ahora y dentro de 60 días", `value="luego"`)
	save(t, sup, "hacer", "cerrar", "version", "3", "nota", strings.Repeat("n", 201)).Want(t, http.StatusUnprocessableEntity, "Es muy larga")
	want := []string{"sup: closed 2026-03-02 12:30:00", "sup: reopened", "sup: closed"}
	if got := d.Told(handoff.AuditHours); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("audit: got %q, want %q", got, want)
	}
}

// Of two supervisors who change the hours at once, one is told, keeps what they typed, and sees what the other saved.
func TestHours_conflict(t *testing.T) {
	d := consoletest.NewDesk(t)
	sup, other := d.As("sup"), d.As("sup")
	save(t, other, "hacer", "dia", "version", "0", "fecha", "2026-03-05", "nombre", "Lo de otra", "tipo", "cerrado").To(t, hoursPage+"?hecho=dia")
	save(t, sup, "hacer", "semana", "version", "0", "semana", "lun 10:00-11:00").
		Want(t, http.StatusConflict, "Otra persona guardó un cambio", `value="lun 10:00-11:00"`, "Lo de otra", `name="version" value="1"`)
	save(t, sup, "hacer", "dia", "version", "0", "fecha", "2026-03-06", "nombre", "Lo mío", "tipo", "horas", "abre", "10:00", "cierra", "12:00").
		Want(t, http.StatusConflict, `value="2026-03-06"`, `value="Lo mío"`, `value="10:00"`, `value="12:00"`, `value="horas" checked`)
	save(t, sup, "hacer", "cerrar", "version", "0", "nota", "La mía").Want(t, http.StatusConflict, `value="La mía"`)
	if p := save(t, sup, "hacer", "quitar", "version", "0", "fecha", "2026-03-05").Want(t, http.StatusConflict); strings.Contains(p.Body, `value="2026-03-05" `) || strings.Count(p.Body, `value="2026-03-05"`) != 1 {
		t.Error("the day to be dropped stands in the form for a new one")
	}
	if s := schedule(d); s.Version != 1 || len(s.Days) != 1 || s.Hours != "" || s.ClosedNow != nil {
		t.Errorf("the colleague's schedule is not as it was saved: %+v", s)
	}
	sup.Do(http.MethodPost, hoursPage, url.Values{"hacer": {"abrir"}, "version": {"uno"}}).Want(t, http.StatusBadRequest)
	if got := d.Told(handoff.AuditHours); len(got) != 1 {
		t.Errorf("audit: got %q, want one edit", got)
	}
}
