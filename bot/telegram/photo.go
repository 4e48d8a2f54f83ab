package telegram

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"strings"

	tgbotapi "github.com/go-telegram-bot-api/telegram-bot-api/v5"

	"llave/bot"
	"llave/bot/wire"
)

// captionMax is how many UTF-16 units fit under a photo.
const captionMax = 1024

// sendPhoto sends a message's text under the image [p]: by the file id that Telegram gave it, or as an upload when it has
// none or Telegram does not know it any more. [message] is its id there. [sent] is false, and [err] nil, when the image could not be shown and the
// text must go out alone. [err] tells what is wrong with the chat, the bot or the rest of the message, not with the image.
//
// When no answer came, the text goes out alone too: the person may see it twice, but never not at all.
func (c *Channel) sendPhoto(ctx context.Context, p bot.Image, params tgbotapi.Params) (message int, sent bool, err error) {
	photo := maps.Clone(params)
	photo["caption"] = photo["text"]
	delete(photo, "text")
	delete(photo, "link_preview_options")
	var result struct {
		ID    int `json:"message_id"`
		Photo []struct {
			ID string `json:"file_id"`
		} `json:"photo"`
	}
	if id := c.uploads.ID(ctx, p); id != "" {
		photo["photo"] = id
		var known sentMessage
		if err = c.client.call(ctx, callTimeout, "sendPhoto", photo, &known); err == nil {
			return known.ID, true, nil
		}
		if !imageTrouble(err) || refusedAsItIs(err) && !ofImage(err) {
			return 0, false, err
		}
		c.uploads.Drop(p, id)
		delete(photo, "photo")
	}
	if err = c.client.upload(ctx, "sendPhoto", photo, file{"photo", p.Name + ".png", p.PNG}, &result); err != nil {
		if !imageTrouble(err) || refusedAsItIs(err) && !ofImage(err) {
			return 0, false, err
		}
		c.imageless(p, err)
		return 0, false, nil
	}
	if n := len(result.Photo); n > 0 { // sizes of one photo, the largest last
		if err := c.uploads.Keep(ctx, p, result.Photo[n-1].ID); err != nil {
			c.log.Warn("an image's id could not be kept, other processes will send it whole", "image", p.Name, "err", err)
		}
	}
	return result.ID, true, nil
}

func (c *Channel) imageless(p bot.Image, err error) {
	c.opt.Count(CountImageless)
	c.log.Warn("an image could not be shown, the text went out alone", "image", p.Name, "err", err)
}

// ofImage says whether a refusal names the image, as "wrong file identifier" and "PHOTO_INVALID_DIMENSIONS" do. An id that is refused
// otherwise is as good as before.
func ofImage(err error) bool {
	var refused *apiError
	return errors.As(err, &refused) && hasAny(refused.description, "file", "photo", "image")
}

// imageTrouble says whether a refusal is of the image, so that the text alone may fare better.
func imageTrouble(err error) bool {
	var refused *apiError
	if !errors.As(err, &refused) {
		return true // no answer: without the image there is less to go wrong
	}
	f := failureOf(refused)
	return f == bot.Permanent || f == bot.Temporary && !unauthorized(err) && refused.code != http.StatusConflict
}

// file is one field of a form.
type file struct {
	field, name string
	content     []byte
}

// upload makes one request with a file in it. tgbotapi's own uploads lose the refusal's code, so this is written here.
func (c *client) upload(ctx context.Context, method string, params tgbotapi.Params, f file, result any) (err error) {
	defer func() { c.note(ctx, err) }()
	one, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for k, v := range params {
		_ = form.WriteField(k, v) // to memory
	}
	part, err := form.CreateFormFile(f.field, f.name)
	if err == nil {
		_, err = part.Write(f.content)
	}
	if err = errors.Join(err, form.Close()); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	req, err := http.NewRequest(http.MethodPost, fmt.Sprintf(c.endpoint, c.token(), method), &body)
	if err != nil {
		return fmt.Errorf("%s: %w", method, wire.Redact(err, c.hidden()))
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	trip := &trip{ctx: one, http: c.http}
	resp, err := trip.Do(req)
	if err != nil {
		return fmt.Errorf("%s: %w", method, wire.Redact(err, c.hidden()))
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("%s: %w", method, wire.Redact(err, c.hidden()))
	}
	var answer tgbotapi.APIResponse
	if json.Unmarshal(raw, &answer) != nil {
		return c.explain(method, resp.StatusCode, errors.New("not JSON"))
	}
	if !answer.Ok {
		refusal := &tgbotapi.Error{Code: answer.ErrorCode, Message: answer.Description}
		if answer.Parameters != nil {
			refusal.ResponseParameters = *answer.Parameters
		}
		return c.explain(method, resp.StatusCode, refusal)
	}
	if err := json.Unmarshal(answer.Result, result); err != nil {
		return fmt.Errorf("%s: the result has another shape", method)
	}
	return nil
}

// image is what goes out with a reply, where its text fits under it.
func (c *Channel) image(r bot.Reply, text string) (bot.Image, bool) {
	if r.Image == "" || c.opt.Images == nil || utf16Len(text) > captionMax || strings.TrimSpace(text) == "" {
		return bot.Image{}, false
	}
	return c.opt.Images(r.Image)
}
