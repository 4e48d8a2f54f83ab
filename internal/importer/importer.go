// Package importer reads the institute's records from a CSV or NDJSON file into the store.
//
// A file is read line by line and never held in memory. Each line is one row: it is stored whole or rejected whole. A
// rejected row goes, as it was, to a file of its own with its line, the reason and a kind; the operator can mend that file and
// import it in turn. Only a file of another form (other columns, a spreadsheet) is refused as a whole, before anything is stored.
//
// What spreadsheets make of a file is understood: UTF-16, Windows-1252, "sep=;", empty rows and columns, dates with a time. What can
// be read in two ways is not guessed at (dates.go, text.go).
//
// A foreigner's code is the same in capitals and small letters. Of two rows that differ in that alone nobody can say which is
// right, so both are rejected, each with the other's line (P115). Rows with codes, which are few, are therefore held until the end.
//
// Rows are stored in batches, and after each a checkpoint is stored under a fingerprint of the input. An interrupted import
// reads the part before the checkpoint again, to know its ids and to write its rejects, without storing it. It checks that
// these are the same bytes, and goes on. Storing a row is idempotent, so it does not matter where it was interrupted. A
// file that was imported to its end is imported again when it is run again.
//
// What a row is laid over, and what of that stays, is the store's to say: see store.AffiliateTable.Merge (P609).
package importer

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/maphash"
	"io"
	"regexp"
	"slices"
	"time"
	"unicode/utf8"

	"llave/internal/affiliate"
)

// Sink keeps the records. It may be given the same ones again. The slice is used again after it returns.
type Sink interface {
	Merge(ctx context.Context, records []affiliate.Record, o affiliate.MergeOptions) (affiliate.Merged, error)
	Count(ctx context.Context) (int64, error)
	EachID(ctx context.Context, each func(id string, version int64) bool) error
	// Delete removes a record as it was seen; bot.ErrConflict when somebody has written it since.
	Delete(ctx context.Context, id string, version int64) error
}

// Marks keeps how far each import has come. Load returns a mark with only its id where there is none.
type Marks interface {
	Load(ctx context.Context, id string) (affiliate.ImportMark, error)
	Save(ctx context.Context, mark *affiliate.ImportMark) error
}

// ErrFile is wrapped by errors about a file as a whole; nothing of it was stored.
var ErrFile = errors.New("cannot be imported")

// ErrStopped is wrapped by errors that ended an import half-way; running it again goes on.
var ErrStopped = errors.New("import stopped")

// ErrNothing is wrapped by the error of an import that took no row.
var ErrNothing = errors.New("nothing was imported")

// errChanged means that the part before the mark is not what it was.
var errChanged = errors.New("input is not what it was")

// defaultBatch is how many records are stored at once.
const defaultBatch = 2000

// peek is how much of the input names it.
const peek = 64 << 10

// Options is what an import needs. Source, Sink and Marks are required.
type Options struct {
	Source      io.Reader
	Size        int64          // bytes, 0 when unknown
	Name        string         // the file's path; "-" or "" is standard input
	Format      Format         // Auto: by the name, else by the first character
	Batch       int            // records stored at once; 0 is 2,000
	ForeignCode *regexp.Regexp // LLAVE_FOREIGN_CODE_PATTERN; nil is the built-in rule
	Rejects     string         // where rejected rows go; "" is RejectsName(Name)
	RejectsTo   io.Writer      // standard output, where they go instead of a file; may be nil
	Zone        *time.Location // of a time in updated_at that names none; nil is UTC
	AsOf        time.Time      // when the file was written: what it says was so then or before; zero: nobody knows
	FixZero     bool           // put the zero back in front of nine digits that are a cédula then
	DryRun      bool           // say what would be done, and store nothing; the file of rejects is written
	Missing     Missing        // what becomes of records that the file does not have
	Sink        Sink
	Marks       Marks
	Report      func(Status)     // called every thousand lines and once at the end; may be nil
	Now         func() time.Time // nil is time.Now
}

