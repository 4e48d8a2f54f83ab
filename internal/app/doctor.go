package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"llave/internal/address"
	"llave/internal/config"
	"llave/internal/doctor"
	"llave/internal/secret"
)

// errRed is how a report with something red ends.
var errRed = errors.New("something does not work: see what is red above")

// toSender is what --send means without an address.
const toSender = "the sender itself"

func (p *program) doctor() *cobra.Command {
	var asJSON bool
	var send string
	cmd := &cobra.Command{
		Use: "doctor [--send[=ADDRESS]]", Short: "Try every setting against the real thing, and say what to do",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && send == toSender {
				return errors.New("name the address behind a =: llave doctor --send=ADDRESS")
			}
			return cobra.NoArgs(cmd, args)
		},
		Long: `Tries every setting against the real thing: files and their rights, disk, secret key, the service on this machine, clocks, MongoDB or
the embedded store, the mail server and what DNS says of the sender's domain, Telegram, WhatsApp, the public address with its
certificate and proxy, the receiver of events. Each check is green, yellow (it works, and somebody should look) or red (it
does not work), and says what to do. Exits with 1 when something is red, else with 0.

It changes nothing, and works beside a service that runs; no secret is printed. --send has the mail server take a letter too: to
LLAVE_REPORT_TO, or else to the sender's own address, or to the one that is named.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := p.examine(func(c config.Config) (doctor.Report, error) {
				to, err := sendTo(c, send)
				if err != nil {
					return doctor.Report{}, err
				}
				return doctor.Check(cmd.Context(), doctor.Options{Config: c, Flow: tryFlow(c), Send: to}), nil
			})
			if err != nil {
				return err
			}
			return p.report(r, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print it as JSON")
	cmd.Flags().StringVar(&send, "send", "", "send a letter too, to that address")
	cmd.Flags().Lookup("send").NoOptDefVal = toSender
	return cmd
}

// check is `serve --check`: what can be tried without anybody else.
func (p *program) check(ctx context.Context, asJSON bool) error {
	r, err := p.examine(func(c config.Config) (doctor.Report, error) {
		return doctor.CheckFiles(ctx, doctor.Options{Config: c, Flow: tryFlow(c)}), nil
	})
	if err != nil {
		return err
	}
	return p.report(r, asJSON)
}

// examine reads the settings and tries them. Settings that cannot be read are the whole report.
func (p *program) examine(try func(config.Config) (doctor.Report, error)) (doctor.Report, error) {
	c, _, err := p.load(config.NeedMail)
	if err != nil {
		r := doctor.Unreadable(errors.Unwrap(err))
		if dir, derr := os.Getwd(); derr == nil && !config.HasEnvFile(".") && strings.Contains(err.Error(), "LLAVE_SMTP_URL: is needed") {
			r = r.Elsewhere(dir)
		}
		return r, nil
	}
	return try(c)
}

// report prints it. What is red is a failure.
func (p *program) report(r doctor.Report, asJSON bool) error {
	var err error
	if asJSON {
		err = json.NewEncoder(p.stdout).Encode(r)
	} else {
		err = r.Write(p.stdout, isTerminal(p.stdout))
	}
	if err == nil && r.Status == doctor.Red {
		err = errRed
	}
	return err
}

// tryFlow builds the conversation as the start does, over nobody's records.
func tryFlow(c config.Config) func() error {
	return func() error {
		v, err := secret.New(secret.NewDataKey())
		if err != nil {
			return err
		}
		_, err = NewFlow(c, FlowOptions{Records: nobody{}, Vault: v, PublicURL: c.PublicURL})
		return err
	}
}

// sendTo is whom a letter goes to: nobody, unless that was asked for.
func sendTo(c config.Config, asked string) (string, error) {
	switch {
	case asked != toSender:
		return asked, nil
	case c.ReportTo != "":
		return strings.Trim(c.ReportTo, "<>"), nil
	}
	from, err := address.Sender(c.MailFrom)
	if err != nil {
		return "", fmt.Errorf("LLAVE_MAIL_FROM: %w", err)
	}
	return from.Address, nil
}
