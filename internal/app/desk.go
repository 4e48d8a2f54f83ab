package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"llave/bot"
	"llave/bot/telegram"
	"llave/bot/webchat"
	"llave/bot/whatsapp"
	"llave/flows"
	"llave/internal/affiliate"
	"llave/internal/agent"
	"llave/internal/handoff"
	"llave/internal/report"
	"llave/internal/runner"
	"llave/internal/store"
	"llave/internal/web"
	"llave/internal/web/console"
	"llave/internal/web/console/alerts"
	"llave/internal/web/console/counter"
	"llave/internal/web/console/supervisor"
	"llave/internal/web/console/talk"
)

// tendEvery is how often the queue is tended: what an agent who is gone had is free for others that long after the minute.
const tendEvery = "@every 5s"

// newDesk is the help desk over the store; the runner, which answers what agents do, is made later.
func (a *App) newDesk() *handoff.Desk {
	return handoff.NewDesk(handoff.Options{
		Store: a.Store.Desk, Schedules: a.Store.Schedule, Hours: a.options.Config.OfficeHours, Zone: a.options.Config.Timezone,
		Target:  a.options.Config.FirstAnswerTarget,
		OpenMax: a.options.Config.AgentOpenMax, Window: func(channel string) time.Duration { return windows[channel] },
		Now:    a.Store.Now,
		Answer: func(ctx context.Context, u bot.Update) (bot.Outcome, error) { return a.Runner.Answer(ctx, u) },
		Number: func(c bot.Conversation) (string, error) { return flows.Number(a.Vault, c) },
		Look:   a.lookUp,
		Audit: func(ctx context.Context, id, who, what, detail string) error {
			now, err := a.Store.Now(ctx)
			if err != nil {
				return fmt.Errorf("read the store's clock: %w", err)
			}
			return a.Store.Audit.Append(ctx, store.AuditEntry{ID: id, At: now, Who: who, What: what, Detail: detail})
		},
		Arrived: func(ctx context.Context, conv, ref string, each func(line int64, status string)) error {
			return a.Store.Deliveries.OfCase(ctx, conv, ref, func(line int64, status string) {
				if status == string(whatsapp.Accepted) {
					status = handoff.ArrivedSent
				}
				each(line, status)
			})
		},
		Reports: func(channel string) bool { return channel == whatsapp.Name },
		Tries: func(ctx context.Context, login string, by int64) (int64, error) {
			n, _, err := a.Store.Counters.Add(ctx, "counter/"+login, by, time.Hour)
			return n, err
		},
		Mark:     func(words string) string { return a.Vault.Hash("search", words)[:12] },
		Typing:   a.showTyping,
		Discreet: flows.Discreet, Noted: flows.Noted, Silence: a.options.Config.AgentSilence,
		Known: func(ctx context.Context, login string) (string, bool, error) {
			who, found, err := a.Store.Agents.Find(ctx, login)
			return who.Name, found && !who.Disabled && who.Role.Includes(agent.Member), err
		},
	})
}

// newConsole makes the desk's pages, and puts them on [mux].
func (a *App) newConsole(kit *web.Kit, mux *http.ServeMux) error {
	cat := a.engine.Languages()[0]
	name := func(s bot.State) string { return cat.Texts[a.engine.Place(s).Ask].Place } // "" where nothing is asked
	var steps []talk.Step
	for _, s := range flows.ReturnSteps {
		steps = append(steps, talk.Step{State: s, Label: name(s)})
	}
	o := console.Options{Kit: kit, Desk: a.Desk, Agents: a.Agents, Log: a.options.Log, Embed: a.options.Demo}
	switch {
	case a.options.Demo && a.onLoopback():
		o.AutoSignIn = a.demoSignIn
	case a.options.Demo:
		o.Word = a.demoWord.signIn(a)
	}
	frame, err := console.New(o)
	if err != nil {
		return err
	}
	names, err := flows.ReadNames()
	if err != nil {
		return err
	}
	var meanings []supervisor.Meaning
	titles := map[string]string{}
	for _, m := range names.Meanings {
		meanings = append(meanings, supervisor.Meaning(m))
		titles[m.Name] = m.Title
	}
	a.talk, err = talk.New(frame, talk.Options{
		Steps: steps, StateName: name, MeaningName: func(meaning string) string { return cmp.Or(titles[meaning], meaning) }, Asks: a.asksPerson(), Hushed: a.hushed,
	})
	if err != nil {
		return err
	}
	words, err := reportNames()
	if err != nil {
		return err
	}
	lead, err := supervisor.New(frame, supervisor.Options{
		Audit: auditLog{a.Store.Audit}, StateName: name, BuiltIn: talk.BuiltIn, Sentences: a.Store.Unheard, Meanings: meanings,
		PlaceName:  func(place string) string { return cmp.Or(names.Places[place], place) },
		Procedures: &report.Cached{Book: a.figures()}, Words: words,
	})
	if err != nil {
		return err
	}
	desk, err := counter.New(frame, name)
	if err != nil {
		return err
	}
	told := alerts.Options{Alerts: a.Alerts}
	if a.options.Config.TelegramToken != "" && !a.options.Demo && a.options.Terminal == nil {
		told.Chat = a.chatURL
	}
	if a.alertsRoom, err = alerts.New(frame, told); err != nil {
		return err
	}
	frame.Routes(mux)
	a.alertsRoom.Routes(mux)
	a.talk.Routes(mux)
	desk.Routes(mux)
	lead.Routes(mux)
	return nil
}

