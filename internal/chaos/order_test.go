package chaos

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"llave/bot"
	"llave/flows"
	"llave/internal/affiliate"
	"llave/internal/app"
	"llave/internal/bottest"
	"llave/internal/config"
	"llave/internal/handoff"
	"llave/internal/secret"
	"llave/internal/store"
	"llave/internal/store/storetest"
	"llave/internal/unlock"
)

// What is promised of order. Telegram numbers what it sends, with gaps: the numbers are the bot's, not the chat's, so that
// nobody can know whether an earlier update of a chat is still to come, and nobody is kept waiting for one. Therefore:
//
//  1. Of the updates of one chat that wait in a process at the same time, the earliest is answered first. However a window
//     of them was permuted on its way, the document ends as if they had come in order.
//  2. An update that comes after a later one was answered is answered then. Nothing is lost and nothing is answered
//     twice; the document ends as that of the model that was given the updates in the order of their commits. A button of
//     a question that is gone changes nothing.
//  3. Where the meaning of the updates does not depend on their order ("estado", "ayuda", "gracias"), neither does what
//     the conversation has come to.
//
// The model is the pure step of package bot: one update after the other, with nothing around it. Documents are compared
// whole, but for what is owed and not yet sent.
const window = 5

// input is one thing a person did.
type input struct {
	ID     int
	Text   string
	Button string // instead of a text
	Prompt int    // the stamp of the question the button stood under
}

func (d input) update(chat int64) bot.Update {
	u := bot.Update{
		ID: strconv.Itoa(d.ID), Order: int64(d.ID), Channel: "telegram", Chat: strconv.FormatInt(chat, 10), MessageID: strconv.Itoa(d.ID), Kind: bot.Text, Text: d.Text,
	}
	if d.Button != "" {
		u.Kind, u.Button, u.Prompt = bot.Press, d.Button, d.Prompt
	}
	return u
}

func (d input) body(chat int64) string {
	from := fmt.Sprintf(`"from":{"id":%d,"is_bot":false,"first_name":"Persona"}`, chat)
	message := fmt.Sprintf(`"message":{"message_id":%d,"chat":{"id":%d,"type":"private"},"date":1,`, d.ID, chat)
	if d.Button != "" {
		return fmt.Sprintf(`{"update_id":%d,"callback_query":{"id":"%d",%s,"data":"%d:%s",%s"text":"?"}}}`, d.ID, d.ID, from, d.Prompt, d.Button, message)
	}
	return fmt.Sprintf(`{"update_id":%d,%s%s,"text":%q}}`, d.ID, message, from, d.Text)
}

// model steps a conversation through inputs, one after the other.
type model struct {
	engine  *bot.Engine
	reserve func(ctx context.Context, a bot.Ask) (bot.Reservation, error)
	conv    func(id string) string // what a conversation is called; nil: as its channel says
}

// conversation is a new one of a chat.
func (m model) conversation(chat int64) bot.Conversation {
	id := bot.ConversationID("telegram", strconv.FormatInt(chat, 10))
	if m.conv != nil {
		id = m.conv(id)
	}
	return bot.Conversation{ID: id}
}

func (m model) step(ctx context.Context, c bot.Conversation, u bot.Update, now time.Time) (bot.Conversation, error) {
	next, _, err := m.engine.Step(ctx, c, u, bot.Env{Now: now})
	var need *bot.NeedsReservation
	if errors.As(err, &need) {
		res, rerr := m.reserve(ctx, need.Ask)
		if rerr != nil {
			return c, rerr
		}
		next, _, err = m.engine.Step(ctx, c, u, bot.Env{Now: now, Reservation: &res})
	}
	return next, err
}

// run steps a new conversation through inputs, each at the moment at which it was answered.
func (m model) run(ctx context.Context, chat int64, inputs []input, answered map[string]time.Time) (bot.Conversation, error) {
	c := m.conversation(chat)
	for _, d := range inputs {
		var err error
		if c, err = m.step(ctx, c, d.update(chat), answered[strconv.Itoa(d.ID)]); err != nil {
			return c, err
		}
	}
	return c, nil
}

