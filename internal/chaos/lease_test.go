package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"llave/internal/bottest"
	"llave/internal/store"
	"llave/internal/unlock"
)

// wire is the way of one process to Telegram. It notes what is asked over it.
type wire struct {
	api   *bottest.BotAPI
	front *front // learns of what getUpdates gave out

	mu    sync.Mutex
	calls []wireCall
}

type wireCall struct {
	method string
	offset int // getUpdates: everything below it is confirmed
	at     time.Time
}

func (x *wire) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the process is gone
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	call := wireCall{method: path.Base(r.URL.Path), at: time.Now()}
	if form, err := url.ParseQuery(string(body)); err == nil {
		call.offset, _ = strconv.Atoi(form.Get("offset"))
	}
	x.mu.Lock()
	x.calls = append(x.calls, call)
	x.mu.Unlock()
	if call.method != "getUpdates" {
		x.api.ServeHTTP(w, r)
		return
	}
	heard := &overhearing{ResponseWriter: w}
	x.api.ServeHTTP(heard, r)
	var given struct{ Result []json.RawMessage }
	if json.Unmarshal(heard.text.Bytes(), &given) != nil {
		return // a refusal
	}
	x.front.mu.Lock()
	defer x.front.mu.Unlock()
	for _, update := range given.Result {
		if id, chat := read(update); chat != 0 {
			x.front.acked[strconv.Itoa(id)] = conversation(byTelegram, chat) // once nothing is pending any more it was confirmed
			x.front.posts++
		}
	}
}

// since are the calls of a method that began after a moment.
func (x *wire) since(at time.Time, method string) (out []wireCall) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, c := range x.calls {
		if c.method == method && c.at.After(at) {
			out = append(out, c)
		}
	}
	return out
}

// overhearing keeps a copy of an answer.
type overhearing struct {
	http.ResponseWriter
	text bytes.Buffer
}

func (o *overhearing) Write(b []byte) (int, error) {
	o.text.Write(b)
	return o.ResponseWriter.Write(b)
}

// registrar looks at the leases ten times a second and notes each change of holder.
type registrar struct {
	mu     sync.Mutex
	now    map[string]store.Lease
	owners map[string][]store.Lease // by name, one for each fence
	looks  int
	faults []string
}

