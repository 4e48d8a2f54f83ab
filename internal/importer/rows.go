package importer

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"llave/bot"
	"llave/internal/affiliate"
)

// Format is how rows are written.
type Format int

// The formats.
const (
	Auto Format = iota
	CSV
	NDJSON
)

// columns are the file's, as P301 names them. "id" is taken for "_id".
var columns = []string{"_id", "id_type", "category", "full_name", "email", "data_updated_at", "status"}

// rowReader turns lines of one format into records.
type rowReader interface {
	// record reads a line. reason says why it cannot be read.
	record(line []byte) (rec affiliate.Record, reason string)
	// rejectsHeader is the header of the file of rejects, without line and reason, and its separator.
	rejectsHeader() (header []byte, comma byte)
	// forRejects is a line as it stands there.
	forRejects(line []byte) []byte
}

var bom = []byte("\ufeff")

// open finds the format and reads what says it: the header, or the first object.
func open(o Options, head []byte, in *lines) (rowReader, error) {
	text := bytes.TrimPrefix(head, bom)
	switch {
	case len(bytes.TrimSpace(text)) == 0:
		return nil, errors.New("it is empty")
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}), bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		return nil, errors.New("it is UTF-16; save it as UTF-8")
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return nil, errors.New("it is a spreadsheet or an archive; save it as CSV, UTF-8")
	}
	switch format(o, text) {
	case NDJSON:
		return openNDJSON(text, in)
	default:
		return openCSV(in)
	}
}

func format(o Options, text []byte) Format {
	name := strings.ToLower(o.Name)
	switch first := bytes.TrimSpace(text)[0]; {
	case o.Format != Auto:
		return o.Format
	case strings.HasSuffix(name, ".csv"):
		return CSV
	case strings.HasSuffix(name, ".ndjson"), strings.HasSuffix(name, ".jsonl"), first == '{', first == '[':
		return NDJSON
	}
	return CSV
}

// csvRows reads one line at a time, so that a quote that is never closed costs one row and not the rest of the file;
// no column holds a line feed.
type csvRows struct {
	in     *lines
	feed   feeder
	reader *csv.Reader
	buf    []byte // the line the reader is at
	header []byte // as it was
	comma  byte
	at     []int // index of each of columns in a row
	skip   int   // "line" and "reason" in front: a file of rejects that was mended
}

// feeder gives the reader one line and then its end.
type feeder struct{ rest []byte }

