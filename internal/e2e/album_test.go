package e2e

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

var update = flag.Bool("update", false, "take the screenshots in docs/ anew")

// album is docs/pages.md and its screenshots, kept like golden files. Letters are drawn a little otherwise on every machine,
// so screenshots are not
// compared: docs/pages.md names beside each the digest of the page that was taken, its style sheet's included, and that
// is compared. A page that has changed wants -update.
type album struct {
	dir  string
	text strings.Builder
	seen int
}

const albumHead = `# What people see

Every page that a letter leads to, as a phone of 320 pixels shows it and as a screen of 1280 pixels does that its owner has
zoomed to 200 %; and the letters, on that phone and on a screen of 1280 pixels, by day and in the dark. All work without a script. ` + "`internal/e2e`" + ` opens each page in every state in Chromium, narrow, zoomed and
wide, and wants no fault from axe-core (contrast of 7:1 included), nothing to scroll sideways, targets of 44 pixels, and the
keyboard to reach all of them. The same test takes these screenshots and says when a page is no longer the one that was taken:

    go test ./internal/e2e -run TestPages -update

`

func newAlbum(t *testing.T) *album {
	t.Helper()
	a := &album{dir: filepath.Join("..", "..", "docs")}
	a.text.WriteString(albumHead)
	if *update {
		if err := os.MkdirAll(filepath.Join(a.dir, "pages"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

// open notes the page that a visitor has before them.
func (a *album) open(v *visitor, p page) {
	a.seen++
	if p.what == "" {
		return
	}
	sum := sha256.Sum256([]byte(look[string](v, `document.documentElement.outerHTML`)))
	fmt.Fprintf(&a.text, "## %s\n\n<!-- %s %x -->\n", p.what, p.name, sum[:6])
	for _, view := range p.shots() {
		fmt.Fprintf(&a.text, "![%s, %s](pages/%s)\n", p.what, map[string]string{"320": "320 pixels", "200": "200 %", "wide": "1280 pixels"}[view.name], shotName(p, view))
	}
	a.text.WriteByte('\n')
}

func shotName(p page, view view) string { return p.name + "-" + view.name + ".png" }

// take takes a screenshot, with -update; else it wants one to be there.
func (a *album) take(v *visitor, p page, view view) {
	v.t.Helper()
	if p.what == "" || !slices.Contains(p.shots(), view) {
		return
	}
	keepScreenshot(v, filepath.Join(a.dir, "pages", shotName(p, view)), colours)
}

// keepScreenshot takes a screenshot of the page that is open, with -update; else it wants one to be there.
func keepScreenshot(v *visitor, file string, colours int) {
	v.t.Helper()
	if !*update {
		if _, err := os.Stat(file); err != nil {
			v.t.Errorf("no screenshot (-update takes it): %v", err)
		}
		return
	}
	shot, err := chromedp.Run(v.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		v.t.Fatalf("take a screenshot: %v", err)
	}
	if shot, err = small(shot, colours); err == nil {
		err = os.WriteFile(file, shot, 0o644)
	}
	if err != nil {
		v.t.Fatalf("keep the screenshot: %v", err)
	}
}

// close compares docs/pages.md, or writes it.
func (a *album) close(t *testing.T) {
	t.Helper()
	if a.seen < len(pages()) {
		return // -run, or a small sweep, has chosen some
	}
	file := filepath.Join(a.dir, "pages.md")
	got := strings.TrimRight(a.text.String(), "\n") + "\n"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("docs/pages.md shows pages that have changed since (-update takes the screenshots anew); it would be:\n%s", got)
	}
}

// colours is how many a screenshot keeps. Our pages have a dozen and their mixtures at the edges of letters; a page of the desk has
// small marks in colours of their own beside.
const (
	colours     = 24
	deskColours = 128
)

// small is the screenshot with its most frequent colours only, which takes a quarter of the room.
func small(shot []byte, colours int) ([]byte, error) {
	full, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		return nil, fmt.Errorf("read screenshot: %w", err)
	}
	count, box := map[color.RGBA]int{}, full.Bounds()
	for y := box.Min.Y; y < box.Max.Y; y++ {
		for x := box.Min.X; x < box.Max.X; x++ {
			count[color.RGBAModel.Convert(full.At(x, y)).(color.RGBA)]++
		}
	}
	var palette color.Palette
	most := slices.SortedFunc(func(yield func(color.RGBA) bool) {
		for c := range count {
			if !yield(c) {
				return
			}
		}
	}, func(a, b color.RGBA) int { return count[b] - count[a] })
	for _, c := range most[:min(colours, len(most))] {
		palette = append(palette, c)
	}
	few := image.NewPaletted(box, palette)
	nearest := map[color.RGBA]uint8{}
	for y := box.Min.Y; y < box.Max.Y; y++ {
		for x := box.Min.X; x < box.Max.X; x++ {
			c := color.RGBAModel.Convert(full.At(x, y)).(color.RGBA)
			i, ok := nearest[c]
			if !ok {
				i = uint8(palette.Index(c))
				nearest[c] = i
			}
			few.SetColorIndex(x, y, i)
		}
	}
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, few); err != nil {
		return nil, fmt.Errorf("write screenshot: %w", err)
	}
	return b.Bytes(), nil
}
