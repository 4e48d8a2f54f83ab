package mail

import (
	"errors"
	"hash/maphash"
	"maps"
	"strings"
	"sync"
	"time"

	"llave/bot"
)

// row is the mailboxes that were refused one after another, for good or for our sake, without one letter accepted between. One or
// two are their owners' trouble; many are ours, whatever the server says of each: a relay that lost its table of users, a blocked
// sender that is told "no such user". It knows hashes of addresses only, and no more of them than its length.
type row struct {
	hold int // from this many on they are held back; 0: never
	seed maphash.Seed

	mu      sync.Mutex
	refused map[uint64]bool
	since   time.Time // of the first
	latest  time.Time // of the last

	made map[uint64]bool // those that made it long
	last time.Time       // when one of these was last refused, by the process's own clock
}

func newRow(hold int) *row {
	return &row{hold: hold, seed: maphash.MakeSeed(), refused: map[uint64]bool{}}
}

// add notes a refusal and says how many different mailboxes are in the row; [began] for the one that made it long enough.
func (r *row) add(address string, now time.Time) (n int, began bool) {
	key := maphash.String(r.seed, strings.ToLower(address))
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.refused) == 0 || now.Sub(r.latest) > rowAge && len(r.refused) < r.hold {
		clear(r.refused)
		r.since = now
	}
	r.latest = now
	if !r.refused[key] && len(r.refused) < r.hold {
		r.refused[key] = true
		if began = len(r.refused) == r.hold; began {
			r.made, r.last = maps.Clone(r.refused), time.Now()
		}
	}
	if r.made[key] {
		r.last = time.Now()
	}
	return len(r.refused), began
}

// end empties the row: a letter was accepted. [since] is the zero time unless refusals were held back.
func (r *row) end() (since time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	since = r.long()
	clear(r.refused)
	return since
}

// held says since when mailboxes have been refused one after another; the zero time unless they are so many that refusals are
// held back.
func (r *row) held() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.long()
}

// long is held where the lock is.
func (r *row) long() (since time.Time) {
	if r.hold > 0 && len(r.refused) == r.hold {
		since = r.since
	}
	return since
}

// rowAge is how far apart two refusals of a row are at most: on a quiet day one bad mailbox and the next are no row.
const rowAge = time.Hour

// illFor is for how long after the last refusal of those that made a row long people are told of it: their letters are tried
// again every ten seconds.
const illFor = 30 * time.Second

// ill says whether people are told that letters are late because of the row. No letter but of those that made it prolongs that, and
// none ends it: whoever asks for one number meanwhile learns nothing of it.
func (r *row) ill() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.last.IsZero() && time.Since(r.last) < illFor
}

// weigh makes of a letter's end what the letters before it say: a refusal for good that stands in a long row is held back,
// so that the letter is tried again.
func (s *Sender) weigh(to string, err error) error {
	if s.row.hold == 0 {
		return err
	}
	if err == nil {
		if since := s.row.end(); !since.IsZero() {
			s.opt.Log.Info("a letter was accepted again: refusals count for the mailbox", "server", s.opt.Server.String(), "since", since)
		}
		return nil
	}
	var r *Refusal
	if !errors.As(err, &r) || !afterRcpt(r.Stage) || r.Verdict == Later {
		return err
	}
	n, began := s.row.add(to, s.opt.Now())
	if began {
		s.opt.Log.Error("the mail server takes no letters: every mailbox is refused, which is held back as a fault of ours until a letter is accepted (is LLAVE_MAIL_FROM allowed there, does the server relay for us?)",
			"server", s.opt.Server.String(), "mailboxes", n, "since", s.row.held(), "waiting", s.health.look().Waiting, "error", r)
	}
	if n < s.row.hold || r.Verdict.Failure() != bot.Permanent {
		return err
	}
	return &bot.SendError{Failure: bot.Temporary, Reason: "mailbox refused, as were all before it: held back", Err: r}
}
