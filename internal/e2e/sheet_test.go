package e2e

import (
	"context"
	"regexp"
	"testing"

	devtools "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

var (
	pdfPage = regexp.MustCompile(`/Type\s*/Page\b[^s]`)
	pdfA4   = regexp.MustCompile(`/MediaBox\s*\[0 0 59[45][.\d]* 84[12][.\d]*\]`)
)

// The sheet to take along to an office is one page of A4, or of whatever paper there is, and its button prints it.
func TestSheet_onPaper(t *testing.T) {
	t.Parallel()
	findBrowser(t)
	g := newGallery(t)
	v := newVisitor(t)
	v.open(g.base + "/oficina/loja")
	for name, options := range map[string][]chromedp.PDFOption{
		"its own paper": {func(p *devtools.PrintToPDFParams) { p.PreferCSSPageSize = new(true) }},
		"letter":        {chromedp.PDFPaper(chromedp.PaperLetter)},
	} {
		ctx, cancel := context.WithTimeout(v.ctx, pageWithin)
		pdf, err := chromedp.Run(ctx, chromedp.PrintToPDF(options...))
		cancel()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if n := len(pdfPage.FindAll(pdf, -1)); n != 1 {
			t.Errorf("%s: %d pages, want 1", name, n)
		}
		if name == "its own paper" && !pdfA4.Match(pdf) {
			t.Errorf("%s: is not A4", name)
		}
	}
	do(v, "press the button", chromedp.Steps(
		chromedp.Evaluate[chromedp.Void](`window.print = () => { document.title = "printed"; }; undefined`), chromedp.Click(chromedp.CSS("#imprimir")),
	))
	if title := look[string](v, `document.title`); title != "printed" {
		t.Errorf("after the button the title is %q", title)
	}
}
