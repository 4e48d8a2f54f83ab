package handoff_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"llave/bot"
	"llave/flows"
	"llave/internal/affiliate"
	"llave/internal/handoff"
	"llave/internal/runner"
	"llave/internal/runner/runnertest"
	"llave/internal/secret"
	"llave/internal/store"
	"llave/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A record that may use the virtual route.
const known = "1710034065"

// oneRecord knows that number and no other.
type oneRecord struct{}

func (oneRecord) Find(_ context.Context, number string) (affiliate.Record, bool, error) {
	if number != known {
		return affiliate.Record{}, false, nil
	}
	return affiliate.Record{ID: number, Email: "ana@correo.example", Status: affiliate.Locked, DataUpdatedAt: time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC)}, true, nil
}

// deskPair is one store, as two processes have it: each has a runner and a desk of its own.
type deskPair struct {
	t       testing.TB
	engine  *counted
	store   *store.Store
	clock   *storetest.Clock
	wire    *wire
	written *written
	runners [2]*runner.Runner
	desks   [2]*handoff.Desk
	close   func()

	mu     sync.Mutex
	audit  map[string]string // what was written down, by id
	unsent bool              // the record has had its mails
}

// newDeskPair begins on a Monday morning. The desk is open but on national days of rest and while it is closed by hand.
func newDeskPair(t testing.TB) *deskPair {
	t.Helper()
	dp := &deskPair{
		t: t, clock: storetest.NewClock(time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)), wire: &wire{}, audit: map[string]string{},
	}
	dp.engine = &counted{Engine: storetest.Bolt(t, dp.clock.Now)}
	dp.store = store.New(dp.engine)
	dp.written = &written{ConversationTable: dp.store.Conversations}
	v, err := secret.New(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	hours, err := handoff.ParseHours("mon-sun 00:00-24:00")
	if err != nil {
		t.Fatal(err)
	}
	for i := range dp.desks {
		dp.desks[i] = handoff.NewDesk(handoff.Options{
			Store: dp.store.Desk, Schedules: dp.store.Schedule, Hours: hours, Zone: time.UTC, Now: dp.store.Now,
			Answer: func(ctx context.Context, u bot.Update) (bot.Outcome, error) { return dp.runners[i].Answer(ctx, u) },
			Number: func(c bot.Conversation) (string, error) { return flows.Number(v, c) },
			Look: func(_ context.Context, number string) (handoff.Finding, error) {
				return handoff.Finding{Known: number == known}, nil
			},
			Audit: func(_ context.Context, id, who, what, detail string) error {
				dp.mu.Lock()
				defer dp.mu.Unlock()
				dp.audit[id] = who + " " + what + " " + detail
				return nil
			},
			Mark:   func(string) string { return "mark" },
			Typing: func(context.Context, string) {}, Discreet: flows.Discreet, Noted: flows.Noted, Silence: flows.DefaultSilence,
			Known: func(_ context.Context, login string) (string, bool, error) {
				return name(login), login != "nobody", nil
			},
		})
		flow, err := flows.New(flows.Options{
			Records: oneRecord{}, Vault: v, PublicURL: "http://localhost", LinkTTL: 3 * time.Minute, Desk: dp.desks[i],
			Limits: flows.Limits{NumbersHour: 3, NumbersDay: 10, MessagesMinute: 1000}, Idle: 24 * time.Hour, Seen: 192 * time.Hour,
			Erasing: func(string) flows.Erasing { return flows.Deleted },
		})
		if err != nil {
			t.Fatal(err)
		}
		dp.runners[i], err = runner.New(runner.Options{
			Name: "process " + strconv.Itoa(i), Conversations: dp.written, Unlocks: dp.store.Unlocks, Processes: dp.store.Processes, Engine: flow, Now: dp.store.Now,
			Reserve: dp.reserve, Open: func(conv, sealed string) (string, error) { return flows.OpenReply(v, conv, sealed) }, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
			Keepers: runnertest.Keepers(
				runner.KeeperOf(func(ctx context.Context, _ bot.Promise, what bot.KeepCase) (runner.Effects, error) {
					return runner.Effects{}, dp.store.Desk.KeepCase(ctx, what.Conv, *what.Handoff)
				}),
				runner.KeeperOf(func(ctx context.Context, _ bot.Promise, what bot.KeepLines) (runner.Effects, error) {
					return runner.Effects{}, dp.store.Desk.KeepLines(ctx, what.Conv, what.Ref, what.Lines)
				}),
				runner.KeeperOf(func(ctx context.Context, _ bot.Promise, what bot.EraseChat) (runner.Effects, error) {
					return runner.Effects{}, dp.store.Desk.EraseLines(ctx, what.Conv)
				}),
			),
		})
		if err != nil {
			t.Fatal(err)
		}
		dp.runners[i].Bind("telegram", dp.wire)
	}
	dp.close = sync.OnceFunc(func() {
		dp.wire.release()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		for _, r := range dp.runners {
			if err := r.Stop(ctx); err != nil {
				t.Errorf("stop: %v", err)
			}
		}
	})
	t.Cleanup(dp.close)
	return dp
}

// name is what people are told an agent is called.
func name(login string) string { return "Agente " + login }

func (dp *deskPair) reserve(_ context.Context, a bot.Ask) (bot.Reservation, error) {
	dp.mu.Lock()
	defer dp.mu.Unlock()
	now := dp.clock.Now()
	return bot.Reservation{Granted: !dp.unsent, Attempt: "a/" + a.Conv, Ends: now.Add(10 * time.Minute), RetryAt: now.Add(time.Minute)}, nil
}

