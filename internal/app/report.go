package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"llave/flows"
	"llave/internal/config"
	"llave/internal/mail"
	"llave/internal/report"
	"llave/internal/store"
)

// reportFormats are the ways in which a report is printed.
var reportFormats = []string{"table", "csv", "json", "html"}

// reportAsked is what the command was asked for.
type reportAsked struct {
	from, to, format, load string
	asJSON                 bool
}

func (p *program) reportCommand() *cobra.Command {
	var asked reportAsked
	cmd := &cobra.Command{
		Use: "report", Short: "Print what was attended to, by month, or load the months of the procedure's sheet", Args: cobra.NoArgs,
		Long: `Prints the transparency table of the procedure's sheet (year, month, complaints, attentions), the latest month first, and what was
counted beside: how many were completed and how long it took, letters, who asked for a person, how far people came and why they left.
Without --from and --to it is the last twelve months. A visit counts in the month in which it began; a month that runs is told of on
standard error. The service may run meanwhile.
With --load a file is read instead: CSV with the columns Año, Mes, Volumen de Quejas, Volumen de Atenciones ("-" reads standard input).
What was loaded of a month stands in the table in place of what was counted; a row with both volumes empty takes it off again. All of
a file is read before any of it is loaded: one with a mistake loads nothing, and one that broke off is loaded again.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := asked.check(cmd.Flags().Changed); err != nil {
				return fmt.Errorf("%w: %w", errUsage, err)
			}
			c, _, err := p.load()
			if err != nil {
				return err
			}
			if asked.load != "" {
				return p.loadSheet(cmd.Context(), c, asked)
			}
			if err := isThere(c); err != nil {
				return err
			}
			return withStoreOf(cmd.Context(), c, func(s *store.Store, c config.Config) error {
				return p.printReport(cmd.Context(), bookOf(s, c.Timezone), asked)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&asked.from, "from", "", "the first month, as 2025-09")
	f.StringVar(&asked.to, "to", "", "the last month, as 2025-12; without it the one that runs")
	f.StringVar(&asked.format, "format", "table", "one of "+strings.Join(reportFormats, ", ")+"; csv is the sheet's table alone, html a page with charts")
	f.StringVar(&asked.load, "load", "", "load the months of this file of the procedure's sheet")
	f.BoolVar(&asked.asJSON, "json", false, "the same as --format json; with --load, print how many months were loaded as JSON")
	return cmd
}

// check finds what does not go together.
func (r *reportAsked) check(given func(name string) bool) error {
	if r.load != "" {
		for _, name := range []string{"from", "to", "format"} {
			if given(name) {
				return fmt.Errorf("--load goes without --%s", name)
			}
		}
		return nil
	}
	if given("load") {
		return errors.New("--load needs the name of a file")
	}
	if r.asJSON && given("format") && r.format != "json" {
		return errors.New("--json goes with no other --format")
	}
	if r.asJSON {
		r.format = "json"
	}
	if !slices.Contains(reportFormats, r.format) {
		return fmt.Errorf("--format %q: it is one of %s", r.format, strings.Join(reportFormats, ", "))
	}
	for _, name := range []string{"from", "to"} {
		typed := map[string]string{"from": r.from, "to": r.to}[name]
		if _, err := report.ParseMonth(typed); given(name) && err != nil {
			return fmt.Errorf("--%s: %w", name, err)
		}
	}
	if r.from != "" && r.to != "" && r.from > r.to {
		return fmt.Errorf("--from %s --to %s: %w", r.from, r.to, report.ErrOrder)
	}
	return nil
}

// months are those that are printed.
func (r reportAsked) months(now report.Month) (from, to report.Month) {
	to = report.Month(r.to)
	if to == "" {
		to = max(now, report.Month(r.from))
	}
	if from = report.Month(r.from); from == "" {
		from = to.Plus(-11)
	}
	return from, to
}

func (p *program) printReport(ctx context.Context, b report.Book, asked reportAsked) error {
	now, err := b.Shelf.Now(ctx)
	if err != nil {
		return fmt.Errorf("read the store's clock: %w", err)
	}
	from, to := asked.months(report.MonthOf(now, b.Zone))
	span, err := b.Read(ctx, from, to)
	if err != nil {
		return err
	}
	names, err := reportNames()
	if err != nil {
		return err
	}
	p.remark(span, b.Zone)
	switch asked.format {
	case "csv":
		return span.WriteCSV(p.stdout)
	case "json":
		return span.WriteJSON(p.stdout)
	case "html":
		return span.WriteHTML(p.stdout, names, b)
	}
	return span.WriteTable(p.stdout, names)
}

// remark says on standard error what the table cannot.
func (p *program) remark(s report.Span, zone *time.Location) {
	if s.Since.IsZero() {
		fmt.Fprintln(p.stderr, "nothing was counted yet: counting begins when the service runs")
	}
	if len(s.Missing) > 0 {
		fmt.Fprintf(p.stderr, "nothing is known of %d of these months: %s\n", len(s.Missing), spans(s.Missing))
	}
	for _, f := range s.Months {
		switch {
		case f.Sheet != nil:
		case f.Running:
			fmt.Fprintf(p.stderr, "%s is not over\n", f.ID)
		case f.Partly:
			fmt.Fprintf(p.stderr, "%s is counted from %s on\n", f.ID, s.Since.In(zone).Format("2006-01-02 15:04"))
		}
	}
}

// spans writes months, those that follow each other as one: "2024-01 to 2024-12, 2025-03".
func spans(all []report.Month) string {
	var out []string
	for i := 0; i < len(all); {
		j := i
		for j+1 < len(all) && all[j+1] == all[j].Plus(1) {
			j++
		}
		if one := string(all[i]); j > i {
			out = append(out, one+" to "+string(all[j]))
		} else {
			out = append(out, one)
		}
		i = j + 1
	}
	return strings.Join(out, ", ")
}

func (p *program) loadSheet(ctx context.Context, c config.Config, asked reportAsked) error {
	rows, err := p.readSheet(asked.load)
	if err != nil {
		return fmt.Errorf("%s: %w", asked.load, err)
	}
	return withStoreOf(ctx, c, func(s *store.Store, c config.Config) error {
		if err := bookOf(s, c.Timezone).Load(ctx, rows); err != nil {
			return err
		}
		fmt.Fprintf(p.stderr, "months loaded: %d\n", len(rows))
		if asked.asJSON {
			_, err = fmt.Fprintf(p.stdout, "{\"loaded\":%d}\n", len(rows))
		}
		return err
	})
}

func (p *program) readSheet(name string) ([]report.Row, error) {
	var in io.Reader = p.stdin
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, errors.Unwrap(err) // the name stands before it
		}
		defer file.Close()
		in = file
	}
	return report.ReadSheet(in)
}

// reportNames are the words of stages and reasons.
func reportNames() (report.Names, error) {
	of, err := flows.ReadNames()
	if err != nil {
		return report.Names{}, err
	}
	var names report.Names
	for _, s := range of.Stages {
		names.Stages = append(names.Stages, report.Name{Key: s.Name, Words: s.Title})
	}
	for _, r := range of.Reasons {
		names.Reasons = append(names.Reasons, report.Name{Key: r.Name, Words: r.Title})
	}
	return names, nil
}

// ReportMonths writes the report of each month that is over and has none, and mails it to LLAVE_REPORT_TO. Whoever dies after the letter
// went sends it once more, alike (P804).
func (a *App) ReportMonths(ctx context.Context) error {
	if err := a.Store.Counts.Begin(ctx); err != nil {
		return fmt.Errorf("note since when is counted: %w", err)
	}
	book := a.figures()
	due, err := book.Due(ctx)
	if err != nil {
		return fmt.Errorf("find months to report: %w", err)
	}
	for _, m := range due {
		if err := book.Write(ctx, m); err != nil {
			return fmt.Errorf("write the report of %s: %w", m.ID, err)
		}
		if err := a.mailMonth(ctx, m); err != nil {
			return fmt.Errorf("mail the report of %s: %w", m.ID, err)
		}
		if err := book.Told(ctx, m.ID); err != nil {
			return fmt.Errorf("note the report of %s: %w", m.ID, err)
		}
		a.options.Log.Info("the month's report", "month", string(m.ID), "attentions", m.Own.Attentions, "completed", m.Own.Completed, "complaints", m.Own.Complaints, "letters", m.Own.Letters, "handoffs", m.Own.Handoffs)
	}
	return nil
}

func (a *App) mailMonth(ctx context.Context, m report.Figures) error {
	to := a.options.Config.ReportTo
	if to == "" {
		return nil
	}
	at := m.ID.Plus(1).Begins(a.options.Config.Timezone) // of each try the same, so that the letter is
	letter, err := a.letters.Compose(mail.Monthly, mail.Data{At: at, Month: monthLetter(m)})
	if err != nil {
		return err
	}
	letter.To, letter.MessageID, letter.Date = to, a.Vault.Derive("message-id", "report/"+string(m.ID)), at
	err = a.mailer.Send(ctx, letter)
	a.watchLetter(string(mail.Monthly), err)
	return err
}

// monthLetter is what the letter says of a month.
func monthLetter(m report.Figures) *mail.Month {
	number := func(s string) int { n, _ := strconv.Atoi(s); return n }
	of := &mail.Month{Year: number(m.ID.Year()), Number: number(m.ID.Number())}
	if m.Partly {
		of.Figures = append(of.Figures, mail.Figure{Name: "Se cuenta solo una parte del mes", Value: "sí"})
	}
	for i, value := range m.FigureCells() {
		of.Figures = append(of.Figures, mail.Figure{Name: report.FigureColumns[i], Value: value})
	}
	return of
}
