package app_test

import (
	"crypto/sha1"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"llave/internal/bottest/world"
)

// TestStolenKeys: with LLAVE_BREACHED_FILE a key that is in the file is refused in its own words, and the log says once at
// start that it is so. When the file has gone the same key is taken: nobody is kept from a key.
func TestStolenKeys(t *testing.T) {
	const stolen = "caballo azul con tres lunas"
	file := write(t, "stolen.txt", fmt.Sprintf("%X:12\r\n", sha1.Sum([]byte(stolen))))
	w := world.New(t, onePerson, "LLAVE_BREACHED_FILE="+file)
	for _, text := range []string{"hola", "1", "1", theirs, "1", "1"} {
		w.Say(text)
	}
	browser := world.NewBrowser(t)
	w.Post(browser, w.Link(false), nil)
	w.Settle()
	try := func() (int, string) {
		return w.Post(browser, w.URL("/clave"), map[string][]string{"clave": {stolen}, "clave2": {stolen}})
	}
	if status, page := try(); status != http.StatusUnprocessableEntity || !strings.Contains(page, "Esa clave ya fue robada en otro sitio.") {
		t.Errorf("got %d %s", status, page)
	}
	if _, verdict := w.Post(browser, w.URL("/clave/fuerza"), map[string][]string{"clave": {stolen}}); !strings.Contains(verdict, "Esa clave ya fue robada en otro sitio.") {
		t.Errorf("while it is typed: got %s", verdict)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if status, page := try(); status != http.StatusOK || !strings.Contains(page, "Su clave nueva está lista") {
		t.Errorf("without the file: got %d %s", status, page)
	}
	w.Settle()
	for line, want := range map[string]int{`"msg":"stolen keys are refused"`: 1, `"level":"ERROR"`: 1, "LLAVE_BREACHED_FILE": 1, "caballo": 0} {
		if got := strings.Count(w.Log.String(), line); got != want {
			t.Errorf("the log has %s %d times, want %d:\n%s", line, got, want, w.Log)
		}
	}
}
