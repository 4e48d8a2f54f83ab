package app_test

import (
	"bufio"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/bot"
	"llave/flows"
	"llave/internal/affiliate"
	"llave/internal/app"
	"llave/internal/bottest"
	"llave/internal/bottest/world"
	"llave/internal/report"
	"llave/internal/store"
	links "llave/internal/unlock"
)

// scraped are the series of ours as Prometheus would read them.
type scraped map[string]float64

func scrape(t *testing.T, a *app.App) scraped {
	t.Helper()
	res, err := http.Get("http://" + a.AdminAddr() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	all := scraped{}
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		name, value, ok := strings.Cut(lines.Text(), " ")
		if i := strings.LastIndex(lines.Text(), "} "); i >= 0 {
			name, value, ok = lines.Text()[:i+1], lines.Text()[i+2:], true
		}
		if !ok || !strings.HasPrefix(name, "llave_") {
			continue
		}
		if all[name], err = strconv.ParseFloat(value, 64); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return all
}

// figure is one of them; not a number where it is not there.
func figure(t *testing.T, a *app.App, name string) float64 {
	t.Helper()
	if n, there := scrape(t, a)[name]; there {
		return n
	}
	return math.NaN()
}

// of adds up the series of a metric that have all those labels.
func (s scraped) of(metric string, labels ...string) (sum int) {
	for name, n := range s {
		base, rest, _ := strings.Cut(name, "{")
		if base == metric && !slices.ContainsFunc(labels, func(l string) bool { return !strings.Contains(rest, l) }) {
			sum += int(n)
		}
	}
	return sum
}

// having counts the documents of a collection that hold something.
func having[T any](t *testing.T, w *world.World, collection string, holds func(T) bool) (n int) {
	t.Helper()
	err := w.App.Store.Engine().Scan(t.Context(), store.Query{Collection: collection}, func(raw bson.Raw) bool {
		var doc T
		if err := bson.Unmarshal(raw, &doc); err != nil {
			t.Fatal(err)
		}
		if holds(doc) {
			n++
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A day of five people: one goes all the way, one lets the link end, one has no record, one does not agree, and one asks for a
// person. What /metrics says agrees with what is stored, with the letters that the mail server has, and with the messages that the
// platform has; and when a day has passed, all who began have either ended well or left (P650).
func TestCounts_agree(t *testing.T) {
	for _, on := range []world.Channel{world.Telegram, world.WhatsApp} {
		t.Run(on.Name, func(t *testing.T) {
			second := bottest.Cedula(2)
			w := world.NewOn(t, on, onePerson+second+",cedula,affiliate,Persona Dos,dos@correo.example,2025-03-01,locked\n")
			wrote := 0
			says := func(chat int64, words ...string) {
				for _, text := range words {
					wrote++
					w.DoIn(chat, func() error { w.Phone.Say(chat, text); return nil })
				}
			}
			const goes, waits, unknown, declines, asks = world.Chat, world.Chat + 1, world.Chat + 2, world.Chat + 3, world.Chat + 4
			says(goes, "hola", "1", "1", theirs, "1", "1")
			w.Post(w.Browser, w.Link(false), nil)
			w.Settle()
			if status, page := w.Post(w.Browser, w.URL("/clave"), map[string][]string{"clave": {"caballo azul con tres lunas"}, "clave2": {"caballo azul con tres lunas"}}); status != http.StatusOK {
				t.Fatalf("the key page: %d %s", status, page)
			}
			w.Settle()
			says(goes, "Sí, pude entrar")
			says(waits, "hola", "1", "1", second, "1", "1")
			says(unknown, "hola", "1", "1", bottest.Cedula(900), "1", "xyzzy plugh frotz")
			says(declines, "hola", "No continuar")
			says(asks, "hola", "1", "persona")

			now := scrape(t, w.App)
			want := func(what string, got, want int) {
				t.Helper()
				if got != want {
					t.Errorf("%s: counted %d, want %d", what, got, want)
				}
			}
			stages := map[string]int{
				flows.StageStarted: 5, flows.StageNumber: 3, flows.StageEligible: 2, flows.StageLetter: 2,
				flows.StagePressed: 1, flows.StageUnlocked: 1, flows.StageGenerated: 1, flows.StageConfirmed: 1,
			}
			for _, stage := range flows.Stages {
				got := now.of("llave_funnel_total", fmt.Sprintf("stage=%q", stage))
				want("stage "+stage, got, stages[stage])
				inStore := having(t, w, store.Conversations, func(c bot.Conversation) bool { return c.Visit.Has(stage) })
				if stage == flows.StageStarted {
					inStore++ // who declined: nothing is kept of their visit
				}
				want("stage "+stage+" beside the store", got, inStore)
			}
			want("who declined", now.of("llave_funnel_left_total", `stage="started"`, `reason="declined"`), 1)

			want("letters", now.of("llave_letters_total", `result="accepted"`), len(w.SMTP.Letters())+now.of("llave_letters_total", `kind="decoy"`))
			want("letters with a link", now.of("llave_letters_total", `kind="unlock"`, `result="accepted"`), 2)
			sent := 0
			for _, chat := range []int64{goes, waits, unknown, declines, asks} {
				sent += len(w.Phone.Messages(chat))
			}
			want("messages", now.of("llave_messages_sent_total", fmt.Sprintf("channel=%q", on.Name)), sent)
			want("what came", now.of("llave_channel_updates_total", `result="handled"`), wrote)
			want("sentences", now.of("llave_sentences_total"), wrote)
			if now.of("llave_sentences_total", `result="missed"`) == 0 {
				t.Error("what nobody can understand is not counted as missed")
			}
			if n := now.of("llave_webhook_duration_seconds_count", `code="200"`); n != wrote && on.Name == world.Telegram.Name || n < wrote { // WhatsApp reports on messages by webhook too
				t.Errorf("%d webhooks are timed for %d messages", n, wrote)
			}
			want("links used", now.of("llave_links_ended_total", `end="used"`), having(t, w, store.Unlocks, func(d links.Document) bool { return d.Live != nil && !d.Live.Redeemed.IsZero() }))
			want("links made", now.of("llave_links_made_total"), having(t, w, store.Unlocks, func(d links.Document) bool { return d.Live != nil && d.Live.Kind != links.KindDecoy }))
			want("records unlocked", now.of("llave_funnel_total", `stage="unlocked"`), having(t, w, store.Affiliates, func(r struct{ Status affiliate.Status }) bool { return r.Status == affiliate.Active }))
			for _, step := range []string{"accepted", "pressed", "key"} { // the world's clock moves when people write: what comes at once has no length
				if now.of("llave_link_step_duration_seconds_count", fmt.Sprintf("step=%q", step)) > stages[map[string]string{"accepted": "letter", "pressed": "pressed", "key": "generated"}[step]] {
					t.Errorf("more links than there are are timed to %s", step)
				}
			}
			reported := reportOf(t, w)
			want("attentions reported", reported.Attentions, stages[flows.StageNumber])
			want("completed, reported", reported.Completed, 1)
			want("letters reported", reported.Letters, having(t, w, store.Unlocks, func(d links.Document) bool { return d.Live != nil && !d.Live.Accepted.IsZero() }))
			want("requests for a person reported", reported.Handoffs, 1)
			waiting := having(t, w, store.Conversations, func(c bot.Conversation) bool { return c.Handoff.Waiting() })
			want("who waits for an agent", now.of("llave_handoff_queue_length"), waiting)
			want("what is owed", now.of("llave_outbox_promises"), 0)
			want("the store", now.of("llave_store_up"), 1)
			want("turns of people and what came of them", now.of("llave_turns_total", `result="failed"`), 0)

			w.Later(4 * time.Minute)
			if _, err := w.App.PurgeLinks(t.Context()); err != nil {
				t.Fatal(err)
			}
			want("links that ended unused", scrape(t, w.App).of("llave_links_ended_total", `end="expired"`), 1)
			for range 4 { // a case that waits is kept for longer
				w.Later(25 * time.Hour)
			}
			later := scrape(t, w.App)
			open := having(t, w, store.Conversations, func(c bot.Conversation) bool { return c.Visit != nil && !c.Visit.Has(flows.StageConfirmed) })
			want("who began, and what became of them", later.of("llave_funnel_total", `stage="confirmed"`)+later.of("llave_funnel_left_total")+open, later.of("llave_funnel_total", `stage="started"`))
			reported = reportOf(t, w)
			want("visits reported, and those that are on", reported.Visits+having(t, w, store.Conversations, func(c bot.Conversation) bool {
				return c.Visit != nil && !c.Visit.Has(flows.StageNumber)
			}), later.of("llave_funnel_total", `stage="started"`))
			for _, stage := range flows.Stages[1:] {
				want("stage "+stage+" reported", reported.Reached[stage], stages[stage])
			}
			for _, why := range flows.LeftReasons {
				want("who left, reported: "+why, reported.Left[why], later.of("llave_funnel_left_total", fmt.Sprintf("reason=%q", why)))
			}
			want("who had to go to an office", later.of("llave_funnel_left_total", `stage="number"`, `reason="in_person"`), 1)
			want("who let the link end", later.of("llave_funnel_left_total", `stage="letter"`), 1)
			for name := range later {
				for _, secret := range []string{theirs, second, "correo.example", fmt.Sprint(goes), world.Token} {
					if strings.Contains(name, secret) {
						t.Errorf("a label tells of somebody: %s", name)
					}
				}
			}
		})
	}
}

// reportOf is what the report says of the months in which a world was.
func reportOf(t *testing.T, w *world.World) report.Sum {
	t.Helper()
	span, err := report.Book{Shelf: w.App.Store.Counts, Zone: time.UTC}.Read(t.Context(), "2026-03", report.MonthOf(w.Now(), time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	return span.Total()
}

// While the mail server is away that is said, with what is owed and since when; once it is back nothing is.
func TestCounts_mailOutage(t *testing.T) {
	w := world.New(t, onePerson)
	w.SMTP.Down()
	for _, text := range []string{"hola", "1", "1", theirs, "1", "1"} {
		w.Say(text)
	}
	w.Later(3 * time.Second)
	now := scrape(t, w.App)
	if now.of("llave_trouble", `part="mail"`) != 1 || now.of("llave_trouble", `part="telegram"`) != 0 || now.of("llave_letters_waiting") != 1 {
		t.Errorf("mail %d, telegram %d, %d letters wait; want 1, 0, 1", now.of("llave_trouble", `part="mail"`), now.of("llave_trouble", `part="telegram"`), now.of("llave_letters_waiting"))
	}
	if n, age := now.of("llave_outbox_promises", `lane="mail"`), now.of("llave_outbox_oldest_age_seconds", `lane="mail"`); n != 1 || age < 3 {
		t.Errorf("%d letters are owed for %d s, want one for 3 or more", n, age)
	}
	if now.of("llave_letters_total", `result="temporary"`) == 0 || now.of("llave_letters_total", `result="accepted"`) != 0 || now.of("llave_funnel_total", `stage="letter"`) != 0 {
		t.Error("tries that failed are not counted, or a letter is that nobody took")
	}
	if err := w.SMTP.Up(); err != nil {
		t.Fatal(err)
	}
	w.Later(30 * time.Second)
	if n := len(w.SMTP.Letters()); n != 1 {
		t.Fatalf("%d letters, want one", n)
	}
	time.Sleep(5100 * time.Millisecond) // one scrape serves the next for so long
	now = scrape(t, w.App)
	if now.of("llave_trouble") != 0 || now.of("llave_letters_waiting") != 0 || now.of("llave_outbox_promises") != 0 || now.of("llave_outbox_oldest_age_seconds") != 0 {
		t.Error("trouble is over, and /metrics does not say so")
	}
	if now.of("llave_letters_total", `result="accepted"`) != 1 || now.of("llave_funnel_total", `stage="letter"`) != 1 {
		t.Error("the letter that went out is not counted once")
	}
}

// Who helps two people in one chat makes two visits: the first ended where it stood when the second number was given.
func TestCounts_another(t *testing.T) {
	second := bottest.Cedula(2)
	w := world.New(t, onePerson+second+",cedula,affiliate,Persona Dos,dos@correo.example,2025-03-01,locked\n")
	for _, text := range []string{"hola", "1", "1", theirs, "1", "1"} {
		w.Say(text)
	}
	w.Post(w.Browser, w.Link(false), nil)
	w.Settle()
	for _, text := range []string{"menú", "1", second, "1", "1"} {
		w.Say(text)
	}
	now := scrape(t, w.App)
	for stage, want := range map[string]int{"started": 2, "number": 2, "eligible": 2, "letter": 2, "pressed": 1} {
		if got := now.of("llave_funnel_total", fmt.Sprintf("stage=%q", stage)); got != want {
			t.Errorf("%s: counted %d, want %d", stage, got, want)
		}
	}
	if n := now.of("llave_funnel_left_total"); n != 1 || now.of("llave_funnel_left_total", `stage="unlocked"`, `reason="another"`) != 1 {
		t.Errorf("%d visits are over, want the first, which ended with another number", n)
	}
}
