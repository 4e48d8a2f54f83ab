package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"llave/internal/agent"
	"llave/internal/secret"
)

// AuditEntry is one line of the audit: who did what, and when. Detail holds no number, address or token.
type AuditEntry struct {
	ID     string    `bson:"_id"`
	At     time.Time `bson:"at"`
	Who    string    `bson:"who"`
	What   string    `bson:"what"`
	Detail string    `bson:"detail,omitempty"`
}

// AuditLog keeps the audit. It is only appended to, until its time has passed.
//
// Its lines are a chain: each has the number after the one before, and a keyed hash of what it says and of the hash before. A line
// that is changed, taken out or put in later breaks it, and without the data key nobody can make another that fits. What a chain
// cannot show by itself is that its end was cut off, so the place of its end is told to the log (AuditEnd), and Verify compares
// with one that was noted down.
//
// There are no transactions, so the next place in the chain is given away by one document, the head: it is replaced where its
// version is the one that was read, and holds the line that it gave the place to until that is stored. A process that dies
// between the two has lost nothing: whoever comes next stores the line first. The head also says from where on the chain is kept: what
// the retention removes is always the beginning, and the hash it ended with stays (the anchor).
//
// Lines that versions before wrote, and do so until the last of their processes has stopped, stand beside the chain.
type AuditLog struct {
	engine Engine
	head   *Documents[chainHead]

	mu    sync.Mutex // one append of this process at a time: others would only meet it at the head
	vault *secret.Vault
	begun func(older bool)

	stored atomic.Int64 // up to this place lines are known to be stored
}

func newAudit(engine Engine) *AuditLog {
	return &AuditLog{engine: engine, head: NewDocuments(engine, Settings, func(h *chainHead) (*string, *int64) { return &h.ID, &h.Version })}
}

// Chain has lines chained with this key. Nothing is appended or removed before.
func (l *AuditLog) Chain(v *secret.Vault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.vault = v
}

// OnBegin is told when this process has begun the chain, and whether there were lines before it. That happens once in a store's life: a
// second time somebody has taken the chain away. It is set before anything is appended.
func (l *AuditLog) OnBegin(f func(older bool)) { l.begun = f }

// Begin begins the chain, unless it was begun.
func (l *AuditLog) Begin(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	h, err := l.settle(ctx)
	if err == nil && h.Version == 0 {
		if h, err = l.newHead(ctx); err == nil {
			err = l.saveHead(ctx, &h)
		}
	}
	if err != nil && !errors.Is(err, ErrConflict) { // else another process has
		return fmt.Errorf("begin the audit's chain: %w", err)
	}
	return nil
}

// newHead is the head of a chain that begins now.
func (l *AuditLog) newHead(ctx context.Context) (chainHead, error) {
	if l.vault == nil {
		return chainHead{}, errNoChain
	}
	now, err := l.engine.Now(ctx)
	if err != nil {
		return chainHead{}, err
	}
	lines, err := l.engine.Count(ctx, Query{Collection: Audit, Field: "at"})
	if err != nil {
		return chainHead{}, err
	}
	h := chainHead{ID: chainHeadID, Began: now.UTC().Truncate(time.Millisecond), Older: lines > 0}
	h.Mark = h.mark(l.vault)
	return h, nil
}

// saveHead saves the head, and tells of one that is new.
func (l *AuditLog) saveHead(ctx context.Context, h *chainHead) error {
	first := h.Version == 0
	err := l.head.Save(ctx, h)
	if err == nil && first && l.begun != nil {
		l.begun(h.Older)
	}
	return err
}

var errNoChain = errors.New("the audit has no key to chain its lines with")

const chainHeadID = "audit_chain"

// chainHead is the end of the chain, and the anchor at its beginning.
type chainHead struct {
	ID      string    `bson:"_id"`
	Version int64     `bson:"v"`
	Began   time.Time `bson:"began"`
	Older   bool      `bson:"older,omitempty"` // there were lines before, of versions that did not chain
	Mark    string    `bson:"mark"`            // that both are as we wrote them
	Seq     int64     `bson:"seq"`             // of the last line
	Hash    string    `bson:"hash"`            // of the last line
	Last    chained   `bson:"last,omitempty"`  // the last line, which may not be stored yet
	Anchor  anchor    `bson:"anchor"`
}

// anchor is where the chain that is kept begins.
type anchor struct {
	Seq  int64     `bson:"seq"`  // of the last line that is not kept
	Hash string    `bson:"hash"` // of that line
	Upto time.Time `bson:"upto"` // lines before that were due to go
	Mark string    `bson:"mark"` // that it was us who cut
}

