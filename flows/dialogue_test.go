package flows_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"llave/bot"
	"llave/flows"
	"llave/internal/bottest"
	"llave/internal/bottest/world"
)

// TestDialogues plays every conversation in testdata through the front door of both channels and compares what came with
// what is written there. Write the ">" lines, run with -update, read what came, commit. Files are written as Telegram has
// it; what is different on WhatsApp is said in onWhatsApp (P111). A small sweep plays a third of them there, and under the race
// detector a part on each.
func TestDialogues(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no dialogues: %v", err)
	}
	sweep := bottest.NewSweep(t)
	var been visits
	t.Cleanup(func() { been.check(t, len(files)) }) // after the last of them
	for i, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if *update || sweep.Takes(i+1, 1) {
				been.add(playAndCompare(t, world.Telegram, file)) // with -update the other one is compared with what this one writes
			}
			if *update || sweep.Takes(i, 3) {
				t.Run("whatsapp", func(t *testing.T) { playAndCompare(t, world.WhatsApp, file) })
			}
		})
	}
}

// unvisited are the states that no dialogue can come to, and why.
var unvisited = map[bot.State]string{
	flows.Group: "the harness's phones write to the bot alone",
}

// visits are the states that the dialogues of a run were in.
type visits struct {
	mu     sync.Mutex
	states map[bot.State]bool
	played int
}

func (v *visits) add(end world.Ending) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.states == nil {
		v.states = map[bot.State]bool{}
	}
	for _, s := range end.Been {
		v.states[s] = true
	}
	v.played++
}

// check holds that the dialogues together come to every state of the map, when all of them were played.
func (v *visits) check(t *testing.T, all int) {
	t.Helper()
	if v.played < all { // -run chose some
		return
	}
	for _, s := range newEngine(t).States() {
		_, excused := unvisited[s]
		if !v.states[s] && !excused {
			t.Errorf("no conversation in testdata comes to the state %s: write one that goes through it", s)
		}
		if v.states[s] && excused {
			t.Errorf("the state %s stands in unvisited, and a conversation comes there", s)
		}
	}
}

// playAndCompare plays a file and returns how it ended.
func playAndCompare(t *testing.T, on world.Channel, file string) world.Ending {
	t.Helper()
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	own := strings.Contains(string(want), "-- "+world.OwnChat(on)+" --")
	if on.Name == world.WhatsApp.Name && !own {
		want = onWhatsApp(t, want)
	}
	got, ending := world.PlayToEnd(t, on, want)
	if *update && (own || on.Name == world.Telegram.Name) {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return ending
	}
	if line, g, w := firstDifference(string(got), string(want)); line > 0 {
		t.Errorf("%s:%d\n got: %s\nwant: %s\n(run with -update and read the difference)", file, line, g, w)
	}
	return ending
}

// onWhatsApp is a dialogue as WhatsApp has it: a person's message cannot be deleted there, which is said beforehand, and
// there are no commands. Where more is different the file has a section of its own.
func onWhatsApp(t *testing.T, file []byte) []byte {
	t.Helper()
	languages, err := flows.Languages()
	if err != nil {
		t.Fatal(err)
	}
	text := string(file)
	for _, cat := range languages {
		text = strings.ReplaceAll(text, cat.Texts["number.erase"].Text, cat.Texts["number.keep"].Text)
	}
	return []byte(strings.NewReplacer("@ message deleted\n", "", "> /start\n", "> menú\n").Replace(text))
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

// What holds the number must not be forwarded, also when it is only asked again; everything else may be (P112).
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
