package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"llave/internal/bottest"
	"llave/internal/config"
	"llave/internal/doctor"
)

// A store whose secret key is gone gets no new one, which would open nothing: `serve` and every command say what to do and make no
// file, `serve --check` is red before and with a wrong key, and all is well once the right one is back.
func TestSecretKey_gone(t *testing.T) {
	smtp, err := bottest.StartSMTP()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = smtp.Close() })
	dir := filepath.Join(t.TempDir(), "data")
	environ := []string{"LLAVE_DATA_DIR=" + dir, "LLAVE_HTTP_ADDR=127.0.0.1:0", "LLAVE_ADMIN_ADDR=127.0.0.1:0", "LLAVE_SMTP_URL=" + smtp.URL()}
	if code, _, stderr := run(t, environ, "a long password of ana\n", "agents", "add", "ana", "--name", "Ana", "--role", "agent"); code != 0 { // sets the store up
		t.Fatalf("exit %d: %s", code, stderr)
	}
	path := config.SecretKeyPath(dir)
	right, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	red := func(when string) {
		t.Helper()
		code, found := examined(t, environ, "serve", "--check", "--json")
		if f := found["files secret key"]; code != 1 || f.Status != doctor.Red || !strings.Contains(f.Do, "backup") && !strings.Contains(f.Do, "put back") {
			t.Errorf("%s: exit %d, %+v", when, code, f)
		}
		for _, command := range [][]string{{"serve"}, {"agents", "list"}} {
			code, _, stderr := run(t, environ, "", command...)
			if code != 1 || !strings.Contains(stderr, doctor.PutKeyBack) || !strings.Contains(stderr, path) || strings.Contains(stderr, "LLAVE_SECRET_KEY") {
				t.Errorf("%s: %s: exit %d, %q", when, command, code, stderr)
			}
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	red("gone")
	if _, err := os.Stat(path); err == nil {
		t.Error("a new key was made")
	}
	if err := os.WriteFile(path, []byte(testKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	red("another")
	if err := os.WriteFile(path, right, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, found := examined(t, environ, "serve", "--check", "--json"); code != 0 {
		t.Errorf("put back: exit %d, %+v", code, found)
	}
	if code, stdout, stderr := run(t, environ, "", "agents", "list"); code != 0 || !strings.Contains(stdout, "ana") {
		t.Errorf("put back: exit %d, %q, %q", code, stdout, stderr)
	}
}
