package upgrade

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/bot"
	"llave/internal/affiliate"
	"llave/internal/bottest"
	"llave/internal/handoff"
	"llave/internal/store"
	"llave/internal/store/storetest"
	"llave/internal/unlock"
)

// believed is how long a process that died is believed to be keeping what it had begun, and a little longer.
const believed = 6 * time.Second

// A store that an earlier version was killed over opens, and everything is there. Every promise is kept, once, whatever
// its kind; nobody owes anything afterwards but what waits for a person to write; and every conversation goes on from
// where it was (P410).
func TestUpgrade(t *testing.T) {
	stores(t, func(t *testing.T, l *left) {
		l.allThere(t, false)
		must(t, l.start(t, l.engine, false))
		defer func() { l.stop(t) }()
		l.allThere(t, true)
		l.listen(t)
		all := owedBy(l.docs)
		l.clock.Advance(believed)
		for range 60 {
			must(t, l.sweep(t))
			if len(l.owes(t)) == 0 {
				break
			}
			l.clock.Advance(2 * time.Second)
		}
		for _, p := range l.owes(t) {
			t.Errorf("%s of %s (%s) is still owed", p.Kind, p.by, p.ID)
		}
		kept := map[string]int{}
		for _, p := range all {
			want := 1
			if p.Waits {
				want = 0
				kept["waiting "+p.Kind]++
			}
			if n := l.times(t, p, all); n != want {
				t.Errorf("%s of %s (%s) was kept %d times, want %d", p.Kind, p.by, p.ID, n, want)
			}
			kept[p.Kind]++
		}
		for _, kind := range append(kinds, "waiting say") {
			if kept[kind] == 0 {
				t.Errorf("nothing was shown of %q: the store owes none", kind)
			}
		}
		t.Logf("kept: %v", kept)
		l.everybodyGoesOn(t)
		for _, p := range all {
			if n := l.times(t, p, all); p.Waits && n != 1 {
				t.Errorf("what waited for %s to write was said %d times, want once", p.by, n)
			}
		}
		l.agentsSignIn(t)
		l.auditGoesOn(t)
	})
}

// auditGoesOn holds that what the earlier version wrote down stands beside the chain, and what was written down since in it.
func (l *left) auditGoesOn(t *testing.T) {
	t.Helper()
	before := int64(0)
	for _, d := range l.docs {
		if d.collection == store.Audit {
			before++
		}
	}
	r, err := l.app.Store.Audit.Verify(t.Context(), store.AuditEnd{})
	if err != nil || len(r.Faults) > 0 || r.Beside != before || r.Lines == 0 || before == 0 {
		t.Errorf("the audit: got %+v, %v; want %d lines beside its chain, and some in it", r, err, before)
	}
}

// allThere holds that what is in the store is what was left there. [carried]: a process of this version has begun, and chats go by
// their names in the address book.
func (l *left) allThere(t *testing.T, carried bool) {
	t.Helper()
	is := map[string][]byte{}
	for _, d := range dumped(t, l.reads(), append(slices.Clone(collections), store.Conversations)...) {
		is[d.collection+"/"+d.doc.Lookup("_id").StringValue()] = d.doc
	}
	for _, d := range l.docs {
		id := d.doc.Lookup("_id").StringValue()
		name, want := d.collection+"/"+id, []byte(d.doc)
		if carried {
			name, want = l.carried(t, d)
		}
		switch {
		case d.collection == store.Leases, name == "": // taken anew by whoever starts; shown by contact
		case is[name] == nil:
			t.Errorf("%s/%s is gone", d.collection, id)
		case unversioned(t, is[name]) != unversioned(t, want):
			t.Errorf("%s is another: %.300s, was %.300s", name, bson.Raw(is[name]), bson.Raw(want))
		}
	}
	if !carried {
		return
	}
	raw := regexp.MustCompile(`(telegram|whatsapp)[:/][0-9A-Z]`)
	for _, d := range dumped(t, l.engine, append(slices.Clone(collections), store.Conversations, store.Book, store.Names)...) {
		if at := raw.FindIndex(d.doc); at != nil && d.collection != store.Unlocks && d.collection != conversations { // a link that lives is known by what was then the chat's name
			t.Errorf("%s names a chat as its channel does: %q", d.collection, d.doc[at[0]:min(len(d.doc), at[1]+20)])
		}
	}
}

