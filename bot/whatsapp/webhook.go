package whatsapp

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"llave/bot"
	"llave/bot/wire"
)

const (
	bodyMax         = 4 << 20
	signatureHeader = "X-Hub-Signature-256"
	handleTimeout   = 30 * time.Second // one message or report
	bodyWorkers     = 16               // persons of one body handled at a time
)

// Handler is the webhook.
//
// POST answers 200 once everything in the body is durable (or nobody handles it), 503 when something is not or there is no room
// for the body, 401 without body for a missing or wrong signature, 413 over 4 MiB, and 400 for what is not a webhook's body.
// The signature is checked over the raw bytes before anything in them is read; where there is none they are not taken in.
//
// GET is how Meta registers the webhook: whoever knows the verify token gets the challenge back. Other methods get 405.
func (c *Channel) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodGet:
			c.register(w, r)
		case http.MethodPost:
			w.WriteHeader(c.receive(w, r))
		default:
			w.Header().Set("Allow", "GET, POST")
			w.WriteHeader(http.StatusMethodNotAllowed)
		}
	})
}

// strange are the warnings of webhooks that are not for us as we are set up: each says which setting to look at.
type strange struct{ number, secret, unsigned, token wire.Seldom }

func (c *Channel) register(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	verify := c.client.access.Load().Verify
	got, want := sha256.Sum256([]byte(q.Get("hub.verify_token"))), sha256.Sum256([]byte(verify))
	if subtle.ConstantTimeCompare(got[:], want[:]) != 1 || verify == "" || q.Get("hub.mode") != "subscribe" {
		c.opt.Count(CountRefused)
		c.strange.token.Warn(c.log, "a webhook cannot be verified, its verify token is not ours: LLAVE_WHATSAPP_VERIFY_TOKEN must be what stands in Meta's app, under WhatsApp, Configuration")
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if _, err := io.WriteString(w, q.Get("hub.challenge")); err != nil { //nolint:gosec // only who knows the token gets it back, as text/plain with nosniff
		c.log.Debug("the challenge could not be answered", "err", err)
	}
}

func (c *Channel) receive(w http.ResponseWriter, r *http.Request) (status int) {
	mac, ok := readSignature(r.Header.Get(signatureHeader))
	if !ok {
		c.opt.Count(CountRefused)
		c.strange.unsigned.Warn(c.log, "a webhook without a signature was refused: Meta signs all of its own, so somebody else sends this, or a proxy drops the header X-Hub-Signature-256")
		return http.StatusUnauthorized
	}
	raw, status := c.readSigned(w, r, mac)
	if status != http.StatusOK {
		return status
	}
	all, err := decode(raw, string(c.opt.PhoneNumberID))
	if err != nil {
		c.opt.Count(CountMalformed)
		return http.StatusBadRequest
	}
	if !c.takeAll(r.Context(), all) {
		return http.StatusServiceUnavailable
	}
	return http.StatusOK
}

// readSigned reads a body that has this signature. Until that is known it counts among those of strangers.
func (c *Channel) readSigned(w http.ResponseWriter, r *http.Request, mac []byte) (raw []byte, status int) {
	body, err := c.opt.Bodies.Read(w, r, bodyMax, 1)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, http.StatusRequestEntityTooLarge
	case errors.Is(err, wire.ErrNoRoom):
		c.opt.Count(CountNoRoom)
		w.Header().Set("Retry-After", strconv.Itoa(int(wire.RetryAfter.Seconds())))
		return nil, http.StatusServiceUnavailable
	case err != nil:
		return nil, http.StatusBadRequest
	}
	defer body.Release()
	if !signed(mac, c.client.access.Load().App, body.Blocks()...) {
		c.opt.Count(CountRefused)
		c.strange.secret.Warn(c.log, "a webhook was refused, it is signed with another secret: LLAVE_WHATSAPP_APP_SECRET must be the app secret of Meta's app, under App settings, Basic; if it is, somebody else sends this")
		return nil, http.StatusUnauthorized
	}
	return body.Bytes(), http.StatusOK
}

// readSignature reads the header's "sha256=" and 64 hexadecimal digits.
func readSignature(header string) (mac []byte, ok bool) {
	digits, ok := strings.CutPrefix(header, "sha256=")
	if !ok || len(digits) != hex.EncodedLen(sha256.Size) {
		return nil, false
	}
	mac, err := hex.DecodeString(digits)
	return mac, err == nil
}

// signed says whether [mac] is that of a [body], in pieces, under the [secret]. Without a secret nothing is signed.
func signed(mac []byte, secret Secret, body ...[]byte) bool {
	h := hmac.New(sha256.New, []byte(secret))
	for _, piece := range body {
		h.Write(piece)
	}
	return hmac.Equal(h.Sum(nil), mac) && secret != ""
}

// takeAll handles the parts of one body and says whether none need come again: each line in order, several at a time.
func (c *Channel) takeAll(ctx context.Context, all []incoming) bool {
	lines := linesOf(all)
	for _, line := range lines {
		c.markLater(line)
	}
	var failed atomic.Int32
	work := func(line []incoming) {
		for _, in := range line {
			if err := c.take(ctx, in); err != nil {
				c.opt.Count(CountHandleFailed)
				if failed.Add(1) == 1 { // the others most likely for the same reason
					c.log.Error("webhook not handled, WhatsApp will send it again", "what", in.what(), "err", without(err, in.secrets()...))
				}
				return
			}
		}
	}
	if len(lines) == 1 {
		work(lines[0])
		return failed.Load() == 0
	}
	queue := make(chan []incoming)
	var workers sync.WaitGroup
	for range min(bodyWorkers, len(lines)) {
		workers.Go(func() {
			for line := range queue {
				work(line)
			}
		})
	}
	for _, line := range lines {
		queue <- line
	}
	close(queue)
	workers.Wait()
	return failed.Load() == 0
}

