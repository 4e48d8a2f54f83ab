package flows_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/internal/bottest/world"
	"llave/internal/store"
)

// numbers of the worlds below, one for each thing that a record may be.
var people = []struct{ what, number, row string }{
	{"locked", "1710034065", "affiliate 1710034065 ana@correo.example locked data_updated_at=2025-03-01"},
	{"active", "0926687856", "affiliate 0926687856 luis@correo.example active data_updated_at=2025-03-01"},
	{"no update in person", "0102030400", "affiliate 0102030400 eva@correo.example locked"},
	{"no mail", "1713175071", "pensioner 1713175071 - locked data_updated_at=2025-03-01"},
	{"suspended", "1104680135", "beneficiary 1104680135 leo@correo.example suspended data_updated_at=2025-03-01"},
	{"unknown", "0401215553", ""},
	{"refused", "1710034065", "affiliate 1710034065 ana@correo.example locked data_updated_at=2025-03-01\n! mailserver refuse ana@correo.example"},
}

var groups = regexp.MustCompile(`\d{3} \d{3} \d{3} \d`)

// talked plays a chat and returns what was said in it: letters apart, and every number alike.
func talked(t *testing.T, settings, row, number, chat string) string {
	t.Helper()
	row, act, _ := strings.Cut(row, "\n")
	file := fmt.Sprintf("-- world --\n%s\n%s\n-- chat --\n%s\n%s", settings, row, act, strings.ReplaceAll(chat, "NUMBER", number))
	var out []string
	for _, line := range strings.Split(string(world.Play(t, world.Telegram, []byte(file))), "\n") {
		if !strings.HasPrefix(line, "@ mail ") && !strings.HasPrefix(line, "! ") && !strings.HasPrefix(line, "affiliate") &&
			!strings.HasPrefix(line, "pensioner") && !strings.HasPrefix(line, "beneficiary") && strings.TrimSpace(line) != "" {
			out = append(out, strings.ReplaceAll(groups.ReplaceAllString(line, "NUMBER"), number, "NUMBER"))
		}
	}
	return strings.Join(out, "\n")
}

// Whatever is behind a number, a uniform chat is the same to the letter: sending, ending, sending again, ending again,
// the limit of letters, and what is asked on the way (P303).
func TestUniform_sameToTheLetter(t *testing.T) {
	const chat = "> hola\n> [Continuar]\n> [Desbloquear clave]\n> NUMBER\n> [Sí, es correcto]\n> [Enviar enlace]\n+ 5s\n> estado\n> menú\n> estado\n> NUMBER\n> sí\n> [Enviar enlace]\n> [No me llega]\n> [Reenviar enlace]\n" +
		"+ 10m\n> [Reenviar enlace]\n+ 10m\n> persona\n> atrás\n> menú\n> estado\n> NUMBER\n> sí\n> estado\n> menú\n> NUMBER\n> atrás\n+ 3h\n> hola\n"
	for _, want := range []string{"unlock", "generate"} {
		t.Run(want, func(t *testing.T) {
			chat := chat
			if want == "generate" {
				chat = strings.ReplaceAll(chat, "[Desbloquear clave]", "[Generar clave]")
			}
			var first string
			for i, p := range people {
				got := talked(t, "set LLAVE_DISCLOSURE=uniform", p.row, p.number, chat)
				if i == 0 {
					first = got
					continue
				}
				if line, g, w := firstDifference(got, first); line > 0 {
					t.Errorf("%s, line %d:\n got: %s\nwant: %s", p.what, line, g, w)
				}
			}
		})
	}
}

// ticks are what a chat says of the time of its link: what is left of it, and when it ends.
var ticks = regexp.MustCompile(`(?m)^[>+].*$|Tiempo que queda: [^.]*\.|ya no sirve|No se pudo enviar`)

func clockOf(transcript string) string {
	all := strings.Join(ticks.FindAllString(transcript, -1), "\n")
	return strings.ReplaceAll(strings.ReplaceAll(all, "ya no sirve", "END"), "No se pudo enviar", "END")
}

