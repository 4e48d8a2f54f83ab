// Package key is the rules that a new key must meet, and the hash that is kept of it.
//
// A key has 8 to 128 characters of any sort, no composition rules, and takes more than 10^8 guesses (zxcvbn's score 3) of
// somebody who knows Spanish and Ecuador: names, places, clubs, dates, rows of keys, what everybody knows by heart. It neither
// is nor holds what anybody can know about its owner: the number, the name, the mail. It is not known to be stolen, where there
// is a list of those. This follows NIST SP 800-63B-4, section 3.1.1. Check returns what is missing. A character that
// belongs to nothing known counts ten guesses, so eight of them make 10^8: in practice the shortest accepted key has nine.
// Tell people to make it longer, not odder: three common words that do not belong together are mostly enough, and four are, those
// that people in Ecuador like best among them. Names and places count for less.
//
// Keys are kept as argon2id with the parameters of OWASP's Password Storage Cheat Sheet (2024): 19 MiB, two passes, one
// lane. A hash takes about 20 ms and 19 MiB, so only two are computed at once: two hundred people who press the button
// together do not take four gigabytes. What strangers may ask for waits its turn in a Queue before that.
package key

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"unicode"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"

	"llave/bot"
)

// Lengths of a key, in characters.
const (
	MinLength = 8
	MaxLength = 128
)

// scored is how many characters of a key are judged: zxcvbn takes time that grows faster than the length, and what
// is strong by then stays so.
const scored = 64

// Problem is something about a key that the person must mend.
type Problem string

// The problems, in the order Check returns them.
const (
	TooShort    Problem = "too_short"
	TooLong     Problem = "too_long"
	HasNumber   Problem = "has_number" // is or holds the owner's number
	HasName     Problem = "has_name"   // is or holds a part of the owner's name
	HasMail     Problem = "has_mail"   // is or holds the owner's mail address, or the part before the @
	Unreadable  Problem = "unreadable" // is not text, or holds control characters
	NotRepeated Problem = "not_repeated"

	// Quickly guessed, by what most of the key is: see [Problem.Easy].
	TooEasy     Problem = "too_easy"     // short, and nothing that is known
	EasyName    Problem = "easy_name"    // of people, pets and kin
	EasyPlace   Problem = "easy_place"   // and clubs, firms
	EasyWord    Problem = "easy_word"    // one or two words
	EasyDate    Problem = "easy_date"    // or a year, a month
	EasyNumber  Problem = "easy_number"  // a telephone, cédula or plate
	EasyKeys    Problem = "easy_keys"    // a row of keys, or 1234
	EasyRepeat  Problem = "easy_repeat"  // the same again
	EasySaying  Problem = "easy_saying"  // a prayer, a song, a saying
	EasyExample Problem = "easy_example" // what our own drawings and texts show
	Stolen      Problem = "stolen"       // among those known to be stolen
)

// Problems are all there are.
func Problems() []Problem {
	return append([]Problem{TooShort, TooLong, HasNumber, HasName, HasMail, Unreadable, NotRepeated, Stolen}, easy...)
}

// easy are the problems of quickly guessed keys.
var easy = []Problem{EasyExample, EasySaying, EasyRepeat, EasyName, EasyPlace, EasyWord, EasyDate, EasyNumber, EasyKeys, TooEasy}

// Easy says whether a key with that problem is quickly guessed.
func (p Problem) Easy() bool { return slices.Contains(easy, p) }

// About is what a key must not be made of.
type About struct {
	Number string
	Name   string
	Email  string
}

// String keeps the owner out of logs.
func (About) String() string { return "[redacted]" }

// GoString keeps the owner out of %#v.
func (About) GoString() string { return "[redacted]" }

// Rules judge keys. The zero value knows of no stolen ones.
type Rules struct {
	Stolen *StolenFile // may be nil
}

// Check is the package's Check, and refuses what is known to be stolen.
func (r Rules) Check(key string, about About) []Problem {
	problems := Check(key, about)
	if len(problems) == 0 && r.Stolen.has(key) {
		problems = []Problem{Stolen}
	}
	return problems
}

