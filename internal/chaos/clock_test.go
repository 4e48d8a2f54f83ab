package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// shiftName is the environment variable that the clocks of a shifted build look at.
const shiftName = "CHAOS_CLOCK_SHIFT"

// shifted is a llave whose every time.Now, in our code and in all it is built from, is off by CHAOS_CLOCK_SHIFT seconds.
// Nothing in the product is changed or asks for it: the compiler is handed another file for the standard library's
// time.Now (-overlay). The monotonic part is left alone, as it is by an operator who sets a clock. A library loaded
// before the C library's would not do, a static Go program asks none; nor would a time namespace, which shifts no wall clock.
var shifted = sync.OnceValues(func() (string, error) {
	shipped, err := binary()
	if err != nil {
		return "", err
	}
	dir := filepath.Dir(shipped) // goes when all is over
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("find the standard library: %w", err)
	}
	src := filepath.Join(strings.TrimSpace(string(root)), "src", "time")
	code, err := os.ReadFile(filepath.Join(src, "time.go"))
	if err != nil {
		return "", err
	}
	const begins = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	if bytes.Count(code, []byte(begins)) != 1 {
		return "", fmt.Errorf("%s: time.Now does not begin as it did", src)
	}
	code = bytes.Replace(code, []byte(begins), []byte(begins+"\tsec += chaosShift\n"), 1)
	shift := fmt.Sprintf(`package time

import "syscall"

var chaosShift = func() (seconds int64) {
	text, _ := syscall.Getenv(%q)
	sign := int64(1)
	for _, c := range []byte(text) {
		if c == '-' {
			sign = -1
		} else {
			seconds = 10*seconds + int64(c-'0')
		}
	}
	return sign * seconds
}()
`, shiftName)
	overlay := map[string]map[string]string{"Replace": {}}
	for name, text := range map[string][]byte{"time.go": code, "chaos_shift.go": []byte(shift)} {
		to := filepath.Join(dir, name)
		if err := os.WriteFile(to, text, 0o600); err != nil {
			return "", err
		}
		overlay["Replace"][filepath.Join(src, name)] = to
	}
	list, err := json.Marshal(overlay)
	if err != nil {
		return "", err
	}
	overlays, llave := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "llave-shifted")
	if err := os.WriteFile(overlays, list, 0o600); err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-overlay", overlays, "-trimpath", "-o", llave, "llave/cmd/llave")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build with a shifted clock: %w\n%s", err, out)
	}
	return llave, nil
})

// The shipped binary has no switch for its clock: the name that the shifted build listens to is not in it.
func TestClock_noSwitchInTheBinary(t *testing.T) {
	needChaos(t)
	for _, c := range []struct {
		name  string
		build func() (string, error)
		want  bool
	}{{"shipped", binary, false}, {"shifted", shifted, true}} {
		llave, err := c.build()
		if err != nil {
			t.Fatal(err)
		}
		code, err := os.ReadFile(llave)
		if err != nil {
			t.Fatal(err)
		}
		if got := bytes.Contains(code, []byte(shiftName)); got != c.want {
			t.Errorf("%s binary holds %s: got %v, want %v", c.name, shiftName, got, c.want)
		}
	}
}

// Two processes whose clocks are four minutes apart, longer than a link lives, serve one store. A link lives as long
// as the letter says, by the store's time, whichever process sent it and whichever is asked; limits and conversations
// are what they would be (P408).
func TestClock_apart(t *testing.T) {
	alongside(t)
	life := sized(20*time.Second, 180*time.Second)
	const slack = 2 * time.Second
	dep := newDeployment(t, onMongoDB, "LLAVE_TELEGRAM_WEBHOOK_SECRET="+hookSecret, "LLAVE_LINK_TTL="+life.String())
	slow, fast := dep.fleet.instances[0], dep.fleet.instances[1]
	slow.build, slow.env = shifted, []string{shiftName + "=-120"}
	fast.build, fast.env = shifted, []string{shiftName + "=120"}
	people := dep.populate(sized(40, 200))
	late, walkers := people[:6], people[6:] // the late do not begin: reconciling is about those who come to the end
	dep.start()
	dep.clocks(t)

	ctx, cancel := context.WithTimeout(t.Context(), life+patience)
	defer cancel()
	began := time.Now()
	walked := make(chan struct{})
	go func() {
		defer close(walked)
		dep.walk(ctx, ctx, walkers, 50*time.Millisecond, 40)
	}()
	var all sync.WaitGroup
	for _, p := range late {
		all.Go(func() { dep.letExpire(ctx, t, p, life, slack) })
	}
	all.Go(func() { dep.limited(t, slow, fast) })
	all.Wait()
	<-walked
	dep.settle(ctx)
	took := time.Since(began)
	dep.end()
	dep.reconcile(t, took)
}

// clocks shows that the processes' clocks are apart: a log line's time is the process's.
func (dep *deployment) clocks(t *testing.T) {
	t.Helper()
	raw, err := os.ReadFile(dep.logPath)
	if err != nil {
		t.Fatal(err)
	}
	var behind, ahead int
	for line := range strings.Lines(string(raw)) {
		text, _, _ := strings.Cut(strings.TrimPrefix(line, "time="), " ")
		at, err := time.Parse(time.RFC3339Nano, text)
		switch off := time.Until(at); {
		case err != nil:
		case off < -100*time.Second:
			behind++
		case off > 100*time.Second:
			ahead++
		}
	}
	t.Logf("log lines of a clock that is behind: %d; ahead: %d", behind, ahead)
	if behind == 0 || ahead == 0 {
		t.Fatal("the clocks are not apart")
	}
}

