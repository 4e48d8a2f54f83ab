package letter

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func crlf(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", "\r\n")) }

const both = `From: =?utf-8?q?Atenci=C3=B3n?= <no-responder@example.org>
To: <ana@example.org>
Subject: =?UTF-8?q?Su_clave_est=C3=A1?=
 =?UTF-8?q?_lista?=
Date: Mon, 24 Nov 2025 08:35:00 -0500
Message-ID: <derived-1@example.org>
X-Twice: one
X-Twice: two
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary=b

--b
Content-Type: text/plain; charset=UTF-8
Content-Transfer-Encoding: quoted-printable

L=C3=ADnea
--b
Content-Type: text/html; charset=UTF-8
Content-Transfer-Encoding: base64

PGEgaHJlZj0iaHR0cHM6Ly9leGFtcGxlLm9yZy8/YT0xJmFtcDtiPTIiPjxiPlVubzwvYj4gJmFt
cDsKICBkb3M8L2E+IDxBIGNsYXNzPSJ4IiBIUkVGPSJtYWlsdG86YUBleGFtcGxlLm9yZyI+dHJl
czwvQT4=
--b--
`

func TestParse(t *testing.T) {
	got, err := Parse(crlf(both))
	if err != nil {
		t.Fatal(err)
	}
	links := []Link{{"Uno & dos", "https://example.org/?a=1&b=2"}, {"tres", "mailto:a@example.org"}}
	for name, pair := range map[string][2]any{
		"From":       {got.From, "Atención <no-responder@example.org>"},
		"subject":    {got.Subject, "Su clave está lista"},
		"Message-ID": {got.MessageID, "derived-1@example.org"},
		"date":       {got.Date.UTC(), time.Date(2025, 11, 24, 13, 35, 0, 0, time.UTC)},
		"repeated":   {got.Header["X-Twice"], "one"},
		"text":       {got.Text, "Línea"},
		"links":      {got.Links, links},
		"link":       {got.Link("tres"), "mailto:a@example.org"},
		"no link":    {got.Link("cuatro"), ""},
	} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			t.Errorf("%s is %#v, want %#v", name, pair[0], pair[1])
		}
	}
}

func TestParse_textAlone(t *testing.T) {
	got, err := Parse(crlf("From: <a@example.org>\nSubject: hola\n\nuno\ndos\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got.Text != "uno\ndos\n" || got.HTML != "" || got.Links != nil || got.MessageID != "" || !got.Date.IsZero() {
		t.Errorf("got %+v", got)
	}
}

func TestParse_refused(t *testing.T) {
	for name, raw := range map[string]string{
		"no headers":      "hola\n\nuno\n",
		"date":            "Date: mañana\n\nuno\n",
		"Message-ID":      "Message-ID: derived\n\nuno\n",
		"part cut short":  strings.TrimSuffix(both, "--b--\n")[:600],
		"broken encoding": "Content-Transfer-Encoding: base64\n\n?\n",
	} {
		if l, err := Parse(crlf(raw)); err == nil {
			t.Errorf("%s: no error, got %+v", name, l)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(crlf(both))
	f.Add([]byte("Subject: =?x?q?y?=\r\n\r\n"))
	f.Fuzz(func(_ *testing.T, raw []byte) {
		_, _ = Parse(raw) // whatever comes: an answer, no panic
	})
}
