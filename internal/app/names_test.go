package app_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"llave/bot"
	"llave/bot/whatsapp"
	"llave/internal/app"
	"llave/internal/bottest"
	"llave/internal/config"
	"llave/internal/store"
	"llave/internal/store/storetest"
)

// Two people and one telephone number. A has the number P and the user id A1, and moves to the number Q, with the user id A2.
// B gets the number P after that, with the user id B1. What each writes, and WhatsApp's word that A moved, may be delivered
// in any order, twice, and without some of the names.

// notice is one thing that WhatsApp delivers. In its names P and Q are numbers, the others user ids.
type notice struct {
	name            string // as it stands in a word
	by              string // who wrote it; "": WhatsApp itself
	phone, id       string
	toPhone, toID   string
	onlyPhone, told bool
}

var notices = []notice{
	{name: "a", by: "A", phone: "P", id: "A1"}, {name: "p", by: "A", phone: "P", onlyPhone: true}, {name: "i", by: "A", id: "A1"},
	{name: "s", told: true, phone: "P", id: "A1", toPhone: "Q", toID: "A2"}, {name: "t", told: true, phone: "P", toPhone: "Q"},
	{name: "x", by: "A", phone: "Q", id: "A2"}, {name: "y", by: "A", phone: "Q", onlyPhone: true},
	{name: "b", by: "B", phone: "P", id: "B1"}, {name: "q", by: "B", phone: "P", onlyPhone: true}, {name: "j", by: "B", id: "B1"},
}

func noticeOf(name byte) notice {
	i := slices.IndexFunc(notices, func(n notice) bool { return n.name == string(name) })
	return notices[i]
}

// crossing is two processes over one store, to which notices are delivered.
type crossing struct {
	t         *testing.T
	processes []*app.App
	graph     *bottest.Graph
	words     int

	mu     sync.Mutex
	fails  int  // the store's call that fails, counted down; 0: none
	done   bool // that one is done all the same
	failed bool
}

func (x *crossing) around(c storetest.Call, do func() error) error {
	if c.Collection != store.Names && c.Collection != store.Book && !(c.Collection == store.Conversations && c.Write) {
		return do()
	}
	x.mu.Lock()
	dies := false
	if x.fails > 0 {
		x.fails--
		dies = x.fails == 0
		x.failed = x.failed || dies
	}
	done := x.done
	x.mu.Unlock()
	if dies && !done {
		return errDead
	}
	return errors.Join(do(), map[bool]error{true: errDead}[dies])
}

const crossingSecret = "app-secret-of-the-test"

func newCrossing(t *testing.T, e store.Engine) *crossing {
	t.Helper()
	x := &crossing{t: t, graph: bottest.NewGraph(bottest.GraphOptions{
		Tokens: []string{"EAAtest"}, PhoneNumberID: "106540352242922", AppSecret: crossingSecret, VerifyToken: "word", PerSecond: -1, PairEvery: -1,
	})}
	if err := x.graph.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.graph.Close)
	smtp, err := bottest.StartSMTP()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = smtp.Close() })
	for range 2 {
		settings, err := config.Load([]string{
			"LLAVE_HTTP_ADDR=127.0.0.1:0", "LLAVE_ADMIN_ADDR=127.0.0.1:0", "LLAVE_SMTP_URL=" + smtp.URL(),
			"LLAVE_SECRET_KEY=" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32)),
			"LLAVE_WHATSAPP_TOKEN=EAAtest", "LLAVE_WHATSAPP_PHONE_NUMBER_ID=106540352242922", "LLAVE_WHATSAPP_APP_SECRET=" + crossingSecret,
			"LLAVE_WHATSAPP_VERIFY_TOKEN=word", "LLAVE_WHATSAPP_API_URL=" + x.graph.URL(), "LLAVE_WHATSAPP_RATE=1000",
		}, t.TempDir(), config.NeedMail)
		if err != nil {
			t.Fatal(err)
		}
		a, err := app.New(t.Context(), app.Options{
			Config: settings, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), LocalURL: true, NoSweep: true, Engine: storetest.Around(e, x.around),
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			if err := a.Stop(ctx); err != nil {
				t.Errorf("stop: %v", err)
			}
		})
		x.processes = append(x.processes, a)
	}
	return x
}

// known is what the bot may know of the numbers.
type known struct {
	current map[string]string   // number → the user id it was seen with last, unless that gave it up since
	had     map[string][]string // number → user ids that it was seen with
	gaveUp  map[string]bool     // "number user id": that was in the past
	blurred bool                // two people can not be told apart by anybody
	order   string              // what came
}

func (k *known) clone() *known {
	c := *k
	c.current, c.had, c.gaveUp = maps.Clone(k.current), maps.Clone(k.had), maps.Clone(k.gaveUp)
	return &c
}

// judge says what is wrong with where things went. A notice that was refused may have been learned of or not, so there are
// several things that the bot may know, and what is right by one of them is right.
type judge struct {
	x      *crossing
	names  map[string]string // P, Q and the user ids of this word
	worlds []*known
	lines  map[string]bool // "chat name": what stands in a conversation
}

