package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"llave/internal/app"
)

var update = flag.Bool("update", false, "write what came into the files it is compared with")

// run calls the command line and returns its exit code and what it printed.
func run(t *testing.T, environ []string, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var out, errs bytes.Buffer
	code = app.Main(ctx, args, app.IO{Environ: environ, Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs})
	return code, out.String(), errs.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; run with -update and read the difference\n got: %s\nwant: %s", path, got, want)
	}
}

func TestHelp(t *testing.T) {
	commands := []string{
		"", "demo", "serve", "chat", "import", "agents", "agents add", "agents list", "agents disable", "agents password", "agents second-factor", "audit", "audit verify", "person", "person erase", "person export", "breach", "breach add", "breach change", "breach list", "breach told", "store", "store reseal",
		"events", "events list", "events resend", "report", "purge", "flow", "understand", "train", "doctor", "health", "version", "config",
	}
	for _, command := range commands {
		t.Run("help "+command, func(t *testing.T) {
			args := append(strings.Fields(command), "--help")
			name := "help_" + strings.ReplaceAll(command, " ", "_") + ".txt"
			if command == "" {
				args, name = []string{"--help"}, "help.txt"
			}
			code, stdout, stderr := run(t, nil, "", args...)
			if code != 0 || stderr != "" {
				t.Errorf("exit %d, stderr %q, want 0 and nothing", code, stderr)
			}
			golden(t, name, stdout)
		})
	}
}

// TestWrongUsage shows P602.
func TestWrongUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "a command is needed"},
		{[]string{"nonsense"}, `unknown command "nonsense"`},
		{[]string{"serve", "--nonsense"}, "unknown flag: --nonsense"},
		{[]string{"import"}, "accepts 1 arg(s), received 0"},
		{[]string{"import", "--delete-limit", "5", "a.csv"}, "--delete-limit goes with --delete-missing"},
		{[]string{"import", "--delete-missing", "--delete-limit", "few", "a.csv"}, `"few" is neither a number of records nor a share`},
		{[]string{"import", "--delete-missing", "--delete-limit", "101%", "a.csv"}, `"101%" is no share`},
		{[]string{"purge", "now"}, "now"},
		{[]string{"serve", "--json"}, "--json goes with --check"},
		{[]string{"doctor", "mail"}, "mail"},
		{[]string{"health", "--wait", "soon"}, "--wait"},
		{[]string{"health", "--wait=-1s"}, "expected a time such as 30s"},
		{[]string{"understand", "--all"}, "--all goes with --export"},
		{[]string{"understand", "--export", "a.csv"}, "--export takes no file"},
		{[]string{"understand", "a.csv", "b.csv"}, "accepts at most 1 arg(s), received 2"},
		{[]string{"understand", "--lang", "fr"}, "--lang fr: there is no such language; expected es or en"},
		{[]string{"understand", "--state", "lost"}, "--state lost: there is no such state; expected one of start, menu"},
		{[]string{"train", "--out", "m.bin"}, "--examples and --out are needed"},
		{[]string{"train", "a.csv"}, "unknown command"},
		{[]string{"agents"}, "add, disable, list, password"},
		{[]string{"agents", "nonsense"}, `unknown command "nonsense"`},
		{[]string{"agents", "add"}, "accepts 1 arg(s), received 0"},
		{[]string{"agents", "add", "a b", "--name", "Ana"}, "login needs"},
		{[]string{"agents", "add", "ana", "--name", "A"}, "name needs"},
		{[]string{"agents", "add", "ana", "--name", "Ana", "--role", "boss"}, "role is"},
		{[]string{"agents", "list", "all"}, "all"},
		{[]string{"doctor", "--send", "ana@correo.example"}, "--send=ADDRESS"},
		{[]string{"agents", "disable"}, "accepts 1 arg(s), received 0"},
		{[]string{"agents", "password", "ana", "--force"}, "unknown flag: --force"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			code, _, stderr := run(t, nil, "", c.args...)
			if code != 2 || !strings.Contains(stderr, c.want) {
				t.Errorf("exit %d, stderr %q, want 2 and %q", code, stderr, c.want)
			}
		})
	}
}

