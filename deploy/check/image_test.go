package check

import (
	"os"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// BuildKit reads the Dockerfile: what is shipped begins with nothing, runs nothing while it is made, is nobody's root and says what it
// is; and the compiler runs where the image is built, whatever it is built for. This is a part of P812.
func TestDockerfile(t *testing.T) {
	file, err := os.Open("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	read, err := parser.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range read.Warnings {
		t.Error(w.Short)
	}
	stages, _, err := instructions.Parse(read.AST, nil)
	if err != nil {
		t.Fatal(err)
	}
	first, last := stages[0], stages[len(stages)-1]
	if first.Platform != "$BUILDPLATFORM" || last.BaseName != "scratch" {
		t.Errorf("it is built on %q and begins with %q", first.Platform, last.BaseName)
	}
	var user string
	labels := map[string]string{}
	for _, c := range last.Commands {
		switch c := c.(type) {
		case *instructions.RunCommand:
			t.Errorf("the image's last stage runs %v, and has nothing to run it with", c)
		case *instructions.UserCommand:
			user = c.User
		case *instructions.LabelCommand:
			for _, l := range c.Labels {
				labels[strings.Trim(l.Key, `"`)] = strings.Trim(l.Value, `"`)
			}
		}
	}
	if uid, _, ok := strings.Cut(user, ":"); !ok || uid == "0" || uid == "root" || strings.Trim(uid, "0123456789") != "" { // Kubernetes' runAsNonRoot knows numbers alone
		t.Errorf("it runs as %q", user)
	}
	for _, name := range []string{"title", "description", "licenses", "version", "revision", "created"} {
		if labels["org.opencontainers.image."+name] == "" {
			t.Errorf("no label says the %s: %v", name, labels)
		}
	}
}