// Check returns what is wrong with a key, nothing when it may be used. A key that must change for another reason is
// not called easy besides.
func Check(key string, about About) []Problem {
	if !readable(key) {
		return []Problem{Unreadable}
	}
	var problems []Problem
	switch n := utf8.RuneCountInString(key); {
	case n < MinLength:
		problems = append(problems, TooShort)
	case n > MaxLength:
		problems = append(problems, TooLong)
	}
	folded := squeeze(key)
	for _, w := range about.words() {
		if strings.Contains(folded, w.text) && !slices.Contains(problems, w.problem) {
			problems = append(problems, w.problem)
		}
	}
	if len(problems) == 0 {
		if guesses, kind := judge(key, about); guesses < enough {
			problems = append(problems, kind)
		}
	}
	return problems
}

// word is something the owner is known by, folded.
type word struct {
	text    string
	problem Problem
}

// shortest is the length from which a name or mail counts as contained; "ana" is in "banana".
const shortest = 4

func (a About) words() []word {
	var out []word
	add := func(s string, p Problem) {
		if s = squeeze(s); utf8.RuneCountInString(s) >= shortest {
			out = append(out, word{s, p})
		}
	}
	add(a.Number, HasNumber)
	add(a.Name, HasName)
	for _, part := range strings.Fields(a.Name) {
		add(part, HasName)
	}
	add(a.Email, HasMail)
	local, _, _ := strings.Cut(a.Email, "@")
	add(local, HasMail)
	return out
}

// squeeze is a text without case, accents, spaces and punctuation, so that "Ana.María" is in "anamaria2024".
func squeeze(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, bot.Fold(s))
}

func cut(s string) string {
	if r := []rune(s); len(r) > scored {
		return string(r[:scored])
	}
	return s
}

func readable(key string) bool {
	return utf8.ValidString(key) && !strings.ContainsFunc(key, unicode.IsControl)
}

var params = &argon2id.Params{Memory: 19 * 1024, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// small are of the same cost to whoever guesses, in less memory and more rounds (OWASP's password storage cheat sheet has both): for
// passwords, which strangers may have judged at any time.
var small = &argon2id.Params{Memory: 7 * 1024, Iterations: 5, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// turns is a semaphore with one permit for every hash that may be computed at once, on however many processors.
var turns = make(chan struct{}, 2)

// spare is set by Spare.
var spare atomic.Bool

// Spare has this process give back each hash's memory as soon as it is computed: the collector would let several pile up
// before it looks, and keep as much for later. That takes a collection of the heap each time, so it is for a process that is to
// stay small, whose heap is small then.
func Spare() { spare.Store(true) }

// turn waits for a permit. Whoever is done with it calls [done].
func turn(ctx context.Context) (done func(), err error) {
	select {
	case turns <- struct{}{}:
		return func() {
			if spare.Load() {
				debug.FreeOSMemory()
			}
			<-turns
		}, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Hash returns the key as it is kept: a PHC string with its own salt. It waits for its turn, or for [ctx].
func Hash(ctx context.Context, key string) (string, error) { return hash(ctx, key, params) }

// HashPassword is Hash for a password of the desk.
func HashPassword(ctx context.Context, password string) (string, error) {
	return hash(ctx, password, small)
}

// Large says whether a password's hash is of a version before, which took more memory.
func Large(hash string) bool {
	p, _, _, err := argon2id.DecodeHash(hash)
	return err == nil && p.Memory > small.Memory
}

func hash(ctx context.Context, key string, params *argon2id.Params) (string, error) {
	done, err := turn(ctx)
	if err != nil {
		return "", fmt.Errorf("hash key: %w", err)
	}
	defer done()
	hash, err := argon2id.CreateHash(key, params)
	if err != nil {
		return "", fmt.Errorf("hash key: %w", err)
	}
	return hash, nil
}

// Verify says whether a hash was made of the key. An error means that the hash is damaged or ctx has ended.
func Verify(ctx context.Context, hash, key string) (bool, error) {
	done, err := turn(ctx)
	if err != nil {
		return false, fmt.Errorf("verify key: %w", err)
	}
	defer done()
	ok, err := argon2id.ComparePasswordAndHash(key, hash)
	if err != nil {
		return false, fmt.Errorf("verify key: %w", err)
	}
	return ok, nil
}
