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

// updatedAt is the column that a file may have besides: when the institute last changed the row. It makes the import incremental.
const updatedAt = "updated_at"

// rowReader turns lines of one format into records.
type rowReader interface {
	// blank says whether a line holds nothing, and is no row.
	blank(line []byte) bool
	// record reads a line. reason says why it cannot be read.
	record(line []byte) (rec affiliate.Record, reason string)
	// mended says whether the input is a file of rejects: its rows are older than it is.
	mended() bool
	// rejectsHeader is the header of the file of rejects, without line, reason and kind, and its separator.
	rejectsHeader() (header []byte, comma byte)
	// forRejects is a line as it stands there.
	forRejects(line []byte) []byte
}

var bom = []byte("\ufeff")

// open finds the format and reads what says it: the header, or the first object.
func open(o Options, raw, text []byte, in *lines) (rowReader, error) {
	text = bytes.TrimPrefix(text, bom)
	switch {
	case len(bytes.TrimSpace(text)) == 0:
		return nil, errors.New("it is empty")
	case bytes.HasPrefix(raw, []byte("PK\x03\x04")), bytes.HasPrefix(raw, []byte("\xd0\xcf\x11\xe0")):
		return nil, errors.New("it is a spreadsheet or an archive; save it as CSV, UTF-8")
	}
	switch format(o, text) {
	case NDJSON:
		in.unicode = true
		return openNDJSON(text, o.Zone)
	default:
		return openCSV(in, o.Zone)
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
	feed     feeder
	reader   *csv.Reader
	buf      []byte // the line the reader is at
	header   []byte // as it was
	comma    byte
	at       []int // index of each of columns in a row, and of updatedAt; -1 where that is not there
	nameless []int // columns without a name, which a spreadsheet adds: they must be empty
	width    int   // how many columns a row has at least: up to the last one with a name
	skip     int   // "line", "reason" and "kind" in front: a file of rejects that was mended
	zone     *time.Location
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

// separators are those that a header is looked through for.
const separators = ",;\t|"

// sep is the line by which a spreadsheet is told the separator.
var sep = regexp.MustCompile(`(?i)^"?sep=([^"])"?$`)

func openCSV(in *lines, zone *time.Location) (rowReader, error) {
	line, err := headerLine(in)
	if err != nil {
		return nil, err
	}
	c := &csvRows{zone: zone}
	if m := sep.FindSubmatch(line); m != nil {
		if c.comma = m[1][0]; c.comma >= utf8.RuneSelf || isWord(c.comma) {
			return nil, errors.New("sep= names what cannot be a separator")
		}
		if line, err = headerLine(in); err != nil {
			return nil, err
		}
	} else {
		c.comma = mostOf(separators, line)
	}
	c.header = bytes.Clone(line)
	c.reader = csv.NewReader(&c.feed)
	c.reader.Comma = rune(c.comma)
	c.reader.FieldsPerRecord = -1
	names, err := c.fields(line)
	if err != nil {
		return nil, fmt.Errorf("its header cannot be read: %w", err)
	}
	if err := c.findColumns(slices.Clone(names)); err != nil {
		return nil, err
	}
	c.reader.ReuseRecord = true
	return c, nil
}

// headerLine is the next line that holds anything.
func headerLine(in *lines) ([]byte, error) {
	for {
		line, err := in.next()
		if err != nil {
			return nil, fmt.Errorf("read the header: %w", err)
		}
		line, reason := in.text(bytes.TrimPrefix(line, bom))
		if reason != "" {
			return nil, errors.New("its header " + reason)
		}
		if len(bytes.Trim(line, separators+"\" \u00a0")) > 0 {
			return line, nil
		}
	}
}

// mostOf is which of the bytes a line has most often; of several the first.
func mostOf(these string, line []byte) byte {
	most := these[0]
	for _, b := range []byte(these) {
		if bytes.Count(line, []byte{b}) > bytes.Count(line, []byte{most}) {
			most = b
		}
	}
	return most
}

func isWord(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b == '"' || b == '_' || b < ' ' && b != '\t'
}

// findColumns finds the columns by name. All must be there, once, and no others but updatedAt.
func (c *csvRows) findColumns(names []string) error {
	c.at = slices.Repeat([]int{-1}, len(columns)+1)
	var missing, unknown, twice []string
	for i, name := range names {
		name = bot.Fold(name)
		names[i] = name
		if name == "id" {
			name = "_id"
		}
		if name == "" {
			c.nameless = append(c.nameless, i)
			continue
		}
		c.width = i + 1
		switch k := slices.Index(append(slices.Clone(columns), updatedAt), name); {
		case k >= 0 && c.at[k] >= 0:
			twice = append(twice, name)
		case k >= 0:
			c.at[k] = i
		case inFront(names[:i+1]):
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

// inFront says whether the first columns are those that stand in front of the rows in a file of rejects.
func inFront(names []string) bool {
	return len(names) <= len(rejectColumns) && slices.Equal(names, rejectColumns[:len(names)])
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
	return fmt.Errorf("its columns are not the expected ones (%s); expected: %s; and %s, if the institute keeps that",
		strings.Join(parts, "; "), strings.Join(columns, ", "), updatedAt)
}

func (c *csvRows) fields(line []byte) ([]string, error) {
	c.buf = append(append(c.buf[:0], line...), '\n')
	c.feed.rest = c.buf
	return c.reader.Read()
}

// blank says whether a line holds nothing but what separates: a spreadsheet writes its empty rows so.
func (c *csvRows) blank(line []byte) bool {
	return len(bytes.Trim(line, string(rune(c.comma))+"\" \t\u00a0")) == 0
}

func (c *csvRows) record(line []byte) (rec affiliate.Record, reason string) {
	f, err := c.fields(line)
	switch {
	case errors.Is(err, csv.ErrQuote):
		return rec, "a quote is not closed on this line, or text follows it"
	case errors.Is(err, csv.ErrBareQuote):
		return rec, `a quote stands inside a field that is not quoted; write "" within quotes`
	case err != nil:
		return rec, "cannot be read as CSV"
	}
	if reason := c.fits(f); reason != "" {
		return rec, reason
	}
	rec = affiliate.Record{
		ID:       f[c.at[0]],
		IDType:   affiliate.IDType(f[c.at[1]]),
		Category: affiliate.Category(f[c.at[2]]),
		FullName: f[c.at[3]],
		Email:    f[c.at[4]],
		Status:   affiliate.Status(f[c.at[6]]),
	}
	changed := ""
	if at := c.at[len(columns)]; at >= 0 {
		changed = f[at]
	}
	return rec, dates(&rec, f[c.at[5]], changed, c.zone)
}

// fits says what is wrong with how many columns a row has. Empty ones at its end are the spreadsheet's.
func (c *csvRows) fits(fields []string) string {
	blank := func(i int) bool { return strings.TrimSpace(fields[i]) == "" }
	last := len(fields)
	for last > c.width && blank(last-1) {
		last--
	}
	if last < c.width || last > c.width && !slices.Contains(c.nameless, last-1) {
		return fmt.Sprintf("has %d columns, %d expected", len(fields), c.width)
	}
	for _, i := range c.nameless {
		if i < last && !blank(i) {
			return fmt.Sprintf("column %d has no name, and is not empty", i+1)
		}
	}
	return ""
}

// dates reads the two columns that hold one, into the record. A day of the institute's is no moment: it is kept as that day everywhere.
func dates(rec *affiliate.Record, inPerson, changed string, zone *time.Location) (reason string) {
	var problem string
	if rec.DataUpdatedAt, problem = moment(inPerson, time.UTC); problem != "" {
		return "data_updated_at " + problem
	}
	if rec.UpdatedAt, problem = moment(changed, zone); problem != "" {
		return updatedAt + " " + problem
	}
	return ""
}

func (c *csvRows) mended() bool { return c.skip > 0 }

func (c *csvRows) rejectsHeader() ([]byte, byte) { return c.forRejects(c.header), c.comma }

// forRejects leaves out the line, reason and kind that a mended file of rejects has of its own.
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
type jsonRows struct{ zone *time.Location }

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
	UpdatedAt     *string `json:"updated_at"`
}

// openNDJSON looks at the first object: when it has other names, so will all the others.
func openNDJSON(head []byte, zone *time.Location) (rowReader, error) {
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
		if !slices.Contains(columns, name) && name != "id" && name != updatedAt {
			unknown = append(unknown, fmt.Sprintf("%q", name))
		}
	}
	slices.Sort(unknown)
	if err := columnsError(missing, unknown, nil); err != nil {
		return nil, err
	}
	return &jsonRows{zone}, nil
}

func (j *jsonRows) blank(line []byte) bool { return len(bytes.TrimSpace(line)) == 0 }

func (j *jsonRows) record(line []byte) (rec affiliate.Record, reason string) {
	line = bytes.TrimPrefix(line, bom)
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
	maybe := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	return rec, dates(&rec, maybe(row.DataUpdatedAt), maybe(row.UpdatedAt), j.zone)
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

func (j *jsonRows) mended() bool { return false }

func (j *jsonRows) rejectsHeader() ([]byte, byte) { return []byte("row"), ',' }

func (j *jsonRows) forRejects(line []byte) []byte { return quoted(string(line)) }

var (
	idTypes    = []affiliate.IDType{affiliate.Cedula, affiliate.ForeignCode}
	categories = []affiliate.Category{affiliate.Affiliate, affiliate.Pensioner, affiliate.Beneficiary}
	statuses   = []affiliate.Status{affiliate.Locked, affiliate.Active, affiliate.Suspended, affiliate.Deceased}
)

// ahead is how far a clock of the institute's, in whatever zone, may be before ours. What is later yet is no time: nothing could ever
// be newer, so such a row is taken as one that has none.
const ahead = 24 * time.Hour

// check tidies a record and says why it cannot be taken. The check digit is not looked at: what the institute has on
// record is so. Neither is the mail address: a bad one only makes the record go in person.
func (p *pass) check(r *affiliate.Record) fault {
	r.ID = affiliate.Canonical(tidy(r.ID))
	r.FullName = tidy(r.FullName)
	r.Email = tidy(r.Email)
	r.IDType = affiliate.IDType(strings.ToLower(tidy(string(r.IDType))))
	r.Category = affiliate.Category(strings.ToLower(tidy(string(r.Category))))
	r.Status = affiliate.Status(strings.ToLower(tidy(string(r.Status))))
	switch {
	case r.ID == "":
		return rejected("_id is empty")
	case !slices.Contains(idTypes, r.IDType):
		return rejected(oneOf("id_type", idTypes))
	case !slices.Contains(categories, r.Category):
		return rejected(oneOf("category", categories))
	case !slices.Contains(statuses, r.Status):
		return rejected(oneOf("status", statuses))
	case r.IDType == affiliate.ForeignCode && !affiliate.IsForeignCode(r.ID, p.ForeignCode):
		return rejected("_id is not a foreigner's code")
	case r.IDType == affiliate.Cedula:
		if f := p.checkCedula(r); f != (fault{}) {
			return f
		}
	}
	if r.UpdatedAt.After(p.Now().Add(ahead)) {
		r.UpdatedAt = time.Time{}
		p.sum.Future++
	}
	return fault{}
}

// inShort is a number as a spreadsheet shows one that is too long for its column.
var inShort = regexp.MustCompile(`^[0-9][.,][0-9]+E\+?[0-9]+$`)

// checkCedula also gives a cédula its zero back, where that was asked for.
func (p *pass) checkCedula(r *affiliate.Record) fault {
	whole, lost := affiliate.WithZero(r.ID)
	switch {
	case inShort.MatchString(r.ID):
		return rejected("_id is not a cédula: a spreadsheet has cut it short, as 1.7E+09; save that column as text")
	case !isDigits(r.ID):
		return rejected("_id is not a cédula: only digits are expected")
	case lost && p.FixZero:
		r.ID = whole
		p.sum.FixedZero++
	case lost:
		p.sum.LostZero++
		return fault{LostZero, "_id is not a cédula: has 9 digits, 10 expected; Excel dropped the 0? It would be " + whole + ": --fix-zero puts it back"}
	case len(r.ID) != 10:
		return rejected(fmt.Sprintf("_id is not a cédula: has %d digits, 10 expected", len(r.ID)))
	}
	return fault{}
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
