package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"
	_ "time/tzdata" // the zone of the letters and of cron, also where the system has none

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"llave/bot/terminal"
	"llave/internal/affiliate"
	"llave/internal/config"
	"llave/internal/key"
	"llave/internal/secret"
	"llave/internal/trace"
)

// stopWithin is how long a process may take to go down (P604).
const stopWithin = 9 * time.Second

// errUsage marks mistakes in how the program was called.
var errUsage = errors.New("wrong usage")

// IO is what a program has from whoever calls it, besides its arguments.
type IO struct {
	Environ        []string // "NAME=value"
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Main runs the command line and returns the exit code: 0 ok, 1 failed, 2 wrong usage.
func Main(ctx context.Context, args []string, with IO) int {
	err := Run(ctx, args, with)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errUsage):
		of, _ := errors.AsType[misused](err)
		fmt.Fprintf(with.Stderr, "llave: %v\nSee: llave help%s\n", strings.TrimPrefix(err.Error(), errUsage.Error()+": "), of.command)
		return 2
	}
	fmt.Fprintf(with.Stderr, "llave: %v\n", err)
	return 1
}

type program struct {
	environ        []string
	stdin          io.Reader
	stdout, stderr io.Writer
	level          slog.LevelVar // of the log
}

// Run runs the command line.
func Run(ctx context.Context, args []string, with IO) error {
	p := &program{environ: with.Environ, stdin: with.Stdin, stdout: with.Stdout, stderr: with.Stderr}
	root := p.commands()
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetArgs(append([]string{}, args...)) // never nil: cobra would read the process's own
	root.SetIn(with.Stdin)
	root.SetOut(with.Stdout)
	root.SetErr(with.Stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return fmt.Errorf("%w: %w", errUsage, err) })
	markUsage(root)
	cmd, err := root.ExecuteContextC(ctx)
	if errors.Is(err, errUsage) {
		return misused{err, strings.TrimPrefix(cmd.CommandPath(), root.Name())}
	}
	return err
}

// commands are the program's, below its name.
func (p *program) commands() *cobra.Command {
	root := &cobra.Command{
		Use:   "llave",
		Short: "Unlock the access key of members of IESS in a chat",
		Long:  "Llave is a chatbot for one public procedure: unlocking the access key of a member of IESS, Ecuador's social\nsecurity institute. To try it without any configuration: llave demo",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_ = cmd.Help()
			return fmt.Errorf("%w: a command is needed", errUsage)
		},
		SilenceErrors: true, SilenceUsage: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		Version:           built().String(),
	}
	root.AddCommand(p.demo(), p.serve(), p.chat(), p.importFile(), p.reportCommand(), p.agents(), p.audit(), p.events(), p.person(), p.breach(), p.purge(), p.backup(), p.restore(), p.store(), p.flow(), p.exporting(p.understand()), p.train(), p.doctor(), p.health(), p.version(), p.configHelp())
	return root
}

// misused is a mistake in how a command was called, whose help says how it is.
type misused struct {
	error
	command string // with a blank before each word
}

func (m misused) Unwrap() error { return m.error }

// markUsage makes what a command and those below it say of their arguments a mistake in how the program was called.
func markUsage(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return fmt.Errorf("%w: %w", errUsage, err)
			}
			return nil
		}
	}
	for _, below := range c.Commands() {
		markUsage(below)
	}
}

func (p *program) load(needs ...config.Need) (config.Config, *slog.Logger, error) {
	c, err := config.Load(p.environ, ".", needs...)
	if err != nil {
		return c, nil, fmt.Errorf("settings:\n%w", err)
	}
	if err := trace.Check(c.Telemetry); err != nil {
		return c, nil, fmt.Errorf("settings:\n%w", err)
	}
	p.level.Set(c.LogLevel)
	options := &slog.HandlerOptions{Level: &p.level, ReplaceAttr: withUnits}
	if c.LogFormat == config.Text || c.LogFormat == "" && isTerminal(p.stderr) {
		return c, slog.New(slog.NewTextHandler(p.stderr, options)), nil
	}
	return c, slog.New(slog.NewJSONHandler(p.stderr, options)), nil
}

