package app

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"llave/internal/agent"
	"llave/internal/config"
	"llave/internal/key"
	"llave/internal/secret"
	"llave/internal/store"
)

// newAgents makes the accounts of the desk over a store.
func newAgents(c config.Config, s *store.Store, v *secret.Vault, alert func(what string)) *agent.Service {
	return agent.New(agent.Options{
		Agents: s.Agents, Sessions: s.Sessions, Tries: s.Tries, Counters: s.Counters, Audit: s.Audit.AppendAgent,
		Vault: v, Now: s.Now, Idle: c.AgentIdle, Require: agent.Policy(c.SecondFactor), Alert: alert,
	})
}

func (p *program) agents() *cobra.Command {
	cmd := &cobra.Command{
		Use: "agents", Short: "Accounts of the help desk", Args: cobra.NoArgs,
		Long: `Makes and changes the accounts with which agents and supervisors sign in to the console. The first supervisor is made
here; there is no default password. Works on the store that the settings name, also while a process serves from it; a
supervisor can do the same in the console.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var names []string
			for _, below := range cmd.Commands() {
				names = append(names, below.Name())
			}
			return fmt.Errorf("%w: a command is needed after agents: %s", errUsage, strings.Join(names, ", "))
		},
	}
	cmd.AddCommand(p.agentsAdd(), p.agentsList(), p.agentsDisable(), p.agentsPassword(), p.agentsSecondFactor())
	return cmd
}

// asksPassword says in the help how a password comes in.
const asksPassword = "The password is asked for twice on a terminal and is not shown; otherwise it is the first line of standard input. It has\n" +
	"12 to 128 characters and must not be easy to guess."

func (p *program) agentsAdd() *cobra.Command {
	var name, role string
	cmd := &cobra.Command{
		Use: "add LOGIN", Short: "Make an account", Args: cobra.ExactArgs(1),
		Long: "Makes an account. LOGIN has 3 to 32 of a-z, 0-9, dot, underscore and dash.\n" + asksPassword,
		RunE: func(cmd *cobra.Command, args []string) error {
			if name == "" {
				name = args[0]
			}
			for _, err := range []error{second(agent.ParseLogin(args[0])), second(agent.ParseName(name)), validRole(role)} {
				if err != nil {
					return fmt.Errorf("%w: %w", errUsage, err)
				}
			}
			return p.withAgents(cmd.Context(), func(ctx context.Context, agents *agent.Service, _ config.Config) error {
				if _, err := agents.Find(ctx, args[0]); err == nil {
					return fmt.Errorf("add %s: %w", args[0], agent.ErrTaken)
				}
				password, err := p.askPassword(ctx)
				if err != nil {
					return err
				}
				a, err := agents.Add(ctx, agent.CommandLine, agent.Newcomer{Login: args[0], Name: name, Role: agent.Role(role)}, password)
				if err != nil {
					return fmt.Errorf("add %s: %w", args[0], plain(err))
				}
				fmt.Fprintf(p.stderr, "%s (%s) can sign in as %s.\n", a.Name, a.Role, a.Login)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "what people are told, 2 to 40 characters (default the login)")
	cmd.Flags().StringVar(&role, "role", string(agent.Member), "agent, clerk or supervisor")
	return cmd
}

func second[T any](_ T, err error) error { return err }

func validRole(role string) error {
	if !agent.Role(role).Valid() {
		return agent.ErrRole
	}
	return nil
}

func (p *program) agentsList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "Print the accounts", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withAgents(cmd.Context(), func(ctx context.Context, agents *agent.Service, c config.Config) error {
				all, err := agents.List(ctx)
				if err != nil {
					return err
				}
				if asJSON {
					return p.listJSON(all)
				}
				w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
				fmt.Fprintln(w, "LOGIN\tNAME\tROLE\tSTATE\tCODE\tLAST SIGN-IN")
				for _, a := range all {
					code, last := "no", "never"
					if a.SecondFactor() {
						code = "yes"
					}
					if !a.LastIn.IsZero() {
						last = a.LastIn.In(c.Timezone).Format("2006-01-02 15:04")
					}
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", a.Login, a.Name, a.Role, state(a), code, last)
				}
				return w.Flush()
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print them as a JSON array")
	return cmd
}

func state(a agent.Agent) string {
	switch {
	case a.Disabled:
		return "disabled"
	case !a.Guessed.IsZero():
		return "guessed at"
	}
	return "active"
}

func (p *program) listJSON(all []agent.Agent) error {
	type row struct {
		Login  string     `json:"login"`
		Name   string     `json:"name"`
		Role   agent.Role `json:"role"`
		State  string     `json:"state"`
		Code   bool       `json:"second_factor"`
		Made   time.Time  `json:"made"`
		LastIn *time.Time `json:"last_sign_in"`
	}
	rows := []row{}
	for _, a := range all {
		r := row{a.Login, a.Name, a.Role, state(a), a.SecondFactor(), a.Made.UTC(), nil}
		if at := a.LastIn.UTC(); !at.IsZero() {
			r.LastIn = &at
		}
		rows = append(rows, r)
	}
	return json.NewEncoder(p.stdout).Encode(rows)
}

func (p *program) agentsDisable() *cobra.Command {
	var enable bool
	cmd := &cobra.Command{
		Use: "disable LOGIN", Short: "Keep somebody out, at once, or let them in again", Args: cobra.ExactArgs(1),
		Long: "Ends what the account is signed in with and lets it in no more. With --enable it may sign in again, and what was tried for it\nis forgotten.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withAgents(cmd.Context(), func(ctx context.Context, agents *agent.Service, _ config.Config) error {
				do, said := agents.Disable, "cannot sign in any more"
				if enable {
					do, said = agents.Enable, "can sign in"
				}
				if err := do(ctx, agent.CommandLine, args[0]); err != nil {
					return fmt.Errorf("%s: %w", args[0], err)
				}
				fmt.Fprintf(p.stderr, "%s %s.\n", args[0], said)
				all, err := agents.List(ctx)
				if err == nil && !slices.ContainsFunc(all, func(a agent.Agent) bool { return a.Role == agent.Supervisor && !a.Disabled }) {
					fmt.Fprintln(p.stderr, "No supervisor can sign in now: make one with llave agents add, or let one in again with --enable.")
				}
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&enable, "enable", false, "let the account in again")
	return cmd
}

func (p *program) agentsPassword() *cobra.Command {
	var noTOTP bool
	cmd := &cobra.Command{
		Use: "password LOGIN", Short: "Give an account a new password", Args: cobra.ExactArgs(1),
		Long: "Gives an account a new password, and ends what it is signed in with.\n" + asksPassword,
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withAgents(cmd.Context(), func(ctx context.Context, agents *agent.Service, _ config.Config) error {
				if _, err := agents.Find(ctx, args[0]); err != nil {
					return fmt.Errorf("%s: %w", args[0], err)
				}
				password, err := p.askPassword(ctx)
				if err != nil {
					return err
				}
				if err := agents.SetPassword(ctx, agent.CommandLine, args[0], password); err != nil {
					return fmt.Errorf("%s: %w", args[0], plain(err))
				}
				if noTOTP {
					if err := agents.RemoveTOTP(ctx, agent.CommandLine, args[0]); err != nil {
						return fmt.Errorf("%s: %w", args[0], err)
					}
				}
				fmt.Fprintf(p.stderr, "%s has a new password.\n", args[0])
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&noTOTP, "no-totp", false, "take the second factor off too, for whoever lost the device")
	return cmd
}

func (p *program) agentsSecondFactor() *cobra.Command {
	var reset string
	cmd := &cobra.Command{
		Use: "second-factor --reset LOGIN", Short: "Take the second factor off, for whoever lost the telephone and the recovery codes", Args: cobra.NoArgs,
		Long: "Takes the second factor and the recovery codes off an account and ends what it is signed in with. Where LLAVE_SECOND_FACTOR\n" +
			"wants one it is set up anew at the next sign-in: give it back to nobody but the person themself.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if reset == "" {
				return fmt.Errorf("%w: say whose with --reset LOGIN", errUsage)
			}
			return p.withAgents(cmd.Context(), func(ctx context.Context, agents *agent.Service, c config.Config) error {
				if err := agents.RemoveTOTP(ctx, agent.CommandLine, reset); err != nil {
					return fmt.Errorf("%s: %w", reset, err)
				}
				next := "signs in without a code"
				if c.SecondFactor != "" && c.SecondFactor != config.SecondFactorOptional {
					next = fmt.Sprintf("is outside, and sets up a new code at the next sign-in where LLAVE_SECOND_FACTOR (%s) wants one: let nobody but them have the password meanwhile", c.SecondFactor)
				}
				fmt.Fprintf(p.stderr, "%s %s.\n", reset, next)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&reset, "reset", "", "the login of the account")
	return cmd
}

// withStore opens the store for as long as do runs.
func (p *program) withStore(ctx context.Context, do func(s *store.Store, c config.Config) error) error {
	c, _, err := p.load()
	if err != nil {
		return err
	}
	return withStoreOf(ctx, c, do)
}

// withStoreOf is withStore for settings that were read.
func withStoreOf(ctx context.Context, c config.Config, do func(s *store.Store, c config.Config) error) error {
	s, err := OpenStore(ctx, c)
	if err != nil {
		return err
	}
	return errors.Join(do(s, c), s.Engine().Close())
}

// withAgents opens the store, and the accounts in it, for as long as do runs.
func (p *program) withAgents(ctx context.Context, do func(ctx context.Context, agents *agent.Service, c config.Config) error) error {
	return p.withStore(ctx, func(s *store.Store, c config.Config) error {
		agents, err := OpenAgents(ctx, c, s)
		if err != nil {
			return err
		}
		return do(ctx, agents, c)
	})
}

// OpenAgents makes the accounts over a store that nothing else has been built on.
func OpenAgents(ctx context.Context, c config.Config, s *store.Store) (*agent.Service, error) {
	_, v, err := openVault(ctx, c, s)
	if err != nil {
		return nil, err
	}
	return newAgents(c, s, v, nil), nil
}

// askPassword reads a password: typed twice on a terminal, where nothing shows, else the first line of standard input.
func (p *program) askPassword(ctx context.Context) (string, error) {
	if !isTerminal(p.stdin) {
		line, err := bufio.NewReader(p.stdin).ReadString('\n')
		if line = strings.TrimRight(line, "\r\n"); line == "" {
			if err == nil {
				err = errors.New("the first line is empty")
			} else if errors.Is(err, io.EOF) {
				err = errors.New("there is none; run this in a terminal, which asks for it, or pipe it in")
			}
			return "", fmt.Errorf("read the password from standard input: %w", err)
		}
		return line, nil
	}
	first, err := p.typed(ctx, "Password: ")
	if err != nil {
		return "", err
	}
	again, err := p.typed(ctx, "The same again: ")
	if err != nil {
		return "", err
	}
	if first != again {
		return "", errors.New("the two passwords are not the same; nothing was changed")
	}
	return first, nil
}

// typed reads a line from the terminal without showing it, until [ctx] ends. The read itself cannot be ended: when [ctx] does,
// the process goes down with it.
func (p *program) typed(ctx context.Context, prompt string) (string, error) {
	fd := int(p.stdin.(*os.File).Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	type result struct {
		line []byte
		err  error
	}
	read := make(chan result, 1)
	fmt.Fprint(p.stderr, prompt)
	go func() {
		line, err := term.ReadPassword(fd)
		read <- result{line, err}
	}()
	defer fmt.Fprintln(p.stderr)
	select {
	case r := <-read:
		if r.err != nil {
			return "", fmt.Errorf("read the password: %w", r.err)
		}
		return string(r.line), nil
	case <-ctx.Done():
		return "", errors.Join(context.Cause(ctx), term.Restore(fd, before))
	}
}

// plain says for the operator what is wrong with a password.
func plain(err error) error {
	var weak *agent.Weak
	if !errors.As(err, &weak) {
		return err
	}
	words := map[key.Problem]string{
		key.TooShort: "it is too short: 12 characters at least", key.TooLong: "it is too long: 128 characters at most",
		key.HasName: "it holds a part of the name or login", key.Unreadable: "it is not text, or holds control characters",
		key.TooEasy: "it is easily guessed: put three or four words together that have nothing to do with one another",
	}
	var all []string
	for _, problem := range weak.Problems {
		all = append(all, words[problem])
	}
	return errors.New("the password cannot be used: " + strings.Join(all, "; "))
}
