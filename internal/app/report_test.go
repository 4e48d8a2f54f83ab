package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"llave/internal/bottest/world"
	"llave/internal/report"
	"llave/internal/store"
	"llave/internal/store/storetest"
)

// sheetRows are the months of the procedure's sheet, as it has them.
func sheetRows(t *testing.T) (rows [][]string) {
	t.Helper()
	sheet, err := os.ReadFile("testdata/sheet.tsv")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(sheet)) {
		if cells := strings.Split(strings.TrimSpace(line), "\t"); len(cells) == 4 && cells[0] != "Año" {
			rows = append(rows, cells)
		}
	}
	return rows
}

// The 24 months of the procedure's sheet are loaded from it, and printed back exactly in each format, over either store (P800).
func TestReport_sheet(t *testing.T) {
	rows := sheetRows(t)
	if len(rows) != 24 {
		t.Fatalf("the sheet has %d months, want 24", len(rows))
	}
	want := "Año,Mes,Volumen de Quejas,Volumen de Atenciones\n"
	for _, r := range rows {
		want += strings.Join(r, ",") + "\n"
	}
	eachStore(t, func(t *testing.T, environ []string) {
		if code, _, errs := run(t, environ, "", "report", "--load", "testdata/sheet.tsv"); code != 0 || errs != "months loaded: 24\n" {
			t.Fatalf("load: exit %d: %s", code, errs)
		}
		months := []string{"report", "--from", "2024-01", "--to", "2025-12"}
		as := func(format string) string {
			t.Helper()
			code, out, errs := run(t, environ, "", append(months, "--format", format)...)
			if code != 0 {
				t.Fatalf("%s: exit %d: %s", format, code, errs)
			}
			return out
		}
		if got := as("csv"); got != want {
			t.Errorf("printed back as\n%s\nwant\n%s", got, want)
		}
		var table [][]string
		for line := range strings.Lines(as("table")) {
			table = append(table, strings.Fields(line))
		}
		if got := fmt.Sprint(table[1:]); got != fmt.Sprint(rows) {
			t.Errorf("the table is %s, want %s", got, rows)
		}
		var shown struct {
			Months []struct {
				Year, Month, Complaints, Attentions int
				Source                              string
			}
		}
		if err := json.Unmarshal([]byte(as("json")), &shown); err != nil || len(shown.Months) != len(rows) {
			t.Fatalf("JSON: %d months, %v", len(shown.Months), err)
		}
		for i, m := range shown.Months {
			got := []string{fmt.Sprint(m.Year), fmt.Sprintf("%02d", m.Month), fmt.Sprint(m.Complaints), fmt.Sprint(m.Attentions)}
			if fmt.Sprint(got) != fmt.Sprint(rows[i]) || m.Source != "sheet" {
				t.Errorf("JSON: %v from %q, want %v", got, m.Source, rows[i])
			}
		}
		page := as("html")
		for _, r := range rows {
			if row := "<tr><td>" + strings.Join(r, "</td><td>") + "</td></tr>"; !strings.Contains(page, row) {
				t.Errorf("the page lacks %s", row)
			}
		}
		again := filepath.Join(t.TempDir(), "again.csv")
		if err := os.WriteFile(again, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		if code, out, errs := run(t, environ, "", "report", "--load", again, "--json"); code != 0 || out != "{\"loaded\":24}\n" {
			t.Errorf("load what was printed: exit %d, %s%s", code, out, errs)
		}
		if code, _, errs := run(t, environ, "Año,Mes,Volumen de Quejas,Volumen de Atenciones\n2025,12,,\n2025,11,9,8.000\n", "report", "--load", "-"); code != 1 || !strings.Contains(errs, "line 3") {
			t.Errorf("a row that cannot be read: exit %d: %s", code, errs)
		}
		if got := as("csv"); got != want {
			t.Errorf("a file with a row that cannot be read changed something:\n%s", got)
		}
		if code, _, errs := run(t, environ, "Año;Mes;Volumen de Quejas;Volumen de Atenciones\n2025;12;;\n", "report", "--load", "-"); code != 0 {
			t.Errorf("take a month off: exit %d: %s", code, errs)
		}
		if got := as("csv"); got != strings.Replace(want, strings.Join(rows[0], ",")+"\n", "", 1) {
			t.Errorf("a month that was taken off:\n%s", got)
		}
	})
}

// Whoever calls it wrongly hears so.
func TestReport_usage(t *testing.T) {
	for args, want := range map[string]string{
		"--from 2025-9": "no month", "--from 2025-12 --to 2025-09": "after the last", "--format pdf": "one of table", "--json --format csv": "no other",
		"--load x --from 2025-09": "without --from", "--load=": "needs the name", "x": "unknown command",
	} {
		if code, _, errs := run(t, []string{"LLAVE_DATA_DIR=" + t.TempDir()}, "", append([]string{"report"}, strings.Fields(args)...)...); code != 2 || !strings.Contains(errs, want) {
			t.Errorf("report %s: exit %d: %s", args, code, errs)
		}
	}
}

// A month is counted from what people do, is the same once it is closed and nothing else of them is kept, and stays so when they
// had themselves erased (P801, P802); its report is written and mailed once (P804).
func TestReport_month(t *testing.T) {
	const desk = "jefatura@oficina.example"
	w := world.New(t, onePerson, "LLAVE_REPORT_TO="+desk)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, text := range []string{"hola", "1", "menú", "Presentar queja", "Había cuarenta personas y una ventanilla", "Registrar", "menú", "1", theirs, "1", "1"} {
		w.Say(text)
	}
	w.Post(w.Browser, w.Link(false), nil)
	w.Settle()
	if status, page := w.Post(w.Browser, w.URL("/clave"), map[string][]string{"clave": {"caballo azul con tres lunas"}, "clave2": {"caballo azul con tres lunas"}}); status != http.StatusOK {
		t.Fatalf("the key page: %d %s", status, page)
	}
	w.Settle()
	w.Say("Sí, pude entrar")
	w.Say("persona")
	read := func() report.Figures {
		t.Helper()
		span, err := report.Book{Shelf: w.App.Store.Counts, Zone: time.UTC}.Read(t.Context(), "2026-03", "2026-03")
		must(err)
		return span.Months[0]
	}
	same := func(when string) {
		t.Helper()
		o := read().Own
		if got := fmt.Sprint(o.Visits, o.Attentions, o.Completed, o.Letters, o.Complaints, o.Handoffs, o.Days[1]); got != "1 1 1 1 1 1 {1 1 1}" {
			t.Errorf("%s the report says %s, want one of each", when, got)
		}
	}
	same("at once")
	must(w.App.ReportMonths(t.Context()))
	if n := len(w.SMTP.LettersTo(desk)); n != 0 {
		t.Errorf("%d reports of a month that is not over", n)
	}
	must(w.App.Store.EraseChat(t.Context(), store.NewErasureLog(w.App.Store.Engine()), conversation(w, world.Chat), w.Now(), false))
	same("after the erasure")
	for range 32 {
		w.Later(24 * time.Hour)
	}
	for range 3 {
		must(w.App.ReportMonths(t.Context()))
	}
	letters := w.SMTP.LettersTo(desk)
	if len(letters) != 1 || !strings.Contains(letters[0].Text, "Atenciones: 1") || letters[0].Subject != "INFORME DEL MES: 2026-03" {
		t.Fatalf("the letters of the month: %+v", letters)
	}
	for m := read(); !m.Closed; m = read() {
		if w.Now().After(m.ID.Closes(time.UTC).Add(48 * time.Hour)) {
			t.Fatal("the month is not closed")
		}
		w.Later(24 * time.Hour)
		_, err := w.App.Forget(t.Context())
		must(err)
		same("meanwhile")
	}
	n, err := w.App.Store.Engine().Count(t.Context(), store.Query{Collection: store.Counted})
	must(err)
	if n != 0 {
		t.Errorf("%d entries are left of a month that is closed", n)
	}
	same("when it was closed")
}

// A letter of a month that has to be sent again says what was written before the first was tried, though more was counted meanwhile (P804).
func TestReport_again(t *testing.T) {
	const desk = "jefatura@oficina.example"
	w := world.New(t, onePerson, "LLAVE_REPORT_TO="+desk)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	count := func(id string) {
		t.Helper()
		must(w.App.Store.Counts.Count(t.Context(), report.Entry{ID: id, Kind: report.Letter, At: time.Date(2026, 3, 30, 20, 0, 0, 0, time.UTC)}))
	}
	must(w.App.Store.Counts.Begin(t.Context()))
	count("first")
	w.SMTP.Down()
	for w.Now().Before(time.Date(2026, 4, 3, 0, 0, 0, 0, time.UTC)) {
		w.Later(24 * time.Hour)
	}
	if err := w.App.ReportMonths(t.Context()); err == nil {
		t.Fatal("the report went without a mail server")
	}
	count("late")
	must(w.SMTP.Up())
	must(w.App.ReportMonths(t.Context()))
	letters := w.SMTP.LettersTo(desk)
	if len(letters) != 1 || !strings.Contains(letters[0].Text, "Correos: 1") {
		t.Errorf("the letters of the month: %+v", letters)
	}
	span, err := report.Book{Shelf: w.App.Store.Counts, Zone: time.UTC}.Read(t.Context(), "2026-03", "2026-03")
	must(err)
	if span.Months[0].Own.Letters != 2 {
		t.Errorf("%d letters are counted, want both", span.Months[0].Own.Letters)
	}
}

// A month is due from the sixth hour of its successor's second day on, of many the last twelve; the one in which counting began is known to
// be a part, and no other (P804).
func TestReport_due(t *testing.T) {
	w := world.New(t, onePerson)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	s := w.App.Store
	must(s.Counts.Begin(t.Context()))
	for i, took := range []time.Duration{time.Minute, 2 * time.Minute, time.Hour} {
		must(s.Counts.Count(t.Context(), report.Entry{ID: fmt.Sprint("v", i), Kind: report.Visit, At: w.Now(), Attended: true, Completed: true, Took: took}))
	}
	due := func(at time.Time) (of string) {
		t.Helper()
		clock := storetest.NewClock(at)
		all, err := report.Book{Shelf: shelfAt{s.Counts, clock}, Zone: time.UTC}.Due(t.Context())
		must(err)
		for _, f := range all {
			of += fmt.Sprint(f.ID, f.Partly, " ")
		}
		return of
	}
	second := time.Date(2026, 4, 2, 6, 0, 0, 0, time.UTC)
	if before, after := due(second.Add(-time.Minute)), due(second); before != "" || after != "2026-03true " {
		t.Errorf("due before: %q, after: %q", before, after)
	}
	if of := due(second.AddDate(0, 1, 0)); of != "2026-03true 2026-04false " {
		t.Errorf("a month later %q is due", of)
	}
	if of := due(second.AddDate(2, 0, 0)); strings.Count(of, " ") != 12 || !strings.HasPrefix(of, "2027-04") || !strings.HasSuffix(of, "2028-03false ") {
		t.Errorf("two years later %q is due", of)
	}
	span, err := report.Book{Shelf: s.Counts, Zone: time.UTC}.Read(t.Context(), "2026-03", "2026-03")
	must(err)
	if got := span.Months[0].Own.Took; got != 2*time.Minute {
		t.Errorf("the median of one minute, two and an hour is %v", got)
	}
}

// shelfAt is a shelf with another clock.
type shelfAt struct {
	report.Shelf
	clock *storetest.Clock
}

func (s shelfAt) Now(context.Context) (time.Time, error) { return s.clock.Now(), nil }
