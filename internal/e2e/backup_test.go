package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/bot"
	"llave/internal/bottest"
	"llave/internal/store"
	"llave/internal/store/backup"
	"llave/internal/store/storetest"
)

// backupChats are how many people write without a pause while the store is backed up.
const backupChats = 40

// writers are people who write, each once they were answered, until they are told to stop.
type writers struct {
	e              *environment
	said, answered [backupChats]atomic.Int64
	stop           chan struct{}
	group          sync.WaitGroup
}

func (e *environment) write(t *testing.T) *writers {
	w := &writers{e: e, stop: make(chan struct{})}
	for i := range backupChats {
		w.group.Go(func() {
			p := e.phone(t, i)
			for n := 0; ; n++ {
				select {
				case <-w.stop:
					return
				default:
				}
				w.said[i].Add(1)
				last := p.api.Say(p.chat, script[line(n)].says)
				if _, err := p.api.WaitMessage(p.chat, last, answerWithin); err != nil {
					t.Errorf("person %d: %v", i, err)
					return
				}
				w.answered[i].Add(1)
			}
		})
	}
	return w
}

func counts(of *[backupChats]atomic.Int64) (n [backupChats]int64) {
	for i := range of {
		n[i] = of[i].Load()
	}
	return n
}

// The store is backed up by a process of its own while another, or two, answer people without a pause. What was answered before it began is
// in the file, and nothing that was said after it ended. It goes into either engine as it is; whoever was erased since is erased again there,
// everybody else's chat goes on, and the file is as good afterwards (P805, P806, P807).
func TestBackup_underLoad(t *testing.T) {
	onBothStores(t, "of", func(t *testing.T, settings ...string) {
		dir := t.TempDir()
		log := filepath.Join(dir, "log of erasures")
		e := newEnvironment(t, byWebhook, append(settings, "LLAVE_ERASURE_LOG="+log, "LLAVE_LIMIT_MESSAGES_MINUTE=10000", "LLAVE_TELEGRAM_RATE=1000")...)
		shared := e.setting("LLAVE_MONGODB_URI") != ""
		if shared {
			dropErasures(t, e)
		}
		e.imports(t, people)
		serving := []*process{e.serve(t)}
		if shared {
			admin := freeAddr(t)
			second := start(t, append(slices.Clone(e.env), "LLAVE_HTTP_ADDR="+freeAddr(t), "LLAVE_ADMIN_ADDR="+admin), "serve")
			second.waitOK(t, "http://"+admin+"/readyz", 30*time.Second)
			serving = append(serving, second)
		}
		w := e.write(t)
		for _, many := range []int64{3, 8} { // of the last person; the others have about as many
			for late := time.Now().Add(answerWithin); w.answered[backupChats-1].Load() < many && time.Now().Before(late); {
				time.Sleep(10 * time.Millisecond)
			}
		}
		var importing sync.WaitGroup
		importing.Go(func() { // beside it, thousands of records
			if code, _, errs := outcome(t, e.env, "", "import", writePeople(t, 8000)); code != 0 {
				t.Errorf("import: exit %d: %s", code, errs)
			}
		})
		before := counts(&w.answered)
		file := filepath.Join(dir, "backup")
		code, out, errs := outcome(t, e.env, "", "backup", "--json", file)
		after := counts(&w.said)
		if code != 0 {
			t.Fatalf("backup: exit %d: %s", code, errs)
		}
		contains(t, "what is not in it", errs, "LLAVE_SECRET_KEY")
		var did struct {
			OneMoment bool  `json:"one_moment"`
			Documents int64 `json:"documents"`
		}
		if err := json.Unmarshal([]byte(out), &did); err != nil || !shared && !did.OneMoment || did.Documents < people+backupChats {
			t.Errorf("backup says %s (%v)", out, err)
		}
		if code, _, errs := outcome(t, e.env, "", "backup", file); code != 1 || !strings.Contains(errs, "exists") {
			t.Errorf("over a file that is there: exit %d, %s", code, errs)
		}
		if code, _, errs := outcome(t, e.env, "", "restore", file); code != 1 || !strings.Contains(errs, "a store is there already") {
			t.Errorf("over a store that is served: exit %d, %s", code, errs)
		}
		t.Logf("of one moment: %t", did.OneMoment)
		close(w.stop)
		w.group.Wait()
		importing.Wait()
		const erased = 7
		gone := e.phone(t, erased)
		if code, out, errs := outcome(t, e.env, "", "person", "erase", "--chat", fmt.Sprint("telegram:", gone.chat)); code != 0 || out != "chats 1\n" {
			t.Fatalf("erase: exit %d, %s%s", code, out, errs)
		}
		for _, p := range serving {
			p.stop(t)
		}
		if code, out, errs := outcome(t, nil, "", "restore", "--check", file); code != 0 || !strings.Contains(out, fmt.Sprintf("documents %d\n", did.Documents)) {
			t.Errorf("restore --check: exit %d, %s%s", code, out, errs)
		}
		t.Run("into bolt", func(t *testing.T) {
			r := &restoredStore{environment: *e, file: file, before: before, after: after, gone: -1}
			r.env = append(slices.DeleteFunc(slices.Clone(e.env), func(kv string) bool { return strings.HasPrefix(kv, "LLAVE_MONGODB_") }), "LLAVE_DATA_DIR="+t.TempDir(), "LLAVE_ERASURE_LOG="+filepath.Join(dir, "another log"))
			if !shared { // the log of a MongoDB is not where an embedded store looks
				r.gone, r.args = erased, []string{"--erasures-file", log}
			}
			r.goesOn(t)
		})
		t.Run("into MongoDB", func(t *testing.T) {
			uri := storetest.MongoURI(t)
			r := &restoredStore{environment: *e, file: file, before: before, after: after, gone: erased}
			r.env = append(slices.Clone(e.env), "LLAVE_MONGODB_URI="+uri, "LLAVE_MONGODB_DATABASE="+storetest.NewDatabase(t, uri))
			dropErasures(t, &r.environment)
			if shared {
				r.args = []string{"--erasures-database", e.setting("LLAVE_MONGODB_DATABASE") + "_erasures"}
			}
			r.goesOn(t)
		})
	})
}