func (f *feeder) Read(p []byte) (int, error) {
	if len(f.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}

func openCSV(in *lines) (rowReader, error) {
	var line []byte
	for len(bytes.TrimSpace(bytes.TrimPrefix(line, bom))) == 0 {
		var err error
		if line, err = in.next(); err != nil {
			return nil, fmt.Errorf("read the header: %w", err)
		}
	}
	line = bytes.TrimPrefix(line, bom)
	if !utf8.Valid(line) {
		return nil, errors.New("its header is not UTF-8; save it as UTF-8")
	}
	c := &csvRows{in: in, header: bytes.Clone(line), comma: ','}
	for _, other := range []byte(";\t|") {
		if bytes.Count(line, []byte{other}) > bytes.Count(line, []byte{c.comma}) {
			c.comma = other
		}
	}
	c.reader = csv.NewReader(&c.feed)
	c.reader.Comma = rune(c.comma)
	c.reader.FieldsPerRecord = -1
	names, err := c.fields(line)
	if err != nil {
		return nil, fmt.Errorf("its header cannot be read: %w", err)
	}
	names = slices.Clone(names)
	if err := c.findColumns(names); err != nil {
		return nil, err
	}
	c.reader.ReuseRecord = true
	c.reader.FieldsPerRecord = len(names)
	return c, nil
}

// findColumns finds the columns by name. All must be there, once, and no others.
func (c *csvRows) findColumns(names []string) error {
	c.at = slices.Repeat([]int{-1}, len(columns))
	var missing, unknown, twice []string
	for i, name := range names {
		name = bot.Fold(name)
		names[i] = name
		if name == "id" {
			name = "_id"
		}
		switch k := slices.Index(columns, name); {
		case k >= 0 && c.at[k] >= 0:
			twice = append(twice, name)
		case k >= 0:
			c.at[k] = i
		case i == 0 && name == "line" || i == 1 && name == "reason" && names[0] == "line":
			c.skip = i + 1
		default:
			unknown = append(unknown, fmt.Sprintf("%q", name))
		}
	}
	for k, name := range columns {
		if c.at[k] < 0 {
			missing = append(missing, name)
		}
	}
	return columnsError(missing, unknown, twice)
}

func columnsError(missing, unknown, twice []string) error {
	var parts []string
	for _, p := range []struct {
		what  string
		names []string
	}{{"missing", missing}, {"unknown", unknown}, {"twice", twice}} {
		if len(p.names) > 0 {
			parts = append(parts, p.what+": "+strings.Join(p.names, ", "))
		}
	}
	if len(parts) == 0 {
		return nil
	}
	return fmt.Errorf("its columns are not the expected ones (%s); expected: %s", strings.Join(parts, "; "), strings.Join(columns, ", "))
}

func (c *csvRows) fields(line []byte) ([]string, error) {
	c.buf = append(append(c.buf[:0], line...), '\n')
	c.feed.rest = c.buf
	return c.reader.Read()
}

func (c *csvRows) record(line []byte) (rec affiliate.Record, reason string) {
	if reason := readable(line, c.in.long); reason != "" {
		return rec, reason
	}
	f, err := c.fields(line)
	switch {
	case errors.Is(err, csv.ErrFieldCount):
		return rec, fmt.Sprintf("has %d columns, %d expected", len(f), c.reader.FieldsPerRecord)
	case errors.Is(err, csv.ErrQuote):
		return rec, "a quote is not closed on this line, or text follows it"
	case errors.Is(err, csv.ErrBareQuote):
		return rec, `a quote stands inside a field that is not quoted; write "" within quotes`
	case err != nil:
		return rec, "cannot be read as CSV"
	}
	rec = affiliate.Record{
		ID:       f[c.at[0]],
		IDType:   affiliate.IDType(f[c.at[1]]),
		Category: affiliate.Category(f[c.at[2]]),
		FullName: f[c.at[3]],
		Email:    f[c.at[4]],
		Status:   affiliate.Status(f[c.at[6]]),
	}
	rec.DataUpdatedAt, reason = date(f[c.at[5]])
	return rec, reason
}

func (c *csvRows) rejectsHeader() ([]byte, byte) { return c.forRejects(c.header), c.comma }

// forRejects leaves out the line and reason that a mended file of rejects has of its own.
func (c *csvRows) forRejects(line []byte) []byte {
	if c.skip == 0 {
		return line
	}
	inQuotes, left := false, c.skip
	for i, b := range line {
		switch {
		case b == '"':
			inQuotes = !inQuotes
		case b == c.comma && !inQuotes:
			if left--; left == 0 {
				return line[i+1:]
			}
		}
	}
	return line
}

// jsonRows reads one object a line.
type jsonRows struct{ in *lines }

// jsonRow is a line of NDJSON. Pointers tell what is absent from what is empty.
type jsonRow struct {
	ID            *string `json:"_id"`
	Other         *string `json:"id"`
	IDType        *string `json:"id_type"`
	Category      *string `json:"category"`
	FullName      *string `json:"full_name"`
	Email         *string `json:"email"`
	DataUpdatedAt *string `json:"data_updated_at"`
	Status        *string `json:"status"`
}

// openNDJSON looks at the first object: when it has other names, so will all the others.
func openNDJSON(head []byte, in *lines) (rowReader, error) {
	text := bytes.TrimSpace(head)
	if text[0] == '[' {
		return nil, errors.New("it is a JSON list; one object on each line is expected, without brackets and commas around them (NDJSON)")
	}
	first, _, _ := bytes.Cut(text, []byte("\n"))
	var names map[string]json.RawMessage
	if err := json.Unmarshal(first, &names); err != nil {
		return nil, errors.New("its first line is not a whole JSON object; one object on each line is expected (NDJSON)")
	}
	var missing, unknown []string
	for _, name := range columns {
		_, ok := names[name]
		if _, other := names["id"]; name == "_id" && other {
			ok = true
		}
		if !ok && name != "data_updated_at" {
			missing = append(missing, name)
		}
	}
	for name := range names {
		if !slices.Contains(columns, name) && name != "id" {
			unknown = append(unknown, fmt.Sprintf("%q", name))
		}
	}
	slices.Sort(unknown)
	if err := columnsError(missing, unknown, nil); err != nil {
		return nil, err
	}
	return &jsonRows{in}, nil
}

func (j *jsonRows) record(line []byte) (rec affiliate.Record, reason string) {
	line = bytes.TrimPrefix(line, bom)
	if reason := readable(line, j.in.long); reason != "" {
		return rec, reason
	}
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	var row jsonRow
	if err := dec.Decode(&row); err != nil {
		return rec, jsonReason(err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return rec, "is more than one JSON object"
	}
	if row.ID == nil {
		row.ID = row.Other
	} else if row.Other != nil {
		return rec, "has both _id and id"
	}
	var missing []string
	need := func(name string, s *string) string {
		if s == nil {
			missing = append(missing, name)
			return ""
		}
		return *s
	}
	rec = affiliate.Record{
		ID:       need("_id", row.ID),
		IDType:   affiliate.IDType(need("id_type", row.IDType)),
		Category: affiliate.Category(need("category", row.Category)),
		FullName: need("full_name", row.FullName),
		Email:    need("email", row.Email),
		Status:   affiliate.Status(need("status", row.Status)),
	}
	if len(missing) > 0 {
		return rec, "is without " + strings.Join(missing, ", ")
	}
	if row.DataUpdatedAt != nil {
		rec.DataUpdatedAt, reason = date(*row.DataUpdatedAt)
	}
	return rec, reason
}

// jsonReason says what is wrong without repeating what the row holds.
func jsonReason(err error) string {
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &kind) && kind.Field != "":
		return kind.Field + " must be a text in quotes"
	case strings.Contains(err.Error(), "unknown field"):
		return "has an " + strings.TrimPrefix(err.Error(), "json: ")
	}
	return "is not a JSON object"
}

