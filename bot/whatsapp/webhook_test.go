package whatsapp

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"llave/bot"
	"llave/bot/wire"
)

// TestSigned: what counts as signed.
func TestSigned(t *testing.T) {
	body := fixture(t, "in_text.json")
	good := sign(body, testSecret)
	altered := bytes.Clone(body)
	altered[len(altered)/2] ^= 1
	tests := []struct {
		name, header string
		body         []byte
		secret       Secret
		want         bool
	}{
		{"signed", good, body, testSecret, true},
		{"empty body, signed", sign(nil, testSecret), nil, testSecret, true},
		{"upper-case digits", "sha256=" + strings.ToUpper(good[len("sha256="):]), body, testSecret, true},
		{"missing", "", body, testSecret, false},
		{"no prefix", good[len("sha256="):], body, testSecret, false},
		{"upper-case prefix", "SHA256=" + good[len("sha256="):], body, testSecret, false},
		{"the older signature", "sha1=" + good[len("sha256="):][:40], body, testSecret, false},
		{"prefix alone", "sha256=", body, testSecret, false},
		{"half", good[:len(good)/2], body, testSecret, false},
		{"a digit short", good[:len(good)-1], body, testSecret, false},
		{"two digits more", good + "00", body, testSecret, false},
		{"no digits", "sha256=" + strings.Repeat("x", 64), body, testSecret, false},
		{"space before", " " + good, body, testSecret, false},
		{"one byte altered", good, altered, testSecret, false},
		{"one byte more", good, append(bytes.Clone(body), '\n'), testSecret, false},
		{"one byte less", good, body[:len(body)-1], testSecret, false},
		{"another body's", sign([]byte("{}"), testSecret), body, testSecret, false},
		{"another app's", sign(body, "another-secret"), body, testSecret, false},
		{"signed with nothing", sign(body, ""), body, testSecret, false},
		{"no secret", good, body, "", false},
		{"no secret, signed with nothing", sign(body, ""), body, "", false},
	}
	for _, tt := range tests {
		mac, ok := readSignature(tt.header)
		if got := ok && signed(mac, tt.secret, tt.body); got != tt.want {
			t.Errorf("%s: got %t, want %t", tt.name, got, tt.want)
		}
	}
}

// FuzzSigned: only the signature of these bytes under this secret is one.
func FuzzSigned(f *testing.F) {
	body := fixture(f, "in_text.json")
	f.Add(body, sign(body, testSecret), testSecret)
	f.Add(body, sign(body, ""), "")
	f.Add([]byte{}, "sha256=", testSecret)
	f.Add(body, "sha256="+strings.Repeat("0", 64), testSecret)
	f.Fuzz(func(t *testing.T, body []byte, header, secret string) {
		mac, ok := readSignature(header)
		got := ok && signed(mac, Secret(secret), body)
		if want := secret != "" && strings.ToLower(header) == sign(body, secret) && strings.HasPrefix(header, "sha256="); got != want {
			t.Errorf("signed: got %t, want %t", got, want)
		}
	})
}

