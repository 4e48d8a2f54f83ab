package chaos

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"llave/bot"
	"llave/bot/whatsapp"
	"llave/internal/affiliate"
	"llave/internal/bottest"
	"llave/internal/mail/letter"
	"llave/internal/report"
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
func (dep *deployment) openStore(t *testing.T) (*store.Store, *secret.Vault) {
	t.Helper()
	if dep.store != nil {
		return dep.store, dep.vault
	}
	setting := map[string]string{}
	for _, kv := range dep.fleet.env {
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
	s.Seal(vault)
	dep.store, dep.vault = s, vault
	t.Cleanup(dep.closeStore)
	return s, vault
}

// closeStore lets go of the store, so that processes may have it.
func (dep *deployment) closeStore() {
	if dep.store == nil {
		return
	}
	if err := dep.store.Engine().Close(); err != nil {
		dep.t.Errorf("close the store: %v", err)
	}
	dep.store = nil
}

// reconcile compares the ledgers, prints every invariant with its figure, and fails the test where one is broken. It
// returns how many messages and letters were repeated.
func (dep *deployment) reconcile(t *testing.T, took time.Duration) (copies int) {
	t.Helper()
	s, vault := dep.openStore(t)
	people := dep.begun()
	ended := invariant{name: "conversations without an end state"}
	lost := invariant{name: "acknowledged updates without effect"}
	owed := invariant{name: "promises not kept"}
	twice := invariant{name: "records unlocked other than once"}
	links := invariant{name: "requests without exactly one distinct link and one notice"}
	chats := invariant{name: "chats that read anything but the road, in order"}
	repeats := invariant{name: "repeats of a message or letter that no kill explains, or not identical"}
	reports := dep.reports(t, s)

	acked := map[string][]string{}
	for id, conv := range dep.front.acked {
		acked[conv] = append(acked[conv], id)
	}
	letters := map[string][]letter.Letter{}
	for _, m := range dep.smtp.Letters() {
		letters[m.To] = append(letters[m.To], m)
	}
	messages, mails, repeated, sent := 0, 0, 0, 0
	copiesBy := map[way]int{}
	for _, p := range people {
		if p.failed != nil {
			ended.breaks("person %d: %v", p.index, p.failed)
		}
		c, err := s.Conversations.Load(t.Context(), s.Book.Conv(p.conv))
		if err != nil {
			t.Fatal(err)
		}
		if p.failed == nil && c.State != "KeyStep1" {
			ended.breaks("person %d: state %s", p.index, c.State)
		}
		for _, id := range slices.Concat(acked[p.conv], acked[p.alias]) {
			if !slices.ContainsFunc(c.Seen, func(u bot.Seen) bool { return u.ID == s.Book.Message(id) }) {
				lost.breaks("person %d: update %s", p.index, id)
			}
		}
		record, err := s.Unlocks.Load(t.Context(), affiliate.Hash(vault, p.number))
		if err != nil {
			t.Fatal(err)
		}
		if n := owes(c) + len(record.Promises); n > 0 {
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
		said := dep.phone(p).Messages(p.chat)
		messages += len(said)
		order, again := unfold(said, p.by == byWhatsApp)
		copies += len(again)
		copiesBy[p.by] += len(again)
		for _, c := range again {
			if !c.same || !dep.explained(c.first.At, c.again.At) {
				repeats.breaks("person %d: message %q at %s and %s", p.index, begin(c.again.Text), clock(c.first.At), clock(c.again.At))
			}
		}
		if n := copies - before; n > 0 {
			repeated++
			if losses := dep.lossesIn(p.began, said[len(said)-1].At); n > losses {
				repeats.breaks("person %d: %d repeated messages, %d lost answers", p.index, n, losses)
			}
		}
		order = withoutMail(order)
		if p.hasty {
			n := len(order)
			order = slices.DeleteFunc(order, func(m bottest.ChatMessage) bool { return isBeside(m.Text) })
			if asides := n - len(order); asides != len(hurries) && p.failed == nil {
				chats.breaks("person %d: %d answers to what they asked on the way", p.index, asides)
			}
		}
		if got := strange(order, p.by == byWhatsApp); got != "" {
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
			case !dep.explained(first.Received, m.Received):
				repeats.breaks("person %d: letter %q at %s and %s, no kill between", p.index, m.Subject, clock(first.Received), clock(m.Received))
			}
		}
		sent += distinct
		if distinct != 1 || len(byID) != 2 {
			links.breaks("person %d: %d distinct letters with a link, %d distinct letters in all", p.index, distinct, len(byID))
		}
	}

	counts := invariant{name: "figures of the report that are not what people did"}
	now := report.MonthOf(time.Now(), time.UTC)
	span, err := report.Book{Shelf: s.Counts, Zone: time.UTC}.Read(t.Context(), now.Plus(-1), now.Plus(1))
	if err != nil {
		t.Fatal(err)
	}
	if o := span.Total(); o.Visits != len(people) || o.Attentions != len(people) || o.Completed != len(people) || o.Letters != sent {
		counts.breaks("%d visits, %d attentions, %d completed of %d people; %d letters of %d", o.Visits, o.Attentions, o.Completed, len(people), o.Letters, sent)
	}

	slowest := slices.Max(append(dep.fleet.ends, 0))
	slow := invariant{name: "ends after SIGTERM that took 10 s or more"}
	for _, d := range dep.fleet.ends {
		if d >= 10*time.Second {
			slow.breaks("%v", d)
		}
	}
	t.Logf("%d processes, kill -9 × %d, SIGTERM × %d; %d conversations in %v (%.0f chat messages/s); %d updates acknowledged and %d reports in %d bodies, of which %d repeats, %d overtaken; %d chat messages, %d letters",
		len(dep.fleet.instances), len(dep.fleet.kills), len(dep.fleet.ends), len(people), took.Round(time.Second), float64(messages)/took.Seconds(),
		len(dep.front.acked), dep.front.parts-len(dep.front.acked), dep.front.posts, dep.front.repeats, dep.front.swaps, messages, mails)
	t.Logf("%d messages and letters repeated, messages in %d chats (by Telegram %d, by WhatsApp %d); slowest end %v",
		copies, repeated, copiesBy[byTelegram], copiesBy[byWhatsApp], slowest.Round(time.Millisecond))
	for _, v := range []*invariant{&ended, &lost, &owed, &twice, &links, &chats, &repeats, &counts, reports, &slow} {
		v.report(t)
	}
	if len(people) == 0 {
		t.Error("nothing was proved: no conversation")
	}
	return copies
}

// explained says whether an answer may have been lost between a message and its repeat: the process may have died before
// it could note that the first was accepted, or was told nothing. An orderly end explains nothing.
func (dep *deployment) explained(first, again time.Time) bool {
	return slices.ContainsFunc(dep.losses(), func(loss time.Time) bool {
		return loss.After(first.Add(-time.Second)) && loss.Before(again) // what was on its way arrives after the kill
	})
}

// lossesIn counts the losses while a conversation went on: each may repeat one message of it.
func (dep *deployment) lossesIn(from, to time.Time) int {
	n := 0
	for _, loss := range dep.losses() {
		if loss.After(from) && loss.Before(to) {
			n++
		}
	}
	return n
}

// losses are the moments at which an answer may have been lost: kills, and what a test has noted.
func (dep *deployment) losses() []time.Time { return slices.Concat(dep.fleet.kills, dep.lost) }

// strange says what in a chat is not the road. With merges a bubble may hold several of its answers.
func strange(said []bottest.ChatMessage, merges bool) string {
	want := make([]string, 0, len(road)+1)
	for _, step := range road {
		want = append(want, step.want)
	}
	want = append(want, roadsEnd)
	next := 0
	for i, m := range said {
		if next >= len(want) || !strings.Contains(m.Text, want[next]) {
			return fmt.Sprintf("bubble %d of %d: %q", i+1, len(said), begin(m.Text))
		}
		_, rest, _ := strings.Cut(m.Text, want[next])
		for next++; merges && next < len(want); next++ {
			_, rest, _ = strings.Cut(rest, between)
			_, after, found := strings.Cut(rest, want[next])
			if !found {
				break
			}
			rest = after
		}
	}
	if next < len(want) {
		return fmt.Sprintf("bubble %d of %d is missing: %q", next+1, len(want), want[next])
	}
	return ""
}

// between is what stands between what was said in one bubble, in a channel where bubbles that wait together go out as one.
const between = "\n\n"

// repeat is a bubble that says again what has been said.
type repeat struct {
	first, again bottest.ChatMessage
	same         bool // the buttons too
}

// unfold returns the bubbles of a chat without what was only said again, and each such repeat. With merges a bubble may
// say again what the last ones said and then go on, in one: it is repeated as far as that goes, and what follows is new.
func unfold(said []bottest.ChatMessage, merges bool) (order []bottest.ChatMessage, again []repeat) {
	for _, m := range said {
		for n := min(len(order), sayings(merges)); n > 0; n-- {
			last := order[len(order)-n:]
			rest, ok := saysAgain(m.Text, last)
			switch {
			case ok && rest == "":
				same := slices.Equal(last[n-1].Labels(), m.Labels()) || len(m.Labels()) == 0 // overtaken meanwhile
				again = append(again, repeat{last[n-1], m, same})
				order[len(order)-1].At = m.At
			case ok && merges:
				again = append(again, repeat{last[n-1], m, true}) // its buttons are of what follows
			default:
				continue
			}
			m.Text = rest
			break
		}
		if m.Text != "" {
			order = append(order, m)
		}
	}
	return order, again
}

// sayings is how many bubbles may be said again in one.
func sayings(merges bool) int {
	if merges {
		return 4
	}
	return 1
}

// reports compares the reports that were acknowledged with what is kept of the messages: none may have been forgotten,
// or have run backwards.
func (dep *deployment) reports(t *testing.T, s *store.Store) *invariant {
	t.Helper()
	v := &invariant{name: "messages of which a report that was acknowledged is not kept, or that ran backwards"}
	nobodys := 0
	for id, statuses := range dep.front.reported {
		d, err := s.Deliveries.Move(t.Context(), s.Book.Message(id), "", func(string) bool { return false }, func(*store.Delivery) {})
		if err != nil {
			t.Fatal(err)
		}
		for _, status := range statuses {
			if before := whatsapp.Status(d.Status); before == "" || whatsapp.Status(status).Follows(before) {
				v.breaks("a message is %q after %q", d.Status, statuses)
				break
			}
		}
		if d.Conv == "" {
			nobodys++
		}
	}
	if dep.graph != nil {
		t.Logf("%d messages by WhatsApp reported on, %d of which nobody knows to whom they went", len(dep.front.reported), nobodys)
		if losses := len(dep.losses()); losses == 0 && nobodys > 0 {
			v.breaks("%d messages of which nobody knows to whom they went, though no answer was lost", nobodys)
		}
	}
	return v
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

// owes is how many promises a conversation has left, but for changes of bubbles: those are dropped after their minute.
func owes(c bot.Conversation) (n int) {
	for _, p := range c.Promises {
		if p.Lane() != bot.LaneEdit {
			n++
		}
	}
	return n
}
