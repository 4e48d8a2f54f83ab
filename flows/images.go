package flows

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"regexp"

	"llave/bot"
)

// The images of the step-by-step way are drawn by us, as SVG; no mark of anybody's is in them. What goes out is the PNG
// beside each, made from it by `go test ./flows -run Images -update` in Chromium; sums.txt says from which SVG.
//
//go:embed images/*.svg images/*.png
var drawn embed.FS

var imageTitle = regexp.MustCompile(`(?s)<title>(.*?)</title>`)

// Image finds an image that a text may show. It is read when it is asked for, so that an idle process keeps none.
func Image(name string) (bot.Image, bool) {
	svg, err := drawn.ReadFile("images/" + name + ".svg")
	if err != nil {
		return bot.Image{}, false
	}
	png, err := drawn.ReadFile("images/" + name + ".png")
	title := imageTitle.FindSubmatch(svg)
	if err != nil || title == nil { // not drawn to the end, which a test tells
		return bot.Image{}, false
	}
	sum := sha256.Sum256(png)
	return bot.Image{Name: name, Hash: hex.EncodeToString(sum[:16]), Alt: string(title[1]), PNG: png}, true
}