// TestHandler_forged: of 100,000 forged or altered bodies none is looked at (P702).
func TestHandler_forged(t *testing.T) {
	n := 100_000
	if testing.Short() {
		n = 10_000
	}
	b := newInbox(t, nil)
	h := b.c.Handler()
	var bodies [][]byte
	var signatures []string
	for _, pattern := range []string{"in_*.json", "status_*.json"} {
		files, err := filepath.Glob(filepath.Join(fixtures, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			bodies = append(bodies, fixture(t, filepath.Base(file)))
			signatures = append(signatures, sign(bodies[len(bodies)-1], testSecret))
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		which := random.IntN(len(bodies))
		body, signature := bytes.Clone(bodies[which]), signatures[which]
		at := random.IntN(len(body))
		switch i % 8 {
		case 0: // one bit
			body[at] ^= 1 << random.IntN(8)
		case 1: // a byte more
			body = slices.Insert(body, at, byte(random.IntN(256)))
		case 2: // a byte less
			body = slices.Delete(body, at, at+1)
		case 3: // another app's
			signature = sign(body, fmt.Sprint("secret", random.Uint64()))
		case 4: // one bit of the signature
			hex := []byte(signature)
			digit := len("sha256=") + random.IntN(64)
			hex[digit] = "0123456789abcdef"[(strings.IndexByte("0123456789abcdef", hex[digit])+1+random.IntN(15))%16]
			signature = string(hex)
		case 5: // another body's
			signature = signatures[(which+1)%len(signatures)]
		case 6: // made up
			sum := sha256.Sum256(body)
			signature = fmt.Sprintf("sha256=%x", sum)
		case 7: // cut, or none
			signature = signature[:random.IntN(len(signature))]
		}
		r := &http.Request{
			Method: http.MethodPost, Header: http.Header{signatureHeader: {signature}}, URL: &url.URL{Path: WebhookPath},
			Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
		}
		rec := httptest.NewRecorder()
		if h.ServeHTTP(rec, r); rec.Code != http.StatusUnauthorized || rec.Body.Len() != 0 {
			t.Fatalf("forgery %d of kind %d: got %d with %d bytes, want an empty 401", i, i%8, rec.Code, rec.Body.Len())
		}
	}
	if b.calls != 0 || b.people.asked != 0 || b.ledger.asked != 0 {
		t.Errorf("asked: conversation %d, people %d, deliveries %d times, want never", b.calls, b.people.asked, b.ledger.asked)
	}
	if got := b.counted(CountRefused); got != n {
		t.Errorf("%d refused, want %d", got, n)
	}
	if said := strings.Count(b.logs.String(), "\n"); len(b.c.marks) != 0 || said != 2 || strings.Count(b.logs.String(), "refused") != 2 {
		t.Errorf("%d to be marked as read, log %q, want none, and one line each for what is signed wrongly and not at all", len(b.c.marks), b.logs)
	}
}

// Webhooks that do not fit our settings are a warning that names the setting, once a minute, and repeats nothing of what came.
func TestHandler_wrongSettings(t *testing.T) {
	other := []byte(`{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{"metadata":{"phone_number_id":"555000111"},"messages":[{"from":"593990000001","id":"wamid.1","timestamp":"1795300000","type":"text","text":{"body":"hola"}}]}}]}]}`)
	for name, tt := range map[string]struct {
		send   func(b *inbox) int
		status int
		names  string
	}{
		"another number id": {func(b *inbox) int { return serve(b.c.Handler(), other, sign(other, testSecret)).Code }, 200, "LLAVE_WHATSAPP_PHONE_NUMBER_ID"},
		"another secret":    {func(b *inbox) int { return serve(b.c.Handler(), other, sign(other, testSecret+"x")).Code }, 401, "LLAVE_WHATSAPP_APP_SECRET"},
		"no signature":      {func(b *inbox) int { return serve(b.c.Handler(), other, "").Code }, 401, "X-Hub-Signature-256"},
		"another verify token": {func(b *inbox) int {
			rec := httptest.NewRecorder()
			b.c.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, WebhookPath+"?hub.mode=subscribe&hub.challenge=1&hub.verify_token=555000111", nil))
			return rec.Code
		}, 401, "LLAVE_WHATSAPP_VERIFY_TOKEN"},
	} {
		b := newInbox(t, nil)
		for range 20 {
			if got := tt.send(b); got != tt.status {
				t.Fatalf("%s: got %d, want %d", name, got, tt.status)
			}
		}
		log := b.logs.String()
		if strings.Count(log, "\n") != 1 || !strings.Contains(log, `"level":"WARN"`) || !strings.Contains(log, tt.names) {
			t.Errorf("%s: log %q, want one warning that names %s", name, log, tt.names)
		}
		for _, came := range []string{"555000111", "593990000001", "hola", testSecret} {
			if strings.Contains(log, came) {
				t.Errorf("%s: the log repeats %q", name, came)
			}
		}
	}
}

// untouchable is a body that must not be read.
type untouchable struct{ t *testing.T }

func (u untouchable) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

