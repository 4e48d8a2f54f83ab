package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/internal/agent"
	"llave/internal/app"
	"llave/internal/bottest"
	"llave/internal/bottest/world"
	"llave/internal/store"
)

// lines are the lines of a log with that message.
func (s *service) lines(msg string) (found []map[string]any) {
	for line := range strings.SplitSeq(s.logged(), "\n") {
		var l map[string]any
		if json.Unmarshal([]byte(line), &l) == nil && l["msg"] == msg {
			found = append(found, l)
		}
	}
	return found
}

// addr is where the service listens.
func (s *service) addr(t *testing.T) string {
	t.Helper()
	ready := s.lines("ready")
	if len(ready) != 1 {
		t.Fatalf("it is not ready: %s", s.logged())
	}
	return "http://" + ready[0]["addr"].(string)
}

// What is unsafe is said at start, each setting by name (P744).
func TestServe_unsafeSettings(t *testing.T) {
	s := serving(t, []string{
		"LLAVE_DATA_DIR=" + t.TempDir(), "LLAVE_PPROF=on", "LLAVE_TRUSTED_PROXIES=::/0", "LLAVE_AGENT_IDLE=12h", "LLAVE_RETENTION_AUDIT=24h", "LLAVE_TELEGRAM_WEBHOOK_SECRET=abc",
		"LLAVE_LIMIT_NUMBERS_HOUR=1000", "LLAVE_LIMIT_WRONG_LINKS_MINUTE=1000", "LLAVE_SECRET_KEY=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
	})
	warned := map[any]bool{}
	for _, l := range s.lines("unsafe setting") {
		if warned[l["setting"]] = true; l["level"] != "WARN" || l["do"] == "" {
			t.Errorf("got %v", l)
		}
	}
	for _, want := range []string{"LLAVE_SECOND_FACTOR", "LLAVE_PPROF", "LLAVE_TRUSTED_PROXIES", "LLAVE_AGENT_IDLE", "LLAVE_RETENTION_AUDIT", "LLAVE_TELEGRAM_WEBHOOK_SECRET", "LLAVE_LIMIT_NUMBERS_HOUR", "LLAVE_LIMIT_WRONG_LINKS_MINUTE", "LLAVE_SECRET_KEY"} {
		if !warned[want] {
			t.Errorf("nothing is said of %s", want)
		}
	}
	if len(warned) != 9 {
		t.Errorf("said of %v", warned)
	}
}

// A peer that is no trusted proxy and says for whom it asks is warned of while the service runs, not for each request, and not when it
// is one.
func TestServe_untrustedProxy(t *testing.T) {
	for trusted, want := range map[string]int{"": 1, "127.0.0.1": 0} {
		s := serving(t, []string{"LLAVE_DATA_DIR=" + t.TempDir(), "LLAVE_TRUSTED_PROXIES=" + trusted})
		for _, header := range []string{"", "X-Forwarded-For", "Forwarded", "X-Forwarded-For"} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.addr(t)+"/privacidad", nil)
			if err != nil {
				t.Fatal(err)
			}
			if header != "" {
				req.Header.Set(header, "198.51.100.9")
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if p := res.Header.Get("Permissions-Policy"); !strings.Contains(p, "camera=()") || !strings.Contains(p, "geolocation=()") {
				t.Errorf("Permissions-Policy: got %q", p)
			}
			if header == "" && strings.Contains(s.logged(), "X-Forwarded-For or Forwarded") {
				t.Error("warned of nothing")
			}
		}
		n := 0
		for line := range strings.SplitSeq(s.logged(), "\n") {
			if strings.Contains(line, "X-Forwarded-For or Forwarded") {
				n++
				if !strings.Contains(line, `"peer":"127.0.0.1"`) || !strings.Contains(line, `"WARN"`) || strings.Contains(line, "198.51") {
					t.Errorf("it says %s", line)
				}
			}
		}
		if n != want {
			t.Errorf("trusted %q: warned %d times, want %d", trusted, n, want)
		}
	}
}