// asksPerson are the words and buttons by which people ask for a person, in every language: they tell an agent nothing.
func (a *App) asksPerson() (all []string) {
	for _, cat := range a.engine.Languages() {
		for _, id := range []string{"agent", "word_person"} {
			all = append(append(all, cat.Labels[id].Title), cat.Labels[id].Words...)
		}
	}
	return all
}

// auditLog reads the audit for the console.
type auditLog struct{ entries *store.AuditLog }

func (l auditLog) Between(ctx context.Context, from, to time.Time, each func(agent.AuditEntry) bool) error {
	return l.entries.Between(ctx, from, to, func(e store.AuditEntry) bool { return each(agent.AuditEntry(e)) })
}

// demoAgent is who sits at the desk of `llave demo`, under a password that lasts as long as the process.
const (
	demoAgent     = "demo"
	demoAgentName = "Agente de prueba"
)

func (a *App) addDemoAgent(ctx context.Context) error {
	if !a.onLoopback() {
		a.demoWord.next(a.options.DemoWord)
	}
	a.demoPassword = rand.Text()
	if _, err := a.Agents.Add(ctx, agent.CommandLine, agent.Newcomer{Login: demoAgent, Name: demoAgentName, Role: agent.Supervisor}, a.demoPassword); err != nil {
		return fmt.Errorf("make the demo's agent: %w", err)
	}
	return nil
}

// demoSignIn lets in whoever opens the demo's desk.
func (a *App) demoSignIn(ctx context.Context) (agent.SignedIn, error) {
	return a.Agents.SignIn(ctx, demoAgent, a.demoPassword, agent.From{Source: demoAgent})
}

// onLoopback says whether the public listener is reached from this machine alone.
func (a *App) onLoopback() bool {
	tcp, ok := a.public.Addr().(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// word opens the desk of a demo that other machines reach, once; then there is another. It is printed where the demo was started.
type word struct {
	mu   sync.Mutex
	text string
}

// next makes another word and has it told.
func (w *word) next(tell func(word string)) {
	w.text = strings.ToLower(rand.Text()[:12]) // 60 bits
	if tell != nil {
		tell(w.text)
	}
}

func (w *word) signIn(a *App) func(ctx context.Context, typed string) (agent.SignedIn, error) {
	return func(ctx context.Context, typed string) (agent.SignedIn, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if typed = bot.Fold(strings.TrimSpace(typed)); w.text == "" || subtle.ConstantTimeCompare([]byte(typed), []byte(w.text)) == 0 {
			return agent.SignedIn{}, agent.ErrWrong
		}
		in, err := a.demoSignIn(ctx)
		if err == nil {
			w.next(a.options.DemoWord)
		}
		return in, err
	}
}

// lookUp says what stands in the record of a number, for somebody at the desk.
func (a *App) lookUp(ctx context.Context, number string) (handoff.Finding, error) {
	r, found, err := a.records().Find(ctx, number) // the agent sees a mailbox that takes no mail as none
	if err != nil {
		return handoff.Finding{}, fmt.Errorf("find record: %w", err)
	}
	held, err := a.Unlock.Held(ctx, affiliate.Hash(a.Vault, number))
	if err != nil {
		return handoff.Finding{}, err
	}
	return handoff.Finding{
		Held: held, Known: found, Status: string(r.Status), Category: string(r.Category), Updated: !r.DataUpdatedAt.IsZero(),
		Mail: affiliate.ValidEmail(r.Email), Eligible: r.Outcome() == affiliate.CanUnlock,
	}, nil
}

// typingFor is how long it may take to say that an agent writes: later it would not be true any more.
const typingFor = 3 * time.Second

// showTyping shows a person that somebody writes to them.
func (a *App) showTyping(ctx context.Context, conv string) {
	ctx, cancel := context.WithTimeout(ctx, typingFor)
	defer cancel()
	channel, name := bot.SplitConversationID(conv)
	chat, err := a.address(ctx, channel, name)
	switch {
	case err != nil || chat == "":
	case channel == telegram.Name && a.telegram != nil:
		a.telegram.Typing(ctx, chat)
	case channel == whatsapp.Name && a.whatsapp != nil:
		c, err := a.Store.Conversations.Load(ctx, conv)
		if err != nil {
			return
		}
		a.whatsapp.Typing(c.LastID)
	case channel == webchat.Name && a.web != nil:
		a.web.Typing(chat)
	}
}

// keepCase keeps a case's record as the conversation has it.
func (a *App) keepCase(ctx context.Context, p bot.Promise, what bot.KeepCase) (runner.Effects, error) {
	if what.Handoff == nil {
		return runner.Effects{}, &bot.SendError{Failure: bot.Permanent, Reason: "a case without its record"}
	}
	if err := a.countCase(ctx, p, *what.Handoff); err != nil {
		return runner.Effects{}, err
	}
	return runner.Effects{}, a.Store.Desk.KeepCase(ctx, what.Conv, *what.Handoff)
}

// keepLines keeps lines of a handed-off chat.
func (a *App) keepLines(ctx context.Context, _ bot.Promise, what bot.KeepLines) (runner.Effects, error) {
	return runner.Effects{}, a.Store.Desk.KeepLines(ctx, what.Conv, what.Ref, what.Lines)
}
