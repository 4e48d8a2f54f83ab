package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
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

// While a process holds the embedded store, the accounts are changed in its console: the command says who holds it.
func TestAgents_storeHeld(t *testing.T) {
	t.Parallel()
	env := []string{"LLAVE_DATA_DIR=" + t.TempDir()}
	const password = "sopa verde con nube y tambor"
	if code, _, errs := outcome(t, env, password+"\n", "agents", "add", "sup", "--name", "Persona Uno", "--role", "supervisor"); code != 0 {
		t.Fatalf("add: got exit %d, want 0: %s", code, errs)
	}
	admin := freeAddr(t)
	serve := start(t, append(env, "LLAVE_HTTP_ADDR=127.0.0.1:0", "LLAVE_ADMIN_ADDR="+admin, "LLAVE_SMTP_URL=smtp://127.0.0.1:1?tls=none"), "serve")
	serve.waitOK(t, "http://"+admin+"/readyz", 20*time.Second)
	code, out, errs := outcome(t, env, "", "agents", "list")
	if code != 1 || out != "" {
		t.Errorf("got exit %d and on stdout %q, want 1 and nothing", code, out)
	}
	contains(t, "stderr", errs, "held by another process")
	serve.stop(t)
	code, out, errs = outcome(t, env, "", "agents", "list", "--json")
	if code != 0 || errs != "" {
		t.Errorf("afterwards: got exit %d, want 0: %s", code, errs)
	}
	contains(t, "stdout", out, `"login":"sup"`)
	if strings.Contains(out+serve.stderr.String(), password) || strings.Contains(out, "argon2") {
		t.Error("a password or its hash was printed")
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
		{args: "import", code: 2, wantErr: "llave help"},
		{args: "serve now", code: 2, wantErr: "llave help"},
		{args: "purge --soon", code: 2, wantErr: "--soon"},
		{args: "agents --help", wantOut: "no default password"},
		{args: "agents list --json", out: "[]\n"},
		{args: "agents", code: 2, wantErr: "add, disable, list, password"},
		{args: "agents disable", code: 2, wantErr: "llave help"},
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
