package consoletest

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"llave/bot"
	"llave/flows"
	"llave/internal/agent"
	"llave/internal/handoff"
	"llave/internal/report"
	"llave/internal/runner"
	"llave/internal/runner/runnertest"
	"llave/internal/store"
	"llave/internal/unlock"
	"llave/internal/web"
	"llave/internal/web/console"
	"llave/internal/web/console/counter"
	"llave/internal/web/console/supervisor"
	"llave/internal/web/console/talk"
)

// Desk is the whole console over a real store, a real runner and the real conversation.
type Desk struct {
	*Site
	Store *store.Store
	Desk  *handoff.Desk
	calls *runner.Runner
	n     int
}

// mute is a channel whose people read nothing.
type mute struct{}

func (mute) Send(context.Context, string, bot.Reply) error { return nil }
func (mute) Delete(context.Context, string, string) error  { return nil }

// audited is the audit as the console reads it.
type audited struct{ *store.AuditLog }

func (a audited) Between(ctx context.Context, from, to time.Time, each func(agent.AuditEntry) bool) error {
	return a.AuditLog.Between(ctx, from, to, func(e store.AuditEntry) bool { return each(agent.AuditEntry(e)) })
}

// NewDesk serves a whole console in which states have their own names and nothing can be given back to the bot.
func NewDesk(t *testing.T) *Desk {
	t.Helper()
	w, s, vault := newSite(t)
	d := &Desk{Site: w, Store: s}
	zone, err := time.LoadLocation("America/Guayaquil")
	if err != nil {
		t.Fatal(err)
	}
	hours, err := handoff.ParseHours("mon-fri 08:00-17:00")
	if err != nil {
		t.Fatal(err)
	}
	d.Desk = handoff.NewDesk(handoff.Options{
		Store: s.Desk, Schedules: s.Schedule, Hours: hours, Zone: zone, Now: s.Now,
		Answer: func(ctx context.Context, u bot.Update) (bot.Outcome, error) { return d.calls.Answer(ctx, u) },
		Number: func(c bot.Conversation) (string, error) { return flows.Number(vault, c) },
		Look:   func(context.Context, string) (handoff.Finding, error) { return handoff.Finding{}, nil },
		Audit: func(ctx context.Context, id, who, what, detail string) error {
			return s.Audit.Append(ctx, store.AuditEntry{ID: id, At: w.Clock.Now(), Who: who, What: what, Detail: detail})
		},
		Tries: func(ctx context.Context, login string, by int64) (int64, error) {
			n, _, err := s.Counters.Add(ctx, "counter/"+login, by, time.Hour)
			return n, err
		},
		Mark:     func(words string) string { return vault.Hash("search", words)[:12] },
		Discreet: flows.Discreet, Noted: flows.Noted, Silence: flows.DefaultSilence,
		Typing: func(context.Context, string) {},
		Known: func(ctx context.Context, login string) (string, bool, error) {
			a, found, err := s.Agents.Find(ctx, login)
			return a.Name, found && !a.Disabled, err
		},
	})
	links := unlock.New(unlock.Options{Documents: s.Unlocks, Affiliates: s.Affiliates, Vault: vault, Now: s.Now})
	engine, err := flows.New(flows.Options{
		Records: s.Affiliates, Vault: vault, PublicURL: "http://localhost", LinkTTL: 3 * time.Minute, Idle: 24 * time.Hour, Seen: 8 * 24 * time.Hour,
		Desk: d.Desk, Limits: flows.Limits{NumbersHour: 3, NumbersDay: 10, MessagesMinute: 100},
		Erasing: func(string) flows.Erasing { return flows.StaysHere },
	})
	if err != nil {
		t.Fatal(err)
	}
	d.calls, err = runner.New(runner.Options{
		Name: "one", Conversations: s.Conversations, Unlocks: s.Unlocks, Processes: s.Processes, Engine: engine, Reserve: links.Reserve, Now: s.Now,
		Open: func(conv, sealed string) (string, error) { return flows.OpenReply(vault, conv, sealed) }, Log: w.log(),
		Keepers: runnertest.Keepers(
			runner.KeeperOf(func(ctx context.Context, _ bot.Promise, what bot.KeepCase) (runner.Effects, error) {
				return runner.Effects{}, s.Desk.KeepCase(ctx, what.Conv, *what.Handoff)
			}),
			runner.KeeperOf(func(ctx context.Context, _ bot.Promise, what bot.KeepLines) (runner.Effects, error) {
				return runner.Effects{}, s.Desk.KeepLines(ctx, what.Conv, what.Ref, what.Lines)
			}),
		),
	})
	if err != nil {
		t.Fatal(err)
	}
	d.calls.Bind("telegram", mute{})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := d.calls.Stop(ctx); err != nil {
			t.Errorf("stop the runner: %v", err)
		}
	})

	d.open(talk.Options{StateName: func(s bot.State) string { return string(s) }})
	return d
}

// meanings are what people's words come to, as agents call it.
var meanings = []supervisor.Meaning{{Name: "cost", Title: "Cuánto cuesta"}, {Name: "not_arrived", Title: "No le llega"}}

func titleOf(meaning string) string {
	for _, m := range meanings {
		if m.Name == meaning {
			return m.Title
		}
	}
	return meaning
}