// broken is a body whose sender goes away.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestHandler_statuses shows P701.
func TestHandler_statuses(t *testing.T) {
	b := newInbox(t, nil)
	text := string(fixture(t, "in_text.json"))
	b.fail = func(u bot.Update) error {
		if u.Text == "down" {
			return errStore
		}
		return nil
	}
	blanks := func(s string, n int) string { return s + strings.Repeat(" ", n-len(s)) }
	tests := []struct {
		name, method, body string
		reader             io.Reader // instead of body
		length             int64     // of the Content-Length header, where it is not the body's
		unsigned           bool
		status, handled    int
	}{
		{name: "a message", method: "POST", body: text, status: 200, handled: 1},
		{name: "again", method: "POST", body: text, status: 200, handled: 1},
		{name: "what nobody handles", method: "POST", body: `{"object":"page","entry":[]}`, status: 200},
		{name: "another field", method: "POST", body: `{"entry":[{"changes":[{"field":"account_update","value":{"event":"X"}}]}]}`, status: 200},
		{name: "a report on nothing of ours", method: "POST", body: string(fixture(t, "status_failed_131026.json")), status: 200},
		{name: "store down", method: "POST", body: hook(messages(said("593990000001", "wamid.D", "down"))), status: 503, handled: 1},
		{name: "unsigned", method: "POST", reader: untouchable{t}, length: 9, unsigned: true, status: 401},
		{name: "unsigned and too large", method: "POST", reader: untouchable{t}, length: bodyMax + 1, unsigned: true, status: 401},
		{name: "4 MiB", method: "POST", body: blanks(text, bodyMax), status: 200, handled: 1},
		{name: "4 MiB and a byte", method: "POST", body: blanks(text, bodyMax+1), status: 413},
		{name: "4 MiB and a byte, not said before", method: "POST", body: blanks("", bodyMax+1), length: -1, status: 413},
		{name: "said to be too large", method: "POST", reader: untouchable{t}, length: bodyMax + 1, status: 413},
		{name: "broken off", method: "POST", reader: broken{}, length: 9, status: 400},
		{name: "empty", method: "POST", body: "", status: 400},
		{name: "no JSON", method: "POST", body: "hola", status: 400},
		{name: "half", method: "POST", body: text[:40], status: 400},
		{name: "no object", method: "POST", body: `[]`, status: 400},
		{name: "PUT", method: "PUT", reader: untouchable{t}, length: 9, status: 405},
		{name: "HEAD", method: "HEAD", reader: untouchable{t}, status: 405},
		{name: "DELETE", method: "DELETE", reader: untouchable{t}, status: 405},
		{name: "GET without anything", method: "GET", reader: untouchable{t}, status: 401},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := b.calls
			body := tt.reader
			if body == nil {
				body = strings.NewReader(tt.body)
			}
			r := httptest.NewRequest(tt.method, WebhookPath, body)
			if tt.length != 0 {
				r.ContentLength = tt.length
			}
			if !tt.unsigned {
				r.Header.Set(signatureHeader, sign([]byte(tt.body), testSecret))
			}
			rec := httptest.NewRecorder()
			b.c.Handler().ServeHTTP(rec, r)
			if rec.Code != tt.status {
				t.Errorf("got %d, want %d", rec.Code, tt.status)
			}
			if got := b.calls - before; got != tt.handled {
				t.Errorf("%d updates given to the conversation, want %d", got, tt.handled)
			}
			if rec.Body.Len() != 0 {
				t.Errorf("body %q, want none", rec.Body)
			}
			if tt.status == 405 && rec.Header().Get("Allow") != "GET, POST" {
				t.Errorf("Allow: %q, want GET, POST", rec.Header().Get("Allow"))
			}
		})
	}
}

