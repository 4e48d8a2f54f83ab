package flows_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"llave/internal/bottest/world"
)

// TestDialogues plays every conversation in testdata through the front door and compares what came with what is
// written there. Write the ">" lines, run with -update, read what came, commit.
func TestDialogues(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no dialogues: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := world.Play(t, world.Telegram, want)
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if line, g, w := firstDifference(string(got), string(want)); line > 0 {
				t.Errorf("%s:%d\n got: %s\nwant: %s\n(run with -update and read the difference)", file, line, g, w)
			}
		})
	}
}

func firstDifference(got, want string) (line int, g, w string) {
	gs, ws := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(gs), len(ws)) {
		g, w = "(end)", "(end)"
		if i < len(gs) {
			g = gs[i]
		}
		if i < len(ws) {
			w = ws[i]
		}
		if g != w {
			return i + 1, g, w
		}
	}
	return 0, "", ""
}

// What holds the number must not be forwarded, also when it is only asked again; everything else may be.
func TestNumber_isProtected(t *testing.T) {
	w := world.New(t, "")
	for _, step := range []struct {
		text string
		want bool
	}{{"hola", false}, {"1", false}, {"1", false}, {"1710034065", true}, {"repetir", true}, {"no", false}} {
		w.Say(step.text)
		ms := w.API.Messages(world.Chat)
		if got := ms[len(ms)-1].Protect; got != step.want {
			t.Errorf("after %q: protected %t, want %t", step.text, got, step.want)
		}
	}
}
