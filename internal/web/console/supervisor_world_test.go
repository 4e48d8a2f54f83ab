package console_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"llave/bot"
	"llave/flows"
	"llave/internal/agent"
	"llave/internal/bottest"
	"llave/internal/handoff"
	"llave/internal/runner"
	"llave/internal/runner/runnertest"
	"llave/internal/secret"
	"llave/internal/store"
	"llave/internal/store/storetest"
	"llave/internal/unlock"
	"llave/internal/web"
	"llave/internal/web/console"
)

// desk is the whole console over a real store, a real runner and the real conversation, with a clock that the test sets. It
// begins on a Monday at ten in the morning, with an agent "ana" and a supervisor "sup".
type desk struct {
	*world
	store *store.Store
	desk  *handoff.Desk
	calls *runner.Runner
	n     int
}

// mute is a channel whose people read nothing.
type mute struct{}

func (mute) Send(context.Context, string, bot.Reply) error { return nil }
func (mute) Delete(context.Context, string, string) error  { return nil }
func (m mute) bind(r *runner.Runner)                       { r.Bind("telegram", m) }

// audited is the audit as the console reads it.
type audited struct{ *store.AuditLog }

func (a audited) Between(ctx context.Context, from, to time.Time, each func(agent.Deed) bool) error {
	return a.AuditLog.Between(ctx, from, to, func(e store.Entry) bool { return each(agent.Deed(e)) })
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	w := &world{t: t, clock: storetest.NewClock(time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)), log: &bottest.Log{}}
	s := store.New(storetest.Bolt(t, w.clock.Now))
	d := &desk{world: w, store: s}
	vault, err := secret.New(secret.NewDataKey())
	if err != nil {
		t.Fatal(err)
	}
	w.agents = agent.New(agent.Options{
		Agents: s.Agents, Sessions: s.Sessions, Tries: s.Tries, Counters: s.Counters, Audit: s.Audit.Deed,
		Vault: vault, Now: s.Now, Idle: 30 * time.Minute,
	})
	w.add("ana", agent.Member)
	w.add("sup", agent.Supervisor)
	zone, err := time.LoadLocation("America/Guayaquil")
	if err != nil {
		t.Fatal(err)
	}
	hours, err := handoff.ParseHours("mon-fri 08:00-17:00")
	if err != nil {
		t.Fatal(err)
	}
	d.desk = handoff.NewDesk(handoff.Options{
		Store: s.Desk, Schedules: s.Schedule, Hours: hours, Zone: zone, Now: s.Now,
		Answer: func(ctx context.Context, u bot.Update) (bot.Outcome, error) { return d.calls.Answer(ctx, u) },
		Number: func(c bot.Conversation) (string, error) { return flows.Number(vault, c) },
		Look:   func(context.Context, string) (handoff.Finding, error) { return handoff.Finding{}, nil },
		Audit: func(ctx context.Context, id, who, what, detail string) error {
			return s.Audit.Append(ctx, store.Entry{ID: id, At: w.clock.Now(), Who: who, What: what, Detail: detail})
		},
		Typing: func(context.Context, string) {},
		Known: func(ctx context.Context, login string) (string, bool, error) {
			a, found, err := s.Agents.Find(ctx, login)
			return a.Name, found && !a.Disabled, err
		},
	})
	links := unlock.New(unlock.Options{Records: s.Unlocks, Affiliates: s.Affiliates, Vault: vault, Now: s.Now})
	engine, err := flows.New(flows.Options{
		Records: s.Affiliates, Vault: vault, PublicURL: "http://localhost", LinkTTL: 3 * time.Minute, Idle: 24 * time.Hour, Seen: 8 * 24 * time.Hour,
		Desk: d.desk, Limits: flows.Limits{NumbersHour: 3, NumbersDay: 10, MessagesMinute: 100},
		Erasing: func(string) flows.Erasing { return flows.StaysHere },
	})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	d.calls, err = runner.New(runner.Options{
		Name: "one", Conversations: s.Conversations, Records: s.Unlocks, Processes: s.Processes, Engine: engine, Reserve: links.Reserve, Now: s.Now,
		Open: func(sealed string) (string, error) { return flows.OpenReply(vault, sealed) }, Log: log,
		Keepers: runnertest.Keepers(
			runner.KeeperOf(func(ctx context.Context, _ bot.Promise, what bot.KeepCase) (runner.Kept, error) {
				return runner.Kept{}, s.Desk.KeepCase(ctx, what.Conv, *what.Handoff)
			}),
			runner.KeeperOf(func(ctx context.Context, _ bot.Promise, what bot.KeepLines) (runner.Kept, error) {
				return runner.Kept{}, s.Desk.KeepLines(ctx, what.Conv, what.Ref, what.Lines)
			}),
		),
	})
	if err != nil {
		t.Fatal(err)
	}
	mute{}.bind(d.calls)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := d.calls.Stop(ctx); err != nil {
			t.Errorf("stop the runner: %v", err)
		}
	})

	w.server = httptest.NewUnstartedServer(nil)
	base := &url.URL{Scheme: "http", Host: w.server.Listener.Addr().String()}
	w.public = base.String()
	kit, err := web.New(web.Options{PublicURL: base, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	c, err := console.New(console.Options{
		Kit: kit, Desk: d.desk, Agents: w.agents, Audit: audited{s.Audit}, Log: log,
		StateName: func(s bot.State) string { return string(s) },
	})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	kit.Routes(mux)
	c.Routes(mux)
	w.server.Config.Handler = kit.Wrap(mux)
	w.server.Start()
	t.Cleanup(w.server.Close)
	return d
}

// as is the browser of somebody who has signed in.
func (d *desk) as(login string) *browser {
	d.t.Helper()
	b := d.browser()
	b.signIn(login, goodPassword).To(d.t, "/agentes")
	return b
}

// write has a person write to the bot.
func (d *desk) write(chat, text string) {
	d.t.Helper()
	d.n++
	err := d.calls.Handle(d.t.Context(), bot.Update{ID: fmt.Sprint(d.n), Channel: "telegram", Chat: chat, Kind: bot.Text, Text: text})
	if err != nil {
		d.t.Fatal(err)
	}
}

// ask has a person ask for a person of the desk, and returns the case.
func (d *desk) ask(chat string) handoff.Case {
	d.t.Helper()
	d.write(chat, "hola")
	d.write(chat, "persona")
	return d.caseOf(chat)
}

func (d *desk) caseOf(chat string) handoff.Case {
	d.t.Helper()
	all, err := d.desk.Inbox(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	for _, c := range all {
		if c.Conv == "telegram:"+chat {
			return c
		}
	}
	d.t.Fatalf("chat %s has no open case", chat)
	return handoff.Case{}
}

// claim gives a case to an agent, whose console is there.
func (d *desk) claim(login string, of handoff.Case) {
	d.t.Helper()
	who := handoff.Actor{Login: login, Name: "Persona de Prueba"}
	if err := d.desk.Beat(d.t.Context(), who, false); err != nil {
		d.t.Fatal(err)
	}
	d.n++
	if err := d.desk.Claim(d.t.Context(), handoff.Deed{Once: fmt.Sprint(d.n), Ref: of.Ref, Actor: who}); err != nil {
		d.t.Fatal(err)
	}
}

// keep puts the record of a case into the store as if it had been recorded.
func (d *desk) keep(h bot.Handoff) {
	d.t.Helper()
	h.Rev = 1
	if err := d.store.Desk.KeepCase(d.t.Context(), "telegram:9"+h.Ref, h); err != nil {
		d.t.Fatal(err)
	}
}

// told lists what the audit holds of a sort, each as who and detail.
func (d *desk) told(what string) []string {
	d.t.Helper()
	var all []string
	err := d.store.Audit.Between(d.t.Context(), time.Time{}, d.clock.Now().Add(time.Hour), func(e store.Entry) bool {
		if e.What == what {
			all = append(all, e.Who+": "+e.Detail)
		}
		return true
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return all
}