// TestHandler_noRoom: where the room for strangers' bodies is taken, a webhook is to come again, and does. One that is known to be
// WhatsApp's takes none of it while it is handled.
func TestHandler_noRoom(t *testing.T) {
	bodies := wire.NewBodies()
	b := newInbox(t, func(o *Options) { o.Bodies = bodies })
	var taken []*wire.Body
	fill := func() {
		for { // what has arrived does not give way
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(strings.Repeat("x", 1<<20)))
			body, err := bodies.Read(httptest.NewRecorder(), r, bodyMax, 1)
			if err != nil {
				return
			}
			taken = append(taken, body)
		}
	}
	body := []byte(hook(messages(said("593990000001", "wamid.1", "uno"))))
	fill()
	rec := serve(b.c.Handler(), body, sign(body, testSecret))
	if rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Retry-After") != "2" || rec.Body.Len() != 0 || b.calls != 0 {
		t.Errorf("got %d after %q with %d bytes, %d handled, want an empty 503 after 2 s", rec.Code, rec.Header().Get("Retry-After"), rec.Body.Len(), b.calls)
	}
	if got := b.counted(CountNoRoom); got != 1 {
		t.Errorf("counted %d times, want once", got)
	}
	if rec := serve(b.c.Handler(), body, ""); rec.Code != http.StatusUnauthorized {
		t.Errorf("unsigned: got %d, want 401", rec.Code)
	}
	for _, other := range taken {
		other.Release()
	}
	taken = nil
	b.fail = func(bot.Update) error { fill(); return nil }
	if rec := serve(b.c.Handler(), body, sign(body, testSecret)); rec.Code != http.StatusOK || len(taken) != 6 {
		t.Errorf("got %d, and %d MiB had room beside it, want 200 and all six", rec.Code, len(taken))
	}
}

// TestHandler_registration: the challenge goes back to who knows the token, to nobody else.
func TestHandler_registration(t *testing.T) {
	b := newInbox(t, nil)
	tests := []struct {
		name, mode, token, challenge string
		status                       int
	}{
		{"right", "subscribe", testVerify, "1158201444", 200},
		{"any challenge", "subscribe", testVerify, "<b>&", 200},
		{"wrong token", "subscribe", testVerify + "x", "1", 401},
		{"no token", "subscribe", "", "1", 401},
		{"another mode", "unsubscribe", testVerify, "1", 401},
		{"no mode", "", testVerify, "1", 401},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q := url.Values{"hub.mode": {tt.mode}, "hub.verify_token": {tt.token}, "hub.challenge": {tt.challenge}}
			rec := httptest.NewRecorder()
			b.c.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, WebhookPath+"?"+q.Encode(), nil))
			want := ""
			if tt.status == 200 {
				want = tt.challenge
			}
			if rec.Code != tt.status || rec.Body.String() != want {
				t.Errorf("got %d %q, want %d %q", rec.Code, rec.Body, tt.status, want)
			}
			if kind := rec.Header().Get("Content-Type"); tt.status == 200 && kind != "text/plain; charset=utf-8" {
				t.Errorf("content type %q, want plain text", kind)
			}
		})
	}
}

// TestHandler_everythingOnce: several entries, changes, messages and persons in one body, each once and in order, also
// when the body comes again.
func TestHandler_everythingOnce(t *testing.T) {
	b := newInbox(t, nil)
	const a, z = "593990000001", "593990000002"
	body := `{"object":"whatsapp_business_account","entry":[` +
		`{"id":"1","changes":[` + change(messages(said(a, "wamid.1", "uno"), said(z, "wamid.2", "eins"), said(a, "wamid.3", "dos"))) + `,` + change(messages(said(a, "wamid.4", "tres"))) + `]},` +
		`{"id":"1","changes":[{"field":"account_update","value":{}},` + change(messages(said(z, "wamid.5", "zwei"), said(a, "wamid.6", "cuatro")), statuses(`{"id":"wamid.O","status":"delivered"}`)) + `]}]}`
	for range 3 {
		if got := b.post(body); got != 200 {
			t.Fatalf("got %d, want 200", got)
		}
	}
	if got, want := b.texts(), map[string]string{a: "uno dos tres cuatro", z: "eins zwei"}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := b.ledger.status("wamid.O"); got != Delivered {
		t.Errorf("report: got %q, want %q", got, Delivered)
	}
	if got := b.counted(CountIgnored); got != 3 {
		t.Errorf("%d parts ignored, want 3", got)
	}
}

