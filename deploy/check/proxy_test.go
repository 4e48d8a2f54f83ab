package check

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const host = "clave.example"

// certificate writes one for our host, and its key.
func certificate(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	what := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{host}, NotAfter: time.Now().Add(time.Hour)}
	signed, err := x509.CreateCertificate(rand.Reader, what, what, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "fullchain.pem"), filepath.Join(dir, "privkey.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: signed}, key: {Type: "EC PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// The shipped files, with addresses of this machine, run each proxy: nginx with TLS, Caddy as in compose.yaml.
var proxies = map[string]func(t *testing.T, at, behind, dir string) (scheme string, p *started){
	"nginx": func(t *testing.T, at, behind, dir string) (string, *started) {
		cert, key := certificate(t, dir)
		text, err := os.ReadFile("../proxy/nginx.conf")
		if err != nil {
			t.Fatal(err)
		}
		conf := regexp.MustCompile(`(?m)^ *listen \[::\].*\n`).ReplaceAllString(string(text), "")
		conf = strings.NewReplacer("listen 80;", "listen "+freeAddr(t)+";", "listen 443", "listen "+at, "server 127.0.0.1:8080", "server "+behind,
			"/etc/nginx/llave/fullchain.pem", cert, "/etc/nginx/llave/privkey.pem", key, "/var/log/nginx/error.log", filepath.Join(dir, "error.log")).Replace(conf)
		temporary := ""
		for _, what := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
			temporary += what + "_temp_path " + filepath.Join(dir, what) + ";\n"
		}
		main := filepath.Join(dir, "nginx.conf")
		if err := os.WriteFile(main, []byte("daemon off; master_process off; pid "+dir+"/pid; error_log stderr notice;\nevents {}\nhttp {\naccess_log "+dir+"/access.log;\n"+temporary+conf+"}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return "https", start(t, nil, "nginx", "-e", "stderr", "-p", dir, "-c", main)
	},
	"caddy": func(t *testing.T, at, behind, dir string) (string, *started) {
		file, err := filepath.Abs("../proxy/Caddyfile")
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ := net.SplitHostPort(at)
		env := []string{"HOME=" + dir, "SITE=http://:" + port, "LLAVE=" + behind, "CADDY_ADMIN=" + freeAddr(t)}
		return "http", start(t, env, "caddy", "run", "--config", file, "--adapter", "caddyfile")
	},
}

// signIn is what the desk's first page sends.
var signIn = url.Values{"usuario": {"agent.a"}, "contrasena": {"nueve palomas cruzan el paramo gris"}}

// stream signs in at the desk and wants the first line of its stream of events, which does not end, so that what holds lines back until
// it has many, or all, never gives it.
func stream(t *testing.T, client *http.Client, scheme string, form url.Values) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	door, err := http.NewRequestWithContext(ctx, http.MethodPost, scheme+"://"+host+"/agentes/entrar", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	door.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	in, err := client.Transport.RoundTrip(door) // follows nothing
	if err != nil {
		t.Fatal(err)
	}
	_ = in.Body.Close()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+host+"/agentes/flujo", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range in.Cookies() {
		req.AddCookie(c)
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	line, err := bufio.NewReader(res.Body).ReadString('\n')
	if err != nil || res.StatusCode != http.StatusOK || !strings.HasPrefix(line, "event: ") {
		t.Errorf("after signing in (%d) the stream (%d) begins with %q (%v)", in.StatusCode, res.StatusCode, line, err)
	}
}

// Behind each proxy what Llave says arrives as it is; who asks is known by the address that they come from, whatever they write, so
// that the limit of wrong links holds; too much is refused; a stream's lines come at once; and no log there has a link's path, with Llave away either (P813).
func TestProxy(t *testing.T) {
	binary := program(t)
	for name, run := range proxies {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(name); err != nil {
				t.Skipf("SKIPPED: there is no %s here (Debian's package of that name): deploy/proxy was not tried with it", name)
			}
			at, behind, admin, dir := freeAddr(t), freeAddr(t), freeAddr(t), t.TempDir()
			data := t.TempDir()
			added := exec.CommandContext(t.Context(), binary, "agents", "add", "agent.a", "--name", "Agent")
			added.Env, added.Dir, added.Stdin = []string{"LLAVE_DATA_DIR=" + data}, t.TempDir(), strings.NewReader(signIn.Get("contrasena")+"\n")
			if out, err := added.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			llave := start(t, []string{
				"LLAVE_HTTP_ADDR=" + behind, "LLAVE_ADMIN_ADDR=" + admin, "LLAVE_PUBLIC_URL=https://" + host, "LLAVE_TRUSTED_PROXIES=127.0.0.1",
				"LLAVE_DATA_DIR=" + data, "LLAVE_SMTP_URL=smtp://127.0.0.1:1?tls=none", "LLAVE_LIMIT_WRONG_LINKS_MINUTE=5",
				"LLAVE_WHATSAPP_TOKEN=a-token", "LLAVE_WHATSAPP_PHONE_NUMBER_ID=1", "LLAVE_WHATSAPP_APP_SECRET=an-app-secret-of-a-test", "LLAVE_WHATSAPP_VERIFY_TOKEN=a-verify-token-of-a-test", "LLAVE_WHATSAPP_API_URL=http://127.0.0.1:1",
			}, binary, "serve")
			llave.answers(t, "http://"+admin+"/readyz", http.StatusOK)
			scheme, proxy := run(t, at, behind, dir)
			client := &http.Client{Transport: &http.Transport{
				TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // its certificate was made a moment ago
				DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
					return new(net.Dialer).DialContext(ctx, network, at)
				},
			}}
			defer client.CloseIdleConnections()
			ask := func(method, path, from string, body io.Reader) (*http.Response, error) {
				req, err := http.NewRequestWithContext(t.Context(), method, scheme+"://"+host+path, body)
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("X-Forwarded-For", from)
				req.Header.Set("X-Hub-Signature-256", "sha256="+strings.Repeat("0", 64)) // webhooks without are refused unread
				res, err := client.Do(req)
				if err == nil {
					_ = res.Body.Close()
				}
				return res, err
			}
			var res *http.Response
			for until := time.Now().Add(time.Minute); res == nil && time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
				res, _ = ask(http.MethodGet, "/privacidad", "203.0.113.1", nil)
			}
			if res == nil {
				t.Fatal("the proxy does not answer")
			}
			direct, err := http.Get("http://" + behind + "/privacidad")
			if err != nil {
				t.Fatal(err)
			}
			_ = direct.Body.Close()
			for _, h := range []string{"Strict-Transport-Security", "Content-Security-Policy", "Referrer-Policy", "Permissions-Policy", "X-Content-Type-Options", "Cache-Control"} {
				if got, want := res.Header.Values(h), direct.Header.Values(h); len(got) != len(want) || strings.Join(got, "|") != strings.Join(want, "|") {
					t.Errorf("%s: got %q, Llave says %q", h, got, want)
				}
			}
			if s := res.Header.Get("Server"); strings.ContainsAny(s, "0123456789/") || res.StatusCode != http.StatusOK {
				t.Errorf("status %d of %q", res.StatusCode, s)
			}

			const link = "/desbloqueo/AAsecretsecretsecretsecretsecretsecret"
			last := 0
			for i := range 8 {
				if res, err = ask(http.MethodGet, link, fmt.Sprintf("203.0.113.%d", i), nil); err != nil {
					t.Fatal(err)
				}
				last = res.StatusCode
			}
			if last != http.StatusTooManyRequests {
				t.Errorf("eight wrong links under eight made-up addresses: the last is answered %d, want 429", last)
			}
			if res, err = ask(http.MethodPost, "/webhooks/whatsapp", "", bytes.NewReader(make([]byte, 5<<20))); err == nil && res.StatusCode != http.StatusRequestEntityTooLarge {
				t.Errorf("5 MiB are answered %d, want 413", res.StatusCode)
			}
			stream(t, client, scheme, signIn)
			if code := llave.end(t); code != 0 {
				t.Errorf("exit %d", code)
			}
			if res, err = ask(http.MethodGet, link, "", nil); err != nil || res.StatusCode < 500 {
				t.Errorf("with Llave away: %v, %v", res, err)
			}
			_ = proxy.end(t)
			said := proxy.said.String()
			if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
				if err == nil && !d.IsDir() {
					text, err := os.ReadFile(path)
					said += string(text)
					return err
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(said, "secretsecret") {
				t.Errorf("a log of the proxy has the link: %s", said)
			}
		})
	}
}
