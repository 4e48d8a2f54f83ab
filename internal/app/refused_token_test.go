package app_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"llave/internal/bottest/world"
)

// A token that Telegram refuses at the start ends nothing: the pages and the other channels serve, /readyz names it, the log has
// one error line, and SIGHUP with the right token mends it, which the log says too (P605).
func TestServe_refusedToken(t *testing.T) {
	for _, mode := range []string{"polling", "webhook"} {
		t.Run(mode, func(t *testing.T) {
			dir := t.TempDir()
			t.Chdir(dir)
			token := filepath.Join(dir, "token")
			put := func(text string) {
				t.Helper()
				if err := os.WriteFile(token, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			api := newAPI(t)
			id, _, _ := strings.Cut(world.Token, ":")
			put(id + ":refused")
			s := serving(t, []string{"LLAVE_DATA_DIR=" + t.TempDir(), "LLAVE_TELEGRAM_TOKEN_FILE=" + token, "LLAVE_TELEGRAM_API_URL=" + api.URL(),
				"LLAVE_TELEGRAM_MODE=" + mode, "LLAVE_PUBLIC_URL=https://bot.example.org"})
			defer http.DefaultClient.CloseIdleConnections()
			var ready struct{ Addr, Admin string }
			for l := range strings.SplitSeq(s.logged(), "\n") {
				if strings.Contains(l, `"msg":"ready"`) {
					if err := json.Unmarshal([]byte(l), &ready); err != nil {
						t.Fatal(err)
					}
				}
			}
			get := func(url string) (int, string) {
				res, err := http.Get(url)
				if err != nil {
					t.Error(err)
					return 0, ""
				}
				defer res.Body.Close()
				body := make([]byte, 4096)
				n, _ := res.Body.Read(body)
				return res.StatusCode, string(body[:n])
			}
			eventually(t, "/readyz names the token", func() bool {
				code, body := get("http://" + ready.Admin + "/readyz")
				return code == 200 && strings.Contains(body, "degraded: telegram since ") && strings.Contains(body, "LLAVE_TELEGRAM_TOKEN")
			})
			eventually(t, "the log says it", func() bool {
				return strings.Contains(s.logged(), `"msg":"telegram does not serve us: it does not know the bot's token`)
			})
			if code, _ := get("http://" + ready.Addr + "/"); code != 200 {
				t.Errorf("the pages answer %d", code)
			}
			put(world.Token)
			if line := hangup(t, s); len(line.Changed) != 1 || len(line.Restart) != 0 {
				t.Errorf("the right token: %+v", line)
			}
			eventually(t, "the end of it is told", func() bool { return strings.Contains(s.logged(), `"msg":"telegram serves us again"`) })
			if _, body := get("http://" + ready.Admin + "/readyz"); strings.Contains(body, "telegram") {
				t.Errorf("mended, and /readyz says %s", body)
			}
			if n := strings.Count(s.logged(), `"level":"ERROR"`); n != 1 {
				t.Errorf("%d error lines, want one: %s", n, s.logged())
			}
		})
	}
}