// linesOf puts the parts of a body that must be handled one after the other into one line: those of one person, by
// whatever of their names, and the reports on one message. Lines, and what is in them, keep the body's order.
func linesOf(all []incoming) [][]incoming {
	first := map[string]int{}       // by name: the part that had it first
	joined := make([]int, len(all)) // part → an earlier one of the same line
	root := func(i int) int {
		for joined[i] != i {
			i = joined[i]
		}
		return i
	}
	for i, in := range all {
		joined[i] = i
		for _, key := range in.keys() {
			other, ok := first[key]
			if !ok {
				first[key] = i
				continue
			}
			a, b := root(i), root(other)
			joined[max(a, b)] = min(a, b)
		}
	}
	at := map[int]int{} // root → line
	var lines [][]incoming
	for i, in := range all {
		n, ok := at[root(i)]
		if !ok {
			n = len(lines)
			at[root(i)], lines = n, append(lines, nil)
		}
		lines[n] = append(lines[n], in)
	}
	return lines
}

// keys are what a part is about.
func (in incoming) keys() []string {
	var keys []string
	add := func(kind, name string) {
		if name != "" {
			keys = append(keys, kind+name)
		}
	}
	switch {
	case in.ignored != "": // whatever comes first
		return []string{"ignored"}
	case in.status != "":
		add("report ", in.ID)
	default:
		for _, n := range []Names{in.from, in.to} {
			add("phone ", n.Phone)
			add("user ", n.UserID)
		}
	}
	return keys
}

// what names a part for the log.
func (in incoming) what() string {
	switch {
	case in.status != "":
		return "report of " + string(in.status)
	case !in.to.Empty():
		return "change of name"
	}
	return string(in.Kind)
}

// secrets are what must not be logged: who it is of, and the message's id, which contains the number.
func (in incoming) secrets() []string {
	return []string{in.ID, in.MessageID, in.from.Phone, in.from.UserID, in.to.Phone, in.to.UserID}
}

// take handles one part. nil means that it need not come again.
func (c *Channel) take(ctx context.Context, in incoming) (err error) {
	if in.ignored != "" {
		c.ignore(in)
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	defer func() {
		if p := recover(); p != nil {
			c.log.Error("webhook handler panicked", "what", in.what(), "panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			err = errors.New("webhook handler panicked")
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, handleTimeout)
	defer cancel()
	switch {
	case in.status != "":
		return c.takeStatus(ctx, in)
	case !in.to.Empty():
		if err := c.opt.People.Move(ctx, in.from, in.to); err != nil {
			return fmt.Errorf("change a person's names: %w", err)
		}
		c.opt.Count(CountMoved)
		return nil
	}
	chat, err := c.opt.People.Find(ctx, in.from)
	if err != nil {
		return fmt.Errorf("find the person: %w", err)
	}
	in.Chat = chat
	if err := c.handle(ctx, in.Update); err != nil {
		return err
	}
	c.opt.Count(CountUpdate)
	return nil
}

// handle gives the conversation an update. The error, which is only logged, does not name the chat.
func (c *Channel) handle(ctx context.Context, u bot.Update) error {
	if err := c.opt.Handle(ctx, u); err != nil {
		return fmt.Errorf("handle: %s", without(err, u.Chat))
	}
	return nil
}

func (c *Channel) ignore(in incoming) {
	if in.ignored == reported {
		c.opt.Count(CountReported)
		c.log.Warn("WhatsApp reports an error", "code", in.code)
		return
	}
	c.opt.Count(CountIgnored)
	if in.ignored == anotherNumber {
		c.strange.number.Warn(c.log, "messages to another number are not answered: LLAVE_WHATSAPP_PHONE_NUMBER_ID must be the id (not the digits) of the number people write to, as WhatsApp Manager shows it")
		return
	}
	c.log.Debug("part of a webhook ignored", "what", in.ignored)
}

// takeStatus keeps a report on a message of ours. That it failed is told to the conversation, and again whenever the
// report comes again: the conversation knows the update by its id.
func (c *Channel) takeStatus(ctx context.Context, in incoming) error {
	chat, again, forward, err := c.opt.Deliveries.Moved(ctx, in.ID, in.status, in.code)
	if err != nil {
		return fmt.Errorf("keep a delivery report: %w", err)
	}
	c.opt.Count(CountStatus)
	if in.status != Failed || !forward || chat == "" {
		return nil
	}
	return c.undelivered(ctx, in.ID, chat, Lost{in.code, again}, in.At)
}

// undelivered tells a conversation that a message of ours failed. Told twice it is heard once.
func (c *Channel) undelivered(ctx context.Context, wamid, chat string, o Lost, at time.Time) error {
	c.dropImage(ctx, o.Code, o.Again)
	again, failure := withoutImage(o.Code, o.Again, failureOf(o.Code))
	c.log.Warn("message not delivered", "code", o.Code, "failure", failure.String())
	return c.handle(ctx, bot.Update{
		ID: "status/" + wamid, Channel: Name, Chat: chat, Kind: bot.Undelivered, Failure: failure, Again: again, At: at,
	})
}