// plain is a document without what is owed and what keeping it has left behind, and with its secrets opened, as it would
// come from the store.
func plain(v *secret.Vault, c bot.Conversation) (out bot.Conversation, err error) {
	c = c.Clone()
	c.Version, c.Outbox, c.Pieces, c.Answered, c.Asked = 0, bot.Outbox{}, nil, nil, nil
	c.Timers = slices.DeleteFunc(c.Timers, func(t bot.Timer) bool { return t.Signal == bot.SignalLinkExpired || t.Signal == bot.SignalMailLate })
	maps.DeleteFunc(c.Slots, ofLetters)
	if c.Handoff != nil {
		c.Handoff.Moved = time.Time{} // the letter's signal moves the case as well
		c.Handoff.Trace = ""          // which each process draws for itself
	}
	if c.Visit != nil { // the letter's signal tells how far they are, when it comes
		c.Visit = &bot.Visit{Reached: slices.DeleteFunc(slices.Clone(c.Visit.Reached), func(stage string) bool { return stage == flows.StageLetter })}
	}
	slices.SortFunc(c.Timers, func(a, b bot.Timer) int { return strings.Compare(a.Signal, b.Signal) })
	for name, value := range c.Slots {
		c.Slots[name] = opened(v, c.ID, name, value)
	}
	for i := range c.Tail { // the model reads what is left of a link at another moment
		c.Tail[i].Text = leftOver.ReplaceAllString(c.Tail[i].Text, "…")
	}
	for i := range c.Heard {
		c.Heard[i].Told = ""
	}
	raw, err := bson.Marshal(c)
	if err != nil {
		return out, err
	}
	return out, bson.Unmarshal(raw, &out)
}

// opened is what a slot holds: sealing makes something else of it each time.
func opened(v *secret.Vault, conv, slot, value string) string {
	if f := secret.Slots[slot]; f != nil {
		if text, err := v.Open(f.Of(conv), value); err == nil {
			return text
		}
	}
	return value
}

// ofLetters says whether a slot follows the letter, which the model does not send.
func ofLetters(slot, _ string) bool { return slot == "unsent" || slot == "late" }

// leftOver is what is left of a link in an answer to "estado".
var leftOver = regexp.MustCompile(`\d+ (minut|second|segund)\w+|(menos de un|less than a) minut\w+`)

// talk makes up what a person does, who reads what the model answers and mostly presses what it shows.
func (m model) talk(rt *rapid.T, chat int64, number string, n int) []input {
	m.reserve = func(context.Context, bot.Ask) (bot.Reservation, error) { // which link it is makes no difference to the person
		return bot.Reservation{Granted: true, Attempt: "attempt", Ends: time.Now().Add(time.Minute)}, nil
	}
	words := rapid.SampledFrom([]string{"hola", "estado", "ayuda", "menú", "atrás", "repetir", "idioma", "cancelar", "persona", "no entiendo", "1", "sí", number})
	c := m.conversation(chat)
	var inputs []input
	for i := range n {
		d := input{ID: firstUpdate + 2*i, Text: "hola"}
		switch press := rapid.IntRange(0, 3).Draw(rt, "presses") > 0; {
		case i == 0:
		case press && c.State == "AskNumber":
			d.Text = number
		case press && len(c.Shown) > 0:
			d.Text, d.Button, d.Prompt = "", rapid.SampledFrom(c.Shown).Draw(rt, "button"), c.Prompt
		default:
			d.Text = words.Draw(rt, "words")
		}
		next, err := m.step(context.Background(), c, d.update(chat), time.Now())
		if err == nil && slices.Contains(next.Shown, "erase_yes") { // what is kept is written anew beside the turns then: no part of the model
			d.Text, d.Button, d.Prompt = "menú", "", 0
			next, err = m.step(context.Background(), c, d.update(chat), time.Now())
		}
		if err != nil {
			rt.Fatal(err)
		}
		c, inputs = next, append(inputs, d)
	}
	return inputs
}

const firstUpdate = 900000000

// door is before the conversations of a store: while it is shut nobody reads one, and who has begun to answer an update
// stands before it.
type door struct{ sync.RWMutex }

func (d *door) enter() {
	d.RLock()
	defer d.RUnlock()
}

