package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestDemo(t *testing.T) {
	t.Parallel()
	addr := freeAddr(t)
	demo := start(t, []string{"LLAVE_HTTP_ADDR=" + addr}, "demo")
	demo.waitOK(t, "http://"+addr+"/", 20*time.Second)
	res, err := http.Get("http://" + addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	page, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	contains(t, "page", string(page), "1790000002") // somebody to try
	contains(t, "stderr", demo.stderr.String(), "in a browser")
	demo.stop(t)
}

func TestChat(t *testing.T) {
	t.Parallel()
	lines := "1\nquiero desbloquear mi clave\n1790000002\nsí\nEnviar enlace\n"
	code, out, errs := outcome(t, nil, lines, "chat")
	if code != 0 {
		t.Fatalf("got exit %d, want 0: %s", code, errs)
	}
	at := 0
	for _, want := range []string{"Hola. Soy Llave", "¿Qué necesita hoy?", "Escriba su número", "179 000 000 2", "Enviar enlace", "SOLICITUD DESBLOQUEO DE CLAVE", "/desbloqueo/"} {
		i := strings.Index(out[at:], want)
		if i < 0 {
			t.Fatalf("no %q in its place in:\n%s", want, out)
		}
		at += i
	}
}

func TestImport_wrongColumns(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "people.csv")
	if err := os.WriteFile(path, []byte("cedula,nombre,correo\n1790000002,Persona,persona@correo.example\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := outcome(t, []string{"LLAVE_DATA_DIR=" + t.TempDir()}, "", "import", path)
	if code != 1 || out != "" {
		t.Errorf("got exit %d and on stdout %q, want 1 and nothing", code, out)
	}
	for _, want := range []string{"columns", "full_name", "data_updated_at", `"nombre"`} {
		contains(t, "stderr", errs, want)
	}
}

// The same file twice, and from standard input: nothing is imported twice, nothing is lost.
func TestImport_again(t *testing.T) {
	t.Parallel()
	file := writePeople(t, 20)
	env := []string{"LLAVE_DATA_DIR=" + t.TempDir()}
	rows, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ stdin, name string }{{"", file}, {"", file}, {string(rows), "-"}} {
		code, out, errs := outcome(t, env, c.stdin, "import", "--json", c.name)
		if code != 0 {
			t.Fatalf("import %s: exit %d: %s", filepath.Base(c.name), code, errs)
		}
		var sum map[string]any
		if err := json.Unmarshal([]byte(out), &sum); err != nil {
			t.Errorf("import %s: stdout is not JSON: %v: %s", filepath.Base(c.name), err, out)
		}
	}
}

func TestPurge(t *testing.T) {
	t.Parallel()
	code, out, errs := outcome(t, []string{"LLAVE_DATA_DIR=" + t.TempDir()}, "", "purge", "--json")
	if code != 0 {
		t.Fatalf("got exit %d, want 0: %s", code, errs)
	}
	var got map[string]int
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("stdout is not JSON: %v: %s", err, out)
	}
	for _, name := range []string{"links", "conversations", "complaints", "cases", "audit", "counters"} {
		if n, ok := got[name]; !ok || n != 0 {
			t.Errorf("%s: got %d (%v), want 0", name, n, ok)
		}
	}
}

// While a process holds the embedded store, commands work through it, and what one has done is there when that process was killed in
// the middle of everything; afterwards they work by themselves, and nothing is left of it.
func TestCommands_besideServe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	env := []string{"LLAVE_DATA_DIR=" + dir}
	const password = "sopa verde con nube y tambor"
	admin := freeAddr(t)
	serve := start(t, append(env, "LLAVE_HTTP_ADDR=127.0.0.1:0", "LLAVE_ADMIN_ADDR="+admin, "LLAVE_SMTP_URL=smtp://127.0.0.1:1?tls=none"), "serve")
	serve.waitOK(t, "http://"+admin+"/readyz", 20*time.Second)
	if info, err := os.Stat(filepath.Join(dir, "llave.sock")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket is %v (%v), want 0600", info, err)
	}
	people := writePeople(t, 50)
	for _, c := range []struct{ stdin, args, out, errs string }{
		{password + "\n", "agents add sup --role supervisor", "", "can sign in as sup"},
		{"", "import --json " + people, `"imported":50`, ""},
		{"", "import --json " + people, `"unchanged":50`, ""},
		{"", "understand --export", "state,said,meaning", ""},
		{"", "purge --json", `"complaints":0`, ""},
	} {
		code, out, errs := outcome(t, env, c.stdin, strings.Fields(c.args)...)
		if code != 0 {
			t.Errorf("llave %s: exit %d: %s", c.args, code, errs)
		}
		contains(t, "stdout", out, c.out)
		contains(t, "stderr", errs, c.errs)
	}
	serve.Kill()
	if _, err := os.Lstat(filepath.Join(dir, "llave.sock")); err != nil {
		t.Errorf("a killed process leaves its socket: %v", err)
	}
	code, out, errs := outcome(t, env, "", "agents", "list", "--json")
	if code != 0 {
		t.Fatalf("list: got exit %d, want 0: %s", code, errs)
	}
	contains(t, "stdout", out, `"login":"sup"`)
	if strings.Contains(out+serve.stderr.String(), password) || strings.Contains(out, "argon2") {
		t.Error("a password or its hash was printed")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "llave.sock*")); len(left) > 0 {
		t.Errorf("there is still %v", left)
	}
	_, out, _ = outcome(t, env, "", "import", "--json", people)
	contains(t, "what the killed process was given", out, `"unchanged":50`)
}