// TestHandler_oneFails: what fails holds up what the same person did after it, and nobody else; when the body comes
// again, all is made up for.
func TestHandler_oneFails(t *testing.T) {
	const a, z = "593990000001", "593990000002"
	body := hook(messages(said(a, "wamid.1", "uno"), said(z, "wamid.2", "eins"), said(a, "wamid.3", "dos"), said(a, "wamid.4", "tres"), said(z, "wamid.5", "zwei")),
		statuses(`{"id":"wamid.O","status":"read"}`))
	tests := []struct {
		name   string
		broken func(b *inbox)
		after  map[string]string // what was said before it is mended
	}{
		{"conversation", func(b *inbox) {
			b.fail = func(u bot.Update) error {
				if u.Text == "dos" {
					return errStore
				}
				return nil
			}
		}, map[string]string{a: "uno", z: "eins zwei"}},
		{"panic", func(b *inbox) {
			b.fail = func(u bot.Update) error {
				if u.Text == "dos" {
					panic(u.Chat)
				}
				return nil
			}
		}, map[string]string{a: "uno", z: "eins zwei"}},
		{"people", func(b *inbox) {
			b.people.fail = func(n Names) error {
				if n.Phone == a {
					return errStore
				}
				return nil
			}
		}, map[string]string{z: "eins zwei"}},
		{"deliveries", func(b *inbox) {
			b.ledger.fail = func(string) error { return errStore }
		}, map[string]string{a: "uno dos tres", z: "eins zwei"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newInbox(t, nil)
			tt.broken(b)
			for range 2 {
				if got := b.post(body); got != 503 {
					t.Fatalf("got %d, want 503", got)
				}
			}
			if got := b.texts(); fmt.Sprint(got) != fmt.Sprint(tt.after) {
				t.Errorf("got %v, want %v", got, tt.after)
			}
			b.fail, b.people.fail, b.ledger.fail = nil, nil, nil
			if got := b.post(body); got != 200 {
				t.Fatalf("mended: got %d, want 200", got)
			}
			if got, want := b.texts(), map[string]string{a: "uno dos tres", z: "eins zwei"}; fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("mended: got %v, want %v", got, want)
			}
			if got := b.ledger.status("wamid.O"); got != Read {
				t.Errorf("report: got %q, want %q", got, Read)
			}
			if strings.Count(b.logs.String(), "webhook not handled") != 2 {
				t.Errorf("want one line for each 503, got %s", b.logs)
			}
		})
	}
}

// TestHandler_oneLine: a person's messages stay in order by whatever names each of them is called.
func TestHandler_oneLine(t *testing.T) {
	text := func(sender, words string) string {
		return `{` + sender + `,"id":"wamid.` + words + `","timestamp":"1795300000","type":"text","text":{"body":"` + words + `"}}`
	}
	phone, id := `"from":"593990000001"`, `"from_user_id":"EC.old"`
	body := hook(messages(
		text(id, "a"), text(phone, "b"), text(`"from":"593990000007"`, "x"), text(phone+","+id, "c"),
		`{`+phone+`,"id":"wamid.S","timestamp":"1","type":"system","system":{"wa_id":"593990000003","user_id":"EC.new","previous_user_id":"EC.old"}}`,
		text(`"from_user_id":"EC.new"`, "d"), text(`"from":"593990000003"`, "e"),
	))
	all, err := decode([]byte(body), testNumberID)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, line := range linesOf(all) {
		s := ""
		for _, in := range line {
			if s += in.Text; !in.to.Empty() {
				s += ">"
			}
		}
		got = append(got, s)
	}
	if want := []string{"abc>de", "x"}; !slices.Equal(got, want) {
		t.Errorf("got lines %q, want %q", got, want)
	}

	b := newInbox(t, nil)
	// They are known by both names already, and by the first of them.
	if _, err := b.people.Find(t.Context(), Names{Phone: "593990000001", UserID: "EC.old"}); err != nil {
		t.Fatal(err)
	}
	if got := b.post(body); got != 200 {
		t.Fatalf("got %d, want 200", got)
	}
	if got := b.texts()["593990000001"]; got != "a b c d e" {
		t.Errorf("got %q, want %q", got, "a b c d e")
	}
	if to, _ := b.people.Address(t.Context(), "593990000001"); to != (Names{"593990000003", "EC.new"}) {
		t.Errorf("they are written to as %+v now", to)
	}
	if got := b.counted(CountMoved); got != 1 {
		t.Errorf("%d moved, want 1", got)
	}
}

