package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"llave/bot"
	"llave/internal/config"
	"llave/internal/events"
	"llave/internal/runner"
	"llave/internal/secret"
	"llave/internal/store"
)

// deadFor is how long an event that nobody took can be sent again.
const deadFor = 30 * 24 * time.Hour

// keepEvent tells the institution's programs. Where they are told no more it is kept by that. When its day is over it is tried a
// last time, also where nobody ran for the whole day, and kept among the dead ones then: with what is known of it, where its record
// cannot be read.
func (a *App) keepEvent(ctx context.Context, p bot.Promise, what bot.Announce) (runner.Effects, error) {
	if a.events == nil {
		return runner.Effects{}, nil
	}
	e := events.Event{ID: a.Vault.Derive("event-id", p.ID), Name: what.Event, At: p.Made, Data: events.Data{Attempt: p.Attempt, Case: what.Ref}}
	why := "its record cannot be read"
	err := a.fillEvent(ctx, p, &e)
	if err == nil {
		if err := runner.StillOurs(ctx); err != nil {
			return runner.Effects{}, err
		}
		err = a.events.Send(ctx, e)
		why = whyNotTaken(err)
	}
	if p.Until.IsZero() || err != nil && ctx.Err() != nil {
		return runner.Effects{}, err
	}
	now, clock := a.Store.Now(ctx)
	late := clock == nil && now.After(p.Until)
	switch {
	case err == nil && (late || clock != nil): // whoever tried it before may have died between burying it and saying so
		err = runner.Written(ctx, func(ctx context.Context) error { return a.Store.Events.Taken(ctx, e.ID) })
	case err != nil && late && runner.StillOurs(ctx) == nil:
		err = a.bury(ctx, e, store.DeadEvent{Died: now, Tries: p.Tries + 1, Why: why})
	}
	return runner.Effects{}, err
}

// fillEvent says whose record an event is of.
func (a *App) fillEvent(ctx context.Context, p bot.Promise, e *events.Event) error {
	if p.Record == "" {
		return nil
	}
	rec, err := a.Unlock.Person(ctx, p.Record, p.Attempt)
	if err != nil {
		return err
	}
	e.Data.RecordID, e.Data.IDType = rec.ID, string(rec.IDType)
	return nil
}

// bury keeps an event that nobody took, and says so: runner.ErrDead.
func (a *App) bury(ctx context.Context, e events.Event, dead store.DeadEvent) error {
	whole, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	dead.ID, dead.Name, dead.At, dead.Sealed = e.ID, e.Name, e.At, a.Vault.Seal(secret.DeadEvent.Of(e.ID), string(whole))
	if err := a.Store.Events.Bury(ctx, dead); err != nil {
		return fmt.Errorf("keep a dead event: %w", err)
	}
	a.options.Log.Warn("event was not taken within a day: llave events resend", "event", e.Name, "id", e.ID, "tries", dead.Tries, "why", dead.Why)
	return runner.ErrDead
}

// whyNotTaken is why an event was not taken, without secrets.
func whyNotTaken(err error) string {
	if se := (*bot.SendError)(nil); errors.As(err, &se) {
		return se.Reason
	}
	return "it cannot be sent"
}

func (p *program) events() *cobra.Command {
	cmd := &cobra.Command{
		Use: "events", Short: "Events that the institution's programs did not take", Args: cobra.NoArgs,
		Long: `An event (LLAVE_EVENTS_URL) is tried for a day, with growing waits. One that was not taken by then is dead: it is kept for 30
days, listed here, and can be sent again.`,
		RunE: func(*cobra.Command, []string) error {
			return fmt.Errorf("%w: a command is needed after events: list, resend", errUsage)
		},
	}
	cmd.AddCommand(p.eventsList(), p.eventsResend())
	return cmd
}

// withEvents opens the store that the settings name, which must be there, for as long as do runs.
func (p *program) withEvents(ctx context.Context, do func(s *store.Store, c config.Config) error) error {
	c, _, err := p.load()
	if err != nil {
		return err
	}
	if err := isThere(c); err != nil {
		return err
	}
	return withStoreOf(ctx, c, do)
}

// shownEvent is a dead event as the command prints it.
type shownEvent struct {
	ID       string    `json:"id"`
	Event    string    `json:"event"`
	Happened time.Time `json:"happened"`
	Died     time.Time `json:"died"`
	Tries    int       `json:"tries"`
	Why      string    `json:"why"`
}

