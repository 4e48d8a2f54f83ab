package bolt_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/internal/store"
	"llave/internal/store/bolt"
)

// What was removed or written anew is nowhere in the file once its free pages were overwritten, while others read and write; and
// everything else is as it was, also for who opens the file again (P724).
func TestScrub(t *testing.T) {
	dir := t.TempDir()
	e := openIn(t, dir)
	ctx := t.Context()
	write := func(id, text string) bson.Raw {
		raw, err := bson.Marshal(bson.D{{Key: "_id", Value: id}, {Key: "v", Value: int64(1)}, {Key: "text", Value: text}})
		must(t, err)
		return raw
	}
	const secret = "no-longer-to-be-read"
	for i := range 400 {
		must(t, e.Insert(ctx, store.Lines, write(fmt.Sprintf("gone/%03d", i), fmt.Sprint(secret, i))))
		must(t, e.Insert(ctx, store.Lines, write(fmt.Sprintf("stays/%03d", i), fmt.Sprint("kept", i))))
	}
	_, err := e.DeleteRange(ctx, store.Query{Collection: store.Lines, From: "gone/", To: "gone0"})
	must(t, err)
	holds := func() int {
		all, err := os.ReadFile(filepath.Join(dir, bolt.FileName))
		must(t, err)
		return bytes.Count(all, []byte(secret))
	}
	if holds() == 0 {
		t.Fatal("the file holds nothing of what was removed: nothing is shown")
	}
	var busy sync.WaitGroup
	stop := make(chan struct{})
	for w := range 4 {
		busy.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := e.Insert(ctx, store.Lines, write(fmt.Sprintf("busy/%d/%05d", w, n), "busy")); err != nil {
					t.Error(err)
					return
				}
				seen := 0
				if err := e.Scan(ctx, store.Query{Collection: store.Lines, From: "stays/", To: "stays0"}, func(bson.Raw) bool { seen++; return true }); err != nil || seen != 400 {
					t.Errorf("%d documents are read (%v), want 400", seen, err)
					return
				}
			}
		})
	}
	wiped := 0
	for range 20 {
		n, err := e.Scrub(ctx)
		must(t, err)
		wiped += n
	}
	close(stop)
	busy.Wait()
	if n := holds(); n != 0 || wiped == 0 {
		t.Errorf("the file holds %d of what was removed after %d pages were overwritten", n, wiped)
	}
	must(t, e.Close())
	again := openIn(t, dir)
	n, err := again.Count(ctx, store.Query{Collection: store.Lines, From: "stays/", To: "stays0"})
	must(t, err)
	if n != 400 {
		t.Errorf("%d documents are there, want 400", n)
	}
}
