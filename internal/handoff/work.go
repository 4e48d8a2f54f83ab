package handoff

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"llave/bot"
)

// Claim gives a conversation to an agent. Of several who claim it at the same moment one gets it; the others are told who, in
// a *TakenError.
// ErrEnough when the agent has as many as one may.
func (d *Desk) Claim(ctx context.Context, deed Deed) error {
	if err := d.mayTake(ctx, deed); err != nil {
		return err
	}
	_, out, err := d.act(ctx, deed, bot.DeskAct{Do: bot.DeskClaim}, "")
	if err == nil && !out.Repeat {
		return nil
	}
	if err != nil && !errors.Is(err, ErrNotYours) {
		return err
	}
	c, found, ferr := d.Store.FindCase(ctx, deed.Ref)
	switch {
	case ferr != nil:
		return fmt.Errorf("find case: %w", ferr)
	case !found || !c.Handoff.Open():
		return ErrNoCase
	case c.Handoff.Agent == deed.Actor.Login:
		return nil
	case c.Handoff.Held():
		return &TakenError{c.Handoff.AgentName}
	}
	return ErrNotYours
}

// Say writes to the person, a long text in several messages. Numbers and addresses in it are masked.
func (d *Desk) Say(ctx context.Context, deed Deed, text string) error {
	if text = strings.TrimSpace(text); text == "" {
		return nil
	}
	return d.write(ctx, deed, bot.DeskAct{Do: bot.DeskSay}, text)
}

// write sends a text as its parts, or keeps them as notes, each once; then it is no draft any more.
func (d *Desk) write(ctx context.Context, deed Deed, act bot.DeskAct, text string) error {
	once := deed.Once
	for i, part := range Parts(text) {
		if i > 0 {
			deed.Once, act.Names = fmt.Sprintf("%s-%d", once, i), nil
		}
		if _, _, err := d.act(ctx, deed, act, part); err != nil {
			return err
		}
	}
	return d.sent(ctx, deed.Actor, deed.Ref, text, act.Do == bot.DeskNote)
}

// Note keeps a note for colleagues. Those whom it names, as @login or @Name, may read the case while it is open, and answer in a note.
func (d *Desk) Note(ctx context.Context, deed Deed, text string) error {
	if text = strings.TrimSpace(text); text == "" {
		return nil
	}
	names, err := d.namedIn(ctx, text)
	if err != nil {
		return err
	}
	return d.write(ctx, deed, bot.DeskAct{Do: bot.DeskNote, Names: names}, text)
}

// Pass gives a conversation to a colleague who is there, with a note that may be empty.
func (d *Desk) Pass(ctx context.Context, deed Deed, to, note string) error {
	name, known, err := d.Known(ctx, to)
	if err != nil {
		return fmt.Errorf("find colleague: %w", err)
	}
	here, err := d.here(ctx, to)
	if err != nil {
		return err
	}
	if !known || !here {
		return ErrNotHere
	}
	if room, err := d.room(ctx, to, deed.Ref); err != nil {
		return err
	} else if !room {
		return ErrNoRoom
	}
	_, _, err = d.act(ctx, deed, bot.DeskAct{Do: bot.DeskPass, To: to, ToName: name}, strings.TrimSpace(note))
	return err
}

// Release puts a conversation back into the queue.
func (d *Desk) Release(ctx context.Context, deed Deed) error {
	_, _, err := d.act(ctx, deed, bot.DeskAct{Do: bot.DeskRelease}, "")
	return err
}

// Return gives a conversation back to the bot, at a step that it offers.
func (d *Desk) Return(ctx context.Context, deed Deed, step bot.State) error {
	_, _, err := d.act(ctx, deed, bot.DeskAct{Do: bot.DeskReturn, State: step}, "")
	return err
}

// Resolve closes a case for one of Reasons. The person is asked how they were helped.
func (d *Desk) Resolve(ctx context.Context, deed Deed, reason string) error {
	return d.ResolveSaying(ctx, deed, reason, "")
}

