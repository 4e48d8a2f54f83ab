package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"llave/internal/config"
	"llave/internal/store"
	"llave/internal/store/backup"
)

// notInIt is said after each backup.
const notInIt = `Not in it: the settings (.env), LLAVE_SECRET_KEY or secret.key, without which nothing of it can be read: keep that apart; the offices file
and others that settings name; who is signed in at the desk.`

// notAtOnce is said of a backup that is not of one moment.
const notAtOnce = `This MongoDB cannot be read as it is at one moment (a server alone, or older than 5.0): each document is as it was when its turn came, while
others were written. To have all of one moment use a replica set, or stop the service first.`

// backedUp is what llave backup says it did.
type backedUp struct {
	File        string         `json:"file"`
	At          time.Time      `json:"at"`
	OneMoment   bool           `json:"one_moment"`
	Engine      string         `json:"engine"`
	Program     string         `json:"program"`
	Documents   int64          `json:"documents"`
	Erasures    int64          `json:"erasures"`
	Bytes       int64          `json:"bytes"`
	SHA256      string         `json:"sha256"`
	Encrypted   bool           `json:"encrypted"`
	Collections []backup.Count `json:"collections"`
}

func (p *program) backup() *cobra.Command {
	var to []string
	var toFile string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "backup FILE", Short: "Write the whole store into a file, beside a service that runs", Args: cobra.ExactArgs(1),
		Long: `Writes all that is stored into a new file that only its owner may read, as it is at one moment, while the service goes on: through the
process that holds an embedded store, or from MongoDB (a replica set or a sharded cluster of 5.0 or newer; of any other server each document is as it was
at a moment of its own, and that is said). The file has its name once it was written, read back and found whole; a file that is there is never
replaced. What is sealed stays sealed; the data key is in it wrapped, never in the clear, and the log of erasures too.

` + notInIt + `

The records of the institution are in it as they are in the store, with names and numbers. With --recipient or --recipients-file all of it is
encrypted for whoever has the other half of the key (age, https://age-encryption.org; age-keygen makes a pair).`,
		RunE: func(cmd *cobra.Command, args []string) error {
			recipients, err := readRecipients(to, toFile)
			if err != nil {
				return err
			}
			c, log, err := p.load()
			if err != nil {
				return err
			}
			if err := isThere(c); err != nil {
				return err
			}
			return withStoreOf(cmd.Context(), c, func(s *store.Store, c config.Config) error {
				erasures, done, err := openErasures(cmd.Context(), c, s, log.Warn)
				if err != nil {
					return err
				}
				tell, end := p.counting("documents backed up")
				f, err := backup.Create(cmd.Context(), args[0], recipients, backup.Source{
					Engine: s.Engine(), Erasures: erasures.Each, Program: version(), Tell: tell,
				})
				end()
				if err = errors.Join(err, done()); err != nil {
					return fmt.Errorf("back up: %w", err)
				}
				return p.sayBackedUp(args[0], f, len(recipients) > 0, asJSON)
			})
		},
	}
	cmd.Flags().StringArrayVar(&to, "recipient", nil, "encrypt for this public key of age (age1…); may be given again")
	cmd.Flags().StringVar(&toFile, "recipients-file", "", "encrypt for the public keys of age in this file")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print what was done as JSON")
	return cmd
}

func readRecipients(keys []string, file string) (backup.Recipients, error) {
	text := strings.Join(keys, "\n")
	if file != "" {
		more, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("--recipients-file: %w", err)
		}
		text += "\n" + string(more)
	}
	if file == "" && len(keys) == 0 {
		return nil, nil
	}
	to, err := backup.ParseRecipients([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("%w: whom to encrypt for: %w", errUsage, err)
	}
	return to, nil
}

func (p *program) sayBackedUp(path string, f backup.File, encrypted, asJSON bool) error {
	fmt.Fprintln(p.stderr, notInIt)
	if !f.Exact {
		fmt.Fprintln(p.stderr, notAtOnce)
	}
	done := backedUp{
		File: path, At: f.At, OneMoment: f.Exact, Engine: f.Engine, Program: f.Program, Documents: f.Documents, Erasures: f.Erasures,
		Bytes: f.Bytes, SHA256: f.Sum, Encrypted: encrypted, Collections: f.Collections,
	}
	if asJSON {
		return json.NewEncoder(p.stdout).Encode(done)
	}
	_, err := fmt.Fprintf(p.stdout, "file %s\nat %s\none moment %s\nengine %s\ndocuments %d\nerasures %d\nbytes %d\nsha256 %s\nencrypted %s\n", done.File,
		done.At.Format(time.RFC3339), yesNo(done.OneMoment), done.Engine, done.Documents, done.Erasures, done.Bytes, done.SHA256, yesNo(done.Encrypted))
	return err
}

func yesNo(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}

// counting says how many there are so far: on a terminal in one line that changes, else every ten seconds.
func (p *program) counting(what string) (tell func(n int64), end func()) {
	terminal, said, shown := isTerminal(p.stderr), time.Now(), false
	every := 10 * time.Second
	if terminal {
		every = 200 * time.Millisecond
	}
	tell = func(n int64) {
		if n%256 != 0 || time.Since(said) < every {
			return
		}
		said, shown = time.Now(), true
		if terminal {
			fmt.Fprintf(p.stderr, "\r%d %s", n, what)
		} else {
			fmt.Fprintf(p.stderr, "%d %s\n", n, what)
		}
	}
	return tell, func() {
		if terminal && shown {
			fmt.Fprintln(p.stderr)
		}
	}
}

// openBackup opens a file and reads its head. Whoever has the reader closes the file.
func openBackup(path string, identities backup.Identities) (*backup.Reader, io.Closer, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	r, err := backup.Open(file, identities)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%s: %w", path, err), file.Close())
	}
	return r, file, nil
}

func readIdentities(path string) (backup.Identities, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("--identity: %w", err)
	}
	all, err := backup.ParseIdentities(text)
	if err != nil {
		return nil, fmt.Errorf("--identity: %w", err)
	}
	return all, nil
}
