package affiliate

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"llave/bot"
)

// Office is a place where the procedure is attended in person.
type Office struct {
	Name     string `json:"name"`
	Province string `json:"province"`
	City     string `json:"city"`
	Address  string `json:"address"`
	Hours    string `json:"hours"` // empty: the procedure's own
	Note     string `json:"note"`
}

// Offices are those the operator has listed; none are invented. Nil is a list like any other.
type Offices []Office

// officeColumns are the file's, in the order people write them.
var officeColumns = []string{"name", "province", "city", "address", "hours", "note"}

// officeNeeds are the columns that may be neither missing nor empty.
var officeNeeds = []string{"name", "province", "city", "address"}

// maxOffices and maxOfficeFile keep a wrong path from being read as a list of offices.
const (
	maxOffices    = 5000
	maxOfficeFile = 8 << 20
)

// LoadOffices reads LLAVE_OFFICES_FILE: CSV with a header, or a JSON list of objects, told apart by the first
// character. An empty path is an empty list. Every mistake is reported, with its line and column.
func LoadOffices(path string) (Offices, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("offices: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxOfficeFile+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("offices: %w", err)
	case len(data) > maxOfficeFile:
		return nil, fmt.Errorf("offices: %s is larger than %d MiB", path, maxOfficeFile>>20)
	}
	offices, err := ParseOffices(data)
	if err != nil {
		return nil, fmt.Errorf("offices: %s: %w", path, err)
	}
	return offices, nil
}

// ParseOffices reads the content of an offices file.
func ParseOffices(data []byte) (Offices, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if i := invalidUTF8(data); i >= 0 {
		line, _ := lineAndColumn(data, i)
		return nil, fmt.Errorf("line %d: not UTF-8; save the file as UTF-8", line)
	}
	trimmed := bytes.TrimSpace(data)
	switch {
	case len(trimmed) == 0:
		return nil, errors.New("the file is empty")
	case trimmed[0] == '[' || trimmed[0] == '{':
		return officesFromJSON(data)
	}
	return officesFromCSV(data)
}

