package whatsapp

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"llave/bot"
)

const (
	// Window is how long after a person's last message we may write what we like.
	Window = 24 * time.Hour
	// rememberTimeout is for remembering a message that has gone out, even while the program stops.
	rememberTimeout = 5 * time.Second
)

// Send sends one bubble to [chat], in the shape that suits its buttons, with its image where there is a place for one. It
// waits a moment where the rate limit asks for it. An error is always a *bot.SendError:
//
//   - Closed: the person has been silent for more than 24 hours, by the Silence of [r] or by WhatsApp's own clock. The message
//     did not go out and waits for their next one. Where a template is set, it went out instead, once in this silence.
//   - Throttled: not before After has passed. Nothing was sent; while a pause lasts no request is even made. Whole says
//     that a refusal paused the number, not this chat alone. It is false where the queue is too long, since that pauses
//     nobody.
//   - Gone: not on WhatsApp, or not able to read us.
//   - Permanent: WhatsApp will never take this message.
//   - Temporary: network or server trouble, refused tokens or a locked account: the operator can mend those, and the
//     message is still worth sending. A message whose answer was lost may have arrived.
//
// A template that could not go out for now gives its own error (Throttled, Temporary), so that it is tried again. The
// message waits all the same, as with Closed.
func (c *Channel) Send(ctx context.Context, chat string, r bot.Reply) error {
	to, err := c.opt.People.Address(ctx, chat)
	switch {
	case err != nil:
		return c.failed(&bot.SendError{Failure: bot.Temporary, Reason: "look up whom to send to: " + without(err, chat)})
	case to.Empty():
		return c.failed(&bot.SendError{Failure: bot.Permanent, Reason: "nobody is known by that name"})
	}
	if r.Silence > Window {
		return c.failed(c.knock(ctx, chat, to, r.Silence))
	}
	m, err := message(to, r)
	if err != nil {
		return c.failed(&bot.SendError{Failure: bot.Permanent, Reason: err.Error()})
	}
	id, failure := c.deliverShown(ctx, chat, m, r.Image)
	switch {
	case failure == nil:
	case failure.Failure == bot.Closed: // WhatsApp's clock knows better
		return c.failed(c.knock(ctx, chat, to, Window))
	default:
		return c.failed(failure)
	}
	c.opt.Count(CountSent)
	c.remembering.Go(func() { c.remember(ctx, id, chat, to, r) })
	return nil
}

// Delete does nothing: WhatsApp has no way to delete a message that a person wrote. It is not an error, so that nobody
// tries again; the conversation must not promise it here.
func (c *Channel) Delete(context.Context, string, string) error { return nil }

// Merges says that each bubble costs money and is one of the few that a person may get in a while: those that wait
// together should go out as one.
func (c *Channel) Merges() bool { return true }

// deliver sends one message at the pace and returns its id.
func (c *Channel) deliver(ctx context.Context, chat string, m outgoing) (id string, failure *bot.SendError) {
	after, whole, err := c.pace.Enter(ctx, chat)
	switch {
	case err != nil:
		return "", &bot.SendError{Failure: bot.Temporary, Reason: "stopped while waiting for its turn", Err: err}
	case after > 0:
		return "", &bot.SendError{Failure: bot.Throttled, After: after, Whole: whole, Reason: "waits for its turn"}
	}
	var answer struct {
		Messages []struct {
			ID string `json:"id"`
		} `json:"messages"`
	}
	if err := c.client.post(ctx, m, &answer); err != nil {
		return "", c.classify(chat, err)
	}
	if len(answer.Messages) == 0 || answer.Messages[0].ID == "" {
		return "", &bot.SendError{Failure: bot.Temporary, Reason: "messages: the answer names no message"}
	}
	c.pace.taken()
	c.client.account.Well()
	return answer.Messages[0].ID, nil
}