// TestHandler_reports: reports move forward only, and a failure reaches the conversation, once.
func TestHandler_reports(t *testing.T) {
	b := newInbox(t, nil)
	report := func(wamid, status, more string) string {
		return `{"id":"` + wamid + `","status":"` + status + `","timestamp":"1795300000","recipient_id":"593990000001"` + more + `}`
	}
	for _, id := range []string{"wamid.1", "wamid.2", "wamid.3"} {
		if _, err := b.ledger.Sent(t.Context(), id, "593990000001", bot.Reply{Text: id}); err != nil {
			t.Fatal(err)
		}
	}
	no := `,"errors":[{"code":131026},{"code":1}]`
	down := true
	b.fail = func(bot.Update) error {
		if down {
			return errStore
		}
		return nil
	}
	body := hook(statuses(
		report("wamid.1", "read", ""), report("wamid.1", "sent", ""), report("wamid.1", "delivered", ""), report("wamid.1", "failed", no),
		report("wamid.2", "sent", ""), report("wamid.2", "failed", no), report("wamid.2", "delivered", ""),
		report("wamid.3", "failed", `,"errors":[{"code":"131047"}]`), report("wamid.9", "failed", no),
	))
	if got := b.post(body); got != 503 {
		t.Fatalf("got %d, want 503", got)
	}
	down = false
	for range 2 {
		if got := b.post(body); got != 200 {
			t.Fatalf("got %d, want 200", got)
		}
	}
	for id, want := range map[string]Status{"wamid.1": Read, "wamid.2": Failed, "wamid.3": Failed} {
		if got := b.ledger.status(id); got != want {
			t.Errorf("%s: got %q, want %q", id, got, want)
		}
	}
	got := b.updates()
	slices.SortFunc(got, func(x, y bot.Update) int { return strings.Compare(x.ID, y.ID) })
	if len(got) != 2 {
		t.Fatalf("got %+v, want the two that failed", got)
	}
	for i, want := range []struct {
		id      string
		failure bot.Failure
	}{{"wamid.2", bot.Gone}, {"wamid.3", bot.Closed}} {
		u := got[i]
		if u.ID != "status/"+want.id || u.Kind != bot.Undelivered || u.Channel != Name || u.Chat != "593990000001" || u.Failure != want.failure || u.Again == nil || u.Again.Text != want.id || !u.At.Equal(fixtureDate) {
			t.Errorf("got %+v, want %s undelivered, %s", u, want.id, want.failure)
		}
	}
}

// TestHandler_large: a body of 3 MB with thousands of reports, and a few messages, handled a few at a time.
func TestHandler_large(t *testing.T) {
	b := newInbox(t, nil)
	var now, most atomic.Int64
	busy := func() func() {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		time.Sleep(50 * time.Microsecond)
		return func() { now.Add(-1) }
	}
	b.ledger.fail = func(string) error { return nil }
	deliveries := slow{b.ledger, busy}
	b.c.opt.Deliveries = deliveries
	var list []string
	for i := range 12_000 {
		id := fmt.Sprintf("wamid.HBgMNTkzOTkwMDAwMDAxFQIAERgSMzBDNkVCNkI0RENGQTVD%06d", i/3)
		status := []string{"read", "sent", "delivered"}[i%3]
		list = append(list, fmt.Sprintf(`{"id":%q,"status":%q,"timestamp":"1795300000","recipient_id":"593990000001","conversation":{"id":"d3f1c2","origin":{"type":"service"}},"pricing":{"billable":true,"pricing_model":"PMP","category":"service"}}`, id, status))
	}
	var texts []string
	for i := range 20 {
		texts = append(texts, said("593990000001", fmt.Sprint("wamid.", i), fmt.Sprint(i)))
	}
	body := hook(messages(texts...), statuses(list...))
	if len(body) < 2_800_000 || len(body) > bodyMax {
		t.Fatalf("the body has %d bytes", len(body))
	}
	start := time.Now()
	if got := b.post(body); got != 200 {
		t.Fatalf("got %d, want 200", got)
	}
	t.Logf("%d bytes in %v, at most %d at a time", len(body), time.Since(start), most.Load())
	if got := most.Load(); got > bodyWorkers || got < 2 {
		t.Errorf("%d at a time, want 2 to %d", got, bodyWorkers)
	}
	if got, want := b.texts()["593990000001"], "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for id, s := range b.ledger.at {
		if s != Read {
			t.Fatalf("%s is %q, want %q", id, s, Read)
		}
	}
	if got := len(b.ledger.at); got != 4000 {
		t.Errorf("reports on %d messages, want 4000", got)
	}
}

