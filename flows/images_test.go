package flows_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image/png"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"llave/bot"
	"llave/flows"
)

// imageMax is what a PNG may weigh: people pay for what they receive.
const imageMax = 40 << 10

// drawnWords are the words in big letters at the top of an image.
var drawnWords = regexp.MustCompile(`class="says">([^<]*)<`)

// The way into the portal that its image shows is the one that is told; where the institution has words of its own, there is no image.
func TestImages_portal(t *testing.T) {
	svg, err := os.ReadFile("images/portal.svg")
	if err != nil {
		t.Fatal(err)
	}
	way := regexp.MustCompile(`class="way">([^<]*)<`).FindAllStringSubmatch(string(svg), -1)
	if len(way) != 3 {
		t.Fatalf("the image shows %d steps, want three", len(way))
	}
	for _, cat := range newEngine(t).Languages() {
		told := cat.Texts["portal.way"].Text
		for _, step := range way {
			_, after, ok := strings.Cut(told, step[1])
			if !ok {
				t.Errorf("%s: %q is not told, or in another order: %q", cat.Language, step[1], cat.Texts["portal.way"].Text)
			}
			told = after
		}
		if cat.Texts["key.made.slow"].Image != "portal" {
			t.Errorf("%s: the image is not shown", cat.Language)
		}
	}
	o := options(t)
	o.PortalText = "Toque Ingresar."
	own, err := flows.New(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, cat := range own.Languages() {
		for key, text := range cat.Texts {
			if text.Image == "portal" {
				t.Errorf("%s: %s shows another way than it tells", cat.Language, key)
			}
		}
	}
}

// Every PNG is its SVG's, small, and shown by a text that says the same words; every image that a text asks for is
// there. With -update the PNGs are made anew, which needs Chromium.
func TestImages(t *testing.T) {
	svgs, err := filepath.Glob("images/*.svg")
	if err != nil || len(svgs) < 8 {
		t.Fatalf("%d images, want 8 or more (%v)", len(svgs), err)
	}
	var sums strings.Builder
	for _, file := range svgs {
		svg, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&sums, "%s %s\n", sum(svg), filepath.Base(file))
	}
	if *update {
		render(t, svgs)
		if err := os.WriteFile("images/sums.txt", []byte(sums.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if noted, err := os.ReadFile("images/sums.txt"); err != nil || string(noted) != sums.String() {
		t.Errorf("a PNG is behind its SVG (%v): run with -update and look at it\n got: %s\nwant: %s", err, sums.String(), noted)
	}
	images := map[string]bot.Image{}
	for _, file := range svgs {
		name := strings.TrimSuffix(filepath.Base(file), ".svg")
		if p, ok := flows.Image(name); ok {
			images[name] = p
		}
	}
	if len(images) != len(svgs) {
		t.Errorf("%d images of %d drawings", len(images), len(svgs))
	}
	shown := map[string]bool{}
	for _, cat := range newEngine(t).Languages() {
		for key, text := range cat.Texts {
			for _, want := range []string{"unlock", "generate"} {
				name := strings.ReplaceAll(text.Image, "{want}", want)
				if name == "" {
					continue
				}
				shown[name] = true
				p, ok := images[name]
				if !ok {
					t.Errorf("text %q shows %q, which nobody has drawn", key, name)
					continue
				}
				if says := words(t, name); cat.Language == "es" && !strings.Contains(strings.ToLower(text.Text), strings.ToLower(says)) {
					t.Errorf("text %q does not say what image %s says: %q", key, p.Name, says)
				}
			}
		}
	}
	for name, p := range images {
		if !shown[name] {
			t.Errorf("no text shows image %s", name)
		}
		if len(p.PNG) > imageMax {
			t.Errorf("image %s has %d bytes, more than %d", name, len(p.PNG), imageMax)
		}
		if _, err := png.DecodeConfig(bytes.NewReader(p.PNG)); err != nil {
			t.Errorf("image %s: %v", name, err)
		}
	}
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// words are what an image says in big letters.
func words(t *testing.T, name string) string {
	t.Helper()
	svg, err := os.ReadFile("images/" + name + ".svg")
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, m := range drawnWords.FindAllStringSubmatch(string(svg), -1) {
		said = append(said, m[1])
	}
	if len(said) == 0 {
		t.Errorf("image %s says nothing", name)
	}
	return strings.Join(said, " ")
}

// render draws each SVG in Chromium and writes the PNG beside it.
func render(t *testing.T, svgs []string) {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("Chromium is needed to draw: %v", err)
	}
	ctx, stopAllocator := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(640, 480))...)
	defer stopAllocator()
	ctx, stop := chromedp.NewContext(ctx)
	defer stop()
	if err := chromedp.Do(ctx); err != nil { // the first use opens the window, for as long as its context lives
		t.Fatalf("start %s: %v", path, err)
	}
	for _, file := range svgs {
		svg, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		page := "data:text/html;charset=utf-8," + url.PathEscape("<!doctype html><style>body{margin:0}svg{display:block}</style>"+string(svg))
		shot, err := screenshot(ctx, page)
		if err != nil {
			t.Fatalf("draw %s: %v", file, err)
		}
		if err := os.WriteFile(strings.TrimSuffix(file, ".svg")+".png", shot, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// image opens a page and returns what is to be seen.
func screenshot(ctx context.Context, page string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.Steps(chromedp.EmulateViewport(640, 480), chromedp.Navigate(page))); err != nil {
		return nil, fmt.Errorf("open the drawing: %w", err)
	}
	return chromedp.Run(ctx, chromedp.CaptureScreenshot())
}
