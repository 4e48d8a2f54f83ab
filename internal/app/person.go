package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"llave/bot"
	"llave/internal/config"
	"llave/internal/secret"
	"llave/internal/store"
)

// person is what is done with what is kept of one person.
func (p *program) person() *cobra.Command {
	cmd := &cobra.Command{
		Use: "person", Short: "What is kept of one person", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return fmt.Errorf("%w: a command is needed after person: export", errUsage)
		},
	}
	cmd.AddCommand(p.personExport())
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

// withPerson opens the store that the settings name, which must be there, to read what is kept of people.
func (p *program) withPerson(ctx context.Context, do func(s *store.Store, v *secret.Vault, c config.Config) error) error {
	c, _, err := p.load()
	if err != nil {
		return err
	}
	if err := isThere(c); err != nil {
		return err
	}
	return withStoreOf(ctx, c, func(s *store.Store, c config.Config) error {
		k, err := keys(c)
		if err != nil {
			return err
		}
		v, err := s.DataKey(ctx, k)
		if err != nil {
			return fmt.Errorf("read the data key (LLAVE_SECRET_KEY): %w", err)
		}
		return do(s, v, c)
	})
}

// chatsCalled are the conversations of a chat by what its channel calls it, or of all that are called so.
func chatsCalled(ctx context.Context, s *store.Store, who string) (convs []string, err error) {
	names := slices.Sorted(maps.Keys(erasing))
	if channel, chat, ok := strings.Cut(who, ":"); ok && slices.Contains(names, channel) {
		names, who = []string{channel}, chat
	}
	who = strings.NewReplacer("+", "", " ", "").Replace(who)
	for _, channel := range names {
		conv := bot.ConversationID(channel, who)
		k, err := s.KeptOf(ctx, conv)
		if err != nil {
			return nil, err
		}
		if k.Any() {
			convs = append(convs, conv)
		}
	}
	return convs, nil
}