// queueing counts the updates that a process of ours has taken in and that wait for their chat or before the door.
func queueing() int {
	stacks := make([]byte, 1<<20)
	for {
		n := runtime.Stack(stacks, true)
		if n < len(stacks) {
			stacks = stacks[:n]
			break
		}
		stacks = make([]byte, 2*len(stacks))
	}
	n := 0
	for _, one := range strings.Split(string(stacks), "\n\n") {
		waits := strings.Contains(one, "[chan receive") && strings.Contains(one, ".lockAs(") || strings.Contains(one, ".(*door).enter(")
		if waits && strings.Contains(one, ".(*Runner).Handle(") {
			n++
		}
	}
	return n
}

// inProcess is one process of Llave within the test, behind a real webhook, over a store with a door.
type inProcess struct {
	app   *app.App
	api   *bottest.BotAPI
	door  door
	model model
	next  atomic.Int64 // chat
}

func newInProcess(t *testing.T) *inProcess {
	t.Helper()
	p := &inProcess{api: bottest.NewBotAPI(token)}
	if err := p.api.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.api.Close)
	smtp, err := bottest.StartSMTP()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = smtp.Close() })
	c, err := config.Load([]string{
		"LLAVE_HTTP_ADDR=127.0.0.1:0", "LLAVE_ADMIN_ADDR=127.0.0.1:0", "LLAVE_DATA_DIR=" + t.TempDir(), "LLAVE_SECRET_KEY=" + secretKey,
		"LLAVE_INTRODUCE=off", // what goes wrong is for messages
		"LLAVE_TELEGRAM_TOKEN=" + token, "LLAVE_TELEGRAM_API_URL=" + p.api.URL(), "LLAVE_TELEGRAM_MODE=webhook", "LLAVE_TELEGRAM_RATE=1000",
		"LLAVE_TELEGRAM_WEBHOOK_SECRET=" + hookSecret, "LLAVE_SMTP_URL=" + smtp.URL(), "LLAVE_LIMIT_MESSAGES_MINUTE=1000",
		"LLAVE_LIMIT_MAILS_WINDOW=1000", "LLAVE_LIMIT_MAILS_DAY=1000",
	}, t.TempDir(), config.NeedMail)
	if err != nil {
		t.Fatal(err)
	}
	engine := storetest.Around(storetest.Bolt(t, nil), func(c storetest.Call, do func() error) error {
		if c.Collection == store.Conversations && !c.Write {
			p.door.enter()
		}
		return do()
	})
	if p.app, err = app.New(t.Context(), app.Options{Config: c, Log: slog.New(slog.DiscardHandler), LocalURL: true, NoSweep: true, Engine: engine}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := p.app.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	if err := p.app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !p.api.Wait(10*time.Second, func() bool { return p.api.WebhookURL() != "" }) {
		t.Fatal("no webhook was registered")
	}
	shutDesk(t, p.app.Store)
	p.model = model{engine: p.app.Runner.Engine, reserve: p.app.Runner.Reserve, conv: p.app.Store.Book.Conv}
	return p
}

// newChat is a chat that Telegram knows, and the number that its person will say.
func (p *inProcess) newChat(rt *rapid.T) (chat int64, number string) {
	n := p.next.Add(1)
	chat = 5552000000 + n
	number = bottest.Cedula(int(n))
	if err := p.api.SendUpdate(fmt.Sprintf(`{"poll":{"chat":{"id":%d}}}`, chat)); err != nil { // of a kind we did not ask for
		rt.Fatal(err)
	}
	err := p.app.Store.Affiliates.Import(context.Background(), []affiliate.Record{{
		ID: number, IDType: affiliate.Cedula, Category: affiliate.Affiliate, FullName: "Persona", Email: fmt.Sprintf("orden%d@correo.example", n),
		DataUpdatedAt: time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC), Status: affiliate.Locked,
	}})
	if err != nil {
		rt.Fatal(err)
	}
	return chat, number
}

// post delivers an input to a webhook.
func post(addr string, chat int64, d input) error {
	res, err := (&http.Client{Transport: pages, Timeout: 30 * time.Second}).Do(webhook(context.Background(), addr, d.body(chat)))
	if err != nil {
		return err
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("update %d: status %d", d.ID, res.StatusCode)
	}
	return nil
}