// Status is how far an import is.
type Status struct {
	Line     int64
	Rows     int64
	Rejected int64
	Bytes    int64
	Size     int64 // 0 when unknown
	Elapsed  time.Duration
	Done     bool // no more will come, whether it went well or not
}

// Summary is what an import did, or would do. Rows = Imported + Earlier + Older + Rejected; Imported = New + Changed + Unchanged.
type Summary struct {
	Rows     int64 `json:"rows"`
	Imported int64 `json:"imported"`
	Earlier  int64 `json:"imported_earlier"` // by the run that was interrupted
	Rejected int64 `json:"rejected"`
	BadMail  int64 `json:"unusable_email"` // stored, but such a record can only go in person
	affiliate.Merged
	LostZero    int64         `json:"lost_zero,omitempty"`    // of the rejected: a cédula once the zero is put back in front
	FixedZero   int64         `json:"fixed_zero,omitempty"`   // the zero was put back
	Future      int64         `json:"future,omitempty"`       // rows whose updated_at is still to come: taken as undated
	Windows1252 int64         `json:"windows_1252,omitempty"` // lines that are not UTF-8 and were read so
	UTF16       bool          `json:"utf_16,omitempty"`
	Deleted     int64         `json:"deleted,omitempty"` // records that the file does not have
	DryRun      bool          `json:"dry_run,omitempty"` // nothing was stored
	Rejects     string        `json:"rejects_file,omitempty"`
	Took        time.Duration `json:"-"`
}

// Run imports one file. It stores nothing when the error wraps ErrFile or ErrNothing; when it wraps ErrStopped, what was stored
// stays and the same call goes on from there; when it wraps ErrNotDeleted, everything was done but that.
func Run(ctx context.Context, o Options) (Summary, error) {
	o = o.defaults()
	sum, err := run(ctx, o, false)
	if !errors.Is(err, errChanged) {
		return sum, err
	}
	if s, ok := o.Source.(io.Seeker); ok && o.RejectsTo == nil { // what was written there cannot be taken back
		if _, err := s.Seek(0, io.SeekStart); err == nil {
			return run(ctx, o, true)
		}
	}
	return sum, fmt.Errorf("%w: the input is not the one that was interrupted; run it again to begin from the start", ErrStopped)
}

