package app

import (
	"cmp"
	"context"
	"crypto/rand"
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
	"llave/internal/agent"
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
			return fmt.Errorf("%w: a command is needed after breach: add, change, list, told", errUsage)
		},
	}
	cmd.AddCommand(p.breachAdd(), p.breachChange(), p.breachList(), p.breachTold())
	return cmd
}

// withBreaches changes an incident of the register, until nobody else has changed that meanwhile, and prints it. The audit has what was done.
func (p *program) withBreaches(ctx context.Context, what string, change func(b *store.Breaches, now time.Time, c config.Config) (number int, err error)) error {
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
			n, err := change(&b, now, c)
			if err != nil {
				return err
			}
			err = s.Breaches.Save(ctx, &b)
			if err == nil {
				return errors.Join(auditBreach(ctx, s, c, store.AuditEntry{ID: what + "/" + rand.Text(), At: now, Who: agent.CommandLine, What: what, Detail: strconv.Itoa(n)}), p.printBreaches(b.List[n-1:n], c.Timezone, now, false))
			}
			if !errors.Is(err, bot.ErrConflict) {
				return err
			}
		}
	})
}

// What the audit calls what is done to the register, with the incident's number.
const (
	auditBreachNoted   = "breach_noted"
	auditBreachChanged = "breach_changed"
	auditBreachTold    = "breach_told"
)

func auditBreach(ctx context.Context, s *store.Store, c config.Config, e store.AuditEntry) error {
	_, v, err := openVault(ctx, c, s)
	if err != nil {
		return err
	}
	s.Seal(v)
	if err := s.Audit.Append(ctx, e); err != nil {
		return fmt.Errorf("keep audit: %w", err)
	}
	return nil
}

// incident is the number of one that is in the register.
func incident(b *store.Breaches, arg string) (int, error) {
	n, err := strconv.Atoi(arg)
	if err != nil {
		return 0, fmt.Errorf("%w: %q is no number of an incident: see llave breach list", errUsage, arg)
	}
	if n < 1 || n > len(b.List) {
		return 0, fmt.Errorf("there is no incident %d: see llave breach list", n)
	}
	return n, nil
}

// inWords is an argument or flag that must say something, without numbers of people.
func inWords(text, of string) (string, error) {
	if strings.TrimSpace(text) == "" {
		return "", fmt.Errorf("%w: %s is empty: say it in a line, without names", errUsage, of)
	}
	return affiliate.MaskAll(strings.TrimSpace(text)), nil
}

// momentOf reads when something was, by the institution's clock; empty is now.
func momentOf(text string, now time.Time, zone *time.Location) (time.Time, error) {
	if text == "" {
		return now, nil
	}
	for _, layout := range []string{minute, "2006-01-02T15:04", time.DateOnly, time.RFC3339} {
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
			what, err := p.happened(args[0])
			if err != nil {
				return err
			}
			if people < 0 {
				return fmt.Errorf("%w: --people is how many it touches; leave it out where that is not known", errUsage)
			}
			if cmd.Flags().Changed("harmless") {
				if harmless, err = inWords(harmless, "--harmless"); err != nil {
					return err
				}
			}
			return p.withBreaches(cmd.Context(), auditBreachNoted, func(b *store.Breaches, now time.Time, c config.Config) (int, error) {
				at, err := momentOf(known, now, c.Timezone)
				if err != nil {
					return 0, err
				}
				b.List = append(b.List, store.Breach{Number: len(b.List) + 1, Known: at, Noted: now, What: what, People: people, Harmless: harmless})
				return len(b.List), nil
			})
		},
	}
	cmd.Flags().StringVar(&known, "known", "", "when it was known, such as \"2026-03-02 15:04\"")
	cmd.Flags().IntVar(&people, "people", 0, "how many people it touches; 0: not known")
	cmd.Flags().StringVar(&harmless, "harmless", "", "why it is unlikely to be a risk for anybody")
	return cmd
}

// happened is what an argument says of an incident, or the first line of standard input for "-".
func (p *program) happened(arg string) (string, error) {
	if arg == "-" {
		line, err := p.whose(arg)
		if err != nil {
			return "", fmt.Errorf("%w: say what happened", errUsage)
		}
		arg = line
	}
	return inWords(arg, "what happened")
}

