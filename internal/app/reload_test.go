package app_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"llave/internal/bottest"
)

// bots is a Bot API that has nothing to tell, and remembers the tokens that it was shown.
type bots struct {
	mu     sync.Mutex
	tokens []string
}

func (b *bots) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token, method, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/bot"), "/")
	b.mu.Lock()
	if !slices.Contains(b.tokens, token) {
		b.tokens = append(b.tokens, token)
	}
	b.mu.Unlock()
	result := `true`
	switch method {
	case "getUpdates":
		time.Sleep(20 * time.Millisecond)
		result = `[]`
	case "getMe":
		result = `{"id":1,"is_bot":true,"first_name":"Llave","username":"llave_bot"}`
	}
	w.Write([]byte(`{"ok":true,"result":` + result + `}`))
}

func (b *bots) saw(token string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Contains(b.tokens, token)
}

// reread is the line that a hangup leaves in the log.
type reread struct {
	Level, Msg, Error string
	Why               string
	Changed           []string `json:"changed"`
	Restart           []string `json:"needs_a_new_start"`
}

// hangup sends the signal and returns the line about it.
func hangup(t *testing.T, s *service) (line reread) {
	t.Helper()
	before := len(s.logged())
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for range 3000 {
		for l := range strings.SplitSeq(s.logged()[before:], "\n") {
			if strings.Contains(l, "read again") && strings.HasSuffix(l, "}") && json.Unmarshal([]byte(l), &line) == nil {
				return line
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("nothing is said about the signal: %s", s.logged())
	return line
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 3000 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("never: %s", what)
}

// SIGHUP has a service read log level, offices, model and tokens again. A broken file changes nothing, and one line says what
// changed, and what would need a new start.
func TestServe_readsSettingsAgain(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	put := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	telegram := &bots{}
	api := httptest.NewServer(telegram)
	defer api.Close()
	const head = "name,province,city,address,code\n"
	offices := put("offices.csv", head+"Centro Uno,Loja,Loja,Calle de Prueba 1,uno\n")
	token := put("token", "1:old\n")
	const port = "LLAVE_HTTP_ADDR=127.0.0.1:0"
	put(".env", "LLAVE_LINK_TTL=3m\nLLAVE_LOG_LEVEL=info\nLLAVE_OFFICES_FILE="+offices+"\n")
	s := serving(t, []string{"LLAVE_DATA_DIR=" + t.TempDir(), port, "LLAVE_TELEGRAM_TOKEN_FILE=" + token, "LLAVE_TELEGRAM_API_URL=" + api.URL})
	var ready struct{ Addr string }
	for l := range strings.SplitSeq(s.logged(), "\n") {
		if strings.Contains(l, `"msg":"ready"`) {
			if err := json.Unmarshal([]byte(l), &ready); err != nil {
				t.Fatal(err)
			}
		}
	}
	sheet := func(code string) int {
		t.Helper()
		resp, err := http.Get("http://" + ready.Addr + "/oficina/" + code)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	eventually(t, "polls with the first token", func() bool { return telegram.saw("1:old") })

	if line := hangup(t, s); line.Level != "INFO" || len(line.Changed)+len(line.Restart) > 0 {
		t.Errorf("with nothing changed: %+v", line)
	}

	put("offices.csv", head+"Centro Dos,Loja,Loja,Calle de Prueba 2,dos\n")
	put("token", "1:new\n")
	if line := hangup(t, s); !slices.Equal(line.Changed, []string{"LLAVE_TELEGRAM_TOKEN", "LLAVE_OFFICES_FILE"}) || len(line.Restart) > 0 {
		t.Errorf("offices and token: %+v", line)
	}
	if got := []int{sheet("uno"), sheet("dos")}; !slices.Equal(got, []int{404, 200}) {
		t.Errorf("the sheets of the old and the new office are %v", got)
	}
	eventually(t, "polls with the new token", func() bool { return telegram.saw("1:new") })

	put("token", "1:newer\n")
	put("offices.csv", "nonsense\n")
	if line := hangup(t, s); line.Level != "ERROR" || !strings.Contains(line.Error, "LLAVE_OFFICES_FILE") {
		t.Errorf("broken offices: %+v", line)
	}
	put("offices.csv", head+"Centro Dos,Loja,Loja,Calle de Prueba 2,dos\n")
	put("token", "hidden")
	if line := hangup(t, s); line.Level != "ERROR" || !strings.Contains(line.Error, "LLAVE_TELEGRAM_TOKEN_FILE: is no bot token") || strings.Contains(line.Error, "hidden") {
		t.Errorf("a broken token: %+v", line)
	}
	put("token", "1:new")
	put(".env", "LLAVE_LINK_TTL=3m\nLLAVE_LOG_LEVEL=info\nLLAVE_OFFICES_FILE="+offices+"\nLLAVE_MODEL_FILE="+offices+"\n")
	if line := hangup(t, s); line.Level != "ERROR" || !strings.Contains(line.Error, "LLAVE_MODEL_FILE") {
		t.Errorf("a broken model: %+v", line)
	}
	if sheet("dos") != 200 || telegram.saw("1:newer") {
		t.Error("a broken file changed something")
	}

	put("token", "2:another")
	put(".env", "LLAVE_LINK_TTL=4m\nLLAVE_LOG_LEVEL=error\n")
	if line := hangup(t, s); !slices.Equal(line.Changed, []string{"LLAVE_OFFICES_FILE", "LLAVE_LOG_LEVEL"}) || !slices.Equal(line.Restart, []string{"LLAVE_TELEGRAM_TOKEN", "LLAVE_LINK_TTL"}) ||
		!strings.Contains(line.Why, "this is another bot's token") {
		t.Errorf("another bot, and what needs a new start: %+v", line)
	}
	time.Sleep(100 * time.Millisecond) // a moment for whatever was being logged
	before := len(s.logged())
	if sheet("dos") != 404 || telegram.saw("2:another") {
		t.Error("there is still an office, or another bot's token is used")
	}
	if more := s.logged()[before:]; strings.Contains(more, `"INFO"`) {
		t.Errorf("at level error there is: %s", more)
	}
}

// Another WhatsApp number needs a new start, and until then its secrets are not used for the number that serves.
func TestReload_anotherNumber(t *testing.T) {
	graph := bottest.NewGraph(bottest.GraphOptions{})
	api := httptest.NewServer(graph)
	t.Cleanup(func() { graph.Close(); api.Close() })
	t.Chdir(t.TempDir())
	put := func(number, token, app, verify string) {
		t.Helper()
		text := "LLAVE_WHATSAPP_PHONE_NUMBER_ID=" + number + "\nLLAVE_WHATSAPP_TOKEN=" + token + "\nLLAVE_WHATSAPP_APP_SECRET=" + app + "\nLLAVE_WHATSAPP_VERIFY_TOKEN=" + verify + "\n"
		if err := os.WriteFile(".env", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("1001", "token-one", "app-one", "verify-one")
	s := serving(t, []string{"LLAVE_DATA_DIR=" + t.TempDir(), "LLAVE_HTTP_ADDR=127.0.0.1:0", "LLAVE_WHATSAPP_API_URL=" + api.URL, "LLAVE_INTRODUCE=off"})
	put("1001", "token-two", "app-one", "verify-two")
	if line := hangup(t, s); !slices.Equal(line.Changed, []string{"LLAVE_WHATSAPP_TOKEN", "LLAVE_WHATSAPP_VERIFY_TOKEN"}) || len(line.Restart) > 0 {
		t.Errorf("the same number: %+v", line)
	}
	put("1002", "token-three", "app-three", "verify-three")
	four := []string{"LLAVE_WHATSAPP_TOKEN", "LLAVE_WHATSAPP_PHONE_NUMBER_ID", "LLAVE_WHATSAPP_APP_SECRET", "LLAVE_WHATSAPP_VERIFY_TOKEN"}
	if line := hangup(t, s); len(line.Changed) > 0 || !slices.Equal(line.Restart, four) {
		t.Errorf("another number: %+v", line)
	}
}
