package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"llave/bot"
	"llave/internal/affiliate"
	"llave/internal/config"
	"llave/internal/handoff"
	"llave/internal/store"
)

// The register of breaches is kept in the store, by a command, because its point is the deadline: a file beside the service would not
// know holidays, and nobody would be reminded by it (P754).

// How long the law leaves, in working days after the day on which it was known (LOPDP 43 and 46; a término counts no days of rest).
const (
	authorityDays = 5 // to tell the Superintendencia de Protección de Datos Personales, and ARCOTEL
	personsDays   = 3 // to tell the people whom it puts at risk
)

// deadline is the end of the last of so many working days after a moment, where the institution is.
func deadline(known time.Time, days int, zone *time.Location) time.Time {
	day := known.In(zone)
	for days > 0 {
		day = day.AddDate(0, 0, 1)
		rest := slices.ContainsFunc(handoff.Holidays(day.Year()), func(h handoff.Holiday) bool { return h.Date == handoff.DateOf(day) })
		if day.Weekday() != time.Saturday && day.Weekday() != time.Sunday && !rest {
			days--
		}
	}
	return time.Date(day.Year(), day.Month(), day.Day()+1, 0, 0, 0, 0, zone)
}

// dues are the deadlines of an incident of which somebody is still to be told.
func dues(b store.Breach, zone *time.Location) (authority, persons time.Time) {
	if b.Harmless != "" {
		return
	}
	if b.Authority.IsZero() {
		authority = deadline(b.Known, authorityDays, zone)
	}
	if b.Persons.IsZero() {
		persons = deadline(b.Known, personsDays, zone)
	}
	return
}

// remindOfBreaches writes an error line for each deadline that is near or over. It is asked for every hour.
func (a *App) remindOfBreaches(ctx context.Context) error {
	now, err := a.Store.Now(ctx)
	if err != nil {
		return fmt.Errorf("read the store's clock: %w", err)
	}
	all, err := a.Store.Breaches.Load(ctx)
	if err != nil {
		return err
	}
	for _, b := range all.List {
		authority, persons := dues(b, a.options.Config.Timezone)
		for whom, due := range map[string]time.Time{"the authority": authority, "the people": persons} {
			if !due.IsZero() && due.Sub(now) < 48*time.Hour {
				a.options.Log.Error("a breach must be told of: llave breach list", "breach", b.Number, "whom", whom, "until", due, "late", !now.Before(due))
			}
		}
	}
	return nil
}

func (p *program) breach() *cobra.Command {
	cmd := &cobra.Command{
		Use: "breach", Short: "The register of security incidents that touched personal data", Args: cobra.NoArgs,
		Long: `Keeps the register of security incidents that touched personal data, with the deadlines of the law (LOPDP 43 and 46): the
Superintendencia de Protección de Datos Personales and ARCOTEL hear of one within five working days of its being known, and the people
whom it puts at risk within three. Whoever runs the service for the institution tells that within two. The service writes an error line
every hour once a deadline is two days away. What to do: docs/security.md.`,
		RunE: func(*cobra.Command, []string) error {
			return fmt.Errorf("%w: a command is needed after breach: add, list, told", errUsage)
		},
	}
	cmd.AddCommand(p.breachAdd(), p.breachList(), p.breachTold())
	return cmd
}

// withBreaches changes the register, until nobody else has meanwhile.
func (p *program) withBreaches(ctx context.Context, change func(b *store.Breaches, now time.Time, c config.Config) error) error {
	return p.withStore(ctx, func(s *store.Store, c config.Config) error {
		for {
			now, err := s.Now(ctx)
			if err != nil {
				return fmt.Errorf("read the store's clock: %w", err)
			}
			b, err := s.Breaches.Load(ctx)
			if err != nil {
				return err
			}
			if err := change(&b, now, c); err != nil {
				return err
			}
			if err := s.Breaches.Save(ctx, &b); !errors.Is(err, bot.ErrConflict) {
				return err
			}
		}
	})
}

// momentOf reads when something was, by the institution's clock; empty is now.
func momentOf(text string, now time.Time, zone *time.Location) (time.Time, error) {
	if text == "" {
		return now, nil
	}
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02T15:04", time.DateOnly, time.RFC3339} {
		if at, err := time.ParseInLocation(layout, text, zone); err == nil {
			if at.After(now) {
				return at, fmt.Errorf("%w: %s has not come yet", errUsage, text)
			}
			return at, nil
		}
	}
	return now, fmt.Errorf("%w: %q is no time; expected one such as 2026-03-02 15:04", errUsage, text)
}

