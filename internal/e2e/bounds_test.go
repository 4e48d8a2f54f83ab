package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"llave/internal/bottest"
)

// strangers is how many connections somebody opens who has proved nothing.
const strangers = 200

// grown runs [do] and returns by how many kB a process's memory was above what it had before, at its highest; 0 where Linux does
// not tell.
func (p *process) grown(t *testing.T, do func()) int {
	t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.Pid()), []byte("5"), 0o200); err != nil {
		t.Logf("the highest memory cannot be counted anew: %v", err)
		do()
		return 0
	}
	before := residentKB(p.Pid())
	do()
	peak := peakKB(p.Pid())
	t.Logf("resident: %s before, %s at its highest", megabytes(before), megabytes(peak))
	return peak - before
}

// send is one stranger's request: all of the body but its last byte, then nothing until they are told to go.
func (e *environment) send(head string, body []byte, goes <-chan struct{}) (answer string) {
	c, err := net.Dial("tcp", e.addr)
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	var first [12]byte
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		if n, err := io.ReadFull(c, first[:]); err != nil {
			copy(first[n:], "(closed)    ")
		}
	}()
	_, _ = fmt.Fprintf(c, "%s\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n", head, len(body)) // it may have been refused by now
	_, _ = c.Write(body[:len(body)-1])
	select {
	case <-answered:
	case <-goes:
		c.Close()
		<-answered
		return "none"
	}
	return strings.TrimSpace(string(first[:]))
}

// Bodies of strangers cost less than 20 MB, however many come at once and however slowly; who is WhatsApp is answered meanwhile,
// with a body of any size afterwards.
func TestBounds_bodies(t *testing.T) {
	form := "Content-Type: application/x-www-form-urlencoded"
	for _, c := range []struct {
		name, head string
		size       int
	}{
		{"a signature of somebody else's", "POST /webhooks/whatsapp HTTP/1.1\r\nX-Hub-Signature-256: " + sign("another", ""), 4 << 20},
		{"no signature", "POST /webhooks/whatsapp HTTP/1.1", 4 << 20},
		{"no secret", "POST /webhooks/telegram HTTP/1.1", 4 << 20},
		{"the key page", "POST /clave HTTP/1.1\r\n" + form, 64 << 10},
		{"the console's sign-in", "POST /agentes/entrar HTTP/1.1\r\n" + form, 64 << 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEnvironment(t, byBoth)
			llave := e.serve(t)
			p := e.onWhatsApp(t, 1)
			p.says("hola", "Hola. Soy Llave")
			body := bytes.Repeat([]byte("a"), c.size)
			var mu sync.Mutex
			answers := map[string]int{}
			grown := llave.grown(t, func() {
				goes := make(chan struct{})
				var all sync.WaitGroup
				for range strangers {
					all.Go(func() {
						answer := e.send(c.head, body, goes)
						mu.Lock()
						defer mu.Unlock()
						answers[answer]++
					})
				}
				time.Sleep(time.Second) // they are at it
				asked := time.Now()
				p.says("1", "¿Qué necesita hoy?")
				t.Logf("somebody was answered after %v meanwhile", time.Since(asked).Round(time.Millisecond))
				time.Sleep(time.Second)
				close(goes)
				all.Wait()
			})
			t.Logf("strangers were answered: %v", answers)
			if grown >= 20<<10 && !bottest.Raced {
				t.Errorf("it cost %s, want less than 20 MB", megabytes(grown))
			}
			turned := 0
			for _, post := range e.graph.Posts() {
				if post.Status == http.StatusServiceUnavailable {
					turned++
				} else if post.Status != http.StatusOK {
					t.Errorf("a webhook was answered with %d", post.Status)
				}
			}
			t.Logf("of WhatsApp's webhooks %d were turned away", turned)

			large := `{"object":"whatsapp_business_account","entry":[]}`
			large += strings.Repeat(" ", 4<<20-len(large))
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.base+"/webhooks/whatsapp", strings.NewReader(large))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("X-Hub-Signature-256", sign(appSecret, large))
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != http.StatusOK {
				t.Errorf("afterwards a body of 4 MiB was answered with %d, want 200", res.StatusCode)
			}
			llave.stop(t)
		})
	}
}