// ResolveSaying is Resolve with the agent's own words about how it ended, which stand in the transcript as a note.
func (d *Desk) ResolveSaying(ctx context.Context, deed Deed, reason, words string) error {
	if !slices.Contains(Reasons, reason) {
		return fmt.Errorf("resolve: %q is no reason", reason)
	}
	_, _, err := d.act(ctx, deed, bot.DeskAct{Do: bot.DeskResolve, Reason: reason}, strings.TrimSpace(words))
	if err == nil {
		err = d.dropDraft(ctx, deed.Actor, deed.Ref)
	}
	return err
}

// SendLink has the link of the conversation's record mailed again, within the record's limits: ErrNoNumber and ErrRefused
// say why not. Whether a letter goes out is the record's to say, and not told to anybody in the chat.
func (d *Desk) SendLink(ctx context.Context, deed Deed) error {
	_, _, err := d.act(ctx, deed, bot.DeskAct{Do: bot.DeskLink}, "")
	if errors.Is(err, ErrRefused) {
		err = errors.Join(err, d.writeDown(ctx, deed, AuditLimit))
	}
	return err
}

// Office tells the person the in-person route.
func (d *Desk) Office(ctx context.Context, deed Deed) error {
	_, _, err := d.act(ctx, deed, bot.DeskAct{Do: bot.DeskOffice}, "")
	return err
}

// Reveal returns the whole number of a conversation that the actor has, or any supervisor. It is written down first.
func (d *Desk) Reveal(ctx context.Context, deed Deed) (string, error) {
	c, err := d.allowed(ctx, deed)
	if err != nil {
		return "", err
	}
	number, err := d.Number(c)
	if err != nil {
		return "", fmt.Errorf("open number: %w", err)
	}
	if number == "" {
		return "", ErrNoNumber
	}
	if err := d.writeDownShown(ctx, deed, AuditReveal); err != nil {
		return "", err
	}
	return number, nil
}

// Why says what stands in the record, for one who has the conversation. It is written down first.
func (d *Desk) Why(ctx context.Context, deed Deed) (Finding, error) {
	c, err := d.allowed(ctx, deed)
	if err != nil {
		return Finding{}, err
	}
	number, err := d.Number(c)
	if err != nil {
		return Finding{}, fmt.Errorf("open number: %w", err)
	}
	if number == "" {
		return Finding{}, ErrNoNumber
	}
	if err := d.writeDownShown(ctx, deed, AuditWhy); err != nil {
		return Finding{}, err
	}
	return d.Look(ctx, number)
}

// What is written down of the desk.
const (
	AuditReveal       = "case_reveal"
	AuditWhy          = "case_why"
	AuditExport       = "case_export"
	AuditHours        = "desk_hours"
	AuditNotice       = "notice_closed"
	AuditRead         = "case_read"
	AuditSearch       = "desk_search"
	AuditCounter      = "case_counter"       // looked up at a counter, by its number
	AuditCounterWrong = "case_counter_wrong" // a number of no case was typed there
	AuditLimit        = "case_limit"         // a link was not sent for the record's limits
)

// writeDown appends an audit entry of a deed. The browser chooses Once, so the id says of which case it is too: else the same one for
// another case would not be written down.
func (d *Desk) writeDown(ctx context.Context, deed Deed, what string) error {
	if err := d.Audit(ctx, what+"/"+deed.Actor.Login+"/"+deed.Ref+"/"+deed.Once, deed.Actor.Login, what, deed.Ref); err != nil {
		return fmt.Errorf("write down %s: %w", what, err)
	}
	return nil
}

// writeDownShown is writeDown for what is shown anew each time that it is asked for: the same deed is the same within an hour alone.
func (d *Desk) writeDownShown(ctx context.Context, deed Deed, what string) error {
	hour, err := d.hourNow(ctx)
	if err != nil {
		return err
	}
	deed.Once += "/" + hour
	return d.writeDown(ctx, deed, what)
}