func (p *program) eventsList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "Print the dead ones, the longest dead first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withEvents(cmd.Context(), func(s *store.Store, c config.Config) error {
				dead, err := s.Events.List(cmd.Context())
				if err != nil {
					return err
				}
				owed, err := s.Owed(cmd.Context())
				if err != nil {
					return err
				}
				day := func(at time.Time) string { return at.In(c.Timezone).Format("2006-01-02 15:04") }
				if o := owed[bot.LaneHook]; o.Promises > 0 {
					fmt.Fprintf(p.stderr, "still tried by serve, and not listed: %d, the oldest since %s\n", o.Promises, day(o.Oldest))
				}
				if asJSON {
					shown := []shownEvent{}
					for _, e := range dead {
						shown = append(shown, shownEvent{e.ID, e.Name, e.At.UTC(), e.Died.UTC(), e.Tries, e.Why})
					}
					return json.NewEncoder(p.stdout).Encode(shown)
				}
				w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
				fmt.Fprintln(w, "ID\tEVENT\tHAPPENED\tDIED\tTRIES\tWHY")
				for _, e := range dead {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\n", e.ID, e.Name, day(e.At), day(e.Died), e.Tries, e.Why)
				}
				return w.Flush()
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print them as a JSON array")
	return cmd
}

// resent is what became of a dead event that was sent again.
type resent struct {
	ID    string `json:"id"`
	Event string `json:"event"`
	Taken bool   `json:"taken"`
	Why   string `json:"why,omitempty"`
}

func (p *program) eventsResend() *cobra.Command {
	var all, asJSON bool
	cmd := &cobra.Command{
		Use: "resend [ID…]", Short: "Send dead ones again, now, once",
		Long: `Sends dead events again, the longest dead first: those named, or with --all every one. Each keeps the id that it had, so a
receiver that has it after all knows it. What is taken is listed no longer. Exits with 1 when one was not taken.`,
		RunE: func(cmd *cobra.Command, ids []string) error {
			if all == (len(ids) > 0) {
				return fmt.Errorf("%w: name the events to send again, or give --all", errUsage)
			}
			return p.resend(cmd.Context(), ids, asJSON)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "send every dead one")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print what became of each as a JSON array")
	return cmd
}

// resend sends the dead events with those ids again, all where there are none.
func (p *program) resend(ctx context.Context, ids []string, asJSON bool) error {
	return p.withEvents(ctx, func(s *store.Store, c config.Config) error {
		if c.EventsURL == nil {
			return errors.New("LLAVE_EVENTS_URL is not set: there is nobody to send them to")
		}
		_, vault, err := openVault(ctx, c, s)
		if err != nil {
			return err
		}
		sender, err := events.New(c.EventsURL.String(), c.EventsSecret.Reveal())
		if err != nil {
			return fmt.Errorf("LLAVE_EVENTS_SECRET: %w", err)
		}
		defer sender.Close()
		dead, err := chosen(ctx, s, ids)
		if err != nil {
			return err
		}
		done, err := sendAgain(ctx, s, vault, sender, dead)
		return errors.Join(p.printResent(done, asJSON), err)
	})
}

// chosen are the dead events with those ids, all where there are none. One that is not there is a mistake, and nothing is sent.
func chosen(ctx context.Context, s *store.Store, ids []string) ([]store.DeadEvent, error) {
	all, err := s.Events.List(ctx)
	if err != nil || len(ids) == 0 {
		return all, err
	}
	wanted := map[string]bool{}
	for _, id := range ids {
		wanted[id] = true
	}
	var dead []store.DeadEvent
	for _, e := range all {
		if wanted[e.ID] {
			dead = append(dead, e)
			delete(wanted, e.ID)
		}
	}
	var unknown []string
	for _, id := range ids {
		if wanted[id] {
			unknown = append(unknown, id)
		}
	}
	if len(unknown) > 0 {
		return nil, fmt.Errorf("no dead event has the id %s (llave events list)", strings.Join(unknown, ", "))
	}
	return dead, nil
}

// sendAgain tries each once, and says what became of it. The error says that one was not taken.
func sendAgain(ctx context.Context, s *store.Store, vault *secret.Vault, sender *events.Sender, dead []store.DeadEvent) ([]resent, error) {
	done, failed := []resent{}, 0
	for _, d := range dead {
		whole, err := vault.Open(secret.DeadEvent.Of(d.ID), d.Sealed)
		if err != nil {
			return done, fmt.Errorf("open event %s: %w", d.ID, err)
		}
		var e events.Event
		if err := json.Unmarshal([]byte(whole), &e); err != nil {
			return done, fmt.Errorf("read event %s: %w", d.ID, err)
		}
		one := resent{ID: d.ID, Event: d.Name, Taken: true}
		if err := sender.Send(ctx, e); err != nil {
			failed++
			one.Taken, one.Why = false, whyNotTaken(err)
			err = s.Events.Failed(ctx, d.ID, one.Why)
			if err != nil {
				return done, err
			}
		} else if err := s.Events.Taken(ctx, d.ID); err != nil {
			return done, fmt.Errorf("event %s was taken, and stays listed: %w", d.ID, err)
		}
		done = append(done, one)
		if ctx.Err() != nil {
			return done, ctx.Err()
		}
	}
	if failed > 0 {
		return done, fmt.Errorf("%d of %d events were not taken", failed, len(dead))
	}
	return done, nil
}

func (p *program) printResent(done []resent, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(p.stdout).Encode(done)
	}
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	for _, r := range done {
		became := "taken"
		if !r.Taken {
			became = "not taken: " + r.Why
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", r.ID, r.Event, became)
	}
	return w.Flush()
}