// slow is a ledger that says how many write in it at a time.
type slow struct {
	*ledger
	busy func() (done func())
}

func (s slow) Moved(ctx context.Context, wamid string, to Status, code int) (string, *bot.Reply, bool, error) {
	defer s.busy()()
	return s.ledger.Moved(ctx, wamid, to, code)
}

// TestHandler_senderGone: when Meta has hung up, what was not begun is left for the next time.
func TestHandler_senderGone(t *testing.T) {
	b := newInbox(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	b.fail = func(u bot.Update) error {
		if u.Text == "uno" {
			cancel()
		}
		return nil
	}
	body := []byte(hook(messages(said("593990000001", "wamid.1", "uno"), said("593990000001", "wamid.2", "dos"))))
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, WebhookPath, bytes.NewReader(body))
	r.Header.Set(signatureHeader, sign(body, testSecret))
	rec := httptest.NewRecorder()
	b.c.Handler().ServeHTTP(rec, r)
	if got := b.texts()["593990000001"]; rec.Code != 503 || got != "uno" {
		t.Errorf("got %d after %q, want 503 after the first", rec.Code, got)
	}
}

// TestHandler_silent: neither a secret nor a person's name, nor the id of a message, is in any log line or error.
func TestHandler_silent(t *testing.T) {
	const phone, user, id, words = "593990000001", "EC.123abcdef", "wamid.HBgMNTkzOTkwMDAwMDAx", "mi cédula es 1710034065"
	b := newInbox(t, func(o *Options) { o.APIURL = "http://127.0.0.1:1" })
	b.ledger.chats[id] = phone
	quoting := fmt.Errorf("load conversation whatsapp:%s of %s for %s: %w", phone, user, id, errStore)
	body := hook(`"contacts":[{"wa_id":"`+phone+`","user_id":"`+user+`"}]`, messages(said(phone, id, words), `{"from":"`+phone+`","id":"x`+id+`","type":"revoke"}`,
		`{"from":"`+phone+`","id":"y`+id+`","type":"system","system":{"user_id":"EC.456","previous_user_id":"`+user+`"}}`),
		statuses(`{"id":"`+id+`","status":"failed","recipient_id":"`+phone+`","errors":[{"code":131026,"title":"to `+phone+`"}]}`), `"errors":[{"code":1,"message":"`+phone+`"}]`)
	b.post(body)
	b.fail = func(bot.Update) error { return quoting }
	b.post(body)
	b.fail = func(u bot.Update) error { panic(u.Chat) }
	b.post(body)
	b.fail, b.people.fail = nil, func(Names) error { return quoting }
	b.post(body)
	b.people.fail, b.ledger.fail = nil, func(string) error { return quoting }
	b.post(body)
	b.post(body[:len(body)-4])
	serve(b.c.Handler(), []byte(body), sign([]byte(body), "another"))
	rec := httptest.NewRecorder()
	b.c.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, WebhookPath+"?hub.mode=subscribe&hub.challenge=1&hub.verify_token=x"+testVerify, nil))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.c.Run(ctx) }()
	for end := time.Now().Add(20 * time.Second); b.counted(CountUnmarked) == 0 && time.Now().Before(end); time.Sleep(time.Millisecond) {
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
	logs := b.logs.String() + fmt.Sprintf("%v %+v %#v", b.c.opt.Tokens, b.c.opt.AppSecret, b.c.opt.VerifyToken)
	if j, err := json.Marshal([]Secret{b.c.opt.PhoneNumberID, b.c.opt.AppSecret}); err != nil || string(j) != `["[redacted]","[redacted]"]` {
		t.Errorf("secrets as JSON: %s, %v", j, err)
	}
	for _, want := range []string{"not handled", "panicked", "not delivered", "reports an error", "not marked", "ignored", "store cannot be reached"} {
		if !strings.Contains(logs, want) {
			t.Errorf("nothing about %q was logged", want)
		}
	}
	for _, secret := range []string{testToken, testSecret, testVerify, testNumberID, phone, user, "HBgMNTkz", "1710034065", "EC.456"} {
		if strings.Contains(logs, secret) {
			t.Errorf("the log holds %q:\n%s", secret, logs)
		}
	}
}

