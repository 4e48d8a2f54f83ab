// Package importer reads the institute's records from a CSV or NDJSON file into the store.
//
// A file is read line by line and never held in memory. Each line is one row: it is stored whole or rejected whole. A
// rejected row goes, as it was, to a file of its own with its line and the reason; the operator can mend that file and
// import it in turn. Only a file of another form (other columns, UTF-16, a spreadsheet) is refused as a whole, before
// anything is stored.
//
// A foreigner's code is the same in capitals and small letters. Of two rows that differ in that alone nobody can say which is
// right, so both are rejected, each with the other's line (P115). Rows with codes, which are few, are therefore held until the end.
//
// Rows are stored in batches, and after each a checkpoint is stored under a fingerprint of the input. An interrupted import
// reads the part before the checkpoint again, to know its ids and to write its rejects, without storing it. It checks that
// these are the same bytes, and goes on. Storing a row is idempotent, so it does not matter where it was interrupted. A
// file that was imported to its end is imported again when it is run again.
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

	"llave/internal/affiliate"
)

// Sink stores records. It may be given the same ones again. The slice is used again after it returns.
type Sink interface {
	Import(ctx context.Context, records []affiliate.Record) error
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

// Summary is what an import did. Rows = Imported + Earlier + Rejected.
type Summary struct {
	Rows     int64         `json:"rows"`
	Imported int64         `json:"imported"`
	Earlier  int64         `json:"imported_earlier"` // by the run that was interrupted
	Rejected int64         `json:"rejected"`
	BadMail  int64         `json:"unusable_email"` // stored, but such a record can only go in person
	Rejects  string        `json:"rejects_file,omitempty"`
	Took     time.Duration `json:"-"`
}

// Run imports one file. It stores nothing when the error wraps ErrFile; when it wraps ErrStopped, what was stored
// stays and the same call goes on from there.
func Run(ctx context.Context, o Options) (Summary, error) {
	if o.Batch <= 0 {
		o.Batch = defaultBatch
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Report == nil {
		o.Report = func(Status) {}
	}
	if o.Rejects == "" {
		o.Rejects = RejectsName(o.Name)
	}
	sum, err := run(ctx, o, false)
	if !errors.Is(err, errChanged) {
		return sum, err
	}
	if s, ok := o.Source.(io.Seeker); ok {
		if _, err := s.Seek(0, io.SeekStart); err == nil {
			return run(ctx, o, true)
		}
	}
	return sum, fmt.Errorf("%w: the input is not the one that was interrupted; run it again to begin from the start", ErrStopped)
}

// pass is one reading of the input.
type pass struct {
	Options
	in      *lines
	seen    map[uint64]uint32 // hash of the id → line
	seed    maphash.Seed
	rejects *rejects
	mark    affiliate.ImportMark // the last one saved
	resume  int64                // lines that an earlier run has stored
	batch   []affiliate.Record
	codes   []coded
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
	buffered := bufio.NewReaderSize(o.Source, max(peek, maxLine)+1)
	head, err := buffered.Peek(peek)
	if err != nil && err != io.EOF {
		return Summary{}, fmt.Errorf("read %s: %w", inputName(o.Name), err)
	}
	p := &pass{
		Options: o,
		in:      newLines(buffered),
		seen:    map[uint64]uint32{},
		seed:    maphash.MakeSeed(),
		rejects: &rejects{path: o.Rejects},
		batch:   make([]affiliate.Record, 0, o.Batch),
		start:   o.Now(),
	}
	defer func() {
		if closeErr := p.rejects.close(); err == nil && closeErr != nil {
			err = closeErr
		}
	}()
	rows, err := open(o, head, p.in)
	if err != nil {
		return Summary{}, fmt.Errorf("%s %w: %w", inputName(o.Name), ErrFile, err)
	}
	p.rejects.header, p.rejects.comma = rows.rejectsHeader()
	if p.mark, err = o.Marks.Load(ctx, fingerprint(head, o.Size)); err != nil {
		return Summary{}, p.stopped(err)
	}
	if p.mark.Done || afresh {
		p.mark = affiliate.ImportMark{ID: p.mark.ID, Version: p.mark.Version}
		if err := o.Marks.Save(ctx, &p.mark); err != nil {
			return Summary{}, p.stopped(err)
		}
	}
	p.resume = p.mark.Line
	err = p.read(ctx, rows)
	p.sum.Took = o.Now().Sub(p.start)
	p.report(true)
	return p.sum, err
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
			if err := p.reject(c.line, sameButLetters(c.other), c.raw); err != nil {
				return err
			}
			continue
		}
		p.countMail(c.record)
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
	p.sum.Rows++
	rec, reason := rows.record(raw)
	written := tidy(rec.ID)
	if reason == "" {
		reason = check(&rec, p.ForeignCode)
	}
	if reason == "" {
		id := maphash.String(p.seed, rec.ID)
		if first, ok := p.seen[id]; ok {
			reason = p.twice(rec, written, int64(first))
		} else {
			p.seen[id] = uint32(p.in.number)
		}
	}
	if reason != "" {
		return p.reject(p.in.number, reason, rows.forRejects(raw))
	}
	if rec.IDType == affiliate.ForeignCode {
		p.codes = append(p.codes, coded{record: rec, written: written, line: p.in.number, raw: bytes.Clone(rows.forRejects(raw))})
		return nil
	}
	p.countMail(rec)
	if p.in.number > p.resume {
		p.batch = append(p.batch, rec)
	}
	return nil
}

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

func (p *pass) countMail(rec affiliate.Record) {
	if rec.Email != "" && !affiliate.ValidEmail(rec.Email) {
		p.sum.BadMail++
	}
}

// reject writes a row down that is not taken.
func (p *pass) reject(line int64, reason string, row []byte) error {
	p.sum.Rejected++
	if err := p.rejects.add(line, reason, row); err != nil {
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
		if err := p.Sink.Import(ctx, p.batch); err != nil {
			return p.stopped(err)
		}
		p.sum.Imported += int64(len(p.batch))
		p.batch = p.batch[:0]
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
	p.Report(Status{Line: p.in.number, Rows: p.sum.Rows, Rejected: p.sum.Rejected, Bytes: p.in.offset, Size: p.Size,
		Elapsed: p.Now().Sub(p.start), Done: done})
}

// fingerprint names an input by its beginning and its size.
func fingerprint(head []byte, size int64) string {
	h := sha256.New()
	fmt.Fprintf(h, "%d\n", size)
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
	r      *bufio.Reader
	hash   hash.Hash
	number int64
	offset int64
	long   bool // the last line was longer than maxLine and is cut
}

// maxLine is how long a line may be. The longest honest row is a few hundred bytes.
const maxLine = 64 << 10

func newLines(r *bufio.Reader) *lines { return &lines{r: r, hash: sha256.New()} }

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