// carried is what a document has become, and under which name.
func (l *left) carried(t *testing.T, d document) (name string, want []byte) {
	t.Helper()
	id := d.doc.Lookup("_id").StringValue()
	marshal := func(doc any) []byte {
		raw, err := bson.Marshal(doc)
		must(t, err)
		return raw
	}
	book := l.app.Store.Book
	switch d.collection {
	case "names":
		return "", nil
	case "contacts":
		l.contact(t, d)
		return "", nil
	case conversations:
		var c bot.Conversation
		must(t, bson.Unmarshal(d.doc, &c))
		for _, k := range c.Keepers {
			if l.shared && k.Until.After(l.clock.Now()) {
				return d.collection + "/" + id, d.doc // another process may be at it
			}
		}
		c.ID = book.Conv(id)
		for i := range c.Seen {
			c.Seen[i].ID = book.Message(c.Seen[i].ID)
		}
		for i := range c.Promises {
			switch what := c.Promises[i].What.(type) {
			case bot.KeepFile:
				what.Conv = c.ID
				c.Promises[i].What = what
			case bot.KeepCase:
				what.Conv = c.ID
				c.Promises[i].What = what
			case bot.KeepLines:
				what.Conv = c.ID
				c.Promises[i].What = what
			case bot.EraseChat:
				what.Conv = c.ID
				c.Promises[i].What = what
			}
		}
		return store.Conversations + "/" + c.ID, marshal(c)
	case store.Unlocks:
		var u unlock.Document
		must(t, bson.Unmarshal(d.doc, &u))
		if u.Busy(l.clock.Now()) {
			return d.collection + "/" + id, d.doc
		}
		if !u.Rename(book.Conv, book.Update) {
			return d.collection + "/" + id, d.doc
		}
		return d.collection + "/" + id, marshal(u)
	case store.Audit:
		called, err := l.app.Store.AuditID(t.Context(), id)
		must(t, err)
		return d.collection + "/" + called, put(t, d.doc, "_id", called)
	case store.Deliveries:
		doc := put(t, d.doc, "_id", book.Message(id))
		return d.collection + "/" + book.Message(id), l.recalled(t, doc)
	case store.Lines, store.Complaints, store.Cases:
		return d.collection + "/" + id, l.recalled(t, d.doc)
	}
	return d.collection + "/" + id, d.doc
}

// recalled is a document whose conversation has its new name.
func (l *left) recalled(t *testing.T, doc bson.Raw) bson.Raw {
	t.Helper()
	conv, _ := doc.Lookup("conv").StringValueOK()
	if conv == "" {
		return doc
	}
	return put(t, doc, "conv", l.conv(conv))
}

func put(t *testing.T, doc bson.Raw, field, value string) bson.Raw {
	t.Helper()
	typ, data, err := bson.MarshalValue(value)
	must(t, err)
	out, err := store.WithField(doc, field, bson.RawValue{Type: typ, Value: data})
	must(t, err)
	return out
}

// unversioned is a document as it is read and written by nobody: neither its version nor the order of its fields counts.
func unversioned(t *testing.T, doc bson.Raw) string {
	t.Helper()
	out, err := store.WithVersion(doc, 1)
	must(t, err)
	text, err := bson.MarshalExtJSON(out, true, false)
	must(t, err)
	var fields map[string]any
	must(t, json.Unmarshal(text, &fields))
	text, err = json.Marshal(fields)
	must(t, err)
	return string(text)
}

