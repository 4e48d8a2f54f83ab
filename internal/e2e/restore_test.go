package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"llave/internal/store"
	"llave/internal/store/bolt"
	"llave/internal/store/mongodb"
)

// A restore is killed in the middle. In a data directory there is no store then, and it is done again; a database opens for nobody until it was
// dropped (P806).
func TestRestore_killed(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, byNothing)
	const many = 30_000
	e.imports(t, many)
	if code, _, errs := outcome(t, e.env, "", "audit", "verify"); code != 0 { // which makes the keys
		t.Fatal(errs)
	}
	file := filepath.Join(t.TempDir(), "b")
	if code, _, errs := outcome(t, e.env, "", "backup", file); code != 0 {
		t.Fatal(errs)
	}
	onBothStoresInTurn(t, "into", func(t *testing.T, settings ...string) {
		env := append(append(slices.Clone(e.env), "LLAVE_DATA_DIR="+t.TempDir()), settings...)
		to := environment{env: env}
		dir, shared := to.setting("LLAVE_DATA_DIR"), to.setting("LLAVE_MONGODB_URI") != ""
		p := start(t, env, "restore", file)
		begun := func() bool {
			half, _ := filepath.Glob(filepath.Join(dir, bolt.FileName+".*.new", bolt.FileName)) // the pattern is right
			return len(half) > 0
		}
		if shared {
			dropErasures(t, &to)
			i, err := mongodb.Inspect(mongodb.Options{URI: to.setting("LLAVE_MONGODB_URI"), Database: to.setting("LLAVE_MONGODB_DATABASE")})
			if err != nil {
				t.Fatal(err)
			}
			defer i.Close()
			begun = func() bool {
				_, err := i.Newer(t.Context())
				return errors.Is(err, store.ErrUnfinished)
			}
		}
		for late := time.Now().Add(answerWithin); !begun(); time.Sleep(time.Millisecond) {
			if time.Now().After(late) {
				t.Fatalf("the restore does not begin: %s", p.stderr)
			}
		}
		p.Kill()
		if p.stdout.String() != "" {
			t.Fatalf("it was over before it was killed: %s", p.stdout)
		}
		if shared {
			for _, c := range [][]string{{"restore", file}, {"audit", "verify"}, {"serve"}} {
				if code, _, errs := outcome(t, env, "", c...); code != 1 || !strings.Contains(errs, "restore") || !strings.Contains(errs, "drop the database") {
					t.Errorf("llave %v over half a store: exit %d, %s", c, code, errs)
				}
			}
			return
		}
		if _, err := os.Lstat(filepath.Join(dir, bolt.FileName)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("half a store is there as a whole one (%v)", err)
		}
		if code, out, errs := outcome(t, env, "", "restore", file); code != 0 {
			t.Errorf("restored again: exit %d, %s%s", code, out, errs)
		}
		if code, out, errs := outcome(t, env, "", "purge"); code != 0 {
			t.Errorf("exit %d, %s%s", code, out, errs)
		}
		if left, err := filepath.Glob(filepath.Join(dir, "*.new")); err != nil || len(left) > 0 {
			t.Errorf("of the one that was killed there is still %v (%v)", left, err)
		}
		s, _ := to.openStore(t)
		if n, err := s.Raw().Count(t.Context(), store.Query{Collection: store.Affiliates}); err != nil || n != many {
			t.Errorf("%d records (%v), want %d", n, err, many)
		}
	})
}