// chained is a line as it is stored.
type chained struct {
	AuditEntry `bson:",inline"`
	Seq        int64  `bson:"seq,omitempty"` // 0: it stands beside the chain
	Hash       string `bson:"hash,omitempty"`
}

// link is the hash of a line that comes after one with that hash. Each part's length stands before it, so that no two lines are
// written the same.
func link(v *secret.Vault, before string, seq int64, e AuditEntry) string {
	var b strings.Builder
	for _, part := range []string{before, strconv.FormatInt(seq, 10), e.ID, strconv.FormatInt(e.At.UnixMilli(), 10), e.Who, e.What, e.Detail} {
		fmt.Fprintf(&b, "%d:%s", len(part), part)
	}
	return v.Hash("audit-line", b.String())
}

func (h chainHead) mark(v *secret.Vault) string {
	return v.Hash("audit-began", fmt.Sprint(h.Began.UnixMilli(), " ", h.Older))
}

// beside says whether a line may stand beside the chain: it was written before, or by a process of the version before, while such ones
// were being replaced.
func (h chainHead) beside(at time.Time) bool {
	return (h.Older || !at.Before(h.Began.Add(-besideGrace))) && !at.After(h.Began.Add(besideGrace))
}

func (a anchor) mark(v *secret.Vault) string {
	return v.Hash("audit-anchor", fmt.Sprint(a.Seq, " ", a.Hash, " ", a.Upto.UnixMilli()))
}

// whole says whether an anchor is as we wrote it. The first has none.
func (a anchor) whole(v *secret.Vault) bool { return a.Seq == 0 && a.Hash == "" || a.Mark == a.mark(v) }

// settle loads the head, and stores its last line where the process that put it there has died.
func (l *AuditLog) settle(ctx context.Context) (chainHead, error) {
	h, err := l.head.Load(ctx, chainHeadID)
	if err != nil || h.Seq == h.Anchor.Seq || l.stored.Load() >= h.Seq {
		return h, err
	}
	return h, l.put(ctx, h.Last)
}

// put stores a line that has its place, unless it is there.
func (l *AuditLog) put(ctx context.Context, c chained) error {
	if err := insert(ctx, l.engine, Audit, c); err != nil && !errors.Is(err, ErrDuplicate) {
		return err
	}
	l.stored.Store(c.Seq)
	return nil
}

// Append stores an entry. The id is the caller's and names what happened: appending it again changes nothing.
func (l *AuditLog) Append(ctx context.Context, e AuditEntry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.vault == nil {
		return errNoChain
	}
	e.At = e.At.UTC().Truncate(time.Millisecond) // as it will be read
	for {
		h, err := l.settle(ctx)
		if err != nil {
			return fmt.Errorf("append to the audit: %w", err)
		}
		switch _, err := l.engine.Get(ctx, Audit, e.ID); { // after settle: the head's line is there
		case err == nil:
			return nil
		case !errors.Is(err, ErrNotFound):
			return fmt.Errorf("append to the audit: %w", err)
		}
		if h.Version == 0 {
			if h, err = l.newHead(ctx); err != nil {
				return fmt.Errorf("append to the audit: %w", err)
			}
		}
		h.Seq++
		h.Hash = link(l.vault, h.Hash, h.Seq, e)
		h.Last = chained{e, h.Seq, h.Hash}
		if err = l.saveHead(ctx, &h); errors.Is(err, ErrConflict) {
			continue // another process was quicker
		}
		if err != nil {
			return fmt.Errorf("append to the audit: %w", err)
		}
		return l.put(ctx, h.Last)
	}
}

// AppendAgent appends what was done with an account of the desk.
func (l *AuditLog) AppendAgent(ctx context.Context, d agent.AuditEntry) error {
	return l.Append(ctx, AuditEntry(d))
}

// Between calls [each] for the entries in [from] ≤ at < [to], earliest first, until it returns false.
func (l *AuditLog) Between(ctx context.Context, from, to time.Time, each func(AuditEntry) bool) error {
	if _, err := l.settle(ctx); err != nil {
		return fmt.Errorf("read audit: %w", err)
	}
	err := scan(ctx, l.engine, Query{Collection: Audit, Field: "at", From: from, To: to}, each)
	if err != nil {
		return fmt.Errorf("read audit: %w", err)
	}
	return nil
}