// together delivers the first input and, while it is being answered, the others, each as soon as the one before has been
// taken in.
func (p *inProcess) together(rt *rapid.T, chat int64, inputs []input) {
	p.door.Lock()
	answers := make(chan error, len(inputs))
	for i, d := range inputs {
		go func() { answers <- post(p.app.Addr(), chat, d) }()
		for began := time.Now(); queueing() <= i; time.Sleep(200 * time.Microsecond) {
			if time.Since(began) > 10*time.Second {
				p.door.Unlock()
				rt.Fatalf("update %d was not taken in within 10 s", d.ID)
			}
		}
	}
	p.door.Unlock()
	for range inputs {
		if err := <-answers; err != nil {
			rt.Fatal(err)
		}
	}
}

// judge compares the stored conversation with the model that was given the inputs in an order.
func (p *inProcess) judge(chat int64, order []input) (bot.Conversation, error) {
	ctx := context.Background()
	got, err := p.app.Store.Conversations.Load(ctx, p.app.Store.Book.Conv(bot.ConversationID("telegram", strconv.FormatInt(chat, 10))))
	if err != nil {
		return got, err
	}
	return got, p.model.judge(ctx, p.app.Vault, chat, got, order)
}

// walk delivers windows, each at once, and judges what came of it by the order that it should have.
func (p *inProcess) walk(rt *rapid.T, chat int64, order []input, windows [][]input) (bot.Conversation, error) {
	for _, inputs := range windows {
		p.together(rt, chat, inputs)
	}
	return p.judge(chat, order)
}

// withNumber is what another person says in its place, who has a number of their own.
func withNumber(inputs []input, was, is string) []input {
	out := slices.Clone(inputs)
	for i := range out {
		if out[i].Text == was {
			out[i].Text = is
		}
	}
	return out
}

// judge compares a stored conversation with what the model makes of the inputs in an order.
func (m model) judge(ctx context.Context, v *secret.Vault, chat int64, got bot.Conversation, order []input) error {
	answered := map[string]time.Time{}
	for _, seen := range got.Seen {
		answered[seen.ID] = seen.At
	}
	want, err := m.run(ctx, chat, order, answered)
	if err != nil {
		return err
	}
	if got, err = plain(v, got); err != nil {
		return err
	}
	if want, err = plain(v, want); err != nil {
		return err
	}
	got.Tail = untaken(got.Tail, want.Tail)
	if !reflect.DeepEqual(got, want) {
		return fmt.Errorf("chat %d:\n got %+v, case %+v\nwant %+v, case %+v\nafter %+v", chat, got, got.Handoff, want, want.Handoff, order)
	}
	return nil
}

// untaken is a transcript without answers that had gone out when the next piece of the same act came: the model, which sends nothing,
// takes each of them back.
func untaken(got, want []bot.Line) []bot.Line {
	got = slices.Clone(got)
	for i := 0; i+1 < len(got); i++ {
		if got[i].From == bot.FromBot && got[i+1].From == bot.FromPerson && i < len(want) && reflect.DeepEqual(got[i+1], want[i]) {
			got = slices.Delete(got, i, i+1)
		}
	}
	return got
}

func permuted(rt *rapid.T, inputs []input) []input {
	return rapid.Permutation(inputs).Draw(rt, "came")
}

