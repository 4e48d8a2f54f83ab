package app_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"llave/internal/affiliate"
	"llave/internal/app"
	"llave/internal/bottest"
	"llave/internal/config"
	"llave/internal/store"
	"llave/internal/store/storetest"
)

const importHeader = "_id,id_type,category,full_name,email,data_updated_at,status"

// importRow is the i-th made-up person as a row; [more] are further columns.
func importRow(i int, status affiliate.Status, more ...string) string {
	row := fmt.Sprintf("%s,cedula,affiliate,Persona %d,persona%d@correo.example,2025-03-01,%s", bottest.Cedula(i), i, i, status)
	return strings.Join(append([]string{row}, more...), ",") + "\n"
}

// importRows are the people from [from] on, up to that before [to].
func importRows(from, to int) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		b.WriteString(importRow(i, affiliate.Locked))
	}
	return b.String()
}

// eachStore tests a command on the embedded store, alone and beside a service that holds it, and, where there is a server, on MongoDB
// beside a service.
func eachStore(t *testing.T, test func(t *testing.T, environ []string)) {
	t.Run("embedded", func(t *testing.T) { test(t, []string{"LLAVE_DATA_DIR=" + t.TempDir()}) })
	t.Run("embedded, while serving", func(t *testing.T) {
		environ := []string{"LLAVE_DATA_DIR=" + t.TempDir()}
		serving(t, environ)
		test(t, environ)
	})
	t.Run("MongoDB", func(t *testing.T) {
		uri := storetest.MongoURI(t)
		environ := []string{"LLAVE_MONGODB_URI=" + uri, "LLAVE_MONGODB_DATABASE=" + storetest.NewDatabase(t, uri), "LLAVE_SECRET_KEY=" + strings.Repeat("A", 43) + "="}
		serving(t, environ)
		test(t, environ)
	})
}