// letExpire asks for a link and lets it lie. The chat must say by itself that it has ended; the page at either process
// must still show its button shortly before, and refuse shortly after.
func (dep *deployment) letExpire(ctx context.Context, t *testing.T, p *person, life, slack time.Duration) {
	after, err := p.asks(ctx, dep.api, linkSubject)
	if err != nil {
		t.Errorf("person %d: %v", p.index, err)
		return
	}
	l, err := dep.smtp.WaitLetter(ctx, p.address, 0)
	if err != nil {
		t.Errorf("person %d: %v", p.index, err)
		return
	}
	if want := spanish(life); !strings.Contains(l.Text, want) {
		t.Errorf("person %d: the letter does not say %q", p.index, want)
	}
	_, path, _ := strings.Cut(strings.TrimPrefix(l.Link(linkText), "http://"), "/")
	show := func(at *instance) (int, string) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+at.addr+"/"+path, nil)
		if err != nil {
			return 0, err.Error()
		}
		req.Header.Set("X-Forwarded-For", fmt.Sprintf("10.9.9.%d", p.index))
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, err.Error()
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body) // what came is judged
		return res.StatusCode, string(body)
	}
	time.Sleep(time.Until(l.Received.Add(life - slack)))
	for _, at := range dep.fleet.instances {
		if status, page := show(at); status != http.StatusOK || !strings.Contains(page, "Desbloquear") {
			t.Errorf("person %d: %v before its end the page is %d %q", p.index, slack, status, begin(page))
		}
	}
	// From here on both pages are looked at until they refuse, while the chat is listened to.
	var all sync.WaitGroup
	ends := make([]time.Time, 2)
	for i, at := range dep.fleet.instances {
		all.Go(func() {
			for ctx.Err() == nil && time.Since(l.Received) < life+30*time.Second {
				if status, page := show(at); status == http.StatusGone && strings.Contains(page, "ya no sirve") {
					ends[i] = time.Now()
					return
				}
				time.Sleep(100 * time.Millisecond)
			}
		})
	}
	var told time.Time
	for told.IsZero() {
		m, err := dep.api.WaitMessage(p.chat, after, time.Until(l.Received.Add(life+30*time.Second)))
		if err != nil {
			t.Errorf("person %d: the chat does not say that the link has ended: %v", p.index, err)
			break
		}
		if after = m.ID; strings.Contains(m.Text, "ya no sirve") {
			told = m.At
		}
	}
	all.Wait()
	for what, at := range map[string]time.Time{"chat": told, "page of the process behind": ends[0], "page of the process ahead": ends[1]} {
		lived := at.Sub(l.Received)
		t.Logf("person %d: the %s says that the link has ended %v after the mail server took the letter", p.index, what, lived.Round(10*time.Millisecond))
		if lived < life-slack || lived > life+slack {
			t.Errorf("person %d: by the %s the link lived %v, want %v ± %v", p.index, what, lived, life, slack)
		}
	}
}

// limited meets the limit of twenty messages a minute in a chat whose updates go to one process and the other in turn:
// four minutes between their clocks neither end its minute nor begin another.
func (dep *deployment) limited(t *testing.T, slow, fast *instance) {
	const chat, sent, limit = 6661000001, 26, 20
	dep.api.Say(chat, "hola") // makes the chat known to Telegram
	last, err := dep.api.WaitMessage(chat, 0, time.Minute)
	for i := 1; i < sent; i++ {
		if err != nil {
			t.Error(err)
			return
		}
		at := []*instance{slow, fast}[i%2]
		if a := at.direct(t.Context(), http.DefaultClient, 90_000_000+i, chat, []string{"repetir", "ayuda"}[i%2]); a.status != http.StatusOK {
			t.Errorf("message %d: got %d", i+1, a.status)
		}
		if i <= limit { // of answers that wait and say the same the last would be enough
			last, err = dep.api.WaitMessage(chat, last.ID, time.Minute)
		}
	}
	dep.api.Wait(time.Minute, func() bool { return len(dep.api.Messages(chat)) > limit })
	time.Sleep(3 * time.Second) // an answer too many would have come by now
	said := dep.api.Messages(chat)
	t.Logf("limit of messages: %d sent within a minute, %d answered, the last with %q", sent, len(said), begin(said[len(said)-1].Text))
	if len(said) != limit+1 || !strings.Contains(said[limit].Text, "Va muy rápido") {
		t.Errorf("limit of messages: %d sent to clocks four minutes apart: got %d answers, want %d and one that says so", sent, len(said), limit)
	}
}

// spanish is how a letter says a whole number of minutes, or of seconds below one.
func spanish(d time.Duration) string {
	if d < time.Minute {
		return "menos de 1 minuto" // a letter tells whole minutes
	}
	return fmt.Sprintf("%d minutos", int(d.Minutes()))
}
