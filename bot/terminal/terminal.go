// Package terminal is the channel of `llave chat`: the conversation in a terminal, or through a pipe.
//
// A typed line is an update. Buttons are printed with their numbers, and typing a number presses its button. Letters are
// printed too, since nobody else shows them there. On a terminal replies appear when they come. Through a pipe the next
// line is read when the reply to the last one has come, and the end waits until no more replies come. So a file of lines
// gives the conversation that a person would have had.
package terminal

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"llave/bot"
)

// Name is the channel's name in updates and conversation ids.
const Name = "terminal"

// Chat is the one chat of the channel.
const Chat = "local"

// Letter is one letter that was sent.
type Letter struct {
	ID      string
	To      string
	Subject string
	Text    string
}

// Options are what the channel needs. In, Out and Handle are required.
type Options struct {
	In  io.Reader
	Out io.Writer
	// Handle answers an update; nil means that its effect is durable.
	Handle func(ctx context.Context, u bot.Update) error
	// Letters lists what was sent, oldest first; nil: no letters are shown. Those that were there when Run began are
	// not shown.
	Letters func() []Letter
	// Settle is how long, through a pipe, to wait for a reply, and for anything more at the end. Zero: 2 seconds.
	Settle time.Duration
}

// Channel is the terminal. Run reads; Send and Delete may be called meanwhile.
type Channel struct {
	options Options
	piped   bool

	mu     sync.Mutex // of Out and what follows
	broken error      // Out takes nothing more
	shown  map[string]bool
	said   chan struct{} // something was printed, or could not be
}

// New makes a channel.
func New(o Options) *Channel {
	if o.Settle == 0 {
		o.Settle = 2 * time.Second
	}
	return &Channel{options: o, piped: !isTerminal(o.In), shown: map[string]bool{}, said: make(chan struct{}, 1)}
}

func isTerminal(r io.Reader) bool {
	f, ok := r.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// Send prints a reply.
func (c *Channel) Send(ctx context.Context, chat string, r bot.Reply) error {
	var b strings.Builder
	b.WriteString("\n" + bot.Clean(r.Text) + "\n")
	for i, button := range r.Buttons {
		b.WriteString("  " + strconv.Itoa(i+1) + ". " + bot.Clean(button.Title))
		if button.URL != "" {
			b.WriteString(" " + button.URL)
		}
		b.WriteString("\n")
	}
	return c.print(b.String())
}

// Delete does nothing: what stands on a terminal stands there.
func (c *Channel) Delete(ctx context.Context, chat, messageID string) error { return nil }

// print writes to Out and tells Run that something came.
func (c *Channel) print(text string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken == nil {
		if !c.piped {
			text = "\r" + text + "\n> "
		}
		_, c.broken = io.WriteString(c.options.Out, text)
	}
	select {
	case c.said <- struct{}{}:
	default: // Run knows already
	}
	if c.broken != nil {
		return &bot.SendError{Failure: bot.Gone, Reason: "terminal is closed", Err: c.broken}
	}
	return nil
}

// Run begins the conversation and takes it on, line by line, until the input ends (nil), [ctx] ends (its error) or the
// output cannot be written. A reader that cannot be interrupted, such as a terminal, keeps its one read waiting then.
func (c *Channel) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	var letters sync.WaitGroup
	defer letters.Wait()
	defer stop()
	if c.options.Letters != nil {
		for _, l := range c.options.Letters() {
			c.shown[l.ID] = true
		}
		letters.Go(func() { c.watchLetters(ctx) })
	}

	lines, failed := c.read(ctx)
	if err := c.turn(ctx, bot.Update{Kind: bot.Start}); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case text, ok := <-lines:
			if !ok {
				c.settle(ctx)
				return <-failed
			}
			if strings.TrimSpace(text) == "" {
				continue
			}
			if err := c.turn(ctx, bot.Update{Kind: bot.Text, Text: text}); err != nil {
				return err
			}
		}
	}
}

// read hands on the lines of the input; [failed] holds why it ended. Lines are cut at 64 KiB.
func (c *Channel) read(ctx context.Context) (lines <-chan string, failed <-chan error) {
	out, end := make(chan string), make(chan error, 1)
	go func() { // waited for by nobody: a read from a terminal cannot be broken off
		defer close(out)
		in := bufio.NewReaderSize(c.options.In, 64<<10)
		for {
			text, more, err := in.ReadLine()
			whole := string(text)
			for more && err == nil {
				_, more, err = in.ReadLine()
			}
			if err != nil && !errors.Is(err, io.EOF) {
				end <- fmt.Errorf("read input: %w", err)
				return
			}
			if err != nil {
				end <- nil
				return
			}
			select {
			case out <- whole:
			case <-ctx.Done():
				end <- nil
				return
			}
		}
	}()
	return out, end
}

// turn hands on one update and, through a pipe, waits for what it causes.
func (c *Channel) turn(ctx context.Context, u bot.Update) error {
	u.ID = "t-" + rand.Text()
	u.Channel, u.Chat, u.MessageID, u.At = Name, Chat, u.ID, time.Now()
	if c.piped {
		select {
		case <-c.said: // of an earlier turn
		default:
		}
	}
	if err := c.options.Handle(ctx, u); err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	if c.piped {
		select {
		case <-c.said:
		case <-time.After(c.options.Settle):
		case <-ctx.Done():
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.broken
}

// settle waits until nothing was printed for a while.
func (c *Channel) settle(ctx context.Context) {
	for {
		select {
		case <-c.said:
		case <-time.After(c.options.Settle):
			return
		case <-ctx.Done():
			return
		}
	}
}

const letterPoll = 100 * time.Millisecond

func (c *Channel) watchLetters(ctx context.Context) {
	ticker := time.NewTicker(letterPoll)
	defer ticker.Stop()
	for {
		for _, l := range c.options.Letters() {
			if c.shown[l.ID] {
				continue
			}
			c.shown[l.ID] = true
			if err := c.print(envelope(l)); err != nil {
				return
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// envelope is a letter between two lines.
func envelope(l Letter) string {
	rule := strings.Repeat("─", 60)
	return fmt.Sprintf("\n%s\n✉ %s\n  %s\n\n%s\n%s\n", rule, bot.Clean(l.To), bot.Clean(l.Subject), strings.TrimSpace(bot.Clean(l.Text)), rule)
}
