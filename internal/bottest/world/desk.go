package world

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"llave/bot"
	"llave/internal/agent"
	"llave/internal/handoff"
)

// The desk of a dialogue. Agents are made when they are first named, and their consoles are there, by the world's clock,
// until somebody "is gone"; what they do goes through the process's own desk, as the console's pages have it.

// Agent returns an agent of the desk whose console is there from now on; people are told the login with a capital.
func (w *World) Agent(login string, supervisor bool) handoff.Actor {
	w.t.Helper()
	if who, known := w.agents[login]; known {
		w.present[login] = true
		return who
	}
	who := handoff.Actor{Login: login, Name: strings.ToUpper(login[:1]) + login[1:], Supervisor: supervisor}
	account := agent.Agent{Login: who.Login, Name: who.Name, Role: agent.Member, Made: w.Now()}
	if supervisor {
		account.Role = agent.Supervisor
	}
	if err := w.App.Store.Agents.Save(w.t.Context(), &account); err != nil {
		w.t.Fatalf("agent %s: %v", login, err)
	}
	w.agents[login], w.present[login] = who, true
	w.beat(w.t.Context())
	return who
}

// Vanish has an agent's console say nothing any more.
func (w *World) Vanish(login string) { w.present[login] = false }

// beat says for every console that is there that it is.
func (w *World) beat(ctx context.Context) {
	w.t.Helper()
	for login, here := range w.present {
		if !here {
			continue
		}
		if err := w.App.Desk.Beat(ctx, w.agents[login], w.paused[login]); err != nil {
			w.t.Fatalf("beat: %v", err)
		}
	}
}

// Case returns the case of a chat on the world's channel as it is kept, or nil.
func (w *World) Case(chat int64) *bot.Handoff {
	w.t.Helper()
	c, _ := w.kept(chat)
	return c.Handoff
}

// others is the first of the chats of other people.
const others = Chat + 1000

// othersAsk has so many people who are not in the queue yet ask for a person, older ones step by step after difficulties.
func (p *player) othersAsk(n int, older bool) {
	for range n {
		chat := others + int64(p.others)
		p.others++
		said := []string{"hola", "persona"}
		if older { // and it is hard for them: they are not understood twice
			said = []string{"paso a paso", "zqx bdf", "zqx ghj", "persona"}
		}
		for _, words := range said {
			p.w.DoIn(chat, func() error { p.w.Phone.Say(chat, words); return nil })
		}
	}
}

// desk plays a line of the desk.
func (p *player) desk(line string) {
	what := strings.TrimPrefix(line, "* ")
	ctx := p.t.Context()
	p.w.offset.Add(int64(turnTakes))
	var err error
	switch what {
	case "desk closes now":
		err = p.schedule(ctx, func(s *handoff.Schedule) error { return s.Close("eva", p.w.Now(), time.Time{}, "") })
	case "desk opens again":
		err = p.schedule(ctx, func(s *handoff.Schedule) error { s.Reopen(); return nil })
	default:
		login, deed, _ := strings.Cut(what, " ")
		if who, says := strings.CutSuffix(login, ":"); says {
			login, deed = who, "says: "+deed
		}
		err = p.deed(ctx, login, deed)
	}
	if err != nil {
		p.print("@ desk refuses: " + refusal(err))
	}
	p.w.Settle()
}

func (p *player) schedule(ctx context.Context, change func(*handoff.Schedule) error) error {
	s, err := p.w.App.Store.Schedule.Load(ctx)
	if err != nil {
		return err
	}
	if err = change(&s); err != nil {
		return err
	}
	return p.w.App.Store.Schedule.Save(ctx, &s)
}

