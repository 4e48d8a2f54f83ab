package app_test

import (
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

// A letter of a month that has to be sent again says what the first one said, though more was counted meanwhile (P804).
func TestReport_again(t *testing.T) {
	zone := time.UTC
	w := world.New(t, onePerson)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	count := func(id string) {
		t.Helper()
		must(w.App.Store.Counts.Count(t.Context(), report.Entry{ID: id, Kind: report.Letter, At: time.Date(2026, 3, 31, 20, 0, 0, 0, zone)}))
	}
	book := report.Book{Shelf: w.App.Store.Counts, Zone: zone}
	must(w.App.Store.Counts.Begin(t.Context()))
	count("first")
	for range 32 {
		w.Later(24 * time.Hour)
	}
	due := func() report.Figures {
		t.Helper()
		all, err := book.Due(t.Context())
		must(err)
		if len(all) != 1 || all[0].ID != "2026-03" {
			t.Fatalf("due: %+v", all)
		}
		return all[0]
	}
	first := due()
	must(book.Write(t.Context(), first))
	count("late")
	if again := due(); again.Own.Letters != first.Own.Letters {
		t.Errorf("sent again the report says %d letters, and said %d", again.Own.Letters, first.Own.Letters)
	}
	span, err := book.Read(t.Context(), "2026-03", "2026-03")
	must(err)
	if span.Months[0].Own.Letters != 2 {
		t.Errorf("%d letters are counted, want both", span.Months[0].Own.Letters)
	}
}
