package chaos

import (
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"
)

// repeated is the share of updates that are delivered to every process at once, and late that of those that come once
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

	swapped float64 // the share of updates that are held back until the chat's next has been answered, or for a while
	copies  int     // every update is delivered so often at once, spread over all processes, and kept; 0: see repeated

	mu      sync.Mutex
	kept    []delivery
	passing map[int64]chan struct{} // chat → closed when an update of it has been answered, where one is held back
	swaps   int                     // updates that were overtaken
	acked   map[int]int64           // update → chat
	posts   int
	repeats int
	after   sync.WaitGroup
	closing chan struct{}
}

func newFront(f *fleet) *front {
	return &front{
		fleet: f, acked: map[int]int64{}, passing: map[int64]chan struct{}{}, closing: make(chan struct{}),
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
	if r.URL.Path != "/webhooks/telegram" {
		proxy := &httputil.ReverseProxy{
			Transport: f.client.Transport,
			Rewrite: func(p *httputil.ProxyRequest) {
				p.SetURL(&url.URL{Scheme: "http", Host: addrs[0]})
				p.Out.Host = p.In.Host
				p.Out.Header["X-Forwarded-For"] = p.In.Header["X-Forwarded-For"] // a made-up one of each person
			},
			ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
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
		f.keep(r.Header, body)
	} else if rand.Float64() < repeated {
		to = append(addrs, addrs[0]) // at least twice, and once to each
	}
	if rand.Float64() < f.swapped {
		f.holdBack(body)
	}
	status := f.deliver(r.Header, body, to)
	if status == http.StatusOK && rand.Float64() < late {
		f.again(r.Header.Clone(), body)
	}
	w.WriteHeader(status)
}

// deliver posts an update to processes at once; one that answers 200 has acknowledged it.
func (f *front) deliver(h http.Header, body []byte, to []string) int {
	answers := make(chan int, len(to))
	for _, addr := range to {
		go func() { answers <- f.post(addr, h, body) }()
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
	if status == http.StatusOK {
		id, chat := read(body)
		f.acked[id] = chat
		if passed := f.passing[chat]; passed != nil {
			close(passed)
			delete(f.passing, chat)
		}
	}
	return status
}

// again delivers an update once more, after a while.
func (f *front) again(h http.Header, body []byte) {
	f.after.Go(func() {
		select {
		case <-f.closing:
			return
		case <-time.After(time.Duration(1+rand.IntN(5)) * time.Second):
		}
		if addrs := f.fleet.running(); len(addrs) > 0 {
			f.post(addrs[rand.IntN(len(addrs))], h, body)
			f.mu.Lock()
			f.posts++
			f.repeats++
			f.mu.Unlock()
		}
	})
}

// holdBack waits until another update of the chat has been answered, if there is one.
func (f *front) holdBack(body []byte) {
	_, chat := read(body)
	f.mu.Lock()
	passed := f.passing[chat]
	if passed == nil {
		passed = make(chan struct{})
		f.passing[chat] = passed
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

// delivery is an update as it came.
type delivery struct {
	header http.Header
	body   []byte
}

func (f *front) keep(h http.Header, body []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kept = append(f.kept, delivery{h.Clone(), body})
}

// replay delivers every update that was kept once more, each to one process, and returns how many were not taken.
func (f *front) replay() (refused int) {
	addrs := f.fleet.running()
	for i, d := range f.kept {
		if f.deliver(d.header, d.body, addrs[i%len(addrs):][:1]) != http.StatusOK {
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

func (f *front) post(addr string, h http.Header, body []byte) int {
	req, err := http.NewRequest(http.MethodPost, "http://"+addr+"/webhooks/telegram", bytes.NewReader(body))
	if err != nil {
		return 0
	}
	for _, name := range []string{"Content-Type", "X-Telegram-Bot-Api-Secret-Token"} {
		req.Header.Set(name, h.Get(name))
	}
	res, err := f.client.Do(req)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body) // so that the connection is used again
	return res.StatusCode
}

// read returns an update's id and the chat it came from.
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