func (dp *deskPair) must(err error) {
	dp.t.Helper()
	if err != nil {
		dp.t.Fatal(err)
	}
}

// settle waits until nothing is being answered or kept, but for a bubble that is held up on its way.
func (dp *deskPair) settle(ctx context.Context) error {
	for {
		idle := true
		for _, r := range dp.runners {
			short, cancel := context.WithTimeout(ctx, time.Millisecond)
			idle = r.Idle(short) == nil && idle
			cancel()
		}
		if idle || dp.wire.isHeld() || ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// later moves the clock and has both processes do what is due.
func (dp *deskPair) later(ctx context.Context, d time.Duration, here ...string) error {
	dp.clock.Advance(d)
	for _, login := range here {
		if err := dp.desks[0].Beat(ctx, actor(login), false); err != nil {
			return err
		}
	}
	var problems []error
	for _, r := range dp.runners {
		problems = append(problems, r.Sweep(ctx), dp.settle(ctx))
	}
	return errors.Join(problems...)
}

func actor(login string) handoff.Actor {
	return handoff.Actor{Login: login, Name: name(login), Supervisor: login == "sup"}
}

// conv is a conversation as it is kept.
func (dp *deskPair) conv(chat string) (bot.Conversation, error) {
	return dp.store.Conversations.Load(context.Background(), bot.ConversationID("telegram", chat))
}

// says has a person of a chat write, to one of the processes.
func (dp *deskPair) says(process int, chat, id, words string) error {
	_, err := dp.runners[process].Answer(context.Background(), bot.Update{
		ID: id, Channel: "telegram", Chat: chat, MessageID: "m" + id, Kind: bot.Text, Text: words,
	})
	return err
}

// waits has a person of a chat ask for a person, in as many words as it takes, and returns the case.
func (dp *deskPair) waits(chat string) *bot.Handoff {
	dp.t.Helper()
	for i, words := range []string{"hola", "persona"} {
		dp.must(dp.says(0, chat, fmt.Sprint("w", i), words))
	}
	dp.must(dp.settle(dp.t.Context()))
	c, err := dp.conv(chat)
	dp.must(err)
	return c.Handoff
}

// written are the conversations of the store, and every version of one of them that was written since it was asked for.
type written struct {
	*store.ConversationTable
	before   atomic.Pointer[func(c *bot.Conversation)] // a commit, where it is set
	mu       sync.Mutex
	id       string
	versions map[int64]bot.Conversation
}

// follow forgets what was written and follows another conversation.
func (w *written) follow(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.id, w.versions = id, map[int64]bot.Conversation{}
}

// Save stores a conversation.
func (w *written) Save(ctx context.Context, c *bot.Conversation) error {
	if before := w.before.Load(); before != nil {
		(*before)(c)
	}
	if err := w.ConversationTable.Save(ctx, c); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.ID != w.id {
		return nil
	}
	w.versions[c.Version] = c.Clone()
	return nil
}

// history is what was written, in order.
func (w *written) history() []bot.Conversation {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []bot.Conversation
	for v := int64(1); v <= int64(len(w.versions)); v++ {
		all = append(all, w.versions[v])
	}
	return all
}

// wire is where bubbles end. It notes those of one chat, and can be told what becomes of the next ones there.
type wire struct {
	mu    sync.Mutex
	chat  string
	plan  []fate
	sent  []bot.Reply
	gate  chan struct{} // what is held up waits for it
	held  int
	holds bool // something is held up, or was since release
}

// fate is what becomes of a bubble on its way.
type fate string

const (
	arrives   fate = "arrives"
	late      fate = "is held up"
	fails     fate = "fails"
	throttled fate = "is throttled"
	shut      fate = "finds the window closed"
)

// follow forgets what was sent and follows another chat.
func (w *wire) follow(chat string, plan ...fate) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.chat, w.plan, w.sent = chat, plan, nil
}

// release lets go of what is held up.
func (w *wire) release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gate != nil {
		close(w.gate)
	}
	w.gate, w.holds = nil, false
}

func (w *wire) isHeld() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.held > 0 && w.holds
}

// Send sends a bubble, as far as anybody can tell.
func (w *wire) Send(ctx context.Context, chat string, r bot.Reply) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	what := arrives
	if chat == w.chat && len(w.plan) > 0 {
		what, w.plan = w.plan[0], w.plan[1:]
	}
	if what == late {
		if w.gate == nil {
			w.gate = make(chan struct{})
		}
		gate := w.gate
		w.held, w.holds = w.held+1, true
		w.mu.Unlock()
		<-gate
		w.mu.Lock()
		w.held--
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	switch what {
	case fails:
		return &bot.SendError{Failure: bot.Temporary, Reason: "told to"}
	case throttled:
		return &bot.SendError{Failure: bot.Throttled, After: 6 * time.Second}
	case shut:
		return &bot.SendError{Failure: bot.Closed, Reason: "told to"}
	}
	if chat == w.chat {
		w.sent = append(w.sent, r)
	}
	return nil
}

// Delete deletes nothing.
func (w *wire) Delete(context.Context, string, string) error { return nil }

// bubbles is what was sent.
func (w *wire) bubbles() []bot.Reply {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]bot.Reply(nil), w.sent...)
}