// Forget removes at most limit entries older than a moment, and says how many: of the chain those at its beginning, up to the first
// that is younger. The anchor moves before anything is removed, so that a process that dies in between leaves lines that are due
// before the beginning, which the next run removes.
func (l *AuditLog) Forget(ctx context.Context, before time.Time, limit int) (int64, error) {
	n, err := l.cut(ctx, before, limit)
	if err != nil {
		return n, fmt.Errorf("cut the audit: %w", err)
	}
	if n >= int64(limit) {
		return n, nil
	}
	beside, err := l.forgetBeside(ctx, before, limit-int(n))
	if err != nil {
		return n, fmt.Errorf("cut the audit: %w", err)
	}
	return n + beside, nil
}

func (l *AuditLog) cut(ctx context.Context, before time.Time, limit int) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		h, err := l.settle(ctx)
		if err != nil || h.Version == 0 {
			return 0, err
		}
		if l.vault == nil {
			return 0, errNoChain
		}
		if !h.Anchor.whole(l.vault) {
			return 0, errors.New("its anchor is not as it was written: llave audit verify")
		}
		next := anchor{Seq: h.Anchor.Seq, Hash: h.Anchor.Hash, Upto: before.UTC().Truncate(time.Millisecond)}
		err = scan(ctx, l.engine, Query{Collection: Audit, Field: "seq", From: h.Anchor.Seq + 1, Limit: limit}, func(c chained) bool {
			if !c.At.Before(before) {
				return false
			}
			next.Seq, next.Hash = c.Seq, c.Hash
			return true
		})
		if err != nil {
			return 0, err
		}
		if next.Seq != h.Anchor.Seq {
			next.Mark = next.mark(l.vault)
			if h.Anchor = next; next.Seq == h.Seq {
				h.Last = chained{} // nothing is kept of it here either
			}
			if err = l.head.Save(ctx, &h); errors.Is(err, ErrConflict) {
				continue
			} else if err != nil {
				return 0, err
			}
		}
		return l.engine.DeleteRange(ctx, Query{Collection: Audit, Field: "seq", To: h.Anchor.Seq + 1, Limit: limit})
	}
}

// forgetBeside removes lines that stand beside the chain.
func (l *AuditLog) forgetBeside(ctx context.Context, before time.Time, limit int) (n int64, err error) {
	var ids []string
	err = scan(ctx, l.engine, Query{Collection: Audit, Field: "at", To: before}, func(c chained) bool {
		if c.Seq == 0 {
			ids = append(ids, c.ID)
		}
		return len(ids) < limit
	})
	for _, id := range ids {
		if err != nil {
			break
		}
		if err = l.engine.Delete(ctx, Audit, id, -1); err == nil {
			n++
		}
	}
	return n, err
}

// AuditEnd is the end of the chain, to be noted down where nobody who can write the store can write.
type AuditEnd struct {
	Seq  int64
	Hash string
}

// String is how it is noted down, and Parse reads it.
func (e AuditEnd) String() string { return strconv.FormatInt(e.Seq, 10) + ":" + e.Hash }

// ParseAuditEnd reads what AuditEnd.String wrote.
func ParseAuditEnd(s string) (AuditEnd, error) {
	seq, hash, ok := strings.Cut(strings.TrimSpace(s), ":")
	n, err := strconv.ParseInt(seq, 10, 64)
	if !ok || err != nil || n < 1 || hash == "" {
		return AuditEnd{}, errors.New("not an end of the audit's chain: expected its number, a colon and its hash")
	}
	return AuditEnd{n, hash}, nil
}

// GoesThrough says whether the chain goes through a place that was its end before, or that place has been removed in its time. It looks at
// one line: Verify reads all.
func (l *AuditLog) GoesThrough(ctx context.Context, end AuditEnd) (bool, error) {
	h, err := l.settle(ctx)
	if err != nil {
		return false, fmt.Errorf("read audit: %w", err)
	}
	switch {
	case end.Seq < h.Anchor.Seq:
		return h.Anchor.whole(l.vault), nil
	case end.Seq == h.Anchor.Seq:
		return end.Hash == h.Anchor.Hash, nil
	}
	there := false
	err = scan(ctx, l.engine, Query{Collection: Audit, Field: "seq", From: end.Seq, To: end.Seq + 1}, func(c chained) bool {
		there = c.Hash == end.Hash
		return there
	})
	if err != nil {
		return false, fmt.Errorf("read audit: %w", err)
	}
	return there && end.Seq <= h.Seq, nil
}

// End returns the end of the chain; the zero AuditEnd before the first line.
func (l *AuditLog) End(ctx context.Context) (AuditEnd, error) {
	h, err := l.settle(ctx)
	if err != nil {
		return AuditEnd{}, fmt.Errorf("read audit: %w", err)
	}
	return AuditEnd{h.Seq, h.Hash}, nil
}