func (p *program) breachAdd() *cobra.Command {
	var known, harmless string
	var people int
	cmd := &cobra.Command{
		Use: "add WHAT", Short: "Note an incident", Args: cobra.ExactArgs(1),
		Long: `Notes an incident, and prints its number and until when whom must be told. WHAT says in a line what happened, to which data, and what is
done about it; without names. - reads it from standard input. --known is when somebody had certainty of it, by LLAVE_TIMEZONE; without it,
now. --harmless says why it is unlikely to be a risk for anybody: nobody need be told then, and the reason stays.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			what, err := p.whose(args[0])
			if err != nil {
				return err
			}
			if what == "" || people < 0 {
				return fmt.Errorf("%w: say what happened, and to how many people if that is known", errUsage)
			}
			var noted store.Breach
			var zone *time.Location
			err = p.withBreaches(cmd.Context(), func(b *store.Breaches, now time.Time, c config.Config) error {
				zone = c.Timezone
				at, err := momentOf(known, now, zone)
				if err != nil {
					return err
				}
				noted = store.Breach{Number: len(b.List) + 1, Known: at, Noted: now, What: affiliate.MaskAll(what), People: people, Harmless: affiliate.MaskAll(harmless)}
				b.List = append(b.List, noted)
				return nil
			})
			if err != nil {
				return err
			}
			return p.printBreaches([]store.Breach{noted}, zone, time.Time{}, false)
		},
	}
	cmd.Flags().StringVar(&known, "known", "", "when it was known, such as \"2026-03-02 15:04\"")
	cmd.Flags().IntVar(&people, "people", 0, "how many people it touches; 0: not known")
	cmd.Flags().StringVar(&harmless, "harmless", "", "why it is unlikely to be a risk for anybody")
	return cmd
}

func (p *program) breachTold() *cobra.Command {
	var persons bool
	var at string
	cmd := &cobra.Command{
		Use: "told NUMBER", Short: "Note that the authority, or the people, were told of one", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := strconv.Atoi(args[0])
			if err != nil {
				return fmt.Errorf("%w: %q is no number of an incident: see llave breach list", errUsage, args[0])
			}
			return p.withBreaches(cmd.Context(), func(b *store.Breaches, now time.Time, c config.Config) error {
				if n < 1 || n > len(b.List) {
					return fmt.Errorf("there is no incident %d: see llave breach list", n)
				}
				told, err := momentOf(at, now, c.Timezone)
				if err != nil {
					return err
				}
				if persons {
					b.List[n-1].Persons = told
				} else {
					b.List[n-1].Authority = told
				}
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&persons, "people", false, "the people whom it puts at risk, not the authority")
	cmd.Flags().StringVar(&at, "at", "", "when; without it, now")
	return cmd
}

func (p *program) breachList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "Print the register, with the deadlines", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withStore(cmd.Context(), func(s *store.Store, c config.Config) error {
				now, err := s.Now(cmd.Context())
				if err != nil {
					return fmt.Errorf("read the store's clock: %w", err)
				}
				b, err := s.Breaches.Load(cmd.Context())
				if err != nil {
					return err
				}
				return p.printBreaches(b.List, c.Timezone, now, asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print it as JSON")
	return cmd
}

// shownBreach is an incident as the command prints it.
type shownBreach struct {
	store.Breach
	AuthorityUntil time.Time `json:"authority_until,omitzero"`
	PeopleUntil    time.Time `json:"people_until,omitzero"`
	Late           bool      `json:"late"`
}

func (p *program) printBreaches(list []store.Breach, zone *time.Location, now time.Time, asJSON bool) error {
	shown := []shownBreach{}
	for _, b := range list {
		authority, persons := dues(b, zone)
		late := !now.IsZero() && (!authority.IsZero() && !now.Before(authority) || !persons.IsZero() && !now.Before(persons))
		shown = append(shown, shownBreach{b, authority, persons, late})
	}
	if asJSON {
		return json.NewEncoder(p.stdout).Encode(shown)
	}
	const minute = "2006-01-02 15:04"
	until := func(due, told time.Time, harmless string) string {
		switch {
		case harmless != "":
			return "need not"
		case !told.IsZero():
			return "told " + told.In(zone).Format(minute)
		case !now.IsZero() && !now.Before(due):
			return "LATE, until " + due.In(zone).Format(minute)
		}
		return "until " + due.In(zone).Format(minute)
	}
	table := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "number\tknown\tpeople\tauthority\tpeople told\twhat")
	for _, b := range shown {
		people := "?"
		if b.People > 0 {
			people = strconv.Itoa(b.People)
		}
		what := b.What
		if b.Harmless != "" {
			what += " (harmless: " + b.Harmless + ")"
		}
		fmt.Fprintln(table, strings.Join([]string{strconv.Itoa(b.Number), b.Known.In(zone).Format(minute), people,
			until(b.AuthorityUntil, b.Authority, b.Harmless), until(b.PeopleUntil, b.Persons, b.Harmless), what}, "\t"))
	}
	return table.Flush()
}
