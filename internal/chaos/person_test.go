package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"llave/bot"
	"llave/bot/whatsapp"
	"llave/internal/bottest"
	"llave/internal/mail/letter"
)

const (
	linkSubject = "SOLICITUD DESBLOQUEO DE CLAVE"
	linkText    = "DESBLOQUEO DE CLAVE IESS"
	unlocked    = "ha sido desbloqueada"
	rivals      = 0.20 // the share of links that a second browser presses at the same moment
)

// road is what a person does in the chat and what they want to read then.
var road = []struct {
	press    bool
	do, want string
}{
	{false, "hola", "Hola. Soy Llave"},
	{true, "Continuar", "¿Qué necesita hoy?"},
	{true, "Desbloquear clave", "Escriba su número de cédula"},
	{false, "", "¿Es correcto?"}, // the number
	{true, "Sí, es correcto", "Enviar enlace"},
	{true, "Enviar enlace", linkSubject},
}

const roadsEnd = "Su clave ya está desbloqueada"

// isBeside says whether a message is the answer to "estado", wherever the road has come to.
func isBeside(text string) bool {
	return strings.HasPrefix(text, "Estamos en ") || strings.HasPrefix(text, "Ahora no hay un trámite en marcha")
}

// hurries are the steps in which somebody hasty asks "estado" as well. Between them they write their number, so that no
// two answers to "estado" are ever side by side and look like a repeat.
var hurries = []int{2, 4}

// A way is how a person reaches us: the channel's name.
type way string

const (
	byTelegram way = "telegram"
	byWhatsApp way = whatsapp.Name
)

// phone is the side of a channel's stub that people and tests hold.
type phone interface {
	Say(chat int64, text string) int
	Press(chat int64, label string) (int, error)
	Messages(chat int64) []bottest.ChatMessage
	History(chat int64) []bottest.ChatMessage
	WaitMessage(chat int64, after int, timeout time.Duration) (bottest.ChatMessage, error)
	Wait(timeout time.Duration, cond func() bool) bool
	Calls(method string) []bottest.BotCall
	Pending() int
	Heal()
}

// conversation is the id of a chat's conversation.
func conversation(by way, chat int64) string {
	return bot.ConversationID(string(by), strconv.FormatInt(chat, 10))
}

// person is one conversation: who leads it, and how it went.
type person struct {
	index    int
	by       way
	chat     int64
	conv     string // the conversation's id
	alias    string // what it would be by a name that the person has taken since; may be empty
	number   string
	address  string
	began    time.Time
	browsers int   // that saw the key unlocked
	failed   error // nil: they have come to the end
	hasty    bool  // asks "estado" in the same moment as they go on

	opening func(ctx context.Context, link string) (unlocked int, err error) // instead of open
	before  func(step int)                                                   // what else happens on the road
}

// walk goes the whole road.
func (p *person) walk(ctx context.Context, api phone, post *postman) error {
	last, err := p.asks(ctx, api, linkSubject)
	if err != nil {
		return err
	}
	l, err := post.wait(ctx, p.address)
	if err != nil {
		return err
	}
	open := p.open
	if p.opening != nil {
		open = p.opening
	}
	if p.browsers, err = open(ctx, l.Link(linkText)); err != nil {
		return err
	}
	return p.reads(ctx, api, last, roadsEnd)
}

// open opens the letter's link in a browser, sometimes in two at once, and says how many saw the key unlocked.
func (p *person) open(ctx context.Context, link string) (unlocked int, err error) {
	var wg sync.WaitGroup
	n := 1
	if rand.Float64() < rivals {
		n = 2
	}
	seen, errs := make([]bool, n), make([]error, n)
	for i := range n {
		wg.Go(func() { seen[i], errs[i] = p.opens(ctx, link) })
	}
	wg.Wait()
	for _, s := range seen {
		if s {
			unlocked++
		}
	}
	return unlocked, errors.Join(errs...)
}

