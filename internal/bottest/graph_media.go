package bottest

import (
	"bytes"
	"mime"
	"mime/multipart"
	"strconv"
	"strings"
)

// graphMediaMax is how many bytes an image may have.
const graphMediaMax = 5 << 20

// media takes an upload: a form with messaging_product, type and file. The id it gives may stand in messages until
// ForgetMedia, or thirty days with the real one.
func (g *Graph) media(contentType string) graphMethod {
	return func(body []byte) (any, func(), *graphRefusal) {
		kind, params, err := mime.ParseMediaType(contentType)
		if err != nil || kind != "multipart/form-data" {
			return nil, nil, badType("file", "a file")
		}
		form, err := multipart.NewReader(bytes.NewReader(body), params["boundary"]).ReadForm(graphMediaMax)
		if err != nil {
			return nil, nil, badType("file", "a file")
		}
		defer func() { _ = form.RemoveAll() }()
		field := func(name string) string { return strings.Join(form.Value[name], ",") }
		files := form.File["file"]
		switch {
		case field("messaging_product") != "whatsapp":
			return nil, nil, required("messaging_product")
		case len(files) != 1:
			return nil, nil, required("file")
		case files[0].Header.Get("Content-Type") != "image/png" && files[0].Header.Get("Content-Type") != "image/jpeg":
			return nil, nil, badType("file", "a file with one of the following types: image/jpeg, image/png")
		case field("type") != "" && field("type") != files[0].Header.Get("Content-Type"):
			return nil, nil, badType("type", "the type of the file")
		case files[0].Size > graphMediaMax, !isImage(files[0]):
			return nil, nil, refuseGraph(131053, "Media upload error.")
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		id := strconv.Itoa(1037543291543636 + len(g.files))
		g.files[id] = fileName(files[0])
		g.changed()
		return map[string]any{"id": id}, nil, nil
	}
}

// ForgetMedia makes every media id unknown, as thirty days do.
func (g *Graph) ForgetMedia() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for id := range g.files {
		g.files[id] = "" // kept, so that no id is given twice
	}
}

// image finds the file that a media id stands for. One that was not given here is taken for another's upload.
func (g *Graph) image(m *graphMessage) *graphRefusal {
	if m.mediaID == "" {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	known := false
	if m.Image, known = g.files[m.mediaID]; known && m.Image == "" {
		return refuseGraph(131009, "Parameter value is not valid: the media id does not exist.")
	}
	return nil
}
