package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"llave/internal/config"
	"llave/internal/store"
)

// errBroken is how a verification ends that found something.
var errBroken = errors.New("the audit is not as it was written: see above")

func (p *program) audit() *cobra.Command {
	cmd := &cobra.Command{
		Use: "audit", Short: "Who did what", Args: cobra.NoArgs,
		Long: "Who did what at the desk is read in the console. Its lines are chained by keyed hashes, so that one that was changed, taken out\nor put in shows.",
		RunE: func(*cobra.Command, []string) error {
			return fmt.Errorf("%w: a command is needed after audit: verify", errUsage)
		},
	}
	cmd.AddCommand(p.auditVerify())
	return cmd
}

func (p *program) auditVerify() *cobra.Command {
	var asJSON bool
	var end string
	cmd := &cobra.Command{
		Use: "verify [--end NUMBER:HASH]", Short: "See whether the audit is as it was written", Args: cobra.NoArgs,
		Long: `Reads the whole chain and names each place at which it is broken. Exits with 1 when there is one. Works beside a service that runs.

A chain cannot show by itself that its end was cut off. Where it ends is printed here, and said in the log of serve every hour
("audit"): with --end and what was noted down then, the chain must still go through that place.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var noted store.AuditEnd
			if end != "" {
				var err error
				if noted, err = store.ParseAuditEnd(end); err != nil {
					return fmt.Errorf("%w: --end: %w", errUsage, err)
				}
			}
			return p.withStore(cmd.Context(), func(s *store.Store, c config.Config) error {
				if _, _, err := openVault(cmd.Context(), c, s); err != nil {
					return err
				}
				r, err := s.Audit.Verify(cmd.Context(), noted)
				if err != nil {
					return err
				}
				if err := p.auditReport(r, asJSON); err != nil {
					return err
				}
				if len(r.Faults) > 0 {
					return errBroken
				}
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print it as JSON")
	cmd.Flags().StringVar(&end, "end", "", "an end of the chain that was noted down")
	return cmd
}

func (p *program) auditReport(r store.AuditReport, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(p.stdout).Encode(r)
	}
	print := func(format string, args ...any) { fmt.Fprintf(p.stdout, format+"\n", args...) }
	if r.Lines == 0 {
		print("no line is chained yet")
	} else {
		print("%d lines, numbers %d to %d", r.Lines, r.First, r.Last)
	}
	if r.Began != nil {
		print("the chain began on %s", r.Began.UTC().Format(time.RFC3339))
	}
	if r.CutUpto != nil {
		print("what is older than %s was removed in its time", r.CutUpto.UTC().Format(time.RFC3339))
	}
	if r.Beside > 0 {
		print("%d lines beside the chain, of versions before it", r.Beside)
	}
	if r.End != "" {
		print("ends at %s", r.End)
	}
	if r.Skipped {
		print("the end that was noted down has been removed in its time: nothing was compared")
	}
	for _, f := range r.Faults {
		where := "beside the chain"
		if f.Seq > 0 {
			where = fmt.Sprint("at ", f.Seq)
		}
		print("BROKEN %s: %s", where, f.What)
	}
	if len(r.Faults) == 0 {
		print("as it was written")
	}
	return nil
}

// auditBegan says in the log that the audit's chain has begun. It does once in a store's life, so that a second time says that somebody
// took it away.
func (a *App) auditBegan(older bool) {
	level := slog.LevelInfo
	if older {
		level = slog.LevelWarn
	}
	a.options.Log.Log(context.Background(), level, "security", "event", eventAuditBegan, "lines_before_it", older)
}

// noteAudit says in the log where the audit's chain ends: who can write the store cannot write there. It must still go through where it
// ended when this process said so last.
func (a *App) noteAudit(ctx context.Context) error {
	if a.auditEnd.Seq > 0 {
		switch through, err := a.Store.Audit.GoesThrough(ctx, a.auditEnd); {
		case err != nil:
			return err
		case !through:
			a.options.Log.Error("the audit does not go through where it ended before: llave audit verify --end", "end", a.auditEnd.String())
			a.sees(eventControlFailed, "control", "audit_chain")
		}
	}
	end, err := a.Store.Audit.End(ctx)
	if err != nil {
		return err
	}
	a.auditEnd = end
	if end.Seq > 0 {
		a.options.Log.Info("audit", "end", end.String())
	}
	return nil
}
