package public

import (
	"net/http"
	"slices"
	"strings"

	"llave/internal/unlock"
	"llave/internal/web"
)

// remembered is what a browser is given to bring back. Nothing in it is believed but the nonce: the rest only chooses words and links.
type remembered struct {
	nonce string
	unlock.Chat
	passed bool // it has had a key pass
}

// value is the cookie: its parts with dots between them. Versions before wrote the first two.
func (m remembered) value() string {
	passed := ""
	if m.passed {
		passed = "1"
	}
	return strings.Join([]string{m.nonce, m.Lang, m.Channel, passed}, ".")
}

// rememberedBy reads what the browser brought back. It finds it with and without the prefix that web.Kit puts on, so that pages of errors
// can ask too.
func rememberedBy(r *http.Request) (m remembered) {
	for _, c := range r.Cookies() {
		if strings.TrimPrefix(c.Name, "__Host-") != nonceCookie {
			continue
		}
		parts := append(strings.Split(c.Value, "."), "", "", "")
		m.nonce, m.Lang, m.Channel, m.passed = parts[0], parts[1], parts[2], parts[3] != ""
		break
	}
	return m
}

// back are the chats that a page leads back to: the one of the channel that the person came from, else all.
func back(all []web.Chat, channel string) []web.Chat {
	if i := slices.IndexFunc(all, func(c web.Chat) bool { return c.Channel == channel }); i >= 0 {
		return all[i : i+1]
	}
	return all
}

// Back are the chats that a page leads back to which no letter tells whose it is, such as that of an error. Pages of the help desk lead
// to none.
func Back(r *http.Request, all []web.Chat) []web.Chat {
	if strings.HasPrefix(r.URL.Path, "/agentes") {
		return nil
	}
	return back(all, rememberedBy(r).Channel)
}

// anyChat is a page that has nothing to show but the chats that there are.
type anyChat struct{ Chats []web.Chat }

func (s *Site) anywhere() anyChat { return anyChat{s.Chats()} }