// withUnits writes a duration with its unit ("1.204ms"): JSON would have it in nanoseconds, and nobody would know.
func withUnits(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().Round(time.Microsecond).String())
	}
	return a
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func (p *program) serve() *cobra.Command {
	var check, asJSON bool
	cmd := &cobra.Command{
		Use: "serve", Short: "Run the service, configured by environment", Args: cobra.NoArgs,
		Long: `Runs the service until it is told to stop (SIGTERM, SIGINT). Settings: llave help config
SIGHUP has it read log level, offices, model and the channels' tokens again, from .env and the files that settings name; what cannot
be read changes nothing. One line of the log says what changed, and which settings would need a new start.
With --check it only tries settings, files, their rights and the catalogue, without asking anybody: llave doctor tries the rest.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if check {
				return p.check(cmd.Context(), asJSON)
			} else if asJSON {
				return fmt.Errorf("%w: --json goes with --check", errUsage)
			}
			c, log, err := p.load(config.NeedMail)
			if err != nil {
				return err
			}
			hangup := make(chan os.Signal, 1)
			signal.Notify(hangup, syscall.SIGHUP)
			defer signal.Stop(hangup)
			again := func() (config.Config, error) { return config.Load(p.environ, ".", config.NeedMail) }
			var ready time.Time
			err = p.run(cmd.Context(), Options{Config: c, Log: log, Hangup: hangup, Again: again, Level: &p.level}, func(a *App) {
				ready = time.Now()
				a.warnUnsafe()
				if len(a.channels) == 0 {
					log.Warn("no channel is on: set LLAVE_TELEGRAM_TOKEN, or LLAVE_WHATSAPP_TOKEN and what goes with it")
				}
				log.Info("ready", "addr", a.Addr(), "admin", a.AdminAddr(), "version", version())
			})
			switch up := time.Since(ready); {
			case ready.IsZero(): // Main says why
			case err != nil:
				log.Error("stopped", "up", up.Round(time.Second), "err", err)
			default:
				log.Info("stopped", "up", up.Round(time.Second))
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "only try the settings, and do not serve")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print what --check finds as JSON")
	return cmd
}

// collectAt is how much the heap may grow before it is collected, in percent of what lives: half of Go's own. A process
// with a full desk stays below 80 MB then, and one that does nothing but answer takes a tenth more of the processor.
const collectAt = 50

// run builds, starts, waits for the end and stops.
func (p *program) run(ctx context.Context, o Options, ready func(*App)) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
		key.Spare()
	}
	a, err := New(ctx, o)
	if err != nil {
		return err
	}
	stop := func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
		defer cancel()
		return a.Stop(ctx)
	}
	if o.Demo || o.Terminal != nil {
		if err := a.seed(ctx); err != nil {
			return errors.Join(err, stop())
		}
	}
	if err := a.Start(ctx); err != nil {
		return errors.Join(err, stop())
	}
	ready(a)
	debug.FreeOSMemory() // what reading the catalogues left behind
	freeProgram()
	if a.Chat != nil {
		err := a.Chat.Run(ctx)
		if errors.Is(err, context.Canceled) {
			err = nil
		}
		return errors.Join(err, stop())
	}
	for {
		select {
		case <-ctx.Done():
			return stop()
		case err := <-a.Failed():
			return errors.Join(err, stop())
		case <-o.Hangup:
			a.hangup()
		}
	}
}

// try runs demo or chat: with a store of its own, in a folder that is removed afterwards, and nothing that leaves the
// machine. [change] has the last word on the settings.
func (p *program) try(ctx context.Context, o Options, change func(*config.Config), ready func(*App)) error {
	c, _, err := p.load()
	if err != nil {
		return err
	}
	if c.DataDir, err = os.MkdirTemp("", "llave-"); err != nil {
		return fmt.Errorf("make a folder for the store: %w", err)
	}
	defer os.RemoveAll(c.DataDir) // it holds fictional people only
	c.MongoDBURI, c.SecretKey, c.AdminAddr, c.SecondFactor = "", nil, "", config.SecondFactorOptional
	c.WhatsApp, c.EventsURL, c.Telemetry = config.WhatsApp{}, nil, nil
	change(&c)
	o.Config = c
	o.Log = slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: max(c.LogLevel, slog.LevelWarn)}))
	return p.run(ctx, o, ready)
}

func (p *program) demo() *cobra.Command {
	return &cobra.Command{
		Use: "demo", Short: "Try it: chat, mailbox, agents' desk and store embedded, no configuration", Args: cobra.NoArgs,
		Long: `Opens a page with a phone, its mailbox and the agents' desk side by side, with fictional people to try. Nothing leaves the
machine and nothing is kept. Where other machines reach it (LLAVE_HTTP_ADDR), its desk asks for a word that is printed here and
works once; the next one is printed then. The desk is open at any hour, on days of rest too, unless LLAVE_OFFICE_HOURS says other hours
than its default.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			unset, err := config.Load(nil, os.DevNull)
			if err != nil {
				return err
			}
			told := func(word string) { fmt.Fprintf(p.stderr, "The word that opens the desk, once: %s\n", word) }
			return p.try(cmd.Context(), Options{Demo: true, DemoWord: told}, func(c *config.Config) {
				if c.HTTPAddr == unset.HTTPAddr {
					c.HTTPAddr = "127.0.0.1:8080" // everybody's demo is their own
				}
				if slices.Equal(c.OfficeHours, unset.OfficeHours) {
					c.OfficeHours = anyHour
				}
			}, func(a *App) {
				fmt.Fprintf(p.stderr, "Open http://%s/ in a browser. Ctrl-C ends the demo.\n", localhost(a.public.Addr()))
			})
		},
	}
}

