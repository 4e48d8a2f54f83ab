package key

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"llave/internal/bottest"
)

// rowsOf reads a file of testdata, its lines cut at a tab.
func rowsOf(t *testing.T, name string) (out [][]string) {
	t.Helper()
	f, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		out = append(out, strings.Split(s.Text(), "\t"))
	}
	return out
}

// Keys of the kind that people in Ecuador choose, written down by somebody who did not know the rules, are refused.
func TestCheck_weakKeys(t *testing.T) {
	weak := rowsOf(t, "weak_keys.txt")
	if len(weak) != 260 {
		t.Errorf("got %d weak keys, want 260", len(weak))
	}
	for _, row := range weak {
		if problems := Check(row[0], owner); len(problems) == 0 {
			guesses, kind := judge(row[0], owner)
			t.Errorf("%s %q was taken: %.1e guesses, %s", row[1], row[0], guesses, kind)
		}
	}
}

// Phrases that nobody would guess are taken.
func TestCheck_goodPhrases(t *testing.T) {
	good := rowsOf(t, "good_phrases.txt")
	if len(good) != 130 {
		t.Errorf("got %d good phrases, want 130", len(good))
	}
	for _, row := range good {
		if problems := Check(row[0], owner); len(problems) > 0 {
			guesses, _ := judge(row[0], owner)
			t.Errorf("%q: %v (%.1e)", row[0], problems, guesses)
		}
	}
}

// A refusal names what most of the key is, however it is written.
func TestCheck_saysWhatIsWeak(t *testing.T) {
	for kind, keys := range map[Problem]string{
		EasyName:    "Rosita1962 cedeño.1972 mateoydomenica MAMITALINDA R0s4lb4t1 firulais22 juan_carlos_1975",
		EasyPlace:   "Guayaquil09 quito2024 b4rc3l0n4 emelec1929 produbanco1 Ríobamba!",
		EasyWord:    "password Contraseña1 contr4s3ñ4 encebollado chuchaquis1 achachay desbloqueo1 casa.perro Extraordinario clave2024",
		EasyDate:    "15031958 15/03/1958 15-mar-1958 24mayo1822 2deagostode1965 1962-11-03 martes.13",
		EasyNumber:  "0991748260 099-174-8260 +593991748260 022749163 1715274916 PBA-1749 placapcd0174 1715274916001 171527491-6",
		EasyKeys:    "12345678 qwertyuiop asdfghjklñ ñlkjhgfdsa asdfgñlkjh 1q2w3e4r qazwsxedc zxcvbnm,.- 789456123 !\"#$%&/()=",
		EasyRepeat:  "aaaaaaaaaaaaaaaa 12121212 jajajajaja xK7.pqxK7.pqxK7.pq",
		EasySaying:  "padrenuestroqueestasenelcielo Salve.oh.Patria.mil.veces camaronqueseduerme nuestrojuramento1",
		EasyExample: "lunacaferiosilla silla-río-café-luna LUNA.CAFÉ.RÍO.SILLA.1 luna+café+tambor",
		TooEasy:     "qz7!Wp2x",
	} {
		for key := range strings.FieldsSeq(keys) {
			if got := Check(key, About{}); !slices.Equal(got, []Problem{kind}) {
				t.Errorf("%q: got %v, want %s", key, got, kind)
			}
		}
	}
	for key, kind := range map[string]Problem{
		"hola hola hola": EasyRepeat, "virgen maria": EasyWord, "casa perro": EasyWord, "luna café río silla": EasyExample,
		"Padre nuestro que estás en el cielo santificado sea tu nombre": EasySaying, "15 de marzo de 1958": EasyDate,
	} {
		if got := Check(key, About{}); !slices.Equal(got, []Problem{kind}) {
			t.Errorf("%q: got %v, want %s", key, got, kind)
		}
	}
}

// Four common words that do not belong together are taken, with and without blanks, though each is on a list; so are most of
// three. Single words that stand on no list, with what people put behind, are not.
func TestCheck_commonWords(t *testing.T) {
	zipped, err := gzip.NewReader(bytes.NewReader(packedWords))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(zipped)
	if err != nil {
		t.Fatal(err)
	}
	common := strings.Fields(string(text))[1:]
	chance := rand.New(rand.NewPCG(1, 2)) // the same every time
	for _, tc := range []struct{ words, of, least int }{{4, 1000, 98}, {4, 10000, 98}, {3, 5000, 85}} {
		for _, between := range []string{" ", "", "-"} {
			taken := 0
			for range 200 {
				var phrase []string
				for len(phrase) < tc.words {
					if w := common[littleWords+chance.IntN(tc.of)]; len(w) >= 4 && !slices.Contains(phrase, w) {
						phrase = append(phrase, w)
					}
				}
				if len(Check(strings.Join(phrase, between), About{})) == 0 {
					taken++
				}
			}
			if taken < 2*tc.least {
				t.Errorf("%d words of the first %d, with %q between: %d of 200 taken", tc.words, tc.of, between, taken)
			}
		}
	}
	for _, w := range strings.Fields("pelotudita chorreado farmaceutica Zapallitos Wichimbo Tulipanes") {
		for _, end := range []string{"", "1", "!", "2024", "123", "58"} {
			if got := Check(w+end, About{}); len(got) == 0 {
				t.Errorf("%q was taken", w+end)
			}
		}
	}
}

