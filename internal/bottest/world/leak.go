package world

import (
	"fmt"
	"regexp"
	"strings"

	"llave/internal/bottest"
)

// tellable are the words that may stand in a log though a person's bubble may hold just them: none that long does.
const tellable = 25

// tokenOf finds the secrets of a letter's links.
var tokenOf = regexp.MustCompile(`/(?:desbloqueo|no-fui-yo|generar)/([A-Za-z0-9_-]{22,})`)

// canaries are what this world knows of people and keeps secret: none of it may stand in a line of the log or a metric (P405).
func (w *World) canaries(importCSV string) (all []string) {
	all = append(all, Token, "EAAtest", "app-secret-of-the-test", "verify-token-of-the-test", fmt.Sprint(Chat))
	rows := strings.Split(strings.TrimSpace(importCSV), "\n")
	for _, row := range rows[1:] {
		for i, field := range strings.Split(row, ",") {
			if (i == 0 || i == 3 || i == 4) && len(field) >= 4 { // number, name, address
				all = append(all, field)
			}
		}
	}
	for _, l := range w.SMTP.Letters() {
		for _, m := range tokenOf.FindAllStringSubmatch(l.Text, -1) {
			all = append(all, m[1])
		}
	}
	for _, m := range w.Phone.History(Chat) {
		if !m.Bot && len(m.Text) >= tellable && len(m.Text) < 500 {
			all = append(all, m.Text)
		}
	}
	return all
}

// wantNoLeak fails the test for whatever stands in a text and may not.
func (w *World) wantNoLeak(where, text, importCSV string) {
	w.t.Helper()
	for _, leak := range bottest.Leaks(text, w.canaries(importCSV)...) {
		w.t.Errorf("%s holds %s", where, leak)
	}
}
