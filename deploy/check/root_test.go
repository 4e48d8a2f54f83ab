package check

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// image is what the Dockerfile's last stage puts together, in a folder; where things come from is known of each.
type image struct {
	root     string
	user     string
	env      []string
	writable []string // folders that are its user's
}

func assemble(t *testing.T, from map[string]string) image {
	t.Helper()
	file, err := os.Open("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	read, err := parser.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	stages, _, err := instructions.Parse(read.AST, nil)
	if err != nil {
		t.Fatal(err)
	}
	i := image{root: t.TempDir()}
	for _, c := range stages[len(stages)-1].Commands {
		switch c := c.(type) {
		case *instructions.CopyCommand:
			i.copy(t, c, from)
		case *instructions.UserCommand:
			i.user, _, _ = strings.Cut(c.User, ":")
		case *instructions.EnvCommand:
			for _, e := range c.Env {
				i.env = append(i.env, e.Key+"="+e.Value)
			}
		}
	}
	return i
}

func (i *image) copy(t *testing.T, c *instructions.CopyCommand, from map[string]string) {
	t.Helper()
	source, to := c.SourcePaths[0], filepath.Join(i.root, c.DestPath)
	if strings.HasSuffix(c.DestPath, "/") {
		to = filepath.Join(to, filepath.Base(source))
	}
	here, known := from[source]
	if !known {
		t.Fatalf("the image takes %s, which this test does not know", source)
	}
	if here == "" { // an empty folder
		i.writable = append(i.writable, c.DestPath)
		if err := os.MkdirAll(to, 0o755); err != nil {
			t.Fatal(err)
		}
		return
	}
	text, err := os.ReadFile(here)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, text, 0o755); err != nil {
		t.Fatal(err)
	}
}

// enter runs what follows it in the folder $1 as / and read-only, with a folder of $2 in the place of each that may be written, as the
// user $3 of a namespace in which there is nobody else, and no right to anything.
const enter = `root=$1 data=$2 user=$3; shift 3
mount --bind "$root" "$root"
for f in "$data"/*; do mount --bind "$f" "$root/${f##*/}"; done
mount -o remount,bind,ro "$root"
exec unshare --user --map-user="$user" --map-group="$user" --root="$root" --wd=/ -- "$@"`

func (i *image) command(data string, args ...string) []string {
	return append([]string{"--user", "--map-root-user", "--mount", "--propagation", "private", "sh", "-ec", enter, "sh", i.root, data, i.user, "/llave"}, args...)
}

// The image's files, and nothing else, are put together and run: no shell, nothing writable but its folders, no root, no right. It serves,
// its own health check says so, it ends well when told to, and it can write nowhere else (P812).
func TestImage_runs(t *testing.T) {
	binary := program(t)
	if out, err := exec.CommandContext(t.Context(), "unshare", "--user", "--map-root-user", "--mount", "true").CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: namespaces are refused here, so the image was not run: %v %s", err, out)
	}
	authorities := "/etc/ssl/certs/ca-certificates.crt"
	if _, err := os.Stat(authorities); err != nil {
		t.Skipf("SKIPPED: no authorities to put into it: %v", err)
	}
	i := assemble(t, map[string]string{"/etc/ssl/certs/ca-certificates.crt": authorities, "/out/llave": binary, "/out/data": "", "/out/erasures": ""})
	data := t.TempDir()
	for _, f := range i.writable {
		if err := os.Mkdir(filepath.Join(data, f), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	var files []string
	if err := filepath.WalkDir(i.root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, strings.TrimPrefix(path, i.root))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if want := []string{authorities, "/llave"}; !slices.Equal(files, want) {
		t.Errorf("the image holds %q, want %q", files, want)
	}

	public, admin := freeAddr(t), freeAddr(t)
	env := append(slices.Clone(i.env), "LLAVE_HTTP_ADDR="+public, "LLAVE_ADMIN_ADDR="+admin, "LLAVE_SMTP_URL=smtp://127.0.0.1:1?tls=none", "LLAVE_ERASURE_LOG=/erasures/log")
	p := start(t, env, "unshare", i.command(data, "serve")...)
	p.answers(t, "http://"+admin+"/readyz", 200)
	p.answers(t, "http://"+public+"/privacidad", 200)

	of := "/proc/" + strconv.Itoa(p.Process.Pid)
	status, err := os.ReadFile(of + "/status")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(status), "\nName:\tllave\n") && !strings.HasPrefix(string(status), "Name:\tllave\n") || !strings.Contains(string(status), "\nCapEff:\t0000000000000000\n") {
		t.Errorf("it has rights: %s", status)
	}
	if users, err := os.ReadFile(of + "/uid_map"); err != nil || strings.Fields(string(users))[0] != i.user || strings.Count(string(users), "\n") != 1 {
		t.Errorf("its users are %q (%v), want %s alone", users, err, i.user)
	}
	mounts, err := os.ReadFile(of + "/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	readOnly := slices.ContainsFunc(strings.Split(string(mounts), "\n"), func(l string) bool {
		f := strings.Fields(l)
		return len(f) > 5 && f[4] == "/" && strings.HasPrefix(f[5], "ro")
	})
	if !readOnly {
		t.Errorf("its root may be written: %s", mounts)
	}

	health := start(t, env, "unshare", i.command(data, "health", "--wait", "30s")...)
	<-health.gone
	if health.ProcessState.ExitCode() != 0 {
		t.Errorf("its health check exits with %d: %s", health.ProcessState.ExitCode(), health.said)
	}
	elsewhere := start(t, append(slices.Clone(env), "LLAVE_DATA_DIR=/elsewhere", "LLAVE_HTTP_ADDR=127.0.0.1:0", "LLAVE_ADMIN_ADDR=127.0.0.1:0"), "unshare", i.command(data, "serve")...)
	<-elsewhere.gone
	if elsewhere.ProcessState.ExitCode() != 1 || !strings.Contains(elsewhere.said.String(), "read-only") {
		t.Errorf("with its data elsewhere it exits with %d: %s", elsewhere.ProcessState.ExitCode(), elsewhere.said)
	}
	if code := p.end(t); code != 0 {
		t.Errorf("told to end it exits with %d", code)
	}
	for _, kept := range []string{"data", "erasures"} {
		if there, err := os.ReadDir(filepath.Join(data, kept)); err != nil || len(there) == 0 {
			t.Errorf("it kept nothing in /%s: %v", kept, err)
		}
	}
}