// So many sign-ins at once, each from an address of its own, take no more memory than a few passwords that are judged; who cannot
// be judged soon is told to come again, and nobody is locked out by it.
func TestBounds_signIns(t *testing.T) {
	e := newEnvironment(t, byPolling, "LLAVE_TRUSTED_PROXIES=127.0.0.0/8")
	if code, _, errs := outcome(t, e.env, deskPassword+"\n", "agents", "add", "ana", "--name", "Ana"); code != 0 {
		t.Fatal(errs)
	}
	llave := e.serve(t)
	signIn := func(login, password, from string) (int, error) {
		form := url.Values{"usuario": {login}, "contrasena": {password}}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.base+"/agentes/entrar", strings.NewReader(form.Encode()))
		if err != nil {
			return 0, err
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("X-Forwarded-For", from)
		res, err := noRedirects.Do(req)
		if err != nil {
			return 0, err
		}
		defer res.Body.Close()
		_, err = io.Copy(io.Discard, res.Body)
		return res.StatusCode, err
	}
	if status, err := signIn("ana", deskPassword, "192.0.2.1"); err != nil || status != http.StatusSeeOther {
		t.Fatalf("sign in: got %d, %v", status, err)
	}
	var mu sync.Mutex
	answers := map[int]int{}
	grown := llave.grown(t, func() {
		var all sync.WaitGroup
		for i := range strangers {
			all.Go(func() {
				status, err := signIn(fmt.Sprint("nadie", i), "no es esta", fmt.Sprintf("198.51.100.%d", i))
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				answers[status]++
			})
		}
		all.Wait()
	})
	t.Logf("answers: %v", answers)
	if answers[http.StatusUnprocessableEntity]+answers[http.StatusServiceUnavailable] != strangers || answers[http.StatusUnprocessableEntity] < 17 {
		t.Errorf("got %v, want 422 or 503, and those who had room judged", answers)
	}
	if grown >= 20<<10 && !bottest.Raced {
		t.Errorf("it cost %s, want less than 20 MB", megabytes(grown))
	}
	if status, err := signIn("ana", deskPassword, "192.0.2.1"); err != nil || status != http.StatusSeeOther {
		t.Errorf("sign in afterwards: got %d, %v", status, err)
	}
	llave.stop(t)
}

var noRedirects = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// keyHolder is somebody's browser with a key pass, at an address of its own.
type keyHolder struct {
	http.Client
	e    *environment
	from string
}

func (e *environment) keyHolder(t *testing.T, i int) *keyHolder {
	t.Helper()
	p := e.onWhatsApp(t, i)
	p.comesToSend(bottest.Cedula(i))
	p.presses("Enviar enlace", "SOLICITUD DESBLOQUEO DE CLAVE")
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	h := &keyHolder{Client: http.Client{Jar: jar, CheckRedirect: noRedirects.CheckRedirect, Transport: &http.Transport{MaxIdleConnsPerHost: 24}}, e: e, from: fmt.Sprintf("192.0.2.%d", i)}
	t.Cleanup(h.CloseIdleConnections)
	u, err := url.Parse(e.letter(t, i, 0).Link("DESBLOQUEO DE CLAVE IESS"))
	if err != nil {
		t.Fatal(err)
	}
	if status, err := h.post(t, u.Path, ""); err != nil || status != http.StatusOK {
		t.Fatalf("press: got %d, %v", status, err)
	}
	return h
}

func (h *keyHolder) post(t *testing.T, path, typed string) (int, error) {
	form := url.Values{"clave": {typed}, "clave2": {typed}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.e.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("X-Forwarded-For", h.from)
	res, err := h.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, err
}

// Somebody with one key pass and 24 connections has few keys judged, and another person's are judged all the while. How long
// that one waits is printed.
func TestBounds_keyPage(t *testing.T) {
	e := newEnvironment(t, byWhatsApp, "LLAVE_TRUSTED_PROXIES=127.0.0.0/8")
	if code, _, errs := outcome(t, e.env, "", "import", writePeople(t, 3)); code != 0 {
		t.Fatal(errs)
	}
	llave := e.serve(t)
	hog, other := e.keyHolder(t, 1), e.keyHolder(t, 2)
	asks := func() (took []time.Duration) {
		for range 15 {
			began := time.Now()
			if status, err := other.post(t, "/clave/fuerza", goodKey); err != nil || status != http.StatusOK {
				t.Errorf("another person: got %d, %v, want 200", status, err)
			}
			took = append(took, time.Since(began))
			time.Sleep(50 * time.Millisecond)
		}
		return took
	}
	quiet := asks()
	if status, err := hog.post(t, "/clave", goodKey); err != nil || status != http.StatusSeeOther { // each more is compared with it
		t.Fatalf("make a key: got %d, %v", status, err)
	}
	stop := make(chan struct{})
	var all sync.WaitGroup
	var judged, refused atomic.Int64
	for range 24 {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				switch status, err := hog.post(t, "/clave", goodKey); {
				case err != nil || status != http.StatusSeeOther && status != http.StatusTooManyRequests:
					t.Errorf("got %d, %v", status, err)
					return
				case status == http.StatusSeeOther:
					judged.Add(1)
				default:
					refused.Add(1)
				}
			}
		})
	}
	loud := asks()
	began := time.Now()
	if status, err := other.post(t, "/clave", goodKey); err != nil || status != http.StatusSeeOther {
		t.Errorf("another person's key: got %d, %v, want 303", status, err)
	}
	made := time.Since(began)
	close(stop)
	all.Wait()
	median := func(d []time.Duration) time.Duration {
		return slices.Sorted(slices.Values(d))[len(d)/2].Round(100 * time.Microsecond)
	}
	t.Logf("strength of a key: %v alone, %v beside the 24 connections (longest %v), a key made in %v; of theirs %d judged and %d refused",
		median(quiet), median(loud), slices.Max(loud).Round(100*time.Microsecond), made.Round(100*time.Microsecond), judged.Load(), refused.Load())
	if n := judged.Load(); n > 40 { // twenty a minute, in two minutes at most
		t.Errorf("%d keys of one key pass were judged, want 20 a minute", n)
	}
	llave.stop(t)
}
