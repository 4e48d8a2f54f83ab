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
	Name     string
	Province string
	City     string
	Address  string
	Hours    string // empty: the procedure's own
	Note     string
	Code     string   // in the address of its sheet; no two offices have the same
	Spot     bot.Spot // on the map; not known of every office
}

// Offices are those the operator has listed; none are invented. Nil is a list like any other.
type Offices []Office

// officeColumns are the file's, in the order people write them.
var officeColumns = []string{"name", "province", "city", "address", "hours", "note", "lat", "lon", "code"}

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

// officeRow is an office as it stands in the file.
type officeRow struct {
	Name     string  `json:"name"`
	Province string  `json:"province"`
	City     string  `json:"city"`
	Address  string  `json:"address"`
	Hours    string  `json:"hours"`
	Note     string  `json:"note"`
	Lat      degrees `json:"lat"`
	Lon      degrees `json:"lon"`
	Code     string  `json:"code"`
}

// degrees as they were written: in JSON a number, or a text.
type degrees string

// UnmarshalJSON never fails: what is no number is reported with the row.
func (d *degrees) UnmarshalJSON(raw []byte) error {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		text = string(raw)
	}
	*d = degrees(text)
	return nil
}

// officeList is what has been read of a file, and what is wrong with it.
type officeList struct {
	offices  Offices
	lines    []int // of the offices
	problems []error
}

// add takes a row that begins on a line; [fault] says where in the file a column of it is.
func (l *officeList) add(row officeRow, line int, fault func(column, what string) error) error {
	o, faults := tidy(row)
	for _, f := range faults {
		l.problems = append(l.problems, fault(f.column, f.what))
	}
	if o.Code != "" {
		for i, other := range l.offices {
			if other.Code == o.Code {
				l.problems = append(l.problems, fault("code", fmt.Sprintf("%s is the code of line %d too", o.Code, l.lines[i])))
			}
		}
	}
	l.offices, l.lines = append(l.offices, o), append(l.lines, line)
	if len(l.offices) > maxOffices {
		return fmt.Errorf("more than %d offices", maxOffices)
	}
	return nil
}

// whole is the list, if nothing is wrong with it.
func (l *officeList) whole() (Offices, error) {
	if len(l.problems) > 0 {
		return nil, errors.Join(l.problems...)
	}
	l.offices.name()
	return l.offices, nil
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
	var list officeList
	for dec.More() {
		start := dec.InputOffset()
		for start < int64(len(data)) && (data[start] == ',' || unicode.IsSpace(rune(data[start]))) {
			start++
		}
		var row officeRow
		if err := dec.Decode(&row); err != nil {
			var syntax *json.SyntaxError
			var kind *json.UnmarshalTypeError
			switch {
			case errors.As(err, &syntax):
				return nil, fmt.Errorf("%s: %w", at(syntax.Offset), err)
			case errors.As(err, &kind):
				list.problems = append(list.problems, fmt.Errorf("%s: %s must be a text", at(start), kind.Field))
				continue
			case strings.Contains(err.Error(), "unknown field"):
				list.problems = append(list.problems, fmt.Errorf("%s: %s; known are %s", at(start), strings.TrimPrefix(err.Error(), "json: "), strings.Join(officeColumns, ", ")))
				continue
			}
			return nil, fmt.Errorf("%s: %w", at(dec.InputOffset()), err)
		}
		line, _ := lineAndColumn(data, int(start))
		if err := list.add(row, line, func(column, what string) error { return fmt.Errorf("%s: %s %s", at(start), column, what) }); err != nil {
			return nil, err
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("%s: the list is not closed", at(int64(len(data))))
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("%s: something follows the list", at(dec.InputOffset()))
	}
	return list.whole()
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
	column, problems := columnsOf(header)
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	var list officeList
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
			list.problems = append(list.problems, fmt.Errorf("line %d: has %d columns, %d expected", line, len(row), len(header)))
			continue
		case err != nil: // says line and column
			return nil, errors.Join(append(list.problems, err)...)
		}
		field := func(name string) string {
			if i, ok := column[name]; ok {
				return row[i]
			}
			return ""
		}
		err = list.add(officeRow{
			field("name"), field("province"), field("city"), field("address"), field("hours"), field("note"),
			degrees(field("lat")), degrees(field("lon")), field("code"),
		}, line, func(column, what string) error { return fmt.Errorf("line %d, column %s: %s", line, column, what) })
		if err != nil {
			return nil, err
		}
	}
	return list.whole()
}

// columnsOf finds the columns that a header names.
func columnsOf(header []string) (column map[string]int, problems []error) {
	column = map[string]int{}
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
	needs := officeNeeds
	if _, ok := column["lat"]; ok {
		needs = append(slices.Clone(needs), "lon")
	} else if _, ok := column["lon"]; ok {
		needs = append(slices.Clone(needs), "lat")
	}
	for _, name := range needs {
		if _, ok := column[name]; !ok {
			problems = append(problems, fmt.Errorf("line 1: column %s is missing", name))
		}
	}
	return column, problems
}

// fault is what is wrong with a column of a row.
type fault struct{ column, what string }

// tidy returns the office as it is shown, and what is wrong with it.
func tidy(row officeRow) (o Office, faults []fault) {
	one := func(s string) string { return strings.Join(strings.Fields(bot.Clean(s)), " ") }
	o = Office{
		Name: one(row.Name), Province: one(row.Province), City: one(row.City), Address: one(row.Address), Hours: one(row.Hours), Note: one(row.Note),
		Code: strings.ToLower(one(row.Code)),
	}
	for i, v := range []string{o.Name, o.Province, o.City, o.Address} {
		if v == "" {
			faults = append(faults, fault{officeNeeds[i], "is empty"})
		}
	}
	if o.Code != "" && (!isSlug.MatchString(o.Code) || len(o.Code) > slugMax) {
		faults = append(faults, fault{"code", fmt.Sprintf("%q is none: letters a to z, digits and single dashes between them, %d at most", o.Code, slugMax)})
		o.Code = ""
	}
	var more []fault
	o.Spot, more = spot(one(string(row.Lat)), one(string(row.Lon)))
	return o, append(faults, more...)
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