// Whoever takes a second factor off reads what comes next, by who needs one.
func TestSecondFactor_resetSays(t *testing.T) {
	for factor, want := range map[string]string{"optional": "signs in without a code", "all": "sets up a new code at the next sign-in"} {
		environ := []string{"LLAVE_DATA_DIR=" + t.TempDir(), "LLAVE_SECOND_FACTOR=" + factor}
		if code, _, stderr := run(t, environ, "sopa verde con nube y tambor\n", "agents", "add", "sup", "--role", "supervisor"); code != 0 {
			t.Fatal(stderr)
		}
		if code, _, stderr := run(t, environ, "", "agents", "second-factor", "--reset", "sup"); code != 0 || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit %d, %q, want %q", factor, code, stderr, want)
		}
	}
}

// llave doctor asks as a proxy would to learn whether one is trusted. That is no stranger's request, and the log does not warn of it.
func TestDoctor_warnsNobody(t *testing.T) {
	dir := t.TempDir()
	s := serving(t, []string{"LLAVE_DATA_DIR=" + dir})
	_, stdout, stderr := run(t, []string{"LLAVE_DATA_DIR=" + dir, "LLAVE_PUBLIC_URL=" + s.addr(t), "LLAVE_SMTP_URL=smtp://127.0.0.1:1?tls=none"}, "", "doctor")
	if !strings.Contains(stdout, "this service answers") {
		t.Fatalf("doctor did not ask: %s%s", stdout, stderr)
	}
	if strings.Contains(s.logged(), "X-Forwarded-For or Forwarded") {
		t.Errorf("the log warns of it: %s", s.logged())
	}
}

// Strangers who guess are told of in the log and the metrics, without whose account it is; the audit says whose, and verifies, while the
// service runs, on either store, also when somebody has changed a line.
func TestAudit_verify(t *testing.T) {
	eachStore(t, func(t *testing.T, environ []string) {
		code, stdout, stderr := run(t, environ, "", "audit", "verify")
		if code != 0 || !strings.Contains(stdout, "no line is chained yet") || !strings.Contains(stdout, "as it was written") {
			t.Errorf("empty: exit %d, %q, %q", code, stdout, stderr)
		}
		for i := range 4 {
			run(t, environ, "sopa verde con nube y tambor\n", "agents", "add", fmt.Sprint("agente", i))
		}
		var r store.AuditReport
		code, stdout, stderr = run(t, environ, "", "audit", "verify", "--json")
		if err := json.Unmarshal([]byte(stdout), &r); err != nil || code != 0 || r.Lines != 4 || len(r.Faults) != 0 {
			t.Fatalf("exit %d, %q (%v), %q", code, stdout, err, stderr)
		}
		end := r.End
		run(t, environ, "", "agents", "disable", "agente1")
		if code, stdout, _ := run(t, environ, "", "audit", "verify", "--end", end); code != 0 || !strings.Contains(stdout, "5 lines, numbers 1 to 5") {
			t.Errorf("with the end of before: exit %d, %q", code, stdout)
		}
		if code, _, _ := run(t, environ, "", "audit", "verify", "--end", "nothing"); code != 2 {
			t.Errorf("an end that is none: exit %d, want 2", code)
		}
		inStore(t, environ, func(s *store.Store) { // somebody with the store and without the key
			var id string
			var found bson.Raw
			err := s.Engine().Scan(t.Context(), store.Query{Collection: store.Audit, Field: "seq", From: int64(3), To: int64(4)}, func(raw bson.Raw) bool {
				found = append(bson.Raw(nil), raw...)
				id, _ = store.DocumentID(found)
				return false
			})
			if err != nil || id == "" {
				t.Fatal(id, err)
			}
			typ, value, _ := bson.MarshalValue("somebody else")
			changed, err := store.WithField(found, "who", bson.RawValue{Type: typ, Value: value})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Engine().Replace(t.Context(), store.Audit, id, store.DocumentVersion(found), changed); err != nil {
				t.Fatal(err)
			}
		})
		code, stdout, stderr = run(t, environ, "", "audit", "verify")
		if code != 1 || !strings.Contains(stdout, "BROKEN at 3: it was changed") || !strings.Contains(stderr, "not as it was written") {
			t.Errorf("changed: exit %d, %q, %q", code, stdout, stderr)
		}
	})
}

