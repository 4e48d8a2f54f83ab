package chaos

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"llave/bot"
	"llave/internal/affiliate"
	"llave/internal/bottest"
	"llave/internal/mail/letter"
	"llave/internal/secret"
	"llave/internal/store"
	"llave/internal/store/bolt"
	"llave/internal/store/mongodb"
)

// invariant is one promise and what was found against it.
type invariant struct {
	name   string
	broken int
	cases  []string // the first few
}

func (v *invariant) breaks(format string, args ...any) {
	v.broken++
	if len(v.cases) < 5 {
		v.cases = append(v.cases, fmt.Sprintf(format, args...))
	}
}

// report prints the promise with its figure, and fails the test where it was broken.
func (v *invariant) report(t *testing.T) {
	t.Helper()
	t.Logf("%6d  %s", v.broken, v.name)
	if v.broken > 0 {
		t.Errorf("VIOLATED: %s: %d\n\t%s", v.name, v.broken, strings.Join(v.cases, "\n\t"))
	}
}

// openStore opens the store after every process has let go of it, once.
func (w *town) openStore(t *testing.T) (*store.Store, *secret.Vault) {
	t.Helper()
	if w.store != nil {
		return w.store, w.vault
	}
	setting := map[string]string{}
	for _, kv := range w.fleet.env {
		name, value, _ := strings.Cut(kv, "=")
		setting[name] = value
	}
	var engine store.Engine
	var err error
	if uri := setting["LLAVE_MONGODB_URI"]; uri != "" {
		engine, err = mongodb.Open(t.Context(), mongodb.Options{URI: uri, Database: setting["LLAVE_MONGODB_DATABASE"], Timeout: time.Minute})
	} else {
		engine, err = bolt.Open(t.Context(), bolt.Options{Dir: setting["LLAVE_DATA_DIR"]})
	}
	if err != nil {
		t.Fatal(err)
	}
	s := store.New(engine)
	keys, err := secret.ParseKeys(secretKey)
	if err != nil {
		t.Fatal(err)
	}
	vault, err := s.DataKey(t.Context(), keys)
	if err != nil {
		t.Fatal(err)
	}
	w.store, w.vault = s, vault
	t.Cleanup(w.closeStore)
	return s, vault
}

// closeStore lets go of the store, so that processes may have it.
func (w *town) closeStore() {
	if w.store == nil {
		return
	}
	if err := w.store.Engine().Close(); err != nil {
		w.t.Errorf("close the store: %v", err)
	}
	w.store = nil
}

