package importer

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"llave/bot"
	"llave/internal/affiliate"
)

// ErrNotDeleted is wrapped by the error of an import that was to delete records and deleted none, because the file may not be whole.
var ErrNotDeleted = errors.New("no record was deleted")

// Missing says what becomes of records that are stored and not in the file.
type Missing struct {
	Delete bool
	Limit  Limit // more than so many are a sign that the file is not whole: none is deleted then
}

// Limit is a number of records, or a share of them. The zero Limit is one in a hundred, or up to ten records where that is no
// more than one in ten.
type Limit struct {
	count int64
	share float64 // of one
	set   bool
}

// ParseLimit reads "500" or "2.5%"; "" is the zero Limit.
func ParseLimit(s string) (Limit, error) {
	if s == "" {
		return Limit{}, nil
	}
	if percent, ok := strings.CutSuffix(s, "%"); ok {
		share, err := strconv.ParseFloat(percent, 64)
		if err != nil || !(share >= 0 && share <= 100) {
			return Limit{}, fmt.Errorf("%q is no share; expected one like 2%%, up to 100%%", s)
		}
		return Limit{share: share / 100, set: true}, nil
	}
	count, err := strconv.ParseInt(s, 10, 64)
	if err != nil || count < 0 {
		return Limit{}, fmt.Errorf("%q is neither a number of records nor a share like 2%%", s)
	}
	return Limit{count: count, set: true}, nil
}

// of is how many of so many records may be missing.
func (l Limit) of(records int64) int64 {
	if l.set {
		return l.count + int64(l.share*float64(records))
	}
	return max(records/100, min(10, (records+9)/10))
}

// remember notes whose a rejected row is, so that its record is not taken for one that the file does not have.
func (p *pass) remember(rec affiliate.Record) {
	if !p.Missing.Delete {
		return
	}
	id := affiliate.Canonical(tidy(rec.ID))
	if whole, lost := affiliate.WithZero(id); lost {
		id = whole
	}
	if isDigits(id) && len(id) == 10 || affiliate.IsForeignCode(id, p.ForeignCode) {
		p.present[p.hash(id)] = true
		return
	}
	p.nobody++
}

// deleteMissing deletes the records that are stored and not in the file, unless the file may not be whole.
func (p *pass) deleteMissing(ctx context.Context) error {
	if p.nobody > 0 {
		return fmt.Errorf("%w: of %d rejected rows it cannot be told whose they are, so nobody knows who is missing; mend them (%s) and run it again",
			ErrNotDeleted, p.nobody, p.sum.Rejects)
	}
	total, err := p.Sink.Count(ctx)
	if err != nil {
		return p.stopped(err)
	}
	before := total
	if !p.DryRun {
		before -= p.sum.New
	}
	limit := p.Missing.Limit.of(before)
	type one struct {
		id      string
		version int64
	}
	var missing []one
	var n int64
	err = p.Sink.EachID(ctx, func(id string, version int64) bool {
		h := p.hash(affiliate.Canonical(id))
		if _, there := p.seen[h]; !there && !p.present[h] {
			if n++; n <= limit {
				missing = append(missing, one{id, version})
			}
		}
		return true
	})
	if err != nil {
		return p.stopped(err)
	}
	if n > limit {
		return fmt.Errorf("%w: %d of %d records are not in %s, and the limit is %d; is the file whole? If it is, raise --delete-limit",
			ErrNotDeleted, n, before, inputName(p.Name), limit)
	}
	for _, m := range missing {
		if p.DryRun {
			p.sum.Deleted++
			continue
		}
		switch err := p.Sink.Delete(ctx, m.id, m.version); {
		case errors.Is(err, bot.ErrConflict): // somebody has written it since: it is there for a reason
		case err != nil:
			return p.stopped(err)
		default:
			p.sum.Deleted++
		}
	}
	return nil
}
