package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"llave/internal/importer"
)

// importFlags are those of `llave import`.
type importFlags struct {
	json, dryRun, fixZero, deleteMissing bool
	deleteLimit, rejects                 string
}

func (p *program) importFile() *cobra.Command {
	var f importFlags
	cmd := &cobra.Command{
		Use: "import FILE", Short: "Load or update records from CSV or NDJSON", Args: cobra.ExactArgs(1),
		Long: `Loads or updates records from a CSV or NDJSON file ("-" reads standard input). Columns:
  _id, id_type (cedula|foreign_code), category (affiliate|pensioner|beneficiary), full_name, email,
  data_updated_at (a date, or empty), status (locked|active|suspended|deceased)
and, if the institute keeps it:
  updated_at (when the row last changed: a row that is older than what is stored changes nothing)
UTF-8, UTF-16 and Windows-1252 are read, and what spreadsheets add (sep=;, empty rows and columns). Dates are read when they
read one way only: 2025-03-01, 2025-03-01 10:30, 2025/03/01, 31/12/2025, but not 01/03/2025.
Safe to run again and to interrupt: the same command goes on where it was. Rejected rows go to FILE.rejects.csv (of
standard input rejects.csv in this folder, or where --rejects says) with line, reason and kind; a rejected row changes nothing. Rows that were stored with an address that cannot be used stand there too.
Exits with 1 when no row was taken, and when --delete-missing deleted nothing because the file may not be whole.`,
		RunE: func(cmd *cobra.Command, args []string) error { return p.runImport(cmd.Context(), args[0], f) },
	}
	cmd.Flags().BoolVar(&f.json, "json", false, "print the summary as JSON")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "say what would be done, write the file of rejected rows, and store nothing")
	cmd.Flags().BoolVar(&f.fixZero, "fix-zero", false, "put the 0 back that a spreadsheet dropped, where nine digits are a cédula then")
	cmd.Flags().StringVar(&f.rejects, "rejects", "", "where rejected rows go; - is standard output, and the summary then goes to standard error")
	cmd.Flags().BoolVar(&f.deleteMissing, "delete-missing", false, "afterwards delete the records that the file does not have")
	cmd.Flags().StringVar(&f.deleteLimit, "delete-limit", "", "with --delete-missing: delete none if more than so many (500, 2%) are missing (default 1%, or up to 10 of 100)")
	return cmd
}

func (p *program) runImport(ctx context.Context, name string, f importFlags) error {
	limit, err := importer.ParseLimit(f.deleteLimit)
	switch {
	case err != nil:
		return fmt.Errorf("%w: --delete-limit: %w", errUsage, err)
	case f.deleteLimit != "" && !f.deleteMissing:
		return fmt.Errorf("%w: --delete-limit goes with --delete-missing", errUsage)
	}
	c, _, err := p.load()
	if err != nil {
		return err
	}
	source, size, written := p.stdin, int64(0), time.Time{}
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return fmt.Errorf("open the file to import: %w", err)
		}
		defer file.Close()
		if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
			size, written = info.Size(), info.ModTime()
		}
		source = file
	}
	s, err := OpenStore(ctx, c)
	if err != nil {
		return err
	}
	defer s.Engine().Close()
	var rejectsTo io.Writer
	summary := p.stdout
	if f.rejects == "-" {
		rejectsTo, summary = p.stdout, p.stderr
	}
	sum, err := importer.Run(ctx, importer.Options{
		Rejects: f.rejects, RejectsTo: rejectsTo,
		Source: source, Size: size, Name: name, ForeignCode: c.ForeignCodePattern, Sink: s.Affiliates, Marks: s.Imports,
		Zone: c.Timezone, AsOf: written, FixZero: f.fixZero, DryRun: f.dryRun,
		Missing: importer.Missing{Delete: f.deleteMissing, Limit: limit},
		Now:     func() time.Time { now, _ := s.Now(ctx); return now }, // told from memory: it cannot fail
		Report:  importer.Progress(p.stderr, isTerminal(p.stderr), size),
	})
	if err != nil && !errors.Is(err, importer.ErrNothing) && !errors.Is(err, importer.ErrNotDeleted) {
		return err
	}
	return errors.Join(p.sayImport(summary, sum, f.json), err)
}

// sayImport prints what an import did: the counts on out, what to know about them on standard error.
func (p *program) sayImport(out io.Writer, sum importer.Summary, asJSON bool) error {
	importNotes(p.stderr, sum)
	if asJSON {
		return json.NewEncoder(out).Encode(sum)
	}
	fmt.Fprintf(out, "%d rows: %d imported, %d imported earlier, %d rejected; %d stored without a usable e-mail; %.1f s\n",
		sum.Rows, sum.Imported, sum.Earlier, sum.Rejected, sum.BadMail, sum.Took.Seconds())
	_, err := fmt.Fprintf(out, "records: %d new, %d changed, %d as they were, %d newer than the row, %d deleted\n",
		sum.New, sum.Changed, sum.Unchanged, sum.Older, sum.Deleted)
	return err
}

func importNotes(w io.Writer, sum importer.Summary) {
	note := func(yes bool, format string, args ...any) {
		if yes {
			fmt.Fprintf(w, format+"\n", args...)
		}
	}
	note(sum.DryRun, "Dry run: nothing was stored.")
	note(sum.UTF16, "Read as UTF-16.")
	note(sum.Windows1252 > 0, "Lines that are not UTF-8, read as Windows-1252: %d. Look at some names with ñ or accents.", sum.Windows1252)
	note(sum.Kept > 0, "Llave has unlocked or locked the record after the row was written; that status was kept: %d.", sum.Kept)
	note(sum.Future > 0, "Rows whose updated_at is still to come, taken as rows without one: %d.", sum.Future)
	note(sum.FixedZero > 0, "Numbers that got their 0 back: %d.", sum.FixedZero)
	note(sum.LostZero > 0, "Rejected numbers of 9 digits that are a cédula with a 0 in front, which Excel drops: %d. --fix-zero puts it back.", sum.LostZero)
	note(sum.Rejects != "", "Rejected rows and unusable e-mails, each with its line, the reason and a kind: %s", sum.Rejects)
}
