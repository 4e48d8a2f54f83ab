package importer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"llave/internal/affiliate"
	"llave/internal/importer"
	"llave/internal/store"
	"llave/internal/store/bolt"
)

const header = "_id,id_type,category,full_name,email,data_updated_at,status\n"

// open returns a store of the test's own, on a real file.
func open(t testing.TB) *store.Store {
	t.Helper()
	engine, err := bolt.Open(t.Context(), bolt.Options{Dir: t.TempDir(), NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { engine.Close() })
	return store.New(engine)
}

// options imports content, as if it were in a file of that name in a directory of the test's own.
func options(t testing.TB, s *store.Store, name, content string) importer.Options {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return importer.Options{Source: f, Size: int64(len(content)), Name: path, Sink: s.Affiliates, Marks: s.Imports}
}

// again is the same import once more.
func again(t testing.TB, o importer.Options) importer.Options {
	t.Helper()
	f, err := os.Open(o.Name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	o.Source = f
	return o
}

func count(t testing.TB, s *store.Store) int64 {
	t.Helper()
	n, err := s.Affiliates.Count(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func rejected(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// number is the i-th made-up cédula of province 24.
func number(i int) string {
	n := fmt.Sprintf("24%07d", i)
	for check := byte('0'); check <= '9'; check++ {
		if affiliate.CheckDigit(n + string(check)) {
			return n + string(check)
		}
	}
	panic("no check digit fits")
}

// TestRun_codesWithoutCase: a code is the same in any letters, and kept in capitals (P115).
func TestRun_codesWithoutCase(t *testing.T) {
	s := open(t)
	sum, err := importer.Run(t.Context(), options(t, s, "a.csv", header+
		" xe-77120 ,foreign_code,affiliate,N,p@example.com,,locked\nXE-77120,foreign_code,affiliate,N,p@example.com,,locked\n"+row(1)+
		"ye-1,foreign_code,affiliate,M,q@example.com,,locked\nye-1,foreign_code,affiliate,O,r@example.com,,locked\n"))
	if err != nil {
		t.Fatal(err)
	}
	const but = "but for capitals and small letters"
	want := "line,reason,kind," + header +
		`3,"_id is that of line 2 ` + but + `",rejected,` + "XE-77120,foreign_code,affiliate,N,p@example.com,,locked\n" +
		`6,"duplicate of line 5",rejected,` + "ye-1,foreign_code,affiliate,O,r@example.com,,locked\n" +
		`2,"_id is that of line 3 ` + but + `",rejected,` + " xe-77120 ,foreign_code,affiliate,N,p@example.com,,locked\n"
	if got := rejected(t, sum.Rejects); sum.Imported != 2 || sum.Rows != 5 || sum.Rejected != 3 || got != want {
		t.Errorf("%+v, rejected:\n%s\nwant:\n%s", sum, got, want)
	}
	if _, found, err := s.Affiliates.Find(t.Context(), "xe-77120"); err != nil || found {
		t.Errorf("a code in two spellings: found %v, %v", found, err)
	}
	if rec, found, err := s.Affiliates.Find(t.Context(), "ye-1"); err != nil || !found || rec.ID != "YE-1" || rec.FullName != "M" {
		t.Errorf("found %+v %v %v", rec, found, err)
	}
}

// TestRun_codesAfterAnInterruption: codes before the mark are known to those after it, and stored with them.
func TestRun_codesAfterAnInterruption(t *testing.T) {
	s := open(t)
	code := func(id, name string) string {
		return id + ",foreign_code,affiliate," + name + ",p@example.com,2025-03-01,locked\n"
	}
	content := header + code("xe-1", "A") + code("ab-2", "B")
	for i := range 20 {
		content += row(i)
	}
	content += code("XE-1", "C") + code("cd-3", "D") + row(21)
	o := options(t, s, "a.csv", content)
	o.Batch = 7
	interrupted := o
	interrupted.Sink = &stopper{Sink: s.Affiliates, batches: 2, stop: func() error { return errors.New("away") }}
	if _, err := importer.Run(t.Context(), interrupted); !errors.Is(err, importer.ErrStopped) {
		t.Fatalf("interrupted: %v", err)
	}
	o = again(t, o)
	o.Batch = 7
	sum, err := importer.Run(t.Context(), o)
	if err != nil || sum.Earlier != 14 || sum.Imported != 9 || sum.Rejected != 2 || count(t, s) != 23 {
		t.Errorf("got %+v, %v, %d stored, want 14 from before, 9 new and 2 rejected", sum, err, count(t, s))
	}
	if got := strings.Count(rejected(t, sum.Rejects), "but for capitals"); got != 2 {
		t.Errorf("%d rows are rejected for their letters, want both", got)
	}
}

func row(i int) string {
	return fmt.Sprintf("%s,cedula,affiliate,Persona %d Ficticia,p%d@example.com,2025-03-01,locked\n", number(i), i, i)
}

func TestRun_storesRecords(t *testing.T) {
	want := affiliate.Record{ID: "1710034065", IDType: affiliate.Cedula, Category: affiliate.Pensioner, FullName: "Persona Ficticia Ñandú",
		Email: "p@example.com", DataUpdatedAt: time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC), Status: affiliate.Locked}
	plain := "_id,id_type,category,full_name,email,data_updated_at,status\n1710034065,cedula,pensioner,Persona Ficticia Ñandú,p@example.com,2025-03-01,locked\n"
	for _, tc := range []struct{ name, file, content string }{
		{"CSV", "a.csv", plain},
		{"id instead of _id, other order and case", "a.csv", "STATUS,id,Id_Type,category,full_name,data_updated_at,email\nlocked,1710034065,cedula,pensioner,Persona Ficticia Ñandú,2025-03-01,p@example.com\n"},
		{"BOM and CRLF", "a.csv", "\ufeff" + strings.ReplaceAll(plain, "\n", "\r\n")},
		{"semicolons", "a.csv", strings.ReplaceAll(plain, ",", ";")},
		{"tabs", "a.txt", strings.ReplaceAll(plain, ",", "\t")},
		{"quotes", "a.csv", header + `"1710034065","cedula","pensioner","Persona Ficticia Ñandú","p@example.com","2025-03-01","locked"` + "\n"},
		{"no line feed at the end, blank lines", "a.csv", "\n" + strings.TrimSpace(strings.ReplaceAll(plain, "\n", "\n\n"))},
		{"spaces, capitals, invisible characters, RFC 3339", "a.csv", header + " 1710034065\u200b , Cedula,PENSIONER,Persona Ficticia N\u0303andu\u0301 ,p@example.com,2025-03-01T00:00:00Z,Locked\n"},
		{"NDJSON", "a.ndjson", `{"_id":"1710034065","id_type":"cedula","category":"pensioner","full_name":"Persona Ficticia Ñandú","email":"p@example.com","data_updated_at":"2025-03-01","status":"locked"}` + "\n"},
		{"NDJSON by its first character, BOM", "-x", "\ufeff" + `{"id":"1710034065","id_type":"cedula","category":"pensioner","full_name":"Persona Ficticia Ñandú","email":"p@example.com","data_updated_at":"2025-03-01T00:00:00Z","status":"locked"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := open(t)
			o := options(t, s, tc.file, tc.content)
			sum, err := importer.Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if sum.Rows != 1 || sum.Imported != 1 || sum.Rejected != 0 {
				t.Errorf("got %+v; rejects: %s", sum, rejected(t, o.Name+".rejects.csv"))
			}
			got, found, err := s.Affiliates.Find(t.Context(), "1710034065")
			if err != nil || !found {
				t.Fatalf("find: %v, %v", found, err)
			}
			got.Version = 0
			if got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
			if text := rejected(t, o.Name+".rejects.csv"); text != "" {
				t.Errorf("a file of rejects without any: %s", text)
			}
		})
	}
}

// TestRun_rejectsRows shows P603.
func TestRun_rejectsRows(t *testing.T) {
	good := row(1)
	for _, tc := range []struct{ row, reason string }{
		{",cedula,affiliate,N,p@example.com,,locked", "_id is empty"},
		{"  ,cedula,affiliate,N,p@example.com,,locked", "_id is empty"},
		{"171003406,cedula,affiliate,N,p@example.com,,locked", "_id is not a cédula: has 9 digits, 10 expected"},
		{"17100340655,cedula,affiliate,N,p@example.com,,locked", "_id is not a cédula: has 11 digits, 10 expected"},
		{"17100E4065,cedula,affiliate,N,p@example.com,,locked", "_id is not a cédula: only digits are expected"},
		{"1234567,foreign_code,affiliate,N,p@example.com,,locked", "_id is not a foreigner's code"},
		{"A_1234,foreign_code,affiliate,N,p@example.com,,locked", "_id is not a foreigner's code"},
		{"2400000018,passport,affiliate,N,p@example.com,,locked", "id_type is not one of cedula, foreign_code"},
		{"2400000018,cedula,boss,N,p@example.com,,locked", "category is not one of affiliate, pensioner, beneficiary"},
		{"2400000018,cedula,affiliate,N,p@example.com,,open", "status is not one of locked, active, suspended, deceased"},
		{"2400000018,cedula,affiliate,N,p@example.com,2025-02-30,locked", "data_updated_at is no date; write 2025-03-01 or 2025-03-01T10:30:00Z"},
		{"2400000018,cedula,affiliate,N,p@example.com,0001-01-01,locked", "data_updated_at is no date; write 2025-03-01 or 2025-03-01T10:30:00Z"},
		{"2400000018,cedula,affiliate,N,p@example.com,locked", "has 6 columns, 7 expected"},
		{"2400000018,cedula,affiliate,N,p@example.com,,locked,x", "has 8 columns, 7 expected"},
		{"2400000018,cedula,affiliate,Mu\x96oz,p@example.com,,locked", "is neither UTF-8 nor Windows-1252, or some of both; save the file as UTF-8"},
		{"2400000018,cedula,affiliate,N\x00,p@example.com,,locked", "holds a NUL character"},
		{`2400000018,cedula,affiliate,"N,p@example.com,,locked`, "a quote is not closed on this line, or text follows it"},
		{`2400000018,cedula,affiliate,N"N",p@example.com,,locked`, `a quote stands inside a field that is not quoted; write "" within quotes`},
		{strings.TrimSpace(good), "duplicate of line 2"},
		{"2400000018,cedula,affiliate," + strings.Repeat("N", 70000) + ",p@example.com,,locked", "the line is longer than 65536 bytes"},
	} {
		s := open(t)
		o := options(t, s, "a.csv", header+good+tc.row+"\n"+row(2))
		sum, err := importer.Run(t.Context(), o)
		if err != nil {
			t.Errorf("%.60q: %v", tc.row, err)
			continue
		}
		if sum.Rows != 3 || sum.Imported != 2 || sum.Rejected != 1 || count(t, s) != 2 {
			t.Errorf("%.60q: got %+v and %d stored, want 2 taken and 1 rejected", tc.row, sum, count(t, s))
		}
		want := "line,reason,kind," + header + `3,"` + strings.ReplaceAll(tc.reason, `"`, `""`) + `",rejected,` + tc.row + "\n"
		if len(tc.row) < 60000 && rejected(t, sum.Rejects) != want {
			t.Errorf("%.60q: got %q, want %q", tc.row, rejected(t, sum.Rejects), want)
		}
		if info, err := os.Stat(sum.Rejects); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("rejects: %v, %v, want mode 0600", info, err)
		}
	}
}

func TestRun_rejectsObjects(t *testing.T) {
	object := func(old, new string) string {
		return strings.Replace(`{"_id":"2400000018","id_type":"cedula","category":"affiliate","full_name":"N","email":"","status":"locked"}`, old, new, 1)
	}
	for _, tc := range []struct{ row, reason string }{
		{object(`"2400000018"`, `2400000018`), "_id must be a text in quotes"},
		{object(`"email":"",`, ``), "is without email"},
		{object(`"email":""`, `"email":null`), "is without email"},
		{object(`"email":""`, `"email":"","note":"x"`), `has an unknown field "note"`},
		{object(`{`, `{"id":"x",`), "has both _id and id"},
		{object(`}`, ``), "is not a JSON object"},
		{object(`}`, `} {}`), "is more than one JSON object"},
		{object(`"N"`, "\"\xff\""), "is not UTF-8"},
		{"7", "is not a JSON object"},
	} {
		s := open(t)
		sum, err := importer.Run(t.Context(), options(t, s, "a.ndjson", object("18", "26")+"\n"+tc.row+"\n"+object("18", "34")+"\n"))
		if err != nil || sum.Imported != 2 || sum.Rejected != 1 || count(t, s) != 2 {
			t.Errorf("%q: got %+v, %v", tc.row, sum, err)
			continue
		}
		want := "line,reason,kind,row\n2,\"" + strings.ReplaceAll(tc.reason, `"`, `""`) + `",rejected,"` + strings.ReplaceAll(tc.row, `"`, `""`) + "\"\n"
		if got := rejected(t, sum.Rejects); got != want {
			t.Errorf("%q: got %q, want %q", tc.row, got, want)
		}
	}
}

// A failing check digit is on record so, and a bad address only makes the record go in person.
func TestRun_takesWhatTheRecordSays(t *testing.T) {
	s := open(t)
	sum, err := importer.Run(t.Context(), options(t, s, "a.csv", header+
		"1710034060,cedula,affiliate,N,p@example.com,2025-03-01,locked\n"+
		"AB-12345,foreign_code,beneficiary,N,not an address,2025-03-01,locked\n"+
		"2400000018,cedula,affiliate,N,,,active\n"))
	if err != nil || sum.Imported != 3 || sum.Rejected != 0 || sum.BadMail != 1 {
		t.Fatalf("got %+v, %v", sum, err)
	}
	for id, want := range map[string]affiliate.Outcome{"1710034060": affiliate.CanUnlock, "AB-12345": affiliate.InPerson, "2400000018": affiliate.InPerson} {
		r, found, err := s.Affiliates.Find(t.Context(), id)
		if err != nil || !found || r.Outcome() != want {
			t.Errorf("%s: got %s (found %v, %v), want %s", id, r.Outcome(), found, err, want)
		}
	}
}

func TestRun_refusesFiles(t *testing.T) {
	for _, tc := range []struct {
		name, file, content string
		want                []string
	}{
		{"empty", "a.csv", "", []string{"it is empty"}},
		{"blank", "a.csv", "\ufeff \n\n", []string{"it is empty"}},
		{"wrong columns", "a.csv", "cedula,nombre,email\n1,2,3\n", []string{`missing: _id, id_type, category, full_name, data_updated_at, status`, `unknown: "cedula", "nombre"`, "expected: _id, id_type"}},
		{"one missing", "a.csv", strings.Replace(header, ",email", "", 1), []string{"(missing: email)"}},
		{"one twice", "a.csv", strings.Replace(header, ",email", ",email,email", 1), []string{"twice: email"}},
		{"id and _id", "a.csv", "id," + header, []string{"twice: _id"}},
		{"no header", "a.csv", row(1), []string{"missing: _id"}},
		{"UTF-16 of another form", "a.csv", "\xff\xfe_\x00i\x00", []string{`unknown: "_i"`}},
		{"sep= a letter", "a.csv", "sep=x\n" + header, []string{"sep="}},
		{"old spreadsheet", "a.csv", "\xd0\xcf\x11\xe0....", []string{"spreadsheet"}},
		{"spreadsheet", "a.csv", "PK\x03\x04....", []string{"spreadsheet"}},
		{"header in another encoding", "a.csv", "_id,a\x96o\n", []string{"header is neither UTF-8 nor Windows-1252"}},
		{"JSON list", "a.ndjson", "[{}]", []string{"JSON list", "one object on each line"}},
		{"other objects", "a.ndjson", `{"cedula":"1"}` + "\n", []string{"missing: _id", `unknown: "cedula"`}},
		{"not JSON", "a.ndjson", "hola\n", []string{"not a whole JSON object"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := open(t)
			o := options(t, s, tc.file, tc.content)
			_, err := importer.Run(t.Context(), o)
			if !errors.Is(err, importer.ErrFile) {
				t.Fatalf("got %v, want ErrFile", err)
			}
			for _, want := range append(tc.want, o.Name) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want it to say %q", err, want)
				}
			}
			if n := count(t, s); n != 0 {
				t.Errorf("%d records were stored", n)
			}
		})
	}
}

// big is 200,000 lines of which 37 are bad, and where those are.
func big() (content string, bad []int) {
	const lines, badRows = 200_000, 37
	every := lines / badRows
	var b strings.Builder
	b.WriteString(header)
	for line := 2; line <= lines; line++ {
		if (line-2)%every != every/2 || len(bad) == badRows {
			b.WriteString(row(line))
			continue
		}
		bad = append(bad, line)
		switch len(bad) % 5 {
		case 0:
			fmt.Fprintf(&b, ",cedula,affiliate,Persona,p@example.com,2025-03-01,locked\n")
		case 1:
			b.WriteString(row(line - 1)) // duplicate
		case 2:
			fmt.Fprintf(&b, "%s,cedula,affiliate,Mu\x96oz,p@example.com,2025-03-01,locked\n", number(line))
		case 3:
			fmt.Fprintf(&b, "%s,cedula,affiliate,\"Persona,p@example.com,2025-03-01,locked\n", number(line))
		case 4:
			fmt.Fprintf(&b, "%s,cedula,affiliate,Persona,p@example.com,ayer,locked\n", number(line))
		}
	}
	return b.String(), bad
}

// stopper lets so many batches through and then does what stop says.
type stopper struct {
	importer.Sink
	batches int
	stop    func() error
}

func (s *stopper) Merge(ctx context.Context, records []affiliate.Record, o affiliate.MergeOptions) (affiliate.Merged, error) {
	if s.batches--; s.batches < 0 {
		if err := s.stop(); err != nil {
			return affiliate.Merged{}, err
		}
	}
	return s.Sink.Merge(ctx, records, o)
}

func TestRun_twoHundredThousandLines(t *testing.T) {
	content, bad := big()
	s := open(t)
	o := options(t, s, "big.csv", content)

	// Interrupted first, in the middle.
	ctx, cancel := context.WithCancel(t.Context())
	first := o
	first.Sink = &stopper{Sink: o.Sink, batches: 20, stop: func() error { cancel(); return nil }}
	sum, err := importer.Run(ctx, first)
	if !errors.Is(err, importer.ErrStopped) || !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "run the same command again to go on") {
		t.Fatalf("interrupted: got %v", err)
	}
	before := count(t, s)
	if before < 40_000 || before > 50_000 {
		t.Fatalf("interrupted: %d stored (%+v)", before, sum)
	}

	// Then to its end.
	sum, err = importer.Run(t.Context(), again(t, o))
	if err != nil {
		t.Fatal(err)
	}
	if sum.Rows != 199_999 || sum.Rejected != int64(len(bad)) || sum.Imported+sum.Earlier+sum.Rejected != sum.Rows {
		t.Errorf("got %+v, want 199999 rows of which %d rejected", sum, len(bad))
	}
	if sum.Earlier < 40_000 {
		t.Errorf("began again: %d rows were taken as stored earlier", sum.Earlier)
	}
	if got, want := count(t, s), int64(199_999-len(bad)); got != want {
		t.Errorf("got %d stored, want %d", got, want)
	}
	lines := strings.Split(strings.TrimSpace(rejected(t, sum.Rejects)), "\n")
	if len(lines) != len(bad)+1 {
		t.Fatalf("got %d lines of rejects, want %d and a header", len(lines), len(bad))
	}
	for i, line := range bad {
		if want := fmt.Sprintf("%d,", line); !strings.HasPrefix(lines[i+1], want) {
			t.Errorf("reject %d: got %q, want line %d", i, lines[i+1], line)
		}
	}
}

func TestRun_twiceIsTheSame(t *testing.T) {
	s := open(t)
	o := options(t, s, "a.csv", header+row(1)+"x\n"+row(2))
	for i := range 2 {
		sum, err := importer.Run(t.Context(), again(t, o))
		if err != nil || sum.Imported != 2 || sum.Earlier != 0 || sum.Rejected != 1 || count(t, s) != 2 {
			t.Errorf("run %d: got %+v, %v, %d stored", i+1, sum, err, count(t, s))
		}
		if got := rejected(t, sum.Rejects); strings.Count(got, "\n") != 2 {
			t.Errorf("run %d: rejects: %q", i+1, got)
		}
	}
}

// TestRun_goesOnAfterTheStoreWasAway shows P603.
func TestRun_goesOnAfterTheStoreWasAway(t *testing.T) {
	s := open(t)
	var b strings.Builder
	b.WriteString(header)
	for i := range 100 {
		b.WriteString(row(i))
	}
	b.WriteString("x\n")
	o := options(t, s, "a.csv", b.String())
	o.Batch = 7
	away := errors.New("away")
	for try := 0; ; try++ {
		o := again(t, o)
		o.Sink = &stopper{Sink: s.Affiliates, batches: 3, stop: func() error { return away }}
		sum, err := importer.Run(t.Context(), o)
		if err == nil {
			if try != 4 {
				t.Errorf("done after %d interruptions, want 4", try)
			}
			if sum.Imported+sum.Earlier != 100 || sum.Rejected != 1 || count(t, s) != 100 {
				t.Errorf("got %+v, %d stored", sum, count(t, s))
			}
			if got, want := rejected(t, sum.Rejects), "line,reason,kind,"+header+"102,\"has 1 columns, 7 expected\",rejected,x\n"; got != want {
				t.Errorf("rejects: got %q, want %q", got, want)
			}
			break
		}
		if !errors.Is(err, importer.ErrStopped) || !errors.Is(err, away) {
			t.Fatalf("got %v", err)
		}
		if want := fmt.Sprintf("after line %d ", 1+21*(try+1)); !strings.Contains(err.Error(), want) {
			t.Errorf("got %q, want it to say %q", err, want)
		}
	}
}

// A file that was changed before the place it was interrupted at is imported from its start.
func TestRun_beginsAgainWhenTheFileChanged(t *testing.T) {
	filler := strings.Repeat("#", 100) // so that the change is beyond what names the file
	content := func(status string) string {
		var b strings.Builder
		b.WriteString(header)
		for i := range 1000 {
			st := "locked"
			if i == 900 {
				st = status
			}
			fmt.Fprintf(&b, "%s,cedula,affiliate,%s,p@example.com,2025-03-01,%s\n", number(i), filler, st)
		}
		return b.String()
	}
	s := open(t)
	o := options(t, s, "a.csv", content("locked"))
	o.Batch = 50
	o.Sink = &stopper{Sink: s.Affiliates, batches: 19, stop: func() error { return errors.New("away") }}
	if _, err := importer.Run(t.Context(), o); !errors.Is(err, importer.ErrStopped) {
		t.Fatalf("got %v, want ErrStopped", err)
	}

	changed := options(t, s, "a.csv", content("active")) // as long as before
	sum, err := importer.Run(t.Context(), changed)
	if err != nil || sum.Imported != 1000 || sum.Earlier != 0 {
		t.Fatalf("got %+v, %v, want all imported anew", sum, err)
	}
	if r, _, err := s.Affiliates.Find(t.Context(), number(900)); err != nil || r.Status != affiliate.Active {
		t.Errorf("got %s, %v, want the changed row", r.Status, err)
	}

	// Standard input cannot be read twice: it says so, and the next run begins at the start.
	s = open(t)
	pipe := func(content string) importer.Options {
		return importer.Options{Source: bytes.NewBufferString(content), Name: "-", Batch: 50, Sink: s.Affiliates, Marks: s.Imports, Rejects: filepath.Join(t.TempDir(), "rejects.csv")}
	}
	o = pipe(content("locked"))
	o.Sink = &stopper{Sink: s.Affiliates, batches: 19, stop: func() error { return errors.New("away") }}
	if _, err := importer.Run(t.Context(), o); !errors.Is(err, importer.ErrStopped) {
		t.Fatalf("pipe: got %v, want ErrStopped", err)
	}
	if _, err := importer.Run(t.Context(), pipe(content("active"))); !errors.Is(err, importer.ErrStopped) || !strings.Contains(err.Error(), "run it again") {
		t.Fatalf("pipe changed: got %v", err)
	}
	if sum, err := importer.Run(t.Context(), pipe(content("active"))); err != nil || sum.Imported != 1000 {
		t.Errorf("pipe again: got %+v, %v", sum, err)
	}
}

func TestRun_mendedRejectsCanBeImported(t *testing.T) {
	s := open(t)
	sum, err := importer.Run(t.Context(), options(t, s, "a.csv", header+row(1)+"2400000018,cedula,boss,\"Persona, Ficticia\",p@example.com,,locked\nx\n"))
	if err != nil || sum.Rejected != 2 {
		t.Fatalf("got %+v, %v", sum, err)
	}
	mended := strings.Replace(rejected(t, sum.Rejects), "boss", "pensioner", 1)
	sum, err = importer.Run(t.Context(), options(t, s, "a.csv.rejects.csv", mended))
	if err != nil || sum.Imported != 1 || sum.Rejected != 1 {
		t.Fatalf("mended: got %+v, %v", sum, err)
	}
	if r, found, _ := s.Affiliates.Find(t.Context(), "2400000018"); !found || r.FullName != "Persona, Ficticia" {
		t.Errorf("got %q, found %v", r.FullName, found)
	}
	if got := rejected(t, sum.Rejects); !strings.HasPrefix(got, "line,reason,kind,"+header+"3,") || !strings.HasSuffix(got, ",x\n") {
		t.Errorf("rejects of rejects: got %q", got)
	}
}

func TestRun_leavesOtherFilesAlone(t *testing.T) {
	s := open(t)
	o := options(t, s, "a.csv", header+"x\n"+row(1))
	if err := os.WriteFile(o.Name+".rejects.csv", []byte("a diary"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := importer.Run(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "is not a file of rejected rows") {
		t.Errorf("got %v", err)
	}
	if got := rejected(t, o.Name+".rejects.csv"); got != "a diary" {
		t.Errorf("the file was changed: %q", got)
	}
}

func TestRun_saysNoNumber(t *testing.T) {
	s := open(t)
	o := options(t, s, "a.csv", header+row(1))
	o.Sink = &stopper{Sink: s.Affiliates, stop: func() error { return errors.New("away") }}
	sum, err := importer.Run(t.Context(), o)
	if text := fmt.Sprintf("%+v %v", sum, err); err == nil || strings.Contains(text, number(1)) || strings.Contains(text, "example.com") {
		t.Errorf("got %s", text)
	}
}

func TestRun_reports(t *testing.T) {
	s := open(t)
	var b strings.Builder
	b.WriteString(header)
	for i := range 3000 {
		b.WriteString(row(i))
	}
	o := options(t, s, "a.csv", b.String())
	var seen []importer.Status
	o.Report = func(st importer.Status) { seen = append(seen, st) }
	sum, err := importer.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	last := seen[len(seen)-1]
	if len(seen) != 4 || !last.Done || last.Rows != 3000 || last.Bytes != o.Size || seen[0].Line != 1000 {
		t.Errorf("got %+v", seen)
	}
	if j, _ := json.Marshal(sum); string(j) != `{"rows":3000,"imported":3000,"imported_earlier":0,"rejected":0,"unusable_email":0,"new":3000}` {
		t.Errorf("JSON: got %s", j)
	}
}

func TestProgress(t *testing.T) {
	statuses := []importer.Status{
		{Rows: 1000, Bytes: 100, Size: 400, Elapsed: time.Second},
		{Rows: 6000, Rejected: 2, Bytes: 200, Size: 400, Elapsed: 6 * time.Second},
		{Rows: 12000, Rejected: 2, Bytes: 400, Size: 400, Elapsed: 12 * time.Second, Done: true},
	}
	var lines, bar bytes.Buffer
	for _, report := range []func(importer.Status){importer.Progress(&lines, false, 400), importer.Progress(&bar, true, 400)} {
		for _, s := range statuses {
			report(s)
		}
	}
	if got, want := lines.String(), "6,000 rows, 2 rejected, 1,000 rows/s, 50%, 6s left\n12,000 rows, 2 rejected, 1,000 rows/s\n"; got != want {
		t.Errorf("lines: got %q, want %q", got, want)
	}
	if got := bar.String(); !strings.Contains(got, "12,000 rows") || !strings.HasSuffix(got, "\n") {
		t.Errorf("bar: got %q", got)
	}
}

func FuzzRun(f *testing.F) {
	f.Add(header+row(1)+"x\n", ".csv")
	f.Add(`{"_id":"2400000018","id_type":"cedula","category":"affiliate","full_name":"N","email":"","status":"locked"}`+"\n{}\n", ".ndjson")
	f.Add("line,reason,kind,"+header+"2,\"a \"\" b\","+row(1), "")
	f.Add("sep=;\n"+latin(strings.ReplaceAll(header+strings.Replace(row(1), "Persona", "Ñandú", 1), ",", ";"))+";;;;;;;\n", ".csv")
	f.Add("\xff\xfe"+wide(header+row(1)+"x\n", false), ".csv")
	f.Add(wide(header+row(1), true), "")
	f.Add(strings.TrimSpace(header)+",updated_at\n"+strings.TrimSpace(row(1))+",01/03/2025 10:30\n"+strings.TrimSpace(row(2))+",1 de marzo de 2025\n", ".csv")
	f.Fuzz(func(t *testing.T, content, ext string) {
		sink := &memory{}
		sum, err := importer.Run(t.Context(), importer.Options{Source: strings.NewReader(content), Name: "f" + strings.ReplaceAll(ext, "/", ""), Sink: sink, Marks: sink,
			Rejects: filepath.Join(t.TempDir(), "r.csv")})
		if err != nil {
			if sink.records != 0 {
				t.Errorf("%d stored beside %v", sink.records, err)
			}
			return
		}
		if sum.Rows != sum.Imported+sum.Rejected || int(sum.Imported) != sink.records {
			t.Errorf("got %+v with %d stored", sum, sink.records)
		}
	})
}

// memory counts; the fuzzer runs thousands of imports a second, and opens no store for each.
type memory struct {
	importer.Sink
	records int
}

func (m *memory) Merge(_ context.Context, records []affiliate.Record, _ affiliate.MergeOptions) (affiliate.Merged, error) {
	m.records += len(records)
	return affiliate.Merged{New: int64(len(records))}, nil
}

func (m *memory) Load(_ context.Context, id string) (affiliate.ImportMark, error) {
	return affiliate.ImportMark{ID: id}, nil
}

func (m *memory) Save(context.Context, *affiliate.ImportMark) error { return nil }

func BenchmarkRun(b *testing.B) {
	content, _ := big()
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			sink := &memory{}
			if _, err := importer.Run(b.Context(), importer.Options{Source: strings.NewReader(content), Name: "-", Sink: sink, Marks: sink, Rejects: filepath.Join(b.TempDir(), "r")}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("bolt", func(b *testing.B) {
		for b.Loop() {
			engine, err := bolt.Open(b.Context(), bolt.Options{Dir: b.TempDir()})
			if err != nil {
				b.Fatal(err)
			}
			s := store.New(engine)
			if _, err := importer.Run(b.Context(), importer.Options{Source: strings.NewReader(content), Name: "-", Sink: s.Affiliates, Marks: s.Imports, Rejects: filepath.Join(b.TempDir(), "r")}); err != nil {
				b.Fatal(err)
			}
			engine.Close()
		}
	})
}