// breachChange notes what was not known when an incident was: the law asks for the first word early, and for the rest later.
func (p *program) breachChange() *cobra.Command {
	var what, harmless string
	var people int
	cmd := &cobra.Command{
		Use: "change NUMBER", Short: "Note what was found out of an incident since", Args: cobra.ExactArgs(1),
		Long: `Changes what the register says of an incident: how many people it touches, what happened, or why it turned out to be unlikely to be a
risk for anybody, and nobody need be told. When it was known, and who was told when, stays.`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			flags := cmd.Flags()
			if flags.Changed("what") {
				if what, err = p.happened(what); err != nil {
					return err
				}
			}
			if flags.Changed("harmless") {
				if harmless, err = inWords(harmless, "--harmless"); err != nil {
					return err
				}
			}
			if people < 0 || what == "" && harmless == "" && !flags.Changed("people") {
				return fmt.Errorf("%w: say what is to be changed: --people N, --what WHAT, --harmless WHY", errUsage)
			}
			return p.withBreaches(cmd.Context(), auditBreachChanged, func(b *store.Breaches, _ time.Time, _ config.Config) (int, error) {
				n, err := incident(b, args[0])
				if err != nil {
					return 0, err
				}
				of := &b.List[n-1]
				of.What, of.Harmless = cmp.Or(what, of.What), cmp.Or(harmless, of.Harmless)
				if flags.Changed("people") {
					of.People = people
				}
				return n, nil
			})
		},
	}
	cmd.Flags().StringVar(&what, "what", "", "what happened, in other words; - reads it from standard input")
	cmd.Flags().IntVar(&people, "people", 0, "how many people it touches; 0: not known")
	cmd.Flags().StringVar(&harmless, "harmless", "", "why it is unlikely to be a risk for anybody")
	return cmd
}

func (p *program) breachTold() *cobra.Command {
	var persons, again bool
	var at string
	cmd := &cobra.Command{
		Use: "told NUMBER", Short: "Note that the authority, or the people, were told of one", Args: cobra.ExactArgs(1),
		Long: `Notes when the authority was told of an incident, or with --people the people whom it puts at risk. What was noted stays: --again notes
another moment in its place.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withBreaches(cmd.Context(), auditBreachTold, func(b *store.Breaches, now time.Time, c config.Config) (int, error) {
				n, err := incident(b, args[0])
				if err != nil {
					return 0, err
				}
				told, err := momentOf(at, now, c.Timezone)
				if err != nil {
					return 0, err
				}
				of := &b.List[n-1]
				if told.Before(of.Known.Truncate(time.Minute)) && dayOf(told, c.Timezone) != dayOf(of.Known, c.Timezone) {
					return 0, fmt.Errorf("%w: incident %d was known on %s: nobody can have been told before", errUsage, n, of.Known.In(c.Timezone).Format(minute))
				}
				noted := &of.Authority
				if persons {
					noted = &of.Persons
				}
				if !noted.IsZero() && !again {
					return 0, fmt.Errorf("it is noted already that they were told on %s: --again puts another moment there", noted.In(c.Timezone).Format(minute))
				}
				*noted = told
				return n, nil
			})
		},
	}
	cmd.Flags().BoolVar(&persons, "people", false, "the people whom it puts at risk, not the authority")
	cmd.Flags().BoolVar(&again, "again", false, "in place of what was noted")
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

// minute is how moments are printed, and may be given.
const minute = "2006-01-02 15:04"

func dayOf(at time.Time, zone *time.Location) string { return at.In(zone).Format(time.DateOnly) }

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
		late := !authority.IsZero() && !now.Before(authority) || !persons.IsZero() && !now.Before(persons)
		shown = append(shown, shownBreach{b, authority, persons, late})
	}
	if asJSON {
		return json.NewEncoder(p.stdout).Encode(shown)
	}
	until := func(due, told time.Time, harmless string) string {
		switch {
		case !told.IsZero():
			return "told " + told.In(zone).Format(minute)
		case harmless != "":
			return "need not"
		case !now.Before(due):
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
