package config_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"llave/internal/config"
)

// safe are settings of which nothing is warned.
var safe = []string{
	"LLAVE_SECOND_FACTOR=supervisors", "LLAVE_PUBLIC_URL=https://llave.example", "LLAVE_TRUSTED_PROXIES=10.0.0.1",
	"LLAVE_SECRET_KEY=q9Vt0rQ3dKcE5mZyXJ1wUo8sLh2BfA7iNgTbP4ukxDY=",
}

// over lays settings over others; an empty one takes the other away.
func over(these, others []string) []string {
	for _, o := range others {
		name, value, _ := strings.Cut(o, "=")
		these = slices.DeleteFunc(slices.Clone(these), func(s string) bool { return strings.HasPrefix(s, name+"=") })
		if value != "" {
			these = append(these, o)
		}
	}
	return these
}

// Each of these starts, and is warned of; alone, so that one warning is one setting.
func TestUnsafe(t *testing.T) {
	zeros := base64.StdEncoding.EncodeToString(make([]byte, 32))
	whatsapp := []string{"LLAVE_WHATSAPP_TOKEN=x", "LLAVE_WHATSAPP_PHONE_NUMBER_ID=1", "LLAVE_WHATSAPP_APP_SECRET=0123456789abcdef", "LLAVE_WHATSAPP_VERIFY_TOKEN=0123456789abcdef"}
	mongo := func(uri string) []string { return []string{"LLAVE_MONGODB_URI=" + uri} }
	for _, c := range []struct {
		name string
		set  []string
		want string // the setting; "": nothing is warned of
		says string
	}{
		{"nothing", nil, "", ""},
		{"second factor", []string{"LLAVE_SECOND_FACTOR=optional"}, "LLAVE_SECOND_FACTOR", "a password alone"},
		{"second factor, unset", []string{"LLAVE_SECOND_FACTOR="}, "LLAVE_SECOND_FACTOR", "a password alone"},
		{"everybody a proxy", []string{"LLAVE_TRUSTED_PROXIES=0.0.0.0/0"}, "LLAVE_TRUSTED_PROXIES", "whoever writes"},
		{"half the world a proxy", []string{"LLAVE_TRUSTED_PROXIES=10.0.0.1,128.0.0.0/1"}, "LLAVE_TRUSTED_PROXIES", "128.0.0.0/1"},
		{"no proxy", []string{"LLAVE_TRUSTED_PROXIES="}, "LLAVE_TRUSTED_PROXIES", "none is trusted"},
		{"admin for all", []string{"LLAVE_ADMIN_ADDR=:9090"}, "LLAVE_ADMIN_ADDR", "open to whoever reaches"},
		{"admin in the network", []string{"LLAVE_ADMIN_ADDR=10.1.2.3:9090"}, "LLAVE_ADMIN_ADDR", "10.1.2.3"},
		{"pprof", []string{"LLAVE_PPROF=on"}, "LLAVE_PPROF", "profiles"},
		{"no TLS for all", []string{"LLAVE_PUBLIC_URL=http://localhost:8080", "LLAVE_TRUSTED_PROXIES="}, "LLAVE_PUBLIC_URL", "without TLS"},
		{"no TLS here", []string{"LLAVE_PUBLIC_URL=http://localhost:8080", "LLAVE_TRUSTED_PROXIES=", "LLAVE_HTTP_ADDR=127.0.0.1:8080"}, "", ""},
		{"key of zeros", []string{"LLAVE_SECRET_KEY=" + zeros}, "LLAVE_SECRET_KEY", "1 different bytes"},
		{"key of zeros behind", []string{"LLAVE_SECRET_KEY=q9Vt0rQ3dKcE5mZyXJ1wUo8sLh2BfA7iNgTbP4ukxDY=," + zeros}, "LLAVE_SECRET_KEY", "not random"},
		{"short webhook secret", []string{"LLAVE_TELEGRAM_WEBHOOK_SECRET=abc"}, "LLAVE_TELEGRAM_WEBHOOK_SECRET", "3 signs"},
		{"whatsapp", whatsapp, "", ""},
		{"short app secret", append(slices.Clone(whatsapp), "LLAVE_WHATSAPP_APP_SECRET=abc"), "LLAVE_WHATSAPP_APP_SECRET", "guessed"},
		{"short verify token", append(slices.Clone(whatsapp), "LLAVE_WHATSAPP_VERIFY_TOKEN=abc"), "LLAVE_WHATSAPP_VERIFY_TOKEN", "guessed"},
		{"Telegram in clear", []string{"LLAVE_TELEGRAM_TOKEN=1:a", "LLAVE_TELEGRAM_API_URL=http://bots.example:8081"}, "LLAVE_TELEGRAM_API_URL", "in clear"},
		{"Telegram in clear, off", []string{"LLAVE_TELEGRAM_API_URL=http://bots.example:8081"}, "", ""},
		{"Telegram in clear, here", []string{"LLAVE_TELEGRAM_TOKEN=1:a", "LLAVE_TELEGRAM_API_URL=http://127.0.0.1:8081"}, "", ""},
		{"WhatsApp in clear", append(slices.Clone(whatsapp), "LLAVE_WHATSAPP_API_URL=http://graph.example"), "LLAVE_WHATSAPP_API_URL", "in clear"},
		{"MongoDB in clear", mongo("mongodb://u:p@db.example/"), "LLAVE_MONGODB_URI", "in clear"},
		{"MongoDB with TLS off", mongo("mongodb+srv://u:p@db.example/?tls=false"), "LLAVE_MONGODB_URI", "in clear"},
		{"MongoDB in clear, of three", mongo("mongodb://u:p@127.0.0.1:27017,db.example:27017,[::1]:27017/?replicaSet=a"), "LLAVE_MONGODB_URI", "in clear"},
		{"MongoDB without a user", mongo("mongodb://a.example:1,b.example:2/?tls=true"), "LLAVE_MONGODB_URI", "whoever reaches it"},
		{"MongoDB as it should be", mongo("mongodb://u:p@a.example:1,b.example:2/?tls=true"), "", ""},
		{"MongoDB by name", mongo("mongodb+srv://u:p@db.example/"), "", ""},
		{"MongoDB here", mongo("mongodb://127.0.0.1:27017,[::1]:27018/"), "", ""},
		{"sessions that stay", []string{"LLAVE_AGENT_IDLE=12h"}, "LLAVE_AGENT_IDLE", "12h"},
		{"an audit of a day", []string{"LLAVE_RETENTION_AUDIT=24h"}, "LLAVE_RETENTION_AUDIT", "24h"},
		{"any number of numbers", []string{"LLAVE_LIMIT_NUMBERS_HOUR=1000"}, "LLAVE_LIMIT_NUMBERS_HOUR", "1000"},
		{"any number of letters", []string{"LLAVE_LIMIT_MAILS_WINDOW=1000"}, "LLAVE_LIMIT_MAILS_WINDOW", "1000"},
		{"any number of links", []string{"LLAVE_LIMIT_WRONG_LINKS_MINUTE=1000"}, "LLAVE_LIMIT_WRONG_LINKS_MINUTE", "1000"},
	} {
		loaded, err := config.Load(over(safe, c.set), t.TempDir())
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got := loaded.Unsafe()
		switch {
		case c.want == "" && len(got) > 0:
			t.Errorf("%s: warned of %+v", c.name, got)
		case c.want != "" && (len(got) != 1 || got[0].Setting != c.want || !strings.Contains(got[0].What, c.says) || got[0].Do == ""):
			t.Errorf("%s: got %+v, want %s and %q", c.name, got, c.want, c.says)
		}
		for _, w := range got {
			for _, secret := range []string{"0123456789abcdef", "u:p", "q9Vt"} {
				if strings.Contains(w.What+w.Do, secret) {
					t.Errorf("%s: the warning holds a secret: %+v", c.name, w)
				}
			}
		}
	}
}
