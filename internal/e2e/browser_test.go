package e2e

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// The one browser of the package. Every visitor is a window without a past.
var (
	browserOnce  sync.Once
	browserCtx   context.Context
	browserErr   error
	closeBrowser = func() {}
)

// findBrowser returns the program to run. Without one the test is skipped, and fails where CI=true.
func findBrowser(t testing.TB) string {
	t.Helper()
	names := []string{"chromium", "chromium-browser", "google-chrome"}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("no browser: none of %s is installed", strings.Join(names, ", "))
	}
	t.Skipf("SKIP: none of %s is installed, so the road is not walked in a browser here", strings.Join(names, ", "))
	return ""
}

// visitor is a person's browser: cookies of its own, scripts on.
type visitor struct {
	t   testing.TB
	ctx context.Context
}

// newVisitor opens a browser that has never been here.
func newVisitor(t testing.TB) *visitor {
	t.Helper()
	path := findBrowser(t)
	browserOnce.Do(func() {
		allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
			chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
			chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
			chromedp.Flag("accept-lang", "es-EC,es"), // our people's; a page that no letter tells its language goes by it
		)...)
		ctx, stopBrowser := chromedp.NewContext(allocator)
		closeBrowser = func() {
			stopBrowser()
			stopAllocator()
		}
		browserCtx, browserErr = ctx, chromedp.Do(ctx)
	})
	if browserErr != nil {
		t.Fatalf("start %s: %v", path, browserErr)
	}
	ctx, closeWindow := chromedp.NewContext(browserCtx, chromedp.WithNewBrowserContext())
	t.Cleanup(closeWindow)
	if err := chromedp.Do(ctx); err != nil { // the first use opens the window, for as long as its context lives
		t.Fatalf("open a window: %v", err)
	}
	return &visitor{t, ctx}
}

// pageWithin is how long a page may take before the test gives up; a slow machine is not a failure.
const pageWithin = 30 * time.Second

// read does something in the browser and returns what the page then says.
func (v *visitor) read(what string, act chromedp.Action[chromedp.Void]) string {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.ctx, pageWithin)
	defer cancel()
	if _, err := chromedp.Run(ctx, act); err != nil {
		v.t.Fatalf("%s: %v", what, err)
	}
	text, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS("main")))
	if err != nil {
		v.t.Fatalf("%s: read the page: %v", what, err)
	}
	return text
}

func (v *visitor) open(url string) string {
	v.t.Helper()
	return v.read("open the page", chromedp.Navigate(url))
}

// press presses the button or link with that label and waits for the page that it leads to.
func (v *visitor) press(label string) string {
	v.t.Helper()
	xpath := `//*[self::button or self::a][normalize-space()="` + label + `"]`
	return v.read("press "+label, leaving(chromedp.Click(chromedp.Search(xpath))))
}

// choose types a key twice and presses the button at once.
func (v *visitor) choose(key string) string {
	v.t.Helper()
	return v.read("choose a key", chromedp.Steps(
		chromedp.SendKeys(chromedp.CSS("#clave"), key), chromedp.SendKeys(chromedp.CSS("#clave2"), key),
		leaving(chromedp.Click(chromedp.CSS("main form button"))),
	))
}

// leaving waits until what was pressed has led to another page.
func leaving(press chromedp.Action[chromedp.Void]) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.RunResponse(ctx, press)
		return chromedp.Void{}, err
	}
}