// contact holds that what a person is called is known of their chat, and leads there.
func (l *left) contact(t *testing.T, d document) {
	t.Helper()
	var was store.Contact
	must(t, bson.Unmarshal(d.doc, &was))
	k, err := l.app.Store.KeptOf(t.Context(), was.ID)
	must(t, err)
	if k.Contact == nil || k.Contact.Phone != was.Phone || k.Contact.UserID != was.UserID || k.Contact.Hidden != was.Hidden {
		t.Errorf("of %s the address book knows %+v, want %+v", was.ID, k.Contact, was)
		return
	}
	chat, err := l.app.Store.People.Find(t.Context(), onWhatsApp, store.KnownBy{Phone: was.Phone, UserID: was.UserID}, nil)
	if want := strings.TrimPrefix(l.conv(was.ID), onWhatsApp+":"); err != nil || chat != want {
		t.Errorf("the names of %s lead to %s (%v), want %s", was.ID, chat, err, want)
	}
}

// onward is what people say in a state, and where that leads. A new state needs no row: no store of an earlier version has
// it.
var onward = map[string]struct {
	say  string
	want []string
}{
	"":              {"hola", []string{"Welcome"}}, // of an erased chat nothing is known
	"Start":         {"hola", []string{"Welcome"}},
	"Welcome":       {"continuar", []string{"Menu"}},
	"Menu":          {"desbloquear clave", []string{"AskNumber"}},
	"AskNumber":     {"#", []string{"ConfirmNumber"}},
	"ConfirmNumber": {"sí, es correcto", []string{"ReadyToSend", "AtOffice"}},
	"ReadyToSend":   {"enviar enlace", []string{"LinkSent", "AtOffice"}}, // a number that came so far in `uniform` and has no mailbox: `guided` tells
	"LinkSent":      {"@link", []string{"KeyStep1"}},
	"LinkEnded":     {"reenviar enlace", []string{"LinkSent"}},
	"KeyStep1":      {"siguiente", []string{"KeyStep2"}},
	"KeyStep3":      {"siguiente", []string{"KeyStep4"}},
	"KeyStuck":      {"volver al paso", []string{"KeyStep1"}},
	"KeyTried":      {"sí, pude entrar", []string{"Rating"}},
	"Rating":        {"5", []string{"Done", "RatingWords"}}, // of the chat itself, or of a person's help
	"Done":          {"menú", []string{"Menu"}},
	"AtOffice":      {"menú", []string{"Menu"}},
	"Complaining":   {"La página no abre desde ayer.", []string{"ComplaintRead"}},
	"ComplaintRead": {"menú", []string{"Menu"}},
	"OwnData":       {"menú", []string{"Menu"}},
	"OwnDataSure":   {"no borrar", []string{"Menu"}},
	"Language":      {"menú", []string{"Menu"}},
	"MailWhere":     {"menú", []string{"Menu"}},
	"WithTicket":    {"menú", []string{"Menu"}},
	"InQueue":       {"menú", []string{"LeaveSure"}},
	"LeaveSure":     {"no", []string{"InQueue", "WithAgent"}},
	"WithAgent":     {"@agent", []string{"WithAgent"}},
}

// everybodyGoesOn has each person do the next thing, and wants an answer and the state it leads to.
func (l *left) everybodyGoesOn(t *testing.T) {
	t.Helper()
	states, links := map[string]int{}, 0
	for _, p := range l.People {
		c, err := l.app.Store.Conversations.Load(t.Context(), l.conv(l.conversation(p)))
		must(t, err)
		state := string(c.State)
		next, known := onward[state]
		if !known {
			t.Errorf("%s is in state %s, for which nobody says how it goes on", c.ID, state)
			continue
		}
		states[state]++
		said := len(l.phone(p).Messages(p.Chat))
		if !l.goesOn(t, p, next.say) {
			continue
		}
		if next.say == "@link" {
			links++
		}
		l.settle(t)
		now, err := l.app.Store.Conversations.Load(t.Context(), c.ID)
		must(t, err)
		if now.ReplyDue().After(l.clock.Now()) { // what may be a part of something is answered a moment later
			l.clock.Advance(bot.PieceWait)
			l.settle(t)
		}
		if !slices.Contains(next.want, string(now.State)) {
			t.Errorf("%s: after %q in %s it is in %s, want %v", c.ID, next.say, state, now.State, next.want)
		}
		if len(l.phone(p).Messages(p.Chat)) == said {
			t.Errorf("%s: %q in %s has no answer", c.ID, next.say, state)
		}
	}
	t.Logf("went on from: %v, of which by a link %d", states, links)
	if links < 3 || len(states) < 20 {
		t.Errorf("%d links were used and %d states gone on from, want more", links, len(states))
	}
}

