package supervisor_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"llave/internal/web/console/consoletest"
)

// Every sort of line that the code appends to the audit has words of its own on its page.
func TestAudit_everySortHasWords(t *testing.T) {
	sort := regexp.MustCompile(`"((?:agent|case|desk|person)_[a-z_]+|limit_met|notice_closed|not_me|key_revoked|unheard_assigned)"`)
	var sorts []string
	for _, of := range []string{"../../../agent/*.go", "../../../handoff/work.go", "../../../app/promises.go", "../../../app/limits.go", "../../../app/person*.go", "../../../app/alerts.go", "../alerts/*.go"} {
		files, err := filepath.Glob(of)
		if err != nil || len(files) == 0 {
			t.Fatal(of, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range sort.FindAllStringSubmatch(string(text), -1) {
				if !strings.HasSuffix(file, "_test.go") && !slices.Contains(sorts, m[1]) {
					sorts = append(sorts, m[1])
				}
			}
		}
	}
	if len(sorts) < 25 {
		t.Fatalf("only %d sorts were found: %v", len(sorts), sorts)
	}
	d := consoletest.NewDesk(t)
	sup := d.As("sup")
	for i, what := range sorts {
		if err := d.Desk.Audit(t.Context(), fmt.Sprint("z", i), "eva", what, ""); err != nil {
			t.Fatal(err)
		}
	}
	p := sup.Get("/agentes/supervision/auditoria?quien=eva").Want(t, http.StatusOK)
	body := p.Body
	for _, what := range sorts {
		if without := strings.Replace(body, `<option value="`+what+`">`, "<option>", 1); without != body {
			body = without
		} else {
			t.Errorf("%s cannot be chosen", what)
		}
	}
	for _, what := range sorts {
		if strings.Contains(body, what) {
			t.Errorf("%s stands in the page as it is", what)
		}
	}
}