// TestOrder_windows holds the three promises for made-up conversations, through the webhook of a process.
func TestOrder_windows(t *testing.T) {
	needChaos(t)
	if err := flag.Set("rapid.checks", sized("100", "1000")); err != nil {
		t.Fatal(err)
	}
	p := newInProcess(t)
	t.Run("together", func(t *testing.T) {
		updates, windows, walkedAgain, ends := 0, 0, 0, map[bot.State]int{}
		rapid.Check(t, func(rt *rapid.T) {
			chat, number := p.newChat(rt)
			inputs := p.model.talk(rt, chat, number, rapid.IntRange(1, 4).Draw(rt, "windows")*(window+1))
			var came [][]input
			for begun := range slices.Chunk(inputs, window+1) {
				came = append(came, append([]input{begun[0]}, permuted(rt, begun[1:])...))
			}
			got, err := p.walk(rt, chat, inputs, came)
			if err != nil { // the model sends nothing: an answer may have gone out between two pieces of one act, which is rare
				again, other := p.newChat(rt)
				rest := func(in []input) []input { return withNumber(in, number, other) }
				for i := range came {
					came[i] = rest(came[i])
				}
				walkedAgain++
				if got, err = p.walk(rt, again, rest(inputs), came); err != nil {
					rt.Fatal(err)
				}
			}
			ends[got.State]++
			windows, updates = windows+len(came), updates+len(inputs)
		})
		t.Logf("%d updates in %d permuted windows of %d: every conversation ends as the ordered one, in %v; %d were walked again", updates, windows, window, ends, walkedAgain)
		if walkedAgain > 3 {
			t.Errorf("%d conversations had to be walked again, want 3 at most", walkedAgain)
		}
	})
	t.Run("late", func(t *testing.T) {
		updates, repeats := 0, 0
		rapid.Check(t, func(rt *rapid.T) {
			chat, number := p.newChat(rt)
			inputs := p.model.talk(rt, chat, number, rapid.IntRange(2, 4).Draw(rt, "windows")*window)
			var came []input
			for begun := range slices.Chunk(inputs, window) {
				came = append(came, permuted(rt, begun)...)
			}
			for _, d := range slices.Concat(came, inputs) { // and each once more
				if err := post(p.app.Addr(), chat, d); err != nil {
					rt.Fatal(err)
				}
			}
			if _, err := p.judge(chat, came); err != nil {
				rt.Fatal(err)
			}
			updates, repeats = updates+len(came), repeats+len(inputs)
		})
		t.Logf("%d updates that came in another order, one after the other, and %d repeats: every conversation ends as the model that heard them so", updates, repeats)
	})
	t.Run("any order", func(t *testing.T) {
		updates := 0
		rapid.Check(t, func(rt *rapid.T) {
			chat, number := p.newChat(rt)
			inputs := p.model.talk(rt, chat, number, rapid.IntRange(1, 10).Draw(rt, "before"))
			before := len(inputs)
			for range window {
				inputs = append(inputs, input{ID: firstUpdate + 2*len(inputs), Text: rapid.SampledFrom([]string{"estado", "ayuda", "gracias"}).Draw(rt, "asks")})
			}
			for _, d := range append(slices.Clone(inputs[:before]), permuted(rt, inputs[before:])...) {
				if err := post(p.app.Addr(), chat, d); err != nil {
					rt.Fatal(err)
				}
			}
			got, err := p.app.Store.Conversations.Load(context.Background(), p.app.Store.Book.Conv(bot.ConversationID("telegram", strconv.FormatInt(chat, 10))))
			if err != nil {
				rt.Fatal(err)
			}
			want, err := p.model.run(context.Background(), chat, inputs, nil)
			if err != nil {
				rt.Fatal(err)
			}
			if got, want := come(p.app.Vault, got), come(p.app.Vault, want); got != want {
				rt.Fatalf("chat %d:\n got %s\nwant %s\nafter %+v", chat, got, want, inputs)
			}
			updates += window
		})
		t.Logf("%d questions whose order does not matter", updates)
	})
}