// goesOn does the next thing, and says whether it can be done.
func (l *left) goesOn(t *testing.T, p person, say string) bool {
	t.Helper()
	l.clock.Advance(time.Second)
	switch say {
	case "#":
		l.phone(p).Say(p.Chat, p.Number)
	case "@link":
		return l.pressed(t, p)
	case "@agent":
		l.phone(p).Say(p.Chat, "Sigo aquí.")
		l.settle(t)
		c, err := l.app.Store.Conversations.Load(t.Context(), l.conv(l.conversation(p)))
		must(t, err)
		must(t, l.app.Desk.Say(t.Context(), handoff.Deed{Once: "goes on", Actor: l.actor(), Ref: c.Handoff.Ref}, "Yo también."))
	default:
		l.phone(p).Say(p.Chat, say)
	}
	return true
}

// pressed opens the newest link that was mailed to a person, by this version or the earlier one, and presses its button. It
// says whether there was a link that may still be used: its owner may have said that it was not them.
func (l *left) pressed(t *testing.T, p person) bool {
	t.Helper()
	link := ""
	if path, mailed := l.Links[p.Mail]; mailed {
		if token := path[strings.LastIndexByte(path, '/')+1:]; len(token) != cmp.Or(l.token, 43) {
			t.Errorf("the letter of the version before has a token of %d characters", len(token))
		}
		link = l.url(path)
	}
	for _, m := range l.smtp.LettersTo(p.Mail) {
		if newer := linkOf(m, false); newer != "" { // its host is that of the process that wrote it
			u, err := url.Parse(newer)
			must(t, err)
			link = l.url(u.Path)
		}
	}
	if link == "" {
		return false
	}
	res, err := newBrowser(t).Post(link, "application/x-www-form-urlencoded", strings.NewReader(url.Values{}.Encode()))
	must(t, err)
	res.Body.Close()
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusGone {
		t.Errorf("%s %d: the link that was mailed is answered %d", p.On, p.Chat, res.StatusCode)
	}
	return res.StatusCode == http.StatusOK
}

// settle waits until what people did is answered.
func (l *left) settle(t *testing.T) {
	t.Helper()
	if !l.api.Wait(20*time.Second, func() bool { return l.api.Pending() == 0 }) || !l.graph.Wait(20*time.Second, func() bool { return l.graph.Pending() == 0 }) {
		t.Fatal("what people did was not taken")
	}
	for range 3 {
		must(t, l.sweep(t))
	}
}

// agentsSignIn holds that the accounts of the desk still open.
func (l *left) agentsSignIn(t *testing.T) {
	t.Helper()
	a := bottest.NewAgent(strings.TrimSuffix(l.url(""), "/"), "192.0.2.1")
	defer a.Close()
	must(t, a.SignIn(t.Context(), l.Agent, l.Password))
	p, err := a.Get(t.Context(), "/agentes?ver=mios")
	must(t, err)
	if len(p.Rows) == 0 {
		t.Error("the agent has no conversation any more")
	}
}

// life is a process that dies at its so many-th write: the write is not done, or only its answer is lost.
type life struct {
	mu   sync.Mutex
	left int
	done bool
	dead chan struct{}
}

var errDead = errors.New("the process is dead")