// TestServe_refusesAtStart shows P608.
func TestServe_refusesAtStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	base := []string{"LLAVE_HTTP_ADDR=127.0.0.1:0", "LLAVE_ADMIN_ADDR=127.0.0.1:0", "LLAVE_SMTP_URL=smtp://127.0.0.1:25?tls=none"}
	for _, c := range []struct {
		name string
		set  []string
		want []string
	}{
		{"unknown setting", []string{"LLAVE_TELEGRAM_TOKN=x"}, []string{"LLAVE_TELEGRAM_TOKN", "LLAVE_TELEGRAM_TOKEN"}},
		{"two mistakes at once", []string{"LLAVE_LINK_TTL=soon", "LLAVE_DISCLOSURE=none"}, []string{"LLAVE_LINK_TTL", "LLAVE_DISCLOSURE"}},
		{"port taken", []string{"LLAVE_HTTP_ADDR=" + taken.Addr().String()}, []string{"LLAVE_HTTP_ADDR", taken.Addr().String()}},
		{"admin port taken", []string{"LLAVE_ADMIN_ADDR=" + taken.Addr().String()}, []string{"LLAVE_ADMIN_ADDR", taken.Addr().String()}},
		{"no store", []string{"LLAVE_MONGODB_URI=mongodb://user:hidden@127.0.0.1:1/?serverSelectionTimeoutMS=300", "LLAVE_SECRET_KEY=" + strings.Repeat("QUFB", 11)}, []string{"LLAVE_MONGODB_URI", "127.0.0.1:1"}},
		{"no offices", []string{"LLAVE_OFFICES_FILE=/nowhere/offices.csv"}, []string{"LLAVE_OFFICES_FILE"}},
		{"no stolen keys", []string{"LLAVE_BREACHED_FILE=/nowhere/stolen.txt"}, []string{"LLAVE_BREACHED_FILE", "/nowhere/stolen.txt"}},
		{"stolen keys of another form", []string{"LLAVE_BREACHED_FILE=" + write(t, "stolen.txt", "password\n")}, []string{"LLAVE_BREACHED_FILE", "not a SHA-1 hash"}},
		{"no offices and no model", []string{"LLAVE_OFFICES_FILE=/nowhere/offices.csv", "LLAVE_MODEL_FILE=/nowhere/model.bin"}, []string{"LLAVE_OFFICES_FILE", "LLAVE_MODEL_FILE"}},
		{"no model", []string{"LLAVE_MODEL_FILE=/nowhere/model.bin"}, []string{"LLAVE_MODEL_FILE", "/nowhere/model.bin"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, _, stderr := run(t, append(append([]string{"LLAVE_DATA_DIR=" + t.TempDir()}, base...), c.set...), "", "serve")
			if code != 1 {
				t.Errorf("exit %d, want 1", code)
			}
			for _, want := range c.want {
				if !strings.Contains(stderr, want) {
					t.Errorf("stderr %q does not name %q", stderr, want)
				}
			}
			if strings.Contains(stderr, "hidden") {
				t.Errorf("stderr shows the password: %s", stderr)
			}
		})
	}
}

// stopper is a log that stops what writes it once it is ready.
type stopper struct {
	bytes.Buffer
	stop func()
}

func (s *stopper) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(`"msg":"ready"`)) {
		s.stop()
	}
	return s.Buffer.Write(p)
}

// Whoever forgot to name a channel is told, whichever channels there are; with one there is nothing to say.
func TestServe_saysThatNoChannelIsOn(t *testing.T) {
	for name, channel := range map[string][]string{
		"none": nil,
		"whatsapp": {
			"LLAVE_WHATSAPP_TOKEN=EAAtest", "LLAVE_WHATSAPP_PHONE_NUMBER_ID=106540352242922", "LLAVE_WHATSAPP_APP_SECRET=app-secret-of-the-test",
			"LLAVE_WHATSAPP_VERIFY_TOKEN=verify-token-of-the-test", "LLAVE_WHATSAPP_API_URL=http://127.0.0.1:1",
		},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		log := &stopper{stop: cancel}
		environ := append([]string{
			"LLAVE_DATA_DIR=" + t.TempDir(), "LLAVE_HTTP_ADDR=127.0.0.1:0", "LLAVE_ADMIN_ADDR=127.0.0.1:0", "LLAVE_PUBLIC_URL=http://localhost:8080",
			"LLAVE_SMTP_URL=smtp://127.0.0.1:1?tls=none", "LLAVE_SECRET_KEY=" + strings.Repeat("A", 43) + "=",
		}, channel...)
		code := app.Main(ctx, []string{"serve"}, app.IO{Environ: environ, Stdin: strings.NewReader(""), Stdout: &log.Buffer, Stderr: log})
		cancel()
		if n := strings.Count(log.String(), `"msg":"stopped","up":"`); n != 1 || !strings.Contains(log.String()[strings.LastIndex(strings.TrimSpace(log.String()), "\n")+1:], `"msg":"stopped"`) {
			t.Errorf("%s: the last line is not the one that says it has stopped, and for how long it ran: %s", name, log.String())
		}
		if said := strings.Contains(log.String(), "no channel is on: set LLAVE_TELEGRAM_TOKEN, or LLAVE_WHATSAPP_TOKEN"); code != 0 || said != (channel == nil) {
			t.Errorf("%s: exit %d, said that no channel is on: %t: %s", name, code, said, log.String())
		}
	}
}

