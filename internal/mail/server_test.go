package mail

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestParseURL(t *testing.T) {
	tests := []struct {
		url                  string
		host                 string
		port                 int
		security             Security
		user, password, name string
	}{
		{url: "smtp://ana:clave@mail.example.org:2587", host: "mail.example.org", port: 2587, security: StartTLS, user: "ana", password: "clave"},
		{url: "smtp://mail.example.org", host: "mail.example.org", port: 587, security: StartTLS},
		{url: " smtp://mail.example.org/ ", host: "mail.example.org", port: 587, security: StartTLS},
		{url: "smtps://mail.example.org", host: "mail.example.org", port: 465, security: ImplicitTLS},
		{url: "smtps://a%40b.org:p%3Aq%2F%23%3F%25%40@mail.example.org:465", host: "mail.example.org", port: 465, security: ImplicitTLS, user: "a@b.org", password: "p:q/#?%@"},
		{url: "smtp://localhost:1025?tls=none", host: "localhost", port: 1025, security: Plain},
		{url: "smtp://127.0.0.1?tls=none", host: "127.0.0.1", port: 25, security: Plain},
		{url: "smtp://[::1]:1025?tls=none", host: "::1", port: 1025, security: Plain},
	}
	for _, tt := range tests {
		t.Run(tt.url, func(t *testing.T) {
			got, err := ParseURL(tt.url)
			if err != nil {
				t.Fatal(err)
			}
			if got.Host != tt.host || got.Port != tt.port || got.Security != tt.security || got.User != tt.user || got.Password.Reveal() != tt.password {
				t.Errorf("got %v user %q, want %+v", got, got.User, tt)
			}
		})
	}
}

func TestParseURL_refused(t *testing.T) {
	tests := []struct {
		url  string
		want error
	}{
		{"", errURLScheme},
		{"mail.example.org:587", errURLShape},
		{"http://mail.example.org", errURLScheme},
		{"smtp:mail.example.org", errURLShape},
		{"smtp://", errURLHost},
		{"smtp://ana:hunter2@", errURLHost},
		{"smtp://ana:hunter2@mail.example.org:0", errURLPort},
		{"smtp://ana:hunter2@mail.example.org:65536", errURLPort},
		{"smtp://ana:hunter2@mail.example.org:smtp", errURLShape},
		{"smtp://ana:hunter2%zz@mail.example.org", errURLShape},
		{"smtp://ana:12/hunter2@mail.example.org", errURLAfter},
		{"smtp://ana:12?hunter2@mail.example.org", errURLAfter},
		{"smtp://ana:12#hunter2@mail.example.org", errURLAfter},
		{"smtp://hunter#2@localhost?tls=none", errURLAfter},
		{"smtp://ana@mail.example.org", errURLUser},
		{"smtp://:hunter2@mail.example.org", errURLUser},
		{"smtp://mail.example.org/inbox", errURLAfter},
		{"smtp://mail.example.org?tls=maybe", errURLAfter},
		{"smtps://localhost?tls=none", errURLPlain},
		{"smtp://ana:hunter2@mail.example.org?tls=none", nil},
		{"smtp://10.0.0.1:1025?tls=none", nil},
	}
	for _, tt := range tests {
		t.Run(tt.url, func(t *testing.T) {
			_, err := ParseURL(tt.url)
			switch {
			case err == nil:
				t.Fatal("no error")
			case tt.want == nil && !strings.Contains(err.Error(), "same machine only"):
				t.Errorf("error is %q, want one about loopback", err)
			case tt.want != nil && err != tt.want:
				t.Errorf("error is %q, want %q", err, tt.want)
			case strings.Contains(err.Error(), "hunter"):
				t.Errorf("the error shows the password: %q", err)
			}
		})
	}
}

func TestPassword_isNeverPrinted(t *testing.T) {
	srv, err := ParseURL("smtp://ana:hunter2@mail.example.org")
	if err != nil {
		t.Fatal(err)
	}
	sender, err := New(Options{Server: srv, From: "IESS <no-responder@localhost>"})
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, value := range []any{srv, &srv, srv.Password, &srv.Password, sender, sender.opt, []Server{srv}, map[string]any{"p": srv.Password}} {
			if got := fmt.Sprintf(verb, value); strings.Contains(got, "hunter2") || strings.Contains(got, fmt.Sprintf("%x", "hunter2")) {
				t.Errorf("%s of %T shows the password: %s", verb, value, got)
			}
		}
	}
	b, err := json.Marshal(srv)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), `"[redacted]"`) || strings.Contains(string(b), "hunter2") {
		t.Errorf("JSON is %s", b)
	}
}

// Whatever is typed: no panic, and the secret is in no error.
func FuzzParseURL(f *testing.F) {
	for _, seed := range []string{"smtp://ana:%s@mail.example.org:587", "smtps://a:%s@[::1]", "smtp://%s", "smtp://x:1%%2F%s@localhost?tls=none", "smtp://a#%s"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, shape string) {
		const secret = "Zq7kW2"
		before, after, found := strings.Cut(shape, "%s")
		if !found || strings.Contains(shape, secret) || !strings.Contains(before, ":") || !strings.Contains(after, "@") {
			return // where it is no password, it may be a host, and is named
		}
		if _, err := ParseURL(before + secret + after); err != nil && strings.Contains(err.Error(), secret) {
			u := before + secret + after
			t.Errorf("the error for %q shows the password: %v", u, err)
		}
	})
}
