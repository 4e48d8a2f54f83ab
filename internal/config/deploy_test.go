package config_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"llave/internal/config"
)

// Every setting that is named where the program is shipped from is one that there is.
func TestDeploy_settingsExist(t *testing.T) {
	files := []string{"../../Dockerfile", "../../docs/install.md", "../../docs/scale.md", "../../docs/doctor.md", "../../SECURITY.md"}
	if err := filepath.WalkDir("../../deploy", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Ext(path) != ".go" {
			files = append(files, path)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	table, seen := config.Table(), 0
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile(`\bLLAVE_[A-Z_]+`).FindAllString(string(text), -1) {
			seen++
			if !strings.Contains(table, name+" ") && !strings.Contains(table, name+"\n") && !strings.HasSuffix(name, "_") { // LLAVE_WHATSAPP_…
				t.Errorf("%s names %s, which there is not", path, name)
			}
		}
	}
	if seen < 50 {
		t.Errorf("only %d were seen", seen)
	}
}

// The settings of the manifests, with secrets of the right form, are taken as they stand.
func TestDeploy_settingsAreTaken(t *testing.T) {
	for path, line := range map[string]string{"../../deploy/kubernetes/llave.env": `(?m)^(LLAVE_\w+)=(.*)$`, "../../deploy/compose.yaml": `(?m)^    (LLAVE_\w+): (.*)$`} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		environ := []string{"LLAVE_SECRET_KEY=" + aKey, "LLAVE_MONGODB_URI=mongodb://user:password@mongo.example/?replicaSet=llave&tls=true", "LLAVE_SMTP_URL=smtps://user:password@mail.example"}
		found := regexp.MustCompile(line).FindAllStringSubmatch(string(text), -1)
		for _, m := range found {
			if !strings.HasPrefix(m[2], "${") { // handed through
				environ = append(environ, m[1]+"="+m[2])
			}
		}
		if len(found) < 5 {
			t.Errorf("%s: only %q were found", path, found)
		}
		if _, err := config.Load(environ, t.TempDir(), config.NeedMail); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}