func TestDesk_alert(t *testing.T) {
	dir := t.TempDir()
	environ := []string{"LLAVE_DATA_DIR=" + dir, "LLAVE_TRUSTED_PROXIES=127.0.0.1"}
	s := serving(t, environ)
	run(t, environ, "sopa verde con nube y tambor\n", "agents", "add", "jefa", "--role", "supervisor")
	b := bottest.NewBrowser(s.addr(t), s.addr(t))
	for i := range 20 {
		p, err := b.Do(t.Context(), http.MethodPost, "/agentes/entrar", url.Values{"usuario": {"jefa"}, "contrasena": {"no es esta"}}, "X-Forwarded-For", fmt.Sprint("198.51.100.", i))
		if err != nil || p.Status != http.StatusUnprocessableEntity {
			t.Fatalf("try %d: got %d, %v", i, p.Status, err)
		}
	}
	if n := strings.Count(s.logged(), "strangers guess at the password"); n != 1 {
		t.Errorf("told %d times, want once", n)
	}
	if strings.Contains(s.logged(), "jefa") || strings.Contains(s.logged(), "198.51") {
		t.Error("the log says whose account, or from where")
	}
	res, err := http.Get("http://" + s.lines("ready")[0]["admin"].(string) + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var metrics bytes.Buffer
	_, _ = metrics.ReadFrom(res.Body)
	if !strings.Contains(metrics.String(), `llave_limits_met_total{limit="desk_passwords"} 1`) {
		t.Error("the metrics do not count it")
	}
	code, stdout, stderr := run(t, environ, "", "agents", "list", "--json")
	if code != 0 || !strings.Contains(stdout, `"state":"guessed at"`) {
		t.Errorf("agents list: exit %d, %q, %q", code, stdout, stderr)
	}
	if p, err := b.Do(t.Context(), http.MethodPost, "/agentes/entrar", url.Values{"usuario": {"jefa"}, "contrasena": {"sopa verde con nube y tambor"}}, "X-Forwarded-For", "198.51.100.200"); err != nil || p.Status != http.StatusSeeOther {
		t.Errorf("the owner, from a network of their own: got %d, %v", p.Status, err)
	}
}

// The desk of a demo that other machines reach is opened by a word that is printed and works once; on this machine alone it opens by
// itself, but not under a name that somebody else's page gave it (P745).
func TestDemo_desk(t *testing.T) {
	word := regexp.MustCompile(`The word that opens the desk, once: ([a-z2-7]{12})`)
	demo := func(addr string) (server string, printed func() []string) {
		port, err := bottest.FreeAddr()
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ = strings.Cut(port, ":")
		var mu sync.Mutex
		var out bytes.Buffer
		ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
		ended := make(chan int, 1)
		opened := make(chan bool, 1)
		w := writer(func(p []byte) (int, error) {
			mu.Lock()
			defer mu.Unlock()
			if bytes.Contains(p, []byte("in a browser")) {
				opened <- true
			}
			return out.Write(p)
		})
		go func() {
			ended <- app.Main(ctx, []string{"demo"}, app.IO{Environ: []string{"LLAVE_HTTP_ADDR=" + addr + ":" + port}, Stdin: strings.NewReader(""), Stdout: w, Stderr: w})
		}()
		t.Cleanup(func() { cancel(); <-ended })
		select {
		case <-opened:
		case code := <-ended:
			t.Fatalf("exit %d: %s", code, out.String())
		case <-time.After(time.Minute):
			t.Fatal("it does not begin")
		}
		return "http://127.0.0.1:" + port, func() (words []string) {
			mu.Lock()
			defer mu.Unlock()
			for _, m := range word.FindAllStringSubmatch(out.String(), -1) {
				words = append(words, m[1])
			}
			return words
		}
	}
	do := func(b *bottest.Browser, method, path string, fields ...string) bottest.Page {
		t.Helper()
		form := url.Values{}
		for i := 0; i < len(fields); i += 2 {
			form.Set(fields[i], fields[i+1])
		}
		if method == http.MethodGet {
			form = nil
		}
		p, err := b.Do(t.Context(), method, path, form)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}

	server, printed := demo("0.0.0.0")
	stranger, guest := bottest.NewBrowser(server, server), bottest.NewBrowser(server, server)
	do(stranger, http.MethodGet, "/").Want(t, http.StatusOK)
	do(stranger, http.MethodGet, "/agentes").To(t, "/agentes/entrar")
	do(stranger, http.MethodGet, "/agentes/entrar").Want(t, http.StatusOK, "Escriba la palabra")
	do(stranger, http.MethodPost, "/agentes/entrar", "palabra", "").Want(t, http.StatusUnprocessableEntity)
	do(stranger, http.MethodPost, "/agentes/entrar", "usuario", "demo", "contrasena", "demo").Want(t, http.StatusUnprocessableEntity, "Esa no es la palabra")
	words := printed()
	if len(words) != 1 {
		t.Fatalf("printed %q, want one word", words)
	}
	do(guest, http.MethodPost, "/agentes/entrar", "palabra", " "+strings.ToUpper(words[0])).To(t, "/agentes")
	do(guest, http.MethodGet, "/agentes/supervision/agentes").Want(t, http.StatusOK, "Agente de prueba")
	do(stranger, http.MethodPost, "/agentes/entrar", "palabra", words[0]).Want(t, http.StatusUnprocessableEntity, "una sola vez")
	if words = printed(); len(words) != 2 {
		t.Fatalf("printed %q, want another word", words)
	}
	do(stranger, http.MethodPost, "/agentes/entrar", "palabra", words[1]).To(t, "/agentes")

	server, printed = demo("127.0.0.1")
	own := bottest.NewBrowser(server, server)
	do(own, http.MethodGet, "/agentes").To(t, "/agentes")
	do(own, http.MethodGet, "/agentes").Want(t, http.StatusOK)
	if words := printed(); len(words) != 0 {
		t.Errorf("printed %q, where nobody else comes", words)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server+"/agentes", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "rebound.example"
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusForbidden || len(res.Cookies()) > 0 {
		t.Errorf("under another name: got %d and %v", res.StatusCode, res.Cookies())
	}
}

type writer func(p []byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// At the desk's door a site of IPv6 is one network, however many its addresses are in.
func TestServe_siteIsOneNetwork(t *testing.T) {
	w := world.New(t, onePerson, "LLAVE_TRUSTED_PROXIES=127.0.0.0/8,::1/128")
	try := func(from string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.URL("/agentes/entrar"), strings.NewReader("usuario=ana&contrasena=no+es+esta"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("X-Forwarded-For", from)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode
	}
	for i := range agent.MaxWrong + 1 {
		want := http.StatusUnprocessableEntity
		if i >= agent.MaxWrong-1 {
			want = http.StatusTooManyRequests
		}
		if got := try(fmt.Sprintf("2001:db8:1:%x::1", i)); got != want {
			t.Errorf("try %d: got %d, want %d", i+1, got, want)
		}
	}
	if got := try("2001:db8:2::1"); got != http.StatusUnprocessableEntity {
		t.Errorf("from another site: got %d", got)
	}
}