func (o Options) defaults() Options {
	if o.Batch <= 0 {
		o.Batch = defaultBatch
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Report == nil {
		o.Report = func(Status) {}
	}
	switch {
	case o.RejectsTo != nil:
		o.Rejects = "standard output"
	case o.Rejects == "":
		o.Rejects = RejectsName(o.Name)
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	if o.DryRun {
		o.Marks = noMarks{}
	}
	return o
}

// noMarks keeps no place: a dry run stores nothing.
type noMarks struct{}

func (noMarks) Load(_ context.Context, id string) (affiliate.ImportMark, error) {
	return affiliate.ImportMark{ID: id}, nil
}

func (noMarks) Save(context.Context, *affiliate.ImportMark) error { return nil }

var longAgo = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)

// pass is one reading of the input.
type pass struct {
	Options
	in      *lines
	text    *text
	seen    map[uint64]uint32 // hash of the id → line
	seed    maphash.Seed
	rejects *rejects
	mark    affiliate.ImportMark // the last one saved
	resume  int64                // lines that an earlier run has stored
	batch   []affiliate.Record
	codes   []coded
	present map[uint64]bool // hashes of the ids of rejected rows, where it matters who is missing
	nobody  int64           // rejected rows of which it cannot be told whose they are
	sum     Summary
	start   time.Time
}

// coded is a row with a foreigner's code, held until it is known that no other differs from it in letters alone.
type coded struct {
	record  affiliate.Record
	written string // the code in its own letters
	line    int64
	raw     []byte // as it stands among the rejects
	other   int64  // line of a row that differs from it in letters alone
}

func run(ctx context.Context, o Options, afresh bool) (sum Summary, err error) {
	text, head, err := readText(o.Source)
	if err != nil {
		return Summary{}, fmt.Errorf("read %s: %w", inputName(o.Name), err)
	}
	start, err := text.Peek(peek)
	if err != nil && err != io.EOF {
		return Summary{}, fmt.Errorf("read %s: %w", inputName(o.Name), err)
	}
	p := &pass{
		Options: o,
		in:      newLines(text),
		text:    text,
		seen:    map[uint64]uint32{},
		present: map[uint64]bool{},
		seed:    maphash.MakeSeed(),
		rejects: &rejects{path: o.Rejects, to: o.RejectsTo, bom: text.bom},
		batch:   make([]affiliate.Record, 0, o.Batch),
		sum:     Summary{UTF16: text.utf16, DryRun: o.DryRun},
		start:   o.Now(),
	}
	defer func() {
		if closeErr := p.rejects.close(); err == nil && closeErr != nil {
			err = closeErr
		}
	}()
	rows, err := open(o, head, start, p.in)
	if err != nil {
		return Summary{}, fmt.Errorf("%s %w: %w", inputName(o.Name), ErrFile, err)
	}
	p.rejects.header, p.rejects.comma = rows.rejectsHeader()
	if rows.mended() {
		p.AsOf = longAgo // nobody knows when, but before whatever Llave did to the record
	}
	if p.mark, err = o.Marks.Load(ctx, p.fingerprint(head)); err != nil {
		return Summary{}, p.stopped(err)
	}
	if p.mark.Done || afresh {
		p.mark = affiliate.ImportMark{ID: p.mark.ID, Version: p.mark.Version}
		if err := o.Marks.Save(ctx, &p.mark); err != nil {
			return Summary{}, p.stopped(err)
		}
	}
	p.resume = p.mark.Line
	if err = p.read(ctx, rows); err == nil {
		err = p.finish(ctx)
	}
	p.sum.Windows1252 = p.in.windows
	p.sum.Took = o.Now().Sub(p.start)
	p.report(true)
	return p.sum, err
}

// finish is what there is to do, or to say, when every row has been taken or rejected.
func (p *pass) finish(ctx context.Context) error {
	switch {
	case p.sum.Rows == 0:
		return fmt.Errorf("%w: %s holds no rows", ErrNothing, inputName(p.Name))
	case p.sum.Rows == p.sum.Rejected:
		return fmt.Errorf("%w: all %d rows of %s were rejected; see %s", ErrNothing, p.sum.Rows, inputName(p.Name), p.sum.Rejects)
	case p.Missing.Delete:
		return p.deleteMissing(ctx)
	}
	return nil
}

// read takes every row, in order.
func (p *pass) read(ctx context.Context, rows rowReader) error {
	for {
		raw, err := p.in.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return p.stopped(fmt.Errorf("read line %d: %w", p.in.number, err))
		}
		if len(raw) > 0 {
			if err := p.row(rows, raw); err != nil {
				return err
			}
		}
		if p.in.number == p.resume {
			if p.in.sum() != p.mark.Hash {
				return p.changed(ctx)
			}
			p.sum.Earlier, p.batch = int64(len(p.seen)-len(p.codes)), p.batch[:0]
		}
		if p.in.number%1000 == 0 {
			if err := ctx.Err(); err != nil {
				return p.stopped(context.Cause(ctx))
			}
			p.report(false)
		}
		if len(p.batch) == p.Batch {
			if err := p.store(ctx, false); err != nil {
				return err
			}
		}
	}
	if p.in.number < p.resume {
		return p.changed(ctx)
	}
	return p.storeCodes(ctx)
}

// storeCodes stores the rows that were held, but those of a code in several letters, and ends the import.
func (p *pass) storeCodes(ctx context.Context) error {
	for _, c := range p.codes {
		if c.other > 0 {
			if err := p.reject(c.line, rejected(sameButLetters(c.other)), c.raw); err != nil {
				return err
			}
			continue
		}
		if err := p.noteMail(c.line, c.record, c.raw); err != nil {
			return err
		}
		p.batch = append(p.batch, c.record)
		if len(p.batch) == p.Batch {
			if err := p.store(ctx, false); err != nil {
				return err
			}
		}
	}
	return p.store(ctx, true)
}

