package app

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"llave/bot"
	"llave/flows"
	"llave/internal/config"
	"llave/internal/runner"
	"llave/internal/store"
	"llave/internal/store/bolt"
	"llave/internal/unheard"
)

// keepUnheard keeps a sentence that was not understood, under hashes of the chat and the turn: the promise's own name holds
// the chat.
func (a *App) keepUnheard(ctx context.Context, p bot.Promise, what bot.KeepUnheard) (runner.Effects, error) {
	if a.options.Config.Retention.Unheard == 0 {
		return runner.Effects{}, nil
	}
	return runner.Effects{}, a.Store.Unheard.Tell(ctx, unheard.Telling{
		Who: a.teller(what.Conv), Turn: a.Vault.Hash("unheard/turn", p.ID), At: p.Made,
		Place: what.Place, Lang: what.Lang, Said: what.Said, Meaning: what.Meaning, Confidence: what.Confidence,
	})
}

func (a *App) eraseUnheard(ctx context.Context, _ bot.Promise, what bot.EraseUnheard) (runner.Effects, error) {
	return runner.Effects{}, a.Store.Unheard.Erase(ctx, a.teller(what.Conv))
}

// teller is what a chat is called beside its sentences.
func (a *App) teller(conv string) string { return a.Store.Book.Teller(a.Store.Book.Conv(conv)) }

// dropTellers forgets whose the sentences are that were said a day ago.
func (a *App) dropTellers(ctx context.Context) error {
	now, err := a.Store.Now(ctx)
	if err != nil {
		return fmt.Errorf("read the store's clock: %w", err)
	}
	return a.Store.Unheard.Drop(ctx, now)
}

// keptSince is the moment before which something is kept no longer; after every other when none is kept at all.
func keptSince(now time.Time, kept time.Duration) time.Time {
	if kept == 0 {
		return now.AddDate(1, 0, 0)
	}
	return now.Add(-kept)
}

// ExportUnheard writes the sentences that were not understood and that a supervisor gave a meaning, as CSV with the columns
// of the examples: state, said, meaning; with [all] also those that have none yet, with an empty meaning. What was set
// aside is not among them.
func ExportUnheard(ctx context.Context, w io.Writer, s *store.Store, all bool) error {
	out := csv.NewWriter(w)
	_ = out.Write([]string{"state", "said", "meaning"}) // Error tells of all of them
	err := s.Unheard.Each(ctx, func(r unheard.Row) bool {
		if r.Assigned != unheard.NotOurs && (all || r.Assigned != "") {
			_ = out.Write([]string{flows.ExamplesPlace(r.Place), r.Said, r.Assigned})
		}
		return true
	})
	if err != nil {
		return fmt.Errorf("export sentences: %w", err)
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("export sentences: %w", err)
	}
	return nil
}

// isThere says what is wrong when the embedded store that is to be read does not exist: opening it would make an empty one,
// and somebody in the wrong folder would believe that nothing was said.
func isThere(c config.Config) error {
	if !c.Embedded() {
		return nil
	}
	if _, err := os.Stat(filepath.Join(c.DataDir, bolt.FileName)); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no store in %s (LLAVE_DATA_DIR)", c.DataDir)
	}
	return nil
}

// exporting gives [cmd] the flags that write what was not understood, instead of what it does without them.
func (p *program) exporting(cmd *cobra.Command) *cobra.Command {
	var export, all bool
	cmd.Long += "\nWith --export the store is opened instead, and what people wrote that was not understood is written. The service may run\n" +
		"meanwhile."
	cmd.Flags().BoolVar(&export, "export", false, "write the sentences that were not understood and that supervisors gave a meaning, as CSV: state,said,meaning")
	cmd.Flags().BoolVar(&all, "all", false, "with --export: also those that have no meaning yet")
	without := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case export && len(args) > 0:
			return fmt.Errorf("%w: --export takes no file", errUsage)
		case export:
			c, _, err := p.load()
			if err != nil {
				return err
			}
			if err := isThere(c); err != nil {
				return err
			}
			return withStoreOf(cmd.Context(), c, func(s *store.Store, _ config.Config) error {
				return ExportUnheard(cmd.Context(), p.stdout, s, all)
			})
		case all:
			return fmt.Errorf("%w: --all goes with --export", errUsage)
		}
		return without(cmd, args)
	}
	return cmd
}
