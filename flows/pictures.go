package flows

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"

	"llave/bot"
)

// The pictures of the step-by-step way are drawn by us, as SVG; no mark of anybody's is in them. What goes out is the PNG
// beside each, made from it by `go test ./flows -run Pictures -update` in Chromium; sums.txt says from which SVG.
//
//go:embed pictures/*.svg pictures/*.png
var drawn embed.FS

var pictureTitle = regexp.MustCompile(`(?s)<title>(.*?)</title>`)

// Pictures reads every picture that a text may show, by name.
func Pictures() (map[string]bot.Picture, error) {
	files, err := drawn.ReadDir("pictures")
	if err != nil {
		return nil, fmt.Errorf("read the pictures: %w", err)
	}
	out := map[string]bot.Picture{}
	for _, f := range files {
		name, ok := strings.CutSuffix(f.Name(), ".svg")
		if !ok {
			continue
		}
		svg, err := drawn.ReadFile("pictures/" + f.Name())
		if err != nil {
			return nil, fmt.Errorf("read picture %s: %w", name, err)
		}
		png, err := drawn.ReadFile("pictures/" + name + ".png")
		if err != nil {
			return nil, fmt.Errorf("read picture %s: %w", name, err)
		}
		title := pictureTitle.FindSubmatch(svg)
		if title == nil {
			return nil, fmt.Errorf("picture %s says nothing to who cannot see it", name)
		}
		sum := sha256.Sum256(png)
		out[name] = bot.Picture{Name: name, Hash: hex.EncodeToString(sum[:16]), Alt: string(title[1]), PNG: png}
	}
	return out, nil
}