func sameButLetters(line int64) string {
	return fmt.Sprintf("_id is that of line %d but for capitals and small letters", line)
}

// row takes or rejects one row.
func (p *pass) row(rows rowReader, raw []byte) error {
	line, reason := p.in.text(raw)
	if reason == "" && rows.blank(line) {
		return nil
	}
	p.sum.Rows++
	var rec affiliate.Record
	if reason == "" {
		rec, reason = rows.record(line)
	}
	f := rejected(reason)
	written := tidy(rec.ID)
	if reason == "" {
		f = p.check(&rec)
	}
	if f != (fault{}) {
		p.remember(rec)
		return p.reject(p.in.number, f, rows.forRejects(line))
	}
	id := p.hash(rec.ID)
	if first, ok := p.seen[id]; ok {
		return p.reject(p.in.number, rejected(p.twice(rec, written, int64(first))), rows.forRejects(line))
	}
	p.seen[id] = uint32(p.in.number) //nolint:gosec // a line's number; a file has fewer than 2^32
	if rec.IDType == affiliate.ForeignCode {
		p.codes = append(p.codes, coded{record: rec, written: written, line: p.in.number, raw: bytes.Clone(rows.forRejects(line))})
		return nil
	}
	if err := p.noteMail(p.in.number, rec, rows.forRejects(line)); err != nil {
		return err
	}
	if p.in.number > p.resume {
		p.batch = append(p.batch, rec)
	}
	return nil
}

func (p *pass) hash(id string) uint64 { return maphash.String(p.seed, id) }

// twice says why a row is rejected whose id line [first] has. One that differs from that in letters alone has it rejected too.
func (p *pass) twice(rec affiliate.Record, written string, first int64) string {
	i, held := slices.BinarySearchFunc(p.codes, first, func(c coded, line int64) int { return cmp.Compare(c.line, line) })
	if rec.IDType != affiliate.ForeignCode || !held || p.codes[i].written == written {
		return fmt.Sprintf("duplicate of line %d", first)
	}
	if p.codes[i].other == 0 {
		p.codes[i].other = p.in.number
	}
	return sameButLetters(first)
}

// noteMail writes a row down that is stored with an address to which no letter can go.
func (p *pass) noteMail(line int64, rec affiliate.Record, row []byte) error {
	if rec.Email == "" || affiliate.ValidEmail(rec.Email) {
		return nil
	}
	p.sum.BadMail++
	return p.note(line, fault{UnusableEmail, "stored, but no letter can be sent to this email: only in person"}, row)
}

// reject writes a row down that is not taken.
func (p *pass) reject(line int64, f fault, row []byte) error {
	p.sum.Rejected++
	return p.note(line, f, row)
}

func (p *pass) note(line int64, f fault, row []byte) error {
	if err := p.rejects.add(line, f, row); err != nil {
		return p.stopped(err)
	}
	p.sum.Rejects = p.Options.Rejects
	return nil
}

// store keeps the batch, then marks the place. In that order: dying between the two stores a batch again.
func (p *pass) store(ctx context.Context, done bool) error {
	if err := p.rejects.flush(); err != nil {
		return p.stopped(err)
	}
	if len(p.batch) > 0 {
		did, err := p.Sink.Merge(ctx, p.batch, affiliate.MergeOptions{AsOf: p.AsOf, DryRun: p.DryRun})
		p.sum.Merged.Add(did)
		p.sum.Imported = p.sum.New + p.sum.Changed + p.sum.Unchanged
		if err != nil {
			return p.stopped(err)
		}
		p.batch = p.batch[:0]
	}
	if p.DryRun {
		return nil
	}
	p.mark.Offset, p.mark.Line, p.mark.Hash = p.in.offset, p.in.number, p.in.sum()
	p.mark.Taken, p.mark.Refused = p.sum.Earlier+p.sum.Imported, p.sum.Rejected
	p.mark.Done, p.mark.At = done, p.Now().UTC()
	if err := p.Marks.Save(ctx, &p.mark); err != nil {
		return p.stopped(err)
	}
	return nil
}