// A service takes its secrets from files, reads them again when it gets the signal, and says what it was built from.
func TestServe_hangup(t *testing.T) {
	t.Parallel()
	smtp, offices := filepath.Join(t.TempDir(), "smtp"), filepath.Join(t.TempDir(), "offices.csv")
	const head = "name,province,city,address,code\n"
	for path, text := range map[string]string{smtp: "smtp://127.0.0.1:1?tls=none\n", offices: head} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	admin, public := freeAddr(t), freeAddr(t)
	serve := start(t, []string{"LLAVE_DATA_DIR=" + t.TempDir(), "LLAVE_HTTP_ADDR=" + public, "LLAVE_ADMIN_ADDR=" + admin, "LLAVE_SMTP_URL_FILE=" + smtp, "LLAVE_OFFICES_FILE=" + offices}, "serve")
	serve.waitOK(t, "http://"+admin+"/readyz", 20*time.Second)
	if err := os.WriteFile(offices, []byte(head+"Centro Uno,Loja,Loja,Calle de Prueba 1,uno\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(serve.Pid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	serve.waitOK(t, "http://"+public+"/oficina/uno", 20*time.Second)
	serve.stop(t)
	contains(t, "log", serve.stderr.String(), `"changed":["LLAVE_OFFICES_FILE"]`) // written after the offices are there
	for _, args := range []string{"--version", "version"} {
		code, out, _ := outcome(t, nil, "", args)
		if code != 0 || !strings.HasPrefix(out, "llave ") || !strings.Contains(out, "commit ") || !strings.Contains(out, runtime.Version()) {
			t.Errorf("llave %s: exit %d, %q", args, code, out)
		}
	}
}

// What needs no setting and no store.
func TestCommands(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../flows/diagram.md")
	if err != nil {
		t.Fatal(err)
	}
	_, diagram, _ := strings.Cut(string(page), "```mermaid\n")
	diagram = strings.TrimSuffix(diagram, "```\n")
	for _, c := range []struct {
		args    string
		code    int
		out     string // whole; "": not compared
		wantOut string
		wantErr string
	}{
		{args: "flow", out: diagram},
		{args: "version", wantOut: "llave "},
		{args: "version --json", wantOut: `{"version":`},
		{args: "help", wantOut: "serve"},
		{args: "help config", wantOut: "LLAVE_SMTP_URL"},
		{args: "serve --help", wantOut: "SIGTERM"},
		{args: "nonsense", code: 2, wantErr: "nonsense"},
		{args: "import", code: 2, wantErr: "llave help import\n"},
		{args: "serve now", code: 2, wantErr: "llave help"},
		{args: "purge --soon", code: 2, wantErr: "--soon"},
		{args: "agents --help", wantOut: "no default password"},
		{args: "agents list --json", out: "[]\n"},
		{args: "agents", code: 2, wantErr: "add, disable, list, password"},
		{args: "agents disable", code: 2, wantErr: "llave help agents disable\n"},
		{args: "agents disable nobody", code: 1, wantErr: "no such agent"},
		{args: "import no-such-file.csv", code: 1, wantErr: "no-such-file.csv"},
	} {
		t.Run(c.args, func(t *testing.T) {
			t.Parallel()
			code, out, errs := outcome(t, []string{"LLAVE_DATA_DIR=" + t.TempDir()}, "", strings.Fields(c.args)...)
			if code != c.code {
				t.Errorf("got exit %d, want %d", code, c.code)
			}
			if c.out != "" && out != c.out {
				t.Errorf("stdout: got\n%s\nwant\n%s", out, c.out)
			}
			contains(t, "stdout", out, c.wantOut)
			contains(t, "stderr", errs, c.wantErr)
			if c.code != 0 && out != "" {
				t.Errorf("a failure belongs on stderr, got on stdout %q", out)
			}
		})
	}
}