// allowed returns the conversation of a case that the actor has, or any open one for a supervisor.
func (d *Desk) allowed(ctx context.Context, deed Deed) (bot.Conversation, error) {
	c, found, err := d.Store.FindCase(ctx, deed.Ref)
	switch {
	case err != nil:
		return c, fmt.Errorf("find case: %w", err)
	case !found || !c.Handoff.Open():
		return c, ErrNoCase
	case c.Handoff.Agent != deed.Actor.Login && !deed.Actor.Supervisor:
		return c, ErrNotYours
	}
	return c, nil
}

// putOffEvery is by how much, as a part of the silence, typing puts off its end at least: not every key is a write.
const putOffEvery = 20

// Type shows the person that the agent who has the conversation is writing, where the channel can, and counts as an answer for as long
// again as the agent may be silent at most (P765). What is written for colleagues, a note, counts too, and is not shown.
func (d *Desk) Type(ctx context.Context, deed Deed, note bool) error {
	c, err := d.allowed(ctx, deed)
	if err != nil || c.Handoff.Agent != deed.Actor.Login {
		return err
	}
	if !note {
		d.Typing(ctx, c.ID)
	}
	now, err := d.Now(ctx)
	if err != nil {
		return fmt.Errorf("read the store's clock: %w", err)
	}
	end, runs := c.TimerAt(bot.SignalAgentSilent)
	h := c.Handoff
	if !runs || now.Add(d.Silence-d.Silence/putOffEvery).Before(end) || !h.Patience.IsZero() && !end.Before(h.Patience) {
		return nil
	}
	deed.Once = fmt.Sprintf("type-%d", end.UnixMilli())
	_, _, err = d.act(ctx, deed, bot.DeskAct{Do: bot.DeskType}, "")
	return err
}

// Beat says that an agent's console is there. Away: it is, but takes no new conversation for now.
func (d *Desk) Beat(ctx context.Context, who Actor, away bool) error {
	now, err := d.Now(ctx)
	if err != nil {
		return fmt.Errorf("read the store's clock: %w", err)
	}
	return d.Store.Beat(ctx, Presence{Login: who.Login, Name: who.Name, Speaks: who.Speaks, At: now, Away: away})
}

// Gone says that an agent's console is not there any more, and frees what the agent has: signed out, or thrown out.
func (d *Desk) Gone(ctx context.Context, login string) error {
	if err := d.Store.Beat(ctx, Presence{Login: login}); err != nil {
		return err
	}
	held, err := d.Store.Queue(ctx, QueueHeld+login+"/", everything)
	if err != nil {
		return fmt.Errorf("find what the agent has: %w", err)
	}
	var problems []error
	for _, c := range held {
		if !c.IsPostponed() {
			problems = append(problems, d.free(ctx, c))
		}
	}
	return errors.Join(problems...)
}

// Colleagues are the agents who are there.
func (d *Desk) Colleagues(ctx context.Context) ([]Presence, error) {
	now, err := d.Now(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the store's clock: %w", err)
	}
	all, err := d.Store.Present(ctx)
	if err != nil {
		return nil, fmt.Errorf("find who is there: %w", err)
	}
	return slices.DeleteFunc(all, func(p Presence) bool { return !p.Here(now) }), nil
}

// Staffed says whether anybody is at the desk now who takes conversations: who is on a break does not (P761).
func (d *Desk) Staffed(ctx context.Context) (bool, error) {
	all, err := d.Colleagues(ctx)
	return slices.ContainsFunc(all, func(p Presence) bool { return !p.Away }), err
}

func (d *Desk) here(ctx context.Context, login string) (bool, error) {
	all, err := d.Colleagues(ctx)
	return slices.ContainsFunc(all, func(p Presence) bool { return p.Login == login }), err
}
