// Package intro keeps what a channel shows of the bot before anybody has written to it: what it is, what one can ask for, its
// commands. A channel names the parts and how each is read and written; what is written where is decided here, the same for all.
//
// A part is written only where it is empty, or still is what we wrote there last, which is remembered as a hash. So an operator's
// own words are never written over, a second start writes nothing, and a later version's words take the place of an earlier one's
// (P621).
package intro

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"llave/bot/wire"
)

// Introduction is what the bot says of itself, and the memory of what was said.
type Introduction struct {
	Texts  []Texts // one a language; the first is for everybody whose language has none
	Memory Memory
}

// Texts are what the bot says of itself in a language. A channel takes what it has a place for.
type Texts struct {
	Language    string   // two letters
	Description string   // what it is, in the empty chat
	Short       string   // the same in a line or two
	Prompts     []string // what people ask for
	Commands    []Command
}

// Command is one line of the menu beside the input field.
type Command struct{ Name, Description string }

// Memory remembers, for every process, hashes of what was written of a part lately, the last one first.
type Memory interface {
	Wrote(ctx context.Context, channel, part string) (hashes []string, err error)
	Keep(ctx context.Context, channel, part, hash string) error
}

// Part is something that a channel shows of the bot.
type Part struct {
	Name  string // remembered: under another name it is another part
	Want  string // as Read tells it once it is written
	Under string // the name of an earlier part that is shown where this one is empty; "": none
	Read  func(ctx context.Context) (string, error)
	Write func(ctx context.Context) error
}

// Result is what became of the parts, by their names.
type Result struct {
	Written []string
	Others  []string // somebody else's words stand there, and stay
}

// read is what there is of a part.
type read struct {
	now    string
	wrote  []string // hashes of what we wrote
	ours   bool     // nothing of somebody else's stands there
	failed bool
}

// Once looks at every part, and writes those that are to be written. The error is of parts that could not be read or written; the
// others are done.
func Once(ctx context.Context, channel string, parts []Part, m Memory) (r Result, err error) {
	found := map[string]read{}
	var problems []error
	for _, p := range parts { // all of them first: what is written to one may show in another
		is, err := look(ctx, channel, p, found, m)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", p.Name, err))
		}
		found[p.Name] = is
	}
	for _, p := range parts {
		is := found[p.Name]
		if is.failed {
			continue
		}
		if !is.ours {
			r.Others = append(r.Others, p.Name)
			continue
		}
		wrote, err := write(ctx, channel, p, is, m)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", p.Name, err))
		} else if wrote {
			r.Written = append(r.Written, p.Name)
		}
	}
	return r, errors.Join(problems...)
}

// look reads a part. [before] are the parts before it.
func look(ctx context.Context, channel string, p Part, before map[string]read, m Memory) (is read, err error) {
	if is.now, err = p.Read(ctx); err == nil {
		is.wrote, err = m.Wrote(ctx, channel, p.Name)
	}
	under, shown := before[p.Under]
	if err != nil || under.failed {
		return read{failed: true}, err
	}
	switch {
	case is.now == p.Want, slices.Contains(is.wrote, hash(is.now)):
		is.ours = true
	case is.now == "", shown && is.now == under.now: // nothing stands there: who wrote the other meant it for these people too
		is.ours = !shown || under.ours
	}
	return is, nil
}

// write remembers a part, and writes it where that is not what stands there. In this order: a process that dies between would
// otherwise take its own words for somebody else's.
func write(ctx context.Context, channel string, p Part, is read, m Memory) (wrote bool, err error) {
	if h := hash(p.Want); len(is.wrote) == 0 || is.wrote[0] != h {
		if err := m.Keep(ctx, channel, p.Name, h); err != nil {
			return false, err
		}
	}
	if is.now == p.Want {
		return false, nil
	}
	return true, p.Write(ctx)
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

// How long is waited after parts that could not be read or written.
const (
	firstWait   = 2 * time.Second
	longestWait = time.Hour
)

// Introducer introduces the bot in a channel.
type Introducer struct {
	Channel string
	Parts   []Part
	Memory  Memory
	After   func(error) time.Duration // how long the platform asks to wait after an error
	Over    func(error) bool          // nothing will help
	Log     *slog.Logger
}

// Run does it once, and again with growing waits until it is done or ctx ends. Nobody needs it to work, so the first failure is a
// warning and the others are none.
func (i Introducer) Run(ctx context.Context) {
	told := false
	for wait := firstWait; ; wait = min(4*wait, longestWait) {
		r, err := Once(ctx, i.Channel, i.Parts, i.Memory)
		if ctx.Err() != nil {
			return
		}
		if len(r.Written) > 0 {
			i.Log.Info("the bot was introduced", "parts", r.Written)
		}
		if len(r.Others) > 0 && !told {
			i.Log.Info("what others wrote of the bot stays as it is", "parts", r.Others)
		}
		if err == nil {
			return
		}
		if !told {
			i.Log.Warn("the bot is not introduced everywhere, and goes on without", "error", err)
		}
		told = true
		if i.Over(err) || !wire.Sleep(ctx, max(wait, i.After(err))) {
			return
		}
	}
}
