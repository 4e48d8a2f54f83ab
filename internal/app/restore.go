package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"llave/internal/config"
	"llave/internal/secret"
	"llave/internal/store"
	"llave/internal/store/backup"
	"llave/internal/store/bolt"
	"llave/internal/store/mongodb"
)

// restored is what llave restore says it did.
type restored struct {
	At          time.Time      `json:"at"`
	OneMoment   bool           `json:"one_moment"`
	Engine      string         `json:"engine"` // that the backup was made of
	Program     string         `json:"program"`
	Documents   int64          `json:"documents"`
	Erasures    int64          `json:"erasures"`
	ErasedAgain int            `json:"erased_again"`
	Collections []backup.Count `json:"collections"`
}

func (p *program) restore() *cobra.Command {
	var identity, logFile, logBase string
	var check, asJSON bool
	cmd := &cobra.Command{
		Use: "restore FILE", Short: "Put a backup into an empty store", Args: cobra.ExactArgs(1),
		Long: `Puts what llave backup wrote into the store that the settings name, which must be empty: a data directory without a store, or a MongoDB
database without documents. Either takes a backup of the other, so that this is also how a store moves from one to the other. The backup is read
through before anything is written, what was written is compared with it, and until all of it is there no program opens the
store: what breaks off leaves none.

The secret key that the store was set up with must be there: LLAVE_SECRET_KEY, or secret.key in the data directory. The log of erasures of the
backup is added to the one that is there, and everybody who was erased since is erased again before the command ends (llave serve looks
again at its start). It is beside the data directory (LLAVE_ERASURE_LOG), or in the database with _erasures behind its name: where the
store goes to another place than before, name the log of that with --erasures-file or --erasures-database. Agents sign in anew. What happened after the backup is not known any more: import the records again, and see
docs/upgrade.md.

With --check the backup is only read, and nothing is written.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			identities, err := readIdentities(identity)
			if err != nil {
				return err
			}
			r := restoring{program: p, path: args[0], identities: identities, logFile: logFile, logBase: logBase}
			if check {
				_, _, err := r.read(cmd.Context())
				if err != nil {
					return err
				}
				return r.say(asJSON)
			}
			if r.config, _, err = p.load(); err != nil {
				return err
			}
			if logBase != "" && r.config.Embedded() {
				return fmt.Errorf("%w: --erasures-database goes with LLAVE_MONGODB_URI", errUsage)
			}
			if err := r.run(cmd.Context()); err != nil {
				return fmt.Errorf("restore: %w", err)
			}
			return r.say(asJSON)
		},
	}
	cmd.Flags().StringVar(&identity, "identity", "", "the file with the age identity that opens the backup")
	cmd.Flags().StringVar(&logFile, "erasures-file", "", "a log of erasures of an embedded store, to be added")
	cmd.Flags().StringVar(&logBase, "erasures-database", "", "a log of erasures on the same MongoDB, to be added")
	cmd.Flags().BoolVar(&check, "check", false, "only see whether the backup is whole")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print what was done as JSON")
	return cmd
}

// restoring is one run of llave restore.
type restoring struct {
	*program
	config     config.Config
	path       string
	identities backup.Identities
	logFile    string // more logs of erasures
	logBase    string

	report backup.Report
	again  int // chats that were erased again
}

// read reads the backup through. Nothing else is believed of it before.
func (r *restoring) read(ctx context.Context) (backup.Report, string, error) {
	from, file, err := openBackup(r.path, r.identities)
	if err != nil {
		return backup.Report{}, "", err
	}
	defer file.Close()
	if r.report, err = from.Each(ctx, backup.Into{}); err != nil {
		return backup.Report{}, "", fmt.Errorf("%s: %w", r.path, err)
	}
	return r.report, from.Head.Wrapped, nil
}

func (r *restoring) run(ctx context.Context) error {
	keys, err := r.keys()
	if err != nil {
		return err
	}
	if info, err := os.Stat(r.path); err != nil {
		return err
	} else if !info.Mode().IsRegular() {
		return fmt.Errorf("%s: it is no file: a backup is read through before it is read again and loaded, and this can be read once", r.path)
	}
	_, wrapped, err := r.read(ctx)
	if err != nil {
		return err
	}
	if _, _, err := keys.Unwrap(wrapped); err != nil {
		return errors.New("the secret key does not open this backup: it is of a store that was set up with another one; nothing was written")
	}
	if time.Since(r.report.At) > store.ErasuresKept {
		r.warn("the backup is older than the log of erasures reaches: who was erased since cannot all be known", "days", int(store.ErasuresKept.Hours()/24))
	}
	if r.config.Embedded() {
		err = bolt.Build(ctx, bolt.Options{Dir: r.config.DataDir}, func(e *bolt.Engine) error { return r.fill(ctx, e, keys) })
	} else {
		err = mongodb.Build(ctx, mongodb.Options{URI: r.config.MongoDBURI.Reveal(), Database: r.config.MongoDBDatabase, AppName: "llave"},
			func(e *mongodb.Engine) error { return r.fill(ctx, e, keys) })
	}
	if errors.Is(err, store.ErrTaken) {
		return fmt.Errorf("%w; nothing was written there: %s", err, r.empty())
	}
	return err
}

// empty says how to have an empty store.
func (r *restoring) empty() string {
	if r.config.Embedded() {
		return "move the data directory away as a whole, make a new one with secret.key in it (the log of erasures beside it stays where it is), and restore again"
	}
	log := r.config.MongoDBDatabase + erasuresInBase
	return "name another one in LLAVE_MONGODB_DATABASE and restore again with --erasures-database " + log + ", or drop this one, and not " + log
}

// keys are the secret keys, which are in no backup.
func (r *restoring) keys() (secret.Keys, error) {
	if r.config.SecretKey != nil {
		return r.config.SecretKey, nil
	}
	keys, err := config.FindSecretKey(r.config.DataDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no secret key, and it is in no backup: put secret.key into %s, readable for its owner alone, or set LLAVE_SECRET_KEY", r.config.DataDir)
	}
	return keys, err
}

// fill loads the backup into an empty engine, and erases again who was erased since.
func (r *restoring) fill(ctx context.Context, e interface {
	store.Engine
	store.Loader
}, keys secret.Keys) error {
	from, file, err := openBackup(r.path, r.identities)
	if err != nil {
		return err
	}
	defer file.Close()
	log := map[string]time.Time{}
	tell, end := r.counting("documents restored")
	report, err := from.Load(ctx, backup.Target{Engine: e, Tell: tell, Erasure: func(conv string, at time.Time) {
		if at.After(log[conv]) {
			log[conv] = at
		}
	}})
	end()
	if err != nil {
		return err
	}
	if backup.Differ(report.Collections, r.report.Collections) != "" {
		return fmt.Errorf("%w: it changed while it was read", backup.ErrBroken)
	}
	return r.erase(ctx, e, log, keys)
}

// erase adds the erasures that the backup knows to the log that is there, and erases again what that has and the store does not show (P807).
func (r *restoring) erase(ctx context.Context, e store.Engine, had map[string]time.Time, keys secret.Keys) (err error) {
	s := store.New(e)
	log, done, err := openErasures(ctx, r.config, s, r.warn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	if err := r.otherLogs(ctx, had); err != nil {
		return err
	}
	some := len(had) > 0
	err = log.Each(ctx, func(conv string, at time.Time) bool {
		some = true
		if !had[conv].After(at) {
			delete(had, conv)
		}
		return true
	})
	if err != nil || !some {
		return err
	}
	for conv, at := range had {
		if err := log.Append(ctx, conv, at); err != nil {
			return fmt.Errorf("add to the log of erasures: %w", err)
		}
	}
	vault, err := s.DataKey(ctx, keys)
	if err != nil {
		return err
	}
	s.Seal(vault)
	if r.again, err = s.Reapply(ctx, log); err != nil || r.again == 0 {
		return err
	}
	return scrub(ctx, e)
}

// otherLogs adds what is in the logs of where the store was before. Names of chats of another store are nobody's here.
func (r *restoring) otherLogs(ctx context.Context, had map[string]time.Time) error {
	add := func(conv string, at time.Time) bool {
		if at.After(had[conv]) {
			had[conv] = at
		}
		return true
	}
	if r.logFile != "" {
		if _, err := os.Stat(r.logFile); err != nil {
			return fmt.Errorf("--erasures-file: %w", err)
		}
		if err := eachLine(ctx, r.logFile, add); err != nil {
			return fmt.Errorf("--erasures-file: %w", err)
		}
	}
	if r.config.Embedded() {
		return nil
	}
	path, err := r.config.ErasureLogPath() // of the embedded store that was here before
	if err == nil {
		err = (&erasureFile{path: path, also: filepath.Join(r.config.DataDir, config.ErasuresInside)}).Each(ctx, add)
	}
	if err != nil || r.logBase == "" {
		return err
	}
	e, err := mongodb.Open(ctx, mongodb.Options{URI: r.config.MongoDBURI.Reveal(), Database: r.logBase, AppName: "llave", Bare: true})
	if err != nil {
		return fmt.Errorf("--erasures-database: %w", err)
	}
	return errors.Join(store.NewErasureLog(e).Each(ctx, add), e.Close())
}

// warn says what openErasures has to say, in a command that keeps no log.
func (r *restoring) warn(msg string, args ...any) {
	fmt.Fprintf(r.stderr, "Warning: %s", msg)
	for i := 0; i+1 < len(args); i += 2 {
		fmt.Fprintf(r.stderr, " (%v: %v)", args[i], args[i+1])
	}
	fmt.Fprintln(r.stderr)
}

func (r *restoring) say(asJSON bool) error {
	f := r.report
	done := restored{f.At, f.Exact, f.Engine, f.Program, f.Documents, f.Erasures, r.again, f.Collections}
	if asJSON {
		return json.NewEncoder(r.stdout).Encode(done)
	}
	_, err := fmt.Fprintf(r.stdout, "at %s\none moment %s\nengine %s\nprogram %s\ndocuments %d\nerasures %d\nerased again %d\n", done.At.Format(time.RFC3339),
		yesNo(done.OneMoment), done.Engine, done.Program, done.Documents, done.Erasures, done.ErasedAgain)
	return err
}
