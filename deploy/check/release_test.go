package check

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// dist is a release that make supply has made.
func dist(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("RELEASE")
	if dir == "" {
		t.Skip("SKIPPED: RELEASE names no folder that make release has filled; make supply does")
	}
	return dir
}

// What a program is made of is told as CycloneDX's own schema has it: Go itself and every module that is linked in, each with its
// version and licence. This is a part of P810.
func TestRelease_madeOf(t *testing.T) {
	dir := dist(t)
	where, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	schemas := filepath.Join(strings.TrimSpace(string(where)), "schema")
	c := jsonschema.NewCompiler()
	for url, file := range map[string]string{
		"http://cyclonedx.org/schema/bom-1.6.schema.json": "bom-1.6.schema.json", "http://cyclonedx.org/schema/spdx.schema.json": "spdx.schema.json",
		"http://cyclonedx.org/schema/jsf-0.82.schema.json": "jsf-0.82.schemax.json",
	} {
		text, err := os.ReadFile(filepath.Join(schemas, file))
		if err != nil {
			t.Fatal(err)
		}
		schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource(url, schema); err != nil {
			t.Fatal(err)
		}
	}
	schema, err := c.Compile("http://cyclonedx.org/schema/bom-1.6.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, arch := range []string{"amd64", "arm64"} {
		names, _ := filepath.Glob(filepath.Join(dir, "llave_*_linux_"+arch+".cdx.json"))
		if len(names) != 1 {
			t.Fatalf("%s: %q", arch, names)
		}
		text, err := os.ReadFile(names[0])
		if err != nil {
			t.Fatal(err)
		}
		raw, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(raw); err != nil {
			t.Errorf("%s: %v", names[0], err)
		}
		var bom cyclonedx.BOM
		if err := json.Unmarshal(text, &bom); err != nil {
			t.Fatal(err)
		}
		if bom.Metadata == nil || bom.Metadata.Component == nil || bom.Metadata.Component.Name != "llave" || bom.SerialNumber != "" || bom.Metadata.Timestamp != "" {
			t.Errorf("%s is of %+v", names[0], bom.Metadata)
		}
		var modules []string
		for _, one := range *bom.Components {
			modules = append(modules, one.Name)
			licensed := one.Licenses != nil && len(*one.Licenses) > 0 || one.Evidence != nil && one.Evidence.Licenses != nil
			if one.Version == "" || one.Name != "std" && !licensed {
				t.Errorf("%s %q has no version or no licence", one.Name, one.Version)
			}
		}
		for _, want := range []string{"std", "go.mongodb.org/mongo-driver/v2", "go.etcd.io/bbolt", "github.com/looplab/fsm"} {
			if !slices.Contains(modules, want) {
				t.Errorf("%s does not name %s", names[0], want)
			}
		}
		if slices.Contains(modules, "pgregory.net/rapid") {
			t.Errorf("%s names what only tests need", names[0])
		}
	}
}

// The checksums are of what is there, and a tar file holds all that is put on a machine, of nobody's and with no time of its own.
func TestRelease_files(t *testing.T) {
	dir := dist(t)
	sums, err := os.ReadFile(filepath.Join(dir, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	there, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(sums), "\n"); n != 4 || len(there) != n+1 {
		t.Errorf("%d files, %d sums", len(there), n)
	}
	for line := range strings.Lines(string(sums)) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if is := sha256.Sum256(text); hex.EncodeToString(is[:]) != sum {
			t.Errorf("%s has another sum", name)
		}
		if strings.HasSuffix(name, ".tar.gz") {
			holds(t, name, text)
		}
	}
}

func holds(t *testing.T, name string, text []byte) {
	t.Helper()
	zipped, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	root := strings.TrimSuffix(name, ".tar.gz")
	for r := tar.NewReader(zipped); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Gid != 0 || h.Uname != "" || h.Mode&0o022 != 0 || !strings.HasPrefix(h.Name, root+"/") {
			t.Errorf("%s: %s is of %d %q, %o", name, h.Name, h.Uid, h.Uname, h.Mode)
		}
		files = append(files, strings.TrimPrefix(h.Name, root+"/"))
	}
	for _, want := range []string{
		"llave", "man/llave.1", "man/llave-serve.1", "completions/llave.bash", "completions/_llave", "completions/llave.fish", ".env.example", "LICENSE",
		"docs/licences.md", "docs/install.md", "docs/runbook.md", "SECURITY.md", "deploy/systemd/llave.service", "deploy/proxy/nginx.conf", "deploy/kubernetes/kustomization.yaml",
	} {
		if !slices.Contains(files, want) {
			t.Errorf("%s has no %s: %q", name, want, files)
		}
	}
}
