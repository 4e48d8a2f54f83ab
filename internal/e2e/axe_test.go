package e2e

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

// axe-core 4.14.1 as its makers publish it, compressed; .ci/axe fetches and checks it.
//
//go:embed testdata/axe/axe.min.js.gz
var axePacked []byte

// axeSum is the SHA-256 of axe.min.js.
const axeSum = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"

var axeSource = sync.OnceValues(func() (string, error) {
	r, err := gzip.NewReader(bytes.NewReader(axePacked))
	if err != nil {
		return "", fmt.Errorf("read axe-core: %w", err)
	}
	source, err := io.ReadAll(r)
	if err != nil {
		return "", fmt.Errorf("read axe-core: %w", err)
	}
	if sum := sha256.Sum256(source); hex.EncodeToString(sum[:]) != axeSum {
		return "", fmt.Errorf("axe-core is not the release that was pinned: %x", sum)
	}
	return string(source), nil
})

// axeRun asks for every rule that axe has switched on, its advice ("best practice") too, and for the ones it leaves off:
// contrast of 7:1 and the size of targets. What it cannot decide by itself counts as a fault here.
const axeRun = `axe.run(document, {
	resultTypes: ["violations", "incomplete"], iframes: false,
	rules: {"color-contrast-enhanced": {enabled: true}, "target-size": {enabled: true}, "identical-links-same-purpose": {enabled: true}},
}).then((r) => [...r.violations, ...r.incomplete].flatMap((v) => v.nodes.map((n) => v.id + ": " + n.failureSummary + "\n  " + n.html)))`

// axeColours are the rules of colours alone: the others say the same of a dark page as of a light one.
const axeColours = `axe.run(document, {
	resultTypes: ["violations", "incomplete"], iframes: false,
	runOnly: ["color-contrast", "color-contrast-enhanced", "link-in-text-block"], rules: {"color-contrast-enhanced": {enabled: true}},
}).then((r) => [...r.violations, ...r.incomplete].flatMap((v) => v.nodes.map((n) => v.id + ": " + n.failureSummary + "\n  " + n.html)))`

// axe wants the page that is open to be without a fault, but for the rules that are named.
func (v *visitor) axe(t *testing.T, except ...string) {
	t.Helper()
	v.axeAsks(t, axeRun, except...)
}

// axeAsks is axe for a run of its own.
func (v *visitor) axeAsks(t *testing.T, run string, except ...string) {
	t.Helper()
	source, err := axeSource()
	if err != nil {
		t.Fatal(err)
	}
	if !look[bool](v, `"axe" in window`) {
		do(v, "bring axe-core", chromedp.Evaluate[chromedp.Void](source))
	}
	for _, fault := range look[[]string](v, run) {
		if rule, _, _ := strings.Cut(fault, ":"); slices.Contains(except, rule) {
			continue
		}
		t.Errorf("axe: %s", strings.ReplaceAll(fault, "\n", "\n  "))
	}
}
