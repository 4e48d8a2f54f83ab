package chaos

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"llave/bot"
	"llave/internal/affiliate"
	"llave/internal/unlock"
)

// seeded is a link that was in the store before the processes started.
type seeded struct {
	person  *person
	token   string
	ends    time.Time
	nonce   string    // of the browser that pressed it; empty: nobody did
	present time.Time // when it was last seen
	gone    time.Time // when its page first said that nobody knows it
}

// TestPurge_expiredLinks: links that have expired are gone within 60 s while the processes do nothing but run; those that
// live, and those whose key pass lives, stay to the end. What is there is read off the pages, as people would: the page of
// an expired link says so, that of one that is gone knows nothing of it. Afterwards the store is opened and must agree.
func TestPurge_expiredLinks(t *testing.T) {
	alongside(t)
	onBoth(t, func(t *testing.T, k kind) {
		const (
			within = 60 * time.Second
			ttl    = 9 * time.Minute
		)
		expired, live, used := sized(500, 10_000), sized(50, 1000), sized(20, 200)
		dep := newDeployment(t, k, fmt.Sprintf("LLAVE_LINK_TTL=%v", ttl))
		people := dep.populate(expired + live + used)
		links := make([]*seeded, len(people))
		now := time.Now()
		soon := sized(5*time.Second, 150*time.Second) // the first expires when the processes run
		spread := sized(5*time.Second, 30*time.Second)
		for i, p := range people {
			links[i] = &seeded{person: p, ends: now.Add(soon + spread*time.Duration(i)/time.Duration(expired))}
			if i >= expired {
				links[i].ends = now.Add(ttl)
			}
			if i >= expired+live {
				links[i].nonce = fmt.Sprintf("navegador-%012d", i) // as long as sixteen bytes
			}
		}
		dep.seed(t, links, ttl)
		t.Logf("%d links seeded in %v", len(links), time.Since(now).Round(time.Millisecond))
		dep.start()
		ready := time.Now()
		if ready.After(links[0].ends) {
			t.Logf("the first link expired %v before the processes ran", ready.Sub(links[0].ends).Round(time.Millisecond))
		}

		addr := dep.fleet.running()
		var mu sync.Mutex
		early := invariant{name: "living links that were not there"}
		late := invariant{name: "expired links that were there for more than 60 s"}
		pending := slices.Clone(links[:expired])
		deadline := links[expired-1].ends.Add(within + 30*time.Second)
		for pass := 0; len(pending) > 0 && time.Now().Before(deadline); pass++ {
			began := time.Now()
			parallel(t, pending, func(i int, l *seeded) error {
				if began.Before(l.ends) && i%20 != pass%20 {
					return nil // of those that still live a few are looked at
				}
				looked := time.Now()
				status, err := l.look(t.Context(), addr[i%len(addr)])
				switch {
				case err != nil:
					return err
				case status == http.StatusNotFound && looked.Before(l.ends):
					mu.Lock()
					early.breaks("person %d: gone %v before its time", l.person.index, l.ends.Sub(looked))
					mu.Unlock()
					l.gone = looked
				case status == http.StatusNotFound:
					l.gone = looked
				default:
					l.present = looked
				}
				return nil
			})
			pending = slices.DeleteFunc(pending, func(l *seeded) bool { return !l.gone.IsZero() })
			time.Sleep(time.Until(began.Add(2 * time.Second)))
		}
		var stayed []time.Duration
		for _, l := range links[:expired] {
			from := l.ends
			if from.Before(ready) {
				from = ready
			}
			if l.gone.IsZero() || l.gone.Sub(from) > within {
				late.breaks("person %d: expired at %s, still there at %s", l.person.index, clock(l.ends), clock(l.present))
				continue
			}
			stayed = append(stayed, max(l.gone.Sub(from), 0))
		}
		parallel(t, links[expired:], func(i int, l *seeded) error {
			status, err := l.look(t.Context(), addr[i%len(addr)])
			if err == nil && status != http.StatusOK {
				mu.Lock()
				defer mu.Unlock()
				early.breaks("person %d: its page answers %d", l.person.index, status)
			}
			return err
		})
		dep.end()

		s, vault := dep.openStore(t)
		for i, l := range links {
			r, err := s.Unlocks.Load(t.Context(), affiliate.Hash(vault, l.person.number))
			if err != nil {
				t.Fatal(err)
			}
			there := r.Live != nil && r.Live.Link != "" && r.Live.Sealed != ""
			switch {
			case i < expired && there:
				late.breaks("person %d: expired at %s, still in the store", l.person.index, clock(l.ends))
			case i >= expired && !there:
				early.breaks("person %d: not in the store", l.person.index)
			}
		}
		if len(stayed) > 0 {
			slices.Sort(stayed)
			t.Logf("%d expired links: half were gone %v after their expiry, the last %v; %d living links and %d living key passes stayed",
				len(stayed), stayed[len(stayed)/2].Round(100*time.Millisecond), stayed[len(stayed)-1].Round(100*time.Millisecond), live, used)
		}
		late.report(t)
		early.report(t)
	})
}