// ecuadorian returns the words of ecuador.txt, as they are typed, of some sections or of all.
func ecuadorian(sections ...string) (out []string) {
	kind := ""
	for _, line := range lines(ecuador) {
		if name, ok := section(line); ok {
			kind = name
		} else if len(sections) == 0 || slices.Contains(sections, kind) {
			out = append(out, strings.Fields(strings.ReplaceAll(line, "_", ""))...)
		}
	}
	return out
}

// Four everyday words that do not belong together are taken though our own list has each; two of any of its sections, with
// a year and a sign behind, are not. Words of one family ("jubilado jubilada") count once.
func TestCheck_wordsOfEcuador(t *testing.T) {
	for _, phrase := range []string{"celular mariposa invierno seguro", "sol estrella alegría verano", "hola celular dios invierno"} {
		if got := Check(phrase, About{}); len(got) > 0 {
			t.Errorf("%q: %v", phrase, got)
		}
	}
	all := ecuadorian()
	everyday := slices.DeleteFunc(ecuadorian("word"), func(w string) bool {
		_, cost := words().cut(letters(w))
		return cost < costEveryday // names as well ("Guadalupe"), or little words ("no sé")
	})
	if len(everyday) < 200 || len(all) < 1000 {
		t.Fatalf("%d everyday words of %d", len(everyday), len(all))
	}
	chance := rand.New(rand.NewPCG(3, 4)) // the same every time
	family := func(w string) string { return letters(w)[:min(4, len(letters(w)))] }
	sweep := bottest.NewSweep(t)
	for _, between := range []string{" ", "-"} {
		for i := range 500 {
			if !sweep.Takes(i, 1) {
				continue
			}
			var phrase, families []string
			for len(phrase) < 4 {
				if w := everyday[chance.IntN(len(everyday))]; !slices.Contains(families, family(w)) {
					phrase, families = append(phrase, w), append(families, family(w))
				}
			}
			if key := strings.Join(phrase, between); len(Check(key, About{})) > 0 {
				guesses, kind := judge(key, About{})
				t.Errorf("%q was refused: %.1e guesses, %s", key, guesses, kind)
			}
		}
	}
	for i := range 1000 {
		if !sweep.Takes(i, 1) {
			continue
		}
		key := all[chance.IntN(len(all))] + all[chance.IntN(len(all))] + []string{"1962#", "2024$", "!1958@"}[chance.IntN(3)]
		if len(Check(key, About{})) == 0 {
			guesses, _ := judge(key, About{})
			t.Errorf("%q was taken: %.1e guesses", key, guesses)
		}
	}
}

// A word of an example counts only where it stands for itself, among letters that are words too.
func TestCheck_examplesWithinWords(t *testing.T) {
	for key, refused := range map[string]bool{
		"armario verde silla tambor": false, "barrio tambor silla martillo": false, "armario silla tornillo": false,
		"río verde silla tambor": true, "lunas cafés ríos sillas": true, "lunaycafeyrioysilla": true, "milunatucafe": true,
		"lunacaferiosilla": true, "l4n4lunac4feri0silla": true,
	} {
		if got := Check(key, About{}); len(got) > 0 != refused {
			guesses, _ := judge(key, About{})
			t.Errorf("%q: got %v (%.1e guesses), want refused: %t", key, got, guesses, refused)
		}
	}
}

// Several short words written together are not one word, however few their letters.
func TestCheck_shortWordsTogether(t *testing.T) {
	for _, key := range strings.Fields("luzpezsolmar luzpezsolmarpan salgasredpan") {
		if got := Check(key, About{}); len(got) > 0 {
			guesses, _ := judge(key, About{})
			t.Errorf("%q: %v (%.1e)", key, got, guesses)
		}
	}
	for _, key := range strings.Fields("solluzrey solrey2024 panmesa1") {
		if len(Check(key, About{})) == 0 {
			t.Errorf("%q was taken", key)
		}
	}
}
