package key

import (
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Costs of what has a shape, in guesses. Whoever wants one person's key looks up their numbers first.
const (
	costYear   = 60
	costDay    = 400           // of a year, however it is written
	costRow    = 100           // of keys, in a row or a column, from either end
	costNumber = 1e5           // a telephone, cédula, RUC or plate
	costAgain  = 20            // what stood before, once more
	againFrom  = 4             // so many characters and more
	costDated  = costDay * 100 // a day of any year of a life
)

// rows are those of lists/rows.txt from either end, read when the first key is judged.
var rows = sync.OnceValue(func() (out []string) {
	for _, row := range lines(layouts) {
		turned := []rune(row)
		slices.Reverse(turned)
		out = append(out, row, string(turned))
	}
	return out
})

const months = `(?:ene(?:ro)?|feb(?:rero)?|mar(?:zo)?|abr(?:il)?|may(?:o)?|jun(?:io)?|jul(?:io)?|ago(?:sto)?|sep(?:t|tiembre)?|set(?:iembre)?|oct(?:ubre)?|nov(?:iembre)?|dic(?:iembre)?)`

// shape is a pattern; where it has a group, that is the piece.
type shape struct {
	pattern *regexp.Regexp
	cost    float64
	kind    Problem
}

// shaped are read when the first key is judged: most processes judge none for hours.
var shaped = sync.OnceValue(func() []shape {
	return []shape{
		{regexp.MustCompile(`19\d\d|20[0-3]\d`), costYear, EasyDate},
		{regexp.MustCompile(`\d{1,2}[ /.-]*(?:de)?[ /.-]*` + months), costDay, EasyDate},
		{regexp.MustCompile(months + `[ /.-]*\d{1,2}`), costDay, EasyDate},
		{regexp.MustCompile(`\d{1,2}[ /.-]*(?:de)?[ /.-]*` + months + `[ /.-]*(?:del?)?[ /.-]*(?:1[89]\d\d|20\d\d|\d\d)`), costDated, EasyDate},
		{regexp.MustCompile(months + `[ /.-]*(?:del?)?[ /.-]*(?:1[89]\d\d|20\d\d|\d\d)`), 12 * costYear, EasyDate},
		// Mobile, with and without the country's code; fixed; cédula and RUC by province and third digit, whatever the check digit.
		{regexp.MustCompile(`(?:\+?593[ -]?|0)9(?:[ -]?\d){8}`), costNumber, EasyNumber},
		{regexp.MustCompile(`(?:\+?593[ -]?|0)[2-7](?:[ -]?\d){7}`), costNumber, EasyNumber},
		{regexp.MustCompile(`(?:0[1-9]|1\d|2[0-4]|30)[ -]?[0-6](?:[ -]?\d){7}(?:(?:[ -]?\d){3})?`), costNumber, EasyNumber},
		{regexp.MustCompile(`(?:^|[^a-z])((?:placa|carro|auto|taxi|moto|bus)?[ -]?[a-z]{3}[ -]?\d{3,4})(?:$|[^0-9])`), costNumber, EasyNumber},
	}
})

// shapes are pieces that are known by their shape.
func shapes(key string) (out []piece) {
	for _, s := range shaped() {
		for _, m := range s.pattern.FindAllStringSubmatchIndex(key, -1) {
			at := m[len(m)-2:]
			out = append(out, piece{at[0], at[1], s.cost, s.kind})
		}
	}
	return append(out, rowPieces(key)...)
}

// rowPieces are three keys in a row and more.
func rowPieces(key string) (out []piece) {
	for i := range key {
		longest := i
		for _, row := range rows() {
			for j := max(i+3, longest+1); j <= len(key) && strings.Contains(row, key[i:j]); j++ {
				longest = j
			}
		}
		if longest > i {
			out = append(out, piece{i, longest, costRow, EasyKeys})
		}
	}
	return out
}

// repeats are pieces that stood in the key before.
func repeats(key string) (out []piece) {
	for i := againFrom; i < len(key); i++ {
		j := i
		for j < len(key) && strings.Contains(key[:i], key[i:j+1]) {
			j++
		}
		if j-i >= againFrom {
			out = append(out, piece{i, j, costAgain, EasyRepeat})
		}
	}
	return out
}