// deed is one thing an agent does to the case of the dialogue's own chat.
func (p *player) deed(ctx context.Context, login, what string) error {
	if p.w.agents[login].Login != "" && !p.w.present[login] && what != "is here" {
		p.t.Fatalf("%s is gone and cannot do anything: say \"* %s is here\" first", login, login)
	}
	who, desk := p.w.Agent(login, p.supervisors[login]), p.w.App.Desk
	p.deeds++
	deed := handoff.Deed{Once: strconv.Itoa(p.deeds), Actor: who}
	if h := p.w.Case(Chat); h != nil {
		deed.Ref = h.Ref
	}
	what, words, _ := strings.Cut(what, ": ") // a clock has no blank behind its colon
	to, passes := strings.CutPrefix(what, "passes it to ")
	step, returns := strings.CutPrefix(what, "gives it back at ")
	until, postpones := strings.CutPrefix(what, "postpones it until ")
	switch {
	case what == "is here":
		return nil
	case what == "is gone":
		p.w.Vanish(login)
		return nil
	case what == "goes on a break", what == "is back":
		p.w.paused[login] = what == "goes on a break"
		return nil
	case what == "signs out":
		p.w.Vanish(login)
		return desk.Gone(ctx, login)
	case what == "takes the case":
		p.watched = deed.Ref
		return desk.Claim(ctx, deed)
	case what == "takes the next":
		return p.takeNext(ctx, deed)
	case what == "says":
		return desk.Say(ctx, deed, words)
	case what == "notes":
		return desk.Note(ctx, deed, words)
	case passes:
		return desk.Pass(ctx, deed, to, words)
	case what == "releases it":
		return desk.Release(ctx, deed)
	case returns:
		return desk.Return(ctx, deed, bot.State(step))
	case what == "is typing":
		return desk.Type(ctx, deed, false)
	case what == "resolves it":
		reason, why, _ := strings.Cut(words, ", ")
		return desk.ResolveSaying(ctx, deed, reason, why)
	case postpones:
		return p.postpone(ctx, deed, until)
	case what == "goes on":
		return desk.Resume(ctx, deed)
	case strings.HasPrefix(what, "says at "), strings.HasPrefix(what, "postpones and says at "):
		_, at, _ := strings.Cut(what, "says at ")
		return desk.SayLater(ctx, deed, words, beginning(p.t, at), strings.HasPrefix(what, "postpones"))
	case what == "takes back what is said later":
		return desk.Unsay(ctx, deed)
	case what == "sends the link":
		return desk.SendLink(ctx, deed)
	case what == "tells the offices":
		return desk.Office(ctx, deed)
	case what == "reveals the number":
		number, err := desk.Reveal(ctx, deed)
		if err == nil {
			p.print("@ desk number: " + number)
		}
		return err
	case what == "asks why":
		f, err := desk.Why(ctx, deed)
		if err == nil {
			p.print(fmt.Sprintf("@ desk record: known %t, status %s, updated %t, mail %t, eligible %t", f.Known, f.Status, f.Updated, f.Mail, f.Eligible))
		}
		return err
	}
	p.t.Fatalf("desk: unknown deed %q", what)
	return nil
}

// postpone puts the case off: until "an answer", "the opening", or a moment at the desk.
func (p *player) postpone(ctx context.Context, deed handoff.Deed, until string) error {
	switch until {
	case "an answer":
		return p.w.App.Desk.Postpone(ctx, deed, bot.UntilAnswer, time.Time{})
	case "the opening":
		return p.w.App.Desk.Postpone(ctx, deed, bot.UntilOpening, time.Time{})
	}
	return p.w.App.Desk.Postpone(ctx, deed, bot.UntilTime, beginning(p.t, until))
}

// takeNext takes whoever stands first in the queue.
func (p *player) takeNext(ctx context.Context, deed handoff.Deed) error {
	cases, err := p.w.App.Desk.Inbox(ctx)
	if err != nil {
		return err
	}
	next := slices.IndexFunc(cases, func(c handoff.Case) bool { return c.Waiting() })
	if next < 0 {
		return handoff.ErrNoCase
	}
	if deed.Ref == cases[next].Ref {
		p.watched = deed.Ref
	}
	deed.Ref = cases[next].Ref
	return p.w.App.Desk.Claim(ctx, deed)
}

// refusal is why the desk did nothing, in a few words.
func refusal(err error) string {
	var taken *handoff.TakenError
	if errors.As(err, &taken) {
		return "taken by " + taken.Name
	}
	for _, known := range []error{handoff.ErrNoCase, handoff.ErrNotYours, handoff.ErrNoNumber, handoff.ErrNotHere, handoff.ErrRefused, handoff.ErrNotThen} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return err.Error()
}

// deskSaw writes down what has come into the case for its agents, who see it from the first taking on: what the person
// wrote, notes, and what happened. The bot's and the agents' own words are the bubbles that came.
func (p *player) deskSaw() {
	if p.watched == "" {
		return
	}
	lines, err := p.w.App.Desk.Lines(p.t.Context(), p.watched, p.lines[p.watched])
	if err != nil {
		p.t.Fatalf("lines: %v", err)
	}
	for _, l := range lines {
		p.lines[p.watched] = l.Seq
		text := p.same(strings.ReplaceAll(l.Text, "\n", " "))
		switch l.From {
		case bot.FromPerson:
			p.print("@ desk person: " + text)
		case bot.FromNote:
			p.print("@ desk note of " + l.By + ": " + text)
		case bot.FromEvent:
			p.print("@ desk event: " + strings.TrimSpace(text+" "+l.By))
		}
	}
}
