package app_test

import (
	"encoding/json"
	"runtime"
	"strings"
	"testing"

	"llave/internal/app"
)

// The flag and the command say the same; releases say what the linker was given.
func TestVersion(t *testing.T) {
	was := []string{app.Version, app.Commit, app.Date}
	t.Cleanup(func() { app.Version, app.Commit, app.Date = was[0], was[1], was[2] })
	app.Version, app.Commit, app.Date = "v1.2.3", "0123456789abcdef", "2026-11-30T12:00:00Z"
	want := "llave v1.2.3 (commit 0123456789abcdef, 2026-11-30T12:00:00Z, " + runtime.Version() + ")\n"
	for _, args := range [][]string{{"version"}, {"--version"}} {
		if code, stdout, stderr := run(t, nil, "", args...); code != 0 || stderr != "" || strings.Replace(stdout, ", modified", "", 1) != want {
			t.Errorf("%v: exit %d, %q and %q, want %q", args, code, stdout, stderr, want)
		}
	}
	_, stdout, _ := run(t, nil, "", "version", "--json")
	var got struct{ Version, Commit, Date, Go string }
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || got.Version != "v1.2.3" || got.Commit != app.Commit || got.Date != app.Date || got.Go != runtime.Version() {
		t.Errorf("got %s (%v)", stdout, err)
	}

	app.Version, app.Commit, app.Date = "dev", "", ""
	if code, stdout, _ := run(t, nil, "", "--version"); code != 0 || !strings.HasPrefix(stdout, "llave dev") || !strings.Contains(stdout, runtime.Version()) {
		t.Errorf("without the linker: exit %d, %q", code, stdout)
	}
}
