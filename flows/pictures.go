package flows

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"regexp"

	"llave/bot"
)

// The pictures of the step-by-step way are drawn by us, as SVG; no mark of anybody's is in them. What goes out is the PNG
// beside each, made from it by `go test ./flows -run Pictures -update` in Chromium; sums.txt says from which SVG.
//
//go:embed pictures/*.svg pictures/*.png
var drawn embed.FS

var pictureTitle = regexp.MustCompile(`(?s)<title>(.*?)</title>`)

// Picture finds a picture that a text may show. It is read when it is asked for, so that an idle process keeps none.
func Picture(name string) (bot.Picture, bool) {
	svg, err := drawn.ReadFile("pictures/" + name + ".svg")
	if err != nil {
		return bot.Picture{}, false
	}
	png, err := drawn.ReadFile("pictures/" + name + ".png")
	title := pictureTitle.FindSubmatch(svg)
	if err != nil || title == nil { // not drawn to the end, which a test tells
		return bot.Picture{}, false
	}
	sum := sha256.Sum256(png)
	return bot.Picture{Name: name, Hash: hex.EncodeToString(sum[:16]), Alt: string(title[1]), PNG: png}, true
}
