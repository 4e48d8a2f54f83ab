package chaos

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"llave/internal/store/storetest"
)

// strait is the one way to the store, which can be closed or made rough.
type strait struct {
	t     testing.TB
	proxy *toxiproxy.Proxy
}

// newStrait leads to a server, and returns the URI that goes through it.
func newStrait(t testing.TB, uri string) (*strait, string) {
	t.Helper()
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	s := &strait{t, toxiproxy.NewProxy(server, "store", freeAddr(t), u.Host)}
	if err := s.proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.proxy.Stop)
	u.Host = s.proxy.Listen
	query := u.Query()
	query.Set("directConnection", "true") // or a replica set would tell the driver the way around
	u.RawQuery = query.Encode()
	return s, u.String()
}

// close cuts every connection and refuses new ones.
func (s *strait) close() { s.proxy.Stop() }

func (s *strait) open() {
	s.t.Helper()
	if err := s.proxy.Start(); err != nil {
		s.t.Fatal(err)
	}
}

// poison adds a toxic to what comes from the server, or goes to it.
func (s *strait) poison(kind, stream, attributes string) {
	s.t.Helper()
	_, err := s.proxy.Toxics.AddToxicJson(strings.NewReader(
		fmt.Sprintf(`{"name":%q,"type":%q,"stream":%q,"attributes":{%s}}`, kind+"-"+stream, kind, stream, attributes)))
	if err != nil {
		s.t.Fatal(err)
	}
}

// heal takes every toxic away.
func (s *strait) heal() { s.proxy.Toxics.ResetToxics(context.Background()) }

// trouble is one way in which the store is not what it was.
type trouble struct {
	name        string
	short, full time.Duration
	away        bool // nothing gets through: every webhook has to be refused
	slow        bool // everything gets through, late: most webhooks must be answered all the same
	begin, end  func(s *strait)
}

var troubles = []trouble{
	{"away", 8 * time.Second, 30 * time.Second, true, false, (*strait).close, (*strait).open},
	// Packets vanish: nobody says that the store is gone.
	{"silent", 8 * time.Second, 30 * time.Second, true, false,
		func(s *strait) {
			s.poison("timeout", "downstream", `"timeout":0`)
			s.poison("timeout", "upstream", `"timeout":0`)
		},
		(*strait).heal},
	{"slow by 2 s", 8 * time.Second, 30 * time.Second, false, true,
		func(s *strait) { s.poison("latency", "downstream", `"latency":2000`) }, (*strait).heal},
	{"resetting", 6 * time.Second, 30 * time.Second, false, false,
		func(s *strait) { s.poison("reset_peer", "downstream", `"timeout":150`) }, (*strait).heal},
}

// People walk the road while the store is away, slow, or breaks every connection. Nothing is acknowledged that is not
// kept, and when the store is back everything goes on by itself.
func TestStore_trouble(t *testing.T) {
	alongside(t)
	for _, c := range troubles {
		t.Run(c.name, func(t *testing.T) {
			var way *strait
			k := kind{onMongoDB.name, onMongoDB.processes, func(t *testing.T) []string {
				direct := storetest.MongoURI(t)
				database := storetest.NewDatabase(t, direct)
				var through string
				way, through = newStrait(t, direct)
				return []string{"LLAVE_MONGODB_URI=" + through, "LLAVE_MONGODB_DATABASE=" + database}
			}}
			dep := newDeployment(t, k, "LLAVE_TELEGRAM_WEBHOOK_SECRET="+hookSecret)
			people := dep.populate(sized(50, 400))
			dep.start()
			q := dep.probe(nil)
			began := time.Now()
			lasts := sized(c.short, c.full)
			breaking, stop := context.WithTimeout(t.Context(), lasts+3*time.Second)
			defer stop()
			waiting, giveUp := context.WithTimeout(t.Context(), lasts+patience)
			defer giveUp()
			walked := make(chan struct{})
			go func() {
				defer close(walked)
				dep.walk(breaking, waiting, people, 100*time.Millisecond, 40)
			}()

			time.Sleep(2 * time.Second) // they are on their way
			broke := time.Now()
			c.begin(way)
			time.Sleep(lasts)
			healed := time.Now()
			c.end(way)
			q.recovered(t, c.name, healed)
			if c.away {
				q.refused(t, c.name, broke, healed)
			} else {
				for i, p := range q.at {
					hooks := p.hook.between(broke, healed)
					t.Logf("%s, process %d: webhooks meanwhile %s; readiness %s", c.name, i, summary(hooks), summary(p.ready.between(broke, healed)))
					if ok := answered(hooks); c.slow && ok*2 < len(hooks) {
						t.Errorf("%s, process %d: %d of %d webhooks answered 200", c.name, i, ok, len(hooks))
					}
				}
			}
			// Whoever keeps a promise is believed for five seconds. Without a store it cannot say that it is alive, nor
			// note what was accepted; either may repeat what was on its way.
			for at := broke; at.Before(healed.Add(stillness)); at = at.Add(time.Second) {
				dep.lost = append(dep.lost, at)
			}
			<-walked
			q.stop()
			dep.settle(waiting)
			took := time.Since(began)
			dep.end()
			dep.reconcile(t, took)
			q.kept(t, dep)
		})
	}
}