func officesFromJSON(data []byte) (Offices, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	at := func(offset int64) string {
		line, column := lineAndColumn(data, int(offset))
		return fmt.Sprintf("line %d, column %d", line, column)
	}
	if t, err := dec.Token(); err != nil || t != json.Delim('[') {
		return nil, fmt.Errorf("%s: a list of objects is expected: [{%q: …}]", at(0), "name")
	}
	var offices Offices
	var problems []error
	for dec.More() {
		start := dec.InputOffset()
		for start < int64(len(data)) && (data[start] == ',' || unicode.IsSpace(rune(data[start]))) {
			start++
		}
		var o Office
		if err := dec.Decode(&o); err != nil {
			var syntax *json.SyntaxError
			var kind *json.UnmarshalTypeError
			switch {
			case errors.As(err, &syntax):
				return nil, fmt.Errorf("%s: %w", at(syntax.Offset), err)
			case errors.As(err, &kind):
				problems = append(problems, fmt.Errorf("%s: %s must be a text", at(start), kind.Field))
				continue
			case strings.Contains(err.Error(), "unknown field"):
				problems = append(problems, fmt.Errorf("%s: %s; known are %s", at(start), strings.TrimPrefix(err.Error(), "json: "), strings.Join(officeColumns, ", ")))
				continue
			}
			return nil, fmt.Errorf("%s: %w", at(dec.InputOffset()), err)
		}
		o, missing := tidy(o)
		for _, m := range missing {
			problems = append(problems, fmt.Errorf("%s: %s is empty", at(start), m))
		}
		offices = append(offices, o)
		if len(offices) > maxOffices {
			return nil, fmt.Errorf("more than %d offices", maxOffices)
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("%s: the list is not closed", at(int64(len(data))))
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("%s: something follows the list", at(dec.InputOffset()))
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return offices, nil
}

func officesFromCSV(data []byte) (Offices, error) {
	r := csv.NewReader(bytes.NewReader(data))
	r.TrimLeadingSpace = true
	first, _, _ := bytes.Cut(data, []byte("\n"))
	if bytes.Count(first, []byte(";")) > bytes.Count(first, []byte(",")) {
		r.Comma = ';'
	}
	header, err := r.Read()
	if err != nil {
		return nil, err
	}
	column := map[string]int{}
	var problems []error
	for i, name := range header {
		name = bot.Fold(name)
		_, twice := column[name]
		switch {
		case !slices.Contains(officeColumns, name):
			problems = append(problems, fmt.Errorf("line 1: column %q is unknown; known are %s", name, strings.Join(officeColumns, ", ")))
		case twice:
			problems = append(problems, fmt.Errorf("line 1: column %s appears twice", name))
		}
		column[name] = i
	}
	for _, name := range officeNeeds {
		if _, ok := column[name]; !ok {
			problems = append(problems, fmt.Errorf("line 1: column %s is missing", name))
		}
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	var offices Offices
	for {
		row, err := r.Read()
		if err == io.EOF {
			break
		}
		line := 0
		if row != nil {
			line, _ = r.FieldPos(0)
		}
		switch {
		case errors.Is(err, csv.ErrFieldCount):
			problems = append(problems, fmt.Errorf("line %d: has %d columns, %d expected", line, len(row), len(header)))
			continue
		case err != nil: // says line and column
			return nil, errors.Join(append(problems, err)...)
		}
		field := func(name string) string {
			if i, ok := column[name]; ok {
				return row[i]
			}
			return ""
		}
		o, missing := tidy(Office{field("name"), field("province"), field("city"), field("address"), field("hours"), field("note")})
		for _, m := range missing {
			problems = append(problems, fmt.Errorf("line %d, column %s: is empty", line, m))
		}
		offices = append(offices, o)
		if len(offices) > maxOffices {
			return nil, fmt.Errorf("more than %d offices", maxOffices)
		}
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return offices, nil
}

// tidy returns the office as it is shown, and the names of needed fields that are empty.
func tidy(o Office) (_ Office, missing []string) {
	one := func(s string) string { return strings.Join(strings.Fields(bot.Clean(s)), " ") }
	o = Office{one(o.Name), one(o.Province), one(o.City), one(o.Address), one(o.Hours), one(o.Note)}
	for i, v := range []string{o.Name, o.Province, o.City, o.Address} {
		if v == "" {
			missing = append(missing, officeNeeds[i])
		}
	}
	return o, missing
}

func invalidUTF8(b []byte) int {
	for i := 0; i < len(b); {
		r, w := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && w == 1 {
			return i
		}
		i += w
	}
	return -1
}

// lineAndColumn is the line and column, both from 1, of an offset.
func lineAndColumn(data []byte, offset int) (line, column int) {
	before := data[:max(0, min(offset, len(data)))]
	line = 1 + bytes.Count(before, []byte("\n"))
	return line, len(before) - bytes.LastIndexByte(before, '\n')
}

// shown is how many offices one answer holds.
const shown = 3

// Find returns up to three offices for what a person wrote about where they are, the best first: by city, then by the
// office's own name, then by province, forgiving accents and small slips. Nothing similar is an empty list.
func (o Offices) Find(text string) []Office {
	words := strings.FieldsFunc(bot.Fold(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if len(words) == 0 || len(words) > 60 {
		return nil
	}
	type hit struct{ rank, at int }
	var hits []hit
	for i, office := range o {
		rank := 0
		for _, f := range []struct {
			name         string
			exact, alike int
		}{{office.City, 6, 3}, {office.Name, 5, 2}, {office.Province, 4, 1}} {
			switch said(words, f.name) {
			case same:
				rank += f.exact * f.exact
			case similar:
				rank += f.alike
			}
		}
		if rank > 0 {
			hits = append(hits, hit{rank, i})
		}
	}
	slices.SortStableFunc(hits, func(a, b hit) int { return b.rank - a.rank })
	var out []Office
	for _, h := range hits[:min(shown, len(hits))] {
		out = append(out, o[h.at])
	}
	return out
}

type likeness int

const (
	different likeness = iota
	similar
	same
)

// said looks for a name among the words, as many of them at a time as the name has; a name that people also write in
// one word ("santodomingo") is found too.
func said(words []string, name string) likeness {
	parts := strings.FieldsFunc(bot.Fold(name), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if len(parts) == 0 {
		return different
	}
	joined := strings.Join(parts, "")
	best := different
	for _, n := range []int{len(parts), 1} {
		for i := 0; i+n <= len(words); i++ {
			switch w := strings.Join(words[i:i+n], ""); {
			case w == joined:
				return same
			case bot.Alike(w, joined):
				best = similar
			}
		}
	}
	return best
}