func (j *jsonRows) rejectsHeader() ([]byte, byte) { return []byte("row"), ',' }

func (j *jsonRows) forRejects(line []byte) []byte { return quoted(string(line)) }

func readable(line []byte, long bool) string {
	switch {
	case long:
		return fmt.Sprintf("the line is longer than %d bytes", maxLine)
	case !utf8.Valid(line):
		return "is not UTF-8"
	case bytes.IndexByte(line, 0) >= 0:
		return "holds a NUL character"
	}
	return ""
}

// date reads "2025-03-01" or RFC 3339; empty is the zero time.
func date(s string) (time.Time, string) {
	s = strings.TrimSpace(s)
	if s == "" {
		return time.Time{}, ""
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil {
			if t.Year() < 1900 || t.Year() > 2200 {
				break
			}
			return t.UTC(), ""
		}
	}
	return time.Time{}, "data_updated_at is no date (2025-03-01 or 2025-03-01T10:30:00Z)"
}

var (
	idTypes    = []affiliate.IDType{affiliate.Cedula, affiliate.ForeignCode}
	categories = []affiliate.Category{affiliate.Affiliate, affiliate.Pensioner, affiliate.Beneficiary}
	statuses   = []affiliate.Status{affiliate.Locked, affiliate.Active, affiliate.Suspended, affiliate.Deceased}
)

// check tidies a record and says why it cannot be taken, or "". The check digit is not looked at: what the institute
// has on record is so. Neither is the mail address: a bad one only makes the record go in person.
func check(r *affiliate.Record, foreignCode *regexp.Regexp) string {
	r.ID = affiliate.Canonical(tidy(r.ID))
	r.FullName = tidy(r.FullName)
	r.Email = tidy(r.Email)
	r.IDType = affiliate.IDType(strings.ToLower(tidy(string(r.IDType))))
	r.Category = affiliate.Category(strings.ToLower(tidy(string(r.Category))))
	r.Status = affiliate.Status(strings.ToLower(tidy(string(r.Status))))
	switch {
	case r.ID == "":
		return "_id is empty"
	case !slices.Contains(idTypes, r.IDType):
		return oneOf("id_type", idTypes)
	case r.IDType == affiliate.Cedula && !isDigits(r.ID):
		return "_id is not a cédula: only digits are expected"
	case r.IDType == affiliate.Cedula && len(r.ID) != 10:
		return fmt.Sprintf("_id is not a cédula: has %d digits, 10 expected", len(r.ID))
	case r.IDType == affiliate.ForeignCode && !affiliate.IsForeignCode(r.ID, foreignCode):
		return "_id is not a foreigner's code"
	case !slices.Contains(categories, r.Category):
		return oneOf("category", categories)
	case !slices.Contains(statuses, r.Status):
		return oneOf("status", statuses)
	}
	return ""
}

func tidy(s string) string { return strings.TrimSpace(bot.Clean(s)) }

func oneOf[T ~string](name string, values []T) string {
	var list []string
	for _, v := range values {
		list = append(list, string(v))
	}
	return name + " is not one of " + strings.Join(list, ", ")
}

func isDigits(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}
