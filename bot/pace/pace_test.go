package pace

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// What chats allow: a platform that is slow with a person, and one that is quick.
var (
	person = Chat{Every: 6 * time.Second, Burst: 10}
	quick  = Chat{Every: time.Second, Burst: 5}
)

// TestPacer_whole: never more than the rate in any second, and the rate is used up.
func TestPacer_whole(t *testing.T) {
	for _, tt := range []struct {
		name        string
		rate        float64
		each        Chat
		messages    int
		about, most time.Duration
	}{
		{"30 a second", 30, quick, 200, 6700 * time.Millisecond, 9 * time.Second},
		{"80 a second", 80, person, 400, 5 * time.Second, 7 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := New(tt.rate, tt.each, time.Now)
				var mu sync.Mutex
				var sent []time.Time
				var wg sync.WaitGroup
				for i := range tt.messages {
					wg.Go(func() {
						for {
							after, _, err := p.Enter(t.Context(), fmt.Sprint(i))
							if err != nil {
								t.Error(err)
								return
							}
							if after == 0 {
								break
							}
							time.Sleep(after)
						}
						mu.Lock()
						defer mu.Unlock()
						sent = append(sent, time.Now())
					})
				}
				wg.Wait()
				for i, at := range sent {
					n := 0
					for _, other := range sent[i:] {
						if other.Sub(at) < time.Second-time.Millisecond {
							n++
						}
					}
					if n > int(tt.rate) {
						t.Fatalf("%d messages within a second, want at most %v", n, tt.rate)
					}
				}
				if took := sent[len(sent)-1].Sub(sent[0]); took > tt.most {
					t.Errorf("%d messages took %v, want about %v", tt.messages, took, tt.about)
				}
				p.SetRate(2)
				before := time.Now()
				for i := range 4 {
					if after, _, err := p.Enter(t.Context(), fmt.Sprint("x", i)); after != 0 || err != nil {
						t.Fatalf("got %v %v", after, err)
					}
				}
				if took := time.Since(before); took < 1400*time.Millisecond {
					t.Errorf("after SetRate(2) four messages took %v", took)
				}
			})
		})
	}
}

// TestPacer_cancelled: who stops waiting gives the position back.
func TestPacer_cancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(1, person, time.Now)
		_, _, _ = p.Enter(t.Context(), "1")
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, _, err := p.Enter(ctx, "2"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
		}
		start := time.Now()
		if after, _, err := p.Enter(t.Context(), "3"); after != 0 || err != nil || time.Since(start) > time.Second {
			t.Errorf("got %v %v after %v, want the position that was given back", after, err, time.Since(start))
		}
	})
}

// TestPacer_giveBack: a place in the middle of the queue stays empty, since those behind it know theirs.
func TestPacer_giveBack(t *testing.T) {
	now := time.Unix(1000, 0)
	q := queue{every: time.Second, burst: 1}
	q.take(now)
	second := q.take(now)
	q.take(now)
	q.giveBack(second)
	if got, want := q.wait(now), 3*time.Second; got != want {
		t.Errorf("the fourth waits %v, want %v", got, want)
	}
	q.giveBack(q.take(now))
	if got, want := q.wait(now), 3*time.Second; got != want {
		t.Errorf("after the last gave its place back: %v, want %v", got, want)
	}
}

// TestPacer_keepsTheBurst: tries that end because the channel has no room cost a person nothing.
func TestPacer_keepsTheBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(0.1, person, time.Now)
		if after, _, err := p.Enter(t.Context(), "other"); after != 0 || err != nil {
			t.Fatalf("got %v %v", after, err)
		}
		for range 3 * person.Burst {
			time.Sleep(time.Millisecond)
			if after, whole, err := p.Enter(t.Context(), "a"); after < 9*time.Second || whole || err != nil {
				t.Fatalf("got %v %v %v, want to wait for the channel's next turn", after, whole, err)
			}
		}
		time.Sleep(10 * time.Second)
		p.SetRate(1000)
		for i := range person.Burst {
			if after, _, err := p.Enter(t.Context(), "a"); after != 0 || err != nil {
				t.Errorf("message %d of the burst: got %v %v", i+1, after, err)
			}
		}
	})
}

