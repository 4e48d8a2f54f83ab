package bottest

import (
	"bytes"
	"fmt"
	"image"
	_ "image/png" // what is uploaded is looked at
	"io"
	"mime/multipart"
	"net/http"
	"path"
	"strconv"
	"strings"
	"unicode/utf16"
)

// The refusals of a photo, in Telegram's words.
const (
	botTextNoPhoto    = "Bad Request: there is no photo in the request"
	botTextWrongFile  = "Bad Request: wrong file identifier/HTTP URL specified"
	botTextNoImage    = "Bad Request: IMAGE_PROCESS_FAILED"
	botTextCaption    = "Bad Request: message caption is too long"
	botTextPhotoLarge = "Request Entity Too Large"
)

// photoMax is how many bytes a photo may have.
const photoMax = 10 << 20

// sendPhoto shows a photo: one that is uploaded now, or one that the bot has the file_id of.
func (b *BotAPI) sendPhoto(r *http.Request, p map[string]string) (any, error) {
	chat, err := strconv.ParseInt(p["chat_id"], 10, 64)
	if err != nil {
		return nil, refuseBot(400, botTextChatNotFound)
	}
	if len(utf16.Encode([]rune(p["caption"]))) > 1024 {
		return nil, refuseBot(400, botTextCaption)
	}
	id, name, err := b.photo(r, p["photo"])
	if err != nil {
		return nil, err
	}
	m := &ChatMessage{Text: p["caption"], Image: name}
	if err := b.show(chat, m, p); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	wire := m.wire(b.chats[chat])
	wire["photo"] = []any{
		map[string]any{"file_id": id + "s", "file_unique_id": id + "us", "width": 90, "height": 67, "file_size": 1200},
		map[string]any{"file_id": id, "file_unique_id": id + "u", "width": 640, "height": 480, "file_size": 20000},
	}
	return wire, nil
}

// photo finds what is to be shown and returns its file_id and the name it was uploaded under.
func (b *BotAPI) photo(r *http.Request, id string) (string, string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if id != "" {
		name, known := b.photos[id]
		if !known {
			return "", "", refuseBot(400, botTextWrongFile)
		}
		return id, name, nil
	}
	if r.MultipartForm == nil || len(r.MultipartForm.File["photo"]) != 1 {
		return "", "", refuseBot(400, botTextNoPhoto)
	}
	file := r.MultipartForm.File["photo"][0]
	if file.Size > photoMax {
		return "", "", refuseBot(413, botTextPhotoLarge)
	}
	if !isImage(file) {
		return "", "", refuseBot(400, botTextNoImage)
	}
	id = fmt.Sprintf("AgACAgQAAxkDAAI%04d", len(b.photos)+1)
	b.photos[id] = fileName(file)
	return id, b.photos[id], nil
}

// ForgetPhotos makes every file_id unknown, as another bot's would be.
func (b *BotAPI) ForgetPhotos() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id := range b.photos {
		b.photos[id+"gone"] = "" // so that no id is given twice
		delete(b.photos, id)
	}
}

func isImage(file *multipart.FileHeader) bool {
	f, err := file.Open()
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	raw, err := io.ReadAll(f)
	if err != nil {
		return false
	}
	_, _, err = image.Decode(bytes.NewReader(raw))
	return err == nil
}

func fileName(file *multipart.FileHeader) string {
	return strings.TrimSuffix(path.Base(file.Filename), path.Ext(file.Filename))
}
