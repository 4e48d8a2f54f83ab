package check

import (
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

// Compose reads deploy/compose.yaml, by its own schema; two processes of one image serve one store, and nothing is open to others.
// This is half of P811.
func TestCompose(t *testing.T) {
	project, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir:  "..",
		ConfigFiles: []types.ConfigFile{{Filename: "../compose.yaml"}},
		Environment: types.Mapping{"LLAVE_SECRET_KEY": "a key"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var ours, members int
	for name, s := range project.Services {
		for _, p := range s.Ports {
			if p.HostIP != "127.0.0.1" {
				t.Errorf("%s listens on %q, for everybody", name, p.HostIP)
			}
		}
		switch {
		case s.Image == "llave":
			ours++
			if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || s.Environment["LLAVE_MONGODB_URI"] == nil || s.Environment["LLAVE_SMTP_URL"] == nil {
				t.Errorf("%s is read-only %t, without %v, in %v", name, s.ReadOnly, s.CapDrop, s.Environment)
			}
			for other := range s.DependsOn {
				if strings.HasPrefix(other, "mongo") && s.DependsOn[other].Condition != types.ServiceConditionHealthy {
					t.Errorf("%s does not wait for %s", name, other)
				}
			}
		case strings.HasPrefix(s.Image, "mongo"):
			members++
			if !strings.Contains(*project.Services["llave1"].Environment["LLAVE_MONGODB_URI"], name) || s.HealthCheck == nil {
				t.Errorf("%s is not asked, or not looked after", name)
			}
			for network := range s.Networks {
				if !project.Networks[network].Internal {
					t.Errorf("%s is on %s, which others reach", name, network)
				}
			}
		}
	}
	if ours != 2 || members != 3 {
		t.Errorf("%d of ours over %d of MongoDB's, want 2 over 3", ours, members)
	}
	if _, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{WorkingDir: "..", ConfigFiles: []types.ConfigFile{{Filename: "../compose.yaml"}}}); err == nil {
		t.Error("it starts without a secret key")
	}
}
