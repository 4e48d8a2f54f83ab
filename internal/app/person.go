package app

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"llave/bot"
	"llave/bot/whatsapp"
	"llave/internal/affiliate"
	"llave/internal/agent"
	"llave/internal/config"
	"llave/internal/secret"
	"llave/internal/store"
)

// person is what is done with what is kept of one person.
func (p *program) person() *cobra.Command {
	cmd := &cobra.Command{
		Use: "person", Short: "What is kept of one person", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return fmt.Errorf("%w: a command is needed after person: erase, export", errUsage)
		},
	}
	cmd.AddCommand(p.personErase(), p.personExport())
	return cmd
}

// erasedPerson is what the command says it did.
type erasedPerson struct {
	Chats int `json:"chats"` // that were erased
}

func (p *program) personErase() *cobra.Command {
	var asChat, asJSON bool
	cmd := &cobra.Command{
		Use: "erase NUMBER|-", Short: "Erase what is kept of a person", Args: cobra.ExactArgs(1),
		Long: `Erases every chat in which the number, a cédula or a foreigner's code, was looked up or a link for it was asked for, as long as that
is known, and who asked. With --chat the chat itself is named: a telephone number, Telegram's id of a chat, or either behind its
channel (whatsapp:593991234567, telegram:5551234567). "-" reads it from the first line of standard input, so that it stands in no
history. It prints how many chats were erased; 0 means that none is known by that.
The chat's key is destroyed: what was written under it cannot be read any more, wherever a copy lies. Limits stay until they
expire, complaints for their year, the audit under a name that leads to nobody, and the record of the institution. The service may
run meanwhile. A backup that is put back later is erased again.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			who, err := p.whose(args[0])
			if err != nil {
				return err
			}
			done, err := p.erasePerson(cmd.Context(), who, asChat)
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(p.stdout).Encode(done)
			}
			if _, err := fmt.Fprintf(p.stdout, "chats %d\n", done.Chats); err != nil {
				return err
			}
			if done.Chats == 0 {
				_, err = fmt.Fprintln(p.stderr, "No chat is known by that: is it written as it should be? By a number only chats are found that still know it; --chat names one.")
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asChat, "chat", false, "NUMBER names a chat, not a record")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the count as JSON")
	return cmd
}

// whose is the argument that names a person, or the first line of standard input for "-".
func (p *program) whose(arg string) (string, error) {
	if arg == "-" {
		line, err := bufio.NewReader(p.stdin).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("read standard input: %w", err)
		}
		arg = line
	}
	if arg = strings.TrimSpace(arg); arg == "" {
		return "", fmt.Errorf("%w: no number is given", errUsage)
	}
	return arg, nil
}

// opened is a store in which a command reads and writes what is kept of people.
type opened struct {
	*store.Store
	vault    *secret.Vault
	settings config.Config
}

// withPerson opens the store that the settings name, which must be there.
func (p *program) withPerson(ctx context.Context, do func(s opened) error) error {
	c, _, err := p.load()
	if err != nil {
		return err
	}
	if err := isThere(c); err != nil {
		return err
	}
	return withStoreOf(ctx, c, func(s *store.Store, c config.Config) error {
		_, v, err := openVault(ctx, c, s)
		if err != nil {
			return err
		}
		s.Seal(v)
		return do(opened{s, v, c})
	})
}

// chatsOf are the conversations of a person that a command names, and the record, by its keyed hash; "" for a chat.
func chatsOf(ctx context.Context, s opened, who string, asChat bool) (convs []string, record string, err error) {
	if asChat {
		convs, err = chatsCalled(ctx, s.Store, who)
		return convs, "", err
	}
	number, _, err := numberOf(s, who)
	if err != nil {
		return nil, "", err
	}
	record = affiliate.Hash(s.vault, number)
	convs, err = s.ChatsOf(ctx, record)
	return convs, record, err
}

// numberOf is the number or code that a command names, as records are kept under it, and whether its digits are those of a cédula. Nothing is
// guessed, as in a chat that reads back what it guessed: a digit that was left out would lead to somebody else.
func numberOf(s opened, who string) (number string, genuine bool, err error) {
	switch r := affiliate.ParseNumber(who, affiliate.ParseOptions{ForeignCode: s.settings.ForeignCodePattern}); {
	case r.Number != "" && r.Verdict != affiliate.AskLeadingZero && r.Verdict != affiliate.AskFirstTen:
		return r.Number, affiliate.CheckDigit(r.Number), nil
	case r.Number == "" && r.Code != "":
		return affiliate.Canonical(r.Code), true, nil
	}
	return "", false, fmt.Errorf("%w: that is neither a cédula of ten digits nor a foreigner's code; for a telephone number: --chat", errUsage)
}

// chatsCalled are the conversations of a chat by what its channel calls it, or of all that are called so. A telephone number may be written as
// it is dialled in the country.
func chatsCalled(ctx context.Context, s *store.Store, who string) (convs []string, err error) {
	names := slices.Sorted(maps.Keys(erasing))
	if channel, chat, ok := strings.Cut(who, ":"); ok {
		if !slices.Contains(names, channel) {
			return nil, fmt.Errorf("%w: there is no channel %q; expected one of %s before the colon", errUsage, channel, strings.Join(names, ", "))
		}
		names, who = []string{channel}, chat
	}
	who = strings.NewReplacer("+", "", " ", "").Replace(who)
	if inCountry.MatchString(who) {
		who = "593" + who[1:]
	}
	for _, channel := range names {
		chat := s.Book.Name(channel, who)
		if channel == whatsapp.Name {
			if led, err := s.People.Led(ctx, channel, who); err != nil {
				return nil, err
			} else if led != "" {
				chat = led
			}
		}
		conv := bot.ConversationID(channel, chat)
		there, err := s.Knows(ctx, conv)
		if err != nil {
			return nil, err
		}
		if there {
			convs = append(convs, conv)
		}
	}
	return convs, nil
}

// inCountry is a mobile telephone number as it is dialled in Ecuador.
var inCountry = regexp.MustCompile(`^09[0-9]{8}$`)

// auditPersonErase is what the audit calls it, not of whom.
const auditPersonErase = "person_erase"

func (p *program) erasePerson(ctx context.Context, who string, asChat bool) (done erasedPerson, err error) {
	err = p.withPerson(ctx, func(s opened) (err error) {
		convs, record, err := chatsOf(ctx, s, who, asChat)
		if err != nil {
			return err
		}
		log, closed, err := openErasures(ctx, s.settings, s.Store, func(msg string, _ ...any) { fmt.Fprintln(p.stderr, "warning:", msg) })
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, closed()) }()
		now, err := s.Now(ctx)
		if err != nil {
			return fmt.Errorf("read the store's clock: %w", err)
		}
		for _, conv := range convs {
			if err := s.EraseChat(ctx, log, conv, now, false); err != nil {
				return err
			}
			done.Chats++
		}
		if record != "" {
			if err := s.EraseRecord(ctx, record); err != nil {
				return err
			}
		}
		err = s.Audit.Append(ctx, store.AuditEntry{ID: auditPersonErase + "/" + rand.Text(), At: now, Who: agent.CommandLine, What: auditPersonErase})
		if err != nil {
			return fmt.Errorf("keep audit: %w", err)
		}
		return scrub(ctx, s.Raw()) // over a socket the service does that holds the store
	})
	return done, err
}
