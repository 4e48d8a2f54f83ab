package upgrade

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"llave/internal/store"
	"llave/internal/store/backup"
	"llave/internal/store/storetest"
)

const backups = "testdata/backups"

// TestMakeBackup has a llave write a store through its own front door, kills it, and keeps the backup that it makes of that.
//
//	go test ./internal/upgrade -run MakeBackup -v -stores.llave /path/to/llave -stores.into COMMIT
func TestMakeBackup(t *testing.T) {
	if *storesLlave == "" {
		t.Skip("SKIP: it makes test data, from the llave that -stores.llave names")
	}
	m := newMaker(t, "bolt")
	m.start()
	m.walk(func(p person) []string { return p.settled }, 8)
	m.breakWires()
	m.walk(func(p person) []string { return p.broken }, 1)
	m.process.Kill()
	must(t, os.MkdirAll(backups, 0o755))
	path, err := filepath.Abs(filepath.Join(backups, *storesInto+".llave"))
	must(t, err)
	m.command("", "backup", path)
	must(t, os.Chmod(path, 0o644))
	a := about{NextUpdate: 700100001, Agent: agentLogin, Password: agentPassword, People: m.people, Links: map[string]string{}}
	for _, l := range m.smtp.Letters() {
		if link := linkOf(l, false); link != "" {
			u, err := url.Parse(link)
			must(t, err)
			a.Links[l.To] = u.Path
		}
	}
	text, err := json.MarshalIndent(a, "", "\t")
	must(t, err)
	must(t, os.WriteFile(strings.TrimSuffix(path, ".llave")+".json", append(text, '\n'), 0o644))
}

// A backup that an earlier version made is put into an empty store of either engine by this one, every promise in it is kept, and everybody goes
// on from where they were (P806, P809).
func TestUpgrade_backups(t *testing.T) {
	kept, err := filepath.Glob(filepath.Join(backups, "*.llave"))
	must(t, err)
	if len(kept) == 0 {
		t.Fatal("no backup is kept")
	}
	for _, path := range kept {
		for _, b := range storetest.Backends() {
			t.Run(filepath.Base(path)+" into "+b.Name, func(t *testing.T) {
				l := &left{token: 22}
				text, err := os.ReadFile(strings.TrimSuffix(path, ".llave") + ".json")
				must(t, err)
				must(t, json.Unmarshal(text, &l.about))
				file, err := os.Open(path)
				must(t, err)
				defer file.Close()
				r, err := backup.Open(file, nil)
				must(t, err)
				e := b.Open(t)
				_, err = r.Load(t.Context(), backup.Target{Engine: e.(interface {
					store.Engine
					store.Loader
				}), Erasure: func(string, time.Time) {}, Tell: func(int64) {}})
				must(t, err)
				l.clock, l.shared = storetest.NewClock(r.Head.At), b.Name != "bolt"
				l.engine = ticking{e, l.clock}
				l.outside(t)
				must(t, l.start(t, l.engine, false))
				defer func() { l.stop(t) }()
				l.listen(t)
				owed := len(l.owes(t))
				l.clock.Advance(believed)
				for range 60 {
					must(t, l.sweep(t))
					if len(l.owes(t)) == 0 {
						break
					}
					l.clock.Advance(2 * time.Second)
				}
				if open := l.owes(t); len(open) > 0 || owed == 0 {
					t.Errorf("of %d promises %d are still owed", owed, len(open))
				}
				l.everybodyGoesOn(t)
				l.agentsSignIn(t)
			})
		}
	}
}