func (x *crossing) judge() *judge {
	x.words++
	p := 593990000000 + 10*int64(x.words)
	x.graph.Resume(p, p+1)
	return &judge{
		x: x, worlds: []*known{{current: map[string]string{}, had: map[string][]string{}, gaveUp: map[string]bool{}}}, lines: map[string]bool{},
		names: map[string]string{
			"P": fmt.Sprint(p), "Q": fmt.Sprint(p + 1), "A1": fmt.Sprintf("EC.1%d", p), "A2": fmt.Sprintf("EC.2%d", p), "B1": fmt.Sprintf("EC.3%d", p),
		},
	}
}

// deliver posts a notice to a process, signed, and says whether it was taken.
func (j *judge) deliver(n notice, process int) bool {
	t := j.x.t
	t.Helper()
	m := map[string]any{"id": "wamid." + j.names["P"] + n.name, "timestamp": "1772463600"}
	put := func(to map[string]any, key, name string) {
		if name != "" {
			to[key] = j.names[name]
		}
	}
	put(m, "from", n.phone)
	if n.told {
		system := map[string]any{"type": "user_changed_number"}
		put(system, "wa_id", n.toPhone)
		put(system, "user_id", n.toID)
		put(system, "previous_user_id", n.id)
		m["type"], m["system"] = "system", system
	} else {
		put(m, "from_user_id", n.id)
		m["type"], m["text"] = "text", map[string]any{"body": "zqx" + n.name}
	}
	body, err := json.Marshal(map[string]any{"object": "whatsapp_business_account", "entry": []any{map[string]any{"changes": []any{map[string]any{
		"field": "messages", "value": map[string]any{"messaging_product": "whatsapp", "messages": []any{m}},
	}}}}})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+j.x.processes[process].Addr()+whatsapp.WebhookPath, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, []byte(crossingSecret))
	mac.Write(body)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	j.x.heal()
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusServiceUnavailable {
		t.Fatalf("%s: status %d", n.name, res.StatusCode)
	}
	return res.StatusCode == http.StatusOK
}

// learns notes what a notice tells.
func (k *known) learns(n notice) {
	k.order += n.name
	had := func(number, id string) {
		if before := k.current[number]; before != "" && before != id {
			k.gaveUp[number+before] = true
		}
		k.current[number] = id
		if !slices.Contains(k.had[number], id) {
			k.had[number] = append(slices.Clip(k.had[number]), id)
		}
	}
	switch {
	case n.told && n.id != "":
		byNumber := k.current[n.phone] == "" && strings.ContainsAny(k.order, "pq")
		k.gaveUp[n.phone+n.id] = byNumber || strings.ContainsAny(k.order, "ai") // else nobody knew whom it is about
		if k.current[n.phone] == n.id {
			k.current[n.phone] = ""
		}
		had(n.toPhone, n.toID)
	case n.told:
		if id := k.current[n.phone]; id != "" && len(k.had[n.phone]) == 1 {
			k.gaveUp[n.phone+id] = true
			k.blurred = k.blurred || id[0] != 'A' // it was A who moved, and nobody has heard of A
			had(n.toPhone, id)
		}
		k.current[n.phone] = ""
	case n.phone != "" && n.id != "" && !k.gaveUp[n.phone+n.id]:
		had(n.phone, n.id)
	}
}

// stays says that A is known to have moved, before anything came of B or under the new names.
func (k *known) stays() bool {
	moved := strings.Index(k.order, "s")
	return moved > 0 && k.order[0] == 'a' && !strings.ContainsAny(k.order[:moved], "bqjtxyp")
}

// held is what a conversation of a word holds.
type held struct {
	chat      string
	phone, id string          // whom it is sent to
	notices   map[string]bool // whose words stand in it
	authors   map[string]bool // of those by a user id
	fresh     bool            // the last notice's words came there by it
}

// look reads every conversation of a word.
func (j *judge) look(n notice) (all []held) {
	t, s := j.x.t, j.x.processes[0].Store
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(j.names)) {
		for _, more := range []string{"", ".2", ".3", ".4"} {
			h := held{chat: j.names[name] + more, notices: map[string]bool{}, authors: map[string]bool{}}
			c, _, err := s.Conversations.Find(t.Context(), bot.ConversationID(whatsapp.Name, h.chat))
			if err != nil {
				t.Fatal(err)
			}
			if h.phone, h.id, err = s.People.Address(t.Context(), whatsapp.Name, h.chat); err != nil {
				t.Fatal(err)
			}
			for _, l := range c.Tail {
				if name, ok := strings.CutPrefix(l.Text, "zqx"); ok && l.From == bot.FromPerson {
					h.notices[name] = true
					if m := noticeOf(name[0]); m.id != "" {
						h.authors[m.by] = true
					}
				}
			}
			for _, m := range notices {
				line := h.chat + " " + m.name
				h.fresh = h.fresh || m.name == n.name && h.notices[m.name] && !j.lines[line]
				j.lines[line] = h.notices[m.name]
			}
			all = append(all, h)
		}
	}
	return all
}