// changed forgets the mark, so that the next run begins at the start.
func (p *pass) changed(ctx context.Context) error {
	p.mark = affiliate.ImportMark{ID: p.mark.ID, Version: p.mark.Version}
	if err := p.Marks.Save(ctx, &p.mark); err != nil {
		return p.stopped(err)
	}
	return errChanged
}

// stopped says how far it came and how to go on.
func (p *pass) stopped(cause error) error {
	how := "run the same command again to go on from there"
	if p.mark.Line == 0 {
		how = "nothing was marked as stored yet; run the same command again"
	}
	return fmt.Errorf("%w after line %d of %s (%d rows stored); %s: %w", ErrStopped, p.mark.Line, inputName(p.Name), p.mark.Taken, how, cause)
}

func (p *pass) report(done bool) {
	p.Report(Status{Line: p.in.number, Rows: p.sum.Rows, Rejected: p.sum.Rejected, Bytes: p.text.raw.n, Size: p.Size,
		Elapsed: p.Now().Sub(p.start), Done: done})
}

// rules is raised when rows are read otherwise than before, so that no import goes on that began under other rules.
const rules = 2

// fingerprint names an input by its beginning and its size, and by what else decides which of its rows are taken.
func (p *pass) fingerprint(head []byte) string {
	h := sha256.New()
	fmt.Fprintf(h, "%d %d %t %s %s\n", rules, p.Size, p.FixZero, p.Zone, p.ForeignCode)
	h.Write(head)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func inputName(name string) string {
	if name == "" || name == "-" {
		return "standard input"
	}
	return name
}

// lines reads lines, counts them, and hashes what it has read.
type lines struct {
	r       *bufio.Reader
	utf16   bool
	unicode bool // the input says that it is: what is not UTF-8 there is damaged, and nothing else
	hash    hash.Hash
	number  int64
	offset  int64
	long    bool  // the last line was longer than maxLine and is cut
	windows int64 // lines read as Windows-1252
}

// maxLine is how long a line may be. The longest honest row is a few hundred bytes.
const maxLine = 64 << 10

func newLines(t *text) *lines {
	return &lines{r: t.Reader, utf16: t.utf16, unicode: t.bom || t.utf16, hash: sha256.New()}
}

// text is the line that was read last as UTF-8, or as it is with why it cannot be read.
func (l *lines) text(line []byte) (text []byte, reason string) {
	switch {
	case l.long:
		return line, fmt.Sprintf("the line is longer than %d bytes", maxLine)
	case bytes.IndexByte(line, 0) >= 0:
		return line, "holds a NUL character"
	case l.utf16 && bytes.ContainsRune(line, utf8.RuneError):
		return line, "is damaged UTF-16"
	case utf8.Valid(line):
		return line, ""
	case l.unicode:
		return line, "is not UTF-8"
	}
	if text, ok := windows1252(line); ok {
		l.windows++
		return text, ""
	}
	return line, "is neither UTF-8 nor Windows-1252, or some of both; save the file as UTF-8"
}

// next returns the next line without its end, valid until the call after; io.EOF after the last one.
func (l *lines) next() ([]byte, error) {
	line, err := l.r.ReadSlice('\n')
	if err == io.EOF && len(line) == 0 {
		return nil, io.EOF
	}
	l.number++
	l.take(line)
	l.long = err == bufio.ErrBufferFull
	if l.long {
		line = append([]byte(nil), line...)
		for err == bufio.ErrBufferFull {
			var more []byte
			more, err = l.r.ReadSlice('\n')
			l.take(more)
		}
	}
	if err != nil && err != io.EOF {
		return nil, err
	}
	for len(line) > 0 && (line[len(line)-1] == '\n' || line[len(line)-1] == '\r') {
		line = line[:len(line)-1]
	}
	return line, nil
}

func (l *lines) take(b []byte) {
	l.hash.Write(b)
	l.offset += int64(len(b))
}

func (l *lines) sum() string { return hex.EncodeToString(l.hash.Sum(nil)) }