func (f *life) call(c storetest.Call, do func() error) error {
	f.mu.Lock()
	select {
	case <-f.dead:
		f.mu.Unlock()
		return errDead
	default:
	}
	dies := false
	if c.Write {
		f.left--
		if dies = f.left == 0; dies {
			close(f.dead)
		}
	}
	f.mu.Unlock()
	if dies && !f.done {
		return errDead
	}
	err := do()
	if dies {
		return errDead
	}
	return err
}

// The first process of this version dies at its first write, the next at its second, and so on until one lives to the end:
// opening, migrating and taking over may break off anywhere and be done again. Nothing is lost. A bubble or a letter that
// was on its way at a death may come again, word for word; everything else is kept once.
func TestUpgrade_interrupted(t *testing.T) {
	stores(t, func(t *testing.T, l *left) {
		all := owedBy(l.docs)
		deaths := 0
		for ; deaths < 200; deaths++ {
			if l.lives(t, &life{left: deaths + 1, done: deaths%2 == 0, dead: make(chan struct{})}) && len(l.owes(t)) == 0 {
				break
			}
			l.clock.Advance(believed)
		}
		must(t, l.start(t, l.engine, false))
		defer func() { l.stop(t) }()
		t.Logf("%d processes died on the way", deaths)
		if open := l.owes(t); len(open) > 0 || deaths < 5 {
			t.Errorf("%d promises are owed after %d deaths", len(open), deaths)
		}
		repeated := 0
		for _, p := range all {
			n := l.times(t, p, all)
			again := n > 1 && slices.Contains([]string{"say", "delete", "link", "notice"}, p.Kind)
			switch {
			case p.Waits:
			case again:
				repeated++
			case n != 1:
				t.Errorf("%s of %s (%s) was kept %d times, want once", p.Kind, p.by, p.ID, n)
			}
		}
		t.Logf("%d of %d promises were kept again after a death", repeated, len(all))
		l.listen(t)
		l.everybodyGoesOn(t)
	})
}

// lives lets a process live and says whether it lived to the end of what there was to do.
func (l *left) lives(t *testing.T, f *life) bool {
	t.Helper()
	if err := l.start(t, storetest.Around(l.engine, f.call), false); err != nil {
		return false // New has cleaned up after itself
	}
	defer l.stop(t)
	for range 12 {
		swept := make(chan error, 1)
		go func() { swept <- l.sweep(t) }()
		select {
		case err := <-swept:
			if err != nil {
				return false
			}
		case <-f.dead:
			stopped := l.app.Runner.Stop(t.Context()) // what waits for the store gives up
			<-swept
			return stopped != nil
		}
		if len(l.owes(t)) == 0 {
			return true
		}
		l.clock.Advance(2 * time.Second)
	}
	return true
}

// For the minute of a roll-out an old and a new process share the store: both keep what chats are owed, the old one dies
// now and then with a claim in its hands, and writes conversations anew without what it does not know. Whatever is owed is
// kept once, by one of the two; neither takes over what the other is at. The embedded store is taken for a shared one here, so
// that something is shown where there is no MongoDB.
func TestUpgrade_besideOld(t *testing.T) {
	stores(t, func(t *testing.T, l *left) {
		l.shared = true
		all := owedBy(l.docs)
		old := &oldProcess{engine: l.engine, clock: l.clock, name: "old", sent: map[string]int{}, sends: map[string]time.Time{}}
		l.clock.Advance(15 * time.Second) // most pauses that were asked for are nearly over
		old.round(t)                      // it has some before the new one comes
		l.api.Slow("sendMessage", 400*time.Millisecond)
		l.graph.Slow("messages", 400*time.Millisecond)
		must(t, l.start(t, l.engine, true))
		defer func() { l.stop(t) }()
		for n := 0; n < 400 && (n < 40 || len(l.owes(t)) > 0); n++ { // the clock never runs ahead of the machine's
			time.Sleep(100 * time.Millisecond)
			l.clock.Advance(100 * time.Millisecond)
			must(t, l.app.Desk.Beat(t.Context(), l.actor(), false))
			if n%8 == 0 {
				old.round(t)
			}
		}
		for _, p := range l.owes(t) {
			t.Errorf("%s of %s (%s) is still owed", p.Kind, p.by, p.ID)
		}
		byNew := 0
		for _, p := range all {
			n := old.sent[p.ID] + l.timesBeside(t, p, all, old.sent)
			if n != 1 && !p.Waits {
				t.Errorf("%s of %s (%s) was kept %d times, %d of them by the old process, want once", p.Kind, p.by, p.ID, n, old.sent[p.ID])
			}
			if p.Lane == "chat" && n > old.sent[p.ID] {
				byNew++
			}
		}
		l.clock.Advance(believed)
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) { // what the old one had a claim on when it died
			if n, err := l.engine.Count(t.Context(), store.Query{Collection: conversations}); err != nil || n == 0 {
				must(t, err)
				break
			} else if time.Now().After(end) {
				t.Fatalf("%d conversations were not carried over", n)
			}
		}
		t.Logf("chats were told by the old process %d times and by the new one %d; the old one claimed %d times, died %d times and wrote %d times",
			len(old.sent), byNew, old.claims, old.deaths, old.saves)
		if len(old.sent) == 0 || byNew == 0 || old.deaths == 0 {
			t.Error("nothing was shown: one of the two did nothing")
		}
		l.api.Heal()
		l.graph.Heal()
		l.listen(t)
		l.everybodyGoesOn(t)
	})
}

