package key

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// What somebody gets who gets no turn.
var (
	ErrBusy  = errors.New("too much is being judged")
	ErrShare = fmt.Errorf("%w at once for one", ErrBusy) // somebody's own share is used up
)

// Queue is where judging keys waits its turn: so much at once, so much waiting, and so long. Strangers may ask for it, and it
// costs more than anything else they may ask for. It is safe for use by many goroutines.
type Queue struct {
	turns chan struct{} // a permit for each at work
	room  int           // at work and waiting
	wait  time.Duration

	mu     sync.Mutex
	inside int
	of     map[string]int // of these, by who asked
}

// NewQueue makes a queue with so many at work at once and so many waiting, each for so long.
func NewQueue(atOnce, waiting int, wait time.Duration) *Queue {
	return &Queue{turns: make(chan struct{}, atOnce), room: atOnce + waiting, wait: wait, of: map[string]int{}}
}

// Share is how much somebody may have in a queue, at work and waiting, so that they do not fill it.
type Share struct {
	Who  string
	Most int
}

// Enter waits for a turn, for somebody whose shares these are; whoever has one calls [leave] when done. ErrShare and ErrBusy, which
// the first is too, mean that there is none now.
func (q *Queue) Enter(ctx context.Context, shares ...Share) (leave func(), err error) {
	if err := q.admit(shares); err != nil {
		return nil, err
	}
	late := time.NewTimer(q.wait)
	defer late.Stop()
	select {
	case q.turns <- struct{}{}:
		return func() {
			<-q.turns
			q.depart(shares)
		}, nil
	case <-late.C:
		err = ErrBusy
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	q.depart(shares)
	return nil, err
}

func (q *Queue) admit(shares []Share) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, s := range shares {
		if q.of[s.Who] >= s.Most {
			return ErrShare
		}
	}
	if q.inside >= q.room {
		return ErrBusy
	}
	q.inside++
	for _, s := range shares {
		q.of[s.Who]++
	}
	return nil
}

func (q *Queue) depart(shares []Share) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.inside--
	for _, s := range shares {
		if q.of[s.Who]--; q.of[s.Who] == 0 {
			delete(q.of, s.Who)
		}
	}
}