// seed puts links into the store as if they had been asked for and mailed some time ago, and presses those that have a
// nonce.
func (dep *deployment) seed(t *testing.T, links []*seeded, ttl time.Duration) {
	t.Helper()
	s, vault := dep.openStore(t)
	defer dep.closeStore()
	parallel(t, links, func(_ int, l *seeded) error {
		ctx, record := t.Context(), affiliate.Hash(vault, l.person.number)
		service := unlock.New(unlock.Options{
			Documents: s.Unlocks, Affiliates: s.Affiliates, Vault: vault,
			Now:    func(context.Context) (time.Time, error) { return l.ends.Add(-ttl), nil },
			Limits: unlock.Limits{Burst: 3, Window: 15 * time.Minute, Day: 6, PerDay: 24 * time.Hour, LinkTTL: ttl},
		})
		res, err := service.Reserve(ctx, bot.Ask{
			Turn: "seed/" + l.person.number, Conv: s.Book.Conv(bot.ConversationID("telegram", fmt.Sprint(l.person.chat))), Record: record,
			Number: l.person.number, Want: string(unlock.Unlock), Channel: "telegram",
		})
		if err != nil {
			return err
		}
		mailed := bot.Promise{ID: "seed", Record: record, Attempt: res.Attempt}
		letter, err := service.Letter(ctx, mailed, "")
		if err != nil {
			return err
		}
		l.token = letter.Token
		if _, err := service.Accepted(ctx, mailed); err != nil || l.nonce == "" {
			return err
		}
		_, err = service.Redeem(ctx, l.token, l.nonce)
		return err
	})
}

// look opens the link's page at a process and returns its status.
func (l *seeded) look(ctx context.Context, addr string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/desbloqueo/"+l.token, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("X-Forwarded-For", fmt.Sprintf("10.%d.%d.%d", l.person.index>>16&255, l.person.index>>8&255, l.person.index&255))
	if l.nonce != "" {
		req.AddCookie(&http.Cookie{Name: "llave-navegador", Value: l.nonce})
	}
	res, err := (&http.Client{Transport: pages, Timeout: 30 * time.Second}).Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	page, err := io.ReadAll(res.Body)
	if err == nil && l.nonce != "" && !strings.Contains(string(page), unlocked) {
		return 0, fmt.Errorf("person %d: the browser that pressed the link is not shown the success: status %d", l.person.index, res.StatusCode)
	}
	return res.StatusCode, err
}

// parallel does something with each of many, a few at a time, and fails the test with the first error.
func parallel[T any](t *testing.T, all []T, do func(i int, one T) error) {
	t.Helper()
	var wg sync.WaitGroup
	next := make(chan int)
	problems := make(chan error, 1)
	for range 16 {
		wg.Go(func() {
			for i := range next {
				if err := do(i, all[i]); err != nil {
					select {
					case problems <- err:
					default:
					}
				}
			}
		})
	}
	for i := range all {
		next <- i
	}
	close(next)
	wg.Wait()
	select {
	case err := <-problems:
		t.Fatal(err)
	default:
	}
}
