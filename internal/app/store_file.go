package app

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"llave/internal/config"
	"llave/internal/store"
	"llave/internal/store/bolt"
)

func (p *program) storeCompact() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "compact", Short: "Give back the room that the embedded store's file has free", Args: cobra.NoArgs,
		Long: `Writes the file of the embedded store anew without what is free in it, and puts that into the place of the old one, with the same rights, once it
is whole and the same; the old one is overwritten. It needs as much room again as the store takes, and nobody may serve from it meanwhile. What
is interrupted leaves the store as it was. MongoDB looks after its files itself.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.embedded()
			if err != nil {
				return err
			}
			done, err := bolt.Compact(cmd.Context(), c.DataDir)
			if err != nil {
				return fmt.Errorf("%w%s", err, stopFirst(err))
			}
			if asJSON {
				return json.NewEncoder(p.stdout).Encode(done)
			}
			_, err = fmt.Fprintf(p.stdout, "before %d\nafter %d\n", done.Before, done.After)
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the sizes as JSON")
	return cmd
}

func (p *program) storeCheck() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "check", Short: "See whether the embedded store's file is well", Args: cobra.NoArgs,
		Long: `Reads the whole file of the embedded store: its pages, its documents, and its indexes against them. It changes nothing, and exits with 1 where
something is wrong. Nobody may serve from the store meanwhile; of one that runs look at a backup (llave backup reads every
document). MongoDB has its own (db.collection.validate()).`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.embedded()
			if err != nil {
				return err
			}
			found, err := bolt.Check(cmd.Context(), c.DataDir)
			if err != nil {
				return fmt.Errorf("%w%s", err, stopFirst(err))
			}
			return p.sayChecked(found, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print what was found as JSON")
	return cmd
}

// embedded reads the settings of a command that is for the embedded store alone, which must be there.
func (p *program) embedded() (config.Config, error) {
	c, _, err := p.load()
	if err != nil {
		return c, err
	}
	if !c.Embedded() {
		return c, errors.New("this is for the embedded store; LLAVE_MONGODB_URI names another, which looks after its files itself")
	}
	return c, isThere(c)
}

func stopFirst(err error) string {
	if errors.Is(err, store.ErrLocked) {
		return "; stop that process first"
	}
	return ""
}

// errUnwell is how a check ends that found something.
var errUnwell = errors.New("the store is damaged: put a backup back (llave restore), and keep the file")

func (p *program) sayChecked(found bolt.Checked, asJSON bool) error {
	if asJSON {
		if err := json.NewEncoder(p.stdout).Encode(found); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(p.stdout, "bytes %d\nfree %d\ndocuments %d\n", found.Bytes, found.Free, found.Documents)
		for _, f := range found.Faults {
			fmt.Fprintf(p.stdout, "FAULT %s\n", f)
		}
		if len(found.Faults) == 0 {
			fmt.Fprintln(p.stdout, "well")
		}
	}
	if len(found.Faults) > 0 {
		return errUnwell
	}
	return nil
}
