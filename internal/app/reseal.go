package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"llave/internal/store"
)

// lookKeys keeps this process told of the keys that seal (P732). One warning says that there is a key that it cannot have.
func (a *App) lookKeys(ctx context.Context) {
	tick := time.NewTicker(store.KeysEvery)
	defer tick.Stop()
	warned := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := a.Store.Ring.Look(ctx)
		if errors.Is(err, store.ErrSecretKey) && !warned {
			a.options.Log.Warn("a key that seals cannot be opened: what is sealed with it cannot be read here until this process has the new LLAVE_SECRET_KEY too", "error", err)
		}
		warned = errors.Is(err, store.ErrSecretKey)
	}
}

// reseal seals anew what is not sealed with the key of now, where somebody began it, a version before sealed it, or keys have rested (P733).
func (a *App) reseal(ctx context.Context) error {
	began := time.Now()
	done, err := a.Store.Reseal(ctx, a.Vault, a.name, func(store.Resealing) {})
	switch {
	case errors.Is(err, store.ErrBeingResealed): // by a command
		return nil
	case err != nil:
		return err
	case done.Fresh && done.Sealed > 0:
		a.options.Log.Info("sealed anew", "values", done.Sealed, "documents", done.Looked, "broken", done.Broken, "took", time.Since(began))
	}
	if done.Fresh && done.Broken > 0 {
		a.options.Log.Warn("there are sealed values that nobody can open", "values", done.Broken)
	}
	return nil
}

func (p *program) store() *cobra.Command {
	cmd := &cobra.Command{
		Use: "store", Short: "Look after the store", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var names []string
			for _, below := range cmd.Commands() {
				names = append(names, below.Name())
			}
			return fmt.Errorf("%w: a command is needed after store: %s", errUsage, strings.Join(names, ", "))
		},
	}
	cmd.AddCommand(p.storeReseal(), p.storeCheck(), p.storeCompact())
	return cmd
}

func (p *program) storeReseal() *cobra.Command {
	var fresh, asJSON bool
	cmd := &cobra.Command{
		Use: "reseal", Short: "Seal everything anew with the key of now", Args: cobra.NoArgs,
		Long: `Seals every sealed value anew that is not sealed with the key of now: those of another key, and those that a version before sealed.
Works beside processes that serve, embedded store or MongoDB. It may be interrupted and goes on where it was; running it twice does no
harm; one runs at a time, and a service goes on with what was interrupted by itself.
With --new-key it makes a new key first, which seals half a minute later, once every process knows it. Keys that nothing needs any more
are forgotten, a day after another took their place at the earliest: links and "No fui yo" need theirs for seven days. LLAVE_SECRET_KEY is
another matter: it wraps these keys, and is rotated by the setting.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, _, err := p.load()
			if err != nil {
				return err
			}
			s, err := OpenStore(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer s.Engine().Close()
			_, vault, err := openVault(cmd.Context(), c, s)
			if err != nil {
				return err
			}
			s.Seal(vault)
			say := p.resealProgress()
			if err := p.awaitKey(cmd.Context(), s, fresh); err != nil {
				return err
			}
			done, err := s.Reseal(cmd.Context(), vault, processName(), say)
			if cmd.Context().Err() != nil && err != nil {
				return fmt.Errorf("interrupted: llave store reseal goes on where it was, and so does a service by itself (%w)", err)
			}
			if err != nil {
				return err
			}
			return p.sayResealed(done, asJSON)
		},
	}
	cmd.Flags().BoolVar(&fresh, "new-key", false, "make a new key first")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the counts as JSON")
	return cmd
}

// awaitKey waits until the newest key seals.
func (p *program) awaitKey(ctx context.Context, s *store.Store, fresh bool) error {
	from, err := s.Ring.From(ctx)
	if err == nil && fresh {
		from, err = s.Ring.Renew(ctx)
	}
	for told := false; err == nil; {
		now, clock := s.Now(ctx)
		if clock != nil {
			return fmt.Errorf("read the store's clock: %w", clock)
		}
		if !now.Before(from) {
			return s.Ring.Look(ctx)
		}
		if !told {
			fmt.Fprintf(p.stderr, "The newest key seals from %s on: until then every process learns of it, and one of a version before may still be there.\n", from.Local().Format("15:04:05"))
			told = true
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("interrupted before anything was sealed anew: llave store reseal, without --new-key, goes on once the key seals (%w)", ctx.Err())
		case <-time.After(min(time.Second, from.Sub(now))):
		}
	}
	return err
}

// resealProgress says how far it is: on a terminal in one line that changes, else every ten seconds.
func (p *program) resealProgress() func(store.Resealing) {
	terminal, said := isTerminal(p.stderr), time.Now()
	return func(r store.Resealing) {
		every := 10 * time.Second
		if terminal {
			every = 200 * time.Millisecond
		}
		over := !r.Ended.IsZero()
		if !over && time.Since(said) < every {
			return
		}
		said = time.Now()
		line := fmt.Sprintf("pass %d: %d of %d documents looked at, %d values sealed anew", r.Pass, r.Looked, max(r.Total, r.Looked), r.Sealed)
		switch {
		case !terminal:
			fmt.Fprintln(p.stderr, line)
		case over:
			fmt.Fprintf(p.stderr, "\r%s\n", line)
		default:
			fmt.Fprintf(p.stderr, "\r%s", line)
		}
	}
}

func (p *program) sayResealed(r store.Resealing, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(p.stdout).Encode(r)
	}
	_, err := fmt.Fprintf(p.stdout, "documents %d\nsealed %d\nbroken %d\npasses %d\nforgotten keys %d\n", r.Looked, r.Sealed, r.Broken, r.Pass, r.Forgot)
	return err
}
