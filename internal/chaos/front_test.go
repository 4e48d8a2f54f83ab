package chaos

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"llave/bot"
	"llave/bot/whatsapp"
)

// repeated is the share of bodies that are delivered to every process at once, and late that of those that come once
// more, seconds after they were acknowledged.
const (
	repeated = 0.20
	late     = 0.05
)

// front stands before the processes as a load balancer does: a webhook goes to one of those that run, or to all of them
// at once; a page to any. It keeps the first ledger: which updates were answered 200.
type front struct {
	fleet  *fleet
	client *http.Client

	swapped float64 // the share of bodies that are held back until the chat's next has been answered, or for a while
	copies  int     // every body is delivered so often at once, spread over all processes, and kept; 0: see repeated

	mu       sync.Mutex
	kept     []delivery
	passing  map[string]chan struct{} // conversation → closed when a body about it has been answered, where one is held back
	swaps    int                      // bodies that were overtaken
	acked    map[string]string        // update → conversation, as far as the body tells
	reported map[string][]string      // message → the statuses of it that were acknowledged
	parts    int                      // updates and reports in all bodies
	posts    int
	repeats  int
	after    sync.WaitGroup
	closing  chan struct{}
}

func newFront(f *fleet) *front {
	return &front{
		fleet: f, acked: map[string]string{}, reported: map[string][]string{}, passing: map[string]chan struct{}{}, closing: make(chan struct{}),
		client: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
	}
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	addrs := f.fleet.running()
	if len(addrs) == 0 {
		http.Error(w, "nobody is there", http.StatusServiceUnavailable)
		return
	}
	rand.Shuffle(len(addrs), func(i, j int) { addrs[i], addrs[j] = addrs[j], addrs[i] })
	if r.Method != http.MethodPost || !strings.HasPrefix(r.URL.Path, "/webhooks/") {
		proxy := &httputil.ReverseProxy{
			Transport: f.client.Transport,
			Rewrite: func(p *httputil.ProxyRequest) {
				p.SetURL(&url.URL{Scheme: "http", Host: addrs[0]})
				p.Out.Host = p.In.Host
				p.Out.Header["X-Forwarded-For"] = p.In.Header["X-Forwarded-For"] // a made-up one of each person
			},
			ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
			ErrorLog:     log.New(io.Discard, "", 0), // a stream ends with its process
		}
		proxy.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	to := addrs[:1]
	if f.copies > 0 {
		to = make([]string, f.copies)
		for i := range to {
			to[i] = addrs[i%len(addrs)]
		}
		f.keep(delivery{r.URL.Path, r.Header.Clone(), body})
	} else if rand.Float64() < repeated {
		to = append(addrs, addrs[0]) // at least twice, and once to each
	}
	d := delivery{r.URL.Path, r.Header.Clone(), body}
	if rand.Float64() < f.swapped {
		f.holdBack(d)
	}
	status := f.deliver(d, to)
	if status == http.StatusOK && rand.Float64() < late {
		f.again(d)
	}
	w.WriteHeader(status)
}

// deliver posts a body to processes at once; one that answers 200 has acknowledged all that is in it.
func (f *front) deliver(d delivery, to []string) int {
	answers := make(chan int, len(to))
	for _, addr := range to {
		go func() { answers <- f.post(addr, d) }()
	}
	status := http.StatusBadGateway
	for range to {
		if s := <-answers; s == http.StatusOK || status != http.StatusOK && s != 0 {
			status = s
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.posts += len(to)
	f.repeats += len(to) - 1
	if status != http.StatusOK {
		return status
	}
	for _, p := range d.parts() {
		f.parts++
		if p.status != "" {
			f.reported[p.id] = append(f.reported[p.id], p.status)
		} else {
			f.acked[p.id] = p.conv
		}
		if passed := f.passing[p.conv]; passed != nil {
			close(passed)
			delete(f.passing, p.conv)
		}
	}
	return status
}

// again delivers a body once more, after a while.
func (f *front) again(d delivery) {
	f.after.Go(func() {
		select {
		case <-f.closing:
			return
		case <-time.After(time.Duration(1+rand.IntN(5)) * time.Second):
		}
		if addrs := f.fleet.running(); len(addrs) > 0 {
			f.post(addrs[rand.IntN(len(addrs))], d)
			f.mu.Lock()
			f.posts++
			f.repeats++
			f.mu.Unlock()
		}
	})
}

// holdBack waits until another body about the conversation has been answered, if there is one. The stubs send the
// updates of one kind one after the other, so that a press is overtaken by a text, and a message by the reports of what
// was answered to it, or the other way round.
func (f *front) holdBack(d delivery) {
	parts := d.parts()
	if len(parts) == 0 {
		return
	}
	conv := parts[0].conv
	f.mu.Lock()
	passed := f.passing[conv]
	if passed == nil {
		passed = make(chan struct{})
		f.passing[conv] = passed
	}
	f.mu.Unlock()
	select {
	case <-passed:
		f.mu.Lock()
		f.swaps++
		f.mu.Unlock()
	case <-time.After(300 * time.Millisecond):
	}
}

// delivery is a webhook's body as it came: an update of Telegram, or what WhatsApp had to tell of one person or several.
type delivery struct {
	path   string
	header http.Header
	body   []byte
}

func (f *front) keep(d delivery) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kept = append(f.kept, d)
}

// replay delivers every body that was kept once more, each to one process, and returns how many were not taken.
func (f *front) replay() (refused int) {
	addrs := f.fleet.running()
	for i, d := range f.kept {
		if f.deliver(d, addrs[i%len(addrs):][:1]) != http.StatusOK {
			refused++
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.repeats += len(f.kept)
	return refused
}

// close waits for what is still to be delivered again.
func (f *front) close() {
	close(f.closing)
	f.after.Wait()
	f.client.CloseIdleConnections()
}

func (f *front) post(addr string, d delivery) int {
	req, err := http.NewRequest(http.MethodPost, "http://"+addr+d.path, bytes.NewReader(d.body))
	if err != nil {
		return 0
	}
	for _, name := range []string{"Content-Type", "X-Telegram-Bot-Api-Secret-Token", "X-Hub-Signature-256"} {
		if value := d.header.Get(name); value != "" {
			req.Header.Set(name, value)
		}
	}
	res, err := f.client.Do(req)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body) // so that the connection is used again
	return res.StatusCode
}

// part is one update, or one report of what became of a message.
type part struct {
	id     string // the update's, or the message's
	conv   string // of a person by the name that this body tells
	status string // of a report
}

// parts are what is in a body.
func (d delivery) parts() (out []part) {
	if d.path != whatsapp.WebhookPath {
		id, chat := read(d.body)
		return []part{{id: strconv.Itoa(id), conv: conversation(byTelegram, chat)}}
	}
	var all struct {
		Entry []struct {
			Changes []struct {
				Value struct {
					Messages []struct {
						ID, From string
						UserID   string `json:"from_user_id"`
					}
					Statuses []struct {
						ID, Status string
						Recipient  string `json:"recipient_id"`
						UserID     string `json:"recipient_user_id"`
					}
				}
			}
		}
	}
	_ = json.Unmarshal(d.body, &all) // the stub wrote it
	for _, e := range all.Entry {
		for _, c := range e.Changes {
			for _, m := range c.Value.Messages {
				out = append(out, part{id: m.ID, conv: bot.ConversationID(whatsapp.Name, cmp.Or(m.From, m.UserID))})
			}
			for _, s := range c.Value.Statuses {
				out = append(out, part{id: s.ID, conv: bot.ConversationID(whatsapp.Name, cmp.Or(s.Recipient, s.UserID)), status: s.Status})
			}
		}
	}
	return out
}

// read returns the id of an update of Telegram's and the chat it came from.
func read(body []byte) (id int, chat int64) {
	type message struct{ Chat struct{ ID int64 } }
	var u struct {
		ID       int `json:"update_id"`
		Message  *message
		Callback *struct{ Message message } `json:"callback_query"`
	}
	_ = json.Unmarshal(body, &u) // the stub wrote it
	switch {
	case u.Message != nil:
		return u.ID, u.Message.Chat.ID
	case u.Callback != nil:
		return u.ID, u.Callback.Message.Chat.ID
	}
	return u.ID, 0
}
