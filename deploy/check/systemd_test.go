package check

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// systemd reads the unit, finds nothing in it that it does not know, and few ways out of it (20 of its 100 points of exposure at most).
func TestSystemd(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("SKIPPED: there is no systemd-analyze here: the unit was not read")
	}
	text, err := os.ReadFile("../systemd/llave.service")
	if err != nil {
		t.Fatal(err)
	}
	// The program and its manual are not on this machine.
	here := strings.NewReplacer("/usr/local/bin/llave", "/bin/true", "Documentation=man:llave(1)\n", "").Replace(string(text))
	unit := filepath.Join(t.TempDir(), "llave.service")
	if err := os.WriteFile(unit, []byte(here), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "systemd-analyze", "verify", unit).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("verify: %v\n%s", err, out)
	}
	if out, err := exec.CommandContext(t.Context(), "systemd-analyze", "security", "--offline=true", "--threshold=20", unit).CombinedOutput(); err != nil {
		t.Errorf("security: %v\n%s", err, out)
	}
	for _, want := range []string{`(?m)^User=llave$`, `(?m)^ExecStart=/usr/local/bin/llave serve$`, `(?m)^ExecReload=/bin/kill -HUP \$MAINPID$`, `(?m)^ProtectSystem=strict$`, `(?m)^NoNewPrivileges=yes$`, `(?m)^CapabilityBoundingSet=$`} {
		if !regexp.MustCompile(want).Match(text) {
			t.Errorf("the unit has no %s", want)
		}
	}
}