// TestOrder_processes delivers windows of updates at once to several processes of the built binary, a fifth of them more
// than once, and holds the second promise: across processes it is the commits that decide.
func TestOrder_processes(t *testing.T) {
	onBoth(t, func(t *testing.T, k kind) {
		dep := newDeployment(t, k, "LLAVE_TELEGRAM_WEBHOOK_SECRET="+hookSecret, "LLAVE_LIMIT_MESSAGES_MINUTE=1000",
			"LLAVE_LIMIT_MAILS_WINDOW=1000", "LLAVE_LIMIT_MAILS_DAY=1000")
		people := dep.populate(sized(100, 2000))
		talks := make([][]input, len(people))
		m, _ := dep.model(t)
		for i, p := range people {
			talks[i] = rapid.Custom(func(rt *rapid.T) []input { return m.talk(rt, p.chat, p.number, 4*window) }).Example(i)
		}
		dep.closeStore()
		dep.start()
		addrs := dep.fleet.running()
		for _, p := range people {
			if err := dep.api.SendUpdate(fmt.Sprintf(`{"poll":{"chat":{"id":%d}}}`, p.chat)); err != nil { // a chat, and nothing sent
				t.Fatal(err)
			}
		}
		began := time.Now()
		var deliveries atomic.Int64
		parallel(t, people, func(i int, p *person) error {
			for begun := range slices.Chunk(talks[i], window) {
				var all sync.WaitGroup
				problems := make(chan error, 2*window)
				for _, j := range rand.Perm(len(begun)) {
					for range 1 + rand.IntN(10)/8 {
						deliveries.Add(1)
						all.Go(func() { problems <- post(addrs[rand.IntN(len(addrs))], p.chat, begun[j]) })
					}
				}
				all.Wait()
				close(problems)
				for err := range problems {
					if err != nil {
						return err
					}
				}
			}
			return nil
		})
		took := time.Since(began)
		dep.end()

		m, s := dep.model(t)
		lost := invariant{name: "updates not answered, or more than once"}
		other := invariant{name: "conversations that are not what the model makes of their updates"}
		windows, inOrder := 0, 0
		for i, p := range people {
			c, err := s.Conversations.Load(t.Context(), s.Book.Conv(p.conv))
			if err != nil {
				t.Fatal(err)
			}
			byID := map[string]input{}
			for _, d := range talks[i] {
				byID[strconv.Itoa(d.ID)] = d
			}
			var order []input
			for _, seen := range c.Seen {
				if d, ok := byID[seen.ID]; ok {
					order = append(order, d)
				}
			}
			if len(order) != len(talks[i]) || len(c.Seen) != len(talks[i]) {
				lost.breaks("person %d: %d updates, answered %v", p.index, len(talks[i]), c.Seen)
				continue
			}
			for begun := range slices.Chunk(order, window) {
				windows++
				if slices.IsSortedFunc(begun, func(a, b input) int { return a.ID - b.ID }) {
					inOrder++
				}
			}
			if err := m.judge(t.Context(), dep.vault, p.chat, c, order); err != nil {
				other.breaks("person %d: %v", p.index, err)
			}
		}
		t.Logf("%d conversations, %d updates in windows of %d delivered at once, in any order, to %d processes, %d deliveries in %v; %d of %d windows were answered in order",
			len(people), len(people)*4*window, window, len(addrs), deliveries.Load(), took.Round(time.Millisecond), inOrder, windows)
		lost.report(t)
		other.report(t)
	})
}

// shutDesk closes the help desk: the position in its queue depends on when one asks.
func shutDesk(t *testing.T, s *store.Store) {
	t.Helper()
	shut, err := s.Schedule.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	shut.ClosedNow = &handoff.Closed{By: "nobody", At: time.Now()}
	if err := s.Schedule.Save(t.Context(), &shut); err != nil {
		t.Fatal(err)
	}
}

// model is the conversation as the deployment's processes have it, over their store.
func (dep *deployment) model(t *testing.T) (model, *store.Store) {
	t.Helper()
	s, vault := dep.openStore(t)
	c, err := config.Load(dep.fleet.env, t.TempDir(), config.NeedMail)
	if err != nil {
		t.Fatal(err)
	}
	shutDesk(t, s)
	engine, err := app.NewFlow(c, app.FlowOptions{Records: s.Affiliates, Vault: vault, PublicURL: c.PublicURL})
	if err != nil {
		t.Fatal(err)
	}
	reserve := unlock.New(unlock.Options{
		Documents: s.Unlocks, Affiliates: s.Affiliates, Vault: vault, Now: s.Now,
		Limits: unlock.Limits{Burst: c.Limits.MailsWindow, Window: config.MailWindow, Day: c.Limits.MailsDay, PerDay: 24 * time.Hour, LinkTTL: c.LinkTTL},
	}).Reserve
	return model{engine: engine, reserve: reserve, conv: s.Book.Conv}, s
}

// come is what a conversation has come to, apart from what was said on the way.
func come(v *secret.Vault, c bot.Conversation) string {
	slots := map[string]string{}
	for name, value := range c.Slots {
		slots[name] = opened(v, c.ID, name, value)
	}
	maps.DeleteFunc(slots, ofLetters)
	delete(slots, "notice_at") // the model has no clock here
	seen := map[string]int{}
	for _, s := range c.Seen {
		seen[s.ID]++
	}
	return fmt.Sprint(c.State, c.Back, c.Text, c.Prompt, c.Shown, slots, c.Misses, c.Turns, c.Attempt, seen)
}