func (g *registrar) watch(ctx context.Context, leases *store.LeaseTable) {
	for ctx.Err() == nil {
		if held, err := leases.Live(ctx, ""); err == nil {
			g.note(held)
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (g *registrar) note(held []store.Lease) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.looks++
	g.now = map[string]store.Lease{}
	for _, l := range held {
		g.now[l.Name] = l
		seen := g.owners[l.Name]
		if n := len(seen); n > 0 {
			last := seen[n-1]
			switch {
			case l.Fence < last.Fence:
				g.faults = append(g.faults, fmt.Sprintf("%s: fence %d after %d", l.Name, l.Fence, last.Fence))
			case l.Fence == last.Fence && l.Holder != last.Holder:
				g.faults = append(g.faults, fmt.Sprintf("%s: fence %d of %s and of %s", l.Name, l.Fence, last.Holder, l.Holder))
			case l.Fence == last.Fence:
				continue
			}
		}
		g.owners[l.Name] = append(seen, l)
	}
}

// holder is who has a lease now.
func (g *registrar) holder(name string) (store.Lease, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	l, ok := g.now[name]
	return l, ok
}

// holders is how many a lease has had.
func (g *registrar) holders(name string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.owners[name])
}

// holding returns the instance whose process holds a lease, once one does.
func (dep *deployment) holding(ctx context.Context, g *registrar, name string) (int, store.Lease) {
	dep.t.Helper()
	for ctx.Err() == nil {
		if l, ok := g.holder(name); ok {
			for i, p := range dep.fleet.instances {
				if strings.Contains(l.Holder, fmt.Sprintf("-%d-", p.process.Pid())) {
					return i, l
				}
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	dep.t.Fatalf("nobody holds %s", name)
	return 0, store.Lease{}
}

// The process that polls Telegram, and at full size the one that runs a job, is stopped for longer than its lease lives,
// with letters, messages and updates half-way, and goes on as if nothing had been. By then others have its lease and
// its promises: at no moment are there two owners, and what it still wants to do is refused.
func TestLease_holderStopped(t *testing.T) {
	alongside(t)
	for _, c := range []struct {
		lease string
		full  bool // only at full size: there is much to purge
		stops time.Duration
	}{
		{"telegram-poll", false, sized(25*time.Second, 60*time.Second)},
		{"job/purge-links", true, 60 * time.Second},
	} {
		t.Run(strings.ReplaceAll(c.lease, "/", "-"), func(t *testing.T) {
			if c.full && !*full {
				t.Skip("SKIP: purging all that this holder has takes too long for a quick look; -chaos.full does it")
			}
			dep := newDeployment(t, onMongoDB, "LLAVE_TELEGRAM_MODE=polling", "LLAVE_TELEGRAM_RATE=30")
			wires := make([]*wire, len(dep.fleet.instances))
			for i, p := range dep.fleet.instances {
				wires[i] = &wire{api: dep.api, front: dep.front}
				server := httptest.NewServer(wires[i])
				t.Cleanup(server.Close)
				p.env = []string{"LLAVE_TELEGRAM_API_URL=" + server.URL}
			}
			people := dep.populate(sized(40, 200))
			for _, p := range dep.fleet.instances {
				if err := dep.fleet.start(p); err != nil {
					t.Fatal(err)
				}
			}
			s, _ := dep.openStore(t)
			ctx, cancel := context.WithTimeout(t.Context(), c.stops+patience)
			defer cancel()
			var helpers sync.WaitGroup
			defer helpers.Wait()
			watching, enough := context.WithCancel(ctx)
			defer enough()
			leases := &registrar{owners: map[string][]store.Lease{}}
			helpers.Go(func() { leases.watch(watching, s.Leases) })

			began := time.Now()
			walked := make(chan struct{})
			go func() {
				defer close(walked)
				dep.walk(ctx, ctx, people, sized(100*time.Millisecond, 300*time.Millisecond), 60)
			}()
			if strings.HasPrefix(c.lease, "job/") {
				overdue(t, s, 12000)
			} else {
				time.Sleep(2 * time.Second) // many are on their way
			}
			old, before := dep.holding(ctx, leases, c.lease)
			process := dep.fleet.instances[old].process
			if err := syscall.Kill(process.Pid(), syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			stopped := time.Now()
			dep.lost = append(dep.lost, stopped) // what was accepted then, another sends again; nothing explains a second one later
			for time.Since(stopped) < c.stops {
				l, ok := leases.holder(c.lease)
				if ok && l.Fence > before.Fence {
					t.Logf("%s was taken over %v after its holder was stopped", c.lease, time.Since(stopped).Round(100*time.Millisecond))
					break
				}
				time.Sleep(50 * time.Millisecond)
			}
			time.Sleep(time.Until(stopped.Add(c.stops)))
			after, taken := leases.holder(c.lease)
			if err := syscall.Kill(process.Pid(), syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			continued := time.Now()
			if leases.holders(c.lease) < 2 {
				t.Errorf("%s: nobody else took it while its holder was stopped", c.lease)
			}
			<-walked
			dep.settle(ctx)
			took := time.Since(began)
			if now, ok := leases.holder(c.lease); taken && c.lease == "telegram-poll" && (!ok || now.Holder != after.Holder || now.Fence != after.Fence) {
				t.Errorf("%s: after the old holder went on it is %+v, was %+v", c.lease, now, after)
			}
			polls := wires[old].since(continued, "getUpdates")
			t.Logf("stopped for %v; afterwards the old holder asked for updates %d times, sent %d messages, and the log says %d times that a lease was lost",
				c.stops, len(polls), len(wires[old].since(continued, "sendMessage")), dep.logged(t, "lease was lost"))
			if c.lease == "telegram-poll" && len(polls) > 0 {
				t.Errorf("the old holder polled on: %v after it was continued, offset %d", polls[0].at.Sub(continued), polls[0].offset)
			}
			if n := dep.api.Pending(); n > 0 {
				t.Errorf("%d updates were never confirmed", n)
			}
			if strings.HasPrefix(c.lease, "job/") {
				now, err := s.Now(ctx)
				left, err2 := s.Unlocks.Purgeable(ctx, now, 10)
				if err != nil || err2 != nil || len(left) > 0 {
					t.Errorf("records that are still to be purged: %d, %v, %v", len(left), err, err2)
				}
			}
			enough()
			helpers.Wait()
			changes := 0
			for name, owners := range leases.owners {
				changes += len(owners)
				if strings.HasPrefix(name, "job/") || name == "telegram-poll" {
					t.Logf("%s: %d changes of holder seen", name, len(owners))
				}
			}
			t.Logf("the leases were looked at %d times: %d holders and fences, %d faults", leases.looks, changes, len(leases.faults))
			for _, f := range leases.faults {
				t.Errorf("lease: %s", f)
			}
			dep.end()
			dep.reconcile(t, took)
		})
	}
}

// overdue makes records whose link has long expired, so that there is enough to purge for somebody to be stopped at it.
func overdue(t *testing.T, s *store.Store, n int) {
	t.Helper()
	now, err := s.Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	gate := make(chan struct{}, 32)
	for i := range n {
		gate <- struct{}{}
		all.Go(func() {
			defer func() { <-gate }()
			r := &unlock.Document{ID: fmt.Sprintf("overdue-%05d", i)}
			r.PurgeAt = now.Add(-time.Minute)
			if err := s.Unlocks.Save(t.Context(), r); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}
