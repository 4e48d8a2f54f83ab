package app_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"llave/internal/affiliate"
	"llave/internal/bottest"
	"llave/internal/config"
)

// backedUp is a data directory with one record in its store, and a backup of it.
func backedUp(t *testing.T) (dir, file string) {
	t.Helper()
	dir, file = filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "b")
	environ := []string{"LLAVE_DATA_DIR=" + dir}
	if code, _, stderr := run(t, environ, importHeader+"\n"+importRow(1, affiliate.Locked), "import", "-"); code != 0 {
		t.Fatal(stderr)
	}
	if code, _, stderr := run(t, environ, "", "audit", "verify"); code != 0 { // which makes the keys
		t.Fatal(stderr)
	}
	if code, _, stderr := run(t, environ, "", "backup", file); code != 0 {
		t.Fatal(stderr)
	}
	return dir, file
}

// newDir is a data directory that has nothing but a secret key.
func newDir(t *testing.T, key []byte) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "new")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if key != nil {
		if err := os.WriteFile(config.SecretKeyPath(dir), key, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// A backup has neither the secret key nor the data key in the clear, and goes nowhere without the first; nothing is written before that is known.
func TestRestore_keys(t *testing.T) {
	dir, file := backedUp(t)
	key, err := os.ReadFile(config.SecretKeyPath(dir))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(key)))
	if err != nil {
		t.Fatal(err)
	}
	if data := readFile(t, file); bytes.Contains(data, raw) || bytes.Contains(data, bytes.TrimSpace(key)) {
		t.Error("the backup has the secret key")
	}
	for _, c := range []struct {
		name, want string
		key        []byte
	}{
		{"none", "put secret.key into", nil},
		{"another", "does not open this backup", []byte(strings.Repeat("A", 43) + "=\n")},
		{"its own", "", key},
	} {
		to := newDir(t, c.key)
		environ := []string{"LLAVE_DATA_DIR=" + to}
		code, _, stderr := run(t, environ, "", "restore", file)
		left, err := filepath.Glob(filepath.Join(to, "llave.db*"))
		if err != nil || (code == 0) != (c.want == "") || !strings.Contains(stderr, c.want) || (len(left) == 0) != (c.want != "") {
			t.Errorf("%s: exit %d, %s, and there is %v; want %q", c.name, code, stderr, left, c.want)
		}
		if c.want == "" && stored(t, environ, bottest.Cedula(1)).Status != affiliate.Locked {
			t.Error("the record is not there")
		}
	}
}

// What is spoilt is found before anything is written.
func TestRestore_spoilt(t *testing.T) {
	dir, file := backedUp(t)
	key := readFile(t, config.SecretKeyPath(dir))
	whole := readFile(t, file)
	for name, data := range map[string][]byte{"cut off": whole[:len(whole)-9], "changed": append(bytes.Clone(whole[:len(whole)/2]), bytes.Repeat([]byte{1}, len(whole)/2)...), "another file": []byte("_id,id_type\n")} {
		bad := filepath.Join(t.TempDir(), "bad")
		if err := os.WriteFile(bad, data, 0o600); err != nil {
			t.Fatal(err)
		}
		to := newDir(t, key)
		for _, args := range [][]string{{"restore", bad}, {"restore", "--check", bad}} {
			if code, _, stderr := run(t, []string{"LLAVE_DATA_DIR=" + to}, "", args...); code != 1 || !strings.Contains(stderr, "backup") {
				t.Errorf("%s: llave %v: exit %d, %s", name, args, code, stderr)
			}
		}
		if left, err := filepath.Glob(filepath.Join(to, "llave.db*")); err != nil || len(left) > 0 {
			t.Errorf("%s: there is %v (%v)", name, left, err)
		}
	}
}

// A pipe cannot be read twice, and is refused before anything is written; read through it may be.
func TestRestore_pipe(t *testing.T) {
	dir, file := backedUp(t)
	key := readFile(t, config.SecretKeyPath(dir))
	for _, check := range []bool{false, true} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		whole := readFile(t, file)
		go func() { _, _ = w.Write(whole); w.Close() }()
		to := newDir(t, key)
		args := []string{"restore", fmt.Sprintf("/dev/fd/%d", r.Fd())}
		if check {
			args = append(args, "--check")
		}
		code, _, stderr := run(t, []string{"LLAVE_DATA_DIR=" + to}, "", args...)
		if check != (code == 0) || !check && !strings.Contains(stderr, "it is no file") {
			t.Errorf("llave %v: exit %d, %s", args, code, stderr)
		}
		if left, err := filepath.Glob(filepath.Join(to, "llave.db*")); err != nil || len(left) > 0 {
			t.Errorf("llave %v: there is %v (%v)", args, left, err)
		}
		r.Close()
	}
}

