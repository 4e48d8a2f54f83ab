package bottest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// Page is what a browser without script is answered.
type Page struct {
	Status   int
	Header   http.Header
	Body     string
	Location string // of a redirect
}

// Main is the part of the page that is not on every page.
func (p Page) Main() string {
	_, rest, _ := strings.Cut(p.Body, "<main")
	main, _, _ := strings.Cut(rest, "</main>")
	return main
}

// Want fails when the page is not the one expected.
func (p Page) Want(t testing.TB, status int, says ...string) Page {
	t.Helper()
	if p.Status != status {
		t.Errorf("status: got %d to %q, want %d; page:\n%s", p.Status, p.Location, status, p.Main())
	}
	for _, s := range says {
		if !strings.Contains(p.Body, s) {
			t.Errorf("the page lacks %q:\n%s", s, p.Main())
		}
	}
	return p
}

// To fails when the page does not send the browser on to that address.
func (p Page) To(t testing.TB, location string) Page {
	t.Helper()
	if p.Status != http.StatusSeeOther || p.Location != location {
		t.Errorf("got %d to %q, want 303 to %q; page:\n%s", p.Status, p.Location, location, p.Main())
	}
	return p
}

// Browser is somebody's browser without script: it keeps cookies and says where a form came from. It follows no redirect.
type Browser struct {
	Client         *http.Client // has the cookies
	server, origin string
}

// NewBrowser makes a browser for a server; [origin] is what the site calls itself.
func NewBrowser(server, origin string) *Browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err) // it has no options
	}
	return &Browser{
		&http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		server, origin,
	}
}

// Do asks for a page, or sends a form. Headers are name, value, name, value, in place of the browser's own; one without a
// value is left out.
func (b *Browser) Do(ctx context.Context, method, path string, form url.Values, header ...string) (Page, error) {
	req, err := http.NewRequestWithContext(ctx, method, b.server+path, strings.NewReader(form.Encode()))
	if err != nil {
		return Page{}, err
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", b.origin)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Del(header[i])
		if header[i+1] != "" {
			req.Header.Set(header[i], header[i+1])
		}
	}
	res, err := b.Client.Do(req)
	if err != nil {
		return Page{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return Page{}, fmt.Errorf("read %s: %w", path, err)
	}
	return Page{res.StatusCode, res.Header, string(body), res.Header.Get("Location")}, nil
}

// Cookie is the value the browser has for a name, or "".
func (b *Browser) Cookie(name string) string {
	for _, c := range b.Client.Jar.Cookies(b.url()) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// SetCookie gives the browser a cookie that no server did.
func (b *Browser) SetCookie(name, value string) {
	b.Client.Jar.SetCookies(b.url(), []*http.Cookie{{Name: name, Value: value, Path: "/"}})
}

func (b *Browser) url() *url.URL {
	u, err := url.Parse(b.server)
	if err != nil {
		panic(err) // a test's own server
	}
	return u
}

// Log is what a process under test writes. It is safe for use by many goroutines.
type Log struct {
	mu sync.Mutex
	b  strings.Builder
}

// Write adds to the log.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String is all that was written.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
