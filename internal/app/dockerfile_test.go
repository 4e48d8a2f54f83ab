package app_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
)

// The image asks itself by a command that there is, and sets settings that there are.
func TestDockerfile(t *testing.T) {
	text, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	check := regexp.MustCompile(`(?m)^HEALTHCHECK .*CMD (\[.*\])$`).FindSubmatch(text)
	var command []string
	if check == nil || json.Unmarshal(check[1], &command) != nil || len(command) < 2 || command[0] != "/llave" {
		t.Fatalf("no HEALTHCHECK with a command of ours: %q", check)
	}
	if code, _, stderr := run(t, nil, "", append(command[1:], "--help")...); code != 0 {
		t.Errorf("%q: exit %d, %s", command, code, stderr)
	}
	environ := []string{"LLAVE_SMTP_URL=smtp://127.0.0.1:1?tls=none"}
	for _, line := range regexp.MustCompile(`(?m)^ENV (.*)$`).FindAllSubmatch(text, -1) {
		environ = append(environ, strings.Fields(string(line[1]))...)
	}
	if len(environ) < 3 {
		t.Errorf("the image sets %q", environ)
	}
	for i, set := range environ {
		if strings.HasPrefix(set, "LLAVE_DATA_DIR=") {
			environ[i] = "LLAVE_DATA_DIR=" + t.TempDir()
		}
	}
	if code, _, stderr := run(t, environ, "", "serve", "--check"); code != 0 {
		t.Errorf("with the image's settings: exit %d, %s", code, stderr)
	}
}