// Encrypted by option; whoever gives a secret key for a public one reads nothing of it in the mistake.
func TestBackup_recipients(t *testing.T) {
	dir, _ := backedUp(t)
	environ := []string{"LLAVE_DATA_DIR=" + dir}
	// A pair that age-keygen made for this test.
	const public, private = "age1kp8c4cwm37psjve7ujpxm2klw3lyj3m2ryg59ar9hemdqrdqmccs5rp9fd", "AGE-SECRET-KEY-12ZXZQK0FGXJ5W6NNLRZAXQUZD2W0JKQE3A0K3VKEHZ2FUT8Q70WQPTGHEG"
	identity := filepath.Join(t.TempDir(), "key.txt")
	if err := os.WriteFile(identity, []byte("# created by a test\n"+private+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "b.age")
	if code, stdout, stderr := run(t, environ, "", "backup", file, "--recipient", public); code != 0 || !strings.Contains(stdout, "encrypted yes\n") {
		t.Fatalf("exit %d, %s%s", code, stdout, stderr)
	}
	if code, _, stderr := run(t, nil, "", "restore", "--check", file); code != 1 || !strings.Contains(stderr, "encrypted") {
		t.Errorf("without the identity: exit %d, %s", code, stderr)
	}
	if code, stdout, stderr := run(t, nil, "", "restore", "--check", file, "--identity", identity); code != 0 || !strings.Contains(stdout, "documents ") {
		t.Errorf("with the identity: exit %d, %s%s", code, stdout, stderr)
	}
	if code, _, stderr := run(t, environ, "", "backup", file+"2", "--recipient", private); code != 2 || strings.Contains(stderr, private[20:]) {
		t.Errorf("the wrong half: exit %d, %s", code, stderr)
	}
}

// There is nothing to back up where no store is, and none is made; what was never started is said.
func TestBackup_nothing(t *testing.T) {
	dir := t.TempDir()
	code, _, stderr := run(t, []string{"LLAVE_DATA_DIR=" + dir}, "", "backup", filepath.Join(t.TempDir(), "b"))
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || code != 1 || !strings.Contains(stderr, "no store") || len(left) > 0 {
		t.Errorf("exit %d, %s, and there is %v", code, stderr, left)
	}
}

// Both say what they did, and that a service has the store; with MongoDB they are not for it (P808).
func TestStore_checkAndCompact(t *testing.T) {
	dir, _ := backedUp(t)
	environ := []string{"LLAVE_DATA_DIR=" + dir}
	code, stdout, stderr := run(t, environ, "", "store", "check", "--json")
	var found struct {
		Documents int64    `json:"documents"`
		Faults    []string `json:"faults"`
	}
	if err := json.Unmarshal([]byte(stdout), &found); err != nil || code != 0 || found.Documents < 2 || found.Faults == nil || len(found.Faults) > 0 {
		t.Errorf("exit %d, %s%s (%v)", code, stdout, stderr, err)
	}
	if code, stdout, stderr := run(t, environ, "", "store", "compact"); code != 0 || !strings.Contains(stdout, "after ") {
		t.Errorf("exit %d, %s%s", code, stdout, stderr)
	}
	s := serving(t, environ)
	for _, what := range []string{"check", "compact"} {
		if code, _, stderr := run(t, environ, "", "store", what); code != 1 || !strings.Contains(stderr, "stop that process first") {
			t.Errorf("%s beside serve: exit %d, %s", what, code, stderr)
		}
		mongo := []string{"LLAVE_MONGODB_URI=mongodb://127.0.0.1:1/", "LLAVE_SECRET_KEY=" + strings.Repeat("A", 43) + "="}
		if code, _, stderr := run(t, mongo, "", "store", what); code != 1 || !strings.Contains(stderr, "embedded store") {
			t.Errorf("%s with MongoDB: exit %d, %s", what, code, stderr)
		}
	}
	s.stop()
}