// timesBeside is times, where another process may have kept some of those that read alike.
func (l *left) timesBeside(t *testing.T, p owed, all []owed, elsewhere map[string]int) int {
	t.Helper()
	if p.Kind != "say" {
		return l.times(t, p, all)
	}
	others := 0
	for _, other := range all {
		if other.Kind == "say" && other.by == p.by && other.ID != p.ID && l.text(t, other) == l.text(t, p) && elsewhere[other.ID] == 0 {
			others++
		}
	}
	return l.said(t, p) - others
}

// The "No fui yo" of a letter that the version before wrote takes back what its link led to, as this version's does (P206).
func TestUpgrade_notMe(t *testing.T) {
	stores(t, func(t *testing.T, l *left) {
		must(t, l.start(t, l.engine, false))
		defer func() { l.stop(t) }()
		l.listen(t)
		unused, used := 0, 0
		for _, p := range l.People {
			id := affiliate.Hash(l.app.Vault, p.Number)
			d, err := l.app.Store.Unlocks.Load(t.Context(), id)
			must(t, err)
			if d.Live == nil || d.Live.Kind == unlock.KindDecoy || !d.Live.Voided.IsZero() {
				continue
			}
			before, _, err := l.app.Store.Affiliates.Find(t.Context(), p.Number)
			must(t, err)
			link := l.url("/no-fui-yo/" + l.app.Vault.Derive("not-me", cmp.Or(d.Live.Since, d.Live.ID)))
			for range 2 {
				res, err := newBrowser(t).Post(link, "application/x-www-form-urlencoded", strings.NewReader(url.Values{}.Encode()))
				must(t, err)
				res.Body.Close()
				if res.StatusCode != http.StatusOK {
					t.Errorf("%s %d: \"No fui yo\" is answered %d", p.On, p.Chat, res.StatusCode)
				}
			}
			want := before.Status
			if d.Live.Redeemed.IsZero() {
				unused++
			} else if used++; want == affiliate.Active {
				want = affiliate.Locked
			}
			if now, _, err := l.app.Store.Affiliates.Find(t.Context(), p.Number); err != nil || now.Status != want {
				t.Errorf("%s %d: the record was %s and is %s (%v), want %s", p.On, p.Chat, before.Status, now.Status, err, want)
			}
			if l.pressed(t, p) {
				t.Errorf("%s %d: the link can still be used", p.On, p.Chat)
			}
		}
		t.Logf("said \"No fui yo\" of %d links that were not used and %d that were", unused, used)
		if unused == 0 || used == 0 {
			t.Error("nothing was shown of one of the two")
		}
	})
}