func TestImport_thenPurge(t *testing.T) {
	environ := []string{"LLAVE_DATA_DIR=" + t.TempDir()}
	rows := "_id,id_type,category,full_name,email,data_updated_at,status\n" +
		"1790000002,cedula,affiliate,Persona Uno,uno@correo.example,2025-03-01,locked\n" +
		"17900,cedula,affiliate,Persona Dos,dos@correo.example,,locked\n"
	file := filepath.Join(t.TempDir(), "people.csv")
	if err := os.WriteFile(file, []byte(rows), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := run(t, environ, "", "import", "--json", file)
	var sum struct{ Rows, Imported, Rejected int }
	if err := json.Unmarshal([]byte(stdout), &sum); err != nil || code != 0 || sum.Rows != 2 || sum.Imported != 1 || sum.Rejected != 1 {
		t.Errorf("import: exit %d, %s (%v), stderr %s", code, stdout, err, stderr)
	}
	if _, err := os.Stat(file + ".rejects.csv"); err != nil {
		t.Errorf("rejected rows: %v", err)
	}
	if code, _, stderr := run(t, environ, "a,b\n1,2\n", "import", "-"); code != 1 || !strings.Contains(stderr, "_id") {
		t.Errorf("wrong columns: exit %d, stderr %q, want 1 and the columns it wants", code, stderr)
	}
	code, stdout, stderr = run(t, environ, "", "purge", "--json")
	var purged struct{ Links, Conversations *int }
	if err := json.Unmarshal([]byte(stdout), &purged); err != nil || code != 0 || purged.Links == nil || purged.Conversations == nil {
		t.Errorf("purge: exit %d, %s (%v), stderr %s", code, stdout, err, stderr)
	}
}

// What purge prints for people are the counts that it prints for programs.
func TestPurge_printsTheSame(t *testing.T) {
	environ := []string{"LLAVE_DATA_DIR=" + t.TempDir()}
	_, asJSON, _ := run(t, environ, "", "purge", "--json")
	var counts map[string]int
	if err := json.Unmarshal([]byte(asJSON), &counts); err != nil || len(counts) < 11 {
		t.Fatalf("%s (%v)", asJSON, err)
	}
	code, stdout, stderr := run(t, environ, "", "purge")
	if code != 0 || strings.Count(stdout, "\n") != len(counts) {
		t.Errorf("exit %d, %q, %s, want %d lines", code, stdout, stderr, len(counts))
	}
	for name, n := range counts {
		if !strings.Contains("\n"+stdout, fmt.Sprintf("\n%s %d\n", name, n)) {
			t.Errorf("%s is missing in %q", name, stdout)
		}
	}
}

// Profiles are there only for who asked for them.
func TestServe_pprof(t *testing.T) {
	for set, want := range map[string]int{"off": http.StatusNotFound, "on": http.StatusOK} {
		s := serving(t, []string{"LLAVE_DATA_DIR=" + t.TempDir(), "LLAVE_PPROF=" + set})
		var ready struct{ Admin string }
		for line := range strings.SplitSeq(s.logged(), "\n") {
			if strings.Contains(line, `"msg":"ready"`) {
				if err := json.Unmarshal([]byte(line), &ready); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, path := range []string{"", "goroutine", "cmdline"} {
			resp, err := http.Get("http://" + ready.Admin + "/debug/pprof/" + path)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != want {
				t.Errorf("LLAVE_PPROF=%s, %s: got %d, want %d", set, path, resp.StatusCode, want)
			}
		}
	}
}

func TestFlow_isTheDiagram(t *testing.T) {
	code, stdout, _ := run(t, nil, "", "flow")
	written, err := os.ReadFile("../../flows/diagram.md")
	if err != nil {
		t.Fatal(err)
	}
	if code != 0 || !strings.Contains(string(written), stdout) {
		t.Errorf("exit %d; `llave flow` does not print what flows/diagram.md shows", code)
	}
}
