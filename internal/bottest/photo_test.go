package bottest

import (
	"bytes"
	"encoding/json"
	"image"
	"image/png"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"strings"
	"testing"
)

func tinyPNG(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 4, 4))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// photoForm is a form with one file, of a media type in a field, or with none.
type photoForm struct {
	path, token string
	field, kind string
	file        []byte
	values      map[string]string
}

// upload posts a form to a stub and returns what it answers.
func upload(t *testing.T, to http.Handler, p photoForm) (int, map[string]any) {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for k, v := range p.values {
		if err := form.WriteField(k, v); err != nil {
			t.Fatal(err)
		}
	}
	if p.file != nil {
		part, err := form.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="` + p.field + `"; filename="mail_app.png"`}, "Content-Type": {p.kind}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := part.Write(p.file); err != nil {
			t.Fatal(err)
		}
	}
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, p.path, &body)
	r.Header.Set("Content-Type", form.FormDataContentType())
	r.Header.Set("Authorization", "Bearer "+p.token)
	w := httptest.NewRecorder()
	to.ServeHTTP(w, r)
	raw, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return w.Code, out
}

// A photo is looked at, and shown; what Telegram would refuse is refused in its words.
func TestBotAPI_sendPhoto(t *testing.T) {
	const token = "7000000001:AAtest"
	b := NewBotAPI(token)
	t.Cleanup(b.Close)
	b.Say(42, "hola")
	for _, tt := range []struct {
		name   string
		file   []byte
		values map[string]string
		status int
		want   string // description
	}{
		{"a photo", tinyPNG(t), map[string]string{"chat_id": "42", "caption": "Abra su correo"}, 200, ""},
		{"by nothing", nil, map[string]string{"chat_id": "42"}, 400, botTextNoPhoto},
		{"by an id of nobody's", nil, map[string]string{"chat_id": "42", "photo": "AgACx"}, 400, botTextWrongFile},
		{"no image", []byte("x"), map[string]string{"chat_id": "42"}, 400, botTextNoImage},
		{"a long caption", tinyPNG(t), map[string]string{"chat_id": "42", "caption": strings.Repeat("👍", 513)}, 400, botTextCaption},
		{"to nobody", tinyPNG(t), map[string]string{"chat_id": "43"}, 400, botTextChatNotFound},
	} {
		status, got := upload(t, b, photoForm{path: "/bot" + token + "/sendPhoto", field: "photo", kind: "image/png", file: tt.file, values: tt.values})
		if description, _ := got["description"].(string); status != tt.status || description != tt.want {
			t.Errorf("%s: got %d %q, want %d %q", tt.name, status, description, tt.status, tt.want)
		}
	}
	ms := b.Messages(42)
	if len(ms) != 1 || ms[0].Image != "mail_app" || ms[0].Text != "Abra su correo" {
		t.Errorf("shown: %+v", ms)
	}
}

// An upload is looked at, and its id stands in messages until it is forgotten.
func TestGraph_media(t *testing.T) {
	g := NewGraph(GraphOptions{Tokens: []string{"EAAtest"}, PhoneNumberID: "106540352242922", AppSecret: "s", VerifyToken: "v"})
	t.Cleanup(g.Close)
	const path = "/v26.0/106540352242922/media"
	product := map[string]string{"messaging_product": "whatsapp"}
	for _, tt := range []struct {
		name, token, kind string
		file              []byte
		values            map[string]string
		status, code      int
	}{
		{"an image", "EAAtest", "image/png", tinyPNG(t), product, 200, 0},
		{"no token", "other", "image/png", tinyPNG(t), product, 401, 190},
		{"no product", "EAAtest", "image/png", tinyPNG(t), nil, 400, 100},
		{"no file", "EAAtest", "image/png", nil, product, 400, 100},
		{"another type", "EAAtest", "image/svg+xml", tinyPNG(t), product, 400, 100},
		{"no image", "EAAtest", "image/png", []byte("x"), product, 400, 131053},
	} {
		status, got := upload(t, g, photoForm{path, tt.token, "file", tt.kind, tt.file, tt.values})
		code := 0.0
		if e, ok := got["error"].(map[string]any); ok {
			code, _ = e["code"].(float64)
		}
		if status != tt.status || int(code) != tt.code {
			t.Errorf("%s: got %d, %v, want %d, %d", tt.name, status, got, tt.status, tt.code)
		}
	}
}