// classify says what a failed call means for the message, and does what the refusal asks for.
func (c *Channel) classify(chat string, err error) *bot.SendError {
	var refused *apiError
	if !errors.As(err, &refused) {
		return &bot.SendError{Failure: bot.Temporary, Reason: "the Graph API did not answer", Err: err}
	}
	m := refused.meaning()
	out := &bot.SendError{Failure: m.failure, Reason: refused.Error()}
	switch m.remedy {
	case nextToken: // there is none
		out.Err = errNoToken
	case operator:
		c.client.account.Ill(fmt.Sprintf("it refuses the account or the number (%d): see WhatsApp Manager", refused.code))
		c.log.Error("whatsapp account refused: mend it in WhatsApp Manager", "err", refused)
	case pauseChat:
		out.After = c.pace.refused(chat, refused.after)
	case pauseAll:
		out.After, out.Whole = c.pace.refusedAll(refused.after), true
	}
	return out
}

// knock is for a person whose window is closed: where a template is set it goes out, once in a silence, and asks them to
// write. It returns what that means for the message behind it.
func (c *Channel) knock(ctx context.Context, chat string, to Names, silence time.Duration) *bot.SendError {
	closed := &bot.SendError{Failure: bot.Closed, Reason: "more than 24 hours since the person wrote"}
	now := c.now()
	if c.opt.Template == "" || !c.knocks.first(chat, now, silence) {
		return closed
	}
	_, failure := c.deliver(ctx, chat, templateMessage(to, c.opt.Template))
	switch {
	case failure == nil:
		c.opt.Count(CountSent)
		c.opt.Count(CountTemplate)
	case failure.Failure == bot.Permanent, failure.Failure == bot.Closed: // it would not go out the next time either
		c.log.Error("whatsapp template refused: check LLAVE_WHATSAPP_TEMPLATE", "err", failure)
	default:
		c.knocks.undo(chat)
		return failure
	}
	return closed
}

// remember tells Deliveries what has gone out, so that its statuses find their way back. Send does not wait for it: the sooner
// the message is marked as sent, the fewer a crash repeats. What a crash leaves unremembered will only be missed if that very
// message also fails later. The message cannot be called back, so a failure is only logged.
func (c *Channel) remember(ctx context.Context, id, chat string, to Names, r bot.Reply) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rememberTimeout)
	defer cancel()
	overtaken, err := c.opt.Deliveries.Sent(ctx, id, chat, r)
	if err != nil {
		c.log.Error("a sent message could not be noted, its statuses will be lost", "err", without(err, id, chat, to.Phone, to.UserID))
		return
	}
	if overtaken == nil {
		return
	}
	if err := c.undelivered(ctx, id, chat, *overtaken, c.now()); err != nil {
		c.log.Error("that a message failed could not be told to its conversation", "err", without(err, id, chat, to.Phone, to.UserID))
	}
}

func (c *Channel) failed(err *bot.SendError) error {
	c.opt.Count(map[bot.Failure]string{
		bot.Temporary: CountTemporary, bot.Throttled: CountThrottled, bot.Gone: CountGone, bot.Permanent: CountPermanent, bot.Closed: CountClosed,
	}[err.Failure])
	return err
}

// knocksKept is how many chats each half of knocks holds.
const knocksKept = 5000

// knocks remembers to whom the template was sent, so that it goes out once in a silence. It is kept in this process's
// memory and holds the last five to ten thousand people. After a restart, from another process, or behind that many others,
// a person still silent may get the template once more when there is something new to tell them. Each costs money but does
// no harm; being exact would cost a write a message.
type knocks struct {
	mu         sync.Mutex
	young, old map[string]time.Time
}

// first says whether [chat] has not been sent the template in this silence, and remembers that it is now.
func (k *knocks) first(chat string, now time.Time, silence time.Duration) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	last, ok := k.young[chat]
	if !ok {
		last, ok = k.old[chat]
	}
	if ok && last.After(now.Add(-silence)) {
		return false
	}
	if len(k.young) >= knocksKept {
		k.old, k.young = k.young, nil
	}
	if k.young == nil {
		k.young = map[string]time.Time{}
	}
	k.young[chat] = now
	return true
}

// undo forgets a template that did not go out.
func (k *knocks) undo(chat string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.young, chat)
	delete(k.old, chat)
}