// dropErasures has the database of the log of erasures dropped when the test ends.
func dropErasures(t *testing.T, e *environment) {
	t.Helper()
	storetest.DropDatabase(t, e.setting("LLAVE_MONGODB_URI"), e.setting("LLAVE_MONGODB_DATABASE")+"_erasures")
}

// restoredStore is a backup that is put into an empty store.
type restoredStore struct {
	environment
	file          string
	args          []string
	before, after [backupChats]int64 // what was answered before, and said until after
	gone          int                // who was erased since; -1: nobody
}

func (r *restoredStore) goesOn(t *testing.T) {
	code, out, errs := outcome(t, r.env, "", append([]string{"restore", r.file}, r.args...)...)
	if code != 0 {
		t.Fatalf("restore: exit %d: %s", code, errs)
	}
	again := 0
	if r.gone >= 0 {
		again = 1
	}
	contains(t, "restore", out, fmt.Sprintf("erased again %d\n", again))
	if code, _, errs := outcome(t, r.env, "", "restore", r.file); code != 1 || !strings.Contains(errs, "a store is there already") {
		t.Errorf("restored twice: exit %d, %s", code, errs)
	}
	r.reconcile(t)
	llave := r.serve(t)
	for i := range backupChats {
		p := r.phone(t, i)
		want := "¿Qué necesita hoy?"
		if i == r.gone {
			want = "Hola. Soy Llave"
		}
		last := p.api.Say(p.chat, "menú")
		if !p.api.Wait(answerWithin, func() bool {
			return slices.ContainsFunc(p.api.Messages(p.chat), func(m bottest.ChatMessage) bool { return m.ID > last && strings.Contains(m.Text, want) })
		}) {
			t.Errorf("person %d is not answered with %q, but with %+v", i, want, p.api.Messages(p.chat)[max(0, len(p.api.Messages(p.chat))-2):])
		}
	}
	llave.stop(t)
}

// reconcile compares the store with the file, document by document, and what it has of each chat with what was said.
func (r *restoredStore) reconcile(t *testing.T) {
	file, err := os.Open(r.file)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	from, err := backup.Open(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, _ := r.openStore(t)
	gone := ""
	if r.gone >= 0 {
		gone = s.Book.Conv(bot.ConversationID("telegram", fmt.Sprint(r.phone(t, r.gone).chat)))
	}
	n, others := 0, 0
	report, err := from.Each(t.Context(), backup.Into{Document: func(collection string, want bson.Raw) error {
		n++
		id, err := store.DocumentID(want)
		if err != nil {
			return err
		}
		got, err := s.Raw().Get(t.Context(), collection, id)
		if err != nil || !bytes.Equal(got, want) {
			others++
			if gone == "" || !bytes.Contains(want, []byte(gone)) && collection != store.Settings && collection != store.Audit && collection != store.Names {
				t.Errorf("%s/%s is not what is in the backup (%v)", collection, id, err)
			}
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if gone != "" && others == 0 {
		t.Error("nothing of who was erased has changed")
	}
	has, err := backup.Measure(t.Context(), s.Raw())
	if err != nil {
		t.Fatal(err)
	}
	total := int64(0)
	for _, c := range has {
		total += c.Documents
	}
	t.Logf("%d documents of %d collections, %d of who was erased; the store has %d", n, len(report.Collections), others, total)
	if gone == "" && total != report.Documents {
		t.Errorf("%d documents, want %d", total, report.Documents)
	}
	for i := range backupChats {
		if i == r.gone {
			continue
		}
		c, err := s.Conversations.Load(context.Background(), s.Book.Conv(bot.ConversationID("telegram", fmt.Sprint(r.phone(t, i).chat))))
		if err != nil || c.Turns < r.before[i] || c.Turns > r.after[i] {
			t.Errorf("person %d: %d turns are known (%v), want %d that were answered before to %d that were said until after", i, c.Turns, err, r.before[i], r.after[i])
		}
	}
	if err := s.Raw().Close(); err != nil {
		t.Error(err)
	}
}
