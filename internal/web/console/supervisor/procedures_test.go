package supervisor_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"llave/internal/report"
	"llave/internal/web/console/consoletest"
)

const proceduresPage = "/agentes/supervision/tramites"

// seedProcedures has something counted on two days of the month that runs, and the sheet loaded of two months of the year before.
func seedProcedures(t *testing.T, d *consoletest.Desk) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(d.Store.Counts.Begin(t.Context()))
	now := d.Clock.Now()
	for i := range 7 {
		e := report.Entry{ID: fmt.Sprint("v", i), Kind: report.Visit, At: now, Reached: []string{"started", "number"}, Attended: true}
		switch {
		case i < 3:
			e.Completed, e.Took = true, time.Duration(i+1)*time.Minute
		case i < 5:
			e.Left = "silent"
		case i == 6:
			e.Attended, e.Reached = false, e.Reached[:1]
		}
		must(d.Store.Counts.Count(t.Context(), e))
	}
	for i := range 4 {
		must(d.Store.Counts.Count(t.Context(), report.Entry{ID: fmt.Sprint("l", i), Kind: report.Letter, At: now}))
	}
	must(d.Store.Counts.Count(t.Context(), report.Entry{ID: "q", Kind: report.Complaint, At: now}))
	must(report.Book{Shelf: d.Store.Counts, Zone: time.UTC}.Load(t.Context(), []report.Row{
		{Month: "2025-09", Volumes: &report.Volumes{Attentions: 80009}}, {Month: "2025-05", Volumes: &report.Volumes{Complaints: 53, Attentions: 55857}},
	}))
}

// The page shows what was counted of the procedure and what the sheet says, each chart with its table (P803).
func TestProcedures(t *testing.T) {
	d := consoletest.NewDesk(t)
	seedProcedures(t, d)
	p := d.As("sup").Get(proceduresPage).Want(t, http.StatusOK,
		`data-of="Atenciones">80009</td>`, `data-of="Quejas">53</td>`, `data-of="Atenciones">55857</td>`, "de la hoja",
		`data-of="Quejas">1</td><td role="cell" class="n" data-of="Atenciones">6</td><td role="cell" class="n" data-of="Completas">50,0 %</td>`,
		"<dt>Atenciones</dt><dd>6</dd>", "<dt>Completas</dt><dd>3</dd>", "<dt>Tiempo mediano</dt><dd>2 min 0 s</dd>", "<dt>Correos</dt><dd>4</dd>", "<dt>Quejas</dt><dd>1</dd>",
		"septiembre de 2025: 80009", "Dieron su número", "Dejaron de escribir",
	)
	if charts, tables := strings.Count(p.Body, `role="img"`), strings.Count(p.Body, "<summary>"); charts != 6 || tables != 6 {
		t.Errorf("%d charts and %d tables beneath them, want six of each", charts, tables)
	}
	day := fmt.Sprintf(`<th scope="row">%d de`, d.Clock.Now().In(d.Desk.Zone).Day())
	if !strings.Contains(p.Body, day) {
		t.Errorf("no %s", day)
	}
	d.As("sup").Get(proceduresPage+"?mes=2025-09").Want(t, http.StatusOK, "De este mes el bot no contó nada", "55857")
	d.As("sup").Get(proceduresPage+"?mes=2019-12").Want(t, http.StatusOK, "De enero de 2018 a diciembre de 2019", "Por día: diciembre de 2019")
	d.As("sup").Get(proceduresPage+"?mes=1999-01&hasta=nada").Want(t, http.StatusOK, "<dt>Atenciones</dt><dd>6</dd>")
	d.As("sup").Get(proceduresPage+"?hasta=2019-12").Want(t, http.StatusOK, "No hay cifras de estos meses", "Meses siguientes")
}
