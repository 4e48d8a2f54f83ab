package whatsapp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime/multipart"
	"net/textproto"

	"llave/bot"
)

// captionMax is how many characters fit under an image.
const captionMax = 1024

// imagePart is an image that was uploaded before.
type imagePart struct {
	ID      string `json:"id"`
	Caption string `json:"caption,omitempty"`
}

// header stands above an interactive message.
type header struct {
	Type  string     `json:"type"` // image
	Image *imagePart `json:"image,omitempty"`
}

// illustrable says whether the message can show an image: above reply buttons and a link's button, or with the text below
// it. A list has no place for one, nor has a text that is longer than a caption.
func (m outgoing) illustrable() bool {
	switch m.Type {
	case "interactive":
		return m.Interactive.Type != "list"
	case "text":
		return runes(m.Text.Body) <= captionMax
	}
	return false
}

// illustrated is the message with an image that WhatsApp has.
func (m outgoing) illustrated(id string) outgoing {
	if m.Type == "text" {
		m.Type, m.Image, m.Text = "image", &imagePart{ID: id, Caption: m.Text.Body}, nil
		return m
	}
	i := *m.Interactive
	i.Header = &header{Type: "image", Image: &imagePart{ID: id}}
	m.Interactive = &i
	return m
}

// deliverShown is deliver with the reply's image, where it has one and there is a place for it. WhatsApp keeps an
// upload for thirty days; an id that it refuses is uploaded again, once. Whatever else is wrong with the image, the
// message goes out without it.
func (c *Channel) deliverShown(ctx context.Context, chat string, m outgoing, name string) (id string, failure *bot.SendError) {
	if name == "" || c.opt.Images == nil || !m.illustrable() {
		return c.deliver(ctx, chat, m)
	}
	p, ok := c.opt.Images(name)
	if !ok {
		c.log.Warn("no such image", "image", name)
		return c.deliver(ctx, chat, m)
	}
	media := c.uploads.ID(ctx, p)
	for fresh := media == ""; ; fresh = true {
		if fresh {
			var err error
			if media, err = c.client.upload(ctx, p); err != nil {
				c.opt.Count(CountImageless)
				c.log.Warn("an image could not be uploaded, the text goes out alone", "image", p.Name, "err", err)
				return c.deliver(ctx, chat, m)
			}
			if err := c.uploads.Keep(ctx, p, media); err != nil {
				c.log.Warn("an image's id could not be kept, other processes will upload it again", "image", p.Name, "err", c.client.clean(err.Error()))
			}
		}
		id, failure = c.deliver(ctx, chat, m.illustrated(media))
		if failure == nil || failure.Failure != bot.Permanent {
			return id, failure
		}
		c.uploads.Drop(p, media)
		if fresh {
			c.opt.Count(CountImageless)
			c.log.Warn("a message with an image was refused, the text goes out alone", "image", p.Name, "err", failure)
			return c.deliver(ctx, chat, m)
		}
	}
}

// The codes by which WhatsApp reports, later, that it could not use an image.
const (
	mediaLost    = 131052
	mediaRefused = 131053
)

// lostImage says whether a message failed later on because of its image.
func lostImage(code int, failed *bot.Reply) bool {
	return (code == mediaLost || code == mediaRefused) && failed != nil && failed.Image != ""
}

// withoutImage is what to do about a message that failed later on because of its image: it is owed again, as a text.
func withoutImage(code int, again *bot.Reply, failure bot.Failure) (*bot.Reply, bot.Failure) {
	if !lostImage(code, again) {
		return again, failure
	}
	plain := *again
	plain.Image = ""
	return &plain, bot.Temporary
}

// dropImage forgets the id of an image that a message failed later on because of, so that the next one uploads it again.
func (c *Channel) dropImage(ctx context.Context, code int, failed *bot.Reply) {
	if !lostImage(code, failed) || c.opt.Images == nil {
		return
	}
	if p, ok := c.opt.Images(failed.Image); ok {
		if id := c.uploads.ID(ctx, p); id != "" {
			c.uploads.Drop(p, id)
		}
	}
}

// upload gives WhatsApp an image and returns the id it has there.
func (c *client) upload(ctx context.Context, p bot.Image) (string, error) {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	_ = form.WriteField("messaging_product", "whatsapp") // to memory
	_ = form.WriteField("type", "image/png")
	part, err := form.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {fmt.Sprintf(`form-data; name="file"; filename=%q`, p.Name+".png")},
		"Content-Type":        {"image/png"},
	})
	if err == nil {
		_, err = part.Write(p.PNG)
	}
	if err = errors.Join(err, form.Close()); err != nil {
		return "", fmt.Errorf("media: %w", err)
	}
	var answer struct {
		ID json.RawMessage `json:"id"` // a string, by the documentation; a number does no harm
	}
	if err := c.call(ctx, request{c.media, form.FormDataContentType(), body.Bytes()}, &answer); err != nil {
		return "", err
	}
	id := string(bytes.Trim(answer.ID, `"`))
	if id == "" || id == "null" {
		return "", errors.New("media: the answer names no image")
	}
	return id, nil
}