// reconcile compares the ledgers, prints every invariant with its figure, and fails the test where one is broken. It
// returns how many messages and letters were repeated.
func (w *town) reconcile(t *testing.T, took time.Duration) (copies int) {
	t.Helper()
	s, vault := w.openStore(t)
	people := w.begun()
	ended := invariant{name: "conversations without an end state"}
	lost := invariant{name: "acknowledged updates without effect"}
	owed := invariant{name: "promises not kept"}
	twice := invariant{name: "records unlocked other than once"}
	links := invariant{name: "requests without exactly one distinct link and one notice"}
	chats := invariant{name: "chats that read anything but the road, in order"}
	repeats := invariant{name: "repeats of a message or letter that no kill explains, or not identical"}

	acked := map[int64][]int{}
	for id, chat := range w.front.acked {
		acked[chat] = append(acked[chat], id)
	}
	letters := map[string][]letter.Letter{}
	for _, m := range w.smtp.Letters() {
		letters[m.To] = append(letters[m.To], m)
	}
	messages, mails, repeated := 0, 0, 0
	for _, p := range people {
		if p.failed != nil {
			ended.breaks("person %d: %v", p.index, p.failed)
		}
		c, err := s.Conversations.Load(t.Context(), bot.ConversationID("telegram", strconv.FormatInt(p.chat, 10)))
		if err != nil {
			t.Fatal(err)
		}
		if p.failed == nil && c.State != "KeyStep1" {
			ended.breaks("person %d: state %s", p.index, c.State)
		}
		for _, id := range acked[p.chat] {
			if !slices.ContainsFunc(c.Seen, func(u bot.Seen) bool { return u.ID == strconv.Itoa(id) }) {
				lost.breaks("person %d: update %d", p.index, id)
			}
		}
		record, err := s.Unlocks.Load(t.Context(), affiliate.Hash(vault, p.number))
		if err != nil {
			t.Fatal(err)
		}
		if n := len(c.Promises) + len(record.Promises); n > 0 {
			owed.breaks("person %d: %d", p.index, n)
		}
		person, found, err := s.Affiliates.Find(t.Context(), p.number)
		if err != nil || !found {
			t.Fatalf("person %d: record: found %v, %v", p.index, found, err)
		}
		redeemed := record.Live != nil && !record.Live.Redeemed.IsZero()
		if !redeemed || person.Status != affiliate.Active || p.browsers != 1 {
			twice.breaks("person %d: redeemed %v, record %s, browsers that saw it unlocked %d", p.index, redeemed, person.Status, p.browsers)
		}

		before := copies
		said := w.api.Messages(p.chat)
		messages += len(said)
		var order []bottest.ChatMessage
		for _, m := range said {
			if n := len(order); n > 0 && order[n-1].Text == m.Text {
				copies++
				if !slices.Equal(order[n-1].Labels(), m.Labels()) || !w.explained(order[n-1].At, m.At) {
					repeats.breaks("person %d: message %q at %s and %s", p.index, begin(m.Text), clock(order[n-1].At), clock(m.At))
				}
				order[n-1] = m
				continue
			}
			order = append(order, m)
		}
		if n := copies - before; n > 0 {
			repeated++
			if losses := w.lossesIn(p.began, said[len(said)-1].At); n > losses {
				repeats.breaks("person %d: %d repeated messages, %d lost answers", p.index, n, losses)
			}
		}
		if p.hasty {
			n := len(order)
			order = slices.DeleteFunc(order, func(m bottest.ChatMessage) bool { return strings.HasPrefix(m.Text, beside) })
			if asides := n - len(order); asides != len(hurries) && p.failed == nil {
				chats.breaks("person %d: %d answers to what they asked on the way", p.index, asides)
			}
		}
		if got := strange(order); got != "" {
			chats.breaks("person %d: %s", p.index, got)
		}

		byID := map[string]letter.Letter{}
		distinct := 0
		mails += len(letters[p.address])
		for _, m := range letters[p.address] {
			first, again := byID[m.MessageID]
			byID[m.MessageID] = m
			if !again {
				if m.Subject == linkSubject {
					distinct++
				}
				continue
			}
			copies++
			switch {
			case first.Subject != m.Subject || first.Text != m.Text || first.HTML != m.HTML:
				repeats.breaks("person %d: letter %q: the copy at %s is another: %s", p.index, m.Subject, clock(m.Received), differing(first.Text, m.Text))
			case !w.explained(first.Received, m.Received):
				repeats.breaks("person %d: letter %q at %s and %s, no kill between", p.index, m.Subject, clock(first.Received), clock(m.Received))
			}
		}
		if distinct != 1 || len(byID) != 2 {
			links.breaks("person %d: %d distinct letters with a link, %d distinct letters in all", p.index, distinct, len(byID))
		}
	}

	slowest := slices.Max(append(w.fleet.ends, 0))
	slow := invariant{name: "ends after SIGTERM that took 10 s or more"}
	for _, d := range w.fleet.ends {
		if d >= 10*time.Second {
			slow.breaks("%v", d)
		}
	}
	t.Logf("%d processes, kill -9 × %d, SIGTERM × %d; %d conversations in %v (%.0f chat messages/s); %d updates acknowledged, %d deliveries of which %d repeats, %d overtaken; %d chat messages, %d letters",
		len(w.fleet.place), len(w.fleet.kills), len(w.fleet.ends), len(people), took.Round(time.Second), float64(messages)/took.Seconds(),
		len(w.front.acked), w.front.posts, w.front.repeats, w.front.swaps, messages, mails)
	t.Logf("%d messages and letters repeated, messages in %d chats; slowest end %v",
		copies, repeated, slowest.Round(time.Millisecond))
	for _, v := range []*invariant{&ended, &lost, &owed, &twice, &links, &chats, &repeats, &slow} {
		v.report(t)
	}
	if len(people) == 0 {
		t.Error("nothing was proved: no conversation")
	}
	return copies
}

// explained says whether an answer may have been lost between a message and its repeat: the process may have died before
// it could note that the first was accepted, or was told nothing. An orderly end explains nothing.
func (w *town) explained(first, again time.Time) bool {
	return slices.ContainsFunc(w.losses(), func(loss time.Time) bool {
		return loss.After(first.Add(-time.Second)) && loss.Before(again) // what was on its way arrives after the kill
	})
}

// lossesIn counts the losses while a conversation went on: each may repeat one message of it.
func (w *town) lossesIn(from, to time.Time) int {
	n := 0
	for _, loss := range w.losses() {
		if loss.After(from) && loss.Before(to) {
			n++
		}
	}
	return n
}

// losses are the moments at which an answer may have been lost: kills, and what a test has noted.
func (w *town) losses() []time.Time { return slices.Concat(w.fleet.kills, w.lost) }

// strange says what in a chat is not the road.
func strange(said []bottest.ChatMessage) string {
	want := make([]string, 0, len(road)+1)
	for _, step := range road {
		want = append(want, step.want)
	}
	want = append(want, roadsEnd)
	for i, m := range said {
		if i >= len(want) || !strings.Contains(m.Text, want[i]) {
			return fmt.Sprintf("bubble %d of %d: %q", i+1, len(said), begin(m.Text))
		}
	}
	if len(said) < len(want) {
		return fmt.Sprintf("bubble %d of %d is missing: %q", len(said)+1, len(want), want[len(said)])
	}
	return ""
}

// differing returns the first line in which two texts differ.
func differing(a, b string) string {
	other := strings.Split(b, "\n")
	for i, line := range strings.Split(a, "\n") {
		if i < len(other) && line != other[i] {
			return fmt.Sprintf("line %d", i+1) // a line may hold the link
		}
	}
	return "elsewhere"
}

func begin(text string) string {
	r := []rune(text)
	return string(r[:min(len(r), 40)])
}

func clock(t time.Time) string { return t.Format("15:04:05.000") }
