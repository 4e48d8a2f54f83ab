package app_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"llave/internal/bottest/world"
)

// The reasons in .ci/vulnerabilities hold: HTTP/2 is served to nobody, CONNECT never succeeds, and no part of a file is served.
func TestWaived(t *testing.T) {
	w := world.New(t, onePerson)
	addr := strings.TrimPrefix(w.URL(""), "http://localhost")
	raw := func(request string) string {
		c, err := net.Dial("tcp", "127.0.0.1"+addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, request); err != nil {
			t.Fatal(err)
		}
		line, _ := bufio.NewReader(c).ReadString('\n')
		return strings.TrimSpace(line)
	}
	if got := raw("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"); !strings.HasPrefix(got, "HTTP/1.1 4") && !strings.HasPrefix(got, "HTTP/1.1 505") {
		t.Errorf("HTTP/2 by prior knowledge is answered %q", got)
	}
	for _, path := range []string{"/", "/webhooks/telegram", "/webhooks/whatsapp", "/desbloqueo/x", "/no-fui-yo/x", "/clave", "/listo", "/privacidad", "/agentes", "/agentes/entrar", "localhost:80"} {
		if got := raw("CONNECT " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 4") && !strings.HasPrefix(got, "HTTP/1.1 3") {
			t.Errorf("CONNECT %s is answered %q", path, got)
		}
	}
	_, page := w.Get(world.NewBrowser(t), w.URL("/privacidad"))
	file := regexp.MustCompile(`"(/recursos/[^"]+\.css)"`).FindStringSubmatch(page)
	if file == nil {
		t.Fatalf("no style sheet in %s", page)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.URL(file[1]), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Range", "bytes=0-0"+strings.Repeat(",0-0", 200))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Range") != "" {
		t.Errorf("ranges are answered %d", res.StatusCode)
	}

	text, err := os.ReadFile("../../.ci/vulnerabilities")
	if err != nil {
		t.Fatal(err)
	}
	for n, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		if !strings.HasPrefix(line, "#") && !regexp.MustCompile(`^GO-\d{4}-\d+ \S+ \S.{6,}$`).MatchString(line) {
			t.Errorf("line %d is no waiver: %s", n+1, line)
		}
	}
}
