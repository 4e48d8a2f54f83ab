package affiliate

import (
	_ "embed"
	"slices"
	"strings"
	"unicode"

	"llave/bot"
)

//go:embed places.txt
var placesFile string

// places are the towns and provinces of Ecuador, each in one word without accents.
var places = readPlaces(placesFile)

// longestPlace is how many words a place has at most.
const longestPlace = 6

// aroundPlaces are words among which a place is named and nothing else is said.
var aroundPlaces = wordSet(`yo estoy vivo soy resido me encuentro ando trabajo queda aqui aca es en de del la el las los a al por con cerca desde
	ciudad canton provincia parroquia sector barrio pueblo centro norte sur mi y o no si
	hay tiene tienen existe alguna algun una un oficina oficinas agencia agencias centro atencion iess cual cuales que donde
	por favor porfa gracias hola buenas buenos buen dias dia tardes noches senorita senor ecuador
	i am im live from in near at the city town province is my are there any office offices which please thanks hello hi`)

func wordSet(words string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(words) {
		set[w] = true
	}
	return set
}

func readPlaces(file string) map[string]bool {
	set := map[string]bool{}
	for line := range strings.Lines(file) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		for _, name := range strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(":,/\n", r) }) {
			if words := wordsOf(name); len(words) > 0 {
				set[strings.Join(words, "")] = true
			}
		}
	}
	return set
}

// wordsOf are the words of a text, folded.
func wordsOf(text string) []string {
	return strings.FieldsFunc(bot.Fold(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// NamesPlace says whether a text names a town or a province of Ecuador, and says nothing else: "Loja", "estoy en Loja", "soy de Baños,
// provincia de Tungurahua". A long name is known in spite of a slip.
func NamesPlace(text string) bool {
	words, named := wordsOf(text), false
	for i := 0; i < len(words); {
		n := placeAt(words[i:])
		switch {
		case n > 0:
			named = true
			i += n
		case aroundPlaces[words[i]]:
			i++
		default:
			return false
		}
	}
	return named
}

// placeAt is how many of [words] are the name of a place that they begin with.
func placeAt(words []string) int {
	for n := min(longestPlace, len(words)); n > 0; n-- {
		if places[strings.Join(words[:n], "")] {
			return n
		}
	}
	const sure = 6 // letters: shorter names are like too many other words
	if w := words[0]; len(w) >= sure && slices.ContainsFunc(placesAlike, func(p string) bool { return bot.Alike(w, p) }) {
		return 1
	}
	return 0
}

// placesAlike are the places that are looked for in spite of slips.
var placesAlike = func() (long []string) {
	for p := range places {
		if len(p) >= 6 {
			long = append(long, p)
		}
	}
	slices.Sort(long)
	return long
}()