// asks goes the road as far as the chat alone leads: a link was asked for and the chat has answered that. It returns the
// id of the person's last message.
func (p *person) asks(ctx context.Context, api phone, answer string) (last int, err error) {
	for i, step := range road {
		if !think(ctx) {
			return last, ctx.Err()
		}
		if p.before != nil {
			p.before(i)
		}
		if p.hasty && slices.Contains(hurries, i) {
			api.Say(p.chat, "estado")
		}
		if step.press {
			last, err = api.Press(p.chat, step.do)
		} else if step.do == "" {
			last = api.Say(p.chat, p.number)
		} else {
			last = api.Say(p.chat, step.do)
		}
		if err != nil {
			return last, err
		}
		want := step.want
		if i == len(road)-1 {
			want = answer
		}
		if err := p.reads(ctx, api, last, want); err != nil {
			return last, err
		}
	}
	return last, nil
}

// think lets a person read for up to a second.
func think(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(rand.N(time.Second)):
		return true
	}
}

// reads waits for a bubble that holds a text.
func (p *person) reads(ctx context.Context, api phone, after int, want string) error {
	for {
		deadline, _ := ctx.Deadline()
		m, err := api.WaitMessage(p.chat, after, time.Until(deadline))
		if err != nil {
			return fmt.Errorf("waiting for %q: %w", want, err)
		}
		if strings.Contains(m.Text, want) && !isBeside(m.Text) && !isOfMail(m.Text) {
			return nil
		}
		after = m.ID
	}
}

// opens opens the link in a browser of its own and presses its button, as often as it takes to get an answer. It says
// whether the browser saw the key unlocked.
func (p *person) opens(ctx context.Context, link string) (bool, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return false, err
	}
	browser := &http.Client{Jar: jar, Timeout: 30 * time.Second, Transport: pages}
	var page string
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		for {
			req, err := http.NewRequestWithContext(ctx, method, link, nil)
			if err != nil {
				return false, err
			}
			req.Header.Set("X-Forwarded-For", fmt.Sprintf("10.%d.%d.%d", p.index>>16&255, p.index>>8&255, p.index&255))
			if res, err := browser.Do(req); err == nil {
				body, readErr := io.ReadAll(res.Body)
				res.Body.Close()
				if page = string(body); readErr == nil && res.StatusCode < http.StatusInternalServerError && res.StatusCode != http.StatusTooManyRequests {
					break
				}
			}
			select {
			case <-ctx.Done():
				return false, fmt.Errorf("%s of the link: %w", method, ctx.Err())
			case <-time.After(300 * time.Millisecond):
			}
		}
	}
	return strings.Contains(page, unlocked), nil
}

// pages is how browsers reach the pages.
var pages = &http.Transport{MaxIdleConnsPerHost: 64}

// postman hands each person the first letter with a link. One goroutine reads the mail server for all.
type postman struct {
	mu    sync.Mutex
	boxes map[string]chan letter.Letter
}

func (m *postman) box(address string) chan letter.Letter {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.boxes[address] == nil {
		m.boxes[address] = make(chan letter.Letter, 1)
	}
	return m.boxes[address]
}

func (m *postman) wait(ctx context.Context, address string) (letter.Letter, error) {
	select {
	case l := <-m.box(address):
		return l, nil
	case <-ctx.Done():
		return letter.Letter{}, fmt.Errorf("waiting for the letter: %w", ctx.Err())
	}
}

// work carries letters until ctx ends.
func (m *postman) work(ctx context.Context, smtp *bottest.SMTP) {
	carried := 0
	for {
		letters := smtp.Letters()
		for _, l := range letters[carried:] {
			if l.Subject == linkSubject {
				select {
				case m.box(l.To) <- l:
				default: // they have one
				}
			}
		}
		carried = len(letters)
		select {
		case <-ctx.Done():
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}
