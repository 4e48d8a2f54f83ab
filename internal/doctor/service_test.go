package doctor

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestLocal(t *testing.T) {
	for addr, want := range map[string]string{
		":9090": "127.0.0.1:9090", "0.0.0.0:9090": "127.0.0.1:9090", "[::]:9090": "[::1]:9090", "127.0.0.1:9090": "127.0.0.1:9090", "10.1.2.3:80": "10.1.2.3:80", "host:80": "host:80",
	} {
		if got := Local(addr); got != want {
			t.Errorf("%s: got %s, want %s", addr, got, want)
		}
	}
}

// admin is a service's admin listener that answers so.
func admin(t *testing.T, status int, body string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(s.Close)
	return "LLAVE_ADMIN_ADDR=" + strings.TrimPrefix(s.URL, "http://")
}

func TestService(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	taken := listener.Addr().String()
	bounce := []string{"LLAVE_MAIL_BOUNCE_DOMAIN=rebotes.example", admin(t, 200, `{"status":"ready"}`)}
	for name, tt := range map[string]struct {
		set   []string
		check string
		want  Status
		words string
	}{
		"ready":              {[]string{admin(t, 200, `{"status":"ready"}`)}, "serve", Green, "is well"},
		"degraded":           {[]string{admin(t, 200, `{"status":"degraded","reasons":[{"part":"mail","reason":"no answer in time"}]}`)}, "serve", Yellow, "mail: no answer in time"},
		"store away":         {[]string{admin(t, 503, `{"status":"unready","reasons":[{"part":"store","reason":"store cannot be reached"}]}`)}, "serve", Red, "store cannot be reached"},
		"something else":     {[]string{admin(t, 200, `<html>`)}, "serve", Red, "not llave serve"},
		"nothing":            {nil, "serve", Yellow, "nothing serves"},
		"address taken":      {[]string{"LLAVE_HTTP_ADDR=" + taken}, "serve", Red, taken},
		"reports":            {append(bounce, "LLAVE_BOUNCE_ADDR="+taken), "delivery reports", Green, taken},
		"reports by LMTP":    {append(bounce, "LLAVE_BOUNCE_ADDR=lmtp:"+taken), "delivery reports", Green, taken},
		"nobody for reports": {append(bounce, "LLAVE_BOUNCE_ADDR="+nowhere(t)), "delivery reports", Red, "nobody takes reports"},
	} {
		t.Run(name, func(t *testing.T) { newClinic(t).set(tt.set...).finds("service", tt.check, tt.want, tt.words) })
	}
}

// The row of the service itself says what to do: the section of what it names may be green (a letter is refused, another program polls).
func TestService_remedy(t *testing.T) {
	for reason, want := range map[string]string{
		`{"part":"mail","reason":"every mailbox is refused"}`:                                                "--send",
		`{"part":"mail","reason":"letters are refused","do":"see whether the mail server relays"}`:           "see whether the mail server relays",
		`{"part":"telegram","reason":"another program polls with the bot's token"}`:                          "stop the other program",
		`{"part":"telegram","reason":"it does not know the bot's token (check LLAVE_TELEGRAM_TOKEN)"}`:       "BotFather",
		`{"part":"whatsapp","reason":"no access token is accepted (check LLAVE_WHATSAPP_TOKEN)"}`:            "LLAVE_WHATSAPP_TOKEN",
		`{"part":"whatsapp","reason":"it answers with an error of its own"}`:                                 "platform's own trouble",
		`{"part":"whatsapp","reason":"it refuses the account or the number (131031): see WhatsApp Manager"}`: "WhatsApp Manager",
		`{"part":"telegram","reason":"it cannot be reached"}`:                                                "firewall",
		`{"part":"telegram","reason":"something new"}`:                                                       "section telegram",
	} {
		f := newClinic(t).set(admin(t, 200, `{"status":"degraded","reasons":[`+reason+`]}`)).finds("service", "serve", Yellow, "it serves")
		if !strings.Contains(f.Do, want) {
			t.Errorf("%s: to do is %q, want %q in it", reason, f.Do, want)
		}
	}
}

// The clocks of the stubs are this machine's; ours is moved.
func TestClock(t *testing.T) {
	for name, tt := range map[string]struct {
		ahead time.Duration
		want  Status
		words string
	}{
		"right": {0, Green, "agree"}, "a little behind": {20 * time.Second, Yellow, "apart"}, "a little ahead": {-20 * time.Second, Yellow, "apart"},
		"far": {10 * time.Minute, Red, "certificates"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClinic(t)
			api, g := newAPI(t, c), newGraph(t, c)
			c.opt.Now = func() time.Time { return time.Now().Add(tt.ahead) }
			c.finds("clock", "telegram", tt.want, tt.words)
			c.finds("clock", "whatsapp", tt.want, tt.words)
			api.Down()
			g.Down()
			c.finds("clock", "telegram", Yellow, "cannot be reached")
			c.finds("clock", "whatsapp", Yellow, "cannot be reached")
		})
	}
	dateless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header()["Date"] = nil }))
	defer dateless.Close()
	newClinic(t).set("LLAVE_TELEGRAM_TOKEN="+botToken, "LLAVE_TELEGRAM_API_URL="+dateless.URL).finds("clock", "telegram", Yellow, "no date")
}

func TestEvents(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		want   Status
		words  string
	}{
		"there": {204, Green, "answers"}, "only for posts": {405, Green, "answers"}, "leads elsewhere": {302, Yellow, "leads elsewhere (302)"},
		"no such page": {404, Yellow, "404"}, "broken": {502, Yellow, "502"},
	} {
		t.Run(name, func(t *testing.T) {
			asked := ""
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked = r.Method; w.WriteHeader(tt.status) }))
			defer s.Close()
			c := newClinic(t).set("LLAVE_EVENTS_URL="+s.URL, "LLAVE_EVENTS_SECRET=whsec_"+eventsKey, "LLAVE_GENERATE_URL="+s.URL)
			c.finds("events", "receiver", tt.want, tt.words)
			c.finds("events", "page of keys", tt.want, tt.words)
			if asked != http.MethodHead {
				t.Errorf("the receiver was sent a %s", asked)
			}
		})
	}
	c := newClinic(t).set("LLAVE_EVENTS_URL=http://"+nowhere(t), "LLAVE_EVENTS_SECRET=whsec_"+eventsKey)
	c.finds("events", "receiver", Red, "nobody listens")
	c.lacks("events", "page of keys")
}

// A receiver that refuses who has no signature may be well, or have another secret: the doctor makes no event up, and says that it
// cannot know. The institution's page of keys may ask anybody to sign in.
func TestEvents_refuses(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
	defer s.Close()
	c := newClinic(t).set("LLAVE_EVENTS_URL="+s.URL, "LLAVE_EVENTS_SECRET=whsec_"+eventsKey, "LLAVE_GENERATE_URL="+s.URL)
	if f := c.finds("events", "receiver", Yellow, "not known"); !strings.Contains(f.Do, "LLAVE_EVENTS_SECRET") {
		t.Errorf("to do is %q", f.Do)
	}
	c.finds("events", "page of keys", Green, "answers")
}

// A service that listens and does not answer hangs: it is not one that is away while another has its address.
func TestService_hangs(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := newClinic(t).set("LLAVE_ADMIN_ADDR="+l.Addr().String(), "LLAVE_HTTP_ADDR="+l.Addr().String())
	c.opt.Within = time.Second
	c.finds("service", "serve", Red, "serve hangs")
}
