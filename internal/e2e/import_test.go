package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	"llave/internal/affiliate"
	"llave/internal/bottest"
)

// The night's file is imported beside the service, after somebody has unlocked: it locks nobody again (P609).
func TestImport_afterUnlock(t *testing.T) {
	t.Parallel()
	onBothStores(t, "import", func(t *testing.T, store ...string) {
		e := newEnvironment(t, byWebhook, store...)
		file := writePeople(t, walker+1)
		imports := func() (sum struct {
			Imported, Unchanged, New int
			Kept                     int `json:"kept_status"`
		}) {
			t.Helper()
			code, out, errs := outcome(t, e.env, "", "import", "--json", file)
			if err := json.Unmarshal([]byte(out), &sum); err != nil || code != 0 {
				t.Fatalf("import: exit %d, %v\n%s%s", code, err, out, errs)
			}
			return sum
		}
		if sum := imports(); sum.New != walker+1 {
			t.Errorf("first: %+v", sum)
		}
		llave := e.serve(t)
		p := e.phone(t, walker)
		p.comesToSend(bottest.Cedula(walker))
		p.presses("Enviar enlace", "SOLICITUD DESBLOQUEO DE CLAVE")
		res, err := http.PostForm(e.letter(t, walker, 0).Link("DESBLOQUEO DE CLAVE IESS"), nil)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		p.hears("Su clave ya está desbloqueada")
		if sum := imports(); sum.Kept != 1 || sum.Unchanged != walker+1 {
			t.Errorf("again: %+v", sum)
		}
		llave.stop(t)
		s, _ := e.openStore(t)
		for i, want := range map[int]affiliate.Status{walker: affiliate.Active, walker - 1: affiliate.Locked} {
			if r, _, err := s.Affiliates.Find(t.Context(), bottest.Cedula(i)); err != nil || r.Status != want {
				t.Errorf("%d: got %s, %v; want %s", i, r.Status, err, want)
			}
		}
	})
}

// The built command's exit codes, and what it says: nothing taken, a file that was cut off, and a spreadsheet's file.
func TestImport_says(t *testing.T) {
	t.Parallel()
	env := []string{"LLAVE_DATA_DIR=" + t.TempDir()}
	rows, err := os.ReadFile(writePeople(t, 300))
	if err != nil {
		t.Fatal(err)
	}
	all := string(rows)
	header, _, _ := strings.Cut(all, "\n")
	for _, c := range []struct {
		name, args, stdin string
		code              int
		out, errs         string
	}{
		{"a dry run", "--dry-run", all, 0, "records: 300 new, 0 changed", "nothing was stored"},
		{"everybody", "", all, 0, "records: 300 new, 0 changed", ""},
		{"again", "", all, 0, "records: 0 new, 0 changed, 300 as they were", ""},
		{"none of the rows", "", header + "\nx\ny\n", 1, "2 rows: 0 imported, 0 imported earlier, 2 rejected", "nothing was imported: all 2 rows"},
		{"cut off", "--delete-missing", all[:len(all)/2], 1, "0 deleted", "no record was deleted"},
		{"Windows-1252", "", header + "\n" + bottest.Cedula(1) + ",cedula,affiliate,Jos\xe9,p@correo.example,2025-03-01 00:00:00,locked\n", 0, "0 new, 1 changed", "read as Windows-1252: 1"},
	} {
		args := append([]string{"import"}, strings.Fields(c.args)...)
		code, out, errs := outcome(t, env, c.stdin, append(args, "-")...)
		if code != c.code || !strings.Contains(out, c.out) || !strings.Contains(errs, c.errs) {
			t.Errorf("%s: exit %d\n%s%s\nwant %d, %q, %q", c.name, code, out, errs, c.code, c.out, c.errs)
		}
	}
}