// faults compares what a conversation holds with who may read it. [n] came last; [before] is who had each number then.
func (k *known) faults(h held, n notice, before, names map[string]string) (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if h.authors["A"] && h.authors["B"] {
		fault("A and B are in one conversation")
	}
	if (n.name == "x" || n.name == "y") && h.notices[n.name] && k.stays() && !h.notices["a"] {
		fault("A has moved, and begins anew")
	}
	for author := range h.authors {
		if id := before[n.phone]; n.onlyPhone && h.fresh && !strings.HasPrefix(id, author) {
			fault("who writes from %s, which is %q's, is in the conversation of %s", n.phone, id, author)
		}
		for _, number := range []string{"P", "Q"} {
			if holder := k.current[number]; h.phone == names[number] && holder != "" && !strings.HasPrefix(holder, author) {
				fault("the conversation of %s is sent to %s, which is %s's", author, number, holder)
			}
		}
		for name, value := range names {
			if h.id == value && !strings.HasPrefix(name, author) {
				fault("the conversation of %s is sent to %s", author, name)
			}
		}
	}
	return faults
}

// step delivers one notice of a word, judges, and says whether it was taken.
func (j *judge) step(word string, i int) bool {
	n := noticeOf(word[i])
	taken := j.deliver(n, i%len(j.x.processes))
	var befores []map[string]string
	var worlds []*known
	for _, k := range j.worlds {
		if !taken {
			befores, worlds = append(befores, k.current), append(worlds, k)
		}
		learned := k.clone()
		learned.learns(n)
		befores, worlds = append(befores, k.current), append(worlds, learned)
	}
	j.worlds = worlds
	all := j.look(n)
	var wrong []string
	for i, k := range worlds {
		var faults []string
		for _, h := range all {
			faults = append(faults, k.faults(h, n, befores[i], j.names)...)
		}
		if len(faults) == 0 || k.blurred {
			return taken
		}
		wrong = append(wrong, fmt.Sprintf("if it knows of %q: %s", k.order, strings.Join(faults, "; ")))
	}
	j.x.t.Errorf("%s, after its %d.: %s", word, i+1, strings.Join(wrong, ", "))
	return taken
}

// Every word of four notices, with repeats, to two processes by turns: nobody comes into a conversation of somebody else whom
// the bot could tell apart, nothing of one is sent to the other, and who is said to have moved goes on where they were (P116).
// A small sweep tries one in forty, and every one does over MongoDB, where each look is a hundred reads over a wire.
func TestNames_everyOrder(t *testing.T) {
	sweep := bottest.NewSweep(t)
	storetest.Engines(t, func(t *testing.T, e store.Engine) {
		x := newCrossing(t, e)
		n := len(notices)
		for w := range n * n * n * n {
			over := sweep
			over.Whole = sweep.Whole && !strings.HasSuffix(t.Name(), "/mongodb")
			if !over.Takes(w, 40) {
				continue
			}
			word := ""
			for rest := w; len(word) < 4; rest /= n {
				word += notices[rest%n].name
			}
			j := x.judge()
			for i := range word {
				if !j.step(word, i) {
					t.Fatalf("%s: the %d. was refused", word, i+1)
				}
			}
		}
	})
}

// The store fails once at each call that a notice makes, done or not; the next ones come before it is delivered again.
func TestNames_storeFails(t *testing.T) {
	sweep := bottest.NewSweep(t)
	storetest.Engines(t, func(t *testing.T, e store.Engine) {
		x := newCrossing(t, e)
		tried, failed := 0, 0
		for _, word := range []string{"abq", "pbq", "asxq", "absx", "iab", "aqbq", "jab", "axsy", "abtq", "atqy", "asbq", "xas", "abab"} {
			for at := range word {
				for _, done := range []bool{false, true} {
					for k := 1; ; k++ {
						if tried++; !sweep.Takes(tried, 8) && k > 1 {
							if k > 12 {
								break
							}
							continue
						}
						if !x.failsOnce(word, at, k, done) {
							break
						}
						failed++
					}
				}
			}
		}
		if failed == 0 {
			t.Error("the store never failed: this test sees nothing")
		}
		t.Logf("the store failed %d times", failed)
	})
}

// failsOnce has the store fail at call [k] of one notice, and says whether there was such a call.
func (x *crossing) failsOnce(word string, at, k int, done bool) bool {
	j := x.judge()
	var again []int
	for i := range word {
		if i == at {
			x.mu.Lock()
			x.fails, x.done, x.failed = k, done, false
			x.mu.Unlock()
		}
		if !j.step(word, i) {
			again = append(again, i)
		}
	}
	for _, i := range again {
		if !j.step(word, i) {
			x.t.Errorf("%s: the %d. was refused again", word, i+1)
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.failed
}

// heal has the store fail no more.
func (x *crossing) heal() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.fails = 0
}