// open serves a console.
func (d *Desk) open(o talk.Options, change ...func(*console.Options)) (room *talk.Room) {
	d.T.Helper()
	d.serve("http", func(kit *web.Kit, mux *http.ServeMux) error {
		frame := console.Options{Kit: kit, Desk: d.Desk, Agents: d.Agents, Log: d.log()}
		for _, f := range change {
			f(&frame)
		}
		c, err := console.New(frame)
		if err != nil {
			return err
		}
		o.Asks, o.Hushed, o.MeaningName = []string{"persona"}, d.Desk.Paused, titleOf
		if room, err = talk.New(c, o); err != nil {
			return err
		}
		lead, err := supervisor.New(c, supervisor.Options{
			Audit: audited{d.Store.Audit}, StateName: o.StateName, BuiltIn: talk.BuiltIn, Sentences: d.Store.Unheard,
			Meanings: meanings, PlaceName: func(place string) string { return "lugar " + place },
			Procedures: report.Book{Shelf: d.Store.Counts, Zone: d.Desk.Zone},
			Words:      report.Names{Stages: []report.Name{{Key: "started", Words: "Escribieron"}, {Key: "number", Words: "Dieron su número"}}, Reasons: []report.Name{{Key: "silent", Words: "Dejaron de escribir"}}},
		})
		if err != nil {
			return err
		}
		desk, err := counter.New(c, o.StateName)
		if err != nil {
			return err
		}
		c.Routes(mux)
		desk.Routes(mux)
		room.Routes(mux)
		lead.Routes(mux)
		return nil
	})
	return room
}

// Process is one more console over the desk's store, as another process would have one.
type Process struct {
	*Desk
	Talk *talk.Room
}

// Process starts one, in which agents may give a chat back to the bot in two states. [change] may set options of the frame.
func (d *Desk) Process(change ...func(*console.Options)) *Process {
	d.T.Helper()
	site, whole := *d.Site, *d
	whole.Site = &site
	p := &Process{Desk: &whole}
	p.Talk = whole.open(talk.Options{
		StateName: func(s bot.State) string { return "lugar " + string(s) },
		Steps:     []talk.Step{{State: flows.Menu, Label: "El menú"}, {State: flows.KeyStep3, Label: "Paso 3 de 5"}},
	}, change...)
	d.T.Cleanup(p.Talk.Close)
	return p
}

// As is the browser of somebody who has signed in.
func (d *Desk) As(login string) *Browser {
	d.T.Helper()
	b := d.Browser()
	b.SignIn(login, Password).To(d.T, "/agentes")
	return b
}

// Write has a person write to the bot.
func (d *Desk) Write(chat, text string) {
	d.T.Helper()
	d.n++
	err := d.calls.Handle(d.T.Context(), bot.Update{ID: fmt.Sprint(d.n), Channel: "telegram", Chat: chat, Kind: bot.Text, Text: text})
	if err != nil {
		d.T.Fatal(err)
	}
}

// Ask has a person ask for a person of the desk, and returns the case.
func (d *Desk) Ask(chat string) handoff.Case {
	d.T.Helper()
	d.Write(chat, "hola")
	d.Write(chat, "persona")
	return d.CaseOf(chat)
}

// CaseOf is the open case of a chat.
func (d *Desk) CaseOf(chat string) handoff.Case {
	d.T.Helper()
	all, err := d.Desk.Inbox(d.T.Context())
	if err != nil {
		d.T.Fatal(err)
	}
	for _, c := range all {
		if c.Conv == "telegram:"+chat {
			return c
		}
	}
	d.T.Fatalf("chat %s has no open case", chat)
	return handoff.Case{}
}

// Claim gives a case to an agent, whose console is there.
func (d *Desk) Claim(login string, of handoff.Case) {
	d.T.Helper()
	who := handoff.Actor{Login: login, Name: "Persona de Prueba"}
	if err := d.Desk.Beat(d.T.Context(), who, false); err != nil {
		d.T.Fatal(err)
	}
	d.n++
	if err := d.Desk.Claim(d.T.Context(), handoff.Deed{Once: fmt.Sprint(d.n), Ref: of.Ref, Actor: who}); err != nil {
		d.T.Fatal(err)
	}
}

// Keep puts the record of a case into the store as if it had been recorded.
func (d *Desk) Keep(h bot.Handoff) {
	d.T.Helper()
	h.Rev = 1
	if err := d.Store.Desk.KeepCase(d.T.Context(), "telegram:9"+h.Ref, h); err != nil {
		d.T.Fatal(err)
	}
}

// Told lists what the audit holds of a sort, each as who and detail.
func (d *Desk) Told(what string) []string {
	d.T.Helper()
	var all []string
	err := d.Store.Audit.Between(d.T.Context(), time.Time{}, d.Clock.Now().Add(time.Hour), func(e store.AuditEntry) bool {
		if e.What == what {
			all = append(all, e.Who+": "+e.Detail)
		}
		return true
	})
	if err != nil {
		d.T.Fatal(err)
	}
	return all
}

// Present is what is known of an agent's console.
func (d *Desk) Present(login string) handoff.Presence {
	d.T.Helper()
	all, err := d.Store.Desk.Present(d.T.Context())
	if err != nil {
		d.T.Fatal(err)
	}
	for _, p := range all {
		if p.Login == login {
			return p
		}
	}
	return handoff.Presence{}
}

// Find is a case by its number.
func (d *Desk) Find(ref string) handoff.Case {
	d.T.Helper()
	c, err := d.Desk.Find(d.T.Context(), ref)
	if err != nil {
		d.T.Fatal(err)
	}
	return c
}
