package e2e

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"llave/internal/mail"
)

// The images of the chat that show a page or a letter of ours name it (data-page, a name of pages()), and with each part what of it that
// part draws (data-part, a selector; "subject": the letter's). Whatever has a button of ours does.
var (
	imageOfPage = regexp.MustCompile(`data-page="([^"]*)"`)
	mustName    = regexp.MustCompile(`^(open|page)_|^key_(page|save|start)$`)
)

const imagesDir = "../../flows/images"

// Letter, pages and images have one look: what an image draws of a page says the same words there, in the same colours. Each is seen in
// docs/look.md beside what it shows, as phones of 320 and of 390 pixels have it.
func TestPictures(t *testing.T) {
	t.Parallel()
	findBrowser(t)
	files, err := filepath.Glob(filepath.Join(imagesDir, "*.svg"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d images (%v)", len(files), err)
	}
	g := newGallery(t)
	byName := map[string]page{}
	for _, p := range pages() {
		byName[p.name] = p
	}
	shows := map[string][]string{} // images by page
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".svg")
		svg, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		of := imageOfPage.FindSubmatch(svg)
		switch {
		case of != nil && byName[string(of[1])].open == nil:
			t.Errorf("image %s shows %q, which is no page", name, of[1])
		case of != nil:
			shows[string(of[1])] = append(shows[string(of[1])], name)
		case mustName.MatchString(name):
			t.Errorf("image %s does not name the page that it shows", name)
		}
	}
	text := lookHead
	for _, p := range pages() {
		names := shows[p.name]
		if len(names) == 0 {
			continue
		}
		text += "\n" + lookSection(t, g, p, names)
	}
	keepText(t, filepath.Join("..", "..", "docs", "look.md"), text)
}

const lookHead = `# One look

The letter, the pages and the images that the chat shows have one look: navy, the key, the gold line, and the same words on what is
pressed. An image says in itself which page it shows and what of it each part draws; a test opens both and compares words and colours.
The same test takes these screenshots, of phones of 320 and 390 pixels, and says when one is no longer what was taken:

    go test ./internal/e2e -run TestPictures -update
`

// lookSection compares a page with the images of it, and is its part of docs/look.md.
func lookSection(t *testing.T, g *gallery, p page, images []string) string {
	v := newVisitor(t)
	do(v, "size the window", chromedp.EmulateViewport(390, 844))
	p.open(v, g)
	hash := sha256.New()
	fmt.Fprint(hash, look[string](v, `document.documentElement.outerHTML`))
	for _, name := range images {
		svg, err := os.ReadFile(filepath.Join(imagesDir, name+".svg"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(hash, "%s", svg)
		samePart(t, v, p, name, string(svg))
	}
	title := cmp.Or(p.what, p.look)
	if title == "" {
		t.Errorf("page %s, which an image shows, has no title", p.name)
	}
	section := fmt.Sprintf("## %s\n\n<!-- %s %x -->\n", title, p.name, hash.Sum(nil)[:6])
	for _, width := range []int64{320, 390} {
		do(v, "size the window", chromedp.EmulateViewport(width, 844))
		v.layout(t, view{fmt.Sprint(width), width, 844})
		v.axe(t)
		shot := fmt.Sprintf("%s-%d.png", p.name, width)
		keepScreenshot(v, filepath.Join("..", "..", "docs", "look", shot), colours)
		section += fmt.Sprintf("\n<img src=\"look/%s\" alt=\"%s, %d pixels\" width=\"%d\">", shot, title, width, width)
		for _, name := range images {
			section += fmt.Sprintf("\n<img src=\"%s.png\" alt=\"Image %s\" width=\"%d\">", strings.TrimPrefix(imagesDir, "../")+"/"+name, name, width)
		}
		section += "\n"
	}
	return section
}

// samePart wants every part that an image draws to say the same on the page, in the same colours.
func samePart(t *testing.T, v *visitor, p page, name, svg string) {
	t.Helper()
	subject := ""
	if kind, ok := strings.CutPrefix(p.name, "mail-"); ok {
		l, err := letterOf(mail.Kind(kind), "")
		if err != nil {
			t.Fatal(err)
		}
		subject = l.Subject
	}
	given, err := json.Marshal([]string{svg, subject})
	if err != nil {
		t.Fatal(err)
	}
	faults := look[[]string](v, fmt.Sprintf(`(([svg, subject]) => {
		const image = new DOMParser().parseFromString(svg, "image/svg+xml"), faults = [], seen = {};
		const plain = (text) => text.replace(/\s+/g, " ").trim();
		const hex = (rgb) => "#" + rgb.match(/\d+/g).slice(0, 3).map((n) => (+n).toString(16).padStart(2, "0")).join("");
		let pressed = 0;
		for (const part of image.querySelectorAll("[data-part]")) {
			const of = part.dataset.part, own = [part, ...part.querySelectorAll("*")];
			const says = plain(own.filter((e) => e.tagName === "text").map((e) => e.textContent).join(" "));
			if (of === "subject") {
				if (says !== subject) faults.push(of + " says " + says + ", the letter " + subject);
				continue;
			}
			const there = [...document.querySelectorAll(of)].filter((e) => e.checkVisibility())[seen[of] ?? 0];
			seen[of] = (seen[of] ?? 0) + 1;
			if (!there) {
				faults.push(of + " is not on the page");
				continue;
			}
			if (there.matches("a, button")) pressed++;
			if (says && says !== plain(there.innerText)) faults.push(of + " says " + says + ", the page " + plain(there.innerText));
			const style = getComputedStyle(there);
			for (const e of own) {
				const compare = (attribute, on) => {
					const drawn = e.getAttribute(attribute);
					if (drawn !== hex(style[on])) faults.push(of + " has the " + attribute + " " + drawn + " for " + on + ", the page " + hex(style[on]));
				};
				if (e.tagName === "text") compare("fill", "color");
				else if (e.matches("rect.line")) compare("fill", "borderBottomColor");
				else if (e.matches("rect.edge")) compare("fill", "borderLeftColor");
				else if (e.tagName === "rect") {
					compare("fill", "backgroundColor");
					if (e.hasAttribute("stroke")) compare("stroke", "borderTopColor");
				}
			}
		}
		if (!seen[".top"] && !seen["[role=banner]"]) faults.push("there is no head with the gold line");
		if (!pressed && !seen["#clave"]) faults.push("nothing of it is pressed or filled in");
		return faults;
	})(%s)`, given))
	for _, fault := range faults {
		t.Errorf("image %s of %s: %s", name, p.name, fault)
	}
}

// keepText compares a page of docs, or writes it.
func keepText(t *testing.T, file, text string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("%s shows what has changed since (-update takes the screenshots anew); it would be:\n%s", file, text)
	}
}