// inStore does something with what the commands have stored.
func inStore(t *testing.T, environ []string, do func(s *store.Store)) {
	t.Helper()
	c, err := config.Load(environ, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s, err := app.OpenStore(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Engine().Close()
	do(s)
}

// stored is a record as it is stored; the zero one when it is not there.
func stored(t *testing.T, environ []string, number string) (rec affiliate.Record) {
	t.Helper()
	inStore(t, environ, func(s *store.Store) {
		var err error
		if rec, _, err = s.Affiliates.Find(t.Context(), number); err != nil {
			t.Fatal(err)
		}
	})
	return rec
}

// imported is what `llave import --json` prints.
type imported struct {
	Rows, Imported, Rejected, New, Changed, Unchanged, Older, Deleted int
	UnusableEmail                                                     int    `json:"unusable_email"`
	KeptStatus                                                        int    `json:"kept_status"`
	LostZero                                                          int    `json:"lost_zero"`
	FixedZero                                                         int    `json:"fixed_zero"`
	Windows1252                                                       int    `json:"windows_1252"`
	DryRun                                                            bool   `json:"dry_run"`
	RejectsFile                                                       string `json:"rejects_file"`
}

// importing runs `llave import --json` and wants an exit code, and that nothing on standard error names a person.
func importing(t *testing.T, environ []string, code int, args ...string) (sum imported, stderr string) {
	t.Helper()
	got, stdout, stderr := run(t, environ, "", append([]string{"import", "--json"}, args...)...)
	if got != code {
		t.Errorf("import %v: exit %d, want %d: %s%s", args, got, code, stdout, stderr)
	}
	if err := json.Unmarshal([]byte(stdout), &sum); err != nil {
		t.Errorf("import %v: %v: %q, %s", args, err, stdout, stderr)
	}
	if strings.Contains(stderr, "correo.example") || strings.Contains(stderr, bottest.Cedula(1)) {
		t.Errorf("import %v names a person: %s", args, stderr)
	}
	return sum, stderr
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// An import of which nothing was taken has failed, whatever the reason.
func TestImport_nothingTaken(t *testing.T) {
	environ := []string{"LLAVE_DATA_DIR=" + t.TempDir()}
	for _, c := range []struct{ rows, want string }{
		{"", "holds no rows"},
		{strings.Repeat(",", 6) + "\n", "holds no rows"},
		{"17900,cedula,affiliate,Persona,p@correo.example,,locked\nx\n", "all 2 rows"},
	} {
		file := write(t, "people.csv", importHeader+"\n"+c.rows)
		for _, more := range [][]string{nil, {"--dry-run"}, {"--delete-missing"}} {
			sum, stderr := importing(t, environ, 1, append(more, file)...)
			if sum.Imported != 0 || !strings.Contains(stderr, "nothing was imported") || !strings.Contains(stderr, c.want) {
				t.Errorf("%q %v: %+v, %q", c.rows, more, sum, stderr)
			}
		}
	}
	if sum, _ := importing(t, environ, 0, write(t, "people.csv", importHeader+"\nx\n"+importRow(1, affiliate.Locked))); sum.Imported != 1 || sum.Rejected != 1 {
		t.Errorf("one of two: %+v", sum)
	}
}

// Rejected rows go where the operator says: a service's folder, or a container, may have no place beside the input that can be
// written. Where there is none the message names the way.
func TestImport_rejectsElsewhere(t *testing.T) {
	environ := []string{"LLAVE_DATA_DIR=" + t.TempDir()}
	rows := importHeader + "\n" + importRow(1, affiliate.Locked) + "x,cedula,affiliate,P,p@correo.example,,locked\n"
	file := filepath.Join(t.TempDir(), "elsewhere.csv")
	if code, stdout, stderr := run(t, environ, rows, "import", "--rejects", file, "-"); code != 0 || !strings.Contains(read(t, file), "3,") || !strings.Contains(stderr, file) {
		t.Errorf("exit %d: %s%s", code, stdout, stderr)
	}
	code, stdout, stderr := run(t, environ, rows, "import", "--rejects", "-", "-")
	if code != 0 || !strings.HasPrefix(stdout, "line,reason,kind,") || strings.Count(stdout, "\n") != 2 || !strings.Contains(stderr, "1 rejected") || !strings.Contains(stderr, "a kind: standard output") {
		t.Errorf("exit %d: %q, %s", code, stdout, stderr)
	}
	nowhere := filepath.Join(t.TempDir(), "none", "r.csv")
	if code, _, stderr := run(t, environ, rows, "import", "--rejects", nowhere, "-"); code != 1 || !strings.Contains(stderr, "--rejects names another place") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

// A file as a Spanish Excel saves it is read whole: who has an ñ in the name is not sent to an office for it.
func TestImport_asExcelSavesIt(t *testing.T) {
	environ := []string{"LLAVE_DATA_DIR=" + t.TempDir()}
	file := write(t, "people.csv", strings.ReplaceAll("sep=;\r\n"+importHeader+",,\r\n"+
		bottest.Cedula(1)+",cedula,affiliate,Mar\xeda N\xfa\xf1ez,uno@correo.example,2025-03-01 00:00:00,locked,,\r\n"+
		bottest.Cedula(2)+",cedula,affiliate,Persona Dos,dos@correo.example,2025/03/01,locked,,\r\n"+
		bottest.Cedula(3)+",cedula,affiliate,Persona Tres,tres@correo.example,01/03/2025,locked,,\r\n"+
		",,,,,,,,\r\n,,,,,,,,\r\n", ",", ";"))
	sum, stderr := importing(t, environ, 0, file)
	if sum.Rows != 3 || sum.Imported != 2 || sum.Windows1252 != 1 || !strings.Contains(stderr, "Windows-1252: 1") {
		t.Errorf("%+v, %s", sum, stderr)
	}
	if r := stored(t, environ, bottest.Cedula(1)); r.FullName != "María Núñez" || r.Outcome() != affiliate.CanUnlock {
		t.Errorf("got %q, %s", r.FullName, r.Outcome())
	}
	if got := read(t, sum.RejectsFile); !strings.Contains(got, `5;"data_updated_at reads two ways (1 March 2025 or 3 January 2025); write 2025-03-01";rejected;`) {
		t.Errorf("rejects: %s", got)
	}
}

func TestImport_droppedZero(t *testing.T) {
	environ := []string{"LLAVE_DATA_DIR=" + t.TempDir()}
	whole := bottest.Cedula(24) // of province 01
	if whole[0] != '0' {
		t.Fatalf("%s has no zero in front", whole)
	}
	wrong := whole[1:9] + string('0'+(whole[9]-'0'+1)%10)
	file := write(t, "people.csv", importHeader+"\n"+importRow(1, affiliate.Locked)+
		strings.TrimPrefix(importRow(24, affiliate.Locked), "0")+
		wrong+",cedula,affiliate,Persona,p@correo.example,,locked\n"+
		"1.71E+09,cedula,affiliate,Persona,p@correo.example,,locked\n"+
		whole[1:]+",cedula,affiliate,Persona,p@correo.example,,lost\n") // not stored with its zero either
	sum, stderr := importing(t, environ, 0, file)
	rejects := read(t, sum.RejectsFile)
	if sum.Imported != 1 || sum.Rejected != 4 || sum.LostZero != 1 || !strings.Contains(stderr, "--fix-zero") || strings.Contains(stderr, whole) {
		t.Errorf("%+v, %s", sum, stderr)
	}
	for _, want := range []string{
		`3,"_id is not a cédula: has 9 digits, 10 expected; Excel dropped the 0? It would be ` + whole + `: --fix-zero puts it back",lost_zero,`,
		`4,"_id is not a cédula: has 9 digits, 10 expected",rejected,`,
		`5,"_id is not a cédula: a spreadsheet has cut it short, as 1.7E+09; save that column as text",rejected,`,
	} {
		if !strings.Contains(rejects, want) {
			t.Errorf("rejects: %s\nwant %s", rejects, want)
		}
	}
	if r := stored(t, environ, whole); r.ID != "" {
		t.Error("a zero was put back unasked")
	}
	sum, stderr = importing(t, environ, 0, "--fix-zero", file)
	if sum.Imported != 2 || sum.Rejected != 3 || sum.FixedZero != 1 || sum.LostZero != 0 || !strings.Contains(stderr, "got their 0 back: 1") {
		t.Errorf("with --fix-zero: %+v, %s", sum, stderr)
	}
	if r := stored(t, environ, whole); r.Email != "persona24@correo.example" {
		t.Errorf("with --fix-zero: %+v", r)
	}
}

// Who is stored with an address to which nothing can be sent can be found, mended and imported again.
func TestImport_unusableAddress(t *testing.T) {
	environ := []string{"LLAVE_DATA_DIR=" + t.TempDir()}
	file := write(t, "people.csv", importHeader+"\n"+strings.Replace(importRow(1, affiliate.Locked), "@correo.example", "@correo", 1)+importRow(2, affiliate.Locked)+
		strings.Replace(importRow(3, affiliate.Locked), "persona3@correo.example", "", 1)+"x\n")
	sum, stderr := importing(t, environ, 0, file)
	if sum.Imported != 3 || sum.Rejected != 1 || sum.UnusableEmail != 1 || !strings.Contains(stderr, "unusable e-mails") {
		t.Errorf("%+v, %s", sum, stderr)
	}
	want := "line,reason,kind," + importHeader + "\n" +
		`2,"stored, but no letter can be sent to this email: only in person",unusable_email,` + strings.Replace(importRow(1, affiliate.Locked), "@correo.example", "@correo", 1) +
		`5,"has 1 columns, 7 expected",rejected,x` + "\n"
	rejects := read(t, sum.RejectsFile)
	if rejects != want {
		t.Errorf("rejects:\n%swant:\n%s", rejects, want)
	}
	if r := stored(t, environ, bottest.Cedula(1)); r.Outcome() != affiliate.InPerson {
		t.Errorf("got %s", r.Outcome())
	}
	mended := write(t, "mended.csv", strings.Replace(rejects, "@correo,", "@correo.example,", 1))
	if sum, _ := importing(t, environ, 0, mended); sum.Imported != 1 || sum.Changed != 1 || sum.UnusableEmail != 0 {
		t.Errorf("mended: %+v", sum)
	}
	if r := stored(t, environ, bottest.Cedula(1)); r.Outcome() != affiliate.CanUnlock {
		t.Errorf("mended: got %s", r.Outcome())
	}
}

// A dry run says what the same import does then, and stores nothing.
func TestImport_dryRun(t *testing.T) {
	eachStore(t, func(t *testing.T, environ []string) {
		importing(t, environ, 0, write(t, "first.csv", importHeader+"\n"+importRows(0, 40)))
		file := write(t, "second.csv", importHeader+"\n"+importRow(1, affiliate.Suspended)+importRows(2, 45)+"x,cedula,affiliate,P,p@correo.example,,locked\n"+
			strings.Replace(importRow(50, affiliate.Locked), "@correo.example", "@correo", 1))
		dry, stderr := importing(t, environ, 0, "--dry-run", file)
		if !dry.DryRun || !strings.Contains(stderr, "nothing was stored") || !strings.Contains(read(t, dry.RejectsFile), "unusable_email") {
			t.Errorf("%+v, %s", dry, stderr)
		}
		inStore(t, environ, func(s *store.Store) {
			n, err := s.Affiliates.Count(t.Context())
			rec, _, _ := s.Affiliates.Find(t.Context(), bottest.Cedula(1))
			if err != nil || n != 40 || rec.Status != affiliate.Locked {
				t.Errorf("a dry run stored: %d, %s, %v", n, rec.Status, err)
			}
		})
		sum, _ := importing(t, environ, 0, file)
		if dry.DryRun = false; dry != sum || sum.New != 6 || sum.Changed != 1 || sum.Unchanged != 38 || sum.Rejected != 1 {
			t.Errorf("dry %+v\nthen %+v", dry, sum)
		}
		if r := stored(t, environ, bottest.Cedula(1)); r.Status != affiliate.Suspended {
			t.Errorf("got %s", r.Status)
		}
	})
}

func TestImport_deleteMissing(t *testing.T) {
	eachStore(t, func(t *testing.T, environ []string) {
		const all = 200
		file := func(rows string) string { return write(t, "people.csv", importHeader+"\n"+rows) }
		count := func(want int64) {
			t.Helper()
			inStore(t, environ, func(s *store.Store) {
				if n, err := s.Affiliates.Count(t.Context()); err != nil || n != want {
					t.Errorf("%d records (%v), want %d", n, err, want)
				}
			})
		}
		importing(t, environ, 0, "--delete-missing", file(importRows(0, all)))
		count(all)

		// A file that was cut off: what it has is taken, and nobody is deleted.
		sum, stderr := importing(t, environ, 1, "--delete-missing", file(importRows(0, 120)))
		if sum.Imported != 120 || sum.Deleted != 0 || !strings.Contains(stderr, "no record was deleted: 80 of 200 records are not in") || !strings.Contains(stderr, "the limit is 10") {
			t.Errorf("cut off: %+v, %s", sum, stderr)
		}
		count(all)

		// A row of which it cannot be told whose it is may be anybody's; one whose number can be read is there.
		sum, stderr = importing(t, environ, 1, "--delete-missing", file(importRows(0, 198)+"TOTAL,198\n"))
		if sum.Deleted != 0 || !strings.Contains(stderr, "of 1 rejected rows it cannot be told whose they are") {
			t.Errorf("a row that is nobody's: %+v, %s", sum, stderr)
		}
		count(all)
		broken := strings.Replace(importRow(198, affiliate.Locked), "2025-03-01", "ayer", 1)
		if sum, _ = importing(t, environ, 0, "--delete-missing", file(importRows(0, 198)+broken)); sum.Deleted != 1 || sum.Rejected != 1 {
			t.Errorf("one missing, one rejected: %+v", sum)
		}
		count(all - 1)

		if sum, _ = importing(t, environ, 0, "--delete-missing", "--dry-run", file(importRows(3, 199))); sum.Deleted != 3 {
			t.Errorf("dry: %+v", sum)
		}
		count(all - 1)
		for limit, code := range map[string]int{"2": 1, "1%": 1} {
			if sum, _ = importing(t, environ, code, "--delete-missing", "--delete-limit", limit, file(importRows(3, 199))); sum.Deleted != 0 {
				t.Errorf("limit %s: %+v", limit, sum)
			}
		}
		if sum, _ = importing(t, environ, 0, "--delete-missing", "--delete-limit", "25%", file(importRows(49, 199))); sum.Deleted != 49 {
			t.Errorf("limit 25%%: %+v", sum)
		}
		count(150)
		if sum, _ = importing(t, environ, 0, file(importRows(60, 199))); sum.Deleted != 0 {
			t.Errorf("unasked: %+v", sum)
		}
		count(150)
	})
}

// unlock is what the service does once a link was used.
func unlock(t *testing.T, environ []string, number string) {
	t.Helper()
	inStore(t, environ, func(s *store.Store) {
		rec, _, err := s.Affiliates.Find(t.Context(), number)
		if err == nil {
			err = s.Affiliates.SetStatus(t.Context(), rec, affiliate.Active)
		}
		if err != nil {
			t.Fatal(err)
		}
	})
}

// Rows that say when they changed are laid over what is older alone, and an unlock is undone by no row from before it.
func TestImport_updatedAt(t *testing.T) {
	eachStore(t, func(t *testing.T, environ []string) {
		now := time.Now().UTC()
		at := func(ago time.Duration) string { return now.Add(-ago).Format(time.RFC3339) }
		changed := func(row, mail string) string { return strings.Replace(row, "@correo", "@"+mail, 1) }
		file := func(rows string) string { return write(t, "people.csv", importHeader+",updated_at\n"+rows) }
		want := func(i int, mail string, status affiliate.Status) {
			t.Helper()
			r := stored(t, environ, bottest.Cedula(i))
			if r.Status != status || r.Email != fmt.Sprintf("persona%d@%s.example", i, mail) {
				t.Errorf("%d: %s, %s; want %s, %s", i, r.Email, r.Status, mail, status)
			}
		}
		importing(t, environ, 0, file(importRow(1, affiliate.Locked, at(3*time.Hour))+importRow(2, affiliate.Locked, at(3*time.Hour))+importRow(3, affiliate.Locked, at(3*time.Hour))))
		unlock(t, environ, bottest.Cedula(2))
		unlock(t, environ, bottest.Cedula(3))

		// The night's file was written before the unlocks.
		sum, stderr := importing(t, environ, 0, file(changed(importRow(1, affiliate.Locked, at(4*time.Hour)), "viejo")+
			changed(importRow(2, affiliate.Locked, at(time.Hour)), "nuevo")+importRow(3, affiliate.Locked, at(3*time.Hour))))
		if sum.Older != 1 || sum.Changed != 1 || sum.KeptStatus != 2 || sum.Imported != 2 || !strings.Contains(stderr, "that status was kept: 2") {
			t.Errorf("%+v, %s", sum, stderr)
		}
		want(1, "correo", affiliate.Locked)
		want(2, "nuevo", affiliate.Active)
		want(3, "correo", affiliate.Active)

		// The institute locks one again afterwards, and takes one out.
		sum, _ = importing(t, environ, 0, file(changed(importRow(2, affiliate.Locked, at(-time.Minute)), "nuevo")+importRow(3, affiliate.Deceased, at(time.Hour))))
		if sum.Changed != 2 || sum.KeptStatus != 0 {
			t.Errorf("%+v", sum)
		}
		want(2, "nuevo", affiliate.Locked)
		want(3, "correo", affiliate.Deceased)
		if sum, _ = importing(t, environ, 0, file(importRow(1, affiliate.Active, at(5*time.Hour)))); sum.Older != 1 || sum.Imported != 0 {
			t.Errorf("all older: %+v", sum)
		}
	})
}

// Without the column the file's own time counts: the same file once more does not lock who was unlocked since.
func TestImport_sameFileAfterUnlock(t *testing.T) {
	eachStore(t, func(t *testing.T, environ []string) {
		file := write(t, "people.csv", importHeader+"\n"+importRows(1, 3))
		dated := func(at time.Time) {
			t.Helper()
			if err := os.Chtimes(file, at, at); err != nil {
				t.Fatal(err)
			}
		}
		dated(time.Now().Add(-time.Minute))
		importing(t, environ, 0, file)
		unlock(t, environ, bottest.Cedula(1))
		if sum, _ := importing(t, environ, 0, file); sum.Unchanged != 2 || sum.KeptStatus != 1 {
			t.Errorf("%+v", sum)
		}
		if r := stored(t, environ, bottest.Cedula(1)); r.Status != affiliate.Active {
			t.Errorf("the unlock was undone: %s", r.Status)
		}
		dated(time.Now().Add(time.Minute)) // a new export: the institute has locked it again
		if sum, _ := importing(t, environ, 0, file); sum.Changed != 1 || sum.KeptStatus != 0 {
			t.Errorf("%+v", sum)
		}
		if r := stored(t, environ, bottest.Cedula(1)); r.Status != affiliate.Locked {
			t.Errorf("a later lock was not taken: %s", r.Status)
		}

		// A row that was rejected is mended after its person has unlocked: it is from before.
		unlock(t, environ, bottest.Cedula(1))
		mended := write(t, "people.csv.rejects.csv", "line,reason,kind,"+importHeader+"\n2,\"-\",rejected,"+strings.Replace(importRow(1, affiliate.Locked), "persona", "otra", 1))
		if sum, _ := importing(t, environ, 0, mended); sum.Changed != 1 || sum.KeptStatus != 1 {
			t.Errorf("mended: %+v", sum)
		}
		if r := stored(t, environ, bottest.Cedula(1)); r.Status != affiliate.Active || r.Email != "otra1@correo.example" {
			t.Errorf("mended: %s, %s", r.Status, r.Email)
		}
	})
}