func (p *program) chat() *cobra.Command {
	return &cobra.Command{
		Use: "chat", Short: "The same conversation in this terminal", Args: cobra.NoArgs,
		Long: "Talks in the terminal, with a store of its own and fictional people. Letters are printed; their links open in a browser\non this machine.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			o := Options{Terminal: &terminal.Options{In: p.stdin, Out: p.stdout}}
			return p.try(cmd.Context(), o, func(c *config.Config) { c.HTTPAddr = "127.0.0.1:0" }, func(*App) {
				fmt.Fprintln(p.stderr, "People to try:")
				for _, one := range people() {
					fmt.Fprintf(p.stderr, "  %-12s %s: %s\n", one.Number, one.Who, one.What)
				}
				fmt.Fprintln(p.stderr)
			})
		},
	}
}

func (p *program) purge() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "purge", Short: "Run the periodic cleaning once, now", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, log, err := p.load()
			if err != nil {
				return err
			}
			c.HTTPAddr, c.AdminAddr, c.TelegramToken, c.SMTPURL = "127.0.0.1:0", "", "", "smtp://127.0.0.1:1?tls=none" // nothing is mailed
			s, err := OpenStore(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer s.Engine().Close()
			a, err := New(cmd.Context(), Options{Config: c, Log: log, NoSweep: true, Engine: s.Engine()})
			if err != nil {
				return err
			}
			links, err := a.PurgeLinks(cmd.Context())
			forgotten, ferr := a.Forget(cmd.Context())
			ctx, cancel := context.WithTimeout(context.WithoutCancel(cmd.Context()), stopWithin)
			defer cancel()
			if err := errors.Join(err, ferr, a.Stop(ctx)); err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(p.stdout).Encode(struct {
					Links int64 `json:"links"`
					Forgotten
				}{links, forgotten})
			}
			_, err = fmt.Fprintf(p.stdout, "links %d\nconversations %d\ncomplaints %d\ncases %d\naudit %d\ncounters %d\ndeliveries %d\nlines %d\ndrafts %d\nsessions %d\ntries %d\nunheard %d\nevents %d\nunlocks %d\nimports %d\npresence %d\nbells %d\n", links,
				forgotten.Conversations, forgotten.Complaints, forgotten.Cases, forgotten.Audit, forgotten.Counters, forgotten.Deliveries,
				forgotten.Lines, forgotten.Drafts, forgotten.Sessions, forgotten.Tries, forgotten.Unheard, forgotten.Events, forgotten.Unlocks, forgotten.Imports, forgotten.Presence, forgotten.Bells)
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the counts as JSON")
	return cmd
}

// nobody has no records: the diagram needs none.
type nobody struct{}

func (nobody) Find(context.Context, string) (affiliate.Record, bool, error) {
	return affiliate.Record{}, false, nil
}

func (p *program) flow() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "flow", Short: "Print the conversation's diagram (Mermaid)", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			c, err := config.Load(nil, os.DevNull)
			if err != nil {
				return err
			}
			v, err := secret.New(secret.NewDataKey())
			if err != nil {
				return err
			}
			e, err := NewFlow(c, FlowOptions{Records: nobody{}, Vault: v, PublicURL: c.PublicURL})
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(p.stdout).Encode(map[string]string{"mermaid": e.Diagram()})
			}
			_, err = io.WriteString(p.stdout, e.Diagram())
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print it as a field of a JSON object")
	return cmd
}

func (p *program) configHelp() *cobra.Command {
	return &cobra.Command{
		Use: "config", Short: "The settings", Args: cobra.NoArgs, Long: config.Table(),
		Run: func(cmd *cobra.Command, _ []string) { _, _ = io.WriteString(p.stdout, config.Table()) },
	}
}