func TestNew_refuses(t *testing.T) {
	b := newInbox(t, nil)
	tests := []struct {
		name   string
		change func(o *Options)
		want   string
	}{
		{"no token", func(o *Options) { o.Tokens = nil }, "no access token"},
		{"an empty token", func(o *Options) { o.Tokens = []Secret{testToken, ""} }, "access token"},
		{"a token with a line's end", func(o *Options) { o.Tokens = []Secret{testToken + "\n"} }, "access token"},
		{"a number for its id", func(o *Options) { o.PhoneNumberID = "+593 99 000 0001" }, "phone number id"},
		{"no app secret", func(o *Options) { o.AppSecret = "" }, "app secret"},
		{"no verify token", func(o *Options) { o.VerifyToken = "" }, "verify token"},
		{"API URL", func(o *Options) { o.APIURL = "graph.facebook.com" }, "URL"},
		{"API version", func(o *Options) { o.APIVersion = "26" }, "version"},
		{"template", func(o *Options) { o.Template = "hola" }, "template"},
		{"template's name", func(o *Options) { o.Template = "Hola:es" }, "template"},
		{"handler", func(o *Options) { o.Handle = nil }, "handler"},
		{"people", func(o *Options) { o.People = nil }, "people"},
		{"deliveries", func(o *Options) { o.Deliveries = nil }, "deliveries"},
	}
	for _, tt := range tests {
		opt := b.c.opt
		tt.change(&opt)
		_, err := New(opt)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\nwhatsapp") {
			t.Errorf("%s: got %v, want one error about the %s", tt.name, err, tt.want)
			continue
		}
		for _, secret := range []string{testToken, testSecret, testVerify, testNumberID, "593"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%s: the error holds %q", tt.name, secret)
			}
		}
	}
	_, err := New(Options{})
	if err == nil || strings.Count(err.Error(), "whatsapp: ") != 7 {
		t.Errorf("nothing set: got %v, want all seven mistakes", err)
	}
	for _, tmpl := range []string{"", "case_update:es", "case_update_2:es_EC", "x:fil", "x:zh_Hans_CN"} {
		opt := b.c.opt
		opt.Template = tmpl
		if _, err := New(opt); err != nil {
			t.Errorf("template %q: %v", tmpl, err)
		}
	}
}

// TestWithout: an error's words without what names a person.
func TestWithout(t *testing.T) {
	err := errors.New("find EC.1 of 593990000001 or 593990000002 at 10.0.0.7:27017: wamid.HBgM=")
	if got, want := without(err, "", "593990000001", "EC.1"), "find [redacted] of [redacted] or [redacted] at 10.0.0.7:27017: [redacted]"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// BenchmarkHandler is webhooks a second through the handler, commit excluded.
func BenchmarkHandler(b *testing.B) {
	people, deliveries := newDirectory(), newLedger()
	c, err := New(Options{
		Tokens: []Secret{testToken}, PhoneNumberID: testNumberID, AppSecret: testSecret, VerifyToken: testVerify,
		Handle: func(context.Context, bot.Update) error { return nil }, People: people, Deliveries: deliveries,
	})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	for _, name := range []string{"in_button_reply", "status_delivered"} {
		b.Run(name, func(b *testing.B) {
			h, raw := c.Handler(), fixture(b, name+".json")
			signature := sign(raw, testSecret)
			b.ReportAllocs()
			for b.Loop() {
				if rec := serve(h, raw, signature); rec.Code != 200 {
					b.Fatalf("status %d", rec.Code)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "webhooks/s")
		})
	}
}