// In `uniform` the chat has a clock of its own, which begins with "Enviar enlace": whatever is behind a number, and however the
// mail server is, "estado" tells the same time, the end comes at the same moment, and so does that of the link sent again. What is
// said of letters that are late follows the mail server, and is the same to the letter for everybody.
func TestUniform_oneClock(t *testing.T) {
	begin := "> hola\n> [Continuar]\n> [Desbloquear clave]\n> NUMBER\n> [Sí, es correcto]\n> [Enviar enlace]\n"
	waits := strings.Repeat("+ 20s\n", 6) + "> estado\n> [Reenviar enlace]\n" + strings.Repeat("+ 20s\n", 5) + "> [Reenviar enlace]\n" + strings.Repeat("+ 20s\n", 5) + "> estado\n" + strings.Repeat("+ 20s\n", 6)
	servers := map[string]string{
		"fast":             begin + waits,
		"busy for a while": "! mailserver busy MAIL\n" + begin + strings.Replace(waits, "+ 20s\n+ 20s\n", "+ 20s\n! mailserver heal\n+ 20s\n", 1),
		"gone for a while": "! mailserver down\n" + begin + strings.Replace(waits, "+ 20s\n+ 20s\n", "+ 20s\n! mailserver up\n+ 20s\n", 1),
		"gone":             "! mailserver down\n" + begin + waits,
	}
	var clock string
	for _, server := range slices.Sorted(maps.Keys(servers)) {
		var first string
		for _, p := range people {
			chat := servers[server]
			if row := strings.Fields(p.row); len(row) > 2 {
				chat = strings.ReplaceAll(chat, "MAIL", row[2])
			}
			got := talked(t, "set LLAVE_DISCLOSURE=uniform", p.row, p.number, chat)
			if first == "" {
				first = got
			}
			if line, g, w := firstDifference(got, first); line > 0 {
				t.Errorf("%s, mail server %s, line %d:\n got: %s\nwant: %s", p.what, server, line, g, w)
			}
		}
		got := clockOf(first)
		if clock == "" {
			clock = got
		}
		if line, g, w := firstDifference(got, clock); line > 0 {
			t.Errorf("mail server %s, clock, line %d:\n got: %s\nwant: %s", server, line, g, w)
		}
		if late := strings.Contains(first, "El correo demora"); late != strings.HasPrefix(server, "gone") {
			t.Errorf("mail server %s: told that letters are late: %t", server, late)
		}
	}
	if n := strings.Count(clock, "END"); n != 2 {
		t.Errorf("the link ended %d times, want twice:\n%s", n, clock)
	}
}

// Guided disclosure has two outcomes, each with one wording for all its causes (P302).
func TestGuided_twoOutcomes(t *testing.T) {
	seen := map[string][]string{}
	for _, p := range people {
		got := talked(t, "", p.row, p.number, "> hola\n> [Continuar]\n> [Desbloquear clave]\n> NUMBER\n> sí\n")
		seen[got] = append(seen[got], p.what)
	}
	if len(seen) != 2 {
		t.Errorf("got %d outcomes, want 2: %v", len(seen), seen)
	}
}

// Nothing of a person is kept or logged outside their record: no number in any grouping, no address, no name, no
// token of a link, no key, whatever was typed where (P307).
func TestNothingPersonalIsKept(t *testing.T) {
	const number, code, mail, key = "1710034065", "AB-77123", "ana.privada@correo.example", "Gatito2020xyz"
	w := world.New(t, "_id,id_type,category,full_name,email,data_updated_at,status\n"+number+",cedula,affiliate,Zutana Mengana,"+mail+",2025-03-01,locked\n"+code+",foreign_code,affiliate,Fulano Mengano,otro@correo.example,2025-03-01,locked\n", "LLAVE_LOG_LEVEL=debug")
	for _, said := range []string{
		"soy 171 003 4065 y quiero desbloquear", "sí", "171-003-4065", "no, es 1710034065", "corregir", "171.003.406.5", number, "sí", "enviar enlace",
		"menú", number, "queja", "mi cédula es 171 003 4065 y no me atienden", "registrar", "mi correo es " + mail, "queja", "uno siete uno cero cero tres cuatro cero seis cinco, nadie responde", "registrar",
		"queja", "nadie contesta", "ni con 17100", "34065", "y me piden todo, mi clave es " + key, "menú",
		"persona", "mi clave es " + key, "atrás",
		"menú", "desbloquear", code, "atrás", "mi clave es " + key, number, "sí", "enviar enlace",
	} {
		w.Say(said)
		w.Later(10 * time.Second)
	}
	w.Do(func() error {
		for _, m := range w.API.History(world.Chat) {
			if !m.Bot && !m.Deleted {
				w.API.Edit(world.Chat, m.ID, "perdón, 1710034065")
				return nil
			}
		}
		return nil
	})
	link := w.Link(false)
	w.Get(w.Browser, link)
	w.Post(w.Browser, link, nil)
	w.Settle()
	token := link[strings.LastIndex(link, "/")+1:]
	secrets := map[string]string{"number": number, "code": code, "mail": mail, "name": "Zutana", "key": key, "token": token}
	bare := strings.NewReplacer(" ", "", "-", "", ".", "")
	look := func(where, text string) {
		for what, s := range secrets {
			if strings.Contains(text, s) {
				t.Errorf("%s holds the %s: %s", where, what, around(text, s))
			}
		}
		for i := range len(text) {
			if i+12 <= len(text) && bare.Replace(text[i:i+12]) == number {
				t.Errorf("%s holds the number in groups: %s", where, text[i:i+12])
			}
		}
	}
	for _, collection := range []string{store.Conversations, store.Unlocks, store.Complaints, store.Cases, store.Audit, store.Leases, store.Counters, store.Settings, store.Imports} {
		n := 0
		err := w.App.Store.Engine().Scan(t.Context(), store.Query{Collection: collection}, func(raw bson.Raw) bool {
			n++
			look(collection, raw.String())
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 && (collection == store.Conversations || collection == store.Unlocks || collection == store.Complaints) {
			t.Errorf("%s is empty: nothing was looked at", collection)
		}
	}
	if w.Log.String() == "" {
		t.Error("the log is empty: nothing was looked at")
	}
	look("log", w.Log.String())
}

func around(text, s string) string {
	i := strings.Index(text, s)
	return text[max(0, i-80):min(len(text), i+len(s)+20)]
}