// TestPacer_others: one person's turn is not waited for in the whole number's queue.
func TestPacer_others(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(10, person, time.Now)
		for range person.Burst {
			if after, _, _ := p.Enter(t.Context(), "busy"); after != 0 {
				t.Fatalf("got %v", after)
			}
		}
		time.Sleep(4 * time.Second)
		var held sync.WaitGroup
		held.Go(func() { _, _, _ = p.Enter(t.Context(), "busy") })
		synctest.Wait()
		start := time.Now()
		if after, _, err := p.Enter(t.Context(), "calm"); after != 0 || err != nil || time.Since(start) > 0 {
			t.Errorf("got %v %v after %v, want to go at once", after, err, time.Since(start))
		}
		held.Wait()
	})
}

// TestPacer_forgets: the chats of a busy day are not remembered, but a pause is.
func TestPacer_forgets(t *testing.T) {
	now := time.Unix(0, 0)
	p := New(1e9, person, func() time.Time { return now })
	for i := range 100_000 {
		now = now.Add(33 * time.Millisecond)
		if _, _, err := p.Enter(t.Context(), fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(p.chats); n > sweepFrom {
		t.Errorf("%d chats remembered, want at most %d", n, sweepFrom)
	}
	p.Pause("paused", time.Hour)
	for i := range 2 * sweepFrom {
		now = now.Add(time.Second)
		_, _, _ = p.Enter(t.Context(), fmt.Sprint(i))
	}
	if after, _ := p.Paused("paused"); after <= 0 {
		t.Error("a pause was forgotten")
	}
}

// What takes left-over rate goes at once where nobody is, behind everybody who waits, and never has a message wait.
func TestPacer_spare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(10, quick, time.Now)
		enter := func(chat string) time.Duration {
			t.Helper()
			began := time.Now()
			if after, _, err := p.Enter(t.Context(), chat); after > 0 || err != nil {
				t.Fatalf("a message: wait %v, %v", after, err)
			}
			return time.Since(began)
		}
		spare := func(chat string) (took, after time.Duration) {
			t.Helper()
			began := time.Now()
			after, err := p.Spare(t.Context(), chat)
			if err != nil {
				t.Fatal(err)
			}
			return time.Since(began), after
		}
		if took, after := spare("1"); took != 0 || after != 0 {
			t.Errorf("with nobody there: took %v, %v to go", took, after)
		}
		if took := enter("1"); took != 0 {
			t.Errorf("a message behind a spare one waited %v", took)
		}
		if took, after := spare("2"); took != 200*time.Millisecond || after != 0 { // the place after the message's is nobody's
			t.Errorf("behind a message: took %v, %v to go, want 200ms", took, after)
		}
		var wg sync.WaitGroup
		for i := range 12 {
			wg.Go(func() { enter(fmt.Sprint("m", i)) })
		}
		wg.Go(func() {
			if took, after := spare("3"); took == 0 && after == 0 {
				t.Error("went before those who wait")
			}
		})
		wg.Wait()
		time.Sleep(time.Minute)
		for range 5 {
			enter("1")
		}
		if _, after := spare("1"); after < time.Second || after > 2*time.Second {
			t.Errorf("after a burst: %v to go, want more than is held", after)
		}
		p.Pause("4", time.Hour)
		if _, after := spare("4"); after != time.Hour {
			t.Errorf("in a pause of an hour: %v to go", after)
		}
	})
}

// A clock that stands still, as a test's may, keeps nothing waiting for ever.
func TestPacer_spareStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		still := time.Now()
		p := New(10, quick, func() time.Time { return still })
		if after, _, err := p.Enter(t.Context(), "1"); after > 0 || err != nil {
			t.Fatalf("a message: wait %v, %v", after, err)
		}
		for range 3 {
			if after, err := p.Spare(t.Context(), "1"); after > 0 || err != nil {
				t.Errorf("%v to go, %v", after, err)
			}
		}
	})
}
